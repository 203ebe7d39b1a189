//! The lock on a file whose content others read meanwhile, such as a claim.
//!
//! # Platforms
//! The one on the whole file, which hinders nobody who reads. On Windows a byte far behind its end,
//! for there nobody else reads what is locked. The functions are those of the whole-file lock.

use std::io;

use super::dir::Dir;

pub use super::file::{lock_exclusive, lock_shared, try_lock_exclusive, try_lock_shared, unlock};

/// Lets others see that this process has the lock on a file in a directory, see `holders::holds`.
///
/// # Errors
/// None on Unix, where the kernel shows who has it.
pub fn sign(_dir: &Dir, _name: &str) -> io::Result<()> {
    Ok(())
}
