//! What only Linux has: `/proc`, pidfds, open-file-description locks.

pub mod ask;
pub mod file_system;
pub mod holders;
pub mod lock_table;
pub mod process;
#[cfg(test)]
mod scratch;
pub mod sniff;
