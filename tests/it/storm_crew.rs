//! The storm's crew: workers that take locks in a loop, and one who kills and stops them.

use std::collections::{HashSet, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::system::{Handle, Signal, children, is_of};

use crate::actor;
use crate::intervals::Mode;
use crate::process::{Process, handle_while};
use crate::scene::{Run, Scene};

/// A pseudo-random sequence (SplitMix64) that a printed seed repeats.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Returns the sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `sides`.
    pub fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// Returns true once in `sides` throws.
    pub fn once_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    /// Returns one of several.
    pub fn pick<'list, T>(&mut self, list: &'list [T]) -> &'list T {
        let index = usize::try_from(self.below(list.len() as u64)).expect("below the length");
        &list[index]
    }
}

/// What a storm is made of.
pub struct Plan {
    /// Number of workers, each with one dbguard at a time.
    pub workers: usize,
    /// The storm goes on for at least this long, ..
    pub duration: Duration,
    /// .. and until there were so many holds, ..
    pub holds: usize,
    /// .. but never longer than this.
    pub limit: Duration,
    /// Whether a tenth are plain flock users.
    pub flock: bool,
    /// Whether processes are killed and stopped.
    pub chaos: bool,
    /// Variables for the binary.
    pub variables: &'static [(&'static str, &'static str)],
    /// Repeats the run.
    pub seed: u64,
}

/// What happened in a storm.
#[derive(Debug, Default)]
pub struct Tally {
    /// Processes killed.
    pub kills: AtomicUsize,
    /// Processes stopped, and continued later.
    pub stops: AtomicUsize,
    /// Runs that ended 75 or 124.
    pub refused: AtomicUsize,
    /// Runs that ended otherwise.
    pub ended: AtomicUsize,
}

/// A storm under way.
pub struct Storm<'plan> {
    scene: &'plan Scene,
    plan: &'plan Plan,
    log: PathBuf,
    /// What each worker runs at the moment.
    slots: Vec<Mutex<Option<Process>>>,
    /// Processes that died and may have survivors. They are not reaped for a while: dropping
    /// them would kill the very commands whose lock is to outlive dbguard.
    graves: Mutex<VecDeque<Process>>,
    over: AtomicBool,
    /// What was counted.
    pub tally: Tally,
}

/// How many dead processes are kept: several seconds of the chaos's work, longer than any
/// survivor works or sleeps.
const GRAVES: usize = 100;

/// The databases; the first is the busiest.
const DATABASES: [&str; 3] = ["a.db", "b.db", "c.db"];

impl<'plan> Storm<'plan> {
    /// Prepares a storm.
    pub fn new(scene: &'plan Scene, plan: &'plan Plan) -> Self {
        for database in DATABASES {
            scene.file(database, "");
            scene.dbguard(["path", database]).run().expect(0);
        }
        let log = scene.fresh("log");
        fs::write(&log, "").expect("make the log");
        let slots = (0..plan.workers).map(|_| Mutex::new(None)).collect();
        let (over, tally) = (AtomicBool::new(false), Tally::default());
        Self { scene, plan, log, slots, graves: Mutex::default(), over, tally }
    }

    /// Runs the storm and returns the log of all holds.
    pub fn rage(&self) -> String {
        thread::scope(|scope| {
            for worker in 0..self.plan.workers {
                scope.spawn(move || self.work(worker));
            }
            if self.plan.chaos {
                scope.spawn(|| self.harass());
            }
            let begin = Instant::now();
            let enough = || {
                let lasted = begin.elapsed();
                lasted >= self.plan.limit
                    || lasted >= self.plan.duration && self.holds() >= self.plan.holds
            };
            while !enough() && !self.over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(100));
            }
            self.over.store(true, Ordering::Relaxed);
        });
        self.graves.lock().expect("nobody panics with it").clear();
        fs::read_to_string(&self.log).expect("the log")
    }

    /// Returns the number of holds begun, roughly: every hold has three lines or more.
    fn holds(&self) -> usize {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let ids = log.lines().filter_map(|line| line.split(' ').next());
        ids.collect::<HashSet<_>>().len()
    }

    /// Takes locks until the storm is over; panics when a run hangs, which ends the storm.
    fn work(&self, worker: usize) {
        let mut dice =
            Dice::new(self.plan.seed ^ (worker as u64 + 1).wrapping_mul(0x1234_5678_9abc));
        while !self.over.load(Ordering::Relaxed) {
            let process = self.cast(&mut dice).spawn();
            let slot = &self.slots[worker];
            *slot.lock().expect("no holder of a slot panics") = Some(process);
            self.see_off(slot);
        }
    }

    /// Waits for the end of what is in the slot, leaving the slot open to the chaos meanwhile.
    fn see_off(&self, slot: &Mutex<Option<Process>>) {
        let waiting = slot.lock().expect("no holder of a slot panics").as_ref().map(Process::watch);
        let ended_in_time = waiting.expect("just put there").ends_within(crate::process::PATIENCE);
        let mut process = slot.lock().expect("no holder of a slot panics").take();
        let mut process = process.take().expect("only its worker takes it");
        if !ended_in_time {
            self.over.store(true, Ordering::Relaxed);
        }
        let ended = process.wait();
        if !matches!(ended.code, None | Some(0 | 75 | 124 | 137)) {
            self.over.store(true, Ordering::Relaxed);
            panic!("an end that nobody asked for\n{}", ended.describe());
        }
        let refused = matches!(ended.code, Some(75 | 124));
        let counter = if refused { &self.tally.refused } else { &self.tally.ended };
        counter.fetch_add(1, Ordering::Relaxed);
        if matches!(ended.code, None | Some(137)) {
            self.bury(process);
        }
    }

    /// Keeps a dead process until a hundred more have died.
    fn bury(&self, process: Process) {
        let mut graves = self.graves.lock().expect("nobody panics with it");
        graves.push_back(process);
        if graves.len() > GRAVES {
            graves.pop_front();
        }
    }

    /// Throws the dice for one run.
    fn cast(&self, dice: &mut Dice) -> Run {
        let database = *dice.pick(&[DATABASES[0], DATABASES[0], DATABASES[1], DATABASES[2]]);
        let mode = if dice.once_in(2) { Mode::Shared } else { Mode::Exclusive };
        let key = if dice.once_in(10) { *dice.pick(&["k", "l"]) } else { "-" };
        let hold = Duration::from_micros(500 + dice.below(6_000));
        let plain = self.plan.flock && key == "-" && dice.once_in(9);
        let part = actor::holder(&self.log, database, mode.letter(), key, hold);
        let run = if plain {
            self.plain_flock(dice, database, mode)
        } else {
            self.guarded(dice, database, mode, key)
        };
        run.env(actor::PART, part)
    }

    fn plain_flock(&self, dice: &mut Dice, database: &str, mode: Mode) -> Run {
        let lock = self.scene.state(database, "lock");
        let timeout = *dice.pick(&["0.05", "2", "20"]);
        let option = format!("-{}", mode.letter());
        let run = self.scene.run("flock", [option.as_str(), "-E", "75", "-w", timeout]);
        run.words([lock]).words(actor::words())
    }

    fn guarded(&self, dice: &mut Dice, database: &str, mode: Mode, key: &str) -> Run {
        let timeout = *dice.pick(&["0", "0.05", "0.5", "20", "20", "20", "20", "20"]);
        let option = format!("-{}", mode.letter());
        let mut run = self.scene.dbguard(["exec", "-q", &option, "-w", timeout]);
        for (name, value) in self.plan.variables {
            run = run.env(name, value);
        }
        if key != "-" {
            run = run.words(["--key", key]);
        }
        // Nothing becomes another program on Windows.
        if dice.once_in(12) && cfg!(target_os = "linux") {
            run = run.words(["-F"]);
        }
        run = run.words([database, "--"]);
        if dice.once_in(8) {
            // A worker behind a shell: killed shells leave survivors, who keep the lock.
            let script = format!("{} & wait", actor::shell_words());
            return run.words(["sh", "-c", &script]);
        }
        run.words(actor::words())
    }

    /// Kills and stops waiters, holders and their commands, at random, until the storm is over.
    ///
    /// What is stopped goes on after a while, mostly a short one: each stop holds up everybody
    /// behind it, and the storm is to see many hand-overs.
    fn harass(&self) {
        let mut dice = Dice::new(self.plan.seed);
        let mut asleep: Vec<(Instant, Handle)> = Vec::new();
        while !self.over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(2 + dice.below(20)));
            wake(&mut asleep, |due| due <= Instant::now());
            let Some(victim) = self.victim(&mut dice) else {
                continue;
            };
            if dice.once_in(2) {
                let killed = victim.signal(Signal::KILL);
                self.tally.kills.fetch_add(usize::from(killed), Ordering::Relaxed);
            } else if victim.signal(Signal::STOP) {
                self.tally.stops.fetch_add(1, Ordering::Relaxed);
                let long = dice.once_in(25);
                let nap = if long { 2_500 } else { 5 + dice.below(150) };
                asleep.push((Instant::now() + Duration::from_millis(nap), victim));
            }
        }
        wake(&mut asleep, |_| true);
    }

    /// Picks a dbguard or flock of ours, or a process that one of them started.
    fn victim(&self, dice: &mut Dice) -> Option<Handle> {
        let slot = dice.pick(&self.slots).lock().expect("no holder of a slot panics");
        let pid = slot.as_ref()?.pid();
        if dice.once_in(2) {
            // Not reaped while we hold the slot: the number is its own.
            return handle_while(pid, || true);
        }
        let child = *children(pid).first()?;
        let victim = children(child).first().copied().filter(|_| dice.once_in(2)).unwrap_or(child);
        handle_while(victim, || is_of(victim, pid))
    }
}

/// Lets those go on whose time has come.
fn wake(asleep: &mut Vec<(Instant, Handle)>, is_due: impl Fn(Instant) -> bool) {
    asleep.retain(|(due, sleeper)| {
        let wakes = is_due(*due);
        if wakes {
            // It may have been killed in its sleep.
            sleeper.signal(Signal::CONT);
        }
        !wakes
    });
}
