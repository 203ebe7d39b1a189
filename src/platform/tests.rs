//! What the contract promises on every system: one set of tests for all of them.
//!
//! What only one system has is tested beside it.

mod files;
mod locks;
mod processes;
mod signals;
mod spawning;

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Far beyond what anything here takes, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns once it is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not so in time: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A process that does nothing, ended when dropped.
struct Idler(Child);

impl Idler {
    fn start() -> Self {
        Self::with_input(Stdio::null())
    }

    fn with_input(input: Stdio) -> Self {
        let child = Command::new("sleep").arg("600").stdin(input).spawn();
        Self(child.expect("sleep starts"))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends it, and leaves it as a zombie.
    fn kill(&mut self) {
        self.0.kill().expect("ours to end");
    }

    /// Takes note of its end.
    fn bury(&mut self) {
        self.0.wait().expect("ours to wait for");
    }
}

impl Drop for Idler {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
