//! Where the microseconds of one `exec` go.
//!
//! Needs the steps that only a build with `--features test-hooks` prints. What the printing
//! costs is measured beside it and subtracted.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::actor::{STEPS, now_ns};
use crate::stage::Stage;

const ROUNDS: usize = 300;

/// What ends at a step.
const MEANINGS: &[(&str, &str)] = &[
    ("begun", "start: execve, libc, Rust"),
    ("parsed", "arguments and settings"),
    ("opened", "the program's path, the directories"),
    ("locked", "the kernel lock"),
    ("granted", "the queue listed, the path checked"),
    ("settled", "what dead holders left: held/ listed"),
    ("fenced", "the fence"),
    ("claim-made", "the claim: created and locked"),
    ("held", "the claim: who we are"),
    ("native", "the engine's own locks"),
    ("spawned", "the spawn, until it returns"),
    ("ended", "the command (true)"),
    ("unclaimed", "release: path checked, claim removed"),
    ("released", "release: unlocked"),
    ("gone", "the end: until we are reaped"),
];

/// The steps of one run, with the time that led to each in nanoseconds.
type Trace = Vec<(String, i64)>;

/// Prints the median time before each step, on a plain file and on a SQLite database.
pub fn steps(stage: &Stage) {
    let plain = stage.file("steps.db");
    let base = stage.sqlite("steps-sqlite.db");
    if trace(stage, &plain).len() < 3 {
        println!("  skipped: this build has no steps. Run");
        println!("  cargo bench --bench pairs --features test-hooks -- steps");
        return;
    }
    let (mut ours, mut theirs, mut printing) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(trace(stage, &plain));
        theirs.extend(base.as_deref().map(|base| trace(stage, base)));
        printing.push(traced(Command::new(&stage.myself).args([STEPS, "20"])));
    }
    let printing = medians(&printing);
    let (ours, theirs) = (medians(&ours), medians(&theirs));
    println!("  medians of {ROUNDS} in us, less what it costs to print a step");
    println!("  {:<12} {:>8} {:>8}", "step", "plain", "SQLite");
    let mut totals = [0.0, 0.0];
    for (place, (name, _)) in ours.iter().enumerate() {
        let net = |trace: &Trace| {
            // A trace of the printing: its first time is a process start. Nothing was printed
            // before our first step either.
            let cost = if place == 0 { 0 } else { printing.get(place).map_or(0, |cost| cost.1) };
            trace.get(place).map_or(0.0, |step| micros(step.1 - cost))
        };
        let (left, right) = (net(&ours), net(&theirs));
        totals = [totals[0] + left, totals[1] + right];
        let meaning = MEANINGS.iter().find(|known| known.0 == name).map_or("", |known| known.1);
        println!("  {name:<12} {left:>8.1} {right:>8.1}  {meaning}");
    }
    println!("  {:<12} {:>8.1} {:>8.1}", "", totals[0], totals[1]);
    let costs: Vec<_> = printing.iter().skip(1).take(ours.len()).map(|cost| cost.1).collect();
    let (first, last) = (costs.first(), costs.last());
    if let (Some(first), Some(last)) = (first, last) {
        println!("  (printing: {:.1} the first time, {:.1} later)", micros(*first), micros(*last));
    }
}

fn micros(nanoseconds: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a run takes some milliseconds")]
    let micros = nanoseconds as f64 / 1e3;
    micros
}

fn trace(stage: &Stage, file: &Path) -> Trace {
    traced(stage.dbguard().arg(file).args(["--", "true"]))
}

/// Runs a command and returns its steps, up to its end.
fn traced(command: &mut Command) -> Trace {
    command.env("DBGUARD_TEST_TIMES", "1").stderr(Stdio::piped());
    let mut before = now_ns();
    // Its few lines fit into the pipe: nobody has to read before the end.
    let mut child = command.spawn().expect("run a command");
    let status = child.wait().expect("wait for a command");
    let gone = now_ns();
    assert!(status.success(), "{command:?}: {status}");
    let mut text = String::new();
    let mut pipe = child.stderr.take().expect("stderr is a pipe");
    std::io::Read::read_to_string(&mut pipe, &mut text).expect("read the steps");
    let mut trace = Trace::new();
    for line in text.lines().chain([format!("step gone {gone}").as_str()]) {
        let mut words = line.split(' ');
        let (Some("step"), Some(name), Some(at)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let at = at.parse().expect("a step has a time");
        trace.push((name.to_owned(), at - before));
        before = at;
    }
    trace
}

/// Returns the median time before each step, of the runs that took the steps of the first one.
fn medians(traces: &[Trace]) -> Trace {
    let Some(first) = traces.first() else { return Trace::new() };
    let same = |trace: &&Trace| {
        trace.len() == first.len() && trace.iter().zip(first).all(|(one, other)| one.0 == other.0)
    };
    let alike: Vec<_> = traces.iter().filter(same).collect();
    let median = |place: usize| {
        let mut times: Vec<_> = alike.iter().map(|trace| trace[place].1).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    first.iter().enumerate().map(|(place, (name, _))| (name.clone(), median(place))).collect()
}
