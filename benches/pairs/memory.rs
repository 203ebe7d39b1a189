//! What one process keeps while it waits.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::actor::{GATE, SLEEP};
use crate::crew::{Crew, entries};
use crate::stage::{Side, Stage};

/// Long enough for the helper thread to have looked around once (it does every second).
const WAITED: Duration = Duration::from_millis(1500);

/// The lines of `/proc/PID/status`, what they are, and the bound for dbguard in KiB.
const KINDS: &[(&str, &str, u64)] =
    &[("RssAnon", "its own (RssAnon)", 1024), ("VmRSS", "resident (VmRSS)", 8192)];

/// Prints the memory of a waiting dbguard and of a waiting flock.
pub fn memory(stage: &Stage) {
    let file = stage.file("memory.db");
    let mut sizes = Vec::new();
    for side in [Side::Dbguard, Side::Flock] {
        let (mut crew, latch) = Crew::behind(vec![stage.locked(side, &file, &[GATE])]);
        crew.enlist(1, &mut stage.locked(side, &file, &[SLEEP, "0"]));
        if side == Side::Dbguard {
            crew.assemble(1, || entries(&stage.queue(&file, None)));
        }
        thread::sleep(WAITED);
        sizes.push(fs::read_to_string(format!("/proc/{}/status", crew.last())));
        crew.let_run(latch);
    }
    println!("  {:<42} {:>10} {:>10}  bound", "one waiting process, KiB", "dbguard", "flock");
    for (line, what, bound) in KINDS {
        let [ours, theirs] = [0, 1].map(|side| {
            let status = sizes[side].as_deref().unwrap_or_default();
            let value = status.lines().find_map(|text| text.strip_prefix(line));
            value.map(|text| text.trim_matches([':', '\t', ' ', 'k', 'B'])).unwrap_or("?")
        });
        println!("  {what:<42} {ours:>10} {theirs:>10}  {bound}");
    }
}
