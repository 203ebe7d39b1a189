//! The options that say how dbguard talks; every verb has them.

use clap::{ArgAction, Args, ValueEnum};

use crate::cli::settings::{LogLevel, Settings};

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless the environment asks for something else
    #[default]
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// Whether answers and errors are for people or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Words.
    Text,
    /// One JSON document, or one a line where there are several.
    Json,
}

/// How much is said besides the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// `-q`: only the one line of an error.
    Quiet,
    /// Lines about waiting, warnings and hints.
    Normal,
    /// `-v`: also how long it took to obtain the lock.
    Verbose,
}

/// The options about output, as they were typed.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Output options")]
pub struct OutputArgs {
    /// Print JSON: the answer on standard output, an error on standard error
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Print no warnings, no hints and nothing about waiting
    #[arg(short, long, global = true, overrides_with_all = ["quiet", "verbose"])]
    pub(super) quiet: bool,

    /// Say how long it took to obtain the lock; twice: log what is done
    #[arg(short, long, global = true, action = ArgAction::Count, overrides_with = "quiet")]
    verbose: u8,

    /// When to use colour [default: auto]
    #[arg(long, global = true, value_name = "WHEN", overrides_with = "color")]
    color: Option<Color>,
}

/// How dbguard talks, with every default filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// For people or for programs.
    pub format: Format,
    /// How much is said.
    pub verbosity: Verbosity,
    /// When to use colour.
    pub color: Color,
    /// What is logged: the more talkative of `-v` and the variable.
    pub log_level: LogLevel,
}

impl OutputArgs {
    /// Returns the format that was asked for; it needs no settings, so that a failure to read
    /// those can be told in it.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Text }
    }

    /// Fills in what was not typed: an option beats its variable, a variable the default.
    pub fn resolve(&self, settings: &Settings) -> Output {
        let verbosity = match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        };
        let log_level = match self.verbose {
            0 | 1 => LogLevel::Off,
            2 => LogLevel::Debug,
            _ => LogLevel::Trace,
        };
        Output {
            format: self.format(),
            verbosity,
            color: self.color.unwrap_or(settings.color),
            log_level: log_level.max(settings.log_level),
        }
    }
}
