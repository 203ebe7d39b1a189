//! The words of an `exec` that makes no sense, sorted by what the user probably meant.

use std::ffi::{OsStr, OsString};

use clap::{Args, Command, FromArgMatches};

use crate::cli::exec_args::RunArgs;
use crate::cli::lock_args::LockArgs;
use crate::cli::output_args::OutputArgs;
use crate::cli::words::joined;

/// Options, files, and the rest is the command. Without `--` there is one file.
pub struct Layout {
    options: Vec<OsString>,
    files: Vec<OsString>,
    /// What stands after `--`, or should.
    pub command: Vec<OsString>,
    /// `-c` or `--fd` is among the options.
    pub is_complete: bool,
}

/// The options of `exec`, then anything.
#[derive(Args)]
struct Diagnosis {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    lock: LockArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Layout {
    /// Returns `None` where even this reading makes no sense. `arguments` are the words after
    /// the verb.
    pub fn of(arguments: &[OsString]) -> Option<Self> {
        let (before, after) = around_dashes(arguments);
        let mut layout = Self::of_words(before)?;
        if let Some(command) = after {
            layout.files.append(&mut layout.command);
            layout.command = command.to_vec();
        }
        Some(layout)
    }

    /// Returns the first file.
    pub fn file(&self) -> &OsStr {
        &self.files[0]
    }

    /// Returns the advice to type the line with everything in its place.
    pub fn line(&self) -> String {
        let before = self.options.iter().chain(&self.files).map(OsString::as_os_str);
        let mut line = format!("type: dbguard exec {}", joined(before));
        if self.is_complete {
            return line;
        }
        line.push_str(" -- ");
        if self.command.is_empty() {
            line.push_str("COMMAND");
        } else {
            line.push_str(&joined(self.command.iter().map(OsString::as_os_str)));
        }
        line
    }

    fn of_words(arguments: &[OsString]) -> Option<Self> {
        let (mut options, words, mut is_complete) = split(arguments)?;
        let (file, mut rest) = words.split_first().filter(|(file, _)| !is_option(file))?;
        if rest.first().is_some_and(|word| is_option(word)) {
            let (more, words, complete) = split(rest)?;
            if words.first().is_some_and(|word| is_option(word)) {
                return None;
            }
            options.extend_from_slice(&more);
            is_complete |= complete;
            rest = words;
        }
        Some(Self { options, files: vec![file.clone()], command: rest.to_vec(), is_complete })
    }
}

/// Returns the words before the first `--`, and those after it if there is one.
pub fn around_dashes(arguments: &[OsString]) -> (&[OsString], Option<&[OsString]>) {
    match arguments.iter().position(|word| word == "--") {
        Some(dashes) => (&arguments[..dashes], Some(&arguments[dashes + 1..])),
        None => (arguments, None),
    }
}

/// Returns whether the word would be read as an option.
pub fn is_option(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"-") && word != "-" && word != "--"
}

/// Splits the options in front from the first word that is none and all that follow it.
fn split(arguments: &[OsString]) -> Option<(Vec<OsString>, &[OsString], bool)> {
    let command = Diagnosis::augment_args(Command::new("exec")).no_binary_name(true);
    let matches = command.try_get_matches_from(arguments).ok()?;
    let diagnosis = Diagnosis::from_arg_matches(&matches).ok()?;
    let (options, words) = arguments.split_at(arguments.len() - diagnosis.words.len());
    let Diagnosis { run, lock: LockArgs { .. }, output: OutputArgs { .. }, .. } = diagnosis;
    Some((options.to_vec(), words, run.are_complete()))
}
