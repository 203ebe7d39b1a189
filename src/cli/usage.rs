//! What is said about a command line that makes no sense.
//!
//! clap finds what is wrong; here it gets our exit code, and where possible the line the user
//! meant to type.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;
use clap::{Args, Command};

use crate::cli::exec_args::ExecArgs;
use crate::cli::layout::{Layout, around_dashes, is_option};
use crate::cli::output_args::OutputArgs;
use crate::cli::phrases::{in_our_words, lacks_file, tip};
use crate::cli::words::{joined, quoted};
use crate::cli::{Refusal, VERBS, parse};
use crate::error::Failure;
use crate::escape::escaped;
use crate::outcome::Outcome;

/// What other programs of this kind call `exec`.
const OTHER_NAMES_OF_EXEC: [&str; 3] = ["flock", "lock", "run"];

/// Turns clap's refusal into ours. `arguments` are the words after the program's name.
pub fn refusal(error: &clap::Error, arguments: &[OsString]) -> Refusal {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Refusal::Show { text: error.render().to_string() };
    }
    let arguments = verb_first(arguments);
    let verb = arguments.first().and_then(|word| word.to_str());
    let better = match verb {
        Some("exec") if lacks_file(error) => Some(missing_file(&arguments[1..])),
        Some("exec") => missing_dashes(&arguments[1..]),
        Some("sql") => dashed_sql(&arguments),
        Some("update") => undashed(&arguments[1..]),
        Some("wait" | "path" | "acquire" | "release") => check_no_command(&arguments).err(),
        Some(verb) if VERBS.contains(&verb) => None,
        _ => missing_verb(error, &arguments),
    };
    Refusal::Fail(better.unwrap_or_else(|| in_our_words(error, &arguments)))
}

/// Puts the verb before the options about output, which may precede it.
pub fn verb_first(arguments: &[OsString]) -> Cow<'_, [OsString]> {
    let (before, _) = around_dashes(arguments);
    let is_verb = |word: &OsString| VERBS.iter().any(|verb| word == verb);
    let verb = before.iter().position(is_verb).unwrap_or(0);
    if verb == 0 || !are_about_output(&arguments[..verb]) {
        return Cow::Borrowed(arguments);
    }
    let rest = arguments[..verb].iter().chain(&arguments[verb + 1..]);
    Cow::Owned([&arguments[verb]].into_iter().chain(rest).cloned().collect())
}

/// SQL may begin with a comment, `-- like this`, and is then taken for an option.
fn dashed_sql(arguments: &[OsString]) -> Option<Failure> {
    let is_comment = |word: &OsString| {
        let text = word.to_string_lossy();
        text.strip_prefix("--").is_some_and(|rest| rest.starts_with(char::is_whitespace))
    };
    arguments.iter().any(is_comment).then(|| {
        Failure::new(Outcome::Usage, "SQL that begins with a dash looks like an option")
            .hint("put -- before it: dbguard sql FILE -- SQL")
    })
}

/// Finds an `update` whose command stands where files do: an option of it is then unknown.
fn undashed(arguments: &[OsString]) -> Option<Failure> {
    let (words, command) = around_dashes(arguments);
    let plain = words.iter().filter(|word| !is_option(word)).count();
    (command.is_none() && plain > 1).then(|| {
        Failure::new(Outcome::Usage, "no command: `--` is missing")
            .hint("type: dbguard update FILE -- COMMAND")
    })
}

fn are_about_output(words: &[OsString]) -> bool {
    let output = OutputArgs::augment_args(Command::new("dbguard")).no_binary_name(true);
    output.try_get_matches_from(words).is_ok()
}

/// Refuses a command where none is run: it would be taken for the name of a file.
pub fn check_no_command(arguments: &[OsString]) -> Result<(), Failure> {
    let (verb, rest) = arguments.split_first().expect("the caller has seen the verb");
    let (before, Some(after @ [_, ..])) = around_dashes(rest) else {
        return Ok(());
    };
    let verb = verb.to_string_lossy();
    let before: Vec<_> = before.iter().filter(|word| *word != "--no-create").collect();
    let line = |words: &[&OsString]| joined(words.iter().map(|word| word.as_os_str()));
    if before.iter().all(|word| is_option(word)) {
        let failure = Failure::new(Outcome::Usage, format!("`{verb}` takes no words after `--`"));
        let files: Vec<_> = after.iter().map(|word| without_dash(word)).collect();
        let words: Vec<_> = before.into_iter().chain(&files).collect();
        return Err(failure.hint(format!("type: dbguard {verb} {}", line(&words))));
    }
    let message = format!("`{verb}` runs no command, and takes no words after `--`");
    let command = joined(after.iter().map(OsString::as_os_str));
    let hint = format!("type: dbguard exec {} -- {command}", line(&before));
    Err(Failure::new(Outcome::Usage, message).hint(hint))
}

/// Returns the name in a form that cannot be mistaken for an option.
fn without_dash(file: &OsStr) -> OsString {
    let mut safe = OsString::from(if is_option(file) { "./" } else { "" });
    safe.push(file);
    safe
}

/// Finds what clap cannot: an `exec` that parses and still does not say what to run, or does
/// so in two ways. `arguments` are the words after the verb.
pub fn check_exec(parsed: &ExecArgs, arguments: &[OsString]) -> Result<(), Failure> {
    if parsed.run.unlock && parsed.run.fd.is_none() {
        // clap's own `requires` is silent here: it never asks for what conflicts with COMMAND.
        return Err(Failure::new(Outcome::Usage, "`-u` needs `--fd N`")
            .hint("without --fd, dbguard releases the lock when the command exits"));
    }
    if parsed.run.fd.is_some() && parsed.lock.key.is_some() {
        return Err(Failure::new(Outcome::Usage, "`--fd` cannot lock a key, only the whole FILE")
            .hint("to lock a key, type: dbguard exec -k NAME FILE -- COMMAND"));
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

/// Returns what to type if an `exec` names no file: it may be where the command belongs, or an
/// option may have taken it.
fn missing_file(arguments: &[OsString]) -> Failure {
    let (before, after) = around_dashes(arguments);
    let command = after.unwrap_or_default();
    let line = |words: &[OsString]| joined(words.iter().map(OsString::as_os_str));
    let spaced = |words: &[OsString]| words.iter().map(|word| quoted(word) + " ").collect();
    let options: String = spaced(before);
    let is_any = |word: &OsString, of: &[&str]| of.iter().any(|known| word == known);
    let takes_a_name = |option| is_any(option, &["-k", "--key", "--label"]);
    let is_complete = before.iter().any(|word| is_any(word, &["-c", "--command", "--fd"]));
    let hint = match (before, command) {
        ([others @ .., option, value], _) if takes_a_name(option) && is_path(value) => {
            let others: String = spaced(others);
            let (option, value) = (quoted(option), quoted(value));
            let command = or_command(line(command));
            format!(
                "{option} took {value} as its value; \
                 type: dbguard exec {others}{option} VALUE {value} -- {command}"
            )
        }
        (_, [file, rest @ ..]) if is_path(file) && !rest.is_empty() => {
            format!("type: dbguard exec {options}{} -- {}", quoted(file), line(rest))
        }
        (_, []) if is_complete => {
            format!("type: dbguard exec {options}FILE")
        }
        _ => format!("type: dbguard exec {options}FILE -- {}", or_command(line(command))),
    };
    Failure::new(Outcome::Usage, "no FILE was given").hint(hint)
}

fn or_command(line: String) -> String {
    if line.is_empty() { "COMMAND".to_owned() } else { line }
}

/// Returns what to say of a line that does not begin with a verb.
fn missing_verb(error: &clap::Error, arguments: &[OsString]) -> Option<Failure> {
    if !matches!(error.kind(), ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument) {
        return None;
    }
    let (first, rest) = arguments.split_first()?;
    if is_option(first) {
        let layout = Layout::of(arguments)?;
        let word = layout.file();
        return Some(match VERBS.iter().find(|verb| word == **verb) {
            Some(verb) => late_verb(verb, arguments),
            None if is_path(word) => no_verb(word, Some(&layout)),
            None => unknown_verb(error, word, &[]),
        });
    }
    Some(match rest {
        [word, ..] if first == "help" => unknown_verb(error, word, &[]),
        _ if is_path(first) => no_verb(first, Layout::of(arguments).as_ref()),
        _ => unknown_verb(error, first, rest),
    })
}

fn late_verb(verb: &str, arguments: &[OsString]) -> Failure {
    let failure = Failure::new(Outcome::Usage, format!("options stand after the verb `{verb}`"));
    let place = arguments.iter().position(|word| word == verb).unwrap_or(0);
    let mut line = arguments.to_vec();
    let verb_word = line.remove(place);
    line.insert(0, verb_word);
    let words = joined(line.iter().map(OsString::as_os_str));
    failure.hint(match parse(line) {
        Ok(_) => format!("type: dbguard {words}"),
        Err(_) => format!("see dbguard {verb} --help"),
    })
}

fn no_verb(file: &OsStr, layout: Option<&Layout>) -> Failure {
    let file = quoted(file);
    let line = || format!("type: dbguard exec {file} -- COMMAND");
    Failure::new(Outcome::Usage, format!("the verb is missing before `{file}`"))
        .hint(layout.map_or_else(line, Layout::line))
}

fn unknown_verb(error: &clap::Error, word: &OsStr, rest: &[OsString]) -> Failure {
    let word = word.to_string_lossy();
    let lower = word.to_lowercase();
    let failure = Failure::new(Outcome::Usage, format!("there is no verb `{}`", escaped(&word)));
    if OTHER_NAMES_OF_EXEC.contains(&lower.as_str()) {
        let line = Layout::of(rest).map(|layout| layout.line());
        return failure.hint(line.unwrap_or_else(|| "did you mean `exec`?".to_owned()));
    }
    let meant = [&VERBS[..], &["--version", "--help"]].concat();
    let meant = meant.into_iter().find(|known| known.trim_start_matches('-') == lower);
    let hint = meant.map(|known| format!("did you mean `{known}`?")).or_else(|| tip(error));
    failure.hint(hint.unwrap_or_else(|| format!("the verbs are {}", VERBS.join(", "))))
}

/// Returns whether the word can only be meant as the name of a file.
fn is_path(word: &OsStr) -> bool {
    word.to_string_lossy().contains(['.', '/', '\\'])
}
