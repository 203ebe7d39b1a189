//! Answers of `dbguard info` that were wrong once, each with its story.

use std::fs;

use crate::info_crew::{CONNECT, Client, assert_does, first, hints, info, seen, shows_locks, told};
use crate::scene::{Scene, have, is_root, skip};
use crate::sql_crew::{Shell, ask, database};
#[cfg(target_os = "linux")]
use {std::fs::Permissions, std::os::unix::fs::PermissionsExt};

/// What a log or a journal holds is of no use where SQLite deletes it.
fn leave_log(scene: &Scene) {
    Shell::doing(scene, "a.db", "pragma wal_autocheckpoint=0; insert into t values(1);").kill();
}

/// `--check shared` said yes while an exclusive waiter was in the queue, behind whom every newcomer
/// has to wait.
#[test]
fn whoever_waits_keeps_the_next_ones_out() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let holder = scene.hold(["-s", "a.db"]);
    info(&scene, &["-q", "--check", "shared", "a.db"]).run().expect(0);
    let waiter = scene.queue_up("a.db", &[]);
    info(&scene, &["-q", "--check", "shared", "a.db"]).run().expect(1);
    scene.dbguard(["exec", "-s", "-n", "a.db", "--", "true"]).run().expect(75);
    drop((waiter, holder));
}

/// `info --check exclusive DIR && ./nightly.sh` ran the job although nothing had been looked at.
#[test]
fn a_directory_of_which_nothing_is_seen_is_no_yes() {
    let scene = Scene::new();
    info(&scene, &["-q", "--check", "exclusive", "."]).run().expect(1);
    if !have(&["sqlite3"]) {
        return;
    }
    fs::create_dir(scene.path("open")).expect("mkdir");
    database(&scene, "open/a.db", "delete", "CREATE TABLE t(n);");
    info(&scene, &["-q", "--check", "exclusive", "."]).run().expect(0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_directory_of_which_not_all_is_seen_is_no_yes() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    fs::create_dir(scene.path("open")).expect("mkdir");
    database(&scene, "open/a.db", "delete", "CREATE TABLE t(n);");
    fs::create_dir(scene.path("closed")).expect("mkdir");
    fs::set_permissions(scene.path("closed"), Permissions::from_mode(0o000)).expect("chmod");
    fs::set_permissions(scene.path(""), Permissions::from_mode(0o755)).expect("chmod");
    info(&scene, &["-q", "--check", "exclusive", "."]).ordinary().run().expect(1);
}

/// The recovery that was advised beside an emptied database destroyed what was left of it: SQLite
/// deletes the log of a database without a page.
#[test]
fn no_recovery_is_advised_that_destroys_the_log() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n);");
    leave_log(&scene);
    assert!(hints(&scene, &["a.db"]).contains("wal_checkpoint"));
    scene.file("a.db", "");
    let hints = hints(&scene, &["a.db"]);
    assert!(hints.contains("copy both files") && !hints.contains("dbguard sql"), "{hints}");
    assert_eq!(seen(&scene, &["a.db"])["files"][0]["recovery"], serde_json::Value::Null);
    ask(&scene, "a.db", "select count(*) from sqlite_master");
    assert!(!scene.path("a.db-wal").exists(), "what was warned of");
}

/// A hot journal that could not be read was called one of a transaction that has ended.
#[test]
#[cfg(target_os = "linux")]
fn a_journal_that_may_not_be_read_is_not_taken_for_harmless() {
    if !have(&["sqlite3"]) || !is_root() {
        skip("needs root, to be looked at by an ordinary user");
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    let journal = scene.file("a.db-journal", "\u{d9}\u{d5}, or whatever");
    fs::set_permissions(journal, Permissions::from_mode(0o600)).expect("chmod");
    let text = info(&scene, &["a.db"]).ordinary().run().expect(0).stdout;
    assert!(text.replace('\n', " ").contains("it may be the way back"), "{text}");
}

/// Any lock at all, such as that of a script with flock, hid what a crash had left.
#[test]
fn a_lock_that_is_not_the_engines_hides_no_crash() {
    if !shows_locks() {
        return;
    }
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n);");
    leave_log(&scene);
    let holder = scene.plain_flock(scene.path("a.db"));
    let seen = seen(&scene, &["a.db"]);
    assert_does(&seen, holder.pid(), "which the engine does not look at", "none");
    assert!(seen["hints"].to_string().contains("wal_checkpoint"), "{seen:#}");
}

/// `python job.py | dbguard info -` ended the job: no more than a megabyte was read. And of a long
/// log the beginning was searched, while what went wrong comes last.
#[test]
fn a_program_that_says_much_is_heard_to_the_end() {
    let scene = Scene::new();
    scene.file("a.duckdb", "");
    let said = "Could not set lock on file \\\"a.duckdb\\\": Conflicting lock";
    let script = format!(
        "{{ head -c 5000000 /dev/zero | tr '\\0' '\\n'; echo \"{said}\"; echo $? >ended; }} | \
         \"$DBGUARD\" info -"
    );
    let ended = scene.shell(&script).run().expect(0);
    assert!(ended.stdout.contains("a.duckdb"), "{}", ended.describe());
    assert_eq!(scene.read("ended"), "0\n");
}

/// The number of LMDB's writer is one of its own PID namespace; the process that has it outside
/// was accused.
#[test]
fn a_writer_of_lmdb_in_a_container_is_not_taken_for_another_process() {
    let scene = Scene::new();
    let has_lmdb = have(&["python3", "unshare"])
        && scene.run("python3", ["-c", "import lmdb"]).run().code == Some(0);
    if !has_lmdb || !is_root() {
        skip("needs root, and Python's `lmdb`");
        return;
    }
    let program = "import lmdb, sys\nenv = lmdb.open('env')\ntxn = env.begin(write=True)\n\
                   open('up', 'w')\nsys.stdin.read()";
    scene.file("writer.py", program);
    let words = ["-pf", "--mount-proc", "--kill-child", "python3", "writer.py"];
    let mut writer = scene.run("unshare", words).spawn_fed();
    writer.until("it writes", || scene.path("up").exists());
    let seen = seen(&scene, &["env"]);
    let lock = &seen["native"]["locks"][0];
    assert!(lock["meaning"].as_str().is_some_and(|text| text.contains("write transaction")));
    assert!(lock["command"].to_string().contains("writer.py"), "{seen:#}");
    assert_eq!((&seen["blocks"], &lock["other_namespace"]), (&"writers".into(), &true.into()));
}

/// Whoever typed what was advised took another lock.
#[test]
fn what_is_to_be_typed_names_the_lock_directory() {
    let scene = Scene::new();
    scene.file("a.db", "");
    fs::create_dir(scene.path("locks")).expect("mkdir");
    let holder = scene.hold(["--lock-dir", "locks", "a.db"]);
    let hints = hints(&scene, &["--lock-dir", "locks", "a.db"]);
    assert!(hints.contains("dbguard wait --lock-dir locks a.db"), "{hints}");
    drop(holder);
}

#[test]
fn quiet_has_no_hints_and_a_missing_file_hides_no_other() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let holder = scene.hold(["a.db"]);
    assert!(told(&scene, "a.db").contains("hint: to go next"));
    let text = info(&scene, &["-q", "a.db"]).run().expect(0).stdout;
    assert!(text.starts_with("busy: ") && !text.contains("hint"), "{text}");
    let both = info(&scene, &["a.db", "missing/b.db"]).run().expect(66);
    assert!(both.stdout.starts_with("busy: "), "{}", both.describe());
    scene.file("b.db", "");
    let two = info(&scene, &["a.db", "b.db"]).run().expect(0).stdout;
    assert!(two.contains("\nhint: a.db: to go next"), "{two}");
    drop(holder);
}

/// The files of the log were deleted under a connection, and nothing was said.
#[test]
fn an_index_that_was_deleted_under_a_connection_is_told() {
    if !shows_locks() {
        return;
    }
    if !have(&["python3", "sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n);");
    let writer =
        Client::doing(&scene, &format!("{CONNECT}\ndb.execute('insert into t values(1)')"));
    let said = format!("pid {} goes on with a.db-shm, which was deleted", writer.pid());
    assert!(!hints(&scene, &["a.db"]).contains(&said));
    for name in ["a.db-wal", "a.db-shm"] {
        fs::remove_file(scene.path(name)).expect("as folklore advises");
    }
    assert!(hints(&scene, &["a.db"]).contains(&said), "{}", hints(&scene, &["a.db"]));
}

/// A LevelDB without its lock file was no LevelDB any more.
#[test]
fn a_leveldb_is_known_without_its_lock_file() {
    let scene = Scene::new();
    scene.file("store/CURRENT", "MANIFEST-000002\n");
    scene.file("store/MANIFEST-000002", "x");
    assert_eq!(first(&scene, "store"), "free");
    let seen = seen(&scene, &["store"]);
    assert_eq!((&seen["engine"], &seen["bytes"]), (&"leveldb".into(), &17.into()));
}

/// What was not readable was decoded as if it were a plain file.
#[test]
#[cfg(target_os = "linux")]
fn locks_on_a_file_that_may_not_be_read_mean_nothing() {
    if !have(&["python3", "sqlite3"]) || !is_root() {
        skip("needs root, to be looked at by an ordinary user");
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    let holder = Client::doing(&scene, &format!("{CONNECT}\ndb.execute('begin immediate')"));
    fs::set_permissions(scene.path("a.db"), Permissions::from_mode(0o600)).expect("chmod");
    let ended = info(&scene, &["--json", "a.db"]).ordinary().run().expect(0);
    let seen = crate::sql_crew::document(&ended)["resources"][0].clone();
    assert_does(&seen, holder.pid(), "cannot be understood", "none");
    assert_eq!(seen["native"]["state"], "unknown");
    assert!(seen["native"]["error"].as_str().is_some_and(|why| why.contains("may not be")));
    info(&scene, &["-q", "--check", "shared", "a.db"]).ordinary().run().expect(1);
}
