//! Watches a statement from a thread of its own, because DuckDB may work for long in one call.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::platform::duckdb::Interrupter;

use super::super::engine::Watch;

/// How often it is asked whether the work should be given up: fast enough for a key press.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How many looks pass between two reports of progress: ten reports a second.
const LOOKS_PER_REPORT: u32 = 5;

/// The thread. It sleeps while no statement runs, and ends when dropped.
pub(super) struct Watcher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Busy,
    Ended,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.state() = state;
        self.changed.notify_one();
    }
}

impl Watcher {
    /// Starts the thread. Where none can be started, statements cannot be interrupted.
    pub(super) fn new(interrupter: Interrupter, watch: Arc<dyn Watch>) -> Self {
        let shared = Arc::new(Shared { state: Mutex::new(State::Idle), changed: Condvar::new() });
        let seen = Arc::clone(&shared);
        let looks = move || look(&seen, &interrupter, &*watch);
        let thread = thread::Builder::new().name("sql-watcher".to_owned()).spawn(looks).ok();
        Self { shared, thread }
    }

    /// Watches until the result is dropped; after that nothing is interrupted any more.
    pub(super) fn watch(&self) -> Watched<'_> {
        self.shared.set(State::Busy);
        Watched(&self.shared)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.set(State::Ended);
        if let Some(thread) = self.thread.take() {
            // It ends by itself; had it panicked, there would be nothing to do about it.
            let _ = thread.join();
        }
    }
}

/// A statement runs.
pub(super) struct Watched<'a>(&'a Shared);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.set(State::Idle);
    }
}

/// Whatever is done to a statement is done with the state locked, so that it cannot meet the
/// next one.
fn look(shared: &Shared, interrupter: &Interrupter, watch: &dyn Watch) {
    let mut state = shared.state();
    let mut looks = 0_u32;
    loop {
        state = match *state {
            State::Ended => return,
            State::Idle => {
                looks = 0;
                shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            }
            State::Busy => {
                let waited = shared.changed.wait_timeout(state, LOOK_EVERY);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if *state == State::Busy {
            looks += 1;
            if watch.interrupted() {
                interrupter.interrupt();
            }
            if looks.is_multiple_of(LOOKS_PER_REPORT) {
                watch.progress(interrupter.progress());
            }
        }
    }
}
