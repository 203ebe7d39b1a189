//! What can be typed after `dbguard update`, and what it amounts to.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueHint};

use crate::cli::duration::Timeout;
use crate::cli::lock_args::{LockArgs, LockRequest, Mode};
use crate::cli::settings::Settings;
use crate::error::Failure;
use crate::outcome::Outcome;

/// Change a file by a command, under its lock and in one step
///
/// COMMAND reads the content of FILE from standard input. What it prints becomes the new content
/// if it succeeds, and is thrown away if it fails: then FILE is as it was, and the exit status is
/// COMMAND's. Whoever else updates FILE with dbguard waits meanwhile, so no update is lost.
///
/// The new content is written to a temporary file beside FILE, which then takes its name. Everybody
/// sees the old content or the new one whole, also after a crash. Mode, owner and extended
/// attributes stay. A symbolic link is followed, and stays one. A command that succeeds and prints
/// nothing empties FILE.
///
/// With --batch COMMAND is run once for all FILEs. It finds copies of them as its last arguments,
/// called like the FILEs and in their order, and changes those; if it succeeds they take the FILEs'
/// places.
///
/// FILE is any file but a database, for which `dbguard sql` is there. One that has several names
/// (hard links) is refused: the others would keep the old content.
///
/// Examples:
///
///   dbguard update state.json -- jq '.n += 1'
///   dbguard update --create list.txt -- sh -c 'cat; echo "call Ana"'
///   dbguard update steps.csv -- sed 's/^load,.*/load,done/'
///   dbguard update --batch open.txt done.txt -- ./finish.sh load
///   sum=$(sha256sum app.conf); dbguard update --if-sha256 "$sum" app.conf -- ./edit.sh
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard update [OPTIONS] FILE -- COMMAND [ARG]...
       dbguard update [OPTIONS] --batch FILE... -- COMMAND [ARG]...")]
// They are understood so that the refusal can say why.
#[command(mut_arg("shared", |option| option.hide(true)))]
#[command(mut_arg("exclusive", |option| option.hide(true)))]
#[command(mut_arg("key", |option| option.hide(true)))]
pub struct UpdateArgs {
    /// The file to change; with --batch, the files
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(super) files: Vec<PathBuf>,

    /// The command to run and its arguments, which are passed on as they are
    #[arg(value_name = "COMMAND", last = true, value_hint = ValueHint::CommandWithArguments)]
    pub(super) command: Vec<OsString>,

    /// Make FILE if it is missing; COMMAND then reads nothing
    #[arg(long)]
    create: bool,

    /// Change nothing, and exit with 1, unless the SHA-256 of FILE is H
    ///
    /// H is 64 hexadecimal digits, or the line that sha256sum prints. It is compared under the lock,
    /// before COMMAND is run. A missing file counts as empty.
    #[arg(long, value_name = "H", value_parser = Sha256::from_str, conflicts_with = "batch")]
    if_sha256: Option<Sha256>,

    /// Change several FILEs: COMMAND gets copies of them as its last arguments
    ///
    /// All of them are locked, and all of them or none are replaced when COMMAND has ended. That
    /// holds for those who use dbguard, not for a crash: one in the moment of the renames can
    /// leave some of the files new and some old, each of them whole.
    #[arg(long)]
    batch: bool,

    #[command(flatten)]
    pub(super) lock: LockArgs,
}

/// An update, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateRequest {
    /// Which lock, and for how long.
    pub lock: LockRequest,
    /// The files, in the order they were typed; one, unless it is a batch.
    pub files: Vec<PathBuf>,
    /// The command and its arguments; never empty.
    pub command: Vec<OsString>,
    /// Whether a missing file is made.
    pub create: bool,
    /// What the old content has to be.
    pub if_sha256: Option<Sha256>,
    /// How the command meets the content.
    pub way: Way,
    /// How long the command may hold the lock.
    pub max_hold: Timeout,
}

/// How the command meets the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It reads the old content and prints the new one.
    Filter,
    /// It changes copies.
    Copies,
}

/// The SHA-256 of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256(pub [u8; 32]);

/// Why a text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits, or the line that sha256sum prints")]
pub struct Sha256Error;

impl FromStr for Sha256 {
    type Err = Sha256Error;

    fn from_str(text: &str) -> Result<Self, Sha256Error> {
        // The name of a file follows, which need not be ours.
        let text = text.split_once(' ').map_or(text, |(digits, _)| digits);
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Sha256Error);
        }
        for (place, byte) in bytes.iter_mut().enumerate() {
            let digits = &text[2 * place..2 * place + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| Sha256Error)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl UpdateArgs {
    /// Fills in what was not typed: an option beats its variable, a variable the default.
    pub fn resolve(self, settings: &Settings) -> UpdateRequest {
        UpdateRequest {
            lock: self.lock.resolve(settings),
            files: self.files,
            command: self.command,
            create: self.create,
            if_sha256: self.if_sha256,
            way: if self.batch { Way::Copies } else { Way::Filter },
            max_hold: settings.max_hold,
        }
    }

    /// Refuses what parses and still makes no sense.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let refuse = |message: &str, hint: &str| {
            Err(Failure::new(Outcome::Usage, message).hint(hint.to_owned()))
        };
        if self.lock.asked_mode() == Some(Mode::Shared) {
            return refuse("`update` writes: it takes the lock alone", "leave -s out");
        }
        if self.lock.key.is_some() {
            return refuse(
                "`update` replaces the whole file: the lock of a part of it is not enough",
                "leave -k out",
            );
        }
        if self.command.is_empty() {
            let message = match (self.files.len(), self.batch) {
                (1, _) | (_, true) => "no command was given",
                _ => "no command: `--` is missing",
            };
            let files = if self.batch { "--batch FILE..." } else { "FILE" };
            return refuse(message, &format!("type: dbguard update {files} -- COMMAND"));
        }
        if self.files.len() > 1 && !self.batch {
            return refuse(
                "`update` takes one FILE: COMMAND reads one content and prints one",
                "with --batch COMMAND gets copies of several files, and changes those",
            );
        }
        if self.files.len() > 1 && self.lock.lock_file().is_some() {
            return Err(super::usage::several_files("--lock-file"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{Sha256, Sha256Error};
    use crate::cli::{Refusal, parse};
    use crate::outcome::Outcome;

    /// Returns what is said of a line that has to be refused.
    fn refusal(line: &str) -> String {
        match parse(line.split(' ').map(OsString::from).collect()) {
            Err(Refusal::Fail(failure)) => {
                assert_eq!(failure.outcome, Outcome::Usage, "{line}");
                assert!(failure.hint.is_some(), "{line}");
                failure.message
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_reason() {
        for (line, says) in [
            ("update", "no FILE"),
            ("update -- x", "no FILE"),
            ("update a", "no command was given"),
            ("update --batch a b", "no command was given"),
            ("update a x", "`--` is missing"),
            ("update a x -c .", "`--` is missing"),
            ("update a b -- x", "takes one FILE"),
            ("update -s a -- x", "alone"),
            ("update -k t a -- x", "whole file"),
            ("update --if-sha256 abc a -- x", "64 hexadecimal digits"),
            ("update --if-sha256 abc --batch a -- x", "64 hexadecimal digits"),
            ("update --lock-file l --batch a b -- x", "one FILE"),
            ("update --frob a -- x", "no option `--frob`"),
        ] {
            let message = refusal(line);
            assert!(message.contains(says), "{line}: {message}");
        }
    }

    #[test]
    fn a_hash_is_64_hexadecimal_digits_of_any_case() {
        let text = "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let hash: Sha256 = text.parse().expect("a hash");
        assert_eq!(hash.to_string(), text.to_lowercase());
        assert_eq!(format!("{text}  a file.conf").parse(), Ok(hash));
        let wrong = [format!("{text}0"), text.replace('4', "g"), format!(" {text}")];
        for wrong in ["", "e3b0", &text[1..]].into_iter().chain(wrong.iter().map(String::as_str)) {
            assert_eq!(wrong.parse::<Sha256>(), Err(Sha256Error), "{wrong}");
        }
        let umlauts = "\u{e4}".repeat(32);
        assert_eq!(umlauts.parse::<Sha256>(), Err(Sha256Error));
    }
}
