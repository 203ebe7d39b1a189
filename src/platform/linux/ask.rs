//! Asking the kernel whether a lock would be refused, without asking for the lock.
//!
//! An engine that meets a lock fails, however short the lock was: a blocking `F_OFD_SETLKW` read
//! request on SQLite's bytes made a few in every thousand transactions of another process fail, and
//! one on a DuckDB file made its open fail (measured). `F_OFD_GETLK` at the same rate disturbed
//! nobody. So this room has no function that takes a lock.
//!
//! The hazard that remains is `close`: closing any descriptor of a file drops all the fcntl locks
//! that this process has on it (fcntl(2)). Never ask about a database that an engine in this very
//! process has open.

use std::fs::File;
use std::io;

use crate::platform::unix::record_lock::{self, Question};

pub use crate::platform::answers::Conflict;

/// Returns one of the fcntl locks that would refuse a lock on these bytes, if there is one.
///
/// Requests nothing and does not block. A `length` of 0 asks up to the end of the offset space. The
/// descriptor may be read-only, also to ask about a write lock, but not `O_PATH`. Sees the POSIX
/// locks of every process including this one, and the locks of every other open file description;
/// never a flock. The kernel joins neighbouring locks of one owner, so the range reported may begin
/// before the one asked about.
///
/// The answer may be out of date when it arrives.
///
/// # Errors
///
/// What fcntl(2) says, such as a file system that knows no locks; `InvalidInput` for a range beyond
/// the largest offset.
///
/// # Platforms
///
/// `F_OFD_GETLK`, Linux 3.15.
pub fn record_lock_conflict(
    file: &File,
    write: bool,
    start: u64,
    length: u64,
) -> io::Result<Option<Conflict>> {
    // The kernel refuses `F_OFD_GETLK` with EINVAL unless the process is 0.
    let question = Question { command: libc::F_OFD_GETLK, pid: 0, write, start, length };
    record_lock::ask(file, question)
}
