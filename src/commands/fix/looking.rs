//! The line that says how far a search is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::commands::voice::{Voice, write};

/// When the line appears.
const FIRST: Duration = Duration::from_secs(1);

/// How often it is redrawn, and how long its end may take.
const THEN: Duration = Duration::from_millis(100);

/// A search that a person may be waiting for.
pub(super) struct Looking;

impl Looking {
    /// Does the work; shows what was seen so far if it takes over a second and somebody watches.
    pub(super) fn while_at<T>(seen: &AtomicU64, voice: &Voice, work: impl FnOnce() -> T) -> T {
        if !voice.is_live() || voice.is_quiet() {
            return work();
        }
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let line = scope.spawn(|| draw(seen, &is_over));
            let result = work();
            is_over.store(true, Ordering::Relaxed);
            line.thread().unpark();
            result
        })
    }
}

fn draw(seen: &AtomicU64, is_over: &AtomicBool) {
    let begun = Instant::now();
    let mut drawn = false;
    while !is_over.load(Ordering::Relaxed) {
        thread::park_timeout(THEN);
        if begun.elapsed() >= FIRST && !is_over.load(Ordering::Relaxed) {
            drawn = true;
            write(&format!("\r\x1b[2Klooked at {} files", seen.load(Ordering::Relaxed)));
        }
    }
    if drawn {
        write("\r\x1b[2K");
    }
}
