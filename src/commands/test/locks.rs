//! `dbguard test --fs`: whether locks work in a directory, between two real processes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::arena::Scratch;
use super::crew::{Crew, Started, input};
use super::part::PART;
use super::print::{file_system, interrupted};
use crate::commands::voice::Voice;
use crate::commands::{End, print};
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::platform::step::{fault, without_exclusion};
use crate::platform::trial::LockKind;
use crate::report::escaped;

/// The word for the part that holds a lock.
const HOLD: &str = "hold";

/// What the part says once it has the lock, and when it is refused.
const HELD: &str = "held";
const REFUSED: &str = "refused";

/// How long the lock of a dead process may last: a server on the network may need a moment.
const GRACE: Duration = Duration::from_secs(5);

/// Between two questions whether it is gone.
const PAUSE: Duration = Duration::from_millis(20);

/// What was found out about a kind of lock.
struct Finding {
    kind: LockKind,
    /// Why there is no such lock here.
    error: Option<String>,
    excludes: bool,
    shares: bool,
    /// Whether it is gone once its holder was killed.
    released: bool,
}

/// What a process said that asked for a lock.
enum Answer {
    Held,
    Refused,
    Impossible(String),
}

/// Tries out every kind of lock in a directory, and prints what works.
pub(super) fn try_out(directory: &Path, voice: &Voice) -> Result<End, Failure> {
    let shown = voice.shown(directory);
    let cannot = |error: io::Error| {
        let outcome = match error.kind() {
            io::ErrorKind::PermissionDenied => Outcome::Permission,
            io::ErrorKind::NotFound => Outcome::NoSuchFile,
            _ => Outcome::IoError,
        };
        Failure::new(outcome, format!("cannot test locks in {shown}")).caused_by(error)
    };
    if !directory.metadata().map_err(cannot)?.is_dir() {
        return Err(Failure::new(Outcome::Usage, format!("{shown} is no directory"))
            .hint("to count in a database, type: dbguard test FILE"));
    }
    let crew = Crew::new()?;
    let scratch = Scratch::make(directory, voice)?;
    let found = crew.attend_one(|| {
        LockKind::ALL.into_iter().map(|kind| find(kind, &scratch, &crew).map_err(cannot)).collect()
    });
    scratch.clear(voice);
    if let Some(arrival) = crew.arrived() {
        return Err(interrupted(arrival, "nothing is left behind"));
    }
    let found: Vec<Finding> = found?;
    let text = match voice.is_json() {
        true => format!("{}\n", document(directory, &found)),
        false => text(directory, &found),
    };
    let printed = print(text.as_bytes());
    Ok(if printed.code == 0 { outcome(&found).into() } else { printed })
}

fn find(kind: LockKind, scratch: &Scratch, crew: &Crew) -> io::Result<Finding> {
    let file = scratch.join(kind.word());
    File::create_new(&file)?;
    let hold = |mode| Holder::start(kind, mode, &file, crew);
    let mut finding =
        Finding { kind, error: None, excludes: false, shares: false, released: false };
    let holder = hold("exclusive")?;
    match &holder.answer {
        Answer::Held => {}
        Answer::Refused => finding.error = Some("refused on a new file".to_owned()),
        Answer::Impossible(why) => finding.error = Some(why.clone()),
    }
    if finding.error.is_some() {
        holder.end()?;
        return Ok(finding);
    }
    finding.excludes = !hold("exclusive")?.ends_having_held()?;
    finding.excludes &= !hold("shared")?.ends_having_held()?;
    holder.kill()?;
    let until = Instant::now() + GRACE;
    finding.released = loop {
        match hold("exclusive")?.ends_having_held()? {
            false if Instant::now() < until && !crew.is_stopped() => thread::sleep(PAUSE),
            had => break had,
        }
    };
    let holder = hold("shared")?;
    finding.shares = hold("shared")?.ends_having_held()?;
    finding.excludes &= !hold("exclusive")?.ends_having_held()?;
    holder.end()?;
    Ok(finding)
}

/// A process that has asked for a lock, and keeps it until its input is closed.
struct Holder<'a> {
    answer: Answer,
    process: Started<'a>,
    input: io::PipeWriter,
}

impl<'a> Holder<'a> {
    fn start(kind: LockKind, mode: &str, file: &Path, crew: &'a Crew) -> io::Result<Self> {
        let (reader, input) = input()?;
        let words: [&OsStr; 5] =
            [PART.as_ref(), HOLD.as_ref(), kind.word().as_ref(), mode.as_ref(), file.as_os_str()];
        let process = crew.start(&words.map(OsStr::to_owned), Some(&reader), &[])?;
        let mut line = String::new();
        BufReader::new((&process.output).take(4096)).read_line(&mut line)?;
        let answer = match line.trim_end() {
            HELD => Answer::Held,
            REFUSED => Answer::Refused,
            other => Answer::Impossible(other.to_owned()),
        };
        Ok(Self { answer, process, input })
    }

    fn end(self) -> io::Result<()> {
        drop(self.input);
        self.process.finish().map(drop)
    }

    fn ends_having_held(self) -> io::Result<bool> {
        let held = matches!(self.answer, Answer::Held);
        self.end().map(|()| held)
    }

    fn kill(self) -> io::Result<()> {
        self.process.kill();
        self.process.finish().map(drop)
    }
}

/// Plays the part of a holder, if the words call for it.
pub(super) fn play(words: &[OsString]) -> Option<End> {
    let [part, kind, mode, file] = words else { return None };
    if part != HOLD {
        return None;
    }
    let kind = LockKind::ALL.into_iter().find(|known| kind == known.word())?;
    let file = match File::options().read(true).write(true).open(file) {
        Ok(file) => file,
        Err(error) => return Some(print(format!("{error}\n").as_bytes())),
    };
    let locked = fault("trial").and_then(|()| kind.try_lock(&file, mode == "exclusive"));
    let end = match locked {
        Ok(held) if held || without_exclusion() => print(format!("{HELD}\n").as_bytes()),
        Ok(_) => print(format!("{REFUSED}\n").as_bytes()),
        Err(error) => print(format!("{error}\n").as_bytes()),
    };
    // Whoever started it closes the pipe, or dies, which closes it too.
    drop(io::stdin().lock().read_to_end(&mut Vec::new()));
    drop(file);
    Some(end)
}

impl Finding {
    fn works(&self) -> bool {
        self.error.is_none() && self.excludes && self.shares && self.released
    }

    fn words(&self) -> String {
        match &self.error {
            Some(error) => format!("not supported: {}", escaped(error)),
            None if self.works() => "works".to_owned(),
            None if !self.excludes => "does not exclude".to_owned(),
            None if !self.released => "stays when its holder is killed".to_owned(),
            None => "does not share".to_owned(),
        }
    }
}

/// Only the lock that dbguard relies on decides.
fn outcome(found: &[Finding]) -> Outcome {
    match found.first() {
        Some(own) if own.works() => Outcome::Ok,
        Some(own) if own.error.is_none() => Outcome::Negative,
        _ => Outcome::Unavailable,
    }
}

fn text(directory: &Path, found: &[Finding]) -> String {
    let mut text = format!("{}\n", file_system(directory).words(directory));
    for finding in found {
        let (name, words, used_by) = (finding.kind.word(), finding.words(), finding.kind.used_by());
        text.push_str(&match finding.error {
            Some(_) => format!("  {name:<7} {words}\n"),
            None => format!("  {name:<7} {words:<31} {used_by}\n"),
        });
    }
    text
}

fn document(directory: &Path, found: &[Finding]) -> Value {
    let lock = |finding: &Finding| {
        json!({
            "kind": finding.kind.word(),
            "supported": finding.error.is_none(),
            "excludes": finding.excludes,
            "shares": finding.shares,
            "released": finding.released,
            "error": finding.error,
            "used_by": finding.kind.used_by(),
        })
    };
    json!({
        "schema": 1,
        "verdict": match outcome(found) {
            Outcome::Ok => "ok",
            Outcome::Unavailable => "not_supported",
            _ => "lost",
        },
        "directory": directory.to_string_lossy(),
        "filesystem": file_system(directory).document(),
        "locks": found.iter().map(lock).collect::<Vec<_>>(),
    })
}
