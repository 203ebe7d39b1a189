//! What is never removed, whatever else is known of it: the one list, asked by the one door.

use std::path::Path;

/// Files that say which versions of other packages belong together, and are called locks.
const MANIFESTS: &[&str] = &[
    "Cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "bun.lockb",
    "deno.lock",
    "poetry.lock",
    "uv.lock",
    "Pipfile.lock",
    "pdm.lock",
    "pixi.lock",
    "conda-lock.yml",
    "conda-lock.yaml",
    "pylock.toml",
    "flake.lock",
    "composer.lock",
    "Gemfile.lock",
    "gems.locked",
    "Podfile.lock",
    "Cartfile.resolved",
    "Package.resolved",
    "mix.lock",
    "pubspec.lock",
    "packages.lock.json",
    "paket.lock",
    "gradle.lockfile",
    "buildscript-gradle.lockfile",
    ".terraform.lock.hcl",
    "Chart.lock",
    "requirements.lock",
    "requirements-dev.lock",
    "go.sum",
    "shard.lock",
    "Manifest.toml",
    "MODULE.bazel.lock",
    "rebar.lock",
    "stack.yaml.lock",
    "cabal.project.freeze",
    "renv.lock",
    "symfony.lock",
    "Puppetfile.lock",
    "Berksfile.lock",
    "Brewfile.lock.json",
    "Gopkg.lock",
    "glide.lock",
    "buf.lock",
    "conan.lock",
    "spack.lock",
    "dvc.lock",
    "devbox.lock",
    "devenv.lock",
    "mise.lock",
    "foundry.lock",
    "wally.lock",
];

/// Files that stay by design: the lock is the kernel's, or held for seconds.
const ANCHORS: &[&str] = &[
    "LOCK",
    ".cargo-lock",
    ".package-cache",
    ".package-cache-mutate",
    ".pwd.lock",
    "passwd.lock",
    "lock-frontend",
    "node.lock",
    "write.lock",
    ".parentlock",
    "parent.lock",
];

/// The one that is called like an anchor and is none.
const MERCURIAL: &str = ".hg/store/lock";

/// Files of databases that are called like locks, or stand beside theirs.
const DATABASE_FILES: &[&str] = &[
    "lock.mdb",
    "postmaster.pid",
    "mongod.lock",
    "db.lck",
    "dbex.lck",
    "MANIFEST",
    "CURRENT",
    "IDENTITY",
];

/// Ends of the names of files that hold data.
const DATA: &[&str] = &[
    "-wal",
    "-shm",
    "-journal",
    // LMDB without a directory of its own: `data.mdb-lock`.
    "-lock",
    ".wal",
    ".wal.checkpoint",
    ".wal.recovery",
    ".rdb",
    ".aof",
    ".ibd",
    ".ldb",
    ".sst",
    ".log",
    ".mdb",
    ".db",
    ".db3",
    ".sqlite",
    ".sqlite3",
    ".duckdb",
    ".redb",
    ".bolt",
];

/// Beginnings of such names, and of the locks of PostgreSQL's sockets.
const DATA_BEGINNINGS: &[&str] =
    &["__db.", "ibdata", "appendonly", "WAL", "MANIFEST-", "OPTIONS-", ".s.PGSQL."];

/// What the name of an editor's lock begins with; the rest of it may be that of any file.
const EDITOR_LOCK: &str = ".#";

/// Directories in which every lock belongs to the system.
const SYSTEM: &[&str] = &[
    "/run/lock",
    "/var/lock",
    "/var/run/lock",
    "/run/systemd",
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/cache/apt",
    "/etc",
    "/private/etc",
    "/proc",
    "/sys",
    "/dev",
];

/// Parts of a path below which databases keep their own files.
const DATABASE_DIRECTORIES: &[&str] =
    &["pg_wal", "pg_xlog", "IndexedDB", "Local Storage", "Session Storage"];

/// Returns why a path is never removed, `None` if it may be a lock. Only by its name, which must be
/// absolute: whoever removes something has also looked at what it contains. What is never removed
/// can still be reported.
pub fn never_touched(path: &Path) -> Option<&'static str> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Some("its name is not plain text");
    };
    // On file systems that know no case either.
    let is = |list: &[&str]| list.iter().any(|one| one.eq_ignore_ascii_case(name));
    let lower = name.to_ascii_lowercase();
    if is(MANIFESTS) {
        return Some("it says which versions of packages belong together");
    }
    if is(ANCHORS) && !path.ends_with(MERCURIAL) {
        return Some("it stays by design: the lock is the kernel's, not the file");
    }
    if is(DATABASE_FILES) {
        return Some("it belongs to a database");
    }
    let is_super_journal = lower
        .rsplit_once("-mj")
        .is_some_and(|(_, end)| end.len() >= 8 && end.bytes().all(|byte| byte.is_ascii_hexdigit()));
    // The text that vim did not save: `.swp`, then `.swo` and on.
    let is_swap = matches!(lower.as_bytes(), [.., b'.', b's', b'w', b'a'..=b'z']);
    let is_data = is_super_journal
        || is_swap
        || DATA.iter().any(|end| lower.ends_with(end))
        || DATA_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
    if is_data && !name.starts_with(EDITOR_LOCK) {
        return Some("it may hold data of a database");
    }
    let inside = |part: &str| path.iter().any(|one| one.eq_ignore_ascii_case(part));
    if DATABASE_DIRECTORIES.iter().any(|part| inside(part)) {
        return Some("it belongs to a database");
    }
    if SYSTEM.iter().any(|directory| path.starts_with(directory)) {
        return Some("it belongs to the system");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::never_touched;
    use std::path::Path;

    /// Names of files that hold dependencies, wherever they are.
    const DEPENDENCIES: &str = "Cargo.lock package-lock.json npm-shrinkwrap.json yarn.lock \
        pnpm-lock.yaml bun.lock bun.lockb deno.lock poetry.lock uv.lock Pipfile.lock pdm.lock \
        pixi.lock conda-lock.yml flake.lock composer.lock Gemfile.lock Podfile.lock \
        Package.resolved mix.lock pubspec.lock packages.lock.json paket.lock gradle.lockfile \
        buildscript-gradle.lockfile .terraform.lock.hcl Chart.lock go.sum shard.lock \
        Manifest.toml MODULE.bazel.lock rebar.lock stack.yaml.lock cabal.project.freeze \
        renv.lock symfony.lock";

    /// Names of files of databases, wherever they are.
    const DATABASES: &str = "a.db-wal a.db-shm a.db-journal a.db-mj0123ABCD9 a.db-mj0123ABC901 \
        a.duckdb.wal a.duckdb.wal.checkpoint a.duckdb.wal.recovery LOCK lock.mdb data.mdb-lock \
        WAL000001 000003.log ibdata1 a.ibd __db.001 dump.rdb appendonly.aof appendonlydir \
        000005.ldb 000007.sst MANIFEST MANIFEST-000001 CURRENT IDENTITY OPTIONS-000005 mongod.lock \
        postmaster.pid .s.PGSQL.5432.lock db.lck a.lock.db a.db a.sqlite3 a.duckdb a.redb";

    /// Kernel-locked files that stay.
    const ANCHORED: [&str; 14] = [
        "/var/lib/dpkg/lock",
        "/var/lib/dpkg/lock-frontend",
        "/var/lib/apt/lists/lock",
        "/var/cache/apt/archives/lock",
        "/src/target/debug/.cargo-lock",
        "/home/jo/.cargo/.package-cache",
        "/home/jo/.cargo/.package-cache-mutate",
        "/run/lock/x.lock",
        "/var/lock/x.lock",
        "/etc/.pwd.lock",
        "/etc/passwd.lock",
        "/backup/etc2/passwd.lock",
        "/d/node.lock",
        "/d/index/write.lock",
    ];

    #[test]
    fn manifests_data_and_anchors_are_never_touched() {
        // On file systems that know no case either.
        let shouted = DEPENDENCIES.to_ascii_uppercase();
        for name in [DEPENDENCIES, &shouted, DATABASES].iter().flat_map(|names| names.split(' ')) {
            assert!(never_touched(&Path::new("/d").join(name)).is_some(), "{name}");
        }
        for path in ANCHORED {
            assert!(never_touched(Path::new(path)).is_some(), "{path}");
        }
        for path in [
            "/p/IndexedDB/x.leveldb/a.lock",
            "/p/Local Storage/leveldb/a.lock",
            "/p/session storage/a.lock",
            "/g/pg_wal/x.pid",
            "/d/.a.txt.swp",
            "/d/.a.txt.swn",
        ] {
            assert!(never_touched(Path::new(path)).is_some(), "{path}");
        }
        let nameless = crate::odd_name(b"/d/\xff.lock");
        assert!(never_touched(Path::new(&nameless)).is_some());
    }

    #[test]
    fn locks_may_be_looked_at() {
        for name in [
            "/d/a.lock",
            "/d/a.db.lock",
            "/r/.git/index.lock",
            "/r/.git/index~pid.lock",
            "/r/.git/packed-refs.new",
            "/r/.git/gc.pid",
            "/r/.hg/store/lock",
            "/r/.hg/wlock",
            "/d/app.pid",
            "/run/yum.pid",
            "/h/SingletonLock",
            "/d/.#notes.txt",
            "/d/.#app.log",
            "/d/.#app.db",
            "/d/.#WAL.md",
        ] {
            assert_eq!(never_touched(Path::new(name)), None, "{name}");
        }
    }
}
