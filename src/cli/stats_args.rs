//! What can be typed after `dbguard stats`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::settings::Settings;

/// Say how often locks were had, waited for and missed
///
/// For each PATH, the current directory if none is given: how many locks were had and how many not,
/// how long they were waited for and held, and how batches of SQL ended. A directory is searched,
/// and its databases are summed. The counts are kept beside each database, written after each
/// release, and never a reason for anything to fail or to wait. Grants of a key count for its
/// database, those of `--lock-file PATH` for PATH.
///
/// Examples:
///
///   dbguard stats app.db
///   dbguard stats --json .
///   dbguard stats --format prometheus --output /var/lib/node_exporter/dbguard.prom /srv
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard stats [OPTIONS] [PATH]...")]
pub struct StatsArgs {
    /// Databases, or directories to search
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// How to print them [default: text, or json with --json]
    #[arg(long, value_name = "FORMAT")]
    format: Option<StatsFormat>,

    /// Write to FILE, which is replaced at once or not at all
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// Forget what was counted, and print it one last time: no grant is lost or counted twice
    #[arg(long)]
    reset: bool,

    /// Where the locks' files are, if not in .dbguard beside the database
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    lock_dir: Option<PathBuf>,
}

/// How statistics are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatsFormat {
    /// For people
    Text,
    /// One document
    Json,
    /// The text format of Prometheus
    Prometheus,
}

/// What is asked about, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsRequest {
    /// What was typed; the current directory if nothing was.
    pub paths: Vec<PathBuf>,
    /// How to print it, if that was typed.
    pub format: Option<StatsFormat>,
    /// Where to write it, if not on standard output.
    pub output: Option<PathBuf>,
    /// Whether it is forgotten.
    pub reset: bool,
    /// Where the locks' files are, if not beside the database.
    pub lock_dir: Option<PathBuf>,
}

impl StatsArgs {
    /// Fills in what was not typed.
    pub fn resolve(self, settings: &Settings) -> StatsRequest {
        let paths = if self.paths.is_empty() { vec![PathBuf::from(".")] } else { self.paths };
        StatsRequest {
            paths,
            format: self.format,
            output: self.output.filter(|path| path.as_os_str() != "-"),
            reset: self.reset,
            lock_dir: self.lock_dir.or_else(|| settings.lock_dir.clone()),
        }
    }
}
