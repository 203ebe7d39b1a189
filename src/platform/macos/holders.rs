//! From a file to the processes that hold a kernel lock on it.
//!
//! fcntl locks name their process. A flock names none: see `held_locks` for when one is found.

use std::fs::File;
use std::io;
use std::path::Path;

use super::held_locks::{self, NamedFile, locks_on};
use super::lock_table::{KernelLock, LockKind, LockMode};
use crate::platform::FileId;
use crate::platform::unix::record_lock::{self, Question};

pub use crate::platform::answers::Holder;

/// Whether the system lists the locks that others hold.
pub const ARE_LISTED: bool = true;

/// Whether a mutex that processes share has the number of the thread that has it: not here.
pub const MUTEXES_NAME_THREADS: bool = false;

/// Returns the locks held on a file, with the processes that hold them where that can be told.
///
/// Waiters are left out. A lock that several processes share may be listed once for each. Does not
/// block.
///
/// # Errors
/// The file may not be opened, or its file system knows no locks.
///
/// # Platforms
/// As `held_locks::locks_on`.
pub fn holders_of(file: FileId, path: &Path) -> io::Result<Vec<Holder>> {
    let held = locks_on(&[NamedFile { path, id: Some(file) }])?;
    let holder =
        |one: held_locks::HeldLock| Holder { pid: one.holders.first().copied(), lock: one.lock };
    Ok(held.into_iter().map(holder).collect())
}

/// Returns a holder whose flock would refuse one, exclusive if `write`, shared otherwise.
///
/// # Errors
/// As [`holders_of`].
///
/// # Platforms
/// An fcntl lock would refuse one, too, and is told by `ask`.
pub fn flock_conflict(file: FileId, path: &Path, write: bool) -> io::Result<Option<Holder>> {
    let refuses =
        |lock: &KernelLock| lock.kind == LockKind::Flock && (write || lock.mode == LockMode::Write);
    Ok(holders_of(file, path)?.into_iter().find(|holder| refuses(&holder.lock)))
}

/// Reports whether a process has a flock or an open-file-description lock on a file, through any
/// of its descriptors.
///
/// # Platforms
/// Never told: a descriptor shows only whether it was locked once.
pub fn holds(_pid: u32, _file: FileId) -> bool {
    false
}

/// Returns how a file of ours is flocked through its own open description, if it is.
///
/// # Platforms
/// A question on behalf of the process meets the flock; one on behalf of the open description,
/// which has it, does not (`lf_findoverlap` in `bsd/kern/kern_lockf.c` compares owners). Where
/// others share the lock, `None`: whether it is ours, too, cannot be told.
pub fn held_through(file: &File) -> Option<LockMode> {
    let ask = |command| {
        let question = Question { command, pid: 0, write: true, start: 0, length: 0 };
        record_lock::ask(file, question).ok()
    };
    let seen_by_process = ask(libc::F_GETLK)?.filter(|lock| lock.pid.is_none())?;
    match ask(libc::F_OFD_GETLK)? {
        None if seen_by_process.write => Some(LockMode::Write),
        None => Some(LockMode::Read),
        Some(_) => None,
    }
}

/// Reports whether a process has, through a descriptor it inherited, the flock on a file that the
/// process `taker` took.
///
/// # Platforms
/// Also if it once had a lock on the file through a descriptor of its own.
pub fn inherited(pid: u32, file: FileId, _taker: u32) -> bool {
    held_locks::was_locked_by(pid, file)
}

/// Returns the process that a thread belongs to: not told.
pub fn process_of_thread(_thread: u32) -> Option<u32> {
    None
}

/// Reports whether locks of all processes are told: there are no PID namespaces to hide any.
pub fn table_is_complete() -> bool {
    true
}
