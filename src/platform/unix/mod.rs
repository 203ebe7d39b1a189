//! What all Unixes share.

pub mod attributes;
pub mod detach;
pub mod dir;
pub mod entry;
pub mod file;
pub mod host;
pub mod record_lock;
pub mod signals;
pub mod sniff;
pub mod spawn;
pub mod trial;
