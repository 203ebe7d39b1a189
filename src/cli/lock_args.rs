//! The options that say which lock is meant and how long to wait for it.
//!
//! flock's short options mean what they mean in flock(1). Where two of them contradict each
//! other, dbguard decides as flock does: of `-s` and `-x` the last one counts, and `-n` beats
//! `-w` wherever it stands. What flock lets a script repeat, the last one counts; of the rest, a
//! repetition is refused: `-k a -k b` means two keys to some and one to others.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum, ValueHint};

use crate::cli::duration::Timeout;
use crate::cli::number;
use crate::cli::settings::Settings;
use crate::outcome::Outcome;

/// The longest label: it is shown in the one line of whoever waits.
const LABEL_CHARACTERS: usize = 100;

/// Whether others may hold the lock at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Others may hold it shared as well: for those who only read.
    Shared,
    /// Nobody else holds it: for those who write.
    Exclusive,
}

/// What to do about locks that a database engine holds on the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Native {
    /// Wait until none of them is in the way
    Wait,
    /// Fail if one of them is in the way
    Fail,
    /// Do not look
    Ignore,
}

/// The options of every verb that asks for a lock, as they were typed.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Lock options")]
pub struct LockArgs {
    /// Take the lock shared: others that ask for it shared may hold it too
    #[arg(short, long, overrides_with_all = ["exclusive", "shared"])]
    pub(super) shared: bool,

    /// Take the lock alone (the default; in sql the statements decide)
    #[arg(short = 'x', short_alias = 'e', long, overrides_with_all = ["exclusive", "shared"])]
    pub(super) exclusive: bool,

    /// Lock only the part of the database called NAME, such as a tenant or a shard
    ///
    /// Holders of different keys do not block each other. Who takes the whole database
    /// exclusively excludes them all.
    #[arg(short, long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(super) key: Option<String>,

    /// Give up after DURATION: `30`, `0.5`, `250ms`, `1m30s` or `inf` [default: 30s]
    ///
    /// A plain number is seconds. With 0 the lock is asked for once, as with -n; with `inf` or
    /// `none` dbguard waits forever.
    #[arg(short = 'w', long, alias = "wait", value_name = "DURATION")]
    #[arg(value_parser = Timeout::from_str, allow_negative_numbers = true, overrides_with = "timeout")]
    pub(super) timeout: Option<Timeout>,

    /// Fail instead of waiting, whatever -w says
    #[arg(short, long, aliases = ["nb", "nonblocking"], overrides_with = "nonblock")]
    pub(super) nonblock: bool,

    /// Exit with N instead of 75 or 124 when the lock was not obtained
    #[arg(short = 'E', long, value_name = "N", value_parser = number::exit_code)]
    #[arg(allow_negative_numbers = true, overrides_with = "conflict_exit_code")]
    pub(super) conflict_exit_code: Option<u8>,

    /// Fail if N others already wait for the lock
    #[arg(long, value_name = "N", value_parser = number::count, allow_negative_numbers = true)]
    max_waiters: Option<u32>,

    /// What to do when the database engine's own locks are in the way [default: wait]
    #[arg(long, value_name = "POLICY", overrides_with = "native")]
    native: Option<Native>,

    /// Keep the lock's files in DIR instead of .dbguard beside the database
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    lock_dir: Option<PathBuf>,

    /// Lock PATH itself, as `flock PATH` does, and keep the queue beside it
    ///
    /// For scripts that move to dbguard while others still use flock(1) on PATH. PATH must not
    /// be a database.
    #[arg(long, value_name = "PATH", conflicts_with = "lock_dir")]
    #[arg(value_hint = ValueHint::FilePath)]
    lock_file: Option<PathBuf>,

    /// Say who you are to those who wait: TEXT, at most 100 characters, is shown with the holder
    #[arg(long, value_name = "TEXT", value_parser = parse_label)]
    label: Option<String>,
}

/// What is asked of a lock, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockRequest {
    /// Shared or exclusive.
    pub mode: Mode,
    /// The part of the database, if not all of it.
    pub key: Option<String>,
    /// When to give up; zero means not to wait at all.
    pub timeout: Timeout,
    /// The exit code that replaces 75 and 124.
    pub conflict_exit_code: Option<u8>,
    /// How many others may already wait.
    pub max_waiters: Option<u32>,
    /// What to do about the engine's own locks.
    pub native: Native,
    /// Where the lock's files are, if not beside the database.
    pub lock_dir: Option<PathBuf>,
    /// The file to lock instead of dbguard's own.
    pub lock_file: Option<PathBuf>,
    /// What the holder calls itself.
    pub label: Option<String>,
}

/// Why a text is not a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("longer than {LABEL_CHARACTERS} characters")]
struct LabelTooLong;

fn parse_label(text: &str) -> Result<String, LabelTooLong> {
    let is_short = text.chars().count() <= LABEL_CHARACTERS;
    is_short.then(|| text.to_owned()).ok_or(LabelTooLong)
}

impl LockArgs {
    /// Returns the file that `--lock-file` named.
    pub fn lock_file(&self) -> Option<&PathBuf> {
        self.lock_file.as_ref()
    }

    /// Returns the mode that was typed, if one was.
    pub fn asked_mode(&self) -> Option<Mode> {
        match (self.shared, self.exclusive) {
            (true, _) => Some(Mode::Shared),
            (false, true) => Some(Mode::Exclusive),
            (false, false) => None,
        }
    }

    /// Fills in what was not typed: an option beats its variable, a variable the default.
    pub fn resolve(self, settings: &Settings) -> LockRequest {
        let timeout = match self.nonblock {
            true => Timeout::NONBLOCK,
            false => self.timeout.unwrap_or(settings.timeout),
        };
        // A lock file that was named has its queue beside it, wherever the others have theirs.
        let lock_dir = match self.lock_file {
            Some(_) => None,
            None => self.lock_dir.or_else(|| settings.lock_dir.clone()),
        };
        LockRequest {
            mode: if self.shared { Mode::Shared } else { Mode::Exclusive },
            key: self.key,
            timeout,
            conflict_exit_code: self.conflict_exit_code,
            max_waiters: self.max_waiters,
            native: self.native.unwrap_or(settings.native),
            lock_dir,
            lock_file: self.lock_file,
            label: self.label,
        }
    }
}

impl LockRequest {
    /// Returns the exit code of an outcome: `-E` replaces the two that say the lock was held.
    pub fn exit_code(&self, outcome: Outcome) -> i32 {
        match (outcome, self.conflict_exit_code) {
            (Outcome::WouldBlock | Outcome::Timeout, Some(code)) => i32::from(code),
            _ => outcome.code(),
        }
    }
}
