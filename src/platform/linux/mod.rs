//! What only Linux has: `/proc`, pidfds, open-file-description locks.

pub mod ask;
mod descriptors;
pub mod file_system;
pub mod held_locks;
pub mod holders;
pub mod lease;
pub mod lock_table;
pub mod lock_watch;
pub mod openers;
pub mod portrait;
pub mod process;
#[cfg(test)]
mod scratch;
pub mod sniff;
pub mod trial;
