//! What can go wrong when a lock is wanted.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::mode::Mode;
use crate::error::Party;
use crate::platform::errors;
use crate::platform::signals::Arrival;

/// A lock that is held: who is in the way.
#[derive(Debug)]
pub struct Contention {
    /// The canonical path of the database.
    pub path: PathBuf,
    /// The mode that was asked for.
    pub mode: Mode,
    /// Those who hold it, as far as they can be named.
    pub holders: Vec<Party>,
    /// How many wait, we not counted.
    pub waiters: usize,
    /// How long we waited.
    pub waited: Duration,
}

/// Why a lock was not obtained.
#[derive(Debug, Error)]
pub enum LockError {
    /// It is held, and waiting was not wanted.
    #[error("`{}` is locked", .0.path.display())]
    WouldBlock(Box<Contention>),
    /// It is held, and as many wait as `--max-waiters` allows.
    #[error("`{}` is locked and {limit} or more wait already", .contention.path.display())]
    QueueFull {
        /// Who is in the way.
        contention: Box<Contention>,
        /// The limit.
        limit: usize,
    },
    /// It was not granted in time.
    #[error("`{}` is still locked", .0.path.display())]
    Timeout(Box<Contention>),
    /// A signal ended the wait.
    #[error("interrupted by signal {}", .0.signal)]
    Interrupted(Arrival),
    /// The wait would never end.
    #[error("waiting for `{}` would never end: {reason}", path.display())]
    Deadlock {
        /// What was to be locked.
        path: PathBuf,
        /// Who waits for whom.
        reason: String,
        /// One thing to do.
        hint: &'static str,
    },
    /// A directory of the state belongs to a stranger, or is no directory.
    #[error("cannot trust `{}`: {}", path.display(), match owner {
        Some(owner) => format!("it belongs to user {owner}"),
        None => "it is not a directory".to_owned(),
    })]
    Untrusted {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: Option<u32>,
    },
    /// The file system does not support locks.
    #[error("locks do not work on the file system of `{}`", path.display())]
    NotSupported {
        /// The lock file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// State cannot be made.
    #[error("cannot create `{}`", path.display())]
    Create {
        /// What was to be made.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The directory of the file does not exist.
    #[error("no such directory: `{}`", path.display())]
    NoDirectory {
        /// The missing directory.
        path: PathBuf,
    },
    /// The path cannot name a file.
    #[error("`{}` cannot be locked: it has no name", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The path is a device's, or that of a part of a file.
    #[error("`{}` cannot be locked: it names a device or a part of a file", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// The path is inside dbguard's own state.
    #[error("`{}` is dbguard's own state", path.display())]
    OwnState {
        /// The path.
        path: PathBuf,
    },
    /// The state beside the database is in use, so a `--lock-dir` would exclude nobody.
    #[error("`{}` is in use: who locks there and who uses --lock-dir do not see each other",
        path.display())]
    TwoPlaces {
        /// The lock directory beside the database.
        path: PathBuf,
    },
    /// The lock's directory was removed while it was opened.
    #[error("`{}` vanished", path.display())]
    Vanished {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock's file changed again and again.
    #[error("`{}` does not hold still: the path and the open file never agree", path.display())]
    Unstable {
        /// The lock file.
        path: PathBuf,
    },
    /// The descriptor given with `--fd` is not open on the lock file.
    #[error("descriptor {descriptor} is not open on `{}`", path.display())]
    WrongDescriptor {
        /// The descriptor's number.
        descriptor: i32,
        /// The lock file.
        path: PathBuf,
    },
    /// Anything else the operating system refused.
    #[error("cannot {verb} `{}`", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl LockError {
    /// Wraps an error with what was tried and with which file.
    pub(super) fn io(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { verb, path: path.to_path_buf(), source }
    }

    /// Wraps an error of making a file or directory.
    pub(super) fn creating(path: &Path, source: io::Error) -> Self {
        match errors::is_out_of_files(&source) || errors::is_shut_out(&source) {
            true => Self::io("open", path, source),
            false => Self::Create { path: path.to_path_buf(), source },
        }
    }

    /// Wraps an error of the kernel lock.
    pub(super) fn locking(path: &Path, source: io::Error) -> Self {
        match errors::is_without_locks(&source) {
            true => Self::NotSupported { path: path.to_path_buf(), source },
            false => Self::io("lock", path, source),
        }
    }
}
