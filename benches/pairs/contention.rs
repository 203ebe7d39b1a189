//! Many who want one lock: how long it takes until all have had it, and what CPU it costs.

use std::process::Command;
use std::time::Duration;

use crate::actor::{GATE, SLEEP};
use crate::crew::{Crew, contend, entries};
use crate::stage::{Side, Stage};
use crate::tally::{Turn, children_cpu, head, in_turns, median, row, shown};

/// What each of them does with the lock.
const HOLD: [&str; 2] = [SLEEP, "10"];

const CONTENDERS: usize = 200;
const CONTENDERS_ROUNDS: usize = 5;
const CROWD: usize = 800;
const CROWD_ROUNDS: usize = 2;
const KEYS: usize = 10;
const PER_KEY: usize = 20;
const KEYS_ROUNDS: usize = 15;

/// The medians of all sides.
struct Measured {
    ours: Costs,
    quiet: Costs,
    theirs: Costs,
}

/// What it took until all have had the lock.
#[derive(Clone, Copy)]
struct Costs {
    wall: Duration,
    cpu: Duration,
}

/// Prints the pair of 200.
pub fn contenders(stage: &Stage) {
    println!("  {CONTENDERS} wait and hold 10 ms each; medians of {CONTENDERS_ROUNDS}");
    let both = measure(stage, CONTENDERS, CONTENDERS_ROUNDS);
    head("dbguard", "flock");
    row("from the opening to the last end", both.ours.wall, both.theirs.wall, Some(1.05));
    tell_cpu(stage, CONTENDERS, &both, 1.1);
}

/// Prints the pair of 800, and 800 against 200.
pub fn crowd(stage: &Stage) {
    println!("  {CROWD} wait and hold 10 ms each; medians of {CROWD_ROUNDS}");
    let few = measure(stage, CONTENDERS, CROWD_ROUNDS);
    let many = measure(stage, CROWD, CROWD_ROUNDS);
    head("dbguard", "flock");
    row("from the opening to the last end", many.ours.wall, many.theirs.wall, None);
    tell_cpu(stage, CROWD, &many, 1.3);
    head("800", "200");
    row("dbguard", many.ours.wall, few.ours.wall, Some(4.4));
    row("flock", many.theirs.wall, few.theirs.wall, None);
}

/// Prints 10 keys with 20 each against one key with 20.
pub fn keys(stage: &Stage) {
    println!("  {PER_KEY} wait for each key and hold 10 ms each; medians of {KEYS_ROUNDS}");
    let mut turns: Vec<Turn<'_>> =
        vec![Box::new(|| contend_for_keys(stage, KEYS)), Box::new(|| contend_for_keys(stage, 1))];
    let times = in_turns(KEYS_ROUNDS, &mut turns);
    head("10 keys", "one key");
    row("from the opening to the last end", median(&times[0]), median(&times[1]), Some(1.3));
}

fn measure(stage: &Stage, number: usize, rounds: usize) -> Measured {
    let [ours, quiet, theirs] = [Side::Dbguard, Side::Quiet, Side::Flock];
    let sides = [(ours, "ours.db"), (quiet, "quiet.db"), (theirs, "theirs.db")];
    let sides = sides.map(|(side, name)| (side, stage.file(name)));
    let mut costs = [const { (Vec::new(), Vec::new()) }; 3];
    for _ in 0..rounds {
        for ((side, file), (wall, cpu)) in sides.iter().zip(&mut costs) {
            let before = children_cpu();
            wall.push(contend(stage, *side, file, number, &HOLD));
            cpu.push(children_cpu() - before);
        }
    }
    let [ours, quiet, theirs] = costs.map(|(mut wall, mut cpu)| {
        wall.sort_unstable();
        cpu.sort_unstable();
        Costs { wall: median(&wall), cpu: median(&cpu) }
    });
    Measured { ours, quiet, theirs }
}

/// The commands are a good part of the CPU time, and the same on all sides: they are in the
/// ratio that has a bound, and out of the one that has none.
fn tell_cpu(stage: &Stage, number: usize, all: &Measured, bound: f64) {
    row("CPU time, the commands included", all.ours.cpu, all.theirs.cpu, Some(bound));
    row("the same with -q", all.quiet.cpu, all.theirs.cpu, None);
    let before = children_cpu();
    for _ in 0..number {
        let ended = Command::new(&stage.myself).args([SLEEP, "0"]).status();
        assert!(ended.expect("run a bare command").success());
    }
    let bare = children_cpu() - before;
    let net = |cost: Duration| cost.saturating_sub(bare);
    row("CPU time, without the commands", net(all.ours.cpu), net(all.theirs.cpu), None);
    row("the same with -q", net(all.quiet.cpu), net(all.theirs.cpu), None);
    println!("  ({number} bare commands: {})", shown(bare));
}

fn contend_for_keys(stage: &Stage, number: usize) -> Duration {
    let file = stage.file("keys.db");
    let names: Vec<_> = (0..number).map(|key| format!("k{key}")).collect();
    let gates = names.iter().map(|key| stage.keyed(&file, key, &[GATE])).collect();
    let (mut crew, latch) = Crew::behind(gates);
    for key in &names {
        crew.enlist(PER_KEY, &mut stage.keyed(&file, key, &HOLD));
    }
    let count = || names.iter().map(|key| entries(&stage.queue(&file, Some(key)))).sum();
    crew.assemble(number * PER_KEY, count);
    crew.let_run(latch)
}
