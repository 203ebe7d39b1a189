//! The parts that the bench binary plays as a command under a lock.
//!
//! Both sides run the same part, so what it costs to start it is in both.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write, stdin, stdout};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Says that it runs, then holds the lock until its input ends.
pub const GATE: &str = "@gate";
/// `@sleep MILLISECONDS`: holds the lock that long.
pub const SLEEP: &str = "@sleep";
/// `@log FILE MILLISECONDS`: holds the lock that long and appends `start end` in nanoseconds.
pub const LOG: &str = "@log";
/// `@locks FILE NUMBER`: makes so many files, flocks each, says so and holds until its input ends.
pub const LOCKS: &str = "@locks";
/// `@steps NUMBER`: passes so many named steps with nothing between them.
pub const STEPS: &str = "@steps";

/// Plays the part that the words name; returns whether they name one.
pub fn play(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [GATE] => gate(),
        [SLEEP, time] => thread::sleep(milliseconds(time)),
        [LOG, file, time] => log(file, milliseconds(time)),
        [LOCKS, file, number] => locks(file, number.parse().expect("a number of locks")),
        [STEPS, number] => {
            let number = number.parse().expect("a number of steps");
            (0..number).for_each(|_: u32| dbguard::platform::step::step("again"));
        }
        _ => return false,
    }
    true
}

/// Returns the nanoseconds of a clock that all processes share.
pub fn now_ns() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

fn milliseconds(word: &str) -> Duration {
    Duration::from_millis(word.parse().expect("a number of milliseconds"))
}

fn gate() {
    let mut out = stdout();
    out.write_all(b".").and_then(|()| out.flush()).expect("say that the gate is closed");
    stdin().read_to_end(&mut Vec::new()).expect("wait at the gate");
}

fn locks(file: &str, number: u32) {
    let lock = |index| {
        let file = File::create(format!("{file}.{index}")).expect("make a file");
        file.lock().expect("nobody else locks it");
        file
    };
    let _locked: Vec<File> = (0..number).map(lock).collect();
    gate();
}

fn log(file: &str, time: Duration) {
    let start = now_ns();
    let mut file = OpenOptions::new().append(true).open(file).expect("open the log");
    thread::sleep(time);
    let line = format!("{start} {}\n", now_ns());
    // One write, so that the next command's line cannot get in between.
    file.write_all(line.as_bytes()).expect("write the log");
}
