//! What a holder that is gone, or going, leaves behind still keeps others out.

use std::io::Write;

use crate::system::Signal;

use crate::process::until;
use crate::scene::{Scene, have};

/// A runner that closes what it inherits, as Python's subprocess and sudo do.
const CLOSES_ALL: &str = "import os, sys; os.closerange(3, 300); \
     open('up', 'w').write('x'); sys.stdin.read()";

/// S7: `-F` becomes the command, and a command that closes its descriptors frees the lock while
/// it works. Its own claim named no command, so the next one ran beside it.
#[test]
fn s7_a_command_that_took_our_place_and_closed_its_descriptors_is_waited_for() {
    if !have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    let mut first =
        scene.dbguard(["exec", "-F", "a.db", "--", "python3", "-c", CLOSES_ALL]).spawn_fed();
    first.until("it has closed them", || !scene.read("up").is_empty());
    let run = scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run();
    run.expect(75).says("python3");
    first.close_input();
    first.wait().expect(0);
    scene.assert_free("a.db");
}

/// S7 below S2: a joined call with `--close` was killed; its command works on when the outer
/// command has ended. The outer release removed the inner lock without looking who died in it.
#[test]
fn s7_the_command_of_a_killed_joined_call_is_waited_for() {
    let scene = Scene::new();
    let script = "exec 3<&0; \
        \"$DBGUARD\" exec --close a.db -- sh -c 'echo up >worker; read word <&3' & \
        until grep -qs child .dbguard/a.db/held/*.in/held/*; do :; done; \
        kill -9 $!; wait; exit 0";
    let mut outer = scene.dbguard(["exec", "a.db", "--", "sh", "-c", script]).spawn_fed();
    // Before the worker runs nobody has a claim yet; afterwards, only who releases has none.
    outer.until("the worker runs", || !scene.read("worker").is_empty());
    until("the outer command has ended", || {
        !scene.held("a.db").iter().any(|name| name.ends_with(".x"))
    });
    scene.dbguard(["exec", "-w", "0.5", "a.db", "--", "true"]).run().expect(124);
    assert!(outer.runs(), "{}", scene.describe());
    outer.close_input();
    outer.wait().expect(0);
    scene.assert_free("a.db");
}

/// S2: a holder that waits for joined calls was interrupted by a signal that ends waits, took
/// that for an answer, and unlocked.
#[test]
#[cfg(target_os = "linux")]
fn s2_an_interruption_does_not_end_the_wait_for_joined_calls() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let script = "exec 3<&0; \"$DBGUARD\" exec a.db -- sh -c 'echo up >inner; read word <&3' & \
                  until test -s inner; do :; done";
    let run = scene.dbguard(["exec", "-w", "inf", "a.db", "--", "sh", "-c", script]);
    let mut outer = run.spawn_fed();
    scene.until_queue("a.db", 1);
    holder.end().expect(0);
    until("it waits for the joined call", || outer.stderr().contains("still use"));
    for _ in 0..10 {
        outer.signal(Signal::URG);
        scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    }
    outer.close_input();
    outer.wait().expect(0);
    scene.assert_free("a.db");
}

/// D1: a shell that asked again for the lock it has gave it to whoever waited.
#[test]
fn d1_asking_again_through_the_same_descriptor_keeps_the_lock() {
    let scene = Scene::new();
    let script = "exec 9<>\"$(\"$DBGUARD\" path a.db)\"; \"$DBGUARD\" exec --fd 9 a.db || exit; \
                  echo up >up; read word; \"$DBGUARD\" exec -n --fd 9 a.db; echo $? >again; \
                  read word";
    let mut shell = scene.shell(script).spawn_fed();
    shell.until("it holds", || !scene.read("up").is_empty());
    let waiter = scene.queue_up("a.db", &["-w", "inf"]);
    shell.input().write_all(b"\n").expect("go on");
    shell.until("it has asked again", || !scene.read("again").is_empty());
    assert_eq!(scene.read("again").trim(), "0");
    assert!(!waiter.has_started(), "{}", scene.describe());
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    shell.close_input();
    shell.wait();
    waiter.end().expect(0);
}
