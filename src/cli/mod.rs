//! Every word a user can type.
//!
//! This room turns the arguments of the process into a [`Request`], and the `DBGUARD_*`
//! variables into [`settings::Settings`]; a request and the settings together give a resolved request,
//! in which nothing is left to guess. It also makes the documents that tell of those words.
//! It does no I/O, does not read the environment, prints nothing and never exits.

pub mod acquire_args;
pub mod documents;
pub mod duration;
pub mod exec_args;
pub mod exit_codes;
mod express;
pub mod fix_args;
mod fix_manual;
pub mod flock;
pub mod info_args;
pub mod info_manual;
mod layout;
mod lease_manual;
pub mod lock_args;
pub mod manual;
mod number;
pub mod output_args;
pub mod parameter;
pub mod path_args;
mod phrases;
pub mod release_args;
pub mod settings;
pub mod sql_args;
mod sql_manual;
pub mod stats_args;
pub mod test_args;
mod test_manual;
pub mod unlock_args;
mod unlock_manual;
pub mod update_args;
mod update_manual;
mod usage;
pub mod wait_args;
pub mod watch_args;
mod watch_manual;
pub mod words;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cli::acquire_args::AcquireArgs;
use crate::cli::documents::Page;
use crate::cli::exec_args::ExecArgs;
use crate::cli::fix_args::FixArgs;
use crate::cli::info_args::InfoArgs;
use crate::cli::lock_args::LockArgs;
use crate::cli::output_args::OutputArgs;
use crate::cli::path_args::PathArgs;
use crate::cli::release_args::ReleaseArgs;
use crate::cli::sql_args::SqlArgs;
use crate::cli::stats_args::StatsArgs;
use crate::cli::test_args::TestArgs;
use crate::cli::unlock_args::UnlockArgs;
use crate::cli::update_args::UpdateArgs;
use crate::cli::wait_args::WaitArgs;
use crate::cli::watch_args::WatchArgs;
use crate::error::Failure;

/// The verbs, in the order of the manual.
pub const VERBS: [&str; 15] = [
    "exec",
    "sql",
    "info",
    "fix",
    "test",
    "watch",
    "stats",
    "wait",
    "acquire",
    "release",
    "unlock",
    "update",
    "path",
    "completions",
    "man",
];

/// What the user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Run a command under locks.
    Exec(Box<ExecArgs>),
    /// Run SQL under a lock.
    Sql(Box<SqlArgs>),
    /// Look at databases.
    Info(InfoArgs),
    /// Clear what dead processes left behind.
    Fix(FixArgs),
    /// Prove that nothing is lost.
    Test(Box<TestArgs>),
    /// Look at databases again and again.
    Watch(WatchArgs),
    /// Tell how locks were used.
    Stats(StatsArgs),
    /// Wait until locks could be had.
    Wait(WaitArgs),
    /// Take locks and leave them behind.
    Acquire(Box<AcquireArgs>),
    /// Give such locks back.
    Release(ReleaseArgs),
    /// End those who hold a database.
    Unlock(UnlockArgs),
    /// Change a file by a command.
    Update(Box<UpdateArgs>),
    /// Print the lock file of a database.
    Path(PathArgs),
    /// Print the completions for a shell.
    Completions(clap_complete::Shell),
    /// Print a page of the manual.
    Man(Page),
}

/// Why there is no request.
#[derive(Debug)]
pub enum Refusal {
    /// The user asked for help or the version: print it on standard output and succeed.
    Show {
        /// The text, which ends with a newline.
        text: String,
    },
    /// The command line makes no sense.
    Fail(Failure),
}

/// Run commands and SQL alone on a database file
///
/// dbguard takes a lock for a database, runs a command or SQL and releases the lock. Whoever else
/// asks dbguard for the same database waits meanwhile, in the order of arrival.
///
/// Examples:
///
///   dbguard exec app.db -- sqlite3 app.db 'delete from session'
///   dbguard exec -s app.db -- sqlite3 -readonly app.db .dump
///   dbguard sql app.db 'update counter set n = n + 1 returning n'
///   dbguard info app.db
///   dbguard fix --dry-run
///   dbguard test app.db
///   dbguard wait -w 5m app.db
///   token=$(dbguard acquire app.db)
///   dbguard update state.json -- jq '.n += 1'
#[derive(Parser)]
#[command(name = "dbguard", version, verbatim_doc_comment)]
#[command(override_usage = "dbguard VERB [OPTIONS] ...")]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
struct Cli {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Exec(Box<ExecArgs>),
    Sql(Box<SqlArgs>),
    Info(InfoArgs),
    Fix(FixArgs),
    Test(Box<TestArgs>),
    Watch(WatchArgs),
    Stats(StatsArgs),
    Wait(WaitArgs),
    Acquire(Box<AcquireArgs>),
    Release(ReleaseArgs),
    Unlock(UnlockArgs),
    Update(Box<UpdateArgs>),
    Path(PathArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Print the completions for a shell
///
/// Examples:
///
///   dbguard completions bash > ~/.local/share/bash-completion/completions/dbguard
///   dbguard completions fish > ~/.config/fish/completions/dbguard.fish
#[derive(Args)]
#[command(verbatim_doc_comment, override_usage = "dbguard completions SHELL")]
struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: clap_complete::Shell,
}

/// Print a page of the manual
///
/// The page is printed as roff, the language of man(1).
///
/// Examples:
///
///   dbguard man | man -l -
///   dbguard man exec > ~/.local/share/man/man1/dbguard-exec.1
#[derive(Args)]
#[command(verbatim_doc_comment, override_usage = "dbguard man [VERB]")]
struct ManArgs {
    /// The verb whose page is printed, instead of the page about dbguard
    #[arg(value_name = "VERB", default_value = "dbguard", hide_default_value = true)]
    page: Page,
}

/// Returns what the arguments ask for; they begin after the program's name.
///
/// The quickest reader that understands a command line decides: first the one for what scripts
/// run most, then the part of the grammar that the verb needs. Whatever they refuse goes
/// through the whole grammar, which alone explains.
pub fn parse(arguments: Vec<OsString>) -> Result<(Request, OutputArgs), Refusal> {
    let fast = match arguments.first().and_then(|word| word.to_str()) {
        Some("exec") => express::exec(&arguments[1..])
            .or_else(|| parse_one(&arguments))
            .map(|(exec, output)| (Request::Exec(Box::new(exec)), output)),
        Some("sql") => express::sql(&arguments[1..])
            .or_else(|| parse_one(&arguments))
            .map(|(sql, output)| (Request::Sql(Box::new(sql)), output)),
        Some("info") => parse_one(&arguments).map(|(info, output)| (Request::Info(info), output)),
        Some("fix") => parse_one(&arguments).map(|(fix, output)| (Request::Fix(fix), output)),
        Some("wait") => parse_one(&arguments).map(|(wait, output)| (Request::Wait(wait), output)),
        Some("update") => parse_one(&arguments)
            .map(|(update, output)| (Request::Update(Box::new(update)), output)),
        Some("acquire") => parse_one(&arguments)
            .map(|(acquire, output)| (Request::Acquire(Box::new(acquire)), output)),
        Some("release") => {
            parse_one(&arguments).map(|(release, output)| (Request::Release(release), output))
        }
        Some("path") => parse_one(&arguments).map(|(path, output)| (Request::Path(path), output)),
        _ => None,
    };
    let (request, output) = match fast {
        Some(parsed) => parsed,
        None => parse_any(&arguments).map_err(|error| usage::refusal(&error, &arguments))?,
    };
    check(&request, &arguments).map_err(Refusal::Fail)?;
    Ok((request, output))
}

/// Returns the whole grammar, with everything the help and the documents say.
pub fn command() -> Command {
    manual::attach(Cli::command())
}

/// Parses a line whose first word is the verb that `T` stands for.
fn parse_one<T: Args>(arguments: &[OsString]) -> Option<(T, OutputArgs)> {
    let command = T::augment_args(OutputArgs::augment_args(Command::new("dbguard")));
    let command = command.no_binary_name(true);
    let mut matches = command.try_get_matches_from(&arguments[1..]).ok()?;
    let output = OutputArgs::from_arg_matches_mut(&mut matches).ok()?;
    Some((T::from_arg_matches_mut(&mut matches).ok()?, output))
}

fn parse_any(arguments: &[OsString]) -> Result<(Request, OutputArgs), clap::Error> {
    let mut matches = command().no_binary_name(true).try_get_matches_from(arguments)?;
    let Cli { output, verb } = Cli::from_arg_matches_mut(&mut matches)?;
    let request = match verb {
        Verb::Exec(exec) => Request::Exec(exec),
        Verb::Sql(sql) => Request::Sql(sql),
        Verb::Info(info) => Request::Info(info),
        Verb::Fix(fix) => Request::Fix(fix),
        Verb::Test(test) => Request::Test(test),
        Verb::Watch(watch) => Request::Watch(watch),
        Verb::Stats(stats) => Request::Stats(stats),
        Verb::Wait(wait) => Request::Wait(wait),
        Verb::Acquire(acquire) => Request::Acquire(acquire),
        Verb::Release(release) => Request::Release(release),
        Verb::Unlock(unlock) => Request::Unlock(unlock),
        Verb::Update(update) => Request::Update(update),
        Verb::Path(path) => Request::Path(path),
        Verb::Completions(completions) => Request::Completions(completions.shell),
        Verb::Man(man) => Request::Man(man.page),
    };
    Ok((request, output))
}

/// Refuses what parses and still makes no sense.
fn check(request: &Request, arguments: &[OsString]) -> Result<(), Failure> {
    match request {
        Request::Exec(exec) => usage::check_exec(exec, &usage::verb_first(arguments)[1..]),
        Request::Wait(WaitArgs { lock, files }) => check_files(lock, files, arguments),
        Request::Acquire(acquire) => {
            acquire.check()?;
            check_files(&acquire.lock, &acquire.files, arguments)
        }
        Request::Release(_) => usage::check_no_command(&usage::verb_first(arguments)),
        Request::Update(update) => update.check(),
        Request::Sql(_) | Request::Info(_) | Request::Fix(_) => Ok(()),
        Request::Test(_) | Request::Watch(_) | Request::Stats(_) => Ok(()),
        Request::Path(_) => usage::check_no_command(&usage::verb_first(arguments)),
        Request::Unlock(_) | Request::Completions(_) | Request::Man(_) => Ok(()),
    }
}

/// Refuses several files for one lock file, and a command where none is run.
fn check_files(lock: &LockArgs, files: &[PathBuf], arguments: &[OsString]) -> Result<(), Failure> {
    if files.len() > 1 && lock.lock_file().is_some() {
        return Err(usage::several_files("--lock-file"));
    }
    usage::check_no_command(&usage::verb_first(arguments))
}

#[cfg(test)]
mod tests;
