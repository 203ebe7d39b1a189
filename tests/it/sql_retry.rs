//! `dbguard sql` among programs that know nothing of dbguard: it waits, tries again and gives up
//! in time, and none of it shows in the results.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::{Process, until};
use crate::scene::{Scene, have, wine_lacks};
use crate::sql_crew::{Foreigner, Shell, ask, assert_sound, database, document, sql};

/// Who is in the way of a writer: the journal mode of the file, and what he does.
const HOLDERS: [(&str, &str); 5] = [
    ("delete", "begin immediate; insert into c values (100);"),
    ("delete", "begin exclusive;"),
    ("delete", "begin; select * from c;"),
    ("wal", "begin immediate; insert into c values (100);"),
    ("wal", "begin exclusive;"),
];

/// Whether the system tells who has locked a part of a file.
const NAMES_HOLDERS: bool = cfg!(target_os = "linux");

/// What a writer does.
const CHANGE: &str = "update c set n = n + 1 returning n";

fn counter(scene: &Scene, journal: &str) {
    database(scene, "a.db", journal, "create table c (n); insert into c values (0);");
}

/// Waits until dbguard has tried again so many times.
fn until_retried(run: &Process, times: usize) {
    until("it tries again", || run.stderr().matches("; retry ").count() >= times);
}

#[test]
fn a_writer_waits_for_whoever_is_inside_and_then_succeeds() {
    if !have(&["sqlite3"]) {
        return;
    }
    for (journal, locks) in HOLDERS {
        let scene = Scene::new();
        counter(&scene, journal);
        let mut peer = Shell::doing(&scene, "a.db", locks);
        let mut run = sql(&scene, &["-w", "inf", "--no-header", "a.db", CHANGE]).spawn();
        run.until("it has its turn", || scene.held("a.db").len() == 1);
        peer.run("rollback;");
        peer.leave();
        run.wait().expect(0).answers("1").silent();
        assert_sound(&scene, "a.db");
    }
}

/// Without looking at native locks the engine refuses; the batch is tried until it is through,
/// and what the tries before yielded is not printed.
#[test]
fn a_batch_that_is_tried_again_prints_its_rows_once() {
    if !have(&["sqlite3"]) {
        return;
    }
    for (journal, locks) in HOLDERS {
        let scene = Scene::new();
        counter(&scene, journal);
        let mut peer = Shell::doing(&scene, "a.db", locks);
        let words = ["--native", "ignore", "-v", "-w", "inf", "--json", "a.db", CHANGE];
        let mut run = sql(&scene, &words).spawn();
        until_retried(&run, 3);
        assert_eq!(run.stdout(), "", "a try that failed has printed");
        peer.run("rollback;");
        peer.leave();
        let ended = run.wait().expect(0);
        let found = document(&ended);
        assert_eq!(found["results"][0]["rows"], json!([{ "n": 1 }]), "{}", ended.describe());
        assert_eq!(found["results"].as_array().map(Vec::len), Some(1), "{}", ended.describe());
        let tries = found["tries"].as_u64().expect("a number");
        let told = ended.stderr.matches("; retry ").count() as u64;
        assert_eq!((tries, tries > 3), (told + 1, true), "{}", ended.describe());
        assert!(found["retry_wait_ms"].as_u64().is_some_and(|waited| waited > 0));
        assert!(found["run_ms"].is_u64(), "{}", ended.describe());
        assert_eq!(ask(&scene, "a.db", "select n from c"), "1");
    }
}

/// What the first statements of a try did is undone before the next one.
#[test]
fn a_try_that_fails_leaves_nothing() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "delete");
    let mut reader = Shell::doing(&scene, "a.db", "begin; select * from c;");
    let script = "insert into c values (7); update c set n = n + 1; select count(*), sum(n) from c";
    let words = ["--native", "ignore", "-v", "-w", "inf", "--no-header", "a.db", script];
    let mut run = sql(&scene, &words).spawn();
    until_retried(&run, 2);
    reader.run("select * from c; commit;");
    reader.leave();
    run.wait().expect(0).answers("2,9").says("tries, ");
    assert_eq!(ask(&scene, "a.db", "select count(*), sum(n) from c"), "2|9");
}

/// In write-ahead logging readers never wait; with a rollback journal they wait for the commit.
#[test]
fn a_reader_waits_only_for_what_keeps_readers_out() {
    if !have(&["sqlite3"]) {
        return;
    }
    for (journal, locks) in HOLDERS {
        let scene = Scene::new();
        counter(&scene, journal);
        let peer = Shell::doing(&scene, "a.db", locks);
        let code = if (journal, locks) == ("delete", "begin exclusive;") { 75 } else { 0 };
        let read = sql(&scene, &["-n", "--no-header", "a.db", "select n from c"]).run();
        let read = read.expect(code);
        if code == 0 {
            read.answers("0");
        } else if NAMES_HOLDERS {
            read.says(&peer.pid().to_string());
        }
        peer.leave();
    }
}

/// Giving up: by the clock and never before, at once with -n, and the message names who it was.
#[test]
fn giving_up_names_the_holder_and_never_comes_early() {
    if wine_lacks("reads that a lock on bytes refuses") || !have(&["sqlite3"]) {
        return;
    }
    for (journal, locks) in HOLDERS {
        let scene = Scene::new();
        counter(&scene, journal);
        let peer = Shell::doing(&scene, "a.db", locks);
        let pid = peer.pid().to_string();
        let run = |options: &[&str]| sql(&scene, options).words(["a.db", CHANGE]).run();
        // An open reader keeps nobody from starting, and dbguard out at the commit.
        let is_named = NAMES_HOLDERS && !locks.contains("select");
        for options in [&["-w", "0.7"][..], &["-w", "0.7", "--native", "ignore"]] {
            let begun = Instant::now();
            let ended = run(options).expect(124).answers("");
            assert!(begun.elapsed() >= Duration::from_millis(700), "{}", ended.describe());
            let ended = ended.says("a.db is still busy after 0.7s");
            if options.len() == 2 && is_named {
                ended.says(&pid).says("which has run for");
            }
        }
        let named = [&["-n"][..], &["-w", "0"], &["--native", "fail"]];
        for options in named {
            let ended = run(options).expect(75).answers("").says("a.db is busy");
            if is_named {
                ended.says(&pid);
            }
        }
        run(&["-n", "--native", "ignore"]).expect(75).says("a.db is busy").says("SQLITE_BUSY");
        let ended = run(&["-n", "--json"]).expect(75);
        let found = ended.error_document();
        assert_eq!(found["code"], "would_block", "{}", ended.describe());
        if is_named {
            assert_eq!(found["holder"]["pid"], peer.pid(), "{}", ended.describe());
        }
        peer.leave();
        assert_eq!(ask(&scene, "a.db", "select n from c"), "0");
        scene.assert_free("a.db");
    }
}

#[test]
fn retries_are_as_many_as_asked_for() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "wal");
    let peer = Shell::doing(&scene, "a.db", "begin immediate;");
    let run = |options: &[&str]| {
        let words = ["--native", "ignore", "-v", "-w", "inf"];
        sql(&scene, &words).words(options).words(["a.db", CHANGE])
    };
    for (times, says) in [("0", "a.db is busy"), ("3", "a.db is still busy after 3 retries")] {
        let ended = run(&["--retries", times]).run().expect(75).says(says).says("SQLITE_BUSY");
        let told = ended.stderr.matches("; retry ").count().to_string();
        assert_eq!(told, times, "{}", ended.describe());
    }
    let ended = run(&[]).env("DBGUARD_RETRIES", "2").run().expect(75);
    ended.says("after 2 retries");
    peer.leave();
    scene.assert_free("a.db");
}

/// The holder is killed: the kernel drops his locks, and what he left half-done is rolled back.
#[test]
fn a_holder_that_is_killed_stands_in_nobodys_way() {
    if !have(&["sqlite3"]) {
        return;
    }
    for (journal, locks) in HOLDERS {
        for native in ["wait", "ignore"] {
            let scene = Scene::new();
            counter(&scene, journal);
            let peer = Shell::doing(&scene, "a.db", locks);
            let words = ["-v", "--native", native, "-w", "inf", "--no-header", "a.db", CHANGE];
            let mut run = sql(&scene, &words).spawn();
            run.until("it has its turn", || scene.held("a.db").len() == 1);
            let killed = Instant::now();
            peer.kill();
            run.wait().expect(0).answers("1");
            println!("{journal} {locks} {native}: on after {:?}", killed.elapsed());
            assert_eq!(ask(&scene, "a.db", "select n from c"), "1");
            assert_sound(&scene, "a.db");
        }
    }
}

/// A batch reads first and writes then, while others commit in between: as a transaction that
/// only becomes a writer later it would fail with `SQLITE_BUSY_SNAPSHOT`, whatever the timeout.
#[test]
fn a_batch_that_reads_first_never_loses_its_snapshot() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    let fill = "create table c (n); insert into c values (0); \
                create table foreigners (n); insert into foreigners values (0);";
    database(&scene, "a.db", "wal", fill);
    let change = ["update foreigners set n = n + 1"];
    let writer = Foreigner::doing(&scene, "a.db", "60000", &change, Duration::ZERO);
    let script = "select n from foreigners; select count(*) from c; update c set n = n + 1";
    let times = if cfg!(windows) { 8 } else { 40 };
    for native in ["wait", "ignore"] {
        for _ in 0..times {
            let words = ["-v", "-w", "50", "--native", native, "a.db", script];
            sql(&scene, &words).run().expect(0).never_says("SNAPSHOT");
        }
    }
    let written = writer.end().to_string();
    assert_eq!(ask(&scene, "a.db", "select n from foreigners"), written);
    assert_eq!(ask(&scene, "a.db", "select n from c"), (2 * times).to_string());
}

/// Readers that overlap without end would keep a writer out for ever, were his commit to wait
/// until nobody reads.
#[test]
fn readers_that_overlap_without_end_do_not_starve_a_writer() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "delete");
    let turn = ["begin; select n from c", "commit"];
    let pause = Duration::from_millis(30);
    let readers = [(); 4].map(|()| Foreigner::doing(&scene, "a.db", "60000", &turn, pause));
    let mut retries = 0;
    for number in 1..=10 {
        let ended = sql(&scene, &["--json", "-w", "50", "a.db", CHANGE]).run().expect(0);
        let found = document(&ended);
        assert_eq!(found["results"][0]["rows"], json!([{ "n": number }]));
        retries += found["tries"].as_u64().expect("a number") - 1;
    }
    println!("10 commits among readers without end, {retries} retries");
    for reader in readers {
        reader.end();
    }
}

/// Statements for themselves cannot be repeated; the engine waits at each of them instead.
#[test]
fn without_a_transaction_each_statement_waits_and_none_is_done_twice() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "wal");
    let mut peer = Shell::doing(&scene, "a.db", "begin immediate;");
    let script = "select 'first'; insert into c values (1); insert into c values (2)";
    let words = ["--no-transaction", "--native", "ignore", "--no-header", "a.db", script];
    let mut run = sql(&scene, &words).words(["-w", "inf"]).spawn();
    run.until("it has its turn", || scene.held("a.db").len() == 1);
    peer.run("commit;");
    run.wait().expect(0).answers("first");
    assert_eq!(ask(&scene, "a.db", "select count(*) from c"), "3");
    peer.run("begin immediate;");
    let begun = Instant::now();
    let late = sql(&scene, &words).words(["-w", "0.5"]).run().expect_any(&[75, 124]);
    assert!(begun.elapsed() >= Duration::from_millis(500), "{}", late.describe());
    peer.leave();
    assert_eq!(ask(&scene, "a.db", "select count(*) from c"), "3");
}

/// Scripts set it from habit; SQLite would then wait by itself, deaf to Ctrl-C and to -w.
#[test]
fn a_busy_timeout_in_the_script_does_not_outlast_the_deadline() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "delete");
    let peer = Shell::doing(&scene, "a.db", "begin exclusive;");
    for script in [
        "pragma busy_timeout = 100000; select n from c",
        "pragma busy_timeout(100000);\
         update c set n = 1",
    ] {
        for loose in [&[][..], &["--no-transaction"]] {
            let words = ["--native", "ignore", "-w", "0.3", "a.db", script];
            sql(&scene, &words).words(loose).run().expect_any(&[75, 124]);
        }
    }
    peer.leave();
    let words =
        ["--no-header", "a.db", "pragma busy_timeout = 9; update c set n = 4; select n from c"];
    sql(&scene, &words).run().expect(0).answers("4");
}
