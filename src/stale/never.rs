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
    "go.sum",
    "shard.lock",
    "Manifest.toml",
    "MODULE.bazel.lock",
    "rebar.lock",
    "stack.yaml.lock",
    "cabal.project.freeze",
    "renv.lock",
    "symfony.lock",
];

/// Kernel-locked files that stay by design, and database files that are called like locks.
const ANCHORS: &[&str] = &[
    "LOCK",
    "lock.mdb",
    ".cargo-lock",
    ".package-cache",
    ".package-cache-mutate",
    ".pwd.lock",
    "passwd.lock",
    "lock-frontend",
    "node.lock",
    "write.lock",
    "mongod.lock",
    ".parentlock",
    "parent.lock",
    "postmaster.pid",
    "MANIFEST",
    "CURRENT",
    "IDENTITY",
];

/// Ends of the names of files that hold data.
const DATA: &[&str] = &[
    "-wal",
    "-shm",
    "-journal",
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
    ".swp",
    ".swo",
];

/// Beginnings of such names.
const DATA_BEGINNINGS: &[&str] = &["__db.", "ibdata", "appendonly", "WAL", "MANIFEST-", "OPTIONS-"];

/// Directories in which every lock belongs to the system.
const SYSTEM: &[&str] = &[
    "/run/lock",
    "/var/lock",
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/cache/apt",
    "/etc",
    "/proc",
    "/sys",
    "/dev",
];

/// Parts of a path below which databases keep their own files.
const DATABASE_DIRECTORIES: &[&str] = &["pg_wal", "pg_xlog", "IndexedDB", "Local Storage"];

/// Returns why a path is never removed, `None` if it may be a lock. Only by its name: whoever
/// removes something has also looked at what it contains.
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
    if is(ANCHORS) {
        return Some("it stays by design: the lock is the kernel's, not the file");
    }
    let is_super_journal = lower
        .rsplit_once("-mj")
        .is_some_and(|(_, end)| end.len() >= 8 && end.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if is_super_journal
        || DATA.iter().any(|end| lower.ends_with(end))
        || DATA_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
    {
        return Some("it may hold data of a database");
    }
    let inside = |part: &str| path.iter().any(|one| one == part);
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

    #[test]
    fn manifests_data_and_anchors_are_never_touched() {
        for name in [
            "/src/Cargo.lock",
            "/src/cargo.lock",
            "/web/package-lock.json",
            "/d/a.db-wal",
            "/d/a.db-WAL",
            "/d/a.db-mj0123ABCD",
            "/d/a.duckdb.wal",
            "/d/store/LOCK",
            "/d/env/lock.mdb",
            "/p/IndexedDB/x.leveldb/a.lock",
            "/var/lib/dpkg/lock",
            "/run/lock/x.lock",
            "/d/a.db",
            "/etc/passwd.lock",
            "/g/pg_wal/x.pid",
            "/d/ibdata1",
            "/d/.a.txt.swp",
        ] {
            assert!(never_touched(Path::new(name)).is_some(), "{name}");
        }
        let nameless =
            <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"/d/\xff.lock");
        assert!(never_touched(Path::new(nameless)).is_some());
    }

    #[test]
    fn locks_may_be_looked_at() {
        for name in
            ["/d/a.lock", "/r/.git/index.lock", "/d/app.pid", "/h/SingletonLock", "/d/.#notes.txt"]
        {
            assert_eq!(never_touched(Path::new(name)), None, "{name}");
        }
    }
}
