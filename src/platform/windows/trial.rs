//! The kind of lock that dbguard and the engines rely on, to be tried out on a scratch file.

use std::fs::File;
use std::io;

use super::file::{try_lock_exclusive, try_lock_shared};

/// A kind of lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// On bytes, of the open file and the process: dbguard's own and everybody's.
    LockFile,
}

impl LockKind {
    /// Every kind that there can be on this system, dbguard's own first.
    pub const ALL: [Self; 1] = [Self::LockFile];

    /// Returns the name.
    pub fn word(self) -> &'static str {
        "LockFileEx"
    }

    /// Returns who relies on it.
    pub fn used_by(self) -> &'static str {
        "dbguard, SQLite, LMDB, bbolt, redb"
    }

    /// Asks for a lock on the whole file, without blocking; `false` if another has it. It is given
    /// back when the file is closed.
    ///
    /// # Errors
    /// Locks do not work where the file is.
    pub fn try_lock(self, file: &File, exclusive: bool) -> io::Result<bool> {
        if exclusive { try_lock_exclusive(file) } else { try_lock_shared(file) }
    }
}
