//! Signals while a temporary file exists.

use std::time::Duration;

use super::{Halt, interrupted};
use crate::supervise::{Cut, Run, Supervisor};

/// Halts if a signal has come that asks us to end, or the limit of the command is reached.
pub(super) fn demand_silence(supervisor: &Supervisor<'_>) -> Result<(), Halt> {
    match supervisor.pause(Duration::ZERO) {
        None => Ok(()),
        Some(Cut::Signal(arrival)) => Err(Halt::Ended(interrupted(arrival))),
        Some(Cut::End(ending)) => Err(Halt::Ended(Run { ending, key: None })),
    }
}
