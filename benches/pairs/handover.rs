//! The hand-over: from the end of one command to the start of the next one in line.
//!
//! Both moments are told by the commands themselves, as their first and their last act, on a
//! clock that all processes share. In between lie the end of the first command, the release,
//! the wake-up, the checks after the grant, and the start of the next command.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::actor::LOG;
use crate::crew::contend;
use crate::stage::{Side, Stage};
use crate::tally::{head, median, percentile, row};

const WAITERS: usize = 50;
const ROUNDS: usize = 30;
/// Longer than the end of the process before, which would otherwise be in the way.
const HOLD_MILLISECONDS: &str = "2";

/// Prints the median and the 99th percentile of the hand-overs of both sides.
pub fn handover(stage: &Stage) {
    let ours = stage.file("ours.db");
    let theirs = stage.file("theirs.db");
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        times[0].extend(measure(stage, Side::Dbguard, &ours));
        times[1].extend(measure(stage, Side::Flock, &theirs));
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    let [ours, theirs] = &times;
    println!("  {WAITERS} wait; {} hand-overs a side", ours.len());
    head("dbguard", "flock");
    row("median", median(ours), median(theirs), Some(1.1));
    row("99th percentile", percentile(ours, 99), percentile(theirs, 99), Some(1.1));
    row("longest", percentile(ours, 100), percentile(theirs, 100), None);
}

fn measure(stage: &Stage, side: Side, file: &Path) -> Vec<Duration> {
    let path = stage.path("log");
    drop(File::create(&path).expect("empty the log"));
    let log = path.to_str().expect("the target directory has a plain name");
    contend(stage, side, file, WAITERS, &[LOG, log, HOLD_MILLISECONDS]);
    let text = fs::read_to_string(&path).expect("read the log");
    let mut turns: Vec<(u64, u64)> = text.lines().filter_map(turn).collect();
    assert_eq!(turns.len(), WAITERS, "everybody has logged its turn");
    turns.sort_unstable();
    let pairs = turns.iter().zip(&turns[1..]);
    pairs
        .map(|((_, end), (start, _))| {
            let gap = start.checked_sub(*end).expect("nobody starts before the other has ended");
            Duration::from_nanos(gap)
        })
        .collect()
}

fn turn(line: &str) -> Option<(u64, u64)> {
    let (start, end) = line.split_once(' ')?;
    Some((start.parse().ok()?, end.parse().ok()?))
}
