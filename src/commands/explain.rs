//! From an error of the lock room to what the user is told.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::voice::Voice;
use crate::cli::duration::Timeout;
use crate::error::Failure;
use crate::lock::{Contention, LockError};
use crate::outcome::Outcome;
use crate::platform::signals::{self, Arrival, Origin};
use crate::platform::{Shortage, errors, host};
use crate::report;

const LOCK_DIR: &str = "keep the locks elsewhere with --lock-dir DIR (or DBGUARD_LOCK_DIR); \
     everybody who locks this file must name the same DIR";

/// Returns what to tell of an error of locking `files`, with one thing to do.
pub fn explain(error: &LockError, timeout: Timeout, files: &[PathBuf], voice: &Voice) -> Failure {
    match error {
        LockError::WouldBlock(contention) => {
            let failure = contended(Outcome::WouldBlock, "is locked", contention, voice);
            failure.hint("leave -n out to wait for it (up to 30s, or -w)")
        }
        LockError::QueueFull { contention, limit } => {
            let what = format!("is locked, and {limit} or more wait already");
            let failure = contended(Outcome::WouldBlock, &what, contention, voice);
            failure.hint("try later, or allow more with --max-waiters")
        }
        LockError::Timeout(contention) => {
            let waited = timeout.finite().unwrap_or(contention.waited);
            let what = format!("is still locked after {}", report::duration(waited));
            let failure = contended(Outcome::Timeout, &what, contention, voice);
            let longer = longer_than(waited);
            let file = voice.shown(&contention.path);
            if failure.holder.as_ref().is_some_and(|holder| holder.lease) {
                return failure.hint(format!(
                    "dbguard acquire took it: join it with DBGUARD_HELD=TOKEN, or end it with \
                     dbguard release {file} --token TOKEN"
                ));
            }
            failure.hint(format!(
                "wait longer with -w {longer} (or DBGUARD_TIMEOUT={longer}), or see dbguard info {file}"
            ))
        }
        LockError::Interrupted(arrival) => interrupted(*arrival, &voice.shown_all(files)),
        _ => out_of_order(error),
    }
}

/// Returns what to tell of an error that is not about who else wants the lock.
fn out_of_order(error: &LockError) -> Failure {
    match error {
        LockError::Deadlock { hint, .. } => failure(Outcome::Deadlock, error).hint(*hint),
        LockError::Untrusted { .. } => failure(Outcome::Permission, error).hint(LOCK_DIR),
        LockError::NotSupported { source, .. } => failure(Outcome::Unavailable, error)
            .caused_by(source)
            .hint("put the lock on a local file system with --lock-dir DIR (or DBGUARD_LOCK_DIR)"),
        LockError::Create { source, .. } => {
            let outcome = match source.kind() {
                io::ErrorKind::PermissionDenied => Outcome::Permission,
                _ => Outcome::CannotCreate,
            };
            failure(outcome, error).caused_by(source).hint(LOCK_DIR)
        }
        LockError::NoDirectory { .. } => failure(Outcome::NoSuchFile, error)
            .hint("a file that does not exist yet can be locked, its directory must exist"),
        LockError::NotAFile { .. } => failure(Outcome::Usage, error).hint("name a file in it"),
        LockError::NoFile { .. } => {
            failure(Outcome::NoSuchFile, error).hint("name the file itself, or another one")
        }
        LockError::OwnState { .. } => {
            failure(Outcome::Usage, error).hint("name the database that it belongs to")
        }
        LockError::TwoPlaces { .. } => failure(Outcome::BadSetting, error)
            .hint("let everybody use the same place: drop --lock-dir here, or end the others"),
        LockError::Vanished { .. } | LockError::Unstable { .. } => {
            failure(Outcome::IoError, error).hint("keep the locks on a local file system")
        }
        LockError::WrongDescriptor { descriptor, path } => {
            let path = path.display();
            failure(Outcome::IoError, error).hint(format!("reopen it: exec {descriptor}<>{path}"))
        }
        LockError::Io { source, .. } => {
            let failure = failure(outcome_of(source), error).caused_by(source);
            match failure.outcome {
                Outcome::OsError => failure.hint(relief(source)),
                _ if errors::is_shut_out(source) => failure.hint(
                    "another program keeps it from being opened, as virus scanners do: try again",
                ),
                _ => failure,
            }
        }
        // Contention and interruptions are told by `explain`.
        _ => failure(Outcome::Internal, error),
    }
}

fn interrupted(arrival: Arrival, files: &str) -> Failure {
    let outcome = Outcome::Signaled(u8::try_from(arrival.signal).unwrap_or(0));
    let name = match arrival.signal {
        signals::SIGHUP => "SIGHUP",
        signals::SIGINT => "SIGINT",
        signals::SIGQUIT => "SIGQUIT",
        signals::SIGTERM => "SIGTERM",
        signals::SIGUSR1 => "SIGUSR1",
        signals::SIGUSR2 => "SIGUSR2",
        signals::SIGTSTP => "SIGTSTP",
        _ => "a signal",
    };
    let message = format!("interrupted by {name} while waiting for {files}");
    let mut failure = Failure::new(outcome, message);
    failure.key = (arrival.origin == Origin::Kernel).then_some(arrival.signal);
    failure
}

/// Returns that a search was not allowed everywhere.
pub fn unread(count: u64) -> String {
    let what = if count == 1 { "file or directory" } else { "files or directories" };
    format!("{count} {what} could not be read; {} sees them all", host::SEES_ALL)
}

/// Whether the system has run out of something: descriptors, processes, memory.
pub fn is_exhausted(error: &io::Error) -> bool {
    errors::shortage(error).is_some()
}

/// Returns what helps where the system has run out of something.
pub fn relief(error: &io::Error) -> &'static str {
    match errors::shortage(error) {
        Some(Shortage::OwnFiles) => "allow more open files: raise `ulimit -n`",
        Some(Shortage::Processes) => "allow more processes: raise `ulimit -u`",
        _ => "the whole system has run out of it: try again when less is running",
    }
}

fn failure(outcome: Outcome, error: &LockError) -> Failure {
    Failure::new(outcome, error.to_string())
}

fn outcome_of(error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Outcome::Permission,
        io::ErrorKind::NotFound => Outcome::NoSuchFile,
        _ if is_exhausted(error) => Outcome::OsError,
        _ => Outcome::IoError,
    }
}

fn contended(outcome: Outcome, what: &str, contention: &Contention, voice: &Voice) -> Failure {
    let path = voice.shown(&contention.path);
    let mut failure = Failure::new(outcome, format!("{path} {what}"));
    let held = match contention.holders.as_slice() {
        [] => "nobody can be seen holding it".to_owned(),
        [one] => format!("held by {}", report::described(one)),
        [first, rest @ ..] => {
            format!("held by {} and {}", report::described(first), others(rest.len()))
        }
    };
    let wait = match contention.waiters {
        0 => String::new(),
        1 => "; 1 other waits".to_owned(),
        count => format!("; {count} others wait"),
    };
    failure.details.push(held + &wait);
    failure.holder = contention.holders.first().cloned().map(Box::new);
    failure
}

fn others(count: usize) -> String {
    if count == 1 { "1 other".to_owned() } else { format!("{count} others") }
}

/// Returns a timeout worth trying after this one.
fn longer_than(waited: Duration) -> &'static str {
    const MINUTES: u64 = 60;
    match waited.as_secs() {
        seconds if seconds < 10 * MINUTES => "10m",
        seconds if seconds < 60 * MINUTES => "1h",
        _ => "inf",
    }
}
