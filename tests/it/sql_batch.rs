//! `dbguard sql`: one transaction, its condition, the values of its parameters, a file it makes.

use std::fs;

use crate::scene::{Scene, have};
use crate::sql_crew::{Shell, answer, ask, assert_sound, database, dump, sql};

fn table(scene: &Scene) {
    let fill = "create table t (id integer primary key, b text not null); \
                insert into t values (1, 'one');";
    database(scene, "a.db", "delete", fill);
}

#[test]
fn an_error_undoes_what_was_done_before_it() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene);
    let before = dump(&scene, "a.db");
    for (third, says) in [
        ("insert into t values (1, 'again')", "UNIQUE constraint failed: t.id"),
        ("insert into t values (9, null)", "NOT NULL constraint failed: t.b"),
        ("insert or rollback into t values (1, 'again')", "UNIQUE constraint failed"),
        ("insert or fail into t values (8, 'x'), (1, 'again')", "UNIQUE constraint failed"),
        ("insert into missing values (1)", "no such table: missing"),
        ("select abs(-9223372036854775808)", "integer overflow"),
        ("create table t (a)", "table t already exists"),
        ("insert into t values (1, 2, 3)", "3 values"),
    ] {
        let script = format!("insert into t values (2, 'x'); create table u (a); {third}");
        let failed = sql(&scene, &["a.db", &script]).run().expect(2).says(says).answers("");
        failed.says("a.db: ");
        assert_eq!(dump(&scene, "a.db"), before, "{third}");
        assert_sound(&scene, "a.db");
    }
    scene.assert_free("a.db");
}

#[test]
fn rows_of_a_batch_that_fails_later_are_not_printed() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene);
    let script = "insert into t values (2, 'x') returning id; insert into t values (2, 'y')";
    sql(&scene, &["a.db", script]).run().expect(2).answers("").says("statement 2");
}

#[test]
fn a_transaction_of_its_own_is_refused_unless_every_statement_is_for_itself() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene);
    let script = "begin; insert into t values (2, 'x'); commit";
    let refused = sql(&scene, &["a.db", script]).run().expect(64);
    refused.says("one transaction already").says("--no-transaction");
    for word in ["commit", "rollback", "end"] {
        let script = format!("insert into t values (2, 'x'); {word}; delete from t");
        sql(&scene, &["a.db", &script]).run().expect(64).says("one transaction already");
    }
    assert_eq!(ask(&scene, "a.db", "select count(*) from t"), "1");
    sql(&scene, &["--no-transaction", "a.db", script]).run().expect(0).silent();
    assert_eq!(ask(&scene, "a.db", "select count(*) from t"), "2");
    // A script that forgets its COMMIT has not committed.
    let script = "begin; insert into t values (3, 'x')";
    sql(&scene, &["--no-transaction", "a.db", script]).run().expect_any(&[0, 2]);
    assert_eq!(ask(&scene, "a.db", "select count(*) from t"), "2");
    assert_sound(&scene, "a.db");
}

#[test]
fn a_savepoint_inside_the_batch_works() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene);
    let script = "insert into t values (2, 'x'); savepoint s; insert into t values (3, 'y'); \
                  rollback to s; release s; insert into t values (4, 'z')";
    sql(&scene, &["a.db", script]).run().expect(0);
    assert_eq!(ask(&scene, "a.db", "select group_concat(id) from t"), "1,2,4");
}

#[test]
fn without_a_transaction_what_is_done_stays_done() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene);
    let script = "insert into t values (2, 'x'); insert into t values (1, 'again'); delete from t";
    let failed = sql(&scene, &["--no-transaction", "a.db", script]).run().expect(2);
    failed.says("UNIQUE constraint failed");
    assert_eq!(ask(&scene, "a.db", "select group_concat(id) from t"), "1,2");
    assert_sound(&scene, "a.db");
}

#[test]
fn a_condition_decides_whether_the_batch_runs() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene);
    let change = "insert into t (b) values ('x') returning b";
    for (condition, code) in [
        ("select 1", 0),
        ("select 0.5, 0", 0),
        ("select '1 apple'", 0),
        ("select count(*) > 0 from t", 0),
        ("select 1 union all select 0", 0),
        ("select 0", 1),
        ("select 0, 1", 1),
        ("select null", 1),
        ("select 'yes'", 1),
        ("select 1 where 0", 1),
        ("select b = 'two' from t", 1),
        ("/* nothing else */ select false;", 1),
    ] {
        let before = ask(&scene, "a.db", "select count(*) from t");
        let ended = sql(&scene, &["--if", condition, "a.db", change]).run().expect(code);
        let after = ask(&scene, "a.db", "select count(*) from t");
        assert_eq!(before != after, code == 0, "{condition}");
        assert_eq!(ended.stdout.is_empty(), code == 1, "{condition}");
        if code == 1 {
            ended.says("the condition of --if is not true");
        }
    }
    let quiet = sql(&scene, &["-q", "--if", "select 0", "a.db", change]).run();
    quiet.expect(1).silent();
}

#[test]
fn a_condition_has_parameters_and_is_one_query_that_reads() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene);
    let condition = "select b = :was from t where id = :id";
    let change = "update t set b = ?1 where id = ?2";
    let words = ["--if", condition, "a.db", change, "two", "1", "-p", "id=1", "-p"];
    let run = |was: &str| sql(&scene, &words).words([was]).run();
    run("was=one").expect(0);
    run("was=one").expect(1);
    assert_eq!(ask(&scene, "a.db", "select b from t"), "two");
    for (condition, code, says) in [
        ("select 1; select 1", 64, "one query"),
        ("/* none */", 64, "is empty"),
        ("delete from t returning 1", 64, "must only read"),
        ("vacuum", 64, "must only read"),
        ("begin", 64, "must only read"),
        ("select", 2, "incomplete input"),
        ("select no from t", 2, "no such column: no"),
        ("select ?", 64, "parameter ?1"),
        ("select :no", 64, "`no`"),
    ] {
        let ended = sql(&scene, &["--if", condition, "a.db", "delete from t"]).run();
        ended.expect(code).says(says);
    }
    assert_eq!(ask(&scene, "a.db", "select b from t"), "two");
    let vacuum = sql(&scene, &["--if", "select 1", "a.db", "vacuum"]).run();
    vacuum.expect(64).says("--if");
}

/// Compare and swap: of many who saw version 1, one makes version 2.
#[test]
fn of_many_that_compare_and_swap_exactly_one_wins() {
    if !have(&["sqlite3"]) {
        return;
    }
    for journal in ["delete", "wal"] {
        let scene = Scene::new();
        let fill = "create table app (version, winner); insert into app values (1, null);";
        database(&scene, "a.db", journal, fill);
        let swap = "update app set version = version + 1, winner = ?";
        let condition = "select version = 1 from app";
        let start = |number: usize| {
            let words = ["-w", "50", "--if", condition, "a.db", swap, &number.to_string()];
            sql(&scene, &words).spawn()
        };
        let count = if cfg!(windows) { 10 } else { 24 };
        let runs: Vec<_> = (0..count).map(start).collect();
        let codes: Vec<_> =
            runs.into_iter().map(|mut run| run.wait().expect_any(&[0, 1]).code).collect();
        let winner = codes.iter().position(|code| *code == Some(0)).expect("somebody wins");
        assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
        let found = ask(&scene, "a.db", "select version, winner from app");
        assert_eq!(found, format!("2|{winner}"));
    }
}

#[test]
fn wal_is_switched_on_before_the_batch_and_stays() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene);
    let before = dump(&scene, "a.db");
    // A reader of the old kind is in the way of the switch.
    let reader = Shell::doing(&scene, "a.db", "begin; select * from t;");
    sql(&scene, &["--wal", "-n", "a.db", "delete from t"]).run().expect(75);
    reader.leave();
    assert_eq!(dump(&scene, "a.db"), before);
    sql(&scene, &["--wal", "a.db", "insert into t values (2, 'x')"]).run().expect(0);
    assert_eq!(ask(&scene, "a.db", "pragma journal_mode; select count(*) from t"), "wal\n2");
    let again = sql(&scene, &["--wal", "--no-header", "a.db", "select count(*) from t"]).run();
    again.expect(0).answers("2").silent();
    sql(&scene, &["--wal", "-s", "a.db", "select 1"]).run().expect(64);
}

#[test]
fn a_missing_file_is_made_only_if_asked() {
    let scene = Scene::new();
    let make = "create table t (a); insert into t values (1)";
    sql(&scene, &["a.db", make]).run().expect(66).says("there is no `a.db`").says("--create");
    assert!(!scene.path("a.db").exists() && scene.held("a.db").is_empty());
    sql(&scene, &["--create", "no/a.db", make]).run().expect(66).says("no");
    assert!(!scene.path("no").exists());
    sql(&scene, &["--create", "a.db", make]).run().expect(0).silent();
    assert_eq!(answer(&scene, &["--create", "a.db", "select a from t"]), "a\n1\n");
    scene.file("people.db", "");
    sql(&scene, &["poeple.db", make]).run().expect(66).says("there is people.db");
    // An empty file is an empty database, as to the sqlite3 shell.
    scene.file("empty.db", "");
    assert_eq!(answer(&scene, &["empty.db", "select count(*) from sqlite_schema"]).len(), 11);
    sql(&scene, &["empty.db", make]).run().expect(0);
    assert_eq!(answer(&scene, &["--no-header", "empty.db", "select a from t"]), "1\n");
    sql(&scene, &["--create=sqlite", "b.duckdb", make]).run().expect(0);
    assert!(fs::read(scene.path("b.duckdb")).expect("made").starts_with(b"SQLite format 3\0"));
    // What only reads makes it as well, and so does a condition that is false.
    sql(&scene, &["--create", "c.db", "select 1"]).run().expect(0).answers("1\n1");
    assert!(scene.path("c.db").exists(), "{}", scene.describe());
    let attach = "attach 'e.db' as e; select 1";
    sql(&scene, &["--create", "c.db", attach]).run().expect(0).answers("1\n1");
    sql(&scene, &["--create", "-s", "f.db", "select 1"]).run().expect(64).says("leave -s out");
    sql(&scene, &["--create=oracle", "d.db", make]).run().expect(64).says("oracle");
}

/// A batch that fails leaves no database that was not there before.
#[test]
fn a_batch_that_fails_leaves_nothing_in_the_file_it_made() {
    let scene = Scene::new();
    let script = "create table t (a); insert into t values (1, 2)";
    sql(&scene, &["--create", "a.db", script]).run().expect(2);
    let size = fs::metadata(scene.path("a.db")).map_or(0, |file| file.len());
    assert_eq!(size, 0, "{}", scene.describe());
    assert!(!scene.path("a.db-journal").exists(), "{}", scene.describe());
    sql(&scene, &["--create", "b.db", "create tabel t"]).run().expect(2);
    assert!(!scene.path("b.db").exists(), "{}", scene.describe());
}

/// Makes the list of words for a case of parameters.
fn words<'a>(script: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    ["--create", "--no-header", "a.db", script].iter().chain(rest).copied().collect()
}

#[test]
fn parameters_have_places_or_names_and_types() {
    let scene = Scene::new();
    for (script, rest, expected) in [
        ("select ?, ?", &["a", "b"][..], "a,b\n"),
        ("select ?2, ?1, ?2", &["a", "b"], "b,a,b\n"),
        ("select ? + 1, typeof(?)", &["6", "6"], "7,text\n"),
        ("select ?, ?", &["-5", "-0.5e3"], "-5,-0.5e3\n"),
        ("select ?, ?", &["--", "-x", "--json"], "-x,--json\n"),
        ("select ?", &[""], "\"\"\n"),
        ("select :a, @b, $c", &["-p", "a=1", "-p", "b=x=y", "-p", "c="], "1,x=y,\"\"\n"),
        ("select :a, typeof(:a)", &["-p", ":a=7"], "7,text\n"),
        ("select :a, typeof(:a)", &["-p", "a:=7"], "7,integer\n"),
        ("select :a, typeof(:a)", &["-p", "a:=-0.5"], "-0.5,real\n"),
        ("select :a, typeof(:a)", &["-p", "a:=1e2"], "100.0,real\n"),
        ("select :a, typeof(:a)", &["-p", "a:=null"], ",null\n"),
        ("select :a, typeof(:a)", &["-p", "a:=true"], "1,integer\n"),
        ("select :a, typeof(:a)", &["-p", "a:=\"7\""], "7,text\n"),
        (
            "select :a, typeof(:a)",
            &["-p", "a:=9223372036854775807"],
            "9223372036854775807,integer\n",
        ),
        ("select :a; select ?1", &["-p", "a=n", "x"], "n\nx\n"),
        ("select ?1; select ?1 || ?2", &["x", "y"], "x\nxy\n"),
        ("select :a; select :a || '!'", &["-p", "a=x"], "x\nx!\n"),
        ("select '?', ':a', \"x\" from (select 1 as x) -- ?1", &[], "?,:a,1\n"),
        ("select ?", &["robert'); drop table t; --"], "robert'); drop table t; --\n"),
    ] {
        assert_eq!(answer(&scene, &words(script, rest)), expected, "{script} {rest:?}");
    }
}

#[test]
fn values_that_are_missing_or_left_over_are_named() {
    let scene = Scene::new();
    scene.file("a.db", "");
    for (script, rest, says) in [
        ("select ?", &[][..], "no value for parameter ?1"),
        ("select ?, ?", &["a"], "no value for parameter ?2"),
        ("select ?3", &["a"], "parameter ?"),
        ("select :a", &[], "no value for parameter `a`"),
        ("select :a", &["-p", "A=1"], "no value for parameter `a`"),
        ("select :a, ?2", &["-p", "a=1", "x", "y"], "name all of them, or none"),
        ("select ?, :a", &["-p", "a=1", "x"], "name all of them, or none"),
        ("select :a, ?1", &["-p", "a=1", "x"], "1 value is given, the SQL has places for 0"),
        ("select 1", &["x"], "places for 0"),
        ("select ?", &["x", "y"], "places for 1"),
        ("select 1", &["-p", "a=1"], "no statement has a parameter `a`"),
        ("select 1", &["-p", "a"], "NAME=TEXT"),
        ("select :a", &["-p", "a:=x"], "JSON"),
        ("select :a", &["-p", "a:=[1]"], "JSON"),
        ("create table t (a); select :b from t", &["-p", "c=1"], "`b`"),
        ("create table t (a); select a from t", &["-p", "c=1"], "`c`"),
    ] {
        sql(&scene, &words(script, rest)).run().expect(64).says(says);
    }
    assert_eq!(fs::read(scene.path("a.db")).expect("it is there"), b"", "something was written");
}

/// The words after the SQL are its values, whatever they look like, and `-f` leaves them all.
#[test]
fn the_script_of_a_file_takes_every_word_after_the_database() {
    let scene = Scene::new();
    scene.file("s.sql", "create table t (a, b);\ninsert into t values (?, ?) returning b, a;\n");
    let words = ["--create", "--no-header", "-f", "s.sql", "a.db", "one", "two"];
    assert_eq!(answer(&scene, &words), "two,one\n");
    let fed = sql(&scene, &["--no-header", "-f", "-", "a.db", "two"]);
    fed.input("select a from t where b = ?").run().expect(0).answers("one");
    let fed = sql(&scene, &["--no-header", "a.db", "-", "two"]);
    fed.input("select a from t where b = ?").run().expect(0).answers("one");
    let fed = sql(&scene, &["--no-header", "a.db"]);
    fed.input("select a || b from t").run().expect(0).answers("onetwo");
}
