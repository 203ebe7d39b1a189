//! Windows: handles, share modes, locks on ranges, job objects, the console's keys.

pub mod ask;
pub mod attributes;
pub mod detach;
pub mod dir;
pub mod entry;
pub mod errors;
pub mod file;
pub mod file_system;
pub mod handles;
pub mod held_locks;
pub mod holders;
pub mod host;
mod job;
pub mod lease;
mod listing;
pub mod lock_table;
pub mod lock_watch;
pub mod mark;
pub mod names;
mod nt;
pub mod openers;
pub mod portrait;
pub mod process;
pub mod programs;
mod range;
pub mod reach;
mod restart_manager;
pub mod signals;
mod snapshot;
pub mod sniff;
pub mod spawn;
pub mod steps;
#[cfg(test)]
mod tests;
pub mod trial;
mod users;
mod wait;
