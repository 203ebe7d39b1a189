//! `--status-file`: how it went, beyond what fits into an exit code.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::voice::Voice;

/// What the status file says.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The version of this document.
    pub schema: u32,
    /// Whether the lock was obtained.
    pub acquired: bool,
    /// How long that took.
    pub waited_ms: u128,
    /// How long it was held.
    pub held_ms: u128,
    /// The outcome's name.
    pub outcome: &'static str,
    /// How dbguard exits.
    pub exit_code: u8,
    /// The signal that ended the command.
    pub signal: Option<i32>,
    /// How often the command was run again.
    pub retries: u32,
}

impl Status {
    /// Returns the status of a command that did not run.
    pub fn refused(outcome: &'static str, exit_code: u8, waited: Duration) -> Self {
        Self {
            schema: 1,
            acquired: false,
            waited_ms: waited.as_millis(),
            held_ms: 0,
            outcome,
            exit_code,
            signal: None,
            retries: 0,
        }
    }

    /// Writes it in one step, so that nobody reads half of it. Failing is only a warning: the
    /// command has run.
    pub fn write(&self, path: &Path, voice: &Voice) {
        let mut new = path.as_os_str().to_owned();
        new.push(format!(".{}.new", std::process::id()));
        let new = PathBuf::from(new);
        let text = serde_json::json!(self).to_string() + "\n";
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, path));
        if let Err(error) = written {
            // Only there if the rename failed.
            drop(fs::remove_file(&new));
            voice.warn(&format!("cannot write the status file `{}`: {error}", path.display()));
        }
    }
}
