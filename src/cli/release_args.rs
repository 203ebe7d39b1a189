//! What can be typed after `dbguard release`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};

use crate::cli::duration::{Timeout, parse_span};
use crate::cli::settings::Settings;

/// Give back locks that `dbguard acquire` took
///
/// Returns when the locks are free. Commands that joined them are waited for: those that still run
/// keep everybody else out until they end. All locks that were taken in one call end together,
/// whichever of their files is named. Only the user who acquired them, and root, can do this.
///
/// The exit status is 0 when the locks are given back, 1 when there is nothing to give back (the
/// token is another one's, was released already or has expired; the message says which), and 124
/// when commands that joined still run in the end.
///
/// Examples:
///
///   dbguard release app.db --token "$token"
///   dbguard release app.db
///   dbguard release app.db --extend 30m
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard release [OPTIONS] FILE")]
pub struct ReleaseArgs {
    /// What `dbguard acquire` printed [default: the value of DBGUARD_TOKEN]
    #[arg(long, value_name = "TOKEN", value_parser = NonEmptyStringValueParser::new())]
    token: Option<String>,

    /// Keep the locks, and end them DURATION from now instead
    #[arg(long, value_name = "DURATION", value_parser = parse_span)]
    extend: Option<Duration>,

    /// Give up after DURATION, if commands that joined still run [default: 30s]
    #[arg(short = 'w', long, value_name = "DURATION", value_parser = Timeout::from_str)]
    #[arg(allow_negative_numbers = true)]
    timeout: Option<Timeout>,

    /// Look for the lock's files in DIR instead of .dbguard beside the database
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    lock_dir: Option<PathBuf>,

    /// The lock file, if one was named to `dbguard acquire`
    #[arg(long, value_name = "PATH", conflicts_with = "lock_dir")]
    #[arg(value_hint = ValueHint::FilePath)]
    lock_file: Option<PathBuf>,

    /// The database, as it was named to `dbguard acquire`
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
}

/// What to give back, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRequest {
    /// The token, if it was typed.
    pub token: Option<String>,
    /// Do not give it back, but let it end in this time.
    pub extend: Option<Duration>,
    /// How long to wait.
    pub timeout: Timeout,
    /// Where the lock's files are, if not beside the database.
    pub lock_dir: Option<PathBuf>,
    /// The file that is locked instead of dbguard's own.
    pub lock_file: Option<PathBuf>,
    /// The database.
    pub file: PathBuf,
}

impl ReleaseArgs {
    /// Fills in what was not typed: an option beats its variable, a variable the default.
    pub fn resolve(self, settings: &Settings) -> ReleaseRequest {
        let lock_dir = self.lock_dir.or_else(|| settings.lock_dir.clone());
        ReleaseRequest {
            token: self.token,
            extend: self.extend,
            timeout: self.timeout.unwrap_or(settings.timeout),
            lock_dir: lock_dir.filter(|_| self.lock_file.is_none()),
            lock_file: self.lock_file,
            file: self.file,
        }
    }
}
