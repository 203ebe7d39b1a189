//! Defects of `dbguard acquire` and `release` that were found and mended, each with its story.

use std::fs;
use std::io::Write;
use std::path::Path;

use rustix::process::Signal;

use crate::lease_crew::{Lease, start_of, try_lock};
use crate::process::{process_state, until};
use crate::scene::{Scene, have_hooks, is_root, skip};

/// Whoever may write the claim could have had `release`, run by root, end any process.
#[test]
fn a_release_ends_no_process_that_only_the_claim_names() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let victim = scene.run("cat", [""; 0]).spawn_fed();
    let start = start_of(victim.pid()).expect("it lives");
    let name = scene.held("a.db").pop_first().expect("the claim");
    let claim = scene.state("a.db", "held").join(name);
    let mut claim = fs::File::options().append(true).open(claim).expect("open");
    let line = format!("{{\"child\":{},\"child_start\":{start}}}\n", victim.pid());
    claim.write_all(line.as_bytes()).expect("write");
    for words in [&["-w", "0.2"][..], &["--extend", "1h"]] {
        lease.release().words(words).run().expect(77).says("cannot see that process");
        assert!(victim.runs(), "it has nothing to do with the lock");
    }
    try_lock(&scene).run().expect(75);
}

#[test]
fn another_users_lock_is_not_ours_to_release() {
    if !is_root() {
        return skip("only root can be two users");
    }
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let refused = lease.release().ordinary().run();
    refused.expect(77).says("only the user who acquired the lock, and root, can release it");
    lease.release().run().expect(0);
}

#[test]
fn a_stopped_keeper_is_woken_by_what_is_asked_of_it() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let stop = || {
        lease.signal(Signal::STOP);
        until("it is stopped", || process_state(lease.keeper) == Some('T'));
    };
    stop();
    lease.release().words(["--extend", "1h"]).run().expect(0);
    stop();
    lease.release().run().expect(0);
    scene.assert_free("a.db");
}

/// Each round added an entry, until no command could be started any more.
#[test]
fn a_shell_that_locks_in_a_loop_does_not_fill_its_environment() {
    let scene = Scene::new();
    let script = "for round in 1 2 3; do eval \"$(\"$DBGUARD\" acquire --export sh a.db)\"; \
                  \"$DBGUARD\" release a.db; done; echo \"$DBGUARD_HELD\" | wc -w";
    scene.shell(script).run().expect(0).silent().answers("1");
}

/// Between the grant and the look at what it was granted below, the time was up: the command ran
/// on and on, and nobody told it.
#[test]
fn a_step_is_told_however_early_the_lock_ends() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let command = ["exec", "a.db", "--", "sh", "-c", "while :; do sleep 0.02; done"];
    let mut step = lease.step(command).env("DBGUARD_TEST_STOP_AT", "native").spawn();
    step.until_stopped();
    lease.release().words(["--extend", "0.001"]).run().expect_any(&[0, 1]);
    until("its time is up", || scene.held("a.db").iter().all(|name| !name.ends_with('x')));
    step.resume();
    step.wait().expect(76).says("expired");
    lease.until_ended();
    scene.assert_free("a.db");
}

/// A step that came after the keeper's death was locked anew and did not learn that others may
/// have been there.
#[test]
fn who_comes_after_a_killed_keeper_hears_of_it() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    lease.signal(Signal::KILL);
    lease.until_ended();
    try_lock(&scene).run().expect(0);
    lease.step(["exec", "a.db", "--", "true"]).run().expect(0).says("its keeper was killed");
    lease.release().run().expect(1).says("its keeper was killed");
    scene.assert_free("a.db");
}

/// It named an ancestor, and a process that had long ended.
#[test]
fn a_writer_below_a_shared_lock_hears_whose_it_is() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["-s", "a.db"]);
    let writer = lease.step(["exec", "a.db", "--", "true"]).run();
    writer.expect(79).says("held shared by the dbguard acquire that this command joined");
    lease.release().run().expect(0);
}
