//! Order: first come, first served; readers share; nobody is passed over but the stopped.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::actor;
use crate::intervals;
use crate::process::{Process, until};
use crate::scene::{Scene, have_hooks, wine_lacks};

/// Starts a waiter whose command appends `name` to `order`.
fn writes_its_name(scene: &Scene, name: &str, options: &[&str]) -> Process {
    let before = scene.queue("a.db");
    let run = scene.dbguard(["exec", "-w", "inf"]).words(options);
    let mut waiter = run.words(["a.db", "--", "sh", "-c", "echo $0 >>order", name]).spawn();
    waiter.until("queued", || !scene.queue("a.db").is_subset(&before));
    waiter
}

/// Ends the loops of other threads, also when the test fails: a scope waits for them.
struct EndOnDrop<'flag>(&'flag AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// 200 waiters behind one holder: the order of grants is the order of tickets. The tickets are
/// known because each waiter starts only when the claim of the one before is in the queue.
#[test]
fn l3_two_hundred_waiters_are_served_in_the_order_of_their_tickets() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let waiters: Vec<Process> =
        (0..200).map(|n| writes_its_name(&scene, &n.to_string(), &["-q"])).collect();
    assert_eq!(scene.queue("a.db").len(), 200, "{}", scene.describe());
    holder.end().expect(0);
    for mut waiter in waiters {
        waiter.wait().expect(0).silent();
    }
    let expected: String = (0..200).map(|n| format!("{n}\n")).collect();
    assert_eq!(scene.read("order"), expected);
    scene.assert_free("a.db");
}

#[test]
fn readers_hold_together_and_writers_alone() {
    let scene = Scene::new();
    let first = scene.hold(["-s", "a.db"]);
    let second = scene.hold(["-s", "a.db"]);
    scene.dbguard(["exec", "-n", "-x", "a.db", "--", "true"]).run().expect(75);
    first.end().expect(0);
    second.end().expect(0);
    let writer = scene.hold(["a.db"]);
    scene.dbguard(["exec", "-n", "-s", "a.db", "--", "true"]).run().expect(75);
    writer.end().expect(0);
}

/// L5: readers behind one writer wake together.
#[test]
fn l5_readers_queued_behind_a_writer_run_together() {
    let scene = Scene::new();
    let writer = scene.hold(["a.db"]);
    let mut readers: Vec<_> = (0..4).map(|_| scene.queue_up("a.db", &["-s"])).collect();
    writer.end().expect(0);
    for reader in &mut readers {
        reader.until_holding();
    }
    for reader in readers {
        reader.end().expect(0);
    }
}

/// L5: a newcomer that the kernel would let in does not pass a writer who waits.
#[test]
fn l5_a_reader_does_not_pass_a_waiting_writer() {
    let scene = Scene::new();
    let reader = scene.hold(["-s", "a.db"]);
    let mut writer = scene.queue_up("a.db", &["-x"]);
    scene.dbguard(["exec", "-n", "-s", "a.db", "--", "true"]).run().expect(75);
    let mut late = scene.queue_up("a.db", &["-s"]);
    reader.end().expect(0);
    writer.until_holding();
    assert!(!late.has_started(), "{}", scene.describe());
    writer.end().expect(0);
    late.until_holding();
    late.end().expect(0);
}

/// Returns when the holds of a mode began, as far as whole lines of the log say.
fn starts_in(log: &Path, mode: &str) -> BTreeSet<u64> {
    let text = fs::read_to_string(log).expect("the log");
    let intervals = intervals::parse(text.rsplit_once('\n').map_or("", |(lines, _)| lines));
    let wanted = intervals.into_iter().filter(|interval| interval.mode.letter() == mode);
    wanted.map(|interval| interval.start).collect()
}

/// One reader loop.
fn read_again_and_again(scene: &Scene, log: &Path, over: &AtomicBool) {
    let part = actor::holder(log, "a.db", "s", "-", Duration::from_millis(30));
    while !over.load(Ordering::Relaxed) {
        let run = scene.dbguard(["exec", "-s", "-w", "inf", "a.db", "--"]).words(actor::words());
        run.env(actor::PART, &part).run().expect(0);
    }
}

/// L9: among dbguard users neither side starves. Eight reader loops overlap without end; the
/// writer is in before each of them has begun two more holds. Holds are counted, not time.
#[test]
fn l9_a_writer_gets_in_within_two_holds_of_eight_reader_loops() {
    let scene = Scene::new();
    let log = scene.fresh("log");
    fs::write(&log, "").expect("make the log");
    let over = AtomicBool::new(false);
    let starts = |mode: &str| starts_in(&log, mode);
    thread::scope(|scope| {
        let end = EndOnDrop(&over);
        for _ in 0..8 {
            scope.spawn(|| read_again_and_again(&scene, &log, &over));
        }
        until("the readers are in full swing", || starts("s").len() >= 24);
        let part = actor::holder(&log, "a.db", "x", "-", Duration::from_millis(1));
        let run = scene.dbguard(["exec", "-w", "inf", "a.db", "--"]).words(actor::words());
        let mut writer = run.env(actor::PART, &part).spawn();
        let is_writer = |name: &String| name.ends_with(".x");
        let done = || !starts("x").is_empty();
        writer.until("queued or done", || scene.queue("a.db").iter().any(is_writer) || done());
        let queued = crate::system::now();
        writer.wait().expect(0);
        drop(end);
        let entered = *starts("x").first().expect("the writer has logged");
        let between = starts("s").into_iter().filter(|start| (queued..entered).contains(start));
        let between = between.count();
        assert!(between <= 16, "{between} reader holds began before the writer got in");
    });
    intervals::assert_exclusive(&fs::read_to_string(&log).expect("the log"));
}

/// L9: whoever comes between the making and the locking of a claim takes it for a dead one's. Its
/// owner notices and makes another: without one, readers that come and go would keep it out for good.
#[test]
fn l9_a_writer_whose_claim_was_taken_away_too_early_makes_another() {
    if !have_hooks() || wine_lacks("a name that is free as soon as an open file is removed") {
        return;
    }
    let scene = Scene::new();
    let reader = scene.hold(["-s", "a.db"]);
    let words = ["exec", "-w", "inf", "a.db", "--", "true"];
    let mut writer = scene.dbguard(words).env("DBGUARD_TEST_STOP_AT", "claim-made").spawn();
    writer.until_stopped();
    assert_eq!(scene.queue("a.db").len(), 1);
    scene.dbguard(["exec", "-ns", "a.db", "--", "true"]).run().expect(0);
    assert_eq!(scene.queue("a.db").len(), 0, "it was not locked");
    writer.resume();
    writer.until("it is in the line again", || scene.queue("a.db").len() == 1);
    scene.dbguard(["exec", "-ns", "a.db", "--", "true"]).run().expect(75);
    assert_eq!(reader.end().code, Some(0));
    writer.wait().expect(0);
}

/// L1: three waiters, the first is stopped; the second gets in nevertheless, in its own time,
/// and the first, when it goes on, waits again and is not lost.
#[test]
fn l1_a_stopped_waiter_is_passed_over_and_served_later() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let mut stopped = scene.queue_up("a.db", &["-w", "inf"]);
    let mut second = scene.queue_up("a.db", &["-w", "inf"]);
    let mut third = scene.queue_up("a.db", &["-w", "inf"]);
    stopped.process.stop();
    holder.end().expect(0);
    second.until_holding();
    assert!(!third.has_started(), "order among those that run: {}", scene.describe());
    stopped.process.resume();
    second.end().expect(0);
    let mut rest = [&mut stopped, &mut third];
    until("one of the others holds", || rest.iter().any(|one| one.has_started()));
    let both = rest.iter_mut().all(|one| one.has_started());
    assert!(!both, "two exclusive holders: {}", scene.describe());
    stopped.process.close_input();
    third.process.close_input();
    stopped.process.wait().expect(0);
    third.process.wait().expect(0);
    scene.assert_free("a.db");
}

/// L1: stopped waiters at the very head of the queue, several of them.
#[test]
fn l1_two_stopped_waiters_are_passed_over_too() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let mut first = scene.queue_up("a.db", &["-w", "inf"]);
    let mut second = scene.queue_up("a.db", &["-s", "-w", "inf"]);
    let mut third = scene.queue_up("a.db", &["-w", "inf"]);
    first.process.stop();
    second.process.stop();
    holder.end().expect(0);
    third.until_holding();
    third.end().expect(0);
}

/// D3, L1: a live claim whose owner never takes the lock (a script closed one of two inherited
/// descriptors) holds nobody up for long. Here the test itself is that owner.
#[test]
fn d3_a_live_claim_without_a_lock_is_passed_over() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let claim = scene.state("a.db", "queue").join("00000000000000000001.x");
    let owner = File::create(&claim).expect("make a claim");
    owner.lock().expect("make it live");
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    scene.dbguard(["exec", "-w", "50", "a.db", "--", "true"]).run().expect(0);
    assert!(!claim.exists(), "the passed claim is unlinked: {}", scene.describe());
}

/// L2: a waiter at the head keeps its place in the kernel's queue although it looks around once
/// a second: a plain flock user who came later is served later.
#[test]
#[cfg(target_os = "linux")]
fn l2_the_head_keeps_its_place_against_plain_flock_users() {
    if !crate::scene::have(&["flock"]) {
        return;
    }
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let mut head = writes_its_name(&scene, "head", &[]);
    let mut other = scene.hold(["other.db"]);
    let lock = scene.state("a.db", "lock");
    let mut plain = scene.run("flock", [lock.as_path()]).words(["sh", "-c", "echo plain >>order"]);
    plain = plain.words(["sh"]);
    let mut plain = plain.spawn();
    let blocked = format!("{}", plain.pid());
    plain.until("blocked in the kernel", || {
        let table = fs::read_to_string("/proc/locks").expect("/proc/locks");
        table.lines().any(|line| line.contains("->") && line.contains(&format!(" {blocked} ")))
    });
    // Two and a half seconds by dbguard's own clock: the time another one takes to give up.
    scene.dbguard(["exec", "-w", "2.5", "other.db", "--", "true"]).run().expect(124);
    other.process.close_input();
    holder.end().expect(0);
    head.wait().expect(0);
    plain.wait().expect(0);
    assert_eq!(scene.read("order"), "head\nplain\n");
}

/// L2: any signal that a waiter handles or ignores leaves the order alone.
#[test]
#[cfg(target_os = "linux")]
fn l2_signals_that_do_not_end_a_waiter_do_not_cost_its_place() {
    use crate::system::Signal;

    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let mut first = writes_its_name(&scene, "first", &[]);
    let mut second = writes_its_name(&scene, "second", &[]);
    for signal in [Signal::WINCH, Signal::CONT, Signal::CHILD] {
        first.signal(signal);
    }
    holder.end().expect(0);
    first.wait().expect(0);
    second.wait().expect(0);
    assert_eq!(scene.read("order"), "first\nsecond\n");
}

/// L3: whoever can read `ticket` can hold its lock for ever; that stops nobody for long.
#[test]
fn l3_a_held_ticket_lock_does_not_stop_the_queue() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let path = scene.state("a.db", "ticket");
    let ticket = File::options().create(true).read(true).append(true).open(path);
    let ticket = ticket.expect("open the ticket file");
    ticket.lock().expect("hold it");
    let holder = scene.hold(["a.db"]);
    let mut first = writes_its_name(&scene, "first", &[]);
    let mut second = writes_its_name(&scene, "second", &[]);
    holder.end().expect(0);
    first.wait().expect(0);
    second.wait().expect(0);
    assert_eq!(scene.read("order"), "first\nsecond\n");
}

/// L4: `queue/` holds only those who wait, `held/` only those who hold, under the names that
/// other programs may rely on.
#[test]
fn l4_claims_move_from_queue_to_held_at_the_grant() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    assert!(scene.queue("a.db").is_empty(), "{}", scene.describe());
    let held = scene.held("a.db");
    let name = held.first().expect("the holder's claim");
    assert!(name.starts_with(&format!("{}.", holder.process.pid())) && name.ends_with(".x"));
    let mut waiter = scene.queue_up("a.db", &["-s"]);
    let queue = scene.queue("a.db");
    let name = queue.first().expect("the waiter's claim");
    let (number, mode) = name.split_once('.').expect("number and mode");
    assert!(number.len() == 20 && number.parse::<u64>().is_ok() && mode == "s", "{name}");
    holder.end().expect(0);
    waiter.until_holding();
    assert!(scene.queue("a.db").is_empty() && scene.held("a.db").len() == 1);
    waiter.end().expect(0);
    assert!(scene.held("a.db").is_empty(), "{}", scene.describe());
}

/// L5: dead claims ahead are cleared and cost nothing.
#[test]
fn l5_dead_claims_in_the_queue_are_cleared_by_the_next_locker() {
    let scene = Scene::new();
    scene.make_state("a.db");
    for name in ["00000000000000000001.x", "00000000000000000002.s", "00000000000000000003.x"] {
        fs::write(scene.state("a.db", "queue").join(name), "").expect("a dead claim");
    }
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(0);
    assert!(scene.queue("a.db").is_empty(), "{}", scene.describe());
}

/// L5: between a release and the head's wake-up the lock is free for an instant; a newcomer that
/// finds it so does not barge past. The head is stopped in that instant.
#[test]
fn l5_a_newcomer_does_not_barge_past_the_head() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let run = scene.dbguard(["exec", "a.db"]).env("DBGUARD_TEST_STOP_AT", "head");
    let mut head = run.contend();
    head.process.until_stopped();
    holder.end().expect(0);
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    head.process.resume();
    head.until_holding();
    head.end().expect(0);
}

/// L10: nobody needs a lock on the statistics.
#[test]
fn l10_a_locked_statistics_file_holds_nobody_up() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let path = scene.state("a.db", "stats.log");
    let log = File::options().create(true).read(true).append(true).open(path);
    let log = log.expect("open the log");
    log.lock().expect("hold it");
    scene.assert_free("a.db");
}

#[test]
fn a_full_queue_refuses_more_waiters_at_once() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let waiter = scene.queue_up("a.db", &[]);
    scene.dbguard(["exec", "--max-waiters", "1", "a.db", "--", "true"]).run().expect(75);
    let second = scene.queue_up("a.db", &["--max-waiters", "2"]);
    holder.end().expect(0);
    waiter.end().expect(0);
    second.end().expect(0);
}

/// Waiting is done in the kernel: a waiter that has queued sleeps and uses no time to speak of.
#[test]
#[cfg(target_os = "linux")]
fn a_waiter_sleeps() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let mut waiter = scene.queue_up("a.db", &[]);
    let pid = waiter.process.pid();
    waiter.process.until("asleep", || crate::process::process_state(pid) == Some('S'));
    holder.end().expect(0);
    waiter.end().expect(0);
}

/// L1 took a lock that a reader holds for free when a reader probed it: he passed over a healthy
/// writer, and every newcomer after him walked in.
#[test]
fn l1_a_reader_does_not_pass_a_writer_that_waits_for_readers() {
    let scene = Scene::new();
    let reader = scene.hold(["-s", "a.db"]);
    let writer = scene.queue_up("a.db", &["-w", "inf"]);
    // Several ticks of the helper go by.
    scene.dbguard(["exec", "-s", "-w", "3.5", "a.db", "--", "true"]).run().expect(124);
    assert_eq!(scene.queue("a.db").len(), 1, "{}", scene.describe());
    assert!(!writer.has_started());
    reader.end().expect(0);
    writer.end().expect(0);
}

/// Only the living count as waiters.
#[test]
fn a_killed_waiter_does_not_count_for_max_waiters() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let living = scene.queue_up("a.db", &["-w", "inf"]);
    // Behind the living one: whoever waits behind a dead claim removes it.
    let killed = scene.queue_up("a.db", &["-w", "inf"]);
    killed.process.kill();
    let wait = |most| {
        let options = ["exec", "-w", "0.1", "--max-waiters", most, "a.db", "--", "true"];
        scene.dbguard(options).run()
    };
    wait("1").expect(75);
    until("the kernel has let the dead claim go", || wait("2").code == Some(124));
    holder.end().expect(0);
    living.end().expect(0);
}
