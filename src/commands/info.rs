//! `dbguard info`: says who holds a database, who waits and what is blocked.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use super::explain::{explain, unread};
use super::voice::Voice;
use super::{End, print};
use crate::cli::duration::Timeout;
use crate::cli::info_args::{CheckMode, InfoRequest};
use crate::error::Failure;
use crate::info::message::{self, Message};
use crate::info::{self, Seen, State};
use crate::lock::{Resource, Target};
use crate::native::decode::Blocks;
use crate::native::{Engine, Want};
use crate::outcome::Outcome;
use crate::platform::host;
use crate::probe::{Wish, databases_below, look, survey};

/// Of standard input this much is kept.
const LONGEST_MESSAGE: usize = 1 << 20;

/// Looks at everything that was named and prints what was seen.
pub fn info(request: InfoRequest, voice: &Voice) -> Result<End, Failure> {
    let mut all = Vec::new();
    let mut failed = None;
    let mut hidden = false;
    for path in &request.paths {
        match look_at(path, &request, voice) {
            Ok(looked) => {
                all.extend(looked.seen);
                hidden |= looked.hidden;
            }
            // What else was named is told all the same.
            Err(failure) if failed.is_none() => failed = Some(failure),
            Err(failure) => drop(voice.fail(&failure)),
        }
    }
    // What cannot be seen is no yes.
    let is_unknown = |seen: &Seen| info::state(seen) == State::Unknown;
    let is_kept_out = |seen: &Seen| match request.check {
        Some(CheckMode::Shared) => seen.blocks == Blocks::All || is_unknown(seen),
        Some(CheckMode::Exclusive) => seen.blocks > Blocks::None || is_unknown(seen),
        None => false,
    };
    let is_asked = request.check.is_some();
    let outcome = match all.iter().any(is_kept_out) || is_asked && (hidden || all.is_empty()) {
        true => Outcome::Negative,
        false => Outcome::Ok,
    };
    let is_silent = is_asked && voice.is_quiet() || failed.is_some() && all.is_empty();
    let printed = if is_silent { Outcome::Ok.into() } else { print(&answer(&all, voice)?) };
    match failed {
        Some(failure) => Err(failure),
        None if printed.code == 0 => Ok(outcome.into()),
        None => Ok(printed),
    }
}

/// What was seen of one word of the command line.
#[derive(Default)]
struct Looked {
    seen: Vec<Seen>,
    /// Whether there may be more that could not be looked at.
    hidden: bool,
}

impl Looked {
    fn at(seen: Seen) -> Self {
        Self { seen: vec![seen], hidden: false }
    }
}

fn answer(all: &[Seen], voice: &Voice) -> Result<Vec<u8>, Failure> {
    if voice.is_json() {
        let document = serde_json::json!({ "schema": 1, "resources": all });
        return Ok(format!("{document}\n").into_bytes());
    }
    Ok(match all {
        [] => Vec::new(),
        [one] => info::in_words(one, !voice.is_quiet()).into_bytes(),
        _ => {
            let width = io::stdout().is_terminal().then(host::terminal_width).flatten();
            let width = width.and_then(|width| u16::try_from(width).ok());
            info::in_table(all, width, !voice.is_quiet()).into_bytes()
        }
    })
}

/// Returns what was seen of one word of the command line.
fn look_at(path: &Path, request: &InfoRequest, voice: &Voice) -> Result<Looked, Failure> {
    if path.as_os_str() == "-" {
        let text = end_of(io::stdin().lock()).map_err(|error| {
            Failure::new(Outcome::IoError, "cannot read standard input").caused_by(error)
        })?;
        return in_message(&String::from_utf8_lossy(&text), request, voice);
    }
    if fs::symlink_metadata(path).is_err()
        && let Some(text) = path.to_str()
        && message::read(text, |file| file.exists()).is_known
    {
        return in_message(text, request, voice);
    }
    if path.is_dir() && look(path, Want::Shared).engine == Engine::Unknown {
        return search(path, request, voice);
    }
    one(path, request, voice).map(Looked::at)
}

/// Reads to the end, so that whoever writes is not cut off, and returns the last part: what went
/// wrong comes last.
fn end_of(mut input: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    while input.by_ref().take(LONGEST_MESSAGE as u64).read_to_end(&mut text)? > 0 {
        text.drain(..text.len().saturating_sub(LONGEST_MESSAGE));
    }
    Ok(text)
}

fn in_message(text: &str, request: &InfoRequest, voice: &Voice) -> Result<Looked, Failure> {
    match message::read(text, |file| file.exists()) {
        Message { file: Some(file), .. } => one(&file, request, voice).map(Looked::at),
        Message { is_known: true, .. } => {
            Err(Failure::new(Outcome::Usage, "the message names no file")
                .hint("name the database: dbguard info FILE"))
        }
        Message { .. } => Err(Failure::new(Outcome::Usage, "there is no database in that message")
            .hint("name the database: dbguard info FILE")),
    }
}

fn search(directory: &Path, request: &InfoRequest, voice: &Voice) -> Result<Looked, Failure> {
    let found = databases_below(directory, request.cross_file_systems);
    if found.unreadable > 0 {
        voice.warn(&unread(found.unreadable));
    }
    if found.databases.is_empty() {
        voice.notice(&format!("there are no databases below {}", voice.shown(directory)));
    }
    let mut looked = Looked { seen: Vec::new(), hidden: found.unreadable > 0 };
    for path in &found.databases {
        match one(path, request, voice) {
            Ok(seen) => looked.seen.push(seen),
            // It went away since it was found.
            Err(failure) if failure.outcome == Outcome::NoSuchFile => {}
            Err(failure) => {
                looked.hidden = true;
                voice.warn(&failure.message);
            }
        }
    }
    Ok(looked)
}

fn one(path: &Path, request: &InfoRequest, voice: &Voice) -> Result<Seen, Failure> {
    let target = Target {
        file: path.to_path_buf(),
        key: request.key.clone(),
        lock_dir: request.lock_dir.clone(),
        lock_file: None,
    };
    let files: [PathBuf; 1] = [path.to_path_buf()];
    let resource = Resource::resolve(&target)
        .map_err(|error| explain(&error, Timeout::NONBLOCK, &files, voice))?;
    if let Some(why) = resource.translated {
        voice.notice(&format!("looking at {}: {why}", voice.shown(&resource.path)));
    }
    if resource.facts.is_none() && !resource.place.directory().exists() {
        let name = voice.shown(path);
        let failure = Failure::new(Outcome::NoSuchFile, format!("there is no `{name}`"));
        return Err(match super::display::similar_name(&resource, &[]) {
            Some(similar) => failure.hint(format!("there is {similar}: is that the one?")),
            None => failure.hint("to search a directory, type: dbguard info DIRECTORY"),
        });
    }
    let shown = voice.shown(&resource.path);
    let wish = Wish {
        openers: request.openers,
        key: request.key.as_deref(),
        lock_dir: request.lock_dir.as_deref(),
    };
    Ok(survey(&resource, &shown, wish))
}
