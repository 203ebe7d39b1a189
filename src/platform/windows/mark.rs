//! The lock on a file whose content others read meanwhile, such as a claim.
//!
//! # Platforms
//! One byte far behind the end of the file: on Windows nobody else can read what is locked. The
//! functions do what those of the whole-file lock do.

use std::fs::File;
use std::io;

use super::dir::{Access, Dir};
use super::range::{self, Mode, Range};
use super::{file, job};

/// Tries to lock shared. Never blocks; `false` means that somebody is in the way.
pub fn try_lock_shared(file: &File) -> io::Result<bool> {
    range::try_lock(file, Range::Mark, Mode::Shared)
}

/// Tries to lock exclusively. Otherwise like [`try_lock_shared`].
pub fn try_lock_exclusive(file: &File) -> io::Result<bool> {
    range::try_lock(file, Range::Mark, Mode::Exclusive)
}

/// Locks shared and blocks until it is granted, or a wake-up ends the wait.
pub fn lock_shared(file: &File) -> io::Result<()> {
    range::lock(file, Range::Mark, Mode::Shared)
}

/// Locks exclusively. Otherwise like [`lock_shared`].
pub fn lock_exclusive(file: &File) -> io::Result<()> {
    range::lock(file, Range::Mark, Mode::Exclusive)
}

/// Lets the lock go.
pub fn unlock(file: &File) -> io::Result<()> {
    range::unlock(file, Range::Mark)
}

/// Lets others see that this process has the lock on a file in a directory, see `holders::holds`. What
/// it starts from here on is not taken for it.
///
/// # Errors
/// The file is not there, or the system refuses.
pub fn sign(dir: &Dir, name: &str) -> io::Result<()> {
    // By its name, for Wine does not know the volume of a file any more that was renamed while open.
    job::sign(file::facts(dir.open_file(name, Access::Read)?)?.id)
}
