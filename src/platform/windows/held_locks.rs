//! Every lock on the files of one database that can be seen from outside.
//!
//! # Platforms
//! Windows lists no locks. What shows is who keeps everybody else from opening a file, which is how
//! DuckDB and RocksDB lock on Windows. Locked bytes are for `ask`, which says what is not seen.

use std::io;

use super::lock_table::{KernelLock, LockKind, LockMode};
use super::sniff::keeps_others_out;
use super::users::{sole_user, users_of};

pub use crate::platform::answers::{HeldLock, NamedFile, Whereabouts};

/// Returns every lock on the files that can be seen, in the order of the files.
///
/// # Errors
/// None on Windows.
pub fn locks_on(files: &[NamedFile<'_>]) -> io::Result<Vec<HeldLock>> {
    let is_shut = |file: &NamedFile<'_>| file.id.is_some() && keeps_others_out(file.path, false);
    let shut = files.iter().enumerate().filter(|(_, file)| is_shut(file));
    Ok(shut.map(|(place, file)| shut_out(place, file)).collect())
}

/// Returns every lock on the files that can be seen, with everybody who may have it.
///
/// # Errors
/// None on Windows.
pub fn locks_of_everybody(files: &[NamedFile<'_>]) -> io::Result<Vec<HeldLock>> {
    locks_on(files)
}

/// Reports that nobody is named by a number on record, see the other platforms.
pub fn may_look_into(_pid: u32) -> bool {
    true
}

/// Returns what it means that nobody else may open a file.
fn shut_out(place: usize, file: &NamedFile<'_>) -> HeldLock {
    let holder = sole_user(users_of(file.path));
    let whereabouts = if holder.is_none() { Whereabouts::Unseen } else { Whereabouts::Here };
    let lock = KernelLock {
        waiting: false,
        kind: LockKind::Open,
        mode: LockMode::Write,
        raw_pid: holder.map_or(0, i64::from),
        device_major: 0,
        device_minor: 0,
        inode: file.id.map_or(0, |id| id.inode),
        start: 0,
        end: None,
    };
    HeldLock { file: place, lock, holders: holder.into_iter().collect(), whereabouts }
}
