//! What a user is told when something fails: the outcome, the words, who is in the way, and
//! one thing to do next.
//!
//! The rooms below the commands have typed errors of their own; a command turns them into a
//! [`Failure`], which `report` prints in words or as JSON.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::outcome::Outcome;

/// A process that holds a lock or waits for one, as it is shown to people and in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Party {
    /// The process that took the lock, or asked for it.
    pub pid: u32,
    /// The command that dbguard started, if the holder is a dbguard that started one.
    pub child_pid: Option<u32>,
    /// The living process's command line; `None` where it cannot be read.
    pub command: Option<Vec<String>>,
    /// The program's name as the claim recorded it, for when the command line is gone.
    #[serde(skip)]
    pub program: String,
    /// The user's name, or the number where the name is unknown.
    pub user: Option<String>,
    /// The host the process runs on.
    pub host: Option<String>,
    /// `shared` or `exclusive`.
    pub mode: &'static str,
    /// When the hold or the wait began, RFC 3339 in UTC.
    pub since: Option<String>,
    /// How long it has lasted, in milliseconds.
    pub for_ms: Option<u64>,
    /// 1 for the next in line; only for waiters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// `running`, `sleeping`, `stopped`, `zombie`, `gone` or `unknown`.
    pub process_state: &'static str,
    /// `claim` where a claim file names the process, `kernel` where only the lock table does.
    pub via: &'static str,
    /// What `--label` said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Whether `dbguard acquire` made it: no command runs, and `dbguard release` ends it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lease: bool,
    /// When a lease ends by itself, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// In how long that is, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
}

/// A command that did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// The exit code and its name.
    pub outcome: Outcome,
    /// What happened, to which file: a lowercase fragment without a full stop.
    pub message: String,
    /// What it was caused by, nearest first.
    pub causes: Vec<String>,
    /// Further lines of the message, such as who is in the way.
    pub details: Vec<String>,
    /// The first of those in the way.
    pub holder: Option<Box<Party>>,
    /// When it is worth trying again, where that is known.
    pub retry_after: Option<Duration>,
    /// One thing to do next.
    pub hint: Option<String>,
    /// The key at the terminal (SIGINT, SIGQUIT) that ended it.
    pub key: Option<i32>,
}

impl Failure {
    /// Returns a failure with nothing but an outcome and a message.
    pub fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            outcome,
            message: message.into(),
            causes: Vec::new(),
            details: Vec::new(),
            holder: None,
            retry_after: None,
            hint: None,
            key: None,
        }
    }

    /// Adds the one thing to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what it was caused by.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
