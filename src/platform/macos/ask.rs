//! Asking the kernel whether a lock would be refused, without asking for the lock.
//!
//! An engine that meets a lock fails, however short the lock was. `F_GETLK` takes none. So this room
//! has no function that takes a lock.
//!
//! The hazard that remains is `close`: closing any descriptor of a file drops all the fcntl locks
//! that this process has on it (fcntl(2)). Never ask about a database that an engine in this very
//! process has open.

use std::fs::File;
use std::io;

use crate::platform::unix::record_lock::{self, Question};

pub use crate::platform::answers::Conflict;

/// Returns one of the locks that would refuse a lock on these bytes, if there is one.
///
/// Requests nothing and does not block. A `length` of 0 asks up to the end of the offset space.
/// The answer may be out of date when it arrives.
///
/// # Errors
/// What fcntl(2) says, such as a file system that knows no locks; `InvalidInput` for a range beyond
/// the largest offset.
///
/// # Platforms
/// flock and fcntl locks are in one list for each file (`bsd/kern/kern_lockf.c`), so flocks show,
/// too, as locks of all bytes by process -1; and dbguard must never flock what it asks about. The
/// fcntl locks of this very process do not show.
pub fn record_lock_conflict(
    file: &File,
    write: bool,
    start: u64,
    length: u64,
) -> io::Result<Option<Conflict>> {
    record_lock::ask(file, Question { command: libc::F_GETLK, pid: 0, write, start, length })
}
