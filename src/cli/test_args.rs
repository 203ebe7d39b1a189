//! What can be typed after `dbguard test`, and what it amounts to.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::duration::{Timeout, parse_finite};
use crate::cli::number;
use crate::cli::settings::Settings;

/// How many workers there are where nobody says.
const WORKERS: u32 = 4;

/// How many operations each of them does where nobody says.
const OPERATIONS: u32 = 50;

/// How long an operation waits where nobody says. A busy disk makes a hundred workers wait for longer
/// than anybody would for one command, and what is to be proved is not how patient they are.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Prove that concurrent access loses nothing here, and say how fast it is
///
/// Several workers count in one database at the same time. Each operation is a process of its own,
/// started as a user would: `dbguard sql` adds in one transaction, `dbguard exec` runs a command
/// that reads the numbers, closes the database, and writes them back one higher. In the end every
/// operation that was reported done has to be in the database. The exit status is 1 if one is not,
/// if one failed, or if a reader saw what it must not see.
///
/// The database is a new one in a directory of its own beside FILE, so on the same file system, and
/// of the same engine; FILE itself is not touched. Without FILE it is a SQLite database in the
/// current directory, and where FILE is a directory, in that. For a FILE that is neither SQLite nor DuckDB it is a plain file, which only
/// `dbguard exec` counts in. Everything is removed in the end, also after Ctrl-C.
///
/// Examples:
///
///   dbguard test
///   dbguard test --workers 100 --ops 50 app.db
///   dbguard test --compare app.db
///   dbguard test --duration 10s --readers 4 --mode sql app.db
///   dbguard test --in-place app.db
///   dbguard test --fs .
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard test [OPTIONS] [FILE]
       dbguard test --fs DIR")]
pub struct TestArgs {
    /// The database beside which the test is made; it need not exist
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,

    /// How many workers there are, each with one process at a time [default: 4]
    #[arg(long, value_name = "N", value_parser = number::crew, allow_negative_numbers = true)]
    workers: Option<u32>,

    /// How many operations each worker does [default: 50]
    #[arg(long, value_name = "N", value_parser = number::some, allow_negative_numbers = true)]
    ops: Option<u32>,

    /// Let the workers go on for DURATION, instead of a number of operations
    #[arg(long, value_name = "DURATION", value_parser = parse_finite, conflicts_with = "ops")]
    duration: Option<Duration>,

    /// What an operation is [default: mixed, for a plain file exec]
    ///
    /// With sql alone the engine's own locks help, as they do every day; exec has only dbguard's.
    #[arg(long, value_name = "MODE")]
    mode: Option<TestMode>,

    /// How many more read all the time, under the shared lock [default: 0]
    ///
    /// A reader must find every operation that was reported done before it began, and none half
    /// done.
    #[arg(long, value_name = "N", value_parser = number::crew_or_none, allow_negative_numbers = true)]
    readers: Option<u32>,

    /// Count in FILE itself, in a table of its own that is dropped in the end
    ///
    /// The table's name is new and cannot be guessed. FILE is a SQLite or DuckDB database, and may
    /// be in use meanwhile. It can be larger afterwards by a few pages that are free.
    #[arg(long, requires = "file")]
    in_place: bool,

    /// Do the same work without dbguard as well, and print both side by side
    ///
    /// Once as programs do that ask for no timeout, once with the timeout of the engine, where it
    /// has one. What is lost or fails there does not count for the exit status.
    #[arg(long, conflicts_with = "in_place")]
    compare: bool,

    /// Only try out whether locks work in DIR: between two processes, on a new file
    ///
    /// Exits with 1 if the lock that dbguard relies on does not exclude, with 69 if there is none.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    #[arg(conflicts_with_all = ["file", "workers", "ops", "duration", "mode", "readers"])]
    #[arg(conflicts_with_all = ["in_place", "compare", "timeout", "lock_dir"])]
    fs: Option<PathBuf>,

    /// How long each operation waits for the lock [default: 10m, or DBGUARD_TIMEOUT]
    ///
    /// With --compare also the timeout that the engine is given.
    #[arg(short = 'w', long, value_name = "DURATION", value_parser = Timeout::from_str)]
    #[arg(allow_negative_numbers = true, overrides_with = "timeout")]
    timeout: Option<Timeout>,

    /// Keep the locks' files below DIR, to prove that they can be there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    lock_dir: Option<PathBuf>,
}

/// What the operations of a test are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TestMode {
    /// `dbguard sql`, which adds in one transaction
    Sql,
    /// `dbguard exec` with a command that reads, and then writes
    Exec,
    /// Both in turns
    Mixed,
}

impl TestMode {
    /// Returns the word that was typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Exec => "exec",
            Self::Mixed => "mixed",
        }
    }
}

/// When a worker has done enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// After so many operations.
    Operations(u32),
    /// After so long.
    Time(Duration),
}

/// Where is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// In a new database.
    Scratch,
    /// In the database that was named.
    InPlace,
}

/// Whether the same work is done without dbguard, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// It is not.
    Nothing,
    /// It is.
    Bare,
}

/// What is to be proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestRequest {
    /// That locks exclude, in this directory.
    Locks(PathBuf),
    /// That no work is lost.
    Work(WorkRequest),
}

/// The work of a test, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkRequest {
    /// What was named.
    pub file: Option<PathBuf>,
    /// How many workers there are.
    pub workers: u32,
    /// How many readers there are.
    pub readers: u32,
    /// When they have done enough.
    pub extent: Extent,
    /// What they do, if that was typed.
    pub mode: Option<TestMode>,
    /// Where they do it.
    pub ground: Ground,
    /// Whether it is compared.
    pub beside: Beside,
    /// How long an operation waits.
    pub timeout: Timeout,
    /// Where the locks' files are, if not beside the database.
    pub lock_dir: Option<PathBuf>,
}

impl TestArgs {
    /// Fills in what was not typed.
    pub fn resolve(self, settings: &Settings) -> TestRequest {
        if let Some(directory) = self.fs {
            return TestRequest::Locks(directory);
        }
        let extent = match self.duration {
            Some(duration) => Extent::Time(duration),
            None => Extent::Operations(self.ops.unwrap_or(OPERATIONS)),
        };
        TestRequest::Work(WorkRequest {
            file: self.file,
            workers: self.workers.unwrap_or(WORKERS),
            readers: self.readers.unwrap_or(0),
            extent,
            mode: self.mode,
            ground: if self.in_place { Ground::InPlace } else { Ground::Scratch },
            beside: if self.compare { Beside::Bare } else { Beside::Nothing },
            timeout: match self.timeout {
                Some(timeout) => timeout,
                None if settings.timeout == Settings::default().timeout => Timeout::After(PATIENCE),
                None => settings.timeout,
            },
            lock_dir: self.lock_dir.or_else(|| settings.lock_dir.clone()),
        })
    }
}
