//! What only macOS has: sysctl(3), libproc, kqueue(2), one table for flock and fcntl locks.
//!
//! Type-checked only: none of it has ever run. Where it relies on what the kernel does, the comment
//! names the file of xnu, the kernel's source, that says so. What cannot be told is answered as "not
//! known", never guessed.

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
mod notices;
pub mod openers;
pub mod portrait;
pub mod process;
mod queue;
mod sysctl;
pub mod watch;
