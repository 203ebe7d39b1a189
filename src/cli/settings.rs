//! The defaults that `DBGUARD_*` variables set.
//!
//! The environment comes in as a function: this room does not read it. An empty variable
//! counts as one that is not set; a bad value is refused, never ignored.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::cli::duration::{Timeout, parse_finite, parse_limit};
use crate::cli::lock_args::Native;
use crate::cli::number;
use crate::cli::output_args::Color;
use crate::error::Failure;
use crate::escape::escaped;
use crate::outcome::Outcome;

/// How much is logged, from nothing to everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum LogLevel {
    /// Nothing
    Off,
    /// What failed
    Error,
    /// What may be wrong
    Warn,
    /// What was done
    Info,
    /// How it was done
    Debug,
    /// Every step
    Trace,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Words
    Text,
    /// One JSON object a line
    Json,
}

/// Whether to warn where a file system does not carry locks between machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NetworkWarning {
    /// Warn once a run
    Warn,
    /// Say nothing: the user knows
    #[value(name = "ok")]
    Silent,
}

/// Each variable, what it sets and its default, for the manual.
pub const VARIABLES: &[(&str, &str)] = &[
    ("DBGUARD_TIMEOUT", "How long to wait for a lock, as -w; 30s if not set."),
    ("DBGUARD_NATIVE", "What to do about the engine's own locks, as --native; wait if not set."),
    ("DBGUARD_LOCK_DIR", "Where the files of locks are kept, as --lock-dir."),
    ("DBGUARD_MAX_HOLD", "How long a command may hold the lock, as --max-hold; inf if not set."),
    ("DBGUARD_RETRIES", "How often sql tries a batch again, as --retries; inf if not set."),
    ("DBGUARD_RETRY_DELAY", "The delay before the first retry, which doubles; 20ms if not set."),
    ("DBGUARD_RETRY_MAX_DELAY", "The longest delay between two retries; 2s if not set."),
    ("DBGUARD_COLOR", "When to use colour, as --color; auto if not set."),
    ("DBGUARD_LOG", "What to log: off, error, warn, info, debug or trace; off if not set."),
    ("DBGUARD_LOG_FORMAT", "How to log: text or json; text if not set."),
    ("DBGUARD_LOG_FILE", "Where to log; standard error if not set."),
    ("DBGUARD_NETWORK", "With ok, do not warn about network file systems; warn if not set."),
];

/// Every default, from the environment or built in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long to wait for a lock.
    pub timeout: Timeout,
    /// What to do about the engine's own locks.
    pub native: Native,
    /// Where the files of locks are kept, if not beside the databases.
    pub lock_dir: Option<PathBuf>,
    /// How long a command may hold a lock.
    pub max_hold: Timeout,
    /// How often a batch of SQL is tried again; without end if `None`.
    pub retries: Option<u32>,
    /// The delay before the first retry.
    pub retry_delay: Duration,
    /// The longest delay between two retries.
    pub retry_max_delay: Duration,
    /// When to use colour.
    pub color: Color,
    /// What is logged.
    pub log_level: LogLevel,
    /// How it is logged.
    pub log_format: LogFormat,
    /// Where it is logged; standard error if `None`.
    pub log_file: Option<PathBuf>,
    /// Whether to warn about network file systems.
    pub network: NetworkWarning,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Timeout::After(Duration::from_secs(30)),
            native: Native::Wait,
            lock_dir: None,
            max_hold: Timeout::Never,
            retries: None,
            retry_delay: Duration::from_millis(20),
            retry_max_delay: Duration::from_secs(2),
            color: Color::Auto,
            log_level: LogLevel::Off,
            log_format: LogFormat::Text,
            log_file: None,
            network: NetworkWarning::Warn,
        }
    }
}

impl Settings {
    /// Reads every variable through `lookup`.
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let find = |name: &'static str| {
            let value = lookup(name).filter(|value| !value.is_empty())?;
            Some(Variable { name, value })
        };
        let mut settings = Self::default();
        let own = &mut settings;
        set(&mut own.timeout, find("DBGUARD_TIMEOUT"), |text| text.parse())?;
        set(&mut own.max_hold, find("DBGUARD_MAX_HOLD"), parse_limit)?;
        set(&mut own.retries, find("DBGUARD_RETRIES"), number::count_or_inf)?;
        set(&mut own.retry_delay, find("DBGUARD_RETRY_DELAY"), parse_finite)?;
        set(&mut own.retry_max_delay, find("DBGUARD_RETRY_MAX_DELAY"), parse_finite)?;
        set(&mut own.native, find("DBGUARD_NATIVE"), one_of)?;
        set(&mut own.color, find("DBGUARD_COLOR"), one_of)?;
        set(&mut own.log_level, find("DBGUARD_LOG"), one_of)?;
        set(&mut own.log_format, find("DBGUARD_LOG_FORMAT"), one_of)?;
        set(&mut own.network, find("DBGUARD_NETWORK"), one_of)?;
        own.lock_dir = find("DBGUARD_LOCK_DIR").map(|variable| variable.value.into());
        own.log_file = find("DBGUARD_LOG_FILE").map(|variable| variable.value.into());
        Ok(settings)
    }
}

struct Variable {
    name: &'static str,
    value: OsString,
}

fn set<T, E: ToString>(
    target: &mut T,
    variable: Option<Variable>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<(), Failure> {
    let Some(Variable { name, value }) = variable else {
        return Ok(());
    };
    let bad = |why: String| {
        let shown = escaped(&value.to_string_lossy());
        let message = format!("{name} has the bad value `{shown}`: {why}");
        Failure::new(Outcome::BadSetting, message).hint(format!("correct or unset {name}"))
    };
    let text = value.to_str().ok_or_else(|| bad("not UTF-8".to_owned()))?;
    *target = parse(text).map_err(|error| bad(error.to_string()))?;
    Ok(())
}

fn one_of<T: ValueEnum>(text: &str) -> Result<T, String> {
    let names = |value: &T| value.to_possible_value().map(|value| value.get_name().to_owned());
    T::from_str(text, false).map_err(|_| {
        let all: Vec<String> = T::value_variants().iter().filter_map(names).collect();
        format!("expected one of {}", all.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::time::Duration;

    use super::{LogLevel, NetworkWarning, Settings, VARIABLES};
    use crate::cli::duration::Timeout;
    use crate::outcome::Outcome;

    fn with(name: &str, value: &str) -> Result<Settings, crate::error::Failure> {
        Settings::read(|asked| (asked == name).then(|| OsString::from(value)))
    }

    #[test]
    fn what_is_not_set_or_empty_has_its_default() {
        assert_eq!(Settings::read(|_| None).unwrap(), Settings::default());
        assert_eq!(Settings::read(|_| Some(OsString::new())).unwrap(), Settings::default());
    }

    #[test]
    fn a_variable_sets_its_default() {
        let timeout = with("DBGUARD_TIMEOUT", "1m30s").unwrap().timeout;
        assert_eq!(timeout, Timeout::After(Duration::from_secs(90)));
        assert_eq!(with("DBGUARD_LOG", "debug").unwrap().log_level, LogLevel::Debug);
        assert_eq!(with("DBGUARD_NETWORK", "ok").unwrap().network, NetworkWarning::Silent);
        assert_eq!(with("DBGUARD_LOCK_DIR", "/x").unwrap().lock_dir, Some("/x".into()));
    }

    #[test]
    fn a_bad_value_is_refused_with_its_name() {
        for (name, _) in VARIABLES {
            if matches!(*name, "DBGUARD_LOCK_DIR" | "DBGUARD_LOG_FILE") {
                continue;
            }
            let failure = with(name, "so\nso").expect_err(name);
            assert_eq!(failure.outcome, Outcome::BadSetting);
            assert!(failure.message.starts_with(&format!("{name} has the bad value `so\\nso`: ")));
        }
    }

    #[test]
    fn every_documented_variable_is_read_and_no_other() {
        let asked = std::cell::RefCell::new(Vec::new());
        let _ = Settings::read(|name| {
            asked.borrow_mut().push(name.to_owned());
            None
        });
        let mut asked = asked.into_inner();
        let mut documented: Vec<_> = VARIABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
        asked.sort();
        documented.sort();
        assert_eq!(asked, documented);
    }
}
