//! Asking whether a lock would be refused, without asking for the lock.
//!
//! On Windows nobody else may read what is locked exclusively. So reading a byte tells whether it
//! is locked, and disturbs nobody: no lock is taken, not for an instant. So of SQLite all writers
//! are seen (PENDING, RESERVED and SHARED are the bytes they are on Unix, and so are those of
//! `-shm`), and of LevelDB, RocksDB and an older redb whoever has the database open for writing.
//!
//! What reading cannot tell is a shared lock, which stops no reader, and nothing else can without
//! making somebody fail:
//!
//! - A lock on the same bytes, exclusive or shared, however short, is met by engines that ask at that
//!   moment, and they fail: a shared one stands in the way of SQLite's RESERVED and EXCLUSIVE.
//! - A write is refused by shared locks, but one of no bytes is not held against locks, and one of a
//!   byte changes the file where there is no lock.
//! - An opportunistic lock of level 2 is refused where a file has locks, but since Windows 8 only those
//!   within what the file occupies count (`FsRtlCheckLockForOplockRequest`), and SQLite's are at 1 GiB.
//!
//! And bbolt locks the byte at 2^64-1, which no read reaches: offsets have 63 bits.

use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;

use windows_sys::Win32::Foundation::{ERROR_HANDLE_EOF, ERROR_LOCK_VIOLATION};

use super::users::{sole_user, users_of_file};

pub use crate::platform::answers::Conflict;

/// The most that is read at once: more than the lock bytes of any engine.
const BYTES: usize = 512;

/// Returns one of the locks that would refuse a lock on these bytes, if there is one that can be
/// seen.
///
/// Requests nothing and does not block. A `length` of 0 asks up to the end of the offset space, of
/// which the beginning is looked at. The descriptor may be read-only, also to ask about a write
/// lock.
///
/// The answer may be out of date when it arrives.
///
/// # Platforms
/// On Windows shared locks are not seen, and the holder is named only if nobody else has the file
/// open. An exclusive lock of another handle of this very process is seen.
///
/// # Errors
/// The file cannot be read for another reason.
pub fn record_lock_conflict(
    file: &File,
    _write: bool,
    start: u64,
    length: u64,
) -> io::Result<Option<Conflict>> {
    let wanted = usize::try_from(length).unwrap_or(BYTES);
    let wanted = if wanted == 0 { BYTES } else { wanted.min(BYTES) };
    let mut content = [0; BYTES];
    match file.seek_read(&mut content[..wanted], start) {
        Ok(_) => Ok(None),
        Err(error) => match error.raw_os_error().map(i32::cast_unsigned) {
            Some(ERROR_LOCK_VIOLATION) => {
                let pid = sole_user(users_of_file(file));
                let raw_pid = pid.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0);
                Ok(Some(Conflict { pid, raw_pid, write: true, start, length }))
            }
            // The lock bytes of engines lie behind the end.
            Some(ERROR_HANDLE_EOF) => Ok(None),
            _ => Err(error),
        },
    }
}
