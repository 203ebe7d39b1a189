//! The database engines' own locks: waited for after our turn has come, and never disturbed.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::process::Process;
use crate::scene::{Scene, have, wine_lacks};
use crate::sql_crew::{Shell, ask};

/// Makes a SQLite database with one table.
fn database(scene: &Scene, journal: &str) {
    let sql = format!("PRAGMA journal_mode={journal}; CREATE TABLE t(n); INSERT INTO t VALUES(0);");
    scene.run("sqlite3", ["a.db", &sql]).run().expect(0);
}

/// Starts a sqlite3 shell, feeds it `sql`, and returns once it has been executed.
fn sqlite(scene: &Scene, sql: &str, done: &str) -> Process {
    let mut shell = scene.run("sqlite3", ["-bail", "a.db"]).spawn_fed();
    let text = format!("{sql}\n.shell touch {done}\n");
    std::io::Write::write_all(shell.input(), text.as_bytes()).expect("feed the shell");
    shell.until("the SQL has run", || scene.path(done).exists());
    shell
}

/// L7: a writer at work (RESERVED or more) is waited for by a writer.
#[test]
fn l7_an_exclusive_turn_waits_for_a_writer_at_work() {
    if !have(&["sqlite3"]) || wine_lacks("reads that a lock on bytes refuses") {
        return;
    }
    for journal in ["delete", "wal"] {
        let scene = Scene::new();
        database(&scene, journal);
        let writer = sqlite(&scene, "BEGIN IMMEDIATE; INSERT INTO t VALUES(1);", "locked");
        let run = |options: &[&str]| {
            scene.dbguard(["exec"]).words(options).words(["a.db", "--", "true"]).run()
        };
        run(&["-n"]).expect(75).says(&writer.pid().to_string());
        run(&["-w", "0.3"]).expect(124).says("a.db");
        run(&["--native", "fail"]).expect(75);
        run(&["-n", "--native", "ignore"]).expect(0);
        let waits = scene.contend(["-w", "inf", "a.db"]);
        crate::process::until("it has its turn", || scene.held("a.db").len() == 1);
        scene.dbguard(["exec", "-n", "--native", "ignore", "a.db", "--", "true"]).run().expect(75);
        assert!(!waits.has_started());
        let mut writer = writer;
        std::io::Write::write_all(writer.input(), b"COMMIT;\n").expect("commit");
        writer.close_input();
        writer.wait().expect(0);
        waits.end().expect(0);
    }
}

/// L7: readers do not block readers, and an idle connection blocks nobody.
#[test]
fn l7_readers_and_idle_connections_do_not_block_a_shared_turn() {
    if !have(&["sqlite3"]) {
        return;
    }
    for journal in ["delete", "wal"] {
        let scene = Scene::new();
        database(&scene, journal);
        let mut reader = sqlite(&scene, "BEGIN; SELECT * FROM t;", "locked");
        scene.dbguard(["exec", "-n", "-s", "a.db", "--", "true"]).run().expect(0);
        std::io::Write::write_all(reader.input(), b"COMMIT;\n.shell touch idle\n").expect("go on");
        reader.until("idle", || scene.path("idle").exists());
        scene.dbguard(["exec", "-n", "-x", "a.db", "--", "true"]).run().expect(0);
        reader.close_input();
        reader.wait().expect(0);
    }
}

/// L7: the wait asks and never requests: an engine with no busy timeout never fails because a
/// dbguard waits for it.
#[test]
fn l7_waiting_never_makes_the_engine_fail() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    let mut engine = Shell::doing(&scene, "a.db", "CREATE TABLE t(n);");
    let over = AtomicBool::new(false);
    let transactions = "BEGIN EXCLUSIVE; INSERT INTO t VALUES(1); COMMIT;\n".repeat(20);
    let rounds = thread::scope(|scope| {
        let work = scope.spawn(|| {
            let mut rounds = 0;
            // The first that fails ends the shell, and the test.
            while !over.load(Ordering::Relaxed) || rounds < 15 {
                engine.run(&transactions);
                rounds += 1;
            }
            rounds
        });
        for _ in 0..20 {
            if work.is_finished() {
                break;
            }
            let run = scene.dbguard(["exec", "-w", "0.1", "a.db", "--", "true"]);
            run.run().expect_any(&[0, 124]);
        }
        over.store(true, Ordering::Relaxed);
        work.join().expect("no transaction has failed")
    });
    assert_eq!(ask(&scene, "a.db", "SELECT count(*) FROM t"), (rounds * 20).to_string());
    engine.leave();
}

/// L7: a native holder that is our own ancestor waits for us; we do not wait for it.
#[test]
#[cfg(target_os = "linux")]
fn l7_a_native_lock_of_an_ancestor_is_refused_at_once() {
    if !have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    let script = "import sqlite3, subprocess, os, sys\n\
        db = sqlite3.connect('a.db', isolation_level=None)\n\
        db.execute('CREATE TABLE t(n)')\n\
        db.execute('BEGIN IMMEDIATE')\n\
        db.execute('INSERT INTO t VALUES(1)')\n\
        words = [os.environ['DBGUARD'], 'exec', '-w', 'inf', 'a.db', '--', 'true']\n\
        sys.exit(subprocess.run(words).returncode)\n";
    scene.file("parent.py", script);
    scene.run("python3", ["parent.py"]).run().expect(79).says("python");
}

/// Waiting for a native lock is looking only: not a byte and not a time stamp changes.
#[test]
fn looking_changes_nothing() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "delete");
    let stamp = || fs::metadata(scene.path("a.db")).and_then(|file| file.modified()).expect("stat");
    let (bytes, time) = (fs::read(scene.path("a.db")).expect("read"), stamp());
    scene.dbguard(["exec", "a.db", "--", "true"]).run().expect(0);
    assert_eq!((fs::read(scene.path("a.db")).expect("read"), stamp()), (bytes, time));
}
