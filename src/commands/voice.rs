//! Speaks on standard error, in the voice that was asked for.

use std::collections::HashSet;
use std::env;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::End;
use crate::cli::output_args::{Color, Format, Output, Verbosity};
use crate::cli::settings::LogLevel;
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::report;

const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// Who speaks, and how.
#[derive(Debug)]
pub struct Voice {
    output: Output,
    directory: Option<PathBuf>,
    said: Mutex<HashSet<String>>,
}

impl Voice {
    /// The voice for what goes wrong before the settings are known.
    pub fn before_settings(format: Format) -> Self {
        let output = Output {
            format,
            verbosity: Verbosity::Normal,
            color: Color::Auto,
            log_level: LogLevel::Off,
        };
        Self::new(output)
    }

    /// A voice for work that must not speak in between.
    pub fn silent() -> Self {
        let output = Output {
            format: Format::Text,
            verbosity: Verbosity::Quiet,
            color: Color::Never,
            log_level: LogLevel::Off,
        };
        Self::new(output)
    }

    /// The voice that was asked for.
    pub fn new(output: Output) -> Self {
        Self { output, directory: None, said: Mutex::default() }
    }

    /// Returns how much is to be logged.
    pub fn log_level(&self) -> LogLevel {
        self.output.log_level
    }

    /// Whether JSON was asked for.
    pub fn is_json(&self) -> bool {
        self.output.format == Format::Json
    }

    /// Whether nothing but errors is wanted.
    pub fn is_quiet(&self) -> bool {
        self.output.verbosity == Verbosity::Quiet
    }

    /// Whether a live line can be drawn: a person watches, and wants words.
    pub fn is_live(&self) -> bool {
        !self.is_json() && io::stderr().is_terminal() && anstyle_query::term_supports_ansi_color()
    }

    /// Returns a path as it is shown to people.
    pub fn shown(&self, path: &Path) -> String {
        match &self.directory {
            Some(directory) => report::shown_path(path, Some(directory)),
            None => report::shown_path(path, env::current_dir().ok().as_deref()),
        }
    }

    /// Returns several paths as they are shown to people.
    pub fn shown_all(&self, paths: &[PathBuf]) -> String {
        paths.iter().map(|path| self.shown(path)).collect::<Vec<_>>().join(", ")
    }

    /// Tells a failure and returns how to end.
    pub fn fail(&self, failure: &Failure) -> End {
        self.fail_with(failure, failure.outcome.code())
    }

    /// Tells a failure that ends with another exit code than its own.
    pub fn fail_with(&self, failure: &Failure, code: i32) -> End {
        let text = if self.is_json() {
            report::failure_in_json(failure, code)
        } else {
            self.coloured(&report::failure_in_words(failure, self.is_quiet()))
        };
        write(&text);
        // Where nobody reads standard error, as in a service, the log tells.
        tracing::error!(code, "{}", failure.message);
        End { code, signal: None }
    }

    /// Warns, once for each text.
    pub fn warn(&self, warning: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        tracing::warn!("{warning}");
        if !self.is_quiet() && said.insert(warning.to_owned()) {
            self.tell("warning", warning);
        }
    }

    /// Says something worth knowing.
    pub fn notice(&self, notice: &str) {
        tracing::info!("{notice}");
        if !self.is_quiet() {
            self.tell("notice", notice);
        }
    }

    /// Says something only `-v` wants to know.
    pub fn detail(&self, detail: impl FnOnce() -> String) {
        if self.output.verbosity == Verbosity::Verbose {
            self.tell("detail", &detail());
        }
    }

    fn tell(&self, event: &str, text: &str) {
        if self.is_json() {
            let line = serde_json::json!({ "schema": 1, "event": event, "message": text });
            write(&format!("{line}\n"));
        } else {
            let label = if event == "warning" { "warning: " } else { "" };
            let text = report::escaped(text);
            write(&self.coloured(&format!("dbguard: {label}{text}\n")));
        }
    }

    /// Sets off the first word of lines that begin a message or a hint.
    fn coloured(&self, text: &str) -> String {
        if !self.has_colour() {
            return text.to_owned();
        }
        let mark = |text: String, word: &str| match text.strip_prefix(word) {
            Some(rest) => format!("{BOLD}{word}{PLAIN}{rest}"),
            None => text,
        };
        let lines = text.split_inclusive('\n').map(str::to_owned);
        lines.map(|line| mark(mark(line, "dbguard:"), "hint:")).collect()
    }

    fn has_colour(&self) -> bool {
        self.has_colour_on(io::stderr().is_terminal())
    }

    /// Whether there is colour on what is a terminal or is none.
    pub fn has_colour_on(&self, is_terminal: bool) -> bool {
        match self.output.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                anstyle_query::clicolor_force()
                    || is_terminal
                        && !anstyle_query::no_color()
                        && anstyle_query::term_supports_color()
            }
        }
    }
}

/// Writes to standard error. If that fails there is nobody to tell.
pub fn write(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// Returns the failure that a defect of ours deserves.
pub fn defect(message: &str) -> Failure {
    Failure::new(Outcome::Internal, message).hint("this is a defect in dbguard; please report it")
}
