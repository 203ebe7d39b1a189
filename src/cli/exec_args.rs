//! What can be typed after `dbguard exec`, and what it amounts to.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueHint};

use crate::cli::duration::{Timeout, parse_limit};
use crate::cli::exit_codes::ExitCodes;
use crate::cli::lock_args::{LockArgs, LockRequest};
use crate::cli::number;
use crate::cli::settings::Settings;

/// How long a command has between TERM and KILL when nothing else was said.
pub const KILL_AFTER: Timeout = Timeout::After(Duration::from_secs(10));

/// Run a command alone on a database
///
/// Takes the lock of every FILE, runs COMMAND, and releases the locks when COMMAND exits. Its
/// exit status is COMMAND's. Whoever else asks dbguard for one of the files waits meanwhile, in
/// the order of arrival; with -s those who also ask with -s share the lock.
///
/// A FILE is a database, a directory that is one, or any name to agree on: it need not exist.
/// Different names of one database, such as a symbolic link or its -wal file, mean the same
/// lock. Several files are locked together, in an order that cannot deadlock. Before COMMAND
/// starts, dbguard also waits until the database engine's own locks are out of the way.
///
/// COMMAND is looked up before the wait begins. While it runs, signals are forwarded to it. If
/// dbguard itself is killed, the lock stays until COMMAND has ended. A dbguard that COMMAND
/// starts for the same FILE joins the lock instead of waiting for itself.
///
/// Examples:
///
///   dbguard exec app.db -- sqlite3 app.db 'delete from session'
///   dbguard exec -s app.db -- sqlite3 -readonly app.db .dump
///   dbguard exec -w 5m orders.db stock.db -- ./nightly.sh
///   dbguard exec -n -E 0 app.db -- ./only-one-of-me.sh
///   dbguard exec app.db -c 'sqlite3 app.db .dump | gzip > app.sql.gz'
///   dbguard exec --retry 5 app.db -- sqlite3 app.db 'vacuum'
///   exec 9<>"$(dbguard path app.db)"; dbguard exec --fd 9 app.db
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard exec [OPTIONS] FILE... -- COMMAND [ARG]...
       dbguard exec [OPTIONS] -c STRING FILE...
       dbguard exec [OPTIONS] --fd N FILE")]
pub struct ExecArgs {
    /// The databases: files, directories, or any names to agree on
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(super) files: Vec<PathBuf>,

    /// The command to run and its arguments, which are passed on as they are
    #[arg(value_name = "COMMAND", last = true, conflicts_with_all = ["shell_command", "fd"])]
    #[arg(value_hint = ValueHint::CommandWithArguments)]
    pub(super) command: Vec<OsString>,

    #[command(flatten)]
    pub(super) run: RunArgs,

    #[command(flatten)]
    pub(super) lock: LockArgs,
}

/// The options about the command, as they were typed.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Command options")]
pub struct RunArgs {
    /// Run STRING in the shell instead of COMMAND
    ///
    /// The shell is $SHELL, or /bin/sh where that is not set. With several FILEs, -c stands
    /// before them.
    #[arg(short = 'c', long = "command", value_name = "STRING", allow_hyphen_values = true)]
    pub(super) shell_command: Option<OsString>,

    /// Become the command instead of starting it
    ///
    /// Nothing of dbguard is left to limit, retry or report it.
    #[arg(short = 'F', long)]
    #[arg(conflicts_with_all = ["close", "hold_descendants", "max_hold", "kill_after", "retry",
        "retry_exit", "status_file"])]
    pub(super) no_fork: bool,

    /// Keep the lock from the command: it is released when dbguard ends, even if killed
    #[arg(short = 'o', long, conflicts_with = "hold_descendants")]
    pub(super) close: bool,

    /// Hold the lock until every process that the command started has ended
    #[arg(long)]
    hold_descendants: bool,

    /// End the command when it has held the lock for DURATION, and exit with 123
    #[arg(long, value_name = "DURATION", value_parser = parse_limit)]
    #[arg(allow_negative_numbers = true)]
    max_hold: Option<Timeout>,

    /// How long after --max-hold's TERM signal KILL is sent [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = Timeout::from_str)]
    #[arg(allow_negative_numbers = true)]
    kill_after: Option<Timeout>,

    /// Lock the open file descriptor N for the calling process instead of running a command
    ///
    /// N must have been opened on the file that `dbguard path FILE` prints. The lock lasts until
    /// N is closed everywhere, or until -u. It is the lock of the whole FILE: -k does not go with
    /// it.
    #[arg(long, value_name = "N", value_parser = number::descriptor)]
    #[arg(allow_negative_numbers = true)]
    #[arg(conflicts_with_all = ["shell_command", "no_fork", "close", "hold_descendants",
        "max_hold", "kill_after", "retry", "retry_exit", "status_file"])]
    pub(super) fd: Option<i32>,

    /// With --fd: release the lock instead of taking it
    #[arg(short, long)]
    pub(super) unlock: bool,

    /// Run the command again, up to N times, when it failed because the database was busy
    ///
    /// The lock is kept meanwhile. Between two runs dbguard waits up to 20ms, then up to
    /// twice as long each time, at most 2s.
    #[arg(long, value_name = "N", value_parser = number::count, allow_negative_numbers = true)]
    retry: Option<u32>,

    /// The exit codes that mean busy, as a list or ranges [default: 5,6,75]
    ///
    /// The default stands for SQLITE_BUSY and SQLITE_LOCKED, as sqlite3 returns them, and for
    /// EX_TEMPFAIL.
    #[arg(long, value_name = "CODES", requires = "retry", value_parser = ExitCodes::from_str)]
    retry_exit: Option<ExitCodes>,

    /// Write what happened to PATH as JSON
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    status_file: Option<PathBuf>,
}

/// A run of `dbguard exec`, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRequest {
    /// Which lock, and for how long.
    pub lock: LockRequest,
    /// The databases, in the order they were typed; never empty, and one with a descriptor.
    pub files: Vec<PathBuf>,
    /// What is done with the lock.
    pub work: Work,
}

/// What `dbguard exec` does with the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Run a command and release the lock.
    Run(Box<Run>),
    /// Leave the lock on this descriptor of the caller.
    LockDescriptor(i32),
    /// Release the lock of this descriptor.
    UnlockDescriptor(i32),
}

/// How a command is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The command.
    pub program: Program,
    /// Whether dbguard stays around it.
    pub start: Start,
    /// Who keeps the lock.
    pub keeping: Keeping,
    /// How long it may hold the lock.
    pub max_hold: Timeout,
    /// How long it has between TERM and KILL.
    pub kill_after: Timeout,
    /// When it is run again.
    pub retry: Retry,
    /// Where to write what happened.
    pub status_file: Option<PathBuf>,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A program and its arguments; never empty.
    Words(Vec<OsString>),
    /// A text for the shell.
    Shell(OsString),
}

/// Whether dbguard stays while the command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The command is a child.
    Spawn,
    /// The command takes dbguard's place.
    Replace,
}

/// Who keeps the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// dbguard and the command, until the command exits.
    Command,
    /// dbguard and the command, until every process the command started has ended.
    Descendants,
    /// dbguard alone: the command inherits nothing.
    Dbguard,
}

/// When a command is run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often at most; 0 for never.
    pub limit: u32,
    /// After which exit codes.
    pub exit_codes: ExitCodes,
    /// The first delay.
    pub delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
}

impl ExecArgs {
    /// Fills in what was not typed: an option beats its variable, a variable the default.
    ///
    /// `DBGUARD_MAX_HOLD` does not apply to `-F` and `--fd`, where nothing is left to apply it.
    pub fn resolve(self, settings: &Settings) -> ExecRequest {
        let lock = self.lock.resolve(settings);
        let work = match (self.run.fd, self.run.unlock) {
            (Some(descriptor), false) => Work::LockDescriptor(descriptor),
            (Some(descriptor), true) => Work::UnlockDescriptor(descriptor),
            (None, _) => Work::Run(Box::new(self.run.resolve(self.command, settings))),
        };
        ExecRequest { lock, files: self.files, work }
    }
}

impl RunArgs {
    /// Returns whether the options already say what to do once the lock is held.
    pub(super) fn are_complete(&self) -> bool {
        self.shell_command.is_some() || self.fd.is_some()
    }

    fn resolve(self, words: Vec<OsString>, settings: &Settings) -> Run {
        let start = if self.no_fork { Start::Replace } else { Start::Spawn };
        let keeping = match (self.close, self.hold_descendants) {
            (true, _) => Keeping::Dbguard,
            (false, true) => Keeping::Descendants,
            (false, false) => Keeping::Command,
        };
        let max_hold = match start {
            Start::Spawn => self.max_hold.unwrap_or(settings.max_hold),
            Start::Replace => Timeout::Never,
        };
        Run {
            program: self.shell_command.map_or(Program::Words(words), Program::Shell),
            start,
            keeping,
            max_hold,
            kill_after: self.kill_after.unwrap_or(KILL_AFTER),
            retry: Retry {
                limit: self.retry.unwrap_or(0),
                exit_codes: self.retry_exit.unwrap_or_default(),
                delay: settings.retry_delay,
                max_delay: settings.retry_max_delay,
            },
            status_file: self.status_file,
        }
    }
}
