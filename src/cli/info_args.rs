//! What can be typed after `dbguard info`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum, ValueHint};

use crate::cli::settings::Settings;

/// Say who holds a database, who waits, and what is blocked
///
/// For each PATH, the current directory if none is given: the engine, dbguard's own lock with
/// holders and queue, the locks of the engine with the process behind each, the files beside the
/// database and what they mean, and what to do. A directory is searched for databases; they are
/// recognised by their content. PATH may also be an error message of a database in quotes, and -
/// reads one from standard input: the file in it is looked at.
///
/// Nothing is changed and nobody is disturbed: no lock is taken that another program could fail on.
///
/// The first line is the answer: free; busy; readable, not writable; stuck; or unknown.
///
/// Examples:
///
///   dbguard info app.db
///   dbguard info
///   python etl.py 2>&1 | dbguard info -
///   dbguard info --check exclusive app.db && ./nightly.sh
///   dbguard info --json app.db
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard info [OPTIONS] [PATH]...")]
pub struct InfoArgs {
    /// Databases, directories to search, or a message; - for standard input
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// Answer by the exit code: 0 if no lock keeps MODE out now, 1 if one does or none can be seen
    #[arg(long, value_name = "MODE")]
    check: Option<CheckMode>,

    /// Also list who merely has the database open
    #[arg(long)]
    openers: bool,

    /// In a directory, go into other file systems too
    #[arg(long)]
    cross_file_systems: bool,

    /// Look at the part of the database called NAME
    #[arg(short, long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    key: Option<String>,

    /// Where the lock's files are, if not in .dbguard beside the database
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    lock_dir: Option<PathBuf>,
}

/// How a database would be wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckMode {
    /// To read
    Shared,
    /// To write
    Exclusive,
}

/// What is asked about, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoRequest {
    /// What was typed; the current directory if nothing was.
    pub paths: Vec<PathBuf>,
    /// Whether the exit code is the answer, and to what.
    pub check: Option<CheckMode>,
    /// Whether those who merely have it open are listed.
    pub openers: bool,
    /// Whether a search goes into other file systems.
    pub cross_file_systems: bool,
    /// The part of the database, if not all of it.
    pub key: Option<String>,
    /// Where the lock's files are, if not beside the database.
    pub lock_dir: Option<PathBuf>,
}

impl InfoArgs {
    /// Fills in what was not typed: an option beats its variable, a variable the default.
    pub fn resolve(self, settings: &Settings) -> InfoRequest {
        let paths = if self.paths.is_empty() { vec![PathBuf::from(".")] } else { self.paths };
        InfoRequest {
            paths,
            check: self.check,
            openers: self.openers,
            cross_file_systems: self.cross_file_systems,
            key: self.key,
            lock_dir: self.lock_dir.or_else(|| settings.lock_dir.clone()),
        }
    }
}
