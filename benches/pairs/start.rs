//! One free lock: from the spawn of `dbguard` to the end of the command it ran.

use std::path::Path;
use std::process::Command;

use crate::stage::Stage;
use crate::tally::{Turn, head, in_turns, median, row, shown, timed};

const ROUNDS: usize = 1000;
/// Until the files are in the page cache and `.dbguard` is made.
const WARM_UP: usize = 10;

/// A command and what its time is divided by.
struct Runner {
    what: &'static str,
    command: Command,
    against: Option<&'static str>,
    bound: Option<f64>,
}

/// Prints the pairs of one uncontended call.
pub fn start(stage: &Stage) {
    let mut runners = locked(stage);
    runners.extend(floors(stage));
    runners.iter_mut().for_each(|runner| (0..WARM_UP).for_each(|_| run(&mut runner.command)));
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for runner in &mut runners {
        turns.push(Box::new(|| timed(|| run(&mut runner.command))));
    }
    let medians: Vec<_> = in_turns(ROUNDS, &mut turns).iter().map(|times| median(times)).collect();
    drop(turns);
    println!("  medians of {ROUNDS}, from the spawn to the end");
    head("this", "flock");
    for (runner, time) in runners.iter().zip(&medians) {
        let other = runners.iter().position(|other| Some(other.what) == runner.against);
        match other {
            Some(other) => row(runner.what, *time, medians[other], runner.bound),
            None => println!("  {:<42} {:>10}", runner.what, shown(*time)),
        }
    }
}

fn locked(stage: &Stage) -> Vec<Runner> {
    // -F leaves a dead claim, which the next one sweeps: that is its cost and not the other's.
    let [file, file_f] = ["plain.db", "replaced.db"].map(|name| stage.file(name));
    let ours = |options: &[&str], file: &Path| {
        let mut command = stage.dbguard();
        command.args(options).arg(file).args(["--", "true"]);
        command
    };
    let theirs = |options: &[&str], file: &Path| {
        let mut command = stage.flock();
        command.args(options).arg(file).arg("true");
        command
    };
    let runner = |what, command, against, bound| Runner { what, command, against, bound };
    let (flock, flock_f) = ("flock FILE true", "flock -F FILE true");
    let mut all = vec![
        runner(flock, theirs(&[], &file), None, None),
        runner(flock_f, theirs(&["-F"], &file_f), None, None),
        runner("dbguard exec FILE -- true", ours(&[], &file), Some(flock), Some(0.9)),
        runner("dbguard exec -F FILE -- true", ours(&["-F"], &file_f), Some(flock_f), Some(1.1)),
    ];
    match stage.sqlite("sqlite.db") {
        Some(base) => {
            let command = ours(&[], &base);
            all.push(runner("dbguard exec SQLITE -- true", command, Some(flock), Some(0.9)));
        }
        None => println!("  no sqlite3 shell: the pair on a SQLite database is skipped"),
    }
    all
}

/// What the machine takes for less than our work.
fn floors(stage: &Stage) -> Vec<Runner> {
    let flock = Some("flock FILE true");
    let mut all = Vec::new();
    match stage.compiled("floor", &[]) {
        Some(floor) => {
            let mut command = Command::new(floor);
            command.arg(&stage.nothing);
            let what = "floor: static C, spawns true and waits";
            all.push(Runner { what, command, against: flock, bound: None });
        }
        None => println!("  no cc or no static libc: the floor is skipped"),
    }
    let empty = [
        ("empty static C program", "empty", &["-DEMPTY"][..]),
        ("the same without a C library", "bare", &["-DBARE", "-nostdlib"][..]),
    ];
    for (what, name, options) in empty {
        if let Some(program) = stage.compiled(name, options) {
            let command = Command::new(program);
            all.push(Runner { what, command, against: flock, bound: None });
        }
    }
    all
}

/// Runs a command as it is: nothing changed in its surroundings, so that the standard library
/// spawns it with `posix_spawn`.
fn run(command: &mut Command) {
    let status = command.status().expect("run a command");
    assert!(status.success(), "{command:?}: {status}");
}
