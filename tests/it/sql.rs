//! `dbguard sql`: which lock the statements ask for, and which file they meet.

use std::fs;

use crate::process::until;
use crate::scene::{Scene, have};
use crate::sql_crew::{Shell, answer, ask, assert_sound, database, sql};

/// Statements that only read, whatever they look like.
const READS: [&str; 10] = [
    "select n from c",
    "values (1), (2)",
    "with x as (select n from c) select * from x",
    "explain delete from c",
    "explain query plan update c set n = 2",
    "pragma user_version",
    "pragma table_info(c)",
    "pragma integrity_check",
    "pragma journal_mode",
    "-- delete from c\n/* drop table c; */ select 1; select 2 -- update",
];

/// Statements that write, whatever they look like.
const WRITES: [&str; 10] = [
    "update c set n = n + 1",
    "with x as (select 1) delete from c",
    "/* select */ insert into c values (7)",
    "select n from c; delete from c",
    "create table u (a); select * from u",
    "create temp table u (a)",
    "pragma user_version = 3",
    "pragma journal_mode = wal",
    "pragma wal_checkpoint",
    "vacuum",
];

fn counter(scene: &Scene, file: &str, journal: &str) {
    database(scene, file, journal, "create table c (n); insert into c values (0);");
}

/// The statements choose the mode: what reads runs beside readers, what writes beside nobody.
#[test]
fn what_reads_shares_the_lock_and_what_writes_has_it_alone() {
    if !have(&["sqlite3"]) {
        return;
    }
    for journal in ["delete", "wal"] {
        let scene = Scene::new();
        counter(&scene, "a.db", journal);
        let reader = scene.hold(["-s", "a.db"]);
        for read in READS {
            sql(&scene, &["-n", "a.db", "--", read]).run().expect(0);
        }
        for write in WRITES {
            sql(&scene, &["-n", "a.db", write]).run().expect(75).says("held by");
        }
        reader.end().expect(0);
        let writer = scene.hold(["a.db"]);
        for word in READS.iter().chain(&WRITES) {
            sql(&scene, &["-n", "a.db", "--", word]).run().expect(75).says("held by");
        }
        writer.end().expect(0);
        assert_eq!(ask(&scene, "a.db", "select n from c"), "0");
        scene.assert_free("a.db");
    }
}

/// A read waits for an exclusive holder and goes on when he leaves.
#[test]
fn a_select_waits_for_its_turn() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "a.db", "delete");
    let writer = scene.hold(["a.db"]);
    let mut waiter = sql(&scene, &["-w", "inf", "a.db", "select n from c"]).spawn();
    waiter.until("it is in the queue", || scene.queue("a.db").len() == 1);
    ask(&scene, "a.db", "update c set n = 5");
    writer.end().expect(0);
    waiter.wait().expect(0).answers("n\n5");
}

#[test]
fn a_mode_that_was_asked_for_beats_the_statements() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "a.db", "delete");
    for write in WRITES {
        let refused = sql(&scene, &["-s", "a.db", write]).run().expect(64);
        refused.says("writes").says("leave -s out");
    }
    let reader = scene.hold(["-s", "a.db"]);
    sql(&scene, &["-s", "-n", "a.db", "select n from c"]).run().expect(0).answers("n\n0");
    sql(&scene, &["-x", "-n", "a.db", "select n from c"]).run().expect(75);
    reader.end().expect(0);
    sql(&scene, &["-x", "-n", "a.db", "select n from c"]).run().expect(0).answers("n\n0");
}

#[test]
fn what_stands_alone_runs_alone() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "a.db", "delete");
    let alone = [("vacuum", "VACUUM"), ("pragma journal_mode = wal", "PRAGMA journal_mode")];
    for (statement, name) in alone {
        for mixed in [format!("{statement}; select 1"), format!("delete from c; {statement}")] {
            let refused = sql(&scene, &["a.db", &mixed]).run().expect(64);
            refused.says(name).says("--no-transaction");
        }
    }
    assert_eq!(ask(&scene, "a.db", "pragma journal_mode; select n from c"), "delete\n0");
    sql(&scene, &["a.db", "vacuum"]).run().expect(0).silent();
    let loose = "pragma journal_mode = wal; insert into c values (1); vacuum; select sum(n) from c";
    let words = ["--no-transaction", "--no-header", "a.db", loose];
    sql(&scene, &words).run().expect(0).answers("wal\n1");
    assert_eq!(ask(&scene, "a.db", "pragma journal_mode"), "wal");
    assert_sound(&scene, "a.db");
}

/// A table that was made since the last checkpoint is not in the file that is judged before the
/// lock; what is judged again under it takes the right lock in the end.
#[test]
fn a_table_that_only_the_wal_holds_is_found() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "a.db", "wal");
    let peer = Shell::doing(&scene, "a.db", "create table late (n); insert into late values (3);");
    let main = fs::read(scene.path("a.db")).expect("the database");
    assert!(!main.windows(4).any(|part| part == b"late"), "it is in the file already");
    let read = sql(&scene, &["-v", "a.db", "select n from late"]).run().expect(0).answers("n\n3");
    let granted: Vec<_> = read.stderr.lines().filter(|line| line.contains("locked a.db")).collect();
    assert!(granted.last().is_some_and(|line| line.contains("(shared)")), "{}", read.describe());
    let write = "update late set n = n + 1 returning n";
    sql(&scene, &["a.db", write]).run().expect(0).answers("n\n4");
    peer.leave();
    assert_eq!(ask(&scene, "a.db", "select n from late"), "4");
}

/// A query of a table that nobody has is an error of the SQL, once the database is open.
#[test]
fn a_table_that_is_not_there_is_an_error_of_the_sql() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "a.db", "delete");
    for statement in ["select * from missing", "delete from missing"] {
        sql(&scene, &["a.db", statement]).run().expect(2).says("no such table: missing");
    }
    sql(&scene, &["-s", "a.db", "select * from missing"]).run().expect(2).says("no such table");
    scene.assert_free("a.db");
}

#[test]
fn a_batch_makes_a_table_and_uses_it() {
    let scene = Scene::new();
    let script = "create table t (a integer primary key, b text); \
                  insert into t (b) values ('x'), ('y'); select b, a from t order by a";
    assert_eq!(answer(&scene, &["--create", "a.db", script]), "b,a\nx,1\ny,2\n");
    assert_eq!(answer(&scene, &["--no-header", "a.db", "select count(*) from t"]), "2\n");
}

/// Leaves the journal of a transaction that was killed in the middle, with the file half changed.
fn crash(scene: &Scene, file: &str) {
    let rows = "with recursive r(n) as (select 1 union all select n + 1 from r where n < 2000) ";
    let fill = format!("create table t (n, x); {rows} insert into t select n, 'old' from r;");
    database(scene, file, "delete", &fill);
    let before = fs::read(scene.path(file)).expect("the database");
    let change = "pragma cache_size = 2; begin; update t set x = printf('%300d', n);";
    let peer = Shell::doing(scene, file, change);
    peer.kill();
    let after = fs::read(scene.path(file)).expect("the database");
    assert!(before != after, "nothing was written before the crash");
    let journal = fs::metadata(scene.path(format!("{file}-journal"))).expect("a journal");
    assert!(journal.len() > 512, "the journal is empty");
}

/// A reader finds a hot journal: the file must be made whole before anything is read.
#[test]
fn a_select_recovers_a_file_with_a_hot_journal_and_answers() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    crash(&scene, "a.db");
    let query = "select count(*), count(nullif(x, 'old')) from t";
    sql(&scene, &["--no-header", "a.db", query]).run().expect(0).answers("2000,0");
    assert_sound(&scene, "a.db");
    crash(&scene, "b.db");
    let write = "update t set n = n where n = 1; select count(*) from t where x = 'old'";
    sql(&scene, &["--no-header", "b.db", write]).run().expect(0).answers("2000");
    assert_sound(&scene, "b.db");
}

/// `-s` cannot recover: the message has to say so, and not that a SELECT writes.
#[test]
fn a_shared_lock_that_was_asked_for_does_not_recover() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    crash(&scene, "a.db");
    let refused = sql(&scene, &["-s", "a.db", "select count(*) from t"]).run().expect(64);
    refused.never_says("the batch writes").says("journal").says("leave -s out");
    assert!(scene.path("a.db-journal").exists(), "{}", scene.describe());
    scene.assert_free("a.db");
}

#[test]
fn attached_files_are_locked_too() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "a.db", "delete");
    counter(&scene, "b.db", "delete");
    let holder = scene.hold(["b.db"]);
    let write = "attach 'b.db' as b; update main.c set n = 1; update b.c set n = 1";
    let read = "attach 'b.db' as b; select a.n + b.n from main.c as a, b.c as b";
    sql(&scene, &["-n", "a.db", write]).run().expect(75).says("b.db");
    sql(&scene, &["-n", "a.db", read]).run().expect(75).says("b.db");
    sql(&scene, &["-n", "a.db", "select n from c"]).run().expect(0);
    holder.end().expect(0);
    let holder = scene.hold(["-s", "b.db"]);
    sql(&scene, &["-n", "a.db", write]).run().expect(75).says("b.db");
    let shared = ["-s", "-n", "--no-header", "a.db", read];
    sql(&scene, &shared).run().expect(0).answers("0");
    holder.end().expect(0);
    sql(&scene, &["-n", "a.db", write]).run().expect(0);
    sql(&scene, &["-n", "--no-header", "a.db", read]).run().expect(0).answers("2");
    let missing = "attach 'no.db' as no; select 1";
    sql(&scene, &["a.db", missing]).run().expect(66).says("no.db").says("--create");
    assert!(!scene.path("no.db").exists(), "{}", scene.describe());
    let late = "select 1; attach 'b.db' as b";
    sql(&scene, &["a.db", late]).run().expect(64).says("put it first");
    let secret = "attach 'b' || '.db' as b; select 1";
    sql(&scene, &["a.db", secret]).run().expect(64).says("plain text");
    scene.assert_free("a.db");
    scene.assert_free("b.db");
}

/// Settings of the connection come first and hold for the batch.
#[test]
fn a_setting_holds_for_the_statements_after_it() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    let fill = "create table p (id integer primary key); create table c (p references p (id));";
    database(&scene, "a.db", "delete", fill);
    let orphan = "insert into c values (7)";
    let strict = format!("pragma foreign_keys = on; {orphan}");
    sql(&scene, &["a.db", &strict]).run().expect(2).says("FOREIGN KEY constraint failed");
    sql(&scene, &["a.db", orphan]).run().expect(0).silent();
    let late = "insert into p values (7); pragma foreign_keys = on";
    sql(&scene, &["a.db", late]).run().expect(64).says("put it first");
    assert_eq!(ask(&scene, "a.db", "select count(*) from p"), "0");
    let reader = scene.hold(["-s", "a.db"]);
    let read = "pragma cache_size = 10; pragma foreign_keys = on; select p from c";
    sql(&scene, &["-n", "--no-header", "a.db", read]).run().expect(0).answers("7");
    reader.end().expect(0);
}

/// Two batches that attach each other's file take the locks in one order.
#[test]
fn batches_that_attach_each_others_files_do_not_deadlock() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "a.db", "delete");
    counter(&scene, "b.db", "delete");
    let swap = |file: &str, other: &str| {
        let text =
            format!("attach '{other}' as o; update o.c set n = n + 1; update c set n = n + 1");
        sql(&scene, &["-q", "-w", "50", file, &text]).spawn()
    };
    let pairs = (0..10).map(|_| [swap("a.db", "b.db"), swap("b.db", "a.db")]);
    let pairs: Vec<_> = pairs.collect();
    for mut run in pairs.into_iter().flatten() {
        run.wait().expect(0).silent();
    }
    assert_eq!(ask(&scene, "a.db", "select n from c"), "20");
    assert_eq!(ask(&scene, "b.db", "select n from c"), "20");
}

/// Somebody puts another database in its place while dbguard waits: that one is worked on.
#[test]
fn a_file_that_is_replaced_during_the_wait_is_found_anew() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "a.db", "delete");
    let fill = "create table other (x); create table c (n); insert into c values (100);";
    database(&scene, "new.db", "wal", fill);
    let holder = scene.hold(["a.db"]);
    let words = ["-w", "inf", "a.db", "update c set n = n + 1 returning n"];
    let mut waiter = sql(&scene, &words).spawn();
    until("it waits", || scene.queue("a.db").len() == 1);
    fs::rename(scene.path("new.db"), scene.path("a.db")).expect("the file is replaced");
    holder.end().expect(0);
    waiter.wait().expect(0).answers("n\n101");
    assert_eq!(ask(&scene, "a.db", "select n from c"), "101");
    // What is there now is judged again from its first byte on.
    scene.file("text", "this is no database, and longer than any header of one, to be sure");
    let holder = scene.hold(["a.db"]);
    let mut waiter = sql(&scene, &words).spawn();
    until("it waits", || scene.queue("a.db").len() == 1);
    fs::rename(scene.path("text"), scene.path("a.db")).expect("the file is replaced");
    holder.end().expect(0);
    waiter.wait().expect(65).says("neither a SQLite nor a DuckDB database");
    scene.assert_free("a.db");
}

/// `dbguard sql` inside `dbguard exec` joins the lock that it runs under.
#[test]
fn a_batch_under_exec_joins_its_lock() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "a.db", "delete");
    let me = env!("CARGO_BIN_EXE_dbguard");
    let inner = ["--", me, "sql", "-n", "a.db", "update c set n = n + 1 returning n"];
    let under = |mode: &str| scene.dbguard(["exec", mode, "a.db"]).words(inner).run();
    under("-x").expect(0).answers("n\n1");
    under("-s").expect(79);
}
