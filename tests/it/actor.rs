//! The parts this very test binary plays when it is started as a command.
//!
//! Re-executing ourselves needs no second program to build, find and install. The part comes in
//! a variable, as a JSON list of words; a test run without it passes at once.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use crate::intervals;
use crate::system::now;

/// Names the part to play.
pub const PART: &str = "ACTOR_PART";

/// How often a holder says that it is still there.
const BEAT: Duration = Duration::from_millis(1);

/// Returns the command line that plays the part given in the environment.
pub fn words() -> Vec<String> {
    let me = env::current_exe().expect("this binary has a path");
    let me = me.to_str().expect("the build directory's path is text").to_owned();
    let this_test = "actor::plays_the_part_in_its_environment";
    vec![me, "--exact".into(), this_test.into(), "--nocapture".into(), "--test-threads=1".into()]
}

/// Returns [`words`] as one shell word list.
pub fn shell_words() -> String {
    words().iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
}

/// Returns the part of somebody who holds a lock for a while and records it.
pub fn holder(log: &Path, resource: &str, mode: &str, key: &str, hold: Duration) -> String {
    let log = log.to_str().expect("the temp dir's path is text");
    let hold = hold.as_micros().to_string();
    serde_json::json!(["hold", log, resource, mode, key, hold]).to_string()
}

/// Returns the part of a plain flock user, who says by making `ready` that he holds the lock.
pub fn plain(path: &Path, ready: &Path) -> String {
    let text = |path: &Path| path.to_str().expect("the temp dir's path is text").to_owned();
    serde_json::json!(["plain", text(path), text(ready)]).to_string()
}

/// Returns the part of one who merely has a file open, and says so by making `ready`.
pub fn opener(path: &Path, ready: &Path) -> String {
    let text = |path: &Path| path.to_str().expect("the temp dir's path is text").to_owned();
    serde_json::json!(["open", text(path), text(ready)]).to_string()
}

/// Returns the part of one who has a redb open, `"rw"` or `"ro"`, until input ends, or who fails.
pub fn redb(path: &Path, mode: &str) -> String {
    let path = path.to_str().expect("the temp dir's path is text");
    serde_json::json!(["redb", path, mode]).to_string()
}

/// Returns the part of one who starts a command and is gone.
pub fn leaving(words: &[&str]) -> String {
    serde_json::json!([&["leave"], words].concat()).to_string()
}

/// Returns the part of the leader of a new session on a terminal, which becomes `words`.
#[cfg(target_os = "linux")]
pub fn session(terminal: &Path, words: &[&str]) -> String {
    let terminal = terminal.to_str().expect("a terminal's path is text");
    let mut part = vec!["session", terminal];
    part.extend(words);
    serde_json::json!(part).to_string()
}

#[test]
fn plays_the_part_in_its_environment() {
    let Ok(part) = env::var(PART) else {
        return;
    };
    let part: Vec<String> = serde_json::from_str(&part).expect("the part is a list of words");
    let words: Vec<&str> = part.iter().map(String::as_str).collect();
    match &words[..] {
        ["hold", log, resource, mode, key, hold] => {
            let hold = Duration::from_micros(hold.parse().expect("microseconds"));
            hold_for(log, resource, mode, key, hold);
        }
        ["plain", path, ready] => {
            let file = File::open(path).expect("the lock file opens");
            file.lock().expect("nobody holds it for long");
            File::create(ready).expect("the scene is writable");
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("input ends");
        }
        ["open", path, ready] => {
            let _open = File::open(path).expect("the file opens");
            File::create(ready).expect("the scene is writable");
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("input ends");
        }
        ["redb", path, mode] => {
            let _open: Box<dyn std::any::Any> = match *mode {
                "rw" => Box::new(redb::Database::create(path).expect("it is free")),
                _ => Box::new(redb::ReadOnlyDatabase::open(path).expect("it is readable")),
            };
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("input ends");
        }
        ["leave", program, arguments @ ..] => {
            let mut command = process::Command::new(program);
            let left = command.args(arguments).env_remove(PART).spawn();
            // It is left behind, which is the part.
            drop(left.expect("it can be started"));
        }
        #[cfg(target_os = "linux")]
        ["session", terminal, program, arguments @ ..] => lead(terminal, program, arguments),
        _ => panic!("no such part: {words:?}"),
    }
    process::exit(0);
}

fn hold_for(log: &str, resource: &str, mode: &str, key: &str, hold: Duration) {
    let start = now();
    let id = format!("{}.{start}", process::id());
    let mut log = OpenOptions::new().append(true).create(true).open(log).expect("open the log");
    // One write a line: lines of several processes never mix.
    let mut record = |time: u64| {
        log.write_all(intervals::line(&id, time, resource, mode, key).as_bytes()).expect("log");
    };
    record(start);
    let deadline = Instant::now() + hold;
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        thread::sleep(left.min(BEAT));
        record(now());
    }
    record(now());
}

#[cfg(target_os = "linux")]
fn lead(terminal: &str, program: &str, arguments: &[&str]) {
    use std::os::unix::process::CommandExt;
    rustix::process::setsid().expect("no group leader: started by a test");
    // The first terminal that a session leader opens becomes its controlling terminal.
    let terminal = File::options().read(true).write(true).open(terminal).expect("open the tty");
    let handle = || terminal.try_clone().expect("a descriptor more");
    let mut command = process::Command::new(program);
    command.args(arguments).stdin(handle()).stdout(handle()).stderr(handle());
    let error = command.env_remove(PART).exec();
    panic!("{program}: {error}");
}
