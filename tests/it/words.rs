//! What is said: the words of an interruption, of a guess, of a log, and the JSON of an error.

use crate::scene::Scene;

#[test]
#[cfg(target_os = "linux")]
fn an_interrupted_wait_names_the_signal_and_the_file() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let mut waiter = scene.queue_up("a.db", &["-w", "inf"]);
    waiter.process.signal(crate::system::Signal::TERM);
    waiter.process.wait().expect(143).says("interrupted by SIGTERM while waiting for a.db");
    holder.end().expect(0);
}

#[test]
fn a_refusal_says_how_to_wait_and_json_has_the_real_exit_code() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75).says("leave -n out");
    let run = scene.dbguard(["exec", "--json", "-n", "-E", "9", "a.db", "--", "true"]).run();
    assert_eq!(run.expect(9).error_document()["exit_code"], 9);
    holder.end().expect(0);
}

#[test]
fn a_translated_name_says_what_is_locked() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let run = scene.dbguard(["exec", "a.db-wal", "--", "true"]).run().expect(0);
    run.says("locking a.db: a -wal file belongs to its SQLite database");
}

/// shard-1.db is no misspelt shard-2.db.
#[test]
fn a_similar_name_is_not_suggested_where_it_is_meant() {
    let scene = Scene::new();
    scene.file("shard-1.db", "");
    let run = |words: &[&str]| scene.dbguard(["exec"]).words(words).run().expect(0);
    run(&["shard-2.db", "--", "true"]).silent();
    run(&["shard-1.db", "shards-1.db", "--", "true"]).silent();
    run(&["shurd-1.db", "--", "true"]).says("shard-1.db");
    let nested = "\"$DBGUARD\" exec shord-1.db -- true";
    run(&["shard-1.db", "--", "sh", "-c", nested]).silent();
}

/// With `--json` every line on standard error is JSON, those of the log too, and a number in
/// them is a number.
#[test]
fn a_log_tells_every_stage_and_is_json_where_json_was_asked_for() {
    let scene = Scene::new();
    let run = scene.dbguard(["exec", "--json", "-vv", "a.db", "--", "true"]).run().expect(0);
    let lines: Vec<serde_json::Value> =
        run.stderr.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let line = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("`{message}` in {}", run.stderr))
    };
    let stages = [
        "the command is found",
        "locks are wanted",
        "looked for native locks",
        "the command has ended",
        "the locks are given back",
    ];
    for message in stages {
        line(message);
    }
    assert!(line("a lock is granted")["fence"].is_u64());
    assert!(line("the command runs")["pid"].is_u64());
}

#[test]
#[cfg(target_os = "linux")]
fn a_small_limit_of_descriptors_comes_with_a_hint() {
    let scene = Scene::new();
    let said = (3..16).any(|limit| {
        let script = format!("ulimit -n {limit}; exec \"$DBGUARD\" exec a.db -- true");
        scene.shell(&script).run().stderr.contains("ulimit -n")
    });
    assert!(said);
}
