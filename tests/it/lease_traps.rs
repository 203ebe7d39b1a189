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
