//! `--status-file`: how it went, beyond what fits into an exit code.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::reserved::reserved;
use super::voice::Voice;
use crate::error::Failure;
use crate::lock::{Target, canonical};
use crate::outcome::Outcome;
use crate::platform;

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
    pub exit_code: i32,
    /// The signal that ended the command.
    pub signal: Option<i32>,
    /// How often the command was run again.
    pub retries: u32,
}

impl Default for Status {
    /// The status of a command before anything was done for it.
    fn default() -> Self {
        Self {
            schema: 1,
            acquired: false,
            waited_ms: 0,
            held_ms: 0,
            outcome: Outcome::Ok.name(),
            exit_code: 0,
            signal: None,
            retries: 0,
        }
    }
}

impl Status {
    /// Notes how it ended.
    pub fn ended(&mut self, outcome: Outcome) {
        self.outcome = outcome.name();
        self.signal = match outcome {
            Outcome::Signaled(signal) => Some(i32::from(signal)),
            _ => None,
        };
    }
}

/// How the file is written.
#[derive(Debug)]
enum Way {
    /// A file of this name takes the place of the one there, so that nobody reads half of it.
    Replace(PathBuf),
    /// A pipe, a terminal or a device stays what it is.
    InPlace,
}

/// Where the status goes, looked at before anything is done.
#[derive(Debug)]
pub struct StatusFile {
    path: PathBuf,
    way: Way,
}

impl StatusFile {
    /// Looks at what is there; changes nothing.
    ///
    /// # Errors
    /// The path is a directory or belongs to a database or to dbguard (64), or is in a directory
    /// that does not exist (66).
    pub fn prepare(path: &Path, files: &[Target]) -> Result<Self, Failure> {
        let shown = path.display();
        let there = platform::facts_at(path).ok();
        let refused = match there {
            Some(facts) if facts.directory => Some("a directory".to_owned()),
            _ => reserved(path, files),
        };
        if let Some(what) = refused {
            let message = format!("the status file `{shown}` is {what}");
            return Err(Failure::new(Outcome::Usage, message)
                .hint("name a file of its own: it is replaced when the command has ended"));
        }
        let is_device = there.is_some_and(|facts| !facts.regular) || is_a_descriptor(path);
        let way = if is_device {
            Way::InPlace
        } else {
            let resolved = canonical(path).map_err(|error| {
                let message = format!("cannot write the status file `{shown}`");
                Failure::new(Outcome::NoSuchFile, message)
                    .caused_by(error)
                    .hint("its directory must exist before the lock is taken")
            })?;
            Way::Replace(resolved)
        };
        Ok(Self { path: path.to_path_buf(), way })
    }

    /// Writes it. Failing is only a warning: the command has run.
    pub fn write(&self, status: &Status, voice: &Voice) {
        let text = serde_json::json!(status).to_string() + "\n";
        let written = match &self.way {
            Way::Replace(path) => replace(path, &text),
            Way::InPlace => append(&self.path, &text),
        };
        if let Err(error) = written {
            let path = self.path.display();
            voice.warn(&format!("cannot write the status file `{path}`: {error}"));
        }
    }
}

/// `/dev/stdout` and its like name a file that somebody has open: replacing that would take it
/// from them.
fn is_a_descriptor(path: &Path) -> bool {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    ["/dev", "/proc"].iter().any(|tree| absolute.starts_with(tree))
        && !absolute.starts_with("/dev/shm")
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(new);
    let mut file = File::options().write(true).create_new(true).open(&new)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| platform::replace(&new, path));
    if written.is_err() {
        // What is left of a file that nobody has seen; the error says more.
        drop(fs::remove_file(&new));
    }
    written
}

/// Does not wait for a reader of a pipe: the exit of a job must not depend on one.
fn append(path: &Path, text: &str) -> io::Result<()> {
    platform::open_to_append(path)?.write_all(text.as_bytes())
}
