//! The lock on a file whose content others read meanwhile, such as a claim.
//!
//! # Platforms
//! The one on the whole file, which hinders nobody who reads. On Windows a byte far behind its end,
//! for there nobody else reads what is locked. The functions are those of the whole-file lock.

pub use super::file::{lock_exclusive, lock_shared, try_lock_exclusive, try_lock_shared, unlock};
