//! `dbguard info` and holders that are hard to see: in other PID namespaces, behind dead lockers,
//! among thousands of other locks.

use crate::info_crew::{
    CONNECT, Client, assert_does, first, hints, holder_in_a_namespace, info, seen,
};
use crate::process::{lives, until};
use crate::scene::{Scene, have, have_namespaces, is_root, skip};
use crate::sql_crew::database;

#[test]
fn a_holder_outside_the_pid_namespace_is_said_to_be_outside() {
    if !have(&["python3", "sqlite3"]) || !have_namespaces() {
        return;
    }
    for (journal, code, word, blocks) in [
        ("delete", "db.execute('begin exclusive')", "busy: ", "all"),
        ("delete", "db.execute('begin immediate')", "readable, not writable: ", "writers"),
        ("wal", "db.execute('begin immediate')", "readable, not writable: ", "writers"),
    ] {
        let scene = Scene::new();
        database(&scene, "a.db", journal, "CREATE TABLE t(n);");
        let holder = Client::doing(&scene, &format!("{CONNECT}\n{code}"));
        let inside = |words: &[&str]| {
            let dbguard = env!("CARGO_BIN_EXE_dbguard");
            let run = scene.run("unshare", ["-pf", "--mount-proc", dbguard, "info"]);
            run.words(words).run().expect(0).stdout
        };
        let text = inside(&["a.db"]);
        assert!(text.starts_with(word), "{text}");
        let joined = text.replace('\n', " ");
        assert!(joined.contains("a process outside this PID namespace holds it"), "{text}");
        let document: serde_json::Value =
            serde_json::from_str(&inside(&["--json", "a.db"])).expect("JSON");
        let lock = &document["resources"][0]["native"]["locks"][0];
        assert_eq!((&lock["pid"], &lock["blocks"]), (&0.into(), &blocks.into()), "{document:#}");
        assert_eq!(document["resources"][0]["native"]["state"], "held");
        // Outside, it is named.
        assert!(first(&scene, "a.db").contains(&holder.pid().to_string()));
    }
}

#[test]
fn a_holder_inside_a_pid_namespace_is_named_from_outside() {
    let scene = Scene::new();
    if !have(&["python3", "sqlite3"]) || !have_namespaces() {
        return;
    }
    let _holder = holder_in_a_namespace(&scene);
    let seen = seen(&scene, &["a.db"]);
    let lock = seen["native"]["locks"][0].clone();
    let command = lock["command"].to_string();
    assert!(command.contains("holder.py") && lock["blocks"] == "all", "{seen:#}");
    assert!(lock["pid"].as_u64().is_some_and(|pid| pid > 2), "{seen:#}");
}

/// Of a flock out there nothing at all is told in here.
#[test]
fn in_a_pid_namespace_it_is_said_that_flocks_outside_cannot_be_seen() {
    let scene = Scene::new();
    if !have_namespaces() {
        return;
    }
    let part = crate::actor::redb(&scene.path("a.redb"), "rw");
    let words = crate::actor::words();
    scene.run(&words[0], &words[1..]).env(crate::actor::PART, part).run().expect(0);
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    let said = "a flock that is held outside cannot be seen";
    let inside = |file: &str| {
        let words = ["-pf", "--mount-proc", env!("CARGO_BIN_EXE_dbguard"), "info", file];
        scene.run("unshare", words).run().expect(0).stdout.replace('\n', " ")
    };
    assert!(inside("a.redb").contains(said), "{}", inside("a.redb"));
    assert!(!inside("a.db").contains(said), "SQLite's locks are asked for");
    assert!(!hints(&scene, &["a.redb"]).contains(said));
}

#[test]
fn a_flock_whose_locker_died_is_told_with_the_process_that_keeps_it() {
    if !have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    scene.file("a.txt", "nothing");
    // The child has the descriptor from its parent, which took the lock and ends.
    let mut parent = Client::doing(
        &scene,
        "import fcntl, os, time\nfile = open('a.txt')\nfcntl.flock(file, fcntl.LOCK_EX)\n\
         child = os.fork()\n\
         if child == 0:\n\
         \x20   os.close(0)\n\
         \x20   time.sleep(600)\n\
         \x20   os._exit(0)\n\
         open('child', 'w').write(str(child))",
    );
    let child: u32 = scene.read("child").parse().expect("a number");
    parent.process().kill();
    until("the parent is gone from the table", || lives(child));
    let seen = seen(&scene, &["a.txt"]);
    assert_does(&seen, child, "has it locked exclusively", "all");
    assert!(first(&scene, "a.txt").starts_with("busy: "));
    assert!(!hints(&scene, &["a.txt"]).contains("cannot be seen"));
}

#[test]
fn in_a_pid_namespace_too_the_process_that_keeps_a_flock_is_named() {
    let scene = Scene::new();
    if !have(&["python3"]) || !have_namespaces() {
        return;
    }
    scene.file("a.txt", "nothing");
    let program = "import fcntl, os, time\n\
        file = open('a.txt')\n\
        fcntl.flock(file, fcntl.LOCK_EX)\n\
        child = os.fork()\n\
        if child == 0:\n\
        \x20   time.sleep(600)\n\
        open('child', 'w').write(str(child))\n\
        os._exit(0)\n";
    scene.file("locker.py", program);
    let script = "python3 locker.py; \"$DBGUARD\" info --json a.txt";
    let words = ["-pf", "--mount-proc", "--kill-child", "sh", "-c", script];
    let ended = scene.run("unshare", words).run().expect(0);
    let lock = crate::sql_crew::document(&ended)["resources"][0]["native"]["locks"][0].clone();
    assert_eq!(lock["pid"].to_string(), scene.read("child"), "{}", ended.describe());
    assert_eq!((&lock["kind"], &lock["blocks"]), (&"flock".into(), &"all".into()));
}

/// The lock table names the device of the whole file system there, and stat(2) another one.
#[test]
fn on_overlayfs_and_btrfs_the_holder_is_named() {
    if !is_root() || !have(&["python3", "unshare"]) {
        skip("needs root, to mount file systems");
        return;
    }
    let holder = "import os, sqlite3, subprocess, sys\n\
        db = sqlite3.connect('mnt/a.db', isolation_level=None)\n\
        db.execute('pragma journal_mode=' + sys.argv[1])\n\
        db.execute('create table t(n)')\n\
        db.execute('begin immediate')\n\
        open('pid', 'w').write(str(os.getpid()))\n\
        sys.exit(subprocess.run([os.environ['DBGUARD'], 'info', '--json', 'mnt/a.db']).returncode)";
    let overlay = "mkdir lower upper work && \
        mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work mnt";
    let btrfs = "truncate -s 200M image && mkfs.btrfs -q image && mkdir whole && \
        mount -o loop image whole && btrfs -q subvolume create whole/sub && \
        mount -o loop,subvol=sub image mnt";
    for (kind, mount) in [("overlay", overlay), ("btrfs", btrfs)] {
        for journal in ["delete", "wal"] {
            let scene = Scene::new();
            scene.file("holder.py", holder);
            std::fs::create_dir(scene.path("mnt")).expect("mkdir");
            let script = format!("{{ {mount}; }} >&2 || exit 99; python3 holder.py {journal}");
            let ended = scene.run("unshare", ["-m", "sh", "-c", &script]).run();
            if ended.code == Some(99) {
                skip(&format!("{kind} cannot be mounted here: {}", ended.stderr.trim()));
                continue;
            }
            let seen = crate::sql_crew::document(&ended)["resources"][0].clone();
            assert_eq!(seen["filesystem"]["type"], kind, "{seen:#}");
            let pid = scene.read("pid").parse().expect("a number");
            assert_does(&seen, pid, "has a write transaction open", "writers");
        }
    }
}

#[test]
fn thousands_of_foreign_locks_and_hundreds_of_processes_do_not_hide_the_holder() {
    if !have(&["python3", "sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    scene.file("many", vec![b'x'; 8192]);
    let locks = "import fcntl, os, time\nfile = open('many', 'r+b')\n\
        [fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * n) for n in range(2000)]";
    let forks = "children = []\n\
        for n in range(500):\n\
        \x20   child = os.fork()\n\
        \x20   if child == 0:\n\
        \x20       os.close(0)\n\
        \x20       time.sleep(600)\n\
        \x20       os._exit(0)\n\
        \x20   children.append(child)";
    let crowd = Client::doing(&scene, &format!("{locks}\n{forks}"));
    let holder = Client::doing(&scene, &format!("{CONNECT}\ndb.execute('begin immediate')"));
    for words in [&["a.db"][..], &["--openers", "a.db"]] {
        assert_does(&seen(&scene, words), holder.pid(), "(RESERVED)", "writers");
    }
    let many = seen(&scene, &["many"]);
    assert_does(&many, crowd.pid(), "has it locked exclusively", "all");
    assert_eq!(many["native"]["locks"].as_array().map(Vec::len), Some(1), "one a process");
    info(&scene, &["--check", "exclusive", "-q", "many"]).run().expect(1);
    // Killed with their process group when the client goes.
    drop(crowd);
}

#[test]
fn another_users_holder_is_named_and_what_cannot_be_seen_is_said() {
    if !have(&["python3", "sqlite3"]) || !is_root() {
        skip("needs root, to be looked at by an ordinary user");
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    let holder = Client::doing(&scene, &format!("{CONNECT}\ndb.execute('begin exclusive')"));
    let ended = info(&scene, &["a.db"]).ordinary().run().expect(0).silent();
    let name = format!("(pid {}, user root, running for ", holder.pid());
    assert!(ended.stdout.starts_with("busy: python3 ") && ended.stdout.contains(&name));
    let code = "import fcntl, struct\nfile = open('b.db', 'r+b')\n\
        fcntl.fcntl(file, 37, struct.pack('hhqqi', 1, 0, 1073741824, 512, 0))";
    database(&scene, "b.db", "delete", "CREATE TABLE t(n);");
    let mut open_file = Client::new(&scene);
    if let Some(error) = open_file.attempt(code) {
        skip(&format!("no open file description locks here: {error}"));
        return;
    }
    assert!(first(&scene, "b.db").contains(&open_file.pid().to_string()));
    let text = info(&scene, &["b.db"]).ordinary().run().expect(0).stdout;
    assert!(text.starts_with("busy: a process that cannot be seen from here"), "{text}");
    assert!(text.replace('\n', " ").contains("run dbguard info as root"), "{text}");
}
