//! `dbguard info` without its command: what was seen of a database, what it amounts to, and what to
//! say of it. Pure: `probe` gathers, `commands` prints.

mod headline;
mod hints;
pub mod message;
mod seen;
mod text;

pub use headline::{State, headline, state};
pub use hints::{hints, typed};
pub use seen::{
    Broken, FileSystem, Guard, Key, Native, NativeLock, NativeState, Opener, Pinned, Seen,
    SideFile, Sight,
};
pub use text::{in_table, in_words};
