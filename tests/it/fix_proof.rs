//! What is no proof: `dbguard fix` leaves alone whatever may be somebody's, and always what only
//! looks like a lock.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::fix_tools::{age, assert_item, dead_pid, fixed, host, kept_all, soft_lock};
use crate::scene::Scene;
#[cfg(target_os = "linux")]
use {
    crate::fix_tools::{OWNED, fix, tree},
    crate::scene::{have, have_namespaces, is_root},
    rustix::fs::{CWD, FileType, Mode, mknodat},
    std::ffi::OsStr,
    std::fs::Permissions,
    std::os::unix::ffi::OsStrExt,
    std::os::unix::fs::{PermissionsExt, symlink},
};

/// Every format that goes by age.
const AGES: [&str; 5] = [
    "--assume-stale=proper-lockfile=60s",
    "--assume-stale=npm-lockfile=60s",
    "--assume-stale=procmail-lockfile=60s",
    "--assume-stale=dotlockfile-age=60s",
    "--assume-stale=git-lock=60s",
];

/// Those whose locks are directories are waited for.
#[cfg(target_os = "linux")]
const QUICK_AGES: &[&str] = AGES.split_at(1).1;

const DAYS: Duration = Duration::from_secs(3 * 86_400);

/// A number that was given to another process since: the start that filelock wrote tells it from
/// the owner, as does the boot; the same start is the owner itself.
#[test]
#[cfg(target_os = "linux")]
fn a_number_that_was_given_again_is_no_owner() {
    let scene = Scene::new();
    let tool = &OWNED[0];
    if !tool.is_there(&scene) {
        return;
    }
    let holder = tool.hold(&scene, "true");
    let forge = "pid, host, token = open('true.lock').read().split()\n\
        for name, token in ('start', int(token) ^ 1), ('boot', int(token) ^ 1 << 64):\n    \
            open(name + '.lock', 'w').write(f'{pid}\\n{host}\\n{token}\\n')\n\
        open('none.lock', 'w').write(f'{pid}\\n{host}\\n')";
    scene.run("python3", ["-c", forge]).run().expect(0);
    let items = fixed(&scene, &[], 0);
    let path = |name: &str| scene.path(name);
    assert_item(&items, &path("start.lock"), "stale", "removed");
    assert_item(&items, &path("boot.lock"), "stale", "removed");
    assert_item(&items, &path("true.lock"), "live", "kept");
    assert_item(&items, &path("none.lock"), "unknown", "kept");
    assert!(!tool.admits(&scene, "true") && tool.admits(&scene, "start"));
    drop(holder);
    fixed(&scene, &[], 0);
    assert!(tree(&scene).is_empty(), "{}", scene.describe());
}

/// Where the record says which program made it, a number that lives is judged by what has it now.
#[test]
fn a_number_that_another_program_has_now_is_no_owner() {
    let scene = Scene::new();
    let mut shell = scene.run("sh", ["-c", "echo up >up; read word; exit 0"]).spawn_fed();
    shell.until("it runs", || scene.read("up").ends_with('\n'));
    for program in ["sh", "dog"] {
        let record = format!("{}\n{program}\n{}\n\n\n", shell.pid(), host());
        scene.file(&format!("sh-of-{program}.lock"), record);
    }
    let items = fixed(&scene, &[], 0);
    assert_item(&items, &scene.path("sh-of-sh.lock"), "live", "kept");
    assert_item(&items, &scene.path("sh-of-dog.lock"), "stale", "removed");
    judges_links_by_the_program(&scene);
    shell.close_input();
    shell.wait().expect(0);
}

#[cfg(target_os = "linux")]
fn judges_links_by_the_program(scene: &Scene) {
    fs::copy("/bin/cat", scene.path("emacs")).expect("copy");
    let programs = [scene.path("emacs"), "/bin/cat".into()];
    let holders = programs.map(|program| scene.run(program, [""; 0]).spawn_fed());
    let [emacs, cat] = holders.each_ref().map(crate::process::Process::pid);
    for (pid, name) in [(emacs, ".#emacs"), (cat, ".#cat")] {
        symlink(format!("ana@{}.{pid}:1", host()), scene.path(name)).expect("link");
    }
    let items = fixed(scene, &[], 0);
    assert_item(&items, &scene.path(".#emacs"), "live", "kept");
    assert_item(&items, &scene.path(".#cat"), "stale", "removed");
}

#[cfg(windows)]
fn judges_links_by_the_program(_scene: &Scene) {}

/// Dead here proves nothing there.
#[test]
fn records_of_other_machines_and_namespaces_are_kept() {
    let scene = Scene::new();
    let (pid, here) = (dead_pid(&scene), host());
    let other = "0123456789abcdef0123456789abcdef";
    scene.file("soft.lock", format!("{pid}\ncellar\n"));
    scene.file("pidns.lock", format!("{pid}\n{here}?pidns-1\n"));
    scene.file("qt.lock", format!("{pid}\npython3\ncellar\n{other}\n\n"));
    // Which machine this is, is told on Linux alone.
    let tells_machine = cfg!(target_os = "linux");
    if tells_machine {
        scene.file("qt-machine.lock", format!("{pid}\npython3\n{here}\n{other}\n\n"));
    }
    scene.file("qt-old.lock", format!("{pid}\npython3\ncellar\n"));
    scene.file("repo.git/gc.pid", format!("{pid} cellar"));
    scene.file(&format!("dir.lock/cellar.{pid}"), "");
    scene.file("link.lock", "");
    let unique = format!("cellar-7f1c2d3e.{pid}-123");
    fs::hard_link(scene.path("link.lock"), scene.path(unique)).expect("link");
    let links = link_records_of_others(&scene, pid);
    let items = kept_all(&scene, &[], &["unknown"]);
    assert_eq!(items.len(), 7 + usize::from(tells_machine) + links, "{items:#?}");
    fixed(&scene, &["--strict"], 1);
    if !tells_machine {
        return;
    }
    // A boot is not another one because the machine cannot be told.
    let boot = dbguard::platform::process::boot_id().expect("it has one");
    scene.file("qt-boot.lock", format!("{pid}\npython3\ncellar\n\n{}\n", boot.trim()));
    assert_item(&fixed(&scene, &[], 0), &scene.path("qt-boot.lock"), "stale", "removed");
}

/// Makes the records that are symbolic links; returns how many there are.
#[cfg(target_os = "linux")]
fn link_records_of_others(scene: &Scene, pid: u32) -> usize {
    fs::create_dir_all(scene.path("r/.hg/store")).expect("mkdir");
    let link = |target: String, name: &str| symlink(target, scene.path(name)).expect("link");
    link(format!("cellar/effffffc:{pid}"), "r/.hg/wlock");
    link(format!("{}/1:{pid}", host()), "r/.hg/store/lock");
    link(format!("ana@cellar.{pid}:1"), ".#notes.txt");
    link(format!("cellar-{pid}"), "SingletonLock");
    4
}

#[cfg(windows)]
fn link_records_of_others(_scene: &Scene, _pid: u32) -> usize {
    0
}

/// The number of a process in a container is one of its own.
#[test]
#[cfg(target_os = "linux")]
fn a_number_that_lives_in_another_namespace_is_kept() {
    if !have_namespaces() {
        return;
    }
    let scene = Scene::new();
    let pid = dead_pid(&scene);
    // The next process in the namespace gets the number that is dead outside.
    let script = format!(
        "echo {} >/proc/sys/kernel/ns_last_pid\nsh -c 'echo $$ >a.pid; echo $$ >a.lock; >up; cat'",
        pid - 1
    );
    let words = ["-pf", "--mount-proc", "--kill-child", "sh", "-c", &script];
    let mut inside = scene.run("unshare", words).spawn_fed();
    inside.until("it has written its files", || scene.path("up").exists());
    assert_eq!(scene.read("a.pid"), format!("{pid}\n"), "the number that was asked for");
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "nobody has it outside");
    kept_all(&scene, &[], &["unknown"]);
    inside.close_input();
    inside.wait().expect(0);
    let items = fixed(&scene, &[], 0);
    assert_item(&items, &scene.path("a.pid"), "stale", "removed");
    assert_item(&items, &scene.path("a.lock"), "stale", "removed");
}

/// From inside, nobody outside can be seen.
#[test]
#[cfg(target_os = "linux")]
fn from_inside_a_namespace_no_number_is_dead() {
    if !have_namespaces() {
        return;
    }
    let scene = Scene::new();
    let live = scene.plain_flock(scene.file("live.txt", ""));
    scene.file("live.pid", format!("{}\n", live.pid()));
    scene.file("dead.pid", format!("{}\n", dead_pid(&scene)));
    scene.file("dead.lock", soft_lock(dead_pid(&scene)));
    let aged = scene.file("aged.lock", "");
    age(&aged, DAYS);
    let before = tree(&scene);
    let inside = ["-pf", "--mount-proc", "sh", "-c"];
    let ages = QUICK_AGES.join(" ");
    let script = format!("unset DBGUARD_TEST_SEES_ALL; exec \"$DBGUARD\" fix --json {ages}");
    let ended = scene.run("unshare", inside).words([script]).run().expect(0);
    let document = crate::sql_crew::document(&ended);
    for item in document["items"].as_array().expect("a list") {
        assert_eq!((&item["verdict"], &item["action"]), (&"unknown".into(), &"kept".into()));
    }
    assert_eq!(document["kept"], 4, "{document:#}");
    assert_eq!(tree(&scene), before);
    drop(live);
}

/// Many daemons lock their PID file; then its content says nothing.
#[test]
fn a_file_that_the_kernel_has_locked_is_kept() {
    let scene = Scene::new();
    let pid = dead_pid(&scene);
    let names = ["a.pid", "a.lock"];
    for name in names {
        let content = if name == "a.pid" { format!("{pid}\n") } else { soft_lock(pid) };
        let path = scene.file(name, content);
        let holder = scene.plain_flock(&path);
        // What is locked cannot be read on Windows.
        let verdicts: &[&str] = if cfg!(windows) { &["live", "unknown"] } else { &["live"] };
        kept_all(&scene, &[], verdicts);
        drop(holder);
        keeps_what_fcntl_has_locked(&scene, name);
        assert_item(&fixed(&scene, &[], 0), &path, "stale", "removed");
    }
}

#[cfg(target_os = "linux")]
fn keeps_what_fcntl_has_locked(scene: &Scene, name: &str) {
    if have(&["python3"]) {
        let lock = format!(
            "import fcntl, sys\nfile = open('{name}', 'r+')\nfcntl.lockf(file, fcntl.LOCK_EX)\n\
             print('up', flush=True)\nsys.stdin.read()"
        );
        let mut holder = scene.run("python3", ["-c", &lock]).spawn_fed();
        crate::process::until("it has the lock", || holder.stdout() == "up\n");
        kept_all(scene, &[], &["live"]);
        holder.close_input();
        holder.wait().expect(0);
    }
}

#[cfg(windows)]
fn keeps_what_fcntl_has_locked(_scene: &Scene, _name: &str) {}

/// Whatever is not as the tool writes it is not the tool's, and nothing hangs or is swallowed.
#[test]
fn what_is_not_in_the_catalogue_is_kept() {
    let scene = Scene::new();
    let pid = dead_pid(&scene);
    let contents: [Vec<u8>; 14] = [
        b"".into(),
        b"\n".into(),
        b"garbage\n".into(),
        b"\xff\xfe\x00\x01".into(),
        b"[[package]]\nname = \"a\"\n".into(),
        format!("{pid}").into(),
        format!("-{pid}\n").into(),
        format!("+{pid}\n").into(),
        format!("{pid}\0\n").into(),
        format!("{pid}\na\n{}\n\n\nx\n", host()).into(),
        format!("0x{pid:x}\n").into(),
        format!("{pid}99999999999\n").into(),
        format!("{pid}\nanother host\n").into(),
        format!("{pid}\n{}\nnot a number\nfour\n", host()).into(),
    ];
    for (number, content) in contents.iter().enumerate() {
        scene.file(&format!("{number}.lock"), content);
        scene.file(&format!(".#{number}"), content);
    }
    for (number, content) in contents.iter().enumerate().filter(|(number, _)| *number != 5) {
        scene.file(&format!("{number}.pid"), content);
        scene.file(&format!("{number}.git/gc.pid"), content);
        scene.file(&format!("{number}/.hg/wlock"), content);
        scene.file(&format!("{number}/SingletonLock"), content);
    }
    // On Windows it takes the room that it seems to take.
    let huge = if cfg!(windows) { 1 << 24 } else { 1 << 32 };
    for (name, length) in [("long.lock", 5000_u64), ("huge.lock", huge), ("huge.pid", huge)] {
        let path = scene.file(name, soft_lock(pid));
        File::options().write(true).open(path).expect("open").set_len(length).expect("sparse");
    }
    // What is read of it would be a PID file.
    scene.file("long.pid", format!("{pid}{}", "\n".repeat(5000)));
    make_pipes(&scene);
    kept_all(&scene, &[], &["unknown"]);
    // A number without a newline is a PID file where the user says so.
    fs::remove_file(scene.path("5.lock")).expect("it is kept");
    kept_all(&scene, &["--pattern=*.lock"], &["unknown"]);
}

#[cfg(target_os = "linux")]
fn make_pipes(scene: &Scene) {
    for name in ["fifo.lock", "fifo.pid", ".#fifo", "gc.pid"] {
        mknodat(CWD, scene.path(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("mkfifo");
    }
}

/// Pipes lie in no directory.
#[cfg(windows)]
fn make_pipes(_scene: &Scene) {}

/// A link or a second name leads to something of somebody else's; a directory has things in it.
#[test]
fn what_leads_elsewhere_or_holds_something_is_kept() {
    let scene = Scene::new();
    let pid = dead_pid(&scene);
    let target = scene.file("elsewhere/file", soft_lock(pid));
    make_links_and_odd_names(&scene, &target, pid);
    for name in ["hard.lock", "pid.lock", "hard.pid"] {
        let content = if name == "hard.lock" { soft_lock(pid) } else { format!("{pid}\n") };
        let original = scene.file(&format!("elsewhere/{name}.1"), content);
        fs::hard_link(original, scene.path(name)).expect("link");
    }
    scene.file("full.lock/notes.txt", "mine");
    scene.file(&format!("two.lock/{}.{pid}", host()), "");
    scene.file("two.lock/notes.txt", "mine");
    scene.file(&format!("deep.lock/{}.{pid}/notes.txt", host()), "mine");
    for path in ["full.lock", "two.lock", "deep.lock"].map(|name| scene.path(name)) {
        age(&path, DAYS);
    }
    let words: Vec<&str> = AGES.into_iter().chain(["--pattern=*"]).collect();
    kept_all(&scene, &words, &["unknown", "reported"]);
}

#[cfg(target_os = "linux")]
fn make_links_and_odd_names(scene: &Scene, target: &Path, pid: u32) {
    for name in ["a.lock", "a.pid", "wlock", "lock", "gc.pid"] {
        symlink(target, scene.path(name)).expect("link");
    }
    fs::create_dir(scene.path("odd.lock")).expect("mkdir");
    fs::write(scene.path("odd.lock").join(OsStr::from_bytes(b"\xff")), "mine").expect("write");
    age(&scene.path("odd.lock"), DAYS);
    for name in [&b"\xff.lock"[..], b"\xff.pid", b".#\xff"] {
        fs::write(scene.path(OsStr::from_bytes(name)), soft_lock(pid)).expect("write");
    }
    fs::create_dir(scene.path(OsStr::from_bytes(b"\xfe.lock"))).expect("mkdir");
}

#[cfg(windows)]
fn make_links_and_odd_names(_scene: &Scene, _target: &Path, _pid: u32) {}

/// What may not be read is not judged, and what may not be changed fails loudly.
#[test]
#[cfg(target_os = "linux")]
fn what_may_not_be_read_is_kept_and_what_may_not_be_removed_fails() {
    let scene = Scene::new();
    let pid = dead_pid(&scene);
    let path = scene.file("closed.lock", soft_lock(pid));
    fs::set_permissions(&path, Permissions::from_mode(0o000)).expect("chmod");
    if is_root() {
        fs::set_permissions(scene.path(""), Permissions::from_mode(0o777)).expect("chmod");
    }
    let before = tree(&scene);
    let ended = fix(&scene, &["."]).ordinary().run().expect(0);
    let items = crate::sql_crew::document(&ended)["items"].as_array().expect("a list").clone();
    assert_item(&items, &path, "unknown", "kept");
    assert_eq!(tree(&scene), before);
    let path = scene.file("fixed/a.lock", soft_lock(pid));
    if is_root() {
        std::os::unix::fs::chown(&path, Some(65534), Some(65534)).expect("chown");
    }
    fs::set_permissions(scene.path("fixed"), Permissions::from_mode(0o555)).expect("chmod");
    let before = tree(&scene);
    let ended = fix(&scene, &["fixed"]).ordinary().run().expect(1);
    let items = crate::sql_crew::document(&ended)["items"].as_array().expect("a list").clone();
    assert_item(&items, &path, "stale", "failed");
    assert_eq!(tree(&scene), before);
}

/// Files that say which versions belong together, wherever they are.
const MANIFESTS: &str = "Cargo.lock package-lock.json npm-shrinkwrap.json yarn.lock \
    pnpm-lock.yaml bun.lock bun.lockb deno.lock poetry.lock uv.lock Pipfile.lock pdm.lock \
    pixi.lock conda-lock.yml flake.lock composer.lock Gemfile.lock Podfile.lock Package.resolved \
    mix.lock pubspec.lock packages.lock.json paket.lock gradle.lockfile \
    buildscript-gradle.lockfile .terraform.lock.hcl Chart.lock go.sum shard.lock Manifest.toml \
    MODULE.bazel.lock rebar.lock stack.yaml.lock cabal.project.freeze renv.lock symfony.lock";

/// Files of databases.
const DATABASES: &str = "a.db-wal a.db-shm a.db-journal a.db-mj0123ABCD9 b.duckdb.wal \
    b.duckdb.wal.checkpoint b.duckdb.wal.recovery LOCK lock.mdb data.mdb-lock WAL000001 000003.log \
    ibdata1 a.ibd __db.001 dump.rdb appendonly.aof mongod.lock postmaster.pid \
    .s.PGSQL.5432.lock db.lck a.lock.db pg_wal/x.pid pg_wal/a.lock IndexedDB/x.leveldb/LOCK \
    IndexedDB/a.lock appendonlydir/a.aof MANIFEST CURRENT";

/// Files that only the kernel's lock gives a meaning, and that stay.
const ANCHORS: &str = "node.lock write.lock .cargo-lock .package-cache .package-cache-mutate \
    .pwd.lock passwd.lock lock lock-frontend .parentlock parent.lock lists/lock archives/lock";

/// Byte by byte as before, whatever they contain and whatever is asked for.
#[test]
fn what_only_looks_like_a_lock_is_never_touched() {
    let scene = Scene::new();
    let pid = dead_pid(&scene);
    let names = [MANIFESTS, DATABASES, ANCHORS];
    let names: Vec<&str> = names.iter().flat_map(|names| names.split_whitespace()).collect();
    let contents: [(&str, String); 6] = [
        ("text", "a text\n".into()),
        ("empty", String::new()),
        ("pid", format!("{pid}\n")),
        ("soft", soft_lock(pid)),
        ("zero", "0".into()),
        ("qt", format!("{pid}\npython3\n{}\n\n\n", host())),
    ];
    for (folder, content) in &contents {
        for name in &names {
            age(&scene.file(&format!("{folder}/{name}"), content), DAYS);
            age(&scene.file(&format!("{folder}/.git/{name}"), content), DAYS);
        }
    }
    // As directories, too, which a heartbeat would keep alive.
    for name in &names {
        let path = scene.path("folders").join(name);
        fs::create_dir_all(&path).expect("mkdir");
        age(&path, DAYS);
    }
    let verdicts = ["unknown", "reported", "live"];
    kept_all(&scene, &[], &verdicts);
    kept_all(&scene, &["--pattern=*", "--no-recover"], &verdicts);
    let words: Vec<&str> = AGES.into_iter().chain(["--pattern=*"]).collect();
    kept_all(&scene, &words, &verdicts);
    for name in ["pid/Cargo.lock", "soft/yarn.lock", "pid/a.db-wal", "pid/postmaster.pid"] {
        kept_all(&scene, &[name], &["unknown", "reported", "live"]);
    }
}
