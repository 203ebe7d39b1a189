//! dbguard: who holds a database file, may I go next, and what did a crash leave behind?
//!
//! # The rooms
//!
//! | room | what it is for | may use |
//! |---|---|---|
//! | `cli` | every word a user can type | `error`, `escape`, `outcome`, `stale` |
//! | `commands` | one file a verb; alone prints, reads the environment, decides exit codes | every room |
//! | `error` | what a user is told when something fails | `outcome` |
//! | `escape` | text from elsewhere, made harmless | nothing |
//! | `fix` | takes away what dead processes left, on proof | `info`, `platform`, `probe`, `stale` |
//! | `info` | what was seen of a database, and what to say of it; pure | `error`, `escape`, `native`, `report` |
//! | `lock` | the guard lock: exclusion, order, claims | `error`, `platform` |
//! | `native` | what is known of each database engine; pure | `escape` |
//! | `outcome` | every exit code | nothing |
//! | `platform` | the only door to the operating system, and the only `unsafe` | nothing |
//! | `probe` | evidence about a resource, disturbing nobody | `error`, `escape`, `info`, `lock`, `native`, `platform`, `stale`, `watch` |
//! | `report` | one report, two voices: people and JSON | `error`, `escape`, `lock`, `outcome` |
//! | `sql` | judges and runs a batch of SQL, prints what it yields | `platform` |
//! | `stale` | lock files of other tools, and whether their owner is dead; pure | `escape`, `platform` |
//! | `supervise` | a command, run to its end | `platform` |
//! | `unlock` | ends whoever holds a database, on what the kernel says | `error`, `info`, `lock`, `native`, `platform`, `probe` |
//! | `watch` | what two looks at a database have to say when compared; pure | `error`, `lock`, `native`, `platform` |
//!
//! Arrows point one way. A test reads this table and every `crate::` path of the source, and
//! fails where they differ. The numbered invariants of the lock stand at the top of `lock`; its
//! files, for those who read them from outside, in the README.
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::exit)]

pub mod cli;
mod commands;
pub mod error;
pub mod escape;
pub mod fix;
pub mod info;
pub mod lock;
pub mod native;
pub mod outcome;
pub mod platform;
pub mod probe;
pub mod report;
pub mod sql;
pub mod stale;
pub mod supervise;
pub mod unlock;
pub mod watch;

use std::ffi::OsString;

#[cfg(test)]
use platform::odd_name;

/// Runs dbguard as the arguments say, which begin after the program's name, and returns its exit
/// code.
///
/// Does not return where the end is a signal: after Ctrl-C the process ends by SIGINT, so that
/// a shell's loop stops. A defect ends it with [`outcome::Outcome::Internal`], never by
/// unwinding.
pub fn run(arguments: Vec<OsString>) -> i32 {
    platform::signals::turn_into_errors();
    let Ok(end) = std::panic::catch_unwind(|| commands::run(arguments)) else {
        return outcome::Outcome::Internal.code();
    };
    if let Some(signal) = end.signal {
        platform::signals::die_of(signal);
    }
    end.code
}
