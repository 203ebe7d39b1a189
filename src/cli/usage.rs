//! What is said about a command line that makes no sense.
//!
//! clap finds what is wrong; here it gets our words, our exit code, and where possible the
//! line the user meant to type.

use std::error::Error;
use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Command, FromArgMatches};

use crate::cli::Refusal;
use crate::cli::exec_args::{ExecArgs, RunArgs};
use crate::cli::lock_args::LockArgs;
use crate::cli::output_args::OutputArgs;
use crate::cli::words::joined;
use crate::error::Failure;
use crate::outcome::Outcome;

/// Turns clap's refusal into ours. `arguments` are the words after the program's name.
pub fn refusal(error: &clap::Error, arguments: &[OsString]) -> Refusal {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Refusal::Show { text: error.render().to_string() };
    }
    let better = match arguments.first().and_then(|word| word.to_str()) {
        Some("exec") => missing_dashes(&arguments[1..]),
        Some(verb) if super::VERBS.contains(&verb) => None,
        _ => missing_verb(error, arguments),
    };
    Refusal::Fail(better.unwrap_or_else(|| in_our_words(error, arguments)))
}

/// Finds what clap cannot: an `exec` that parses and still does not say what to run, or does
/// so in two ways. `arguments` are the words after the verb.
pub fn check_exec(parsed: &ExecArgs, arguments: &[OsString]) -> Result<(), Failure> {
    if parsed.run.unlock && parsed.run.fd.is_none() {
        // clap's own `requires` is silent here: it never asks for what conflicts with COMMAND.
        return Err(Failure::new(Outcome::Usage, "`-u` needs `--fd N`")
            .hint("without --fd, dbguard releases the lock when the command exits"));
    }
    if parsed.files.len() > 1 {
        one_file_only(parsed)?;
        if parsed.run.shell_command.is_some() {
            return unambiguous_shell_command(arguments);
        }
    }
    if !parsed.command.is_empty() || parsed.run.are_complete() {
        return Ok(());
    }
    if let Some(failure) = missing_dashes(arguments) {
        return Err(failure);
    }
    let file = parsed.files.first().map_or(OsStr::new("FILE"), |file| file.as_os_str());
    let failure = Failure::new(Outcome::Usage, "no command was given");
    let number = file.to_str().filter(|name| name.parse::<u32>().is_ok());
    Err(failure.hint(match number {
        Some(number) => {
            format!("to lock descriptor {number}, type: dbguard exec --fd {number} FILE")
        }
        None => format!("type: dbguard exec {} -- COMMAND", joined([file])),
    }))
}

fn one_file_only(parsed: &ExecArgs) -> Result<(), Failure> {
    let option = match (parsed.run.fd, parsed.lock.lock_file()) {
        (Some(_), _) => "--fd",
        (None, Some(_)) => "--lock-file",
        (None, None) => return Ok(()),
    };
    Err(several_files(option))
}

/// Returns the failure of an option that can only speak of one file.
pub fn several_files(option: &str) -> Failure {
    Failure::new(Outcome::Usage, format!("`{option}` goes with one FILE, not several"))
        .hint("run dbguard once for each file")
}

/// `a.db bash -c 'x'` is what flock users type, and would lock a file called bash.
fn unambiguous_shell_command(arguments: &[OsString]) -> Result<(), Failure> {
    match Layout::of(arguments) {
        Some(layout) if !layout.is_complete => Err(Failure::new(
            Outcome::Usage,
            "`-c` after several words is ambiguous: `--` is missing, or -c must come first",
        )
        .hint(layout.line())),
        _ => Ok(()),
    }
}

/// Returns what to type if the words look like a command without its `--`.
fn missing_dashes(arguments: &[OsString]) -> Option<Failure> {
    if arguments.iter().any(|word| word == "--") {
        return None;
    }
    let layout = Layout::of(arguments)?;
    let is_missing = !layout.is_complete && !layout.command.is_empty();
    is_missing
        .then(|| Failure::new(Outcome::Usage, "no command: `--` is missing").hint(layout.line()))
}

/// Returns what to type if the first word that is not an option is no verb.
fn missing_verb(error: &clap::Error, arguments: &[OsString]) -> Option<Failure> {
    let is_path = |word: &str| word.contains(['.', '/', '\\']);
    let word = match error.kind() {
        ErrorKind::InvalidSubcommand => text(error, ContextKind::InvalidSubcommand)?,
        ErrorKind::UnknownArgument => String::new(),
        _ => return None,
    };
    if !is_path(&word) && error.get(ContextKind::SuggestedSubcommand).is_some() {
        return None;
    }
    let layout = Layout::of(arguments)?;
    let (verb, file) = (layout.file.to_str(), joined([layout.file.as_os_str()]));
    if verb.is_some_and(|word| super::VERBS.contains(&word)) {
        let line = joined(layout.options.iter().map(OsString::as_os_str));
        return Some(
            Failure::new(Outcome::Usage, format!("options stand after the verb `{file}`"))
                .hint(format!("type: dbguard {file} {line} ...")),
        );
    }
    if !word.is_empty() && !is_path(&word) {
        let message = format!("there is no verb `{word}`");
        let verbs = super::VERBS.join(", ");
        let hint = format!("the verbs are {verbs}; to lock a file of that name, {}", layout.line());
        return Some(Failure::new(Outcome::Usage, message).hint(hint));
    }
    let message = format!("the verb is missing before `{file}`");
    Some(Failure::new(Outcome::Usage, message).hint(layout.line()))
}

/// The words of an `exec`, sorted by what the user probably meant: options, one file, and the
/// rest is the command.
struct Layout {
    options: Vec<OsString>,
    file: OsString,
    command: Vec<OsString>,
    /// `-c` or `--fd` is among the options.
    is_complete: bool,
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
    /// Returns `None` where even this reading makes no sense.
    fn of(arguments: &[OsString]) -> Option<Self> {
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
        if rest.first().is_some_and(|word| word == "--") {
            rest = &rest[1..];
        }
        Some(Self {
            options: options.to_vec(),
            file: file.clone(),
            command: rest.to_vec(),
            is_complete,
        })
    }

    fn line(&self) -> String {
        let before = self.options.iter().chain([&self.file]).map(OsString::as_os_str);
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
}

fn is_option(word: &OsStr) -> bool {
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

fn in_our_words(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let verb = arguments.first().and_then(|word| word.to_str());
    let help = match verb.filter(|word| super::VERBS.contains(word)) {
        Some(verb) => format!("see dbguard {verb} --help"),
        None => "see dbguard --help".to_owned(),
    };
    Failure::new(Outcome::Usage, message(error)).hint(tip(error).unwrap_or(help))
}

fn message(error: &clap::Error) -> String {
    let argument = text(error, ContextKind::InvalidArg).unwrap_or_default();
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => format!("unexpected argument `{argument}`"),
        ErrorKind::InvalidSubcommand => {
            let verb = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("no such verb: `{verb}`")
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            format!("no verb was given: expected one of {}", super::VERBS.join(", "))
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("`{argument}` needs a value"),
        ErrorKind::InvalidValue => {
            let expected = text(error, ContextKind::ValidValue).unwrap_or_default();
            format!("bad value `{value}` for `{argument}`: expected one of {expected}")
        }
        ErrorKind::ValueValidation => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("bad value `{value}` for `{argument}`{cause}")
        }
        ErrorKind::ArgumentConflict => match text(error, ContextKind::PriorArg) {
            Some(other) => format!("`{argument}` cannot be used with `{other}`"),
            None => format!("`{argument}` cannot be used with the other options"),
        },
        ErrorKind::MissingRequiredArgument => {
            format!(
                "`{}` is missing",
                argument.replace("<FILE>...", "FILE").replace("<FILE>", "FILE")
            )
        }
        _ => first_line(error),
    }
}

fn tip(error: &clap::Error) -> Option<String> {
    let did_you_mean = |kind| Some(format!("did you mean `{}`?", text(error, kind)?));
    did_you_mean(ContextKind::SuggestedArg)
        .or_else(|| did_you_mean(ContextKind::SuggestedValue))
        .or_else(|| did_you_mean(ContextKind::SuggestedSubcommand))
}

/// Returns clap's own first line, for the few errors that have no words of ours.
fn first_line(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let line = rendered.lines().next().unwrap_or_default();
    escaped(line.strip_prefix("error: ").unwrap_or(line))
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(escaped(text)),
        ContextValue::Strings(texts) => Some(escaped(&texts.join(", "))),
        _ => None,
    }
}

/// Escapes what would otherwise reach the terminal as a command to it.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|letter| {
            let escape = letter.is_control().then(|| letter.escape_default());
            let plain = escape.is_none().then_some(letter);
            escape.into_iter().flatten().chain(plain)
        })
        .collect()
}
