//! Two conflicting holders never run together, and nobody waits for the dead.

use std::fs::File;
use std::process::Child;

use crate::scene::{Done, Scene, until};

fn end_of(child: Child) -> Done {
    Done::of(child.wait_with_output().expect("it ends"))
}

#[test]
fn who_does_not_want_to_wait_is_told_who_holds() {
    let scene = Scene::new();
    let holder = scene.hold(&["exec", "a.db"]);
    let done = scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(75);
    assert!(done.errors.contains("a.db is locked"), "{done:?}");
    assert!(done.errors.contains("held by"), "{done:?}");
    assert_eq!(holder.end(), 0);
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(0);
}

#[test]
fn a_wait_ends_with_its_deadline() {
    let scene = Scene::new();
    let _holder = scene.hold(&["exec", "a.db"]);
    scene.play(&["exec", "-w", "300ms", "a.db"], &["exit", "0"]).is(124);
    scene.play(&["exec", "-w", "300ms", "-E", "9", "a.db"], &["exit", "0"]).is(9);
    assert_eq!(scene.waiting("a.db"), 0, "who gave up left its place");
}

#[test]
fn readers_share_and_a_writer_waits_for_all_of_them() {
    let scene = Scene::new();
    let first = scene.hold(&["exec", "-s", "a.db"]);
    let second = scene.hold(&["exec", "-s", "a.db"]);
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(75);
    assert_eq!(first.end(), 0);
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(75);
    assert_eq!(second.end(), 0);
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(0);
}

#[test]
fn those_who_wait_are_served_in_the_order_they_came() {
    let scene = Scene::new();
    let log = scene.path("log");
    let log = log.to_str().expect("text");
    let holder = scene.hold(&["exec", "a.db"]);
    let mut waiters = Vec::new();
    for place in 1..=3 {
        let text = format!("{place}");
        waiters.push(scene.start(&["exec", "-w", "60", "a.db"], &["note", log, &text]));
        until("it waits", || scene.waiting("a.db") == place);
    }
    assert_eq!(holder.end(), 0);
    for waiter in waiters {
        end_of(waiter).is(0);
    }
    assert_eq!(std::fs::read_to_string(log).expect("a log"), "123");
}

#[test]
fn no_update_is_lost_among_many() {
    let scene = Scene::new();
    let counter = scene.path("counter");
    let counter = counter.to_str().expect("text");
    let workers: Vec<Child> =
        (0..8).map(|_| scene.start(&["exec", "-w", "60", "a.db"], &["count", counter])).collect();
    for worker in workers {
        end_of(worker).is(0);
    }
    assert_eq!(std::fs::read_to_string(counter).expect("a number"), "8");
}

#[test]
fn a_killed_holder_is_not_waited_for_once_its_command_has_ended() {
    let scene = Scene::new();
    let mut holder = scene.hold(&["exec", "a.db"]);
    holder.kill();
    // The command ends with its input, or with dbguard.
    drop(holder);
    scene.play(&["exec", "-w", "60", "a.db"], &["exit", "0"]).is(0);
}

#[test]
fn who_waits_behind_a_killed_waiter_has_its_turn() {
    let scene = Scene::new();
    let holder = scene.hold(&["exec", "a.db"]);
    let mut killed = scene.start(&["exec", "-w", "60", "a.db"], &["exit", "0"]);
    until("it waits", || scene.waiting("a.db") == 1);
    let next = scene.start(&["exec", "-w", "60", "a.db"], &["exit", "4"]);
    until("both wait", || scene.waiting("a.db") == 2);
    killed.kill().expect("it runs");
    killed.wait().expect("it ends");
    assert_eq!(holder.end(), 0);
    end_of(next).is(4);
}

#[test]
fn whoever_locks_the_documented_file_takes_part() {
    let scene = Scene::new();
    let path = scene.run(&["path", "a.db"]).is(0).output;
    let path = path.trim_end();
    let other = scene.hold_alone(&["lock", path]);
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(75);
    let waiter = scene.start(&["exec", "-w", "60", "a.db"], &["exit", "5"]);
    until("it waits", || scene.waiting("a.db") == 1);
    assert_eq!(other.end(), 0);
    end_of(waiter).is(5);
    let holder = scene.hold(&["exec", "a.db"]);
    let lock = File::options().read(true).write(true).open(path).expect("it is there");
    assert!(lock.try_lock().is_err(), "dbguard holds it");
    assert_eq!(holder.end(), 0);
    lock.try_lock().expect("it is free");
}

#[test]
fn keys_do_not_block_each_other_and_the_whole_blocks_them_all() {
    let scene = Scene::new();
    let ana = scene.hold(&["exec", "-k", "ana", "a.db"]);
    scene.play(&["exec", "-n", "-k", "bo", "a.db"], &["exit", "0"]).is(0);
    scene.play(&["exec", "-n", "-k", "ana", "a.db"], &["exit", "0"]).is(75);
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(75);
    assert_eq!(ana.end(), 0);
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(0);
}

#[test]
fn a_call_inside_a_call_joins_its_lock() {
    let scene = Scene::new();
    let dbguard = env!("CARGO_BIN_EXE_dbguard");
    let done = scene.run(&[
        "exec",
        "a.db",
        "--",
        dbguard,
        "exec",
        "-n",
        "a.db",
        "--",
        dbguard,
        "--version",
    ]);
    assert!(done.is(0).output.contains("dbguard"));
    let shared =
        ["exec", "-s", "a.db", "--", dbguard, "exec", "-n", "a.db", "--", dbguard, "--version"];
    scene.run(&shared).is(79);
}

#[test]
fn several_files_are_taken_together_in_whatever_order_they_are_named() {
    let scene = Scene::new();
    let both = scene.hold(&["exec", "a.db", "b.db"]);
    scene.play(&["exec", "-n", "b.db"], &["exit", "0"]).is(75);
    let other = scene.start(&["exec", "-w", "60", "b.db", "a.db"], &["exit", "3"]);
    assert_eq!(both.end(), 0);
    end_of(other).is(3);
}
