//! Gathering evidence about a resource, disturbing nobody.
//!
//! Nothing here takes a lock or changes a byte. The hazard of the whole room: closing a descriptor
//! of a file drops all the fcntl locks its process has on that file (fcntl(2); in SQLite committed
//! rows were lost that way), so no file is looked at while an engine has it open in this process.

mod guard_look;
mod leftovers;
mod native_look;
mod native_wait;
mod sampler;
mod search;
mod sight;
mod survey;
mod symptoms;

pub use leftovers::{
    ASIDE, Candidate, Leftovers, OUTPUT, Search, UPDATE, candidate, leftovers_below,
};
pub use native_look::{Busy, Impossible, Look, look};
pub use native_wait::{NativeError, describe, party, wait_for_native};
pub use sampler::Sampler;
pub use search::{Found, databases_below, directories_below, locks_below};
pub use sight::{Evidence, Machine};
pub use survey::{Wish, survey};
