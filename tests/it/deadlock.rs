//! Waits that could never end are found and refused, and only those (L8).

use crate::process::{Process, until};
use crate::scene::Scene;

/// Starts a process that holds `first`, and when `go` exists waits for `second`.
fn crossing(scene: &Scene, first: &str, second: &str) -> Process {
    let script = format!(
        "echo up >{first}.up; until test -e go; do read word <tick; done; \
         \"$DBGUARD\" exec -w inf {second} -- printf through >{first}.through"
    );
    let mut process = scene.dbguard(["exec", first, "--", "sh", "-c", &script]).spawn();
    process.until("it holds its first", || !scene.read(format!("{first}.up")).is_empty());
    process
}

/// Makes the pairs hold and wait in a circle; returns how they ended.
fn circle(names: &[&str]) -> Vec<(Option<i32>, String)> {
    let scene = Scene::new();
    // A regular file: reading it returns at once. The shells look for `go` in between.
    scene.file("tick", "\n");
    let next = |index: usize| names[(index + 1) % names.len()];
    let mut all: Vec<Process> =
        names.iter().enumerate().map(|(index, name)| crossing(&scene, name, next(index))).collect();
    scene.file("go", "");
    let ends = all.iter_mut().map(|process| {
        let ended = process.wait();
        (ended.code, ended.stderr)
    });
    let ends = ends.collect();
    for name in names {
        scene.assert_free(name);
    }
    ends
}

#[track_caller]
fn assert_one_is_refused(names: &[&str]) {
    let ends = circle(names);
    let refused: Vec<_> = ends.iter().filter(|(code, _)| *code == Some(79)).collect();
    let through = ends.iter().filter(|(code, _)| *code == Some(0)).count();
    assert!(refused.len() == 1 && through == names.len() - 1, "{ends:#?}");
    for name in names {
        assert!(refused[0].1.contains(name), "the message names every file: {ends:#?}");
    }
}

#[test]
fn l8_two_that_wait_for_each_other_one_is_refused_and_the_other_goes_on() {
    assert_one_is_refused(&["a.db", "b.db"]);
}

#[test]
fn l8_a_circle_of_three_is_found_and_only_one_is_refused() {
    assert_one_is_refused(&["a.db", "b.db", "c.db"]);
}

/// L8: readers in a circle: exclusive waits for shared holders close it as well.
#[test]
fn l8_the_message_names_every_process_on_the_circle() {
    let ends = circle(&["a.db", "b.db"]);
    let (_, message) = ends.iter().find(|(code, _)| *code == Some(79)).expect("one is refused");
    let pids = message.matches("pid ").count();
    assert!(pids >= 2, "{message}");
}

/// L8: a background job that outlives its call is under no lock any more: no circle is closed
/// by it, however long it waits.
#[test]
fn l8_a_waiter_whose_call_has_ended_closes_no_circle() {
    let scene = Scene::new();
    let script = "echo \"$DBGUARD_HELD\" >held; read word";
    let mut holder = scene.dbguard(["exec", "b.db", "--", "sh", "-c", script]).spawn_fed();
    holder.until("it holds", || scene.read("held").ends_with('\n'));
    let script = "\"$DBGUARD\" exec -w inf b.db -- printf through >through 2>&1 & \
                  until test -n \"$(ls .dbguard/b.db/queue)\"; do :; done";
    let mut caller = scene.dbguard(["exec", "a.db", "--", "sh", "-c", script]).spawn();
    caller.wait().expect(0);
    let other = scene.hold(["a.db"]);
    // Inside b.db's hold, wait for a.db: a circle, if the job still counted as under a.db.
    let options = ["exec", "-w", "3.5", "a.db", "--", "true"];
    let held = scene.read("held");
    assert!(!held.trim().is_empty(), "the command's token");
    scene.dbguard(options).env("DBGUARD_HELD", held.trim()).run().expect(124);
    other.end().expect(0);
    holder.close_input();
    // What `read` says at the end of its input.
    holder.wait().expect_any(&[0, 1]);
    until("the job gets through", || !scene.read("through").is_empty());
    until("nobody is left", || scene.held("b.db").is_empty() && scene.queue("b.db").is_empty());
}

/// Waiting in line for something held by somebody who waits for nobody is no circle.
#[test]
fn a_long_line_is_no_circle() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let script = "\"$DBGUARD\" exec -w 3.5 a.db -- true";
    let run = scene.dbguard(["exec", "b.db", "--", "sh", "-c", script]);
    run.run().expect(124);
    holder.end().expect(0);
}

/// L8, D1: a script that locks its own descriptor and then calls dbguard waits for itself.
#[test]
#[cfg(target_os = "linux")]
fn d1_a_call_that_waits_for_its_own_shells_descriptor_is_refused() {
    let scene = Scene::new();
    let script = "exec 9<>\"$(\"$DBGUARD\" path a.db)\"; \"$DBGUARD\" exec --fd 9 a.db || exit; \
                  env -i \"$DBGUARD\" exec -w inf a.db -- true";
    scene.shell(script).run().expect(79);
}

/// L8: a holder that has something else to wait for is no part of a circle: it may end, and let
/// go, although its background job waits.
#[test]
fn l8_a_waiter_in_the_background_of_a_busy_holder_is_no_deadlock() {
    let scene = Scene::new();
    let script = "sh -c 'echo $$ >busy; sleep 600' & until test -e go; do read word <tick; done; \
                  \"$DBGUARD\" exec -w 4 a.db -- true & wait; exit 0";
    scene.file("tick", "\n");
    let mut first = scene.dbguard(["exec", "b.db", "--", "sh", "-c", script]).spawn();
    first.until("it holds b.db", || scene.read("busy").ends_with('\n'));
    let nested = ["exec", "a.db", "--", env!("CARGO_BIN_EXE_dbguard")];
    let nested = scene.dbguard(nested).words(["exec", "-w", "inf", "b.db", "--", "true"]);
    let mut second = nested.spawn();
    scene.until_queue("b.db", 1);
    scene.file("go", "");
    scene.until_queue("a.db", 1);
    // The background wait ends by its own deadline, after several ticks, not by a refusal.
    until("it has given up", || scene.queue("a.db").is_empty());
    let busy: u32 = scene.read("busy").trim().parse().expect("a number");
    let is_meant = || crate::process::lives(busy);
    let killed = crate::process::signal_while(busy, is_meant, crate::system::Signal::KILL);
    assert!(killed && second.runs());
    first.wait().expect(0).never_says("circle");
    second.wait().expect(0);
}
