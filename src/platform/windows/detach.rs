//! A process that stays behind when this one ends.
//!
//! # Platforms
//! On Unix it is a copy of this process, which has the very locks that are held here. Windows has
//! no such copies, and its locks belong to one process: nothing can be left behind yet.

use std::convert::Infallible;
use std::io;

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Side {
    /// The one that was there before.
    Origin(Keeper),
    /// The one that stays.
    Keeper(Origin),
}

/// The process that stays, as the other one sees it.
#[derive(Debug)]
pub struct Keeper(Infallible);

/// The process that was there before, as the one that stays sees it.
#[derive(Debug)]
pub struct Origin(Infallible);

/// Makes a process that has what this one has.
///
/// # Errors
/// Always: `Unsupported`.
pub fn split(_heard: &[i32]) -> io::Result<Side> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "not supported on Windows yet"))
}

impl Keeper {
    /// Waits until the other process is ready to stay.
    ///
    /// # Errors
    /// It has ended.
    pub fn until_ready(&mut self) -> io::Result<()> {
        match self.0 {}
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        match self.0 {}
    }

    /// Tells it to stay.
    ///
    /// # Errors
    /// It has ended.
    pub fn confirm(self) -> io::Result<()> {
        match self.0 {}
    }

    /// Has it give up, and waits until it has ended.
    pub fn dismiss(self) {
        match self.0 {}
    }
}

impl Origin {
    /// Says that this process is ready, and waits for the answer. `false` if nobody knows of it.
    pub fn is_confirmed(self) -> bool {
        match self.0 {}
    }
}
