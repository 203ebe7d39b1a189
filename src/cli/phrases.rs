//! What clap finds wrong, in our words: no notation of clap's, and no term of a programmer.

use std::error::Error;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::cli::layout::around_dashes;
use crate::cli::words::joined;
use crate::error::Failure;
use crate::escape::escaped;
use crate::outcome::Outcome;

/// Turns clap's refusal of a line into ours. The line begins with its verb, if it has one.
pub fn in_our_words(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let verb = arguments.first().and_then(|word| word.to_str());
    let verb = verb.filter(|word| super::VERBS.contains(word));
    let phrase = match error.kind() {
        ErrorKind::UnknownArgument => unknown_argument(error, verb, arguments),
        ErrorKind::ArgumentConflict => conflict(error, verb, arguments),
        _ => Phrase { message: message(error), hint: tip(error) },
    };
    let help = || match verb {
        Some(verb) => format!("see dbguard {verb} --help"),
        None => "see dbguard --help".to_owned(),
    };
    Failure::new(Outcome::Usage, phrase.message).hint(phrase.hint.unwrap_or_else(help))
}

/// Returns clap's guess of the word that was meant.
pub fn tip(error: &clap::Error) -> Option<String> {
    let did_you_mean = |kind| Some(format!("did you mean `{}`?", text(error, kind)?));
    did_you_mean(ContextKind::SuggestedArg)
        .or_else(|| did_you_mean(ContextKind::SuggestedValue))
        .or_else(|| did_you_mean(ContextKind::SuggestedSubcommand))
}

/// Returns whether the refusal is that a FILE is missing.
pub fn lacks_file(error: &clap::Error) -> bool {
    error.kind() == ErrorKind::MissingRequiredArgument && argument(error) == "FILE"
}

struct Phrase {
    message: String,
    hint: Option<String>,
}

fn message(error: &clap::Error) -> String {
    let argument = argument(error);
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    match error.kind() {
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            format!("no verb was given: expected one of {}", super::VERBS.join(", "))
        }
        ErrorKind::InvalidValue if value.is_empty() && !argument.starts_with('-') => {
            format!("an empty word was given for {argument}")
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
        ErrorKind::MissingRequiredArgument if argument == "--retry" => {
            "`--retry-exit` needs `--retry N`".to_owned()
        }
        ErrorKind::MissingRequiredArgument => format!("no {argument} was given"),
        _ => first_line(error),
    }
}

fn unknown_argument(error: &clap::Error, verb: Option<&str>, arguments: &[OsString]) -> Phrase {
    let unknown = text(error, ContextKind::InvalidArg).unwrap_or_default();
    let owner = verb.unwrap_or("dbguard");
    if !unknown.starts_with('-') {
        let message = match verb {
            Some("path") => "`path` takes one FILE".to_owned(),
            _ => format!("unexpected word `{unknown}`"),
        };
        let hint = (verb == Some("path")).then(|| "run dbguard once for each file".to_owned());
        return Phrase { message, hint };
    }
    let message = format!("`{owner}` has no option `{unknown}`");
    let is_elsewhere = verb != Some("exec") && option_of("exec", &unknown).is_some();
    let guess = || tip(error).filter(|_| !is_elsewhere);
    Phrase { message, hint: dashed_file(&unknown, arguments).or_else(guess) }
}

/// Returns how to name a file whose name looks like the unknown option.
fn dashed_file(unknown: &str, arguments: &[OsString]) -> Option<String> {
    let (words, _) = around_dashes(arguments);
    let is_it = |word: &&OsString| {
        let word = word.to_string_lossy();
        word.starts_with(unknown) && word.contains(['.', '/']) && !word.contains('=')
    };
    let file = words.iter().find(is_it)?;
    let mut safe = OsString::from("./");
    safe.push(file);
    let file = joined([file.as_os_str()]);
    Some(format!("to name the file {file}, type: {}", joined([safe.as_os_str()])))
}

fn conflict(error: &clap::Error, verb: Option<&str>, arguments: &[OsString]) -> Phrase {
    let argument = argument(error);
    let other = text(error, ContextKind::PriorArg).map(|other| named(&other));
    let phrase = |message: String| Phrase { message, hint: None };
    match (argument.as_str(), other.as_deref()) {
        (one, Some(other)) if one == other => {
            phrase(format!("`{}` was given twice", as_typed(one, verb, arguments)))
        }
        ("--command", Some("COMMAND")) | ("COMMAND", Some("--command")) => Phrase {
            message: "the command was given twice".to_owned(),
            hint: Some("give the command once, after `--` or with -c".to_owned()),
        },
        ("--fd", Some("COMMAND")) | ("COMMAND", Some("--fd")) => Phrase {
            message: "`--fd` runs no command".to_owned(),
            hint: Some("leave out --fd, or `--` and what follows it".to_owned()),
        },
        (one, Some(other)) => phrase(format!("`{one}` cannot be used with `{other}`")),
        (one, None) => phrase(format!("`{one}` cannot be used with the other options")),
    }
}

/// Returns the long option as the user wrote it: short, unless the long one is there.
fn as_typed(long: &str, verb: Option<&str>, arguments: &[OsString]) -> String {
    let (words, _) = around_dashes(arguments);
    let is_long = |word: &OsString| word.to_str().is_some_and(|word| word.starts_with(long));
    let short = verb.and_then(|verb| option_of(verb, long)?.get_short());
    match short.filter(|_| !words.iter().any(is_long)) {
        Some(short) => format!("-{short}"),
        None => long.to_owned(),
    }
}

/// Returns the option of a verb that is called so.
fn option_of(verb: &str, name: &str) -> Option<Arg> {
    let mut command = super::command();
    let options = command.find_subcommand_mut(verb)?;
    let is_it = |option: &&Arg| {
        let long = option.get_long().is_some_and(|long| name.strip_prefix("--") == Some(long));
        let short = option.get_short().is_some_and(|short| name == format!("-{short}"));
        long || short
    };
    Command::get_arguments(options).find(is_it).cloned()
}

/// Returns the argument that is wrong, without the notation.
fn argument(error: &clap::Error) -> String {
    named(&text(error, ContextKind::InvalidArg).unwrap_or_default())
}

/// `--key <NAME>` is `--key`, and `<FILE>...` is `FILE`.
fn named(argument: &str) -> String {
    let word = argument.split([' ', '=']).next().unwrap_or_default();
    word.trim_matches(['<', '>', '[', ']', '.', ',']).to_owned()
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
