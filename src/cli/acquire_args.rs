//! What can be typed after `dbguard acquire`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::duration::{Timeout, parse_limit};
use crate::cli::lock_args::{LockArgs, LockRequest};
use crate::cli::number;
use crate::cli::settings::Settings;
use crate::error::Failure;
use crate::outcome::Outcome;

/// How long a lock is kept when nothing else was said.
const TTL: Timeout = Timeout::After(Duration::from_secs(5 * 60));

/// Take locks for the steps of a script, and return
///
/// For steps between which no process of yours lives, such as those of a CI job. Takes the lock of
/// every FILE as `dbguard exec` does, leaves a small process behind that keeps them, prints a token
/// and returns. Commands that find the token in DBGUARD_HELD join the locks, and take turns; whoever
/// does not have it waits.
///
/// The locks end with `dbguard release`, when their time is up (--ttl), when the process ends that
/// they were taken for (--for-pid), and with the machine. A release waits for commands that still
/// run under the locks. When the time is up, or that process ends, a command of `dbguard exec` or
/// `dbguard update` is ended, and exits with 76; a batch of SQL is let finish. Nobody else gets the
/// locks before that.
///
/// The process that keeps the locks outlives the shell and its session: it ignores hang-ups, and has
/// no terminal, no working directory and no files open but those of the locks. What ends every
/// process of a job or a container ends it, too, and with it the locks.
///
/// Examples:
///
///   token=$(dbguard acquire -w 5m app.db)
///   eval "$(dbguard acquire --export sh --for-pid $$ app.db)"
///   dbguard acquire --export github --ttl 30m app.db
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard acquire [OPTIONS] FILE...")]
pub struct AcquireArgs {
    #[command(flatten)]
    pub(super) lock: LockArgs,

    /// Keep the locks for DURATION at most, counted from now on, also while the machine sleeps
    /// [default: 5m; inf with --for-pid]
    ///
    /// Without --for-pid it has to be finite.
    #[arg(long, value_name = "DURATION", value_parser = parse_limit)]
    #[arg(allow_negative_numbers = true, overrides_with = "ttl")]
    ttl: Option<Timeout>,

    /// Keep the locks until process PID ends, such as the shell: `--for-pid $$`
    #[arg(long, value_name = "PID", value_parser = number::process)]
    for_pid: Option<u32>,

    /// Print lines for a shell to eval, or write to the file that GITHUB_ENV names, for the steps
    /// that follow
    ///
    /// Both set DBGUARD_HELD, by which commands join the locks, and DBGUARD_TOKEN, by which
    /// `dbguard release` ends them.
    #[arg(long, value_name = "FORM", value_enum)]
    export: Option<Export>,

    /// The databases: files, directories, or any names to agree on
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(super) files: Vec<PathBuf>,
}

/// Where the token goes, besides standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Export {
    /// Lines that a POSIX shell can eval
    Sh,
    /// The environment of the steps that follow in a job of GitHub Actions
    Github,
}

/// What to take, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcquireRequest {
    /// Which lock, and for how long to wait.
    pub lock: LockRequest,
    /// For how long to keep it.
    pub ttl: Timeout,
    /// The process that it is taken for.
    pub for_pid: Option<u32>,
    /// Where the token goes.
    pub export: Option<Export>,
    /// The databases, in the order they were typed.
    pub files: Vec<PathBuf>,
}

impl AcquireArgs {
    /// Refuses a lock that nothing would ever end.
    pub fn check(&self) -> Result<(), Failure> {
        if self.ttl == Some(Timeout::Never) && self.for_pid.is_none() {
            let message = "`--ttl inf` needs `--for-pid`: nothing would end the lock";
            return Err(Failure::new(Outcome::Usage, message)
                .hint("name a process that it ends with, such as --for-pid $$"));
        }
        Ok(())
    }

    /// Fills in what was not typed: an option beats its variable, a variable the default.
    pub fn resolve(self, settings: &Settings) -> AcquireRequest {
        let ttl = if self.for_pid.is_some() { Timeout::Never } else { TTL };
        AcquireRequest {
            lock: self.lock.resolve(settings),
            ttl: self.ttl.unwrap_or(ttl),
            for_pid: self.for_pid,
            export: self.export,
            files: self.files,
        }
    }
}
