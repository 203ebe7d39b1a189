//! `unlock`: it ends those who are proven to hold, and nobody else.

use std::fs;

use crate::scene::{Done, Scene, until};

fn with_file() -> Scene {
    let scene = Scene::new();
    fs::write(scene.path("a.db"), "").expect("written");
    scene
}

#[test]
fn where_nobody_holds_nobody_is_ended() {
    let scene = with_file();
    let done = scene.run(&["unlock", "--yes", "a.db"]).is(0);
    assert!(done.output.contains("is free"), "{done:?}");
    scene.run(&["unlock", "missing.db"]).is(66);
}

#[test]
fn a_holder_is_ended_and_others_are_left_alone() {
    let scene = with_file();
    let mut holder = scene.hold(&["exec", "a.db"]);
    let other = scene.hold(&["exec", "b.db"]);
    let done = scene.run(&["unlock", "a.db"]).is(64);
    assert!(done.errors.contains("unlock --yes"), "{done:?}");
    let done = scene.run(&["unlock", "--yes", "-w", "60", "a.db"]).is(0);
    assert!(done.output.contains("ended"), "{done:?}");
    assert!(!holder.child.wait().expect("it ends").success());
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(0);
    assert_eq!(other.end(), 0);
}

#[test]
fn a_holder_that_has_waited_and_is_waited_for_is_ended() {
    let scene = with_file();
    let first = scene.hold(&["exec", "a.db"]);
    let mut second = std::thread::scope(|scope| {
        let second = scope.spawn(|| scene.hold(&["exec", "-w", "60", "a.db"]));
        until("it waits", || scene.waiting("a.db") == 1);
        assert_eq!(first.end(), 0);
        second.join().expect("it has its turn")
    });
    let waiter = scene.start(&["exec", "-w", "60", "a.db"], &["exit", "0"]);
    until("another waits", || scene.waiting("a.db") == 1);
    // It is free, or held by the one that has waited.
    let done = scene.run(&["unlock", "--yes", "-w", "60", "a.db"]);
    assert!(matches!(done.code, 0 | 1), "{done:?}");
    until("it is ended", || second.child.try_wait().expect("ours").is_some());
    Done::of(waiter.wait_with_output().expect("it ends")).is(0);
}

#[test]
fn whoever_keeps_a_lease_is_ended() {
    let scene = with_file();
    let token = scene.run(&["acquire", "a.db"]).is(0).output;
    scene.run(&["unlock", "--yes", "-w", "60", "a.db"]).is(0);
    scene.run(&["release", "a.db", "--token", token.trim()]).is(1);
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(0);
}

/// A claim can say anything, and so can its name.
#[test]
fn nobody_is_ended_whom_only_a_claim_names() {
    let scene = with_file();
    scene.play(&["exec", "a.db"], &["exit", "0"]).is(0);
    let mut victim = scene.hold(&["exec", "b.db"]);
    let name = |file: &str| {
        let held = fs::read_dir(scene.path(".dbguard").join(file).join("held")).expect("there");
        let mut names = held.flatten().map(|entry| entry.file_name());
        names.find(|name| name.to_string_lossy().ends_with(".x")).expect("a claim")
    };
    let forged = scene.path(".dbguard/a.db/held").join(name("b.db"));
    fs::copy(scene.path(".dbguard/b.db/held").join(name("b.db")), &forged).expect("copied");
    // Its maker is alive as long as somebody has it locked.
    let forger = scene.hold_alone(&["lock", forged.to_str().expect("text")]);
    let done = scene.run(&["unlock", "--yes", "-w", "1", "a.db"]);
    assert!(victim.child.try_wait().expect("ours").is_none(), "{done:?}");
    assert_eq!(victim.end(), 0);
    drop(forger);
}
