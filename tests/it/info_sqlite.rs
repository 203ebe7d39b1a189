//! `dbguard info` on SQLite: every state of a real client, and what a second one then meets.

use crate::info_crew::{
    CONNECT, Client, assert_check, assert_does, first, hints, info, locks_of, seen, shows_locks,
    told,
};
use crate::process::until;
use crate::scene::{Scene, have, skip};
use crate::sql_crew::{SPILLED, Shell, database};

/// Proves that a second client is kept out exactly as far as `blocks` says.
#[track_caller]
fn assert_second_client(scene: &Scene, blocks: &str) {
    let works = |sql: &str| {
        let ended = scene.run("sqlite3", ["-bail", "a.db", sql]).run();
        assert!(ended.code == Some(0) || ended.stderr.contains("locked"), "{}", ended.describe());
        ended.code == Some(0)
    };
    assert_eq!(works("SELECT count(*) FROM t"), blocks != "all", "a reader where {blocks}");
    assert_eq!(works("INSERT INTO t VALUES(9)"), blocks == "none", "a writer where {blocks}");
}

fn python_and_sqlite() -> bool {
    shows_locks() && have(&["python3", "sqlite3"])
}

/// Drives a client into a state; proves what is said of it, and that this is so.
#[track_caller]
fn assert_state(journal: &str, code: &str, meaning: &str, blocks: &str) {
    let scene = Scene::new();
    database(&scene, "a.db", journal, "CREATE TABLE t(n); INSERT INTO t VALUES(1);");
    let client = Client::doing(&scene, &format!("{CONNECT}\n{code}"));
    let seen = seen(&scene, &["a.db"]);
    assert_does(&seen, client.pid(), meaning, blocks);
    assert_eq!(seen["blocks"], blocks, "{seen:#}");
    assert_eq!(seen["native"]["state"], if blocks == "none" { "idle" } else { "held" });
    let line = first(&scene, "a.db");
    let word = match blocks {
        "none" => "free",
        "writers" => "readable, not writable: ",
        _ => "busy: ",
    };
    assert!(line.starts_with(word), "{line}");
    if blocks != "none" {
        assert!(line.contains(&client.pid().to_string()) && line.contains(meaning), "{line}");
    }
    assert_check(&scene, "a.db", blocks);
    assert_second_client(&scene, blocks);
}

const BIG: &str = "db.execute('pragma cache_size=5')\ndb.execute('begin')\n\
    [db.execute('insert into t values(?)', ('x' * 900,)) for _ in range(2000)]";

#[test]
fn every_state_of_the_rollback_journal_is_what_a_second_client_meets() {
    if !python_and_sqlite() {
        return;
    }
    let read = "db.execute('begin')\ndb.execute('select * from t').fetchall()";
    for (code, meaning, blocks) in [
        (read, "is reading (SHARED)", "writers"),
        ("db.execute('begin immediate')", "(RESERVED)", "writers"),
        ("db.execute('begin exclusive')", "(EXCLUSIVE)", "all"),
        (BIG, "(EXCLUSIVE)", "all"),
        (
            "db.execute('pragma locking_mode=exclusive')\ndb.execute('insert into t values(2)')",
            "(EXCLUSIVE)",
            "all",
        ),
        (
            "db = sqlite3.connect('file:a.db?vfs=unix-excl', uri=True, isolation_level=None)\n\
             db.execute('select * from t').fetchall()",
            "has the database to itself",
            "all",
        ),
    ] {
        assert_state("delete", code, meaning, blocks);
    }
}

#[test]
fn every_state_of_the_write_ahead_log_is_what_a_second_client_meets() {
    if !python_and_sqlite() {
        return;
    }
    let read = "db.execute('begin')\ndb.execute('select * from t').fetchall()";
    let log = "db.execute('insert into t values(2)')\n";
    for (code, meaning, blocks) in [
        ("db.execute('select * from t').fetchall()", "is connected", "none"),
        (read, "is reading", "none"),
        (&format!("{log}{read}"), "is reading a snapshot", "none"),
        ("db.execute('begin immediate')", "has a write transaction open", "writers"),
        (
            "db.execute('pragma locking_mode=exclusive')\ndb.execute('insert into t values(2)')",
            "has the database to itself",
            "all",
        ),
    ] {
        assert_state("wal", code, meaning, blocks);
    }
}

#[test]
fn a_commit_that_waits_for_a_reader_is_told_with_the_reader() {
    if !python_and_sqlite() {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n); INSERT INTO t VALUES(1);");
    let read = "db.execute('begin')\ndb.execute('select * from t').fetchall()";
    let reader = Client::doing(&scene, &format!("{CONNECT}\n{read}"));
    let mut writer = Client::doing(&scene, CONNECT);
    writer.run("db.execute('begin immediate')\ndb.execute('insert into t values(2)')");
    let refused = writer.attempt("db.execute('commit')").expect("the reader is there");
    assert!(refused.contains("locked"), "{refused}");
    let seen = seen(&scene, &["a.db"]);
    assert_does(&seen, writer.pid(), "(PENDING)", "all");
    assert_does(&seen, reader.pid(), "(SHARED)", "writers");
    assert!(first(&scene, "a.db").starts_with("busy: "));
    let waits =
        format!("the commit of pid {} waits for the reader pid {}", writer.pid(), reader.pid());
    assert!(hints(&scene, &["a.db"]).contains(&waits), "{seen:#}");
    assert_second_client(&scene, "all");
    drop(reader);
    writer.run("db.execute('commit')");
    assert_eq!(first(&scene, "a.db"), "free");
}

/// Runs the command that a hint gave, as a shell would.
#[track_caller]
fn follow(scene: &Scene, command: &str) {
    let rest = command.strip_prefix("dbguard ").expect("it is one of ours");
    scene.shell(&format!("\"$DBGUARD\" {rest}")).run().expect(0);
}

#[test]
fn a_hot_journal_is_told_with_a_command_that_recovers_it() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    let name = "a b's.db";
    database(&scene, name, "delete", "CREATE TABLE t(n); INSERT INTO t VALUES(1);");
    let client = Shell::doing(&scene, name, SPILLED);
    let journal = |seen: &serde_json::Value| seen["files"][0].clone();
    let open = seen(&scene, &[name]);
    assert_eq!(journal(&open)["role"], "journal");
    // Windows shows no locks on bytes.
    if cfg!(unix) {
        assert!(journal(&open)["recovery"].is_null(), "{open:#}");
    }
    client.kill();
    let left = seen(&scene, &[name]);
    assert_eq!((&left["native"]["state"], &left["blocks"]), (&"free".into(), &"none".into()));
    assert_eq!(journal(&left)["safe_to_delete"], false);
    let command = journal(&left)["recovery"].as_str().expect("a command").to_owned();
    assert!(hints(&scene, &[name]).contains(&command), "{left:#}");
    follow(&scene, &command);
    let clean = seen(&scene, &[name]);
    assert_eq!(clean["files"], serde_json::json!([]), "{clean:#}");
    assert_eq!(crate::sql_crew::ask(&scene, name, "SELECT count(*) FROM t"), "1");
}

#[test]
fn a_log_that_a_crash_left_is_told_with_a_command_that_moves_it() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n);");
    Shell::doing(&scene, "a.db", "insert into t values(1);").kill();
    let left = seen(&scene, &["a.db"]);
    let wal = left["files"][0].clone();
    assert_eq!((&wal["role"], &wal["safe_to_delete"]), (&"wal".into(), &false.into()));
    // Where nobody is told of locks, none that is missed is a broken one.
    let asks = hints(&scene, &["a.db"]).contains("--openers a.db tells");
    assert_eq!(asks, cfg!(target_os = "linux"), "{left:#}");
    assert!(!hints(&scene, &["--openers", "a.db"]).contains("locks are broken"));
    follow(&scene, wal["recovery"].as_str().expect("a command"));
    let clean = seen(&scene, &["a.db"]);
    let waiting = clean["files"].as_array().expect("a list").iter();
    assert!(waiting.filter(|file| file["bytes"] != 0).count() == 0, "{clean:#}");
    assert_eq!(crate::sql_crew::ask(&scene, "a.db", "SELECT n FROM t"), "1");
}

#[test]
fn a_checkpoint_that_waits_for_a_reader_keeps_writers_out() {
    if !python_and_sqlite() {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n); INSERT INTO t VALUES(1);");
    let read = "db.execute('insert into t values(1)')\ndb.execute('begin')\n\
                db.execute('select * from t').fetchall()";
    let mut reader = Client::doing(&scene, &format!("{CONNECT}\n{read}"));
    let mut other = Client::doing(&scene, CONNECT);
    other.run("db.execute('insert into t values(2)')\ndb.execute('pragma busy_timeout=60000')");
    let pinned = hints(&scene, &["a.db"]);
    let expected = format!("pid {} is a reader pinned at frame ", reader.pid());
    assert!(pinned.contains(&expected) && pinned.contains(", 0 backfilled"), "{pinned}");
    let done = other.begin("db.execute('pragma wal_checkpoint(restart)').fetchall()");
    let pid = other.pid();
    let mut told = serde_json::Value::Null;
    until("the checkpoint waits", || {
        told = seen(&scene, &["a.db"]);
        locks_of(&told, pid).iter().any(|(text, _)| text.contains("checkpoint"))
    });
    assert_does(&told, pid, "is running a checkpoint that keeps writers out", "writers");
    assert_second_client(&scene, "writers");
    reader.run("db.execute('commit')");
    until("the checkpoint is done", || done.exists());
    assert!(!hints(&scene, &["a.db"]).contains("pinned"));
}

#[test]
fn a_dotfile_lock_is_told_and_a_lock_file_of_another_tool_is_not() {
    if !python_and_sqlite() {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n); INSERT INTO t VALUES(1);");
    let code = "import sqlite3\n\
        db = sqlite3.connect('file:a.db?vfs=unix-dotfile', uri=True, isolation_level=None)\n\
        db.execute('begin exclusive')";
    let holder = Client::doing(&scene, code);
    let held = seen(&scene, &["a.db"]);
    assert_eq!(held["files"][0]["role"], "dotfile_lock", "{held:#}");
    assert!(hints(&scene, &["a.db"]).contains("unix-dotfile wait for this directory"));
    // A client of the ordinary kind is not kept out by it, and that is what is said.
    assert_eq!(held["blocks"], "none");
    assert_second_client(&scene, "none");
    drop(holder);
    std::fs::remove_dir(scene.path("a.db.lock")).expect("the crash left it");
    scene.file("a.db.lock", "");
    assert!(seen(&scene, &["a.db"])["files"].as_array().is_some_and(Vec::is_empty));
}

#[test]
fn a_plain_flock_on_a_sqlite_file_keeps_nobody_from_it() {
    if !python_and_sqlite() {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    let holder = scene.plain_flock(scene.path("a.db"));
    let seen = seen(&scene, &["a.db"]);
    assert_does(&seen, holder.pid(), "has a flock on it, which the engine does not", "none");
    assert_eq!(first(&scene, "a.db"), "free");
    assert_second_client(&scene, "none");
}

#[test]
fn plain_files_are_answered_for_by_their_flock_and_fcntl_locks() {
    if !shows_locks() {
        return;
    }
    if !have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    scene.file("a.txt", "nothing to lock");
    for (code, kind, blocks) in [
        ("fcntl.flock(file, fcntl.LOCK_EX)", "flock", "all"),
        ("fcntl.flock(file, fcntl.LOCK_SH)", "flock", "writers"),
        ("fcntl.lockf(file, fcntl.LOCK_EX)", "posix", "all"),
        ("fcntl.lockf(file, fcntl.LOCK_SH, 1, 5)", "posix", "writers"),
    ] {
        let holder =
            Client::doing(&scene, &format!("import fcntl\nfile = open('a.txt', 'r+b')\n{code}"));
        let seen = seen(&scene, &["a.txt"]);
        assert_does(&seen, holder.pid(), "has it locked", blocks);
        assert_eq!(seen["native"]["locks"][0]["kind"], kind);
        assert_check(&scene, "a.txt", blocks);
    }
    assert_eq!(first(&scene, "a.txt"), "free");
}

#[test]
fn broken_locks_and_deleted_logs_are_told() {
    if !python_and_sqlite() {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n);");
    let mut client = Client::doing(&scene, CONNECT);
    client.run("db.execute('insert into t values(1)')");
    assert!(!hints(&scene, &["--openers", "a.db"]).contains("broken"));
    // Closing any descriptor of a file drops all the locks that its process has on it.
    client.run("open('a.db', 'rb').close()");
    let broken = format!("pid {} has a.db open and its locks are broken", client.pid());
    assert!(hints(&scene, &["a.db"]).contains(&broken));
    client.run("open('a.db-shm', 'rb').close()");
    assert!(hints(&scene, &["a.db"]).contains("--openers a.db tells"));
    let broken = format!("pid {} has a.db-wal open and its locks are broken", client.pid());
    assert!(hints(&scene, &["--openers", "a.db"]).contains(&broken));
    std::fs::remove_file(scene.path("a.db-wal")).expect("it is there");
    let deleted = format!("pid {} goes on with a.db-wal, which was deleted", client.pid());
    assert!(hints(&scene, &["--openers", "a.db"]).contains(&deleted));
}

#[test]
fn a_stopped_holder_an_orphan_and_a_second_name_are_hinted_at() {
    if !python_and_sqlite() {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    let mut holder = Client::doing(&scene, &format!("{CONNECT}\ndb.execute('begin exclusive')"));
    holder.process().stop();
    let line = first(&scene, "a.db");
    assert!(line.starts_with("stuck: ") && line.ends_with("until it is woken"), "{line}");
    let pid = holder.pid();
    let told_hints = hints(&scene, &["a.db"]);
    assert!(told_hints.contains(&format!("continue it with `kill -CONT {pid}`")), "{told_hints}");
    holder.process().resume();
    drop(holder);
    std::fs::hard_link(scene.path("a.db"), scene.path("b.db")).expect("a second name");
    assert!(hints(&scene, &["a.db"]).contains("has 2 names"));
    // The parent ends, the holder lives on with its input open.
    let script = "mkfifo in; python3 client.py <in >/dev/null 2>&1 & echo $! >pid; exit 0";
    let mut parent = scene.shell(script).spawn();
    parent.wait().expect(0);
    let pid: u32 = scene.read("pid").trim().parse().expect("a number");
    let mut input = std::fs::File::options().write(true).open(scene.path("in")).expect("it reads");
    let code = serde_json::json!([format!("{CONNECT}\ndb.execute('begin exclusive')"), "up"]);
    std::io::Write::write_all(&mut input, format!("{code}\n").as_bytes()).expect("it reads");
    until("it holds the lock", || scene.path("up").exists());
    let seen = seen(&scene, &["a.db"]);
    let lock = seen["native"]["locks"].as_array().expect("a list").first().cloned();
    let lock = lock.expect("it is held");
    assert_eq!(lock["pid"], pid);
    match lock["orphaned"] == true {
        true => assert!(hints(&scene, &["a.db"]).contains("no parent but process 1")),
        false => skip("a subreaper takes the orphans here"),
    }
    drop(input);
    until("the orphan is gone", || !crate::process::lives(pid));
}

#[test]
fn the_text_of_a_free_database_tells_what_it_is() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n);");
    let text = told(&scene, "a.db");
    assert!(text.starts_with("free\nfile      a.db: sqlite, 3."), "{text}");
    assert!(text.contains("wal journal, pages of 4096"), "{text}");
    info(&scene, &["b.db"]).run().expect(66).says("there is no `b.db`");
    info(&scene, &["no/b.db"]).run().expect(66);
}
