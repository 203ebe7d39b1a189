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

use std::process::ExitCode;

/// Runs dbguard as the process's arguments say, and returns how the process has to end.
///
/// Does not return where the end is a signal: after Ctrl-C the process ends by SIGINT, so that
/// a shell's loop stops.
pub fn run() -> ExitCode {
    let end = commands::run(std::env::args_os().skip(1).collect());
    if let Some(signal) = end.signal {
        platform::signals::die_of(signal);
    }
    ExitCode::from(end.code)
}
