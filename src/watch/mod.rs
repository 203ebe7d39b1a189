//! `dbguard watch` without its command: what two looks at a database have to say when they are
//! compared, and how the last minutes looked. Pure: `probe` looks, `commands` prints.

mod events;
mod sample;
mod strip;
mod tree;

pub use events::{Event, Kind, events};
pub use sample::{NativeHold, Sample};
pub use strip::{Cell, Hold, Strip};
pub use tree::{Branch, family};
