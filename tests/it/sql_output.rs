//! `dbguard sql`: where rows go, and what is said about them.

use serde_json::json;

use crate::scene::{Scene, have, names};
use crate::sql_crew::{answer, ask, database, document, sql};
#[cfg(target_os = "linux")]
use {
    std::fs,
    std::os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

/// A query of many rows.
fn rows(count: u64) -> String {
    format!(
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < {count}) \
         select n from r"
    )
}

/// Makes `a.db` with a table.
fn table(scene: &Scene) {
    sql(scene, &["--create", "a.db", "create table t (a); insert into t values (1)"])
        .run()
        .expect(0);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let scene = Scene::new();
    table(&scene);
    // A shell of its own: of another one it could be the reader, too.
    let piped = |query: &str, lines: u32| {
        let inner = "\"$DBGUARD\" sql a.db \"$0\"; echo $? >code";
        let script = format!("sh -c '{inner}' \"$0\" | head -n {lines}; cat code");
        scene.run("sh", ["-c", &script, query]).run().expect(0).silent()
    };
    piped(&rows(3_000_000), 2).answers("n\n1\n0");
    // What a batch that writes prints comes after the commit, which stands.
    let write = format!("insert into t {} returning a", rows(300_000));
    piped(&write, 1).answers("a\n0");
    assert_eq!(answer(&scene, &["--no-header", "a.db", "select count(*) from t"]), "300001\n");
    scene.assert_free("a.db");
}

/// A full disk at the output: the exit code says so, and whether the batch is done.
#[test]
#[cfg(target_os = "linux")]
fn an_output_that_cannot_be_written_is_told() {
    let scene = Scene::new();
    table(&scene);
    let script = "$DBGUARD sql a.db 'select 1' >/dev/full";
    scene.shell(script).run().expect(74).says("cannot write the results").says("No space left");
    let script = "$DBGUARD sql a.db 'insert into t values (2) returning a' >/dev/full";
    scene.shell(script).run().expect(74).says("the batch itself is done");
    assert_eq!(answer(&scene, &["--no-header", "a.db", "select count(*) from t"]), "2\n");
    scene.assert_free("a.db");
}

#[test]
fn an_output_file_is_replaced_as_a_whole() {
    let scene = Scene::new();
    table(&scene);
    let before = names(&scene.path(""));
    scene.file("out.csv", "old\n");
    #[cfg(target_os = "linux")]
    fs::set_permissions(scene.path("out.csv"), fs::Permissions::from_mode(0o640)).expect("chmod");
    #[cfg(target_os = "linux")]
    let old = fs::metadata(scene.path("out.csv")).expect("it is there");
    sql(&scene, &["--output", "out.csv", "a.db", "select a from t"]).run().expect(0).answers("");
    assert_eq!(scene.read("out.csv"), "a\n1\n");
    #[cfg(target_os = "linux")]
    {
        let new = fs::metadata(scene.path("out.csv")).expect("it is there");
        assert_eq!(new.mode(), old.mode(), "the permissions were not kept");
        assert!(new.ino() != old.ino(), "it was written in place: a reader sees half of it");
    }
    // A failing batch leaves the old file and nothing else.
    for bad in ["select a from t; select nosuch from t", "insert into t values (1, 2)", "slect"] {
        sql(&scene, &["--output", "out.csv", "a.db", bad]).run().expect(2);
    }
    let words = ["--if", "select 0", "--output", "out.csv", "a.db", "select 7"];
    sql(&scene, &words).run().expect(1);
    assert_eq!(scene.read("out.csv"), "a\n1\n");
    let mut expected = before;
    expected.insert("out.csv".to_owned());
    assert_eq!(names(&scene.path("")), expected, "something was left behind");
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_file_is_found_through_a_link_and_must_have_a_directory() {
    let scene = Scene::new();
    table(&scene);
    fs::create_dir(scene.path("there")).expect("mkdir");
    scene.file("there/real.csv", "old\n");
    symlink("there/real.csv", scene.path("link.csv")).expect("a link");
    sql(&scene, &["--output", "link.csv", "a.db", "select a from t"]).run().expect(0);
    assert_eq!(scene.read("there/real.csv"), "a\n1\n");
    let link = fs::symlink_metadata(scene.path("link.csv")).expect("it is there");
    assert!(link.is_symlink(), "the link was replaced");
    let change = "insert into t values (9)";
    sql(&scene, &["--output", "no/x.csv", "a.db", change]).run().expect(66).says("no/x.csv");
    sql(&scene, &["--output", "there", "a.db", change]).run().expect(64).says("there");
    sql(&scene, &["--output", "/dev/null", "a.db", change]).run().expect(64).says("/dev/null");
    assert_eq!(answer(&scene, &["--no-header", "a.db", "select count(*) from t"]), "1\n");
    sql(&scene, &["--output", "-", "a.db", "select a from t"]).run().expect(0).answers("a\n1");
}

/// The output must not be the database or what lies beside it: the rows would replace the data.
#[test]
fn an_output_file_is_never_the_database() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene);
    let mut names = vec!["a.db", "./a.db", "a.db-journal", "a.db-wal"];
    if cfg!(windows) {
        names.extend(["A.DB", ".\\a.db", "a.db."]);
    }
    #[cfg(target_os = "linux")]
    {
        symlink("a.db", scene.path("link.db")).expect("a link");
        names.push("link.db");
    }
    for name in names {
        let ended = sql(&scene, &["--output", name, "a.db", "select a from t"]).run();
        ended.expect(64).says(name.trim_start_matches("./").trim_start_matches(".\\"));
    }
    assert_eq!(ask(&scene, "a.db", "select a from t"), "1");
}

#[test]
fn formats_of_several_results_can_be_told_apart() {
    let scene = Scene::new();
    table(&scene);
    let script = "select 1 as a; insert into t values (5); select 2 as b, null as c; \
                  select 3 as d where 0";
    let print = |options: &[&str]| {
        let words: Vec<&str> = options.iter().copied().chain(["a.db", script]).collect();
        answer(&scene, &words)
    };
    assert_eq!(print(&["--format", "csv"]), "a\n1\nb,c\n2,\nd\n");
    assert_eq!(print(&["--format", "csv", "--no-header", "--null", "-"]), "1\n2,-\n");
    assert_eq!(print(&["--format", "tsv", "--null", "\\N"]), "a\n1\nb\tc\n2\t\\N\nd\n");
    assert_eq!(print(&["--format", "json"]), "[{\"a\":1}]\n[{\"b\":2,\"c\":null}]\n[]\n");
    assert_eq!(print(&["--format", "jsonl"]), "{\"a\":1}\n{\"b\":2,\"c\":null}\n");
    let markdown =
        "| a |\n| --- |\n| 1 |\n\n| b | c |\n| --- | --- |\n| 2 | NULL |\n\n| d |\n| --- |\n";
    assert_eq!(print(&["--format", "markdown"]), markdown);
    assert_eq!(print(&["--format", "line"]), "a = 1\n\nb = 2\nc = NULL\n");
    assert_eq!(print(&["--format", "quiet"]), "");
    let table = print(&["--format", "table"]);
    let has = |text: &str| table.lines().any(|line| line.contains(text));
    assert!(has("NULL") && has(" d ") && table.matches('\u{250c}').count() == 3, "{table}");
    sql(&scene, &["--format", "xml", "a.db", script]).run().expect(64).says("xml");
}

#[test]
fn json_is_one_document_with_everything() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "create table t (id integer primary key, x text);");
    let script = "insert into t (x) values ('a'), ('b') returning id; select x, id + 0.5 from t; \
                  update t set x = 'c' where id = 1; select * from t where 0";
    let ended = sql(&scene, &["--json", "a.db", script]).run().expect(0).silent();
    let mut found = document(&ended);
    for name in ["run_ms", "retry_wait_ms"] {
        assert!(found[name].take().is_u64(), "{name}: {}", ended.describe());
    }
    let expected = json!({
        "schema": 1,
        "results": [
            {
                "columns": [{ "name": "id", "type": "INTEGER" }],
                "rows": [{ "id": 1 }, { "id": 2 }],
            },
            {
                "columns": [{ "name": "x", "type": "TEXT" }, { "name": "id + 0.5", "type": null }],
                "rows": [{ "x": "a", "id + 0.5": 1.5 }, { "x": "b", "id + 0.5": 2.5 }],
            },
            {
                "columns": [{ "name": "id", "type": "INTEGER" }, { "name": "x", "type": "TEXT" }],
                "rows": [],
            },
        ],
        "changed": 3,
        "statements": 4,
        "tries": 1,
        "retry_wait_ms": null,
        "run_ms": null,
    });
    assert_eq!(found, expected, "{}", ended.describe());
    let ended = sql(&scene, &["--json", "a.db", "delete from t"]).run().expect(0);
    let found = document(&ended);
    assert_eq!((&found["results"], &found["changed"]), (&json!([]), &json!(2)));
    // With a format of its own the rows come in that, and errors as JSON still.
    let rows = ["--json", "--format", "jsonl", "a.db", "select 1 as a"];
    sql(&scene, &rows).run().expect(0).answers("{\"a\":1}");
}

#[test]
fn errors_with_json_are_one_document_on_standard_error() {
    let scene = Scene::new();
    table(&scene);
    scene.file("bad.db", "this is a text and no database at all, whatever its name says");
    let holder = scene.hold(["held.db"]);
    for (words, code, name) in [
        (&["a.db", "slect 1"][..], 2, "sql_error"),
        (&["a.db", "insert into t values (1, 2)"], 2, "sql_error"),
        (&["a.db", "begin"], 64, "usage"),
        (&["bad.db", "select 1"], 65, "bad_database"),
        (&["no.db", "select 1"], 66, "no_such_file"),
        (&["--create", "-n", "held.db", "select 1"], 75, "would_block"),
        (&["--create", "-w", "0.1", "held.db", "select 1"], 124, "timeout"),
    ] {
        let ended = sql(&scene, &["--json"]).words(words).run().expect(code).answers("");
        let found = ended.error_document();
        assert_eq!((&found["schema"], &found["code"]), (&json!(1), &json!(name)), "{words:?}");
        assert_eq!(found["exit_code"], code, "{words:?}");
        assert!(found["message"].is_string() && !found["hint"].is_array(), "{words:?}");
        if matches!(code, 75 | 124) {
            assert_eq!(found["holder"]["pid"], holder.process.pid(), "{}", ended.describe());
        }
    }
}

#[test]
fn verbose_says_what_was_locked_and_done() {
    let scene = Scene::new();
    table(&scene);
    let ended = sql(&scene, &["-v", "a.db", "update t set a = 2"]).run().expect(0).answers("");
    let ended = ended.says("locked a.db (exclusive)").says("1 row changed").says("done in 1 try");
    assert_eq!(ended.stderr.lines().count(), 3, "{}", ended.describe());
    let ended = sql(&scene, &["-v", "a.db", "select a from t"]).run().expect(0).answers("a\n2");
    ended.says("locked a.db (shared)").says("done in 1 try").never_says("changed");
    sql(&scene, &["-v", "a.db", "delete from t where 0"]).run().expect(0).says("0 rows changed");
    sql(&scene, &["a.db", "delete from t"]).run().expect(0).silent();
    let ended = sql(&scene, &["--json", "-v", "a.db", "select 1"]).run().expect(0);
    for line in ended.stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("lines of JSON");
        assert_eq!((&line["schema"], &line["event"]), (&json!(1), &json!("detail")));
    }
}

/// Reads most of what dbguard prints, so that it has to wait for us, and returns the most memory
/// it ever had.
#[cfg(target_os = "linux")]
fn peak_kib(scene: &Scene, file: &str, query: &str, count: u64) -> u64 {
    use std::io::Read;
    /// What may lie in the pipe and in buffers; dbguard is not done while more is to come.
    const REST: u64 = 400_000;
    let pipe = scene.path("pipe");
    scene.run("mkfifo", ["pipe"]).run().expect(0);
    let script = "exec $DBGUARD sql --no-header \"$0\" \"$1\" >pipe";
    let mut run = scene.run("sh", ["-c", script, file, query]).spawn();
    let mut output = fs::File::open(&pipe).expect("the pipe opens once somebody writes");
    let (mut buffer, mut lines) = (vec![0; 1 << 16], 0);
    while lines < count - REST / 8 {
        let read = output.read(&mut buffer).expect("the pipe can be read");
        assert!(read > 0, "only {lines} lines\n{}", run.wait().describe());
        lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    let status = fs::read_to_string(format!("/proc/{}/status", run.pid())).expect("it is alive");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap_or_else(|| panic!("it has ended\n{status}"));
    while output.read(&mut buffer).expect("the pipe can be read") > 0 {}
    run.wait().expect(0).silent();
    fs::remove_file(pipe).expect("the pipe is ours");
    peak.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}

/// Rows are printed as they come, and not collected.
#[test]
#[cfg(target_os = "linux")]
fn ten_million_rows_of_sqlite_pass_through_little_memory() {
    let scene = Scene::new();
    table(&scene);
    // An unoptimized build takes a microsecond a row.
    let count = if cfg!(debug_assertions) { 3_000_000 } else { 10_000_000 };
    let peak = peak_kib(&scene, "a.db", &rows(count), count);
    println!("{count} rows of SQLite: at most {peak} KiB");
    assert!(peak < 16 << 10, "{peak} KiB");
}

#[test]
#[cfg(target_os = "linux")]
fn ten_million_rows_of_duckdb_take_hardly_more_memory_than_one() {
    if !crate::sql_crew::have_duckdb() {
        return;
    }
    let scene = Scene::new();
    let make = ["--create", "a.duckdb", "create table t (a int)"];
    sql(&scene, &make).run().expect(0);
    let peak = |count: u64| {
        let query = format!("select range from range(100000000, 100000000 + {count})");
        peak_kib(&scene, "a.duckdb", &query, count)
    };
    let (one, ten) = (peak(1_000_000), peak(10_000_000));
    println!("DuckDB: {one} KiB for a million rows, {ten} KiB for ten");
    assert!(ten <= one + (32 << 10) && ten <= 256 << 10, "{one} KiB, {ten} KiB");
}

/// What a batch that writes yields is held back until the commit: in a file, not in memory.
#[test]
#[cfg(target_os = "linux")]
fn rows_that_are_held_back_do_not_fill_the_memory() {
    let scene = Scene::new();
    table(&scene);
    // Thirty megabytes.
    let count = 300_000;
    let wide = rows(count).replace("select n from r", "select printf('%0100d', n) from r");
    let query = format!("delete from t; {wide}");
    let peak = peak_kib(&scene, "a.db", &query, count);
    println!("{count} rows held back: at most {peak} KiB");
    assert!(peak < 16 << 10, "{peak} KiB");
    let what = "nothing is left in the scene's queue";
    crate::process::until(what, || scene.queue("a.db").is_empty());
}
