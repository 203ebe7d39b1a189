//! `sql`, `info`, `fix` and the others do their work.

use std::fs;

use crate::scene::{Done, Scene};

#[test]
fn sql_writes_and_reads() {
    let scene = Scene::new();
    scene
        .run(&["sql", "--create", "a.db", "CREATE TABLE t(n); INSERT INTO t VALUES (1), (2)"])
        .is(0);
    let told = scene.run(&["sql", "--no-header", "a.db", "SELECT sum(n) FROM t"]).is(0);
    assert_eq!(told.output.trim(), "3");
    scene.run(&["sql", "a.db", "SELECT nonsense"]).is(2);
    scene.run(&["sql", "missing.db", "SELECT 1"]).is(66);
}

#[test]
fn sql_of_many_at_once_loses_nothing() {
    let scene = Scene::new();
    scene.run(&["sql", "--create", "a.db", "CREATE TABLE t(n); INSERT INTO t VALUES (0)"]).is(0);
    let update = ["sql", "-w", "60", "a.db", "UPDATE t SET n = n + 1"];
    let start = |_| {
        let mut command = scene.dbguard(&update);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().expect("dbguard starts")
    };
    let all: Vec<_> = (0..6).map(start).collect();
    for child in all {
        Done::of(child.wait_with_output().expect("it ends")).is(0);
    }
    let told = scene.run(&["sql", "--no-header", "a.db", "SELECT n FROM t"]).is(0);
    assert_eq!(told.output.trim(), "6");
}

#[test]
fn sql_waits_for_the_turn_of_others() {
    let scene = Scene::new();
    scene.run(&["sql", "--create", "a.db", "CREATE TABLE t(n)"]).is(0);
    let holder = scene.hold(&["exec", "a.db"]);
    scene.run(&["sql", "-n", "a.db", "INSERT INTO t VALUES (1)"]).is(75);
    assert_eq!(holder.end(), 0);
    scene.run(&["sql", "-n", "a.db", "INSERT INTO t VALUES (1)"]).is(0);
}

#[test]
fn info_names_who_holds_and_who_waits() {
    let scene = Scene::new();
    scene.run(&["sql", "--create", "a.db", "CREATE TABLE t(n)"]).is(0);
    let free = scene.info("a.db");
    assert_eq!((&free["engine"], &free["guard"]["state"]), (&"sqlite".into(), &"free".into()));
    let holder = scene.hold(&["exec", "a.db"]);
    let waiter = scene.start(&["exec", "-w", "60", "a.db"], &["exit", "0"]);
    crate::scene::until("it waits", || scene.waiting("a.db") == 1);
    let held = scene.info("a.db");
    assert_eq!(held["guard"]["state"], "held");
    assert_eq!(held["guard"]["holders"][0]["pid"], holder.child.id());
    assert_eq!(held["guard"]["waiters"][0]["pid"], waiter.id());
    scene.run(&["info", "--check", "shared", "a.db"]).is(1);
    assert_eq!(holder.end(), 0);
    Done::of(waiter.wait_with_output().expect("it ends")).is(0);
    scene.run(&["info", "--check", "exclusive", "a.db"]).is(0);
}

#[test]
fn wait_returns_when_the_lock_could_be_had() {
    let scene = Scene::new();
    scene.run(&["wait", "-n", "a.db"]).is(0);
    let holder = scene.hold(&["exec", "a.db"]);
    scene.run(&["wait", "-n", "a.db"]).is(75);
    scene.run(&["wait", "-w", "200ms", "a.db"]).is(124);
    assert_eq!(holder.end(), 0);
    scene.run(&["wait", "-n", "a.db"]).is(0);
}

#[test]
fn fix_finds_nothing_to_do_where_nothing_is_wrong() {
    let scene = Scene::new();
    scene.run(&["sql", "--create", "a.db", "CREATE TABLE t(n)"]).is(0);
    let told = scene.run(&["fix", "--dry-run", "."]).is(0);
    assert!(told.output.contains("nothing was left behind"), "{told:?}");
    scene.run(&["fix", "."]).is(0);
    scene.run(&["sql", "a.db", "SELECT n FROM t"]).is(0);
}

#[test]
fn update_replaces_a_file_whole_or_not_at_all() {
    let scene = Scene::new();
    let file = scene.path("a.txt");
    fs::write(&file, "abc\n").expect("written");
    scene.play(&["update", "a.txt"], &["upper"]).is(0);
    assert!(fs::read_to_string(&file).expect("there").contains("ABC"));
    scene.play(&["update", "a.txt"], &["exit", "4"]).is(4);
    assert!(fs::read_to_string(&file).expect("there").contains("ABC"));
}

#[test]
fn every_grant_is_counted() {
    let scene = Scene::new();
    for _ in 0..3 {
        scene.play(&["exec", "a.db"], &["exit", "0"]).is(0);
    }
    let told = scene.run(&["stats", "--json", "a.db"]).is(0).output;
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["resources"][0]["acquisitions"]["exclusive"], 3);
}

#[test]
fn the_manual_and_the_completions_are_printed() {
    let scene = Scene::new();
    assert!(scene.run(&["man"]).is(0).output.contains("dbguard"));
    assert!(scene.run(&["completions", "bash"]).is(0).output.contains("dbguard"));
}
