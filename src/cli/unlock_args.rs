//! What can be typed after `dbguard unlock`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum, ValueHint};

use crate::cli::duration::Timeout;
use crate::cli::exec_args::KILL_AFTER;
use crate::cli::settings::Settings;

/// How long the lock may still be held after the last signal when nothing else was said.
pub const PATIENCE: Timeout = Timeout::After(std::time::Duration::from_secs(30));

/// End the processes that hold a database
///
/// Shows every process that has a lock on FILE, asks, and ENDS them: TERM first, which a program can
/// hear and clean up, and KILL after --kill-after. What they have not committed is lost. Without a
/// terminal to ask at, and with --json, it does nothing unless --yes is given.
///
/// Look before with `dbguard info FILE`: most holders end by themselves, and `dbguard wait FILE`
/// returns when they have. A lock made by `dbguard acquire` is given back by `dbguard release`.
///
/// Only processes that were shown are ended, and each only while it has the lock. Either all of
/// them can be ended, or none is: those of other users need root, and those on another host or in
/// another container have to be ended there. A process that started this dbguard is never ended.
/// The files of a lock are not touched: whoever holds it gives it back, or the kernel does.
///
/// The exit status is 0 when FILE is free, also if it was before, and 1 when nobody was ended, when
/// one has outlived it all, or when somebody else has the lock by then.
///
/// Examples:
///
///   dbguard unlock app.db
///   dbguard unlock --yes --kill-after 1m app.db
///   dbguard unlock --continue app.db
///   dbguard unlock --holder native --yes app.db
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard unlock [OPTIONS] FILE")]
pub struct UnlockArgs {
    /// The database: a file, a directory, or any name that was locked
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// End them without asking
    #[arg(short, long)]
    yes: bool,

    /// Which holders are ended [default: any; with --key: guard]
    #[arg(long, value_name = "HOLDER")]
    holder: Option<HolderSide>,

    /// Let stopped processes go on before TERM, which they do not hear otherwise
    #[arg(long = "continue")]
    resume: bool,

    /// How long after TERM they are killed: a duration, or inf for never [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = Timeout::from_str)]
    #[arg(allow_negative_numbers = true)]
    kill_after: Option<Timeout>,

    /// Give up if FILE is not free DURATION after the last signal [default: 30s]
    #[arg(short = 'w', long, value_name = "DURATION", value_parser = Timeout::from_str)]
    #[arg(allow_negative_numbers = true)]
    timeout: Option<Timeout>,

    /// Only what keeps others from the part of the database called NAME; engines know no parts
    #[arg(short, long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    key: Option<String>,

    /// Where the locks' files are, if not in .dbguard beside the database
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    lock_dir: Option<PathBuf>,
}

/// Which holders are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HolderSide {
    /// Those of dbguard's own lock
    Guard,
    /// Those whose locks of the database engine keep others out
    Native,
    /// All of them
    Any,
}

/// Who is to be ended, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlockRequest {
    /// The database.
    pub file: PathBuf,
    /// Whether nobody is asked.
    pub yes: bool,
    /// Which holders are meant.
    pub holder: HolderSide,
    /// Whether stopped ones are let go on first.
    pub resume: bool,
    /// How long after TERM they are killed.
    pub kill_after: Timeout,
    /// How long after the last signal the lock may still be held.
    pub timeout: Timeout,
    /// The part of the database, if not all of it.
    pub key: Option<String>,
    /// Where the lock's files are, if not beside the database.
    pub lock_dir: Option<PathBuf>,
}

impl UnlockArgs {
    /// Fills in what was not typed.
    ///
    /// `DBGUARD_TIMEOUT` does not apply: it says how long to wait in line, and here nobody does.
    pub fn resolve(self, settings: &Settings) -> UnlockRequest {
        // An engine locks the whole: whoever works at another part is not to be ended for it.
        let side = if self.key.is_some() { HolderSide::Guard } else { HolderSide::Any };
        UnlockRequest {
            file: self.file,
            yes: self.yes,
            holder: self.holder.unwrap_or(side),
            resume: self.resume,
            kill_after: self.kill_after.unwrap_or(KILL_AFTER),
            timeout: self.timeout.unwrap_or(PATIENCE),
            key: self.key,
            lock_dir: self.lock_dir.or_else(|| settings.lock_dir.clone()),
        }
    }
}
