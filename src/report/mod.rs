//! One report, two voices: people and JSON.
//!
//! Everything that is shown passes through here: text of other processes is escaped before it
//! meets a terminal, times are RFC 3339, durations are words for people and integers for
//! programs.

mod failure;
mod party;
mod waiting;
mod words;

pub use crate::escape::escaped;
pub use failure::{failure_in_json, failure_in_words};
pub use party::{as_process, described};
pub use waiting::{waiting_in_json, waiting_in_width, waiting_in_words};
pub use words::{duration, shown_path};
