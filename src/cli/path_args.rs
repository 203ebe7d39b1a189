//! What can be typed after `dbguard path`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};

use crate::cli::settings::Settings;

/// Print the file that is locked for a database
///
/// It is the one file that other programs may lock to keep dbguard out, and to be kept out by
/// it: with flock(2) on Linux and macOS, with LockFileEx on Windows. It is always empty and is
/// never removed. It is made if it does not exist, so that it can be opened at once.
///
/// Never lock the database file itself: that keeps no dbguard out, and on some systems it
/// keeps the database's own engine out.
///
/// Examples:
///
///   dbguard path app.db
///   flock "$(dbguard path app.db)" sqlite3 app.db vacuum
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard path [OPTIONS] FILE")]
pub struct PathArgs {
    /// The database: a file, a directory, or any name to agree on
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// Print the path and make nothing
    #[arg(long)]
    no_create: bool,

    /// Print the file of the part of the database called NAME
    #[arg(short, long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    key: Option<String>,

    /// Keep the lock's files in DIR instead of .dbguard beside the database
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    lock_dir: Option<PathBuf>,
}

/// Whether the lock file is made if it does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It is.
    IfMissing,
    /// Nothing is made.
    Never,
}

/// Which lock file is asked for, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRequest {
    /// The database.
    pub file: PathBuf,
    /// The part of it, if not all of it.
    pub key: Option<String>,
    /// Where the lock's files are, if not beside the database.
    pub lock_dir: Option<PathBuf>,
    /// Whether it is made.
    pub creation: Creation,
}

impl PathArgs {
    /// Fills in what was not typed: an option beats its variable, a variable the default.
    pub fn resolve(self, settings: &Settings) -> PathRequest {
        PathRequest {
            file: self.file,
            key: self.key,
            lock_dir: self.lock_dir.or_else(|| settings.lock_dir.clone()),
            creation: if self.no_create { Creation::Never } else { Creation::IfMissing },
        }
    }
}
