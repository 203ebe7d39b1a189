//! Every kind of lock that dbguard and the engines rely on, to be tried out on a scratch file.
//!
//! Never on a database: an engine that meets a lock of ours fails (see `ask`).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use crate::platform::{try_lock_exclusive, try_lock_shared};

/// A kind of lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// On the whole file, of the open file: dbguard's own.
    Flock,
    /// On bytes, of the process (POSIX).
    Fcntl,
    /// On bytes, of the open file.
    Ofd,
}

impl LockKind {
    /// Every kind that there can be on this system, dbguard's own first.
    ///
    /// # Platforms
    /// On Windows `LockFileEx` alone, in the place of flock.
    pub const ALL: [Self; 3] = [Self::Flock, Self::Fcntl, Self::Ofd];

    /// Returns the name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Flock => "flock",
            Self::Fcntl => "fcntl",
            Self::Ofd => "ofd",
        }
    }

    /// Returns who relies on it.
    pub fn used_by(self) -> &'static str {
        match self {
            Self::Flock => "dbguard, flock(1), bbolt, redb",
            Self::Fcntl => "SQLite, DuckDB, LevelDB, RocksDB, LMDB",
            Self::Ofd => "redb, QEMU",
        }
    }

    /// Asks for a lock on the whole file, without blocking; `false` if another has it. The file is
    /// open for reading and writing. It is given back when the file is closed, and one of the
    /// process when the process closes any descriptor of the file.
    ///
    /// # Errors
    /// Locks of this kind do not work where the file is.
    pub fn try_lock(self, file: &File, exclusive: bool) -> io::Result<bool> {
        match (self, exclusive) {
            (Self::Flock, true) => try_lock_exclusive(file),
            (Self::Flock, false) => try_lock_shared(file),
            (Self::Fcntl, _) => try_record(file, libc::F_SETLK, exclusive),
            (Self::Ofd, _) => try_record(file, libc::F_OFD_SETLK, exclusive),
        }
    }
}

fn try_record(file: &File, request: libc::c_int, exclusive: bool) -> io::Result<bool> {
    let kind = if exclusive { libc::F_WRLCK } else { libc::F_RDLCK };
    // SAFETY: `flock` consists of integers, for which all zeros is a value; it means the whole
    // file, and the kernel wants `l_pid` to be 0.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::c_short::try_from(kind).expect("the lock constants of fcntl fit a short");
    // SAFETY: the descriptor is open, and the kernel only reads the one `flock` it is given.
    if unsafe { libc::fcntl(file.as_raw_fd(), request, &raw const lock) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::LockKind;
    use crate::platform::scratch::Scratch;

    #[test]
    fn the_locks_of_an_open_file_exclude_another_open_file() {
        for kind in [LockKind::Flock, LockKind::Ofd] {
            let scratch = Scratch::new(kind.word());
            let (one, other) = (scratch.open_writable(), scratch.open_writable());
            let asked = |file, exclusive| kind.try_lock(file, exclusive).expect("it is known here");
            assert!(asked(&one, false) && asked(&other, false), "{kind:?}");
            assert!(!asked(&one, true), "{kind:?}");
        }
    }
}
