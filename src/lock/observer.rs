//! How the lock room talks: it does not print, it tells an observer.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::mode::Mode;
use super::resource::Resource;
use crate::error::Party;

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The guard lock.
    Guard,
    /// A lock of the database engine itself; the text names it.
    Native(String),
    /// A process or a nested call that a dead holder left behind.
    Leftover,
}

/// How a wait stands.
#[derive(Clone, Debug)]
pub struct WaitReport {
    /// The canonical path of the database.
    pub path: PathBuf,
    /// The mode that is wanted.
    pub mode: Mode,
    /// What is waited for.
    pub subject: Subject,
    /// Those who hold it, as far as they can be named.
    pub holders: Vec<Party>,
    /// 1 for the next in line; `None` where there is no line.
    pub position: Option<usize>,
    /// How long it has lasted.
    pub waited: Duration,
    /// How long it may last yet; `None` for ever.
    pub left: Option<Duration>,
}

/// Listens to a lock being acquired. Called from the waiting thread and from its helper.
pub trait Observer: Sync {
    /// Returns when the next report is wanted.
    fn next_due(&self) -> Option<Instant>;
    /// Hears what a target resolved to; again if that changes during a wait.
    fn resolved(&self, resource: &Resource);
    /// Takes a report.
    fn waiting(&self, report: &WaitReport);
    /// Takes a warning: something other than exclusion does not work.
    fn warn(&self, warning: &str);
}
