//! What only Linux has: `/proc`, pidfds, open-file-description locks.

pub mod access_list;
pub mod ask;
mod descriptors;
pub mod file_system;
pub mod flags;
pub mod held_locks;
pub mod holders;
pub mod lease;
pub mod listing;
pub mod lock_table;
pub mod lock_watch;
pub mod machine;
pub mod names;
pub mod openers;
pub mod portrait;
pub mod process;
pub mod watch;
