//! `dbguard info` changes nothing and nobody fails because of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::info_crew::{have_foreign_duckdb, info};
use crate::process::Process;
use crate::scene::{Scene, have, wine_lacks};
use crate::sql_crew::{Shell, database, python};
use crate::system::{Facts, changed};

/// What is to stay as it is: times in nanoseconds, mode, content.
pub type Trace = BTreeMap<PathBuf, (Facts, u128, Option<Vec<u8>>)>;

fn trace(directory: &Path, found: &mut Trace) {
    for entry in fs::read_dir(directory).expect("it can be read") {
        let path = entry.expect("an entry").path();
        let facts = fs::symlink_metadata(&path).expect("it is there");
        // On Windows what is locked cannot be read.
        let content = fs::read(&path).ok().filter(|_| facts.is_file());
        found.insert(path.clone(), (Facts::of(&facts), changed(&facts), content));
        if facts.is_dir() {
            trace(&path, found);
        }
    }
}

/// Returns what everything in the scene is like.
pub fn traced(scene: &Scene) -> Trace {
    let mut found = Trace::new();
    trace(&scene.path(""), &mut found);
    found
}

#[test]
fn not_a_byte_and_not_a_time_changes() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    for (name, journal) in [("a.db", "wal"), ("b.db", "delete")] {
        database(&scene, name, journal, "CREATE TABLE t(n);");
    }
    let client = Shell::doing(&scene, "a.db", "insert into t values(1); begin immediate;");
    let holder = scene.hold(["--native", "ignore", "a.db"]);
    let waiter = scene.queue_up("a.db", &["-k", "k"]);
    let dead = scene.queue_up("a.db", &[]);
    dead.process.kill();
    holder.until_recorded(&scene, "a.db");
    let before = traced(&scene);
    assert!(before.keys().any(|path| path.ends_with("a.db-shm")));
    for words in [
        &["a.db"][..],
        &["--json", "--openers", "a.db"],
        &["-k", "k", "a.db"],
        &["-k", "other", "a.db"],
        &["--check", "shared", "b.db"],
        &["b.db"],
        &["."],
    ] {
        info(&scene, words).run().expect_any(&[0]);
        assert!(traced(&scene) == before, "{words:?} changed something\n{}", scene.describe());
    }
    drop((waiter, holder, client));
}

#[test]
fn no_state_is_made_by_looking() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    for words in [&["a.db"][..], &["-k", "k", "a.db"], &["."], &["--check", "exclusive", "a.db"]] {
        info(&scene, words).run().expect(0);
    }
    assert!(!scene.path(".dbguard").exists(), "{}", scene.describe());
}

/// Looks at a file again and again until an engine has done its work.
#[track_caller]
fn look_until_done(scene: &Scene, file: &str, engine: &mut Process) {
    engine.until("the engine runs", || scene.path("up").exists());
    let mut looked = 0;
    while engine.runs() {
        let words: &[&str] = if looked % 2 == 0 { &[file] } else { &["--openers", file] };
        let ended = info(scene, words).run().expect(0);
        assert!(!ended.stdout.contains("locks are broken"), "{}", ended.describe());
        looked += 1;
        if looked == 4 {
            scene.file("enough", "");
        }
    }
    assert!(looked > 2, "{looked}");
    engine.wait().expect(0).answers("failures 0");
}

#[test]
fn a_writer_without_a_busy_timeout_never_fails_because_of_it() {
    if !have(&["sqlite3"]) {
        return;
    }
    for journal in ["wal", "delete"] {
        // With that of a journal SQLite takes its transaction for one that was cut short.
        if journal == "delete"
            && wine_lacks("a name that is free as soon as an open file is removed")
        {
            return;
        }
        let scene = Scene::new();
        database(&scene, "a.db", journal, "CREATE TABLE t(n);");
        let turn = ["immediate", "exclusive"]
            .map(|mode| format!("begin {mode}; insert into t values(1); commit;\n"));
        scene.file("work.sql", turn.concat().repeat(25));
        let script = "n=0; failures=0; until [ -e enough ] && [ $n -ge 20 ]; do n=$((n + 1)); \
                      touch up; sqlite3 -bail a.db <work.sql || failures=$((failures + 1)); \
                      done; echo failures $failures";
        let mut writer = scene.shell(script).spawn();
        look_until_done(&scene, "a.db", &mut writer);
    }
}

#[test]
fn an_opener_of_duckdb_never_fails_because_of_it() {
    if !have_foreign_duckdb() {
        return;
    }
    let scene = Scene::new();
    let program = "import duckdb, time\n\
        duckdb.connect('a.duckdb').execute('create table t(n int)')\n\
        open('up', 'w')\n\
        failures, end = 0, time.monotonic() + 2\n\
        while time.monotonic() < end:\n\
        \x20   try:\n\
        \x20       db = duckdb.connect('a.duckdb')\n\
        \x20       db.execute('insert into t values (1)')\n\
        \x20       db.close()\n\
        \x20       duckdb.connect('a.duckdb', read_only=True).close()\n\
        \x20   except duckdb.Error:\n\
        \x20       failures += 1\n\
        print('failures', failures)\n";
    let mut opener = python(&scene, "opener.py", program);
    look_until_done(&scene, "a.duckdb", &mut opener);
}

#[test]
fn a_dbguard_that_takes_its_turn_never_fails_because_of_it() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let script = "n=0; until [ -e enough ] && [ $n -ge 20 ]; do n=$((n + 1)); \
                  \"$DBGUARD\" exec -n a.db -- touch up || exit 1; done; echo failures 0";
    let mut turns = scene.shell(script).spawn();
    look_until_done(&scene, "a.db", &mut turns);
}
