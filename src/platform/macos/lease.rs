//! The proof that nobody else has a file open, which macOS does not give: it has no leases.
//!
//! So whoever wants to take a file away that somebody may have open keeps it, and says so.

use std::fs::File;
use std::io;

/// A lease, which nobody ever gets.
#[derive(Debug)]
pub struct Lease<'a>(#[expect(dead_code, reason = "none is ever made")] &'a File);

impl<'a> Lease<'a> {
    /// Takes the lease; `None` if somebody else has the file open.
    ///
    /// # Errors
    /// Always, as `Unsupported`.
    pub fn take(_file: &'a File) -> io::Result<Option<Self>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "macOS has no leases"))
    }

    /// Whether nobody has tried to open the file since.
    pub fn is_unbroken(&self) -> bool {
        false
    }
}

impl Drop for Lease<'_> {
    /// Gives it up, as everywhere: here there is nothing to give.
    fn drop(&mut self) {}
}
