//! Clears what dead processes left behind, and nothing else.
//!
//! Everything destructive goes through a door with a proof in hand: lock files of other tools
//! through [`door`](self), dbguard's own state by the removal rule of `lock`, databases by their
//! engine's own recovery, which `commands` starts under the lock.

mod door;
mod locks;
mod staged;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use door::{Taken, before, undo};
pub use locks::{Assumed, Policy, clear};
pub use staged::discard;

/// What was done about something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is gone.
    Removed,
    /// Its engine brought the database in order.
    Recovered,
    /// It stays as it is.
    Kept,
    /// It would go; this was only a look.
    WouldRemove,
    /// The engine would bring it in order.
    WouldRecover,
    /// It should have been dealt with.
    Failed,
}

/// What is known of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A dead process left it.
    Stale,
    /// A living process needs it.
    Live,
    /// Nobody can tell.
    Unknown,
    /// It is no lock of a process, and worth a word.
    Reported,
    /// The database failed its own check.
    Damaged,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// Where it is, or was.
    #[serde(serialize_with = "in_words")]
    pub path: PathBuf,
    /// `claim`, `lock_directory`, `state_directory`, `lock_file`, `unfinished_file` or `database`.
    pub kind: &'static str,
    /// The format of a lock file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<&'static str>,
    /// What is known of it.
    pub verdict: Standing,
    /// Why.
    pub reason: String,
    /// What was done about it.
    pub action: Action,
    /// What to type, where something is left to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Item {
    /// Returns what was done about a thing, with nothing left to type.
    pub fn new(
        path: &Path,
        kind: &'static str,
        verdict: Standing,
        reason: String,
        action: Action,
    ) -> Self {
        let path = path.to_path_buf();
        Self { path, kind, format: None, verdict, reason, action, command: None }
    }
}

/// A path need not be text.
fn in_words<S: serde::Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.to_string_lossy())
}
