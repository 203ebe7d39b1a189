//! `dbguard info` on the other engines: real ones where Python has them, and files and locks as
//! they make them.

use crate::actor;
use crate::info_crew::{Client, assert_check, assert_does, first, seen, shows_locks};
use crate::process::process_state;
use crate::scene::{Run, Scene, have, skip, wine_lacks};

/// Whether Python has a module; says so if not.
fn have_module(scene: &Scene, module: &str) -> bool {
    let has = have(&["python3"])
        && scene.run("python3", ["-c", &format!("import {module}")]).run().code == Some(0);
    if !has {
        skip(&format!("Python has no module `{module}`"));
    }
    has
}

/// Proves what is said of a holder, and what a second client meets that runs `attempt`.
#[track_caller]
fn assert_held(scene: &Scene, path: &str, open: &str, blocks: &str, attempt: &str) {
    let holder = Client::doing(scene, open);
    let told = seen(scene, &[path]);
    assert_does(&told, holder.pid(), "", blocks);
    assert_eq!(told["blocks"], blocks, "{told:#}");
    assert_check(scene, path, blocks);
    let refused = Client::new(scene).attempt(attempt).is_some();
    assert_eq!(refused, blocks != "none", "{attempt}: {told:#}");
}

#[test]
fn a_leveldb_of_plyvel_is_its_openers_alone() {
    let scene = Scene::new();
    if !have_module(&scene, "plyvel") {
        return;
    }
    let open = "import plyvel\ndb = plyvel.DB('store', create_if_missing=True)";
    assert_held(&scene, "store", open, "all", open);
    assert_eq!(first(&scene, "store"), "free");
}

#[test]
fn a_rocksdb_of_rocksdict_is_its_openers_alone() {
    let scene = Scene::new();
    if !have_module(&scene, "rocksdict") {
        return;
    }
    let open = "import rocksdict\ndb = rocksdict.Rdict('store')";
    assert_held(&scene, "store", open, "all", open);
}

/// Proves what is said of a holder that opened `path` for this, and whom it keeps out: `open`
/// prepares a client that opens it until its input ends, and fails where it may not.
#[track_caller]
fn assert_open(scene: &Scene, path: &str, mode: &str, blocks: &str, open: impl Fn(&str) -> Run) {
    let mut holder = open(mode).spawn_fed();
    let stood = || !seen(scene, &[path])["native"]["locks"].as_array().expect("a list").is_empty();
    holder.until("it has the file open", stood);
    let told = seen(scene, &[path]);
    assert_does(&told, holder.pid(), "has the database open", blocks);
    assert_eq!(told["blocks"], blocks, "{told:#}");
    assert_check(scene, path, blocks);
    for (mode, is_refused) in [("rw", blocks != "none"), ("ro", blocks == "all")] {
        let ended = open(mode).run();
        assert_eq!(ended.code != Some(0), is_refused, "{mode}: {}", ended.describe());
    }
    holder.close_input();
    holder.wait().expect(0);
    assert_eq!(first(scene, path), "free");
}

#[test]
fn a_redb_is_its_writers_alone_and_shared_by_readers() {
    if wine_lacks(
        "Wine refuses nobody to read what is locked, and names nobody who has a file open",
    ) {
        return;
    }
    let scene = Scene::new();
    let open = |mode: &str| {
        let part = actor::redb(&scene.path("a.redb"), mode);
        scene.run(&actor::words()[0], &actor::words()[1..]).env(actor::PART, part)
    };
    open("rw").run().expect(0);
    assert_open(&scene, "a.redb", "rw", "all", open);
    assert_open(&scene, "a.redb", "ro", "writers", open);
}

#[test]
fn a_bbolt_of_go_is_its_writers_alone_and_shared_by_readers() {
    if !have(&["bolt-client"]) {
        return;
    }
    let scene = Scene::new();
    let open = |mode: &str| scene.run("bolt-client", ["a.bolt", mode]);
    open("rw").run().expect(0);
    assert_open(&scene, "a.bolt", "rw", "all", open);
    assert_open(&scene, "a.bolt", "ro", "writers", open);
}

#[test]
fn an_lmdb_of_python_keeps_writers_out_while_it_writes() {
    let scene = Scene::new();
    if !have_module(&scene, "lmdb") {
        return;
    }
    let mut client = Client::doing(&scene, "import lmdb\nenv = lmdb.open('env')");
    let idle = seen(&scene, &["env"]);
    assert_does(&idle, client.pid(), "has the environment open", "none");
    client.run("txn = env.begin(write=True)");
    let writing = seen(&scene, &["env"]);
    assert_does(&writing, client.pid(), "has a write transaction open", "writers");
    // A reader is let in; a second writer waits until the first has ended.
    let mut second =
        Client::doing(&scene, "import lmdb\nenv = lmdb.open('env')\nenv.begin().abort()");
    let begun = second.begin("open('near', 'w').close()\ntxn = env.begin(write=True)");
    let pid = second.pid();
    let near = scene.path("near");
    second.process().until("it waits", || near.exists() && process_state(pid) == Some('S'));
    assert!(!begun.exists());
    assert_does(&seen(&scene, &["env"]), client.pid(), "write transaction", "writers");
    client.run("txn.commit()");
    second.process().until("it writes", || begun.exists());
    assert_does(&seen(&scene, &["env"]), pid, "write transaction", "writers");
}

/// Files as the engines make them, locks as they take them.
#[test]
fn locks_as_other_engines_take_them_are_decoded() {
    if !shows_locks() {
        return;
    }
    if !have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    let mut bolt = vec![0; 4096];
    bolt[8..10].copy_from_slice(&4_u16.to_ne_bytes());
    bolt[16..20].copy_from_slice(&0xED0C_DAED_u32.to_ne_bytes());
    bolt[20..24].copy_from_slice(&2_u32.to_ne_bytes());
    scene.file("a.bolt", bolt);
    scene.file("a.redb", b"redb\x1a\x0a\xa9\x0d\x0a\x05");
    for directory in ["level", "rocks", "lmdb"] {
        std::fs::create_dir(scene.path(directory)).expect("mkdir");
    }
    for directory in ["level", "rocks"] {
        scene.file(&format!("{directory}/CURRENT"), "MANIFEST-000002\n");
        scene.file(&format!("{directory}/LOCK"), "");
    }
    scene.file("rocks/IDENTITY", "x");
    scene.file("lmdb/data.mdb", "");
    scene.file("lmdb/lock.mdb", vec![0; 8192]);
    let writing = "has the database open for writing";
    let reading = "has the database open for reading";
    for (path, engine, file, lock, meaning, blocks) in [
        ("a.bolt", "bbolt", "a.bolt", "flock(file, fcntl.LOCK_EX)", writing, "all"),
        ("a.bolt", "bbolt", "a.bolt", "flock(file, fcntl.LOCK_SH)", reading, "writers"),
        ("a.redb", "redb", "a.redb", "flock(file, fcntl.LOCK_EX)", writing, "all"),
        ("a.redb", "redb", "a.redb", "flock(file, fcntl.LOCK_SH)", reading, "writers"),
        ("level", "leveldb", "level/LOCK", "lockf(file, fcntl.LOCK_EX)", writing, "all"),
        ("rocks", "rocksdb", "rocks/LOCK", "lockf(file, fcntl.LOCK_EX)", writing, "all"),
        ("level", "leveldb", "level/LOCK", "flock(file, fcntl.LOCK_EX)", "does not look", "none"),
        ("lmdb", "lmdb", "lmdb/lock.mdb", "lockf(file, fcntl.LOCK_SH, 1)", "open", "none"),
    ] {
        let code = format!("import fcntl\nfile = open('{file}', 'r+b')\nfcntl.{lock}");
        let holder = Client::doing(&scene, &code);
        let told = seen(&scene, &[path]);
        assert_eq!(told["engine"], engine);
        assert_does(&told, holder.pid(), meaning, blocks);
        assert_check(&scene, path, blocks);
    }
}
