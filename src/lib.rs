//! dbguard: who holds a database file, may I go next, and what did a crash leave behind?

pub mod cli;
mod commands;
pub mod error;
pub mod lock;
pub mod native;
pub mod outcome;
pub mod platform;
pub mod probe;
pub mod report;
pub mod supervise;

use std::ffi::OsString;

/// Runs dbguard as the arguments say, which begin after the program's name, and returns its exit
/// code.
///
/// Does not return where the end is a signal: after Ctrl-C the process ends by SIGINT, so that
/// a shell's loop stops. A defect ends it with [`outcome::Outcome::Internal`], never by
/// unwinding.
pub fn run(arguments: Vec<OsString>) -> u8 {
    platform::signals::ignore_broken_pipes();
    let Ok(end) = std::panic::catch_unwind(|| commands::run(arguments)) else {
        return outcome::Outcome::Internal.code();
    };
    if let Some(signal) = end.signal {
        platform::signals::die_of(signal);
    }
    end.code
}
