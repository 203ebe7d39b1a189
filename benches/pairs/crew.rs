//! Processes that wait for a lock behind a gate, which is one more process that has it.

use std::fs;
use std::io::{PipeWriter, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::actor::GATE;
use crate::stage::{Side, Stage};

/// Between the last one's arrival and the opening: the time it needs to fall asleep.
const SETTLING: Duration = Duration::from_millis(300);

/// Many processes of one lock or more, none of which has had it yet.
#[derive(Debug, Default)]
pub struct Crew {
    gates: Vec<Child>,
    waiting: Vec<Child>,
}

impl Drop for Crew {
    fn drop(&mut self) {
        for child in self.gates.iter_mut().chain(&mut self.waiting) {
            // Whoever has ended and been waited for already needs neither.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Closed gates; opens them when dropped.
#[derive(Debug)]
pub struct Latch {
    _input: PipeWriter,
}

impl Crew {
    /// Closes a gate with each of the commands, which run the part of the gate.
    pub fn behind(gates: Vec<Command>) -> (Self, Latch) {
        let (reader, input) = std::io::pipe().expect("make a pipe");
        let mut crew = Self::default();
        for mut gate in gates {
            let stdin = reader.try_clone().expect("copy the pipe's end");
            let gate = gate.stdin(stdin).stdout(Stdio::piped()).spawn();
            crew.gates.push(gate.expect("close a gate"));
        }
        for gate in &mut crew.gates {
            let mut word = [0];
            let output = gate.stdout.as_mut().expect("stdout is a pipe");
            output.read_exact(&mut word).expect("the gate is closed");
        }
        (crew, Latch { _input: input })
    }

    /// Lets `number` more processes start and queue up. What they say while they wait is not
    /// shown, but it costs them what it costs.
    pub fn enlist(&mut self, number: usize, command: &mut Command) {
        for _ in 0..number {
            self.waiting.push(command.stderr(Stdio::null()).spawn().expect("start a contender"));
        }
    }

    /// Returns the process that was the last to start.
    pub fn last(&self) -> u32 {
        self.waiting.last().expect("somebody waits").id()
    }

    /// Waits until `count` says that so many wait.
    pub fn assemble(&self, number: usize, count: impl Fn() -> usize) {
        while count() < number {
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(SETTLING);
    }

    /// Opens the gates, waits for every end, and returns how long it took.
    pub fn let_run(mut self, latch: Latch) -> Duration {
        let opened = Instant::now();
        drop(latch);
        for child in self.waiting.iter_mut().chain(&mut self.gates) {
            let status = child.wait().expect("wait for a contender");
            assert!(status.success(), "a contender failed: {status}");
        }
        opened.elapsed()
    }
}

/// Lets `number` processes wait for the lock of `file`, each to play `part`, and runs them.
pub fn contend(stage: &Stage, side: Side, file: &Path, number: usize, part: &[&str]) -> Duration {
    let (mut crew, latch) = Crew::behind(vec![stage.locked(side, file, &[GATE])]);
    crew.enlist(number, &mut stage.locked(side, file, part));
    match side {
        Side::Dbguard | Side::Quiet => crew.assemble(number, || entries(&stage.queue(file, None))),
        Side::Flock => crew.assemble(number, || blocked(file)),
    }
    crew.let_run(latch)
}

/// Returns how many names a directory has.
pub fn entries(directory: &Path) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

/// Returns how many wait in the kernel for a lock on `file`.
fn blocked(file: &Path) -> usize {
    let inode = format!(":{} ", fs::metadata(file).expect("look at the file").ino());
    let locks = fs::read_to_string("/proc/locks").expect("read /proc/locks");
    locks.lines().filter(|line| line.contains("-> FLOCK") && line.contains(&inode)).count()
}
