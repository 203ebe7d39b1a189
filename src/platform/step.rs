//! Named steps at which a test can stop the process or make a system call fail.
//!
//! Inert unless the crate is built with the feature `test-hooks`: a crash test needs a process
//! that is stopped or killed exactly between two system calls.

use std::io;

/// Marks a step of the protocol. Stops the process here if a test asked for it.
#[cfg(not(feature = "test-hooks"))]
#[inline(always)]
pub fn step(_name: &str) {}

/// Fails if a test asked this step to fail.
#[cfg(not(feature = "test-hooks"))]
#[inline(always)]
pub fn fault(_name: &str) -> io::Result<()> {
    Ok(())
}

/// Whether a test asked for a lock that excludes nobody, to see the checkers fail.
#[cfg(not(feature = "test-hooks"))]
#[inline(always)]
pub fn without_exclusion() -> bool {
    false
}

/// Whether a test asked that every process be taken for visible, wherever it runs.
#[cfg(not(feature = "test-hooks"))]
#[inline(always)]
pub fn sees_all() -> bool {
    false
}

#[cfg(feature = "test-hooks")]
pub use hooks::{fault, sees_all, step, without_exclusion};

#[cfg(feature = "test-hooks")]
mod hooks {
    use std::env;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::io;
    use crate::platform::steps;

    /// Stops the process the first time it reaches the step that `DBGUARD_TEST_STOP_AT` names, of
    /// several with commas between them at one after the other; with `DBGUARD_TEST_TIMES` it also
    /// tells when the step was reached.
    #[expect(clippy::print_stderr, reason = "only a build for tests tells the time")]
    pub fn step(name: &str) {
        if env::var_os("DBGUARD_TEST_TIMES").is_some() {
            eprintln!("step {name} {}", steps::nanoseconds());
        }
        static STOPS: AtomicUsize = AtomicUsize::new(0);
        let Ok(wanted) = env::var("DBGUARD_TEST_STOP_AT") else { return };
        let stops = STOPS.load(Ordering::Relaxed);
        let order = Ordering::Relaxed;
        if wanted.split(',').nth(stops) == Some(name)
            && STOPS.compare_exchange(stops, stops + 1, order, order).is_ok()
        {
            steps::stop();
        }
    }

    /// Fails if `DBGUARD_TEST_FAIL_AT` is `STEP=ERRNO` with this step.
    pub fn fault(name: &str) -> io::Result<()> {
        let Ok(wanted) = env::var("DBGUARD_TEST_FAIL_AT") else { return Ok(()) };
        let Some((step, errno)) = wanted.split_once('=') else { return Ok(()) };
        if step != name {
            return Ok(());
        }
        Err(steps::error_named(errno))
    }

    /// Whether `DBGUARD_TEST_NO_KERNEL_LOCK` is set.
    pub fn without_exclusion() -> bool {
        env::var_os("DBGUARD_TEST_NO_KERNEL_LOCK").is_some()
    }

    /// Whether `DBGUARD_TEST_SEES_ALL` is set.
    pub fn sees_all() -> bool {
        env::var_os("DBGUARD_TEST_SEES_ALL").is_some()
    }
}
