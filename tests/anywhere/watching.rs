//! `watch`: what happens is told, of the right process, and the end that was asked for is one.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::scene::{Done, Scene};

fn with_file() -> Scene {
    let scene = Scene::new();
    fs::write(scene.path("a.db"), "").expect("written");
    scene
}

fn watch(scene: &Scene, options: &[&str]) -> Child {
    let words = [&["watch", "--json", "--interval", "50ms"], options, &["a.db"]].concat();
    let mut command = scene.dbguard(&words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("dbguard starts")
}

fn end_of(child: Child) -> Done {
    Done::of(child.wait_with_output().expect("it ends"))
}

#[test]
fn a_watch_ends_when_what_it_waits_for_has_come() {
    let scene = with_file();
    end_of(watch(&scene, &["--until", "free", "-w", "60"])).is(0);
    let for_holder = watch(&scene, &["--until", "held", "-w", "60"]);
    let holder = scene.hold(&["exec", "a.db"]);
    end_of(for_holder).is(0);
    let done = end_of(watch(&scene, &["--until", "free", "-w", "200ms"])).is(124);
    assert!(done.errors.contains("still held"), "{done:?}");
    let for_end = watch(&scene, &["--until", "free", "-w", "60"]);
    assert_eq!(holder.end(), 0);
    end_of(for_end).is(0);
}

#[test]
fn a_wait_a_release_and_a_grant_are_told_of_the_right_process() {
    let scene = with_file();
    let holder = scene.hold(&["exec", "a.db"]);
    let first = holder.child.id();
    let mut watching = watch(&scene, &[]);
    let mut lines = BufReader::new(watching.stdout.take().expect("it is piped")).lines();
    let mut next = |name: &str, pid: u32| loop {
        let line = lines.next().expect("it goes on").expect("text");
        let event: Value = serde_json::from_str(&line).expect("a line of JSON");
        if event["event"] == name && event["pid"] == pid {
            return event;
        }
    };
    assert_eq!(next("acquired", first)["initial"], true);
    let waiter = scene.start(&["exec", "-w", "60", "a.db"], &["exit", "0"]);
    assert_eq!(next("waiting", waiter.id())["initial"], false);
    assert_eq!(holder.end(), 0);
    next("released", first);
    end_of(waiter).is(0);
    let later = scene.hold(&["exec", "a.db"]);
    assert_eq!(next("acquired", later.child.id())["mode"], "exclusive");
    watching.kill().expect("it runs");
    watching.wait().expect("it ends");
    assert_eq!(later.end(), 0);
}
