//! Judging and running.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::super::super::engine::{Access, Control, Engine, Kind};
use super::super::super::error::{SqlError, Trouble};
use super::super::super::parameters::{Parameters, Value};
use super::super::super::value::Voice;
use super::{Kept, Scene, failure, rows, run, run_with};

fn survey(scene: &Scene, sql: &str) -> Result<Vec<Kind>, SqlError> {
    let mut kinds = Vec::new();
    let complete = scene.engine.survey(&scene.file(), sql, &mut |statement| {
        kinds.push(statement.kind());
        Ok(())
    });
    complete.map(|complete| assert!(complete))?;
    Ok(kinds)
}

#[test]
fn statements_are_judged_without_a_file() {
    let scene = Scene::new();
    let attach = |path: &str| Kind::Attach(Some(PathBuf::from(path)));
    let known = [
        ("SELECT 'DROP TABLE t'", Kind::Read),
        ("FROM t", Kind::Read),
        ("WITH x AS (SELECT 1) INSERT INTO t FROM x", Kind::Write),
        ("CREATE TEMP TABLE t (i INT)", Kind::Write),
        ("DROP TABLE t", Kind::Write),
        ("DEALLOCATE p", Kind::Read),
        ("SET threads = 1", Kind::Neutral),
        ("COPY t TO 'x.csv'", Kind::Unclear),
        ("PRAGMA table_info('t')", Kind::Unclear),
        ("EXPLAIN ANALYZE INSERT INTO t VALUES (1)", Kind::Unclear),
        ("CALL pragma_version()", Kind::Unclear),
        ("ANALYZE", Kind::Unclear),
        ("/* VACUUM */ ATTACH IF NOT EXISTS 'b''s.db' AS b (READ_ONLY)", attach("b's.db")),
        ("ATTACH ':memory:' AS m", Kind::Read),
        ("ATTACH E'b\\x2edb'", Kind::Attach(None)),
        ("ATTACH 'b' || '.db' AS b", Kind::Attach(None)),
        ("DETACH b", Kind::Alone("DETACH")),
        ("VACUUM t", Kind::Alone("VACUUM")),
        ("CHECKPOINT", Kind::Alone("CHECKPOINT")),
        ("/**/ force checkpoint", Kind::Alone("CHECKPOINT")),
        ("BEGIN", Kind::Transaction),
        ("ROLLBACK", Kind::Transaction),
        ("LOAD icu", Kind::Extension("LOAD")),
        ("FORCE INSTALL icu", Kind::Extension("INSTALL")),
        ("UPDATE EXTENSIONS", Kind::Extension("UPDATE EXTENSIONS")),
    ];
    for (sql, kind) in known {
        assert_eq!(survey(&scene, sql).expect(sql), [kind], "{sql}");
    }
    assert_eq!(survey(&scene, "SELECT 1; ; DELETE FROM t;").expect("fine").len(), 2);
    assert_eq!(survey(&scene, " -- nothing\n").expect("fine"), []);
    assert!(!scene.file().exists());
}

#[test]
fn errors_say_where_they_are() {
    let scene = Scene::new();
    let error = survey(&scene, "SELECT '\u{fc}';\nSELEC 1").expect_err("no SQL");
    assert_eq!((error.trouble, error.offset), (Trouble::Statement, Some(13)));
    assert_eq!(error.message, "Parser Error: syntax error at or near \"SELEC\"");
    assert_eq!(survey(&scene, "SELECT\0").expect_err("no SQL").offset, Some(6));
    let session = scene.open(Access::Write);
    let error = failure(&*session, "SELECT 1;\n-- two\nSELECT '\u{fc}', b FROM range(3)");
    assert_eq!((error.code, error.offset), (Some("BINDER"), Some(30)));
    let error = failure(&*session, "CREATE TABLE things (i INT); FROM thing");
    assert_eq!((error.code, error.offset), (Some("CATALOG"), Some(34)));
    assert_eq!(error.hint.as_deref(), Some("Did you mean \"things\"?"));
}

#[test]
fn what_an_error_means_is_told_by_its_code() {
    let scene = Scene::new();
    scene.write("CREATE TABLE t (i INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    let session = scene.open(Access::Write);
    for (sql, code) in [
        ("INSERT INTO t VALUES (1)", "CONSTRAINT"),
        ("SELECT 'x'::INT", "CONVERSION"),
        ("SELECT 200::TINYINT + 100::TINYINT", "CONVERSION"),
        ("SELECT error('Could not set lock on file, Conflict, read-only mode')", "INVALID_INPUT"),
        ("FROM 'https://localhost/x.parquet'", "MISSING_EXTENSION"),
        ("FROM 's3://x/y.csv'", "MISSING_EXTENSION"),
        ("ATTACH 'sqlite:x.db'", "IO"),
        ("SELECT icu_sort_key('a', 'de')", "CATALOG"),
    ] {
        let error = failure(&*session, sql);
        assert_eq!((error.trouble, error.code), (Trouble::Statement, Some(code)), "{error:?}");
    }
}

#[test]
fn parameters_get_the_type_of_their_place() {
    let scene = Scene::new();
    scene.write("CREATE TABLE t (i INT, d DATE, s VARCHAR)");
    let session = scene.open(Access::Write);
    let text = |text: &str| Value::Text(text.to_owned());
    let positional = vec![text("7"), text("2020-01-31"), text("0x7")];
    let given = Parameters { named: Vec::new(), positional };
    let mut kept = Kept::new(Voice::Text);
    let inserted = run_with(&*session, "INSERT INTO t VALUES (?, ?, ?)", &given, &mut kept);
    assert_eq!(inserted.expect("it runs"), 1);
    let sql = "SELECT s, typeof($1), $3 FROM t WHERE i = $1::INT";
    run_with(&*session, sql, &given, &mut kept).expect("gaps are fine");
    assert_eq!(kept.rows, ["Text(\"0x7\") Text(\"INTEGER\") Text(\"0x7\")"]);

    let named = vec![("day".to_owned(), text("someday")), ("n".to_owned(), Value::Null)];
    let given = Parameters { named, positional: Vec::new() };
    let error =
        run_with(&*session, "FROM t WHERE d < $day", &given, &mut kept).expect_err("no date");
    assert_eq!(error.trouble, Trouble::Statement);
    assert!(error.message.starts_with("parameter `day`: invalid date"), "{error}");
    let null = run_with(&*session, "SELECT i + $n FROM t", &given, &mut kept);
    assert_eq!((null.expect("it runs"), kept.rows[1].as_str()), (0, "Null"));
    let error = failure(&*session, "SELECT $1");
    assert_eq!(error.trouble, Trouble::Usage);
}

#[test]
fn parameters_are_known_before_the_file_is() {
    let scene = Scene::new();
    let mut seen = Vec::new();
    let sql = "SELECT $1, $3, $1; SELECT $b, $a; SELECT ?, ?";
    let surveyed = scene.engine.survey(&scene.file(), sql, &mut |statement| {
        seen.push(statement.parameters());
        Ok(())
    });
    surveyed.expect("fine");
    let named = ["b", "a"].map(|name| Some(name.to_owned()));
    assert_eq!(seen, [vec![None; 3], named.to_vec(), vec![None; 2]]);
}

#[test]
fn statements_without_rows_say_nothing() {
    let scene = Scene::new();
    let session = scene.open(Access::Write);
    let mut kept = Kept::new(Voice::Text);
    let sql = "CREATE TABLE t (i INT, s VARCHAR); INSERT INTO t FROM range(3), (VALUES ('a'));
               SET threads = 1; CHECKPOINT; VACUUM; UPDATE t SET i = i + 1 WHERE i > 0";
    let changed = run_with(&*session, sql, &Parameters::default(), &mut kept);
    assert_eq!((changed.expect("it runs"), kept.columns), (5, Vec::new()));
    let returned = rows(&*session, Voice::Text, "DELETE FROM t WHERE i = 3 RETURNING i");
    assert_eq!(returned, ["Integer(3)"]);
    let turned = rows(&*session, Voice::Text, "PIVOT t ON s USING count(*)");
    assert_eq!(turned, ["Integer(0) Integer(1)", "Integer(2) Integer(1)"]);
}

#[test]
fn a_transaction_is_forgotten_or_kept() {
    let scene = Scene::new();
    scene.write("CREATE TABLE t (i INT)");
    let session = scene.open(Access::Write);
    session.control(Control::Begin(Access::Write)).expect("it begins");
    run(&*session, "INSERT INTO t VALUES (1)").expect("it runs");
    assert!(!session.is_outside_transaction());
    session.control(Control::Rollback).expect("it rolls back");
    assert!(session.is_outside_transaction());
    run(&*session, "BEGIN; INSERT INTO t VALUES (2)").expect("it runs");
    assert!(!session.is_outside_transaction());
    run(&*session, "COMMIT").expect("it commits");
    assert!(session.is_outside_transaction());
    assert_eq!(rows(&*session, Voice::Text, "FROM t"), ["Integer(2)"]);
    assert_eq!(session.control(Control::UseWal).expect_err("no").trouble, Trouble::Usage);
}

#[test]
fn work_is_given_up_when_told() {
    let scene = Scene::new();
    let session = scene.open(Access::Write);
    session.control(Control::Begin(Access::Write)).expect("it begins");
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(50));
            scene.told.0.store(true, Ordering::Relaxed);
        });
        let error =
            failure(&*session, "SELECT count(*) FROM range(1000000000000) WHERE range % 7 = 3");
        assert_eq!(error.trouble, Trouble::Interrupted);
    });
    assert!(begun.elapsed() < Duration::from_secs(20));
    session.control(Control::Rollback).expect("it can be rolled back still");
    session.close().expect("and closed");
}
