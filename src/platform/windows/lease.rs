//! The proof that nobody else has a file open.
//!
//! # Platforms
//! Windows is asked who uses the file. That holds for the moment of the question only; whoever
//! renames a file aside, asks again and then removes it has the proof all the same, for nobody
//! opens it by a name that nobody knows.

use std::fs::File;
use std::io;

use super::users::users_of_file;

/// A lease, held until it is dropped.
#[derive(Debug)]
pub struct Lease<'a>(&'a File);

impl<'a> Lease<'a> {
    /// Takes the lease; `None` if somebody else has the file open.
    ///
    /// # Errors
    /// The file system does not tell who has it open.
    pub fn take(file: &'a File) -> io::Result<Option<Self>> {
        let lease = Self(file);
        Ok(lease.is_ours_alone()?.then_some(lease))
    }

    /// Whether nobody has the file open now.
    pub fn is_unbroken(&self) -> bool {
        self.is_ours_alone().unwrap_or(false)
    }

    fn is_ours_alone(&self) -> io::Result<bool> {
        let me = std::process::id();
        Ok(users_of_file(self.0)?.into_iter().all(|pid| pid == me))
    }
}

impl Drop for Lease<'_> {
    /// There is nothing to give back on Windows; that it ends here is meant all the same.
    fn drop(&mut self) {}
}
