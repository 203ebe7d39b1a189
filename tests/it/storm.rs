//! The overlap storm: many processes, random modes, keys, timeouts, kills and stops, and a
//! checker that finds any two conflicting holds that overlap. The same storm without the kernel
//! lock shows that the checker can fail.

use std::env;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::intervals::{assert_exclusive, overlaps, parse};
use crate::scene::{Scene, have, have_hooks, wine_lacks};
use crate::storm_crew::{Plan, Storm};

/// How long the storm lasts where `DBGUARD_STORM_SECONDS` does not say.
const SECONDS: u64 = 20;

fn number_from(variable: &str, default: u64) -> u64 {
    let set = env::var(variable).ok();
    set.map_or(default, |value| value.parse().expect("a whole number"))
}

fn seed() -> u64 {
    let seed = number_from("DBGUARD_STORM_SEED", crate::system::now() % 1_000_000_007);
    println!("storm: repeat with DBGUARD_STORM_SEED={seed}");
    seed
}

/// The proof that conflicting holds never overlap, by everything the engine has: S2, S3 and S7
/// (dbguard killed, its command lives on), L1 (stopped waiters), L4 (claims that move), L5.
#[test]
fn no_two_conflicting_holds_overlap_in_a_storm() {
    if wine_lacks("processes that start fast enough to meet") {
        return;
    }
    let seconds = number_from("DBGUARD_STORM_SECONDS", SECONDS);
    let (workers, holds) = (44, 2_000);
    let plan = Plan {
        workers,
        duration: Duration::from_secs(seconds),
        holds,
        limit: Duration::from_secs(seconds.max(SECONDS) * 5),
        flock: cfg!(target_os = "linux") && have(&["flock"]),
        chaos: true,
        variables: &[],
        seed: seed(),
    };
    let scene = Scene::new();
    let storm = Storm::new(&scene, &plan);
    let log = storm.rage();
    let holds = assert_exclusive(&log);
    let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::Relaxed);
    println!(
        "storm: {holds} holds, 0 overlaps, {} kills, {} stops, {} refused, {} ended",
        count(&storm.tally.kills),
        count(&storm.tally.stops),
        count(&storm.tally.refused),
        count(&storm.tally.ended)
    );
    assert!(holds >= plan.holds, "only {holds} holds: the storm proves too little");
    for database in ["a.db", "b.db", "c.db"] {
        scene.dbguard(["exec", "-w", "10", database, "--", "true"]).run().expect(0);
        scene.dbguard(["exec", "-w", "10", "--key", "k", database, "--", "true"]).run().expect(0);
    }
}

/// The checker must be able to fail, or the storm above proves nothing.
#[test]
fn without_the_kernel_lock_the_same_storm_finds_overlaps() {
    if !have_hooks() || wine_lacks("processes that start fast enough to meet") {
        return;
    }
    let (workers, holds) = (40, 200);
    let plan = Plan {
        workers,
        duration: Duration::from_secs(3),
        holds,
        limit: Duration::from_secs(30),
        flock: false,
        chaos: false,
        variables: &[("DBGUARD_TEST_NO_KERNEL_LOCK", "1")],
        seed: seed(),
    };
    let scene = Scene::new();
    let log = Storm::new(&scene, &plan).rage();
    let found = overlaps(&parse(&log)).len();
    println!("storm without the kernel lock: {found} overlaps");
    assert!(found > 0, "the checker did not see that nothing was locked");
}
