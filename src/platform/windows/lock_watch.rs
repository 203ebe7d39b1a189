//! Looks at the locks on the same files, again and again.

use std::io;

use super::held_locks::{HeldLock, NamedFile, locks_on};

/// What is remembered from one look to the next: nothing is needed on Windows.
#[derive(Debug, Default)]
pub struct LockWatch {}

impl LockWatch {
    /// Returns every lock on the files that can be seen.
    ///
    /// # Errors
    /// As [`locks_on`].
    pub fn look(&mut self, files: &[NamedFile<'_>]) -> io::Result<Vec<HeldLock>> {
        locks_on(files)
    }
}
