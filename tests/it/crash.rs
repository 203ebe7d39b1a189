//! dbguard killed and stopped at every step of taking, holding and giving back a lock.
//!
//! The victim stops itself at a named step (a hook of test builds). Then it is killed there, or
//! left there for a while: the next one gets in when it may, and never before.

use std::fs;

use crate::process::{Contender, lives};
use crate::scene::{Scene, have_hooks};

/// Where the victim is when it reaches a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenery {
    /// Nobody else is there.
    Free,
    /// Somebody holds the lock.
    Held,
    /// Somebody holds the lock and somebody waits for it.
    Queued,
}

/// What stands in the way of the next one while the victim is stopped at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bars {
    /// Nothing: the victim is passed over.
    Nothing,
    /// The victim holds the kernel lock.
    Lock,
    /// The victim holds the kernel lock and gives it back when it sees that somebody waits.
    LockForNow,
}

/// Every step up to the start of the command and after its end, in order.
const STEPS: [(&str, Scenery, Bars); 17] = [
    ("opened", Scenery::Free, Bars::Nothing),
    ("locked", Scenery::Free, Bars::LockForNow),
    ("ticket", Scenery::Held, Bars::Nothing),
    ("claim-made", Scenery::Held, Bars::Nothing),
    ("claim-written", Scenery::Held, Bars::Nothing),
    ("queued", Scenery::Queued, Bars::Nothing),
    ("head", Scenery::Held, Bars::Nothing),
    ("granted", Scenery::Free, Bars::Lock),
    ("settled", Scenery::Free, Bars::Lock),
    ("fenced", Scenery::Free, Bars::Lock),
    ("held", Scenery::Free, Bars::Lock),
    ("native", Scenery::Free, Bars::Lock),
    ("spawned", Scenery::Free, Bars::Lock),
    ("ended", Scenery::Free, Bars::Lock),
    ("unclaimed", Scenery::Free, Bars::Lock),
    ("released", Scenery::Free, Bars::Nothing),
    // The same grant, reached through the queue.
    ("held", Scenery::Held, Bars::Lock),
];

/// A victim stopped at a step, and those who were before it.
struct Cast {
    scene: Scene,
    holder: Option<Contender>,
    ahead: Option<Contender>,
    victim: Contender,
}

impl Cast {
    fn stopped_at(step: &str, scenery: Scenery) -> Self {
        let scene = Scene::new();
        scene.make_state("a.db");
        let mut holder = (scenery != Scenery::Free).then(|| scene.hold(["a.db"]));
        let ahead = (scenery == Scenery::Queued).then(|| scene.queue_up("a.db", &["-w", "inf"]));
        let run = scene.dbguard(["exec", "-w", "inf", "a.db"]);
        let mut victim = run.env("DBGUARD_TEST_STOP_AT", step).contend();
        if matches!(step, "ended" | "unclaimed" | "released") {
            victim.process.close_input();
        }
        if step == "held" && scenery == Scenery::Held {
            victim.process.until("queued", || scene.queue("a.db").len() == 1);
            holder.take().expect("held").end().expect(0);
        }
        victim.process.until_stopped();
        Self { scene, holder, ahead, victim }
    }

    /// Ends those who were before the victim.
    fn clear_the_way(&mut self) {
        for before in [self.holder.take(), self.ahead.take()].into_iter().flatten() {
            before.end().expect(0);
        }
    }
}

/// Killed at any step: the next one gets in as soon as nobody works, and no litter stays.
#[test]
fn killed_at_any_step_the_next_waiter_gets_in() {
    if !have_hooks() {
        return;
    }
    for (step, scenery, _) in STEPS {
        println!("killed at {step}, {scenery:?}");
        let mut cast = Cast::stopped_at(step, scenery);
        let mut next = cast.scene.contend(["-w", "inf", "a.db"]);
        cast.victim.process.kill();
        // On Windows a command ends with its dbguard.
        if step == "spawned" && cfg!(target_os = "linux") {
            survives(&mut cast, &mut next);
        }
        cast.clear_the_way();
        next.until_holding();
        cast.scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
        next.end().expect(0);
        cast.scene.assert_free("a.db");
    }
}

/// The command of a killed dbguard works on, and the lock is its own until it ends.
fn survives(cast: &mut Cast, next: &mut Contender) {
    let victim = &mut cast.victim;
    let up = victim.up.clone();
    crate::process::until("the command runs", || {
        fs::read_to_string(&up).is_ok_and(|text| text.ends_with('\n'))
    });
    let command = victim.command_pid();
    cast.scene.dbguard(["exec", "-w", "0.5", "a.db", "--", "true"]).run().expect(124);
    assert!(lives(command) && !next.has_started(), "{}", cast.scene.describe());
    victim.process.close_input();
}

/// L1, L3: stopped at any step before the lock is its own, dbguard is passed over; stopped
/// later, it keeps the lock. Continued, it goes on where it was, alone.
#[test]
fn l1_stopped_at_any_step_the_next_waiter_gets_in_when_it_may() {
    if !have_hooks() {
        return;
    }
    for (step, scenery, bars) in STEPS {
        println!("stopped at {step}, {scenery:?}");
        let mut cast = Cast::stopped_at(step, scenery);
        let mut next = cast.scene.contend(["-w", "inf", "a.db"]);
        cast.clear_the_way();
        if bars == Bars::LockForNow {
            cast.scene.dbguard(["exec", "-w", "0.3", "a.db", "--", "true"]).run().expect(124);
            assert!(!next.has_started(), "{step}: {}", cast.scene.describe());
            cast.victim.process.resume();
            next.until_holding();
            next.end().expect(0);
            cast.victim.process.close_input();
            cast.victim.process.wait().expect(0);
        } else if bars == Bars::Lock {
            cast.scene.dbguard(["exec", "-w", "0.3", "a.db", "--", "true"]).run().expect(124);
            assert!(!next.has_started(), "{step}: {}", cast.scene.describe());
            cast.victim.process.resume();
            cast.victim.process.close_input();
            cast.victim.process.wait().expect(0);
            next.until_holding();
            next.end().expect(0);
        } else {
            next.until_holding();
            cast.victim.process.resume();
            assert!(!cast.victim.has_started() || step == "released");
            next.end().expect(0);
            cast.victim.process.close_input();
            cast.victim.process.wait().expect(0);
        }
        cast.scene.assert_free("a.db");
    }
}

/// A whole crowd killed in the queue at once: those who were killed are nobody's business.
#[test]
fn waiters_killed_in_the_queue_wake_those_behind_them() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let waiters: Vec<_> = (0..12).map(|_| scene.queue_up("a.db", &["-w", "inf"])).collect();
    for waiter in waiters.iter().step_by(2) {
        waiter.process.kill();
    }
    holder.end().expect(0);
    for waiter in waiters.into_iter().skip(1).step_by(2) {
        waiter.end().expect(0);
    }
    scene.assert_free("a.db");
}

/// A waiter stopped and then killed in its sleep is dead, not stopped.
#[test]
fn a_stopped_waiter_that_is_killed_frees_the_way() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let mut first = scene.queue_up("a.db", &["-w", "inf"]);
    let second = scene.queue_up("a.db", &["-w", "inf"]);
    first.process.stop();
    first.process.kill();
    holder.end().expect(0);
    second.end().expect(0);
}

/// Several files, killed when the first is held and the second waited for: both come free.
#[test]
fn a_call_killed_between_two_files_frees_both() {
    let scene = Scene::new();
    let holders = ["a.db", "b.db"].map(|name| scene.hold([name]));
    let waiter = scene.contend(["-w", "inf", "a.db", "b.db"]);
    let queued = || ["a.db", "b.db"].map(|name| scene.queue(name).len()).iter().sum::<usize>();
    crate::process::until("it waits for the first", || queued() == 1);
    let first = usize::from(scene.queue("a.db").is_empty());
    let mut holders = holders.map(Some);
    holders[first].take().expect("there").end().expect(0);
    let second = ["a.db", "b.db"][1 - first];
    crate::process::until("it waits for the second", || scene.queue(second).len() == 1);
    scene.dbguard(["exec", "-n", ["a.db", "b.db"][first], "--", "true"]).run().expect(75);
    waiter.process.kill();
    holders[1 - first].take().expect("there").end().expect(0);
    scene.assert_free("a.db");
    scene.assert_free("b.db");
}

/// D2: nobody cleans up after `-F`; what it leaves in `held/` is litter that bars nobody and is
/// swept by the next one.
#[test]
#[cfg(target_os = "linux")]
fn d2_what_no_fork_leaves_behind_bars_nobody() {
    let scene = Scene::new();
    scene.dbguard(["exec", "-F", "a.db", "--", "true"]).run().expect(0);
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(0);
    let mut holder = scene.hold(["-F", "a.db"]);
    assert_eq!(holder.command_pid(), holder.process.pid(), "-F makes no process");
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    holder.process.close_input();
    holder.process.wait().expect(0);
    scene.assert_free("a.db");
}
