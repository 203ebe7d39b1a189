//! `dbguard sql` on DuckDB files: modes, transactions, who else may have the file, and files that
//! other versions read.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::until;
use crate::scene::{Scene, have, skip};
use crate::sql_crew::{answer, ask_duckdb, document, have_duckdb, python, sql};

/// Makes an empty database.
fn empty(scene: &Scene) {
    sql(scene, &["--create", "a.duckdb", "create table nothing (a int)"]).run().expect(0).silent();
}

#[test]
fn the_modes_of_duckdb_batches() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    empty(&scene);
    let reader = scene.hold(["-s", "a.duckdb"]);
    for read in [
        "select 1",
        "from nothing",
        "with x as (select 1) from x",
        "describe nothing",
        "show tables",
        "explain from nothing",
        "-- comment\nvalues (1)",
    ] {
        sql(&scene, &["-n", "a.duckdb", "--", read]).run().expect(0);
    }
    for write in [
        "insert into nothing values (1)",
        "delete from nothing",
        "create table u (a int)",
        "select 1; drop table nothing",
        "vacuum",
        "checkpoint",
    ] {
        sql(&scene, &["-n", "a.duckdb", write]).run().expect(75).says("held by");
    }
    sql(&scene, &["-s", "a.duckdb", "delete from nothing"]).run().expect(64).says("leave -s out");
    reader.end().expect(0);
    let writer = scene.hold(["a.duckdb"]);
    sql(&scene, &["-n", "a.duckdb", "from nothing"]).run().expect(75);
    writer.end().expect(0);
    scene.assert_free("a.duckdb");
}

#[test]
fn a_batch_in_duckdb_is_one_transaction() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    let make =
        "create table t (id integer primary key, b varchar); insert into t values (1, 'one')";
    sql(&scene, &["--create", "a.duckdb", make]).run().expect(0).silent();
    let count = || ask_duckdb(&scene, "a.duckdb", "select count(*) from t");
    for (third, says) in [
        ("insert into t values (1, 'again')", "onstraint"),
        ("insert into missing values (1)", "missing"),
        ("select 'x'::integer", "Conversion"),
        ("slect 1", "slect"),
    ] {
        let script = format!("insert into t values (2, 'x'); create table u (a int); {third}");
        sql(&scene, &["a.duckdb", &script]).run().expect(2).answers("").says(says);
        assert_eq!(count(), "1", "{third}");
    }
    sql(&scene, &["a.duckdb", "begin; delete from t; commit"]).run().expect(64).says("BEGIN");
    let loose = "insert into t values (3, 'x'); insert into t values (1, 'again')";
    sql(&scene, &["--no-transaction", "a.duckdb", loose]).run().expect(2);
    assert_eq!(count(), "2");
    sql(&scene, &["a.duckdb", "insert into t values (?, ?) returning id, b", "9", "nine"])
        .run()
        .expect(0)
        .answers("id,b\n9,nine");
    let named = ["-p", "id:=11", "-p", "b=eleven", "a.duckdb"];
    let text = "insert into t values ($id, $b) returning b, id";
    sql(&scene, &named).words(["--no-header", text]).run().expect(0).answers("eleven,11");
    let condition = |truth: &str| {
        let change = "insert into t values (20, 'x')";
        sql(&scene, &["--if", &format!("select {truth}"), "a.duckdb", change]).run()
    };
    condition("count(*) = 0 from t").expect(1).says("--if");
    condition("count(*) > 0 from t").expect(0);
    condition("b = 'y' from t where id = 20").expect(1);
    assert_eq!(ask_duckdb(&scene, "a.duckdb", "select count(*) from t where id = 20"), "1");
}

#[test]
fn json_of_a_duckdb_batch_is_one_document() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    empty(&scene);
    let script = "insert into nothing values (1), (2); select a, a / 2 as half from nothing";
    let ended = sql(&scene, &["--json", "a.duckdb", script]).run().expect(0).silent();
    let found = document(&ended);
    assert_eq!((&found["schema"], &found["changed"]), (&json!(1), &json!(2)));
    assert_eq!((&found["statements"], &found["tries"]), (&json!(2), &json!(1)));
    let rows = json!([{ "a": 1, "half": 0.5 }, { "a": 2, "half": 1.0 }]);
    let results = found["results"].as_array().expect("a list");
    let last = results.last().expect("a result");
    assert_eq!(last["rows"], rows, "{}", ended.describe());
    assert_eq!(last["columns"][0], json!({ "name": "a", "type": "INTEGER" }));
    assert!(found["retry_wait_ms"].is_u64() && found["run_ms"].is_u64());
}

/// A program that opens the file again and again, without retries, beside twenty who wait for the
/// file to be free: asking never takes a lock, so it never fails.
#[test]
fn waiting_never_makes_an_opener_of_duckdb_fail() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    let make = "create table c (n bigint); insert into c values (0)";
    sql(&scene, &["--create", "a.duckdb", make]).run().expect(0);
    // As long as somebody reads, nobody who wants to write can begin: all of them only wait.
    let holder = "import duckdb, sys\n\
        db = duckdb.connect('a.duckdb', read_only=True)\n\
        open('up', 'w').write('up')\n\
        sys.stdin.read()\n";
    scene.file("holder.py", holder);
    let mut holder = scene.run("python3", ["holder.py"]).spawn_fed();
    holder.until("it has the file", || scene.path("up").exists());
    let change = "update c set n = n + 1";
    let wait = |_| sql(&scene, &["-q", "-w", "inf", "a.duckdb", change]).spawn();
    let waiters: Vec<_> = (0..20).map(wait).collect();
    until("nineteen are in the queue", || scene.queue("a.duckdb").len() == 19);
    until("one has its turn", || scene.held("a.duckdb").len() == 1);
    let opener = "import duckdb, time\n\
        end = time.monotonic() + 10\n\
        opened = 0\n\
        while time.monotonic() < end:\n\
        \tdb = duckdb.connect('a.duckdb', read_only=True)\n\
        \tassert db.execute('select n from c').fetchall() == [(0,)]\n\
        \tdb.close()\n\
        \topened += 1\n\
        print(opened)\n";
    let ended = python(&scene, "opener.py", opener).wait().expect(0).silent();
    println!("opened {} times beside 20 who wait", ended.stdout.trim());
    holder.close_input();
    holder.wait().expect(0);
    for mut waiter in waiters {
        waiter.wait().expect(0).silent();
    }
    assert_eq!(ask_duckdb(&scene, "a.duckdb", "select n from c"), "20");
}

/// The file is released: the first of those who wait starts soon.
#[test]
fn a_batch_starts_soon_after_duckdb_was_closed() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    let make = "create table c (n bigint); insert into c values (0)";
    sql(&scene, &["--create", "a.duckdb", make]).run().expect(0);
    let holder = "import duckdb, os, sys, time\n\
        db = duckdb.connect('a.duckdb')\n\
        open('up', 'w').write('up')\n\
        sys.stdin.read()\n\
        db.close()\n\
        print(time.clock_gettime_ns(time.CLOCK_MONOTONIC))\n\
        sys.stdout.flush()\n\
        open('closed', 'w').write('closed')\n\
        time.sleep(60)\n";
    scene.file("holder.py", holder);
    let mut delays = Vec::new();
    for round in 0..7 {
        for name in ["up", "closed"] {
            // Left by the round before.
            let _ = fs::remove_file(scene.path(name));
        }
        let mut holder = scene.run("python3", ["holder.py"]).spawn_fed();
        holder.until("it has the file", || scene.path("up").exists());
        let change = "update c set n = n + 1 returning n";
        let words = ["-w", "inf", "--no-header", "a.duckdb", change];
        let mut run = sql(&scene, &words).spawn();
        run.until("it has its turn", || scene.held("a.duckdb").len() == 1);
        holder.close_input();
        until("the file is closed", || scene.path("closed").exists());
        let begun = Instant::now();
        run.wait().expect(0).answers(&(round + 1).to_string());
        delays.push(begun.elapsed());
    }
    delays.sort_unstable();
    println!("from the release to the end of the batch: median {:?}, {delays:?}", delays[3]);
    assert!(delays[3] < Duration::from_secs(2), "{delays:?}");
}

#[test]
fn a_foreign_holder_of_duckdb_is_named_and_waited_for() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    empty(&scene);
    let holder = "import duckdb, sys\n\
        db = duckdb.connect('a.duckdb')\n\
        open('up', 'w').write('up')\n\
        sys.stdin.read()\n";
    scene.file("holder.py", holder);
    let mut holder = scene.run("python3", ["holder.py"]).spawn_fed();
    holder.until("it has the file", || scene.path("up").exists());
    let pid = holder.pid().to_string();
    for statement in ["select 1", "insert into nothing values (1)"] {
        let run = |options: &[&str]| sql(&scene, options).words(["a.duckdb", statement]).run();
        run(&["-n"]).expect(75).says(&pid);
        run(&["--native", "fail"]).expect(75).says(&pid);
        let begun = Instant::now();
        run(&["-w", "0.7"]).expect(124).says(&pid);
        assert!(begun.elapsed() >= Duration::from_millis(700));
        let begun = Instant::now();
        run(&["-w", "0.7", "--native", "ignore"]).expect(124).says("busy");
        assert!(begun.elapsed() >= Duration::from_millis(700));
        run(&["--retries", "0", "--native", "ignore"]).expect(75).says("busy");
    }
    let words =
        ["-v", "-w", "inf", "--native", "ignore", "a.duckdb", "insert into nothing values (7)"];
    let run = sql(&scene, &words).spawn();
    until("it tries again", || run.stderr().matches("; retry ").count() >= 2);
    holder.kill();
    let mut run = run;
    run.wait().expect(0);
    assert_eq!(ask_duckdb(&scene, "a.duckdb", "from nothing"), "7");
    scene.assert_free("a.duckdb");
}

/// What dbguard makes can be opened and written by DuckDB 1; what others made stays as it is.
#[test]
fn files_stay_open_to_other_versions() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    // Bytes 12 to 19 of the file are the storage version.
    let version = |file: &str| fs::read(scene.path(file)).expect("it is there")[12..20].to_vec();
    let make = "create table t (a int); insert into t values (1)";
    sql(&scene, &["--create", "new.duckdb", make]).run().expect(0);
    let made = version("new.duckdb");
    ask_duckdb(&scene, "new.duckdb", "insert into t values (2)");
    assert_eq!(answer(&scene, &["--no-header", "new.duckdb", "select sum(a) from t"]), "3\n");
    assert_eq!(version("new.duckdb"), made);
    ask_duckdb(&scene, "old.duckdb", make);
    let made = version("old.duckdb");
    sql(&scene, &["old.duckdb", "insert into t values (5)"]).run().expect(0);
    assert_eq!(version("old.duckdb"), made);
    assert_eq!(ask_duckdb(&scene, "old.duckdb", "select sum(a) from t"), "6");
}

#[test]
fn extensions_and_dot_commands_have_a_sentence() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    empty(&scene);
    for word in ["install httpfs", "load httpfs", "select 1; LOAD spatial"] {
        let refused = sql(&scene, &["a.duckdb", word]).run().expect(64);
        refused.says("dbguard loads no extensions").says("duckdb FILE");
    }
    for (word, says) in [(".tables", "show tables"), (".mode csv", "--format"), (".dump", "exec")] {
        sql(&scene, &["a.duckdb", word]).run().expect(64).says(says);
    }
    assert_eq!(answer(&scene, &["--no-header", "a.duckdb", "select json_valid('[1]')"]), "true\n");
}

#[test]
fn bad_duckdb_files_are_refused_and_left_alone() {
    if !have_duckdb() {
        return;
    }
    let scene = Scene::new();
    empty(&scene);
    let good = fs::read(scene.path("a.duckdb")).expect("it is there");
    let mut newer = good.clone();
    newer[12] = 0xf0;
    scene.file("newer.duckdb", &newer);
    scene.file("short.duckdb", &good[..4096]);
    for file in ["newer.duckdb", "short.duckdb"] {
        let before = fs::read(scene.path(file)).expect("it is there");
        for statement in ["select 1", "create table t (a int)"] {
            sql(&scene, &[file, statement]).run().expect_any(&[65, 74]).says(file);
        }
        assert_eq!(fs::read(scene.path(file)).expect("it is there"), before, "{file}");
    }
    sql(&scene, &["no.duckdb", "select 1"]).run().expect(66).says("--create");
    assert!(!scene.path("no.duckdb").exists());
    // An empty file is no database of DuckDB, until something is made of it.
    scene.file("empty.duckdb", "");
    sql(&scene, &["empty.duckdb", "select 1"]).run().expect_any(&[0, 65]);
}

/// Without DuckDB inside, its files have a clear refusal.
#[test]
fn a_duckdb_file_without_duckdb_is_refused_in_a_sentence() {
    if !have(&["duckdb"]) {
        return;
    }
    let scene = Scene::new();
    ask_duckdb(&scene, "a.duckdb", "create table t (a int)");
    let before = fs::read(scene.path("a.duckdb")).expect("it is there");
    let ended = sql(&scene, &["a.duckdb", "select 1 as a"]).run().expect_any(&[0, 69]);
    if ended.code == Some(0) {
        skip("this dbguard has DuckDB");
        return;
    }
    ended.says("built without DuckDB").says("--features duckdb").answers("");
    assert_eq!(fs::read(scene.path("a.duckdb")).expect("it is there"), before);
}
