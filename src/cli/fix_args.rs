//! What can be typed after `dbguard fix`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueHint};

use crate::cli::duration::{DurationError, Timeout};
use crate::cli::settings::Settings;
use crate::stale::{self, Format, Rule};

/// Clear what dead processes left behind, and nothing else
///
/// Each PATH, the current directory if none is given, is searched for what crashes leave: dbguard's
/// own state, files that it was writing, lock files of other tools, and the logs and journals of
/// databases. A lock file is removed only if its process is provably dead. A database is brought in
/// order by its own engine, alone and under lock. Logs and journals are never deleted, files that say
/// which versions of packages belong together are never touched, and what cannot be proved is left
/// alone and said.
///
/// It can run at any time, also while the databases are in use, and several times at once.
///
/// Examples:
///
///   dbguard fix
///   dbguard fix --dry-run /srv
///   dbguard fix app.db
///   dbguard fix --assume-stale proper-lockfile=1h ~/project
///   dbguard fix --pattern '*.pid.txt' /run/app
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard fix [OPTIONS] [PATH]...")]
pub struct FixArgs {
    /// Files, and directories to search
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// Change nothing and say what would be done; exit with 1 if anything would
    #[arg(long)]
    dry_run: bool,

    /// Leave databases alone
    #[arg(long)]
    no_recover: bool,

    /// Before a database is brought in order, copy its logs and journals to DIR
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "no_recover")]
    backup: Option<PathBuf>,

    /// Take locks of FORMAT that name nobody for stale at AGE, 60 s or more
    ///
    /// For formats of which only the age is known. Nobody may have the lock open, and all processes
    /// have to be visible, so root has to ask.
    #[arg(long, value_name = "FORMAT=AGE", value_parser = AssumedAge::from_str)]
    assume_stale: Vec<AssumedAge>,

    /// Read files called like GLOB as PID files, too; whatever holds a number alone is one then
    #[arg(long, value_name = "GLOB")]
    pattern: Vec<String>,

    /// Go into other file systems too
    #[arg(long)]
    cross_file_systems: bool,

    /// Exit with 1 also if something is left that nobody can judge
    #[arg(long)]
    strict: bool,

    /// List the formats of lock files that are known, and what is done about each
    #[arg(long)]
    list_formats: bool,

    /// Clean the state in DIR instead of that beside the databases
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    lock_dir: Option<PathBuf>,
}

/// What is to be cleared, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixRequest {
    /// What was typed; the current directory if nothing was.
    pub paths: Vec<PathBuf>,
    /// Whether nothing is changed.
    pub dry_run: bool,
    /// Whether databases are left alone.
    pub no_recover: bool,
    /// Where logs and journals are copied.
    pub backup: Option<PathBuf>,
    /// What the user takes for stale.
    pub assume_stale: Vec<AssumedAge>,
    /// The user's own PID files.
    pub patterns: Vec<String>,
    /// Whether the search goes into other file systems.
    pub cross_file_systems: bool,
    /// Whether what cannot be judged is a no.
    pub strict: bool,
    /// Whether the formats are wanted and nothing else.
    pub list_formats: bool,
    /// Where the locks' files are, if not beside the databases.
    pub lock_dir: Option<PathBuf>,
}

impl FixArgs {
    /// Fills in what was not typed.
    pub fn resolve(self, settings: &Settings) -> FixRequest {
        let paths = if self.paths.is_empty() { vec![PathBuf::from(".")] } else { self.paths };
        FixRequest {
            paths,
            dry_run: self.dry_run,
            no_recover: self.no_recover,
            backup: self.backup,
            assume_stale: self.assume_stale,
            patterns: self.pattern,
            cross_file_systems: self.cross_file_systems,
            strict: self.strict,
            list_formats: self.list_formats,
            lock_dir: self.lock_dir.or_else(|| settings.lock_dir.clone()),
        }
    }
}

/// A format, and the age at which its locks are taken for stale.
#[derive(Clone, Copy, Debug)]
pub struct AssumedAge {
    /// The format.
    pub format: &'static Format,
    /// The age.
    pub age: Duration,
}

impl PartialEq for AssumedAge {
    fn eq(&self, other: &Self) -> bool {
        self.format.name == other.format.name && self.age == other.age
    }
}

impl Eq for AssumedAge {}

/// Why a text is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssumedAgeError {
    /// There is no `=`.
    #[error("expected FORMAT=AGE, such as proper-lockfile=1h")]
    Shape,
    /// There is no such format.
    #[error("there is no such format; dbguard fix --list-formats lists them")]
    Unknown,
    /// The format does not go by age.
    #[error("locks of that format name their process, or are never removed")]
    NotByAge,
    /// The age is no duration.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// The age is too short.
    #[error("an age has to be 60 s at least: live locks are that old")]
    TooYoung,
}

impl FromStr for AssumedAge {
    type Err = AssumedAgeError;

    fn from_str(text: &str) -> Result<Self, AssumedAgeError> {
        const SHORTEST: Duration = Duration::from_secs(60);
        let (name, age) = text.split_once('=').ok_or(AssumedAgeError::Shape)?;
        let format = stale::named(name).ok_or(AssumedAgeError::Unknown)?;
        if format.rule != Rule::Age {
            return Err(AssumedAgeError::NotByAge);
        }
        match Timeout::from_str(age)? {
            Timeout::After(age) if age >= SHORTEST => Ok(Self { format, age }),
            Timeout::After(_) => Err(AssumedAgeError::TooYoung),
            Timeout::Never => Err(DurationError::Endless.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{AssumedAge, AssumedAgeError};

    #[test]
    fn an_age_is_assumed_of_formats_that_know_only_ages() {
        let read = |text: &str| text.parse::<AssumedAge>();
        let assumed = read("proper-lockfile=2m").expect("it goes by age");
        assert_eq!(
            (assumed.format.name, assumed.age),
            ("proper-lockfile", Duration::from_secs(120))
        );
        for (text, error) in [
            ("proper-lockfile", AssumedAgeError::Shape),
            ("nothing=1h", AssumedAgeError::Unknown),
            ("filelock=1h", AssumedAgeError::NotByAge),
            ("vim-swap=1h", AssumedAgeError::NotByAge),
            ("proper-lockfile=10s", AssumedAgeError::TooYoung),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
        assert!(read("proper-lockfile=soon").is_err() && read("proper-lockfile=inf").is_err());
    }
}
