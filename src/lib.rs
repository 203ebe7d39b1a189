//! dbguard: who holds a database file, may I go next, and what did a crash leave behind?

pub mod error;
pub mod outcome;
