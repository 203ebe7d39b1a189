//! What can be typed after `dbguard watch`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::duration::{Timeout, parse_finite};
use crate::cli::settings::Settings;

/// How often is looked if nothing else is asked for.
const INTERVAL: Duration = Duration::from_secs(1);

/// More often would cost more than it shows.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// Watch who holds databases and who waits, as it happens
///
/// For each PATH, the current directory if none is given: who has dbguard's own lock, who waits for
/// it, and whose locks of the engine are in the way. A directory is searched for databases and for
/// names that have a lock, at the beginning and now and then. On a terminal it is a screen that is
/// kept up to date, with a strip that shows the last minutes, one letter a moment; q ends it, and
/// the last line shows the other keys. Elsewhere, and with --json, each event is a line of JSON.
///
/// It looks once a second (--interval). Who comes and goes between two looks is not seen, unless
/// somebody had to wait and was seen in the queue; `dbguard stats` counts every grant. Nothing is
/// changed and nobody is disturbed, without --fix and --exec.
///
/// Examples:
///
///   dbguard watch
///   dbguard watch --json app.db | jq -r 'select(.event == "died") | .command'
///   dbguard watch --until free -w 10m app.db >/dev/null && ./nightly.sh
///   dbguard watch --events died --fix --exec 'logger "$DBGUARD_FILE: $DBGUARD_PID died"' /srv
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard watch [OPTIONS] [PATH]...")]
pub struct WatchArgs {
    /// Databases, or directories to search
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,

    /// Look once every DURATION, at least 50ms [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = interval, allow_negative_numbers = true)]
    interval: Option<Duration>,

    /// End with 0 as soon as all of them are free, or one of them is held
    ///
    /// Free means that nobody is seen to have dbguard's lock or a lock of the engine that keeps
    /// others out. What cannot be seen is not free: where a directory cannot be searched, the exit
    /// code is 77. Held ends it also with a grant that was over when it was looked.
    #[arg(long, value_name = "STATE")]
    until: Option<Until>,

    /// With --until, give up after DURATION and exit with 124 [default: inf]
    #[arg(short = 'w', long, value_name = "DURATION", requires = "until")]
    #[arg(value_parser = Timeout::from_str, allow_negative_numbers = true)]
    timeout: Option<Timeout>,

    /// Tell only these events, separated by commas, to standard output and to --exec
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    events: Vec<Wanted>,

    /// Run the shell command CMD for each event, with the event on its standard input
    ///
    /// One at a time, in their order. What is there when the watch begins is no event for CMD. If
    /// CMD is so slow that 1,000 events wait for it, those that come are left out, and a warning
    /// tells how many. What CMD prints goes to standard error; on a terminal it is not shown.
    #[arg(long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    exec: Option<OsString>,

    /// When a holder has died, clear what he left, as `dbguard fix FILE` does
    #[arg(long)]
    fix: bool,

    /// In a directory, go into other file systems too
    #[arg(long)]
    cross_file_systems: bool,

    /// Where the locks' files are, if not in .dbguard beside the databases
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    lock_dir: Option<PathBuf>,
}

/// What ends a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// Nobody has any of them
    Free,
    /// Somebody has one of them
    Held,
}

/// An event that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Wanted {
    /// A database is watched from here on
    Watching,
    /// It has gone
    Gone,
    /// Somebody queued up
    Waiting,
    /// Somebody got the lock
    Acquired,
    /// Somebody gave it back
    Released,
    /// Somebody stopped waiting
    GaveUp,
    /// Somebody ended without giving it back
    Died,
    /// Locks of the engine keep others out
    NativeLocked,
    /// They do not any more
    NativeReleased,
    /// What a dead one left was cleared
    Fixed,
}

impl Wanted {
    /// Returns the name of the event.
    pub fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What is watched, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRequest {
    /// What was typed; the current directory if nothing was.
    pub paths: Vec<PathBuf>,
    /// Between two looks.
    pub interval: Duration,
    /// What ends it, if anything but a key or a signal does.
    pub until: Option<Until>,
    /// How long that may take.
    pub timeout: Timeout,
    /// The events that are told; all if there are none.
    pub events: Vec<Wanted>,
    /// The shell command that is run for each.
    pub exec: Option<OsString>,
    /// Whether what the dead leave is cleared.
    pub fix: bool,
    /// Whether a search goes into other file systems.
    pub cross_file_systems: bool,
    /// Where the locks' files are, if not beside the databases.
    pub lock_dir: Option<PathBuf>,
}

impl WatchArgs {
    /// Fills in what was not typed: an option beats its variable, a variable the default.
    ///
    /// `DBGUARD_TIMEOUT` is for locks that are wanted, and here none is.
    pub fn resolve(self, settings: &Settings) -> WatchRequest {
        let paths = if self.paths.is_empty() { vec![PathBuf::from(".")] } else { self.paths };
        WatchRequest {
            paths,
            interval: self.interval.unwrap_or(INTERVAL),
            until: self.until,
            timeout: self.timeout.unwrap_or(Timeout::Never),
            events: self.events,
            exec: self.exec,
            fix: self.fix,
            cross_file_systems: self.cross_file_systems,
            lock_dir: self.lock_dir.or_else(|| settings.lock_dir.clone()),
        }
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    match parse_finite(text) {
        Ok(interval) if interval >= SHORTEST_INTERVAL => Ok(interval),
        Ok(_) => Err("shorter than 50ms".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::interval;

    #[test]
    fn an_interval_is_50_ms_at_least_and_finite() {
        assert_eq!(interval("0.05"), Ok(Duration::from_millis(50)));
        assert_eq!(interval("2"), Ok(Duration::from_secs(2)));
        for text in ["0", "49ms", "inf", "soon", "-1"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
