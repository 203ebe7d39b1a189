//! The kernel's locks on many files, looked at again and again.

use std::io;

use super::held_locks::{HeldLock, NamedFile, locks_on};

/// What was found out about the locks of the last look.
#[derive(Debug, Default)]
pub struct LockWatch(());

impl LockWatch {
    /// Returns every lock on the files that is held.
    ///
    /// # Errors
    /// As [`locks_on`].
    ///
    /// # Platforms
    /// There is no table that tells what is new, so each look costs what [`locks_on`] costs.
    pub fn look(&mut self, files: &[NamedFile<'_>]) -> io::Result<Vec<HeldLock>> {
        locks_on(files)
    }
}
