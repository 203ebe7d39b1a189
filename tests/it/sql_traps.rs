//! What nearly went wrong: each test begins with the story of a defect that was mended.

use std::fs;

use crate::scene::{Scene, have};
use crate::sql_crew::{answer, ask, ask_duckdb, database, document, have_duckdb, sql};
#[cfg(target_os = "linux")]
use {
    crate::sql_crew::Shell,
    rustix::process::{Pid, Signal, kill_process_group},
};

fn sqlite() -> Option<Scene> {
    let scene = Scene::new();
    if !have(&["sqlite3"]) {
        return None;
    }
    database(&scene, "a.db", "delete", "create table t(a, b)");
    Some(scene)
}

fn duckdb() -> Option<Scene> {
    let scene = Scene::new();
    if !have_duckdb() {
        return None;
    }
    let script = "create table t (a int, b varchar); create sequence s";
    sql(&scene, &["--create", "d.duckdb", script]).run().expect(0);
    Some(scene)
}

/// Without a transaction the condition was never asked, and the batch was run.
#[test]
fn a_condition_without_a_transaction_is_refused() {
    let Some(scene) = sqlite() else { return };
    let words = ["--no-transaction", "--if", "select 0", "a.db", "insert into t values (1, 2)"];
    sql(&scene, &words).run().expect(64).says("--if needs the transaction");
    assert_eq!(ask(&scene, "a.db", "select count(*) from t"), "0");
}

/// DuckDB commits to its log and then, when it closes the file, moves the log into it. With no
/// room left for that the batch was committed and called a failure: scripts did it again.
#[test]
fn a_committed_batch_is_never_called_a_failure() {
    let Some(scene) = duckdb() else { return };
    let bytes = fs::metadata(scene.path("d.duckdb")).expect("it is there").len();
    // `ulimit -f` counts blocks of 512 bytes.
    let blocks = bytes / 512 + 8;
    let batch = "insert into t select i, 'x' from range(100) as r(i) returning a";
    let script = format!(
        "trap '' XFSZ; ulimit -f {blocks}; exec \"$DBGUARD\" sql --no-header d.duckdb \"{batch}\""
    );
    let ended = scene.shell(&script).run().expect_any(&[0, 74]);
    let count = ask_duckdb(&scene, "d.duckdb", "select count(*) from t");
    if ended.code == Some(0) {
        assert_eq!((ended.stdout.lines().count(), count.as_str()), (100, "100"));
    } else {
        assert_eq!(count, "0", "{}", ended.describe());
    }
}

/// A SELECT that draws from a sequence is found out only when it runs. What the statements before
/// it had printed was printed again.
#[test]
fn rows_are_printed_once_even_if_a_select_turns_out_to_write() {
    let Some(scene) = duckdb() else { return };
    let batch = "select 1 as one; select nextval('s') as next";
    assert_eq!(answer(&scene, &["d.duckdb", batch]), "one\n1\nnext\n1\n");
    let loose = ["--no-transaction", "d.duckdb", batch];
    assert_eq!(answer(&scene, &loose), "one\n1\nnext\n2\n");
}

/// `attach 'e' || 'f.duckdb'` locked `e` and wrote `ef.duckdb`.
#[test]
fn an_attached_file_that_is_computed_is_refused() {
    let Some(scene) = duckdb() else { return };
    fs::copy(scene.path("d.duckdb"), scene.path("e")).expect("a copy");
    let batch = "attach 'e' || 'f.duckdb' as b; create table b.proof (a int)";
    sql(&scene, &["d.duckdb", batch]).run().expect(64).says("plain text");
    assert!(!scene.path("ef.duckdb").exists());
}

/// One file by two names is two locks to dbguard and one to its engine, which then waited for
/// itself or, in DuckDB, wrote over itself.
#[test]
fn a_file_is_not_attached_to_itself() {
    let Some(scene) = sqlite() else { return };
    fs::hard_link(scene.path("a.db"), scene.path("hard.db")).expect("a link");
    let mut twins = vec!["a.db", "hard.db"];
    #[cfg(target_os = "linux")]
    {
        std::os::unix::fs::symlink("a.db", scene.path("soft.db")).expect("a link");
        twins.push("soft.db");
    }
    if cfg!(windows) {
        twins.push("A.DB");
    }
    for twin in twins {
        let batch = format!("attach '{twin}' as b; select 1");
        sql(&scene, &["a.db", &batch]).run().expect(64).says("the same file");
    }
}

/// COPY TO replaced the database by its own rows as CSV, under the shared lock.
#[test]
fn data_is_not_copied_over_the_database() {
    let Some(scene) = duckdb() else { return };
    for batch in ["copy t to 'd.duckdb'", "copy t to 'd.duckdb.wal'"] {
        sql(&scene, &["d.duckdb", batch]).run().expect(64).says("cannot be copied");
    }
    assert_eq!(ask_duckdb(&scene, "d.duckdb", "select count(*) from t"), "0");
    sql(&scene, &["d.duckdb", "copy t to 'rows.csv'"]).run().expect(0);
    assert_eq!(scene.read("rows.csv"), "a,b\n");
}

/// A script with a BEGIN and no COMMIT ended with 0 and kept nothing.
#[test]
fn a_transaction_that_is_left_open_is_an_error() {
    let Some(scene) = sqlite() else { return };
    let words = ["--no-transaction", "a.db", "begin; insert into t values (1, 2)"];
    sql(&scene, &words).run().expect(2).says("ends inside a transaction").says("add COMMIT");
}

/// While its rows waited for a reader that did not read, a batch kept its lock and heard nothing.
#[test]
#[cfg(target_os = "linux")]
fn a_slow_reader_holds_neither_the_lock_nor_the_signals() {
    let Some(scene) = sqlite() else { return };
    let many = "with recursive c(n) as (select 1 union all select n + 1 from c where n < 200000) \
                insert into t select n, 'some words' from c returning a, b";
    let script = format!("\"$DBGUARD\" sql a.db \"{many}\" | {{ touch ready; sleep 600; }}");
    let mut pipeline = scene.shell(&script).spawn();
    pipeline.until("the rows are committed", || {
        ask(&scene, "a.db", "select count(*) from t") == "200000"
    });
    sql(&scene, &["-w", "20", "a.db", "delete from t"]).run().expect(0);
    let group = i32::try_from(pipeline.pid()).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process_group(group, Signal::KILL).expect("it runs");
    let read = "select 1 from (with recursive c(n) as (select 1 union all select n + 1 from c) \
                select n from c)";
    let script = format!("exec \"$DBGUARD\" sql a.db \"{read}\" > fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        scene.path("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .expect("a FIFO");
    let mut reading = scene.shell(&script).spawn();
    // Held open and never read.
    let end = fs::File::open(scene.path("fifo")).expect("the writer opens it too");
    reading.until("the pipe is full", || {
        let mut polled = [rustix::event::PollFd::new(&end, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut polled, None).is_ok_and(|ready| ready > 0)
    });
    reading.signal(Signal::TERM);
    assert_eq!(reading.wait().code, Some(143));
}

/// Ctrl-C during SQLite's own wait was told as a deadline that had passed.
#[test]
#[cfg(target_os = "linux")]
fn a_signal_during_the_engines_own_wait_is_told_as_one() {
    let Some(scene) = sqlite() else { return };
    let _writer = Shell::doing(&scene, "a.db", "begin immediate;");
    let words = ["--native", "ignore", "--no-transaction", "a.db", "insert into t values (1, 2)"];
    let mut waiting = sql(&scene, &words).spawn();
    let claims = || !scene.held("a.db").is_empty();
    waiting.until("it has the lock", claims);
    waiting.signal(Signal::TERM);
    assert_eq!(waiting.wait().code, Some(143));
    let at_once = [&["-n"][..], &words].concat();
    sql(&scene, &at_once).run().expect(75).says("a.db is busy");
}

/// The first of two values for one name won without a word.
#[test]
fn a_parameter_has_one_value() {
    let Some(scene) = sqlite() else { return };
    let words = ["-p", "x=1", "-p", "x=2", "a.db", "select :x"];
    sql(&scene, &words).run().expect(64).says("`x` is given twice");
}

/// The caret of an error in the condition stood below the batch.
#[test]
fn an_error_in_the_condition_is_one_of_the_condition() {
    let Some(scene) = sqlite() else { return };
    let ended = sql(&scene, &["--if", "selec 1", "a.db", "select 1"]).run().expect(2);
    ended.says("--if: near").never_says("^");
}

/// Rows that RETURNING gave were not counted as changed.
#[test]
fn rows_that_are_returned_are_counted_as_changed() {
    let Some(scene) = duckdb() else { return };
    let batch = "insert into t values (1, 'a'), (2, 'b') returning a";
    let ended = sql(&scene, &["--json", "d.duckdb", batch]).run().expect(0);
    assert_eq!(document(&ended)["changed"], 2);
}

/// Settings that work anywhere were run before the transaction, or refused inside it.
#[test]
fn settings_work_where_sqlite_lets_them() {
    let Some(scene) = sqlite() else { return };
    let script = "pragma secure_delete = on; pragma foreign_keys = on; \
                  create table p(a primary key); create table c(a references p); \
                  pragma defer_foreign_keys = on; pragma case_sensitive_like = on; \
                  insert into c values (1); insert into p values (1)";
    sql(&scene, &["a.db", script]).run().expect(0);
    assert_eq!(answer(&scene, &["--no-header", "a.db", "select sqrt(a + 3) from c"]), "2.0\n");
}
