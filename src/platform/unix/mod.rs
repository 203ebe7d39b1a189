//! What all Unixes share.

pub mod attributes;
pub mod detach;
pub mod dir;
pub mod entry;
pub mod errors;
pub mod file;
pub mod handles;
pub mod host;
pub mod mark;
pub mod programs;
pub mod reach;
pub mod record_lock;
pub mod signals;
pub mod sniff;
pub mod spawn;
pub mod steps;
pub mod trial;
