//! From a file to the processes that hold a kernel lock on it.
//!
//! # Platforms
//! Windows tells nobody who holds a lock on a range of bytes: no holder is ever named here, but who
//! shows it himself (`mark::sign`). Who has the file open is told by `openers`.

use std::fs::File;
use std::io;
use std::path::Path;

use super::job;
use super::lock_table::LockMode;
use crate::platform::FileId;

pub use crate::platform::answers::Holder;

/// Whether a mutex in shared memory names the thread that has it, as those of LMDB do on Linux.
pub const MUTEXES_NAME_THREADS: bool = false;

/// Whether the system lists the locks that others hold.
pub const ARE_LISTED: bool = false;

/// Returns the locks held on a file, with the processes that truly hold them: none can be seen.
///
/// # Errors
/// None on Windows.
pub fn holders_of(_file: FileId, _path: &Path) -> io::Result<Vec<Holder>> {
    Ok(Vec::new())
}

/// Returns a holder whose whole-file lock would refuse one.
///
/// # Errors
/// `Unsupported`: nothing tells.
pub fn flock_conflict(_file: FileId, _path: &Path, _write: bool) -> io::Result<Option<Holder>> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "Windows does not show who has locked a file"))
}

/// Reports whether a process is known to have a lock on a file, or to have had it: `mark::sign`.
pub fn holds(pid: u32, file: FileId) -> bool {
    job::is_signed(pid, file)
}

/// Returns how a file of ours is locked through its own handle, if that is told.
pub fn held_through(_file: &File) -> Option<LockMode> {
    None
}

/// Reports whether a process has inherited a lock: locks are not inherited.
pub fn inherited(_pid: u32, _file: FileId, _taker: u32) -> bool {
    false
}

/// Returns the process that a thread belongs to, or `None` if that is not told.
pub fn process_of_thread(_thread: u32) -> Option<u32> {
    None
}

/// Reports whether no process is hidden by a namespace: Windows has none.
pub fn table_is_complete() -> bool {
    true
}
