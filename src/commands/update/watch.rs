//! Signals while a temporary file exists.

use std::time::Duration;

use super::{Halt, interrupted};
use crate::platform::signals::{SIGXFSZ, Watch};
use crate::supervise::{Cut, Run, Supervisor};

/// Halts if a signal has come that asks us to end, or the limit of the command is reached.
pub(super) fn demand_silence(supervisor: &Supervisor<'_>) -> Result<(), Halt> {
    match supervisor.pause(Duration::ZERO) {
        None => Ok(()),
        Some(Cut::Signal(arrival)) => Err(Halt::Ended(interrupted(arrival))),
        Some(Cut::End(ending)) => Err(Halt::Ended(Run { ending, key: None })),
    }
}

/// While it lives, a file that grows beyond `ulimit -f` is an error of a write, not the end of the
/// process, which would leave the temporary file behind. The command meets the limit as ever.
pub(super) struct FileSizeLimit(Watch);

impl FileSizeLimit {
    pub(super) fn told_as_an_error() -> Self {
        Self(Watch::new(&[SIGXFSZ]))
    }
}

impl Drop for FileSizeLimit {
    fn drop(&mut self) {
        // Told by the write already; pending, it would act as soon as it is let through.
        self.0.try_take(SIGXFSZ);
    }
}
