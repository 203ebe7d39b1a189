//! What is counted, each event a line of the log; pure.

use std::time::Duration;

use super::times::microseconds;
use crate::lock::mode::Mode;

/// No line of ours is longer.
pub(super) const LONGEST_LINE_BYTES: usize = 64;

/// Why a lock was not had, or not to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The time was up.
    Timeout,
    /// It was held, and waiting was not wanted.
    WouldBlock,
    /// The wait would never have ended.
    Deadlock,
    /// A signal ended the wait.
    Interrupted,
    /// The engine's own lock was in the way for too long.
    NativeBusy,
    /// Its files vanished while it was held.
    LockLost,
    /// The command was ended because it held it for too long.
    MaxHold,
}

impl Failure {
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::Timeout, "timeout"),
        (Self::WouldBlock, "would_block"),
        (Self::Deadlock, "deadlock"),
        (Self::Interrupted, "interrupted"),
        (Self::NativeBusy, "native_busy"),
        (Self::LockLost, "lock_lost"),
        (Self::MaxHold, "max_hold"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, word)| word)
    }

    fn read(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, other)| *other == word).map(|(one, _)| *one)
    }
}

/// How a batch of SQL ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Well.
    Fine,
    /// Somebody was in the way for too long.
    Busy,
    /// A constraint, or a transaction that could not be made one after another.
    Conflict,
    /// The statement or the data was wrong.
    Sql,
    /// Reading or writing failed.
    Io,
}

impl Ending {
    pub(super) const ALL: [(Self, &'static str); 5] = [
        (Self::Fine, "ok"),
        (Self::Busy, "busy"),
        (Self::Conflict, "conflict"),
        (Self::Sql, "sql"),
        (Self::Io, "io"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, word)| word)
    }
}

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A lock was had and given back.
    Held {
        /// How.
        mode: Mode,
        /// Whether it was not to be had at once.
        contended: bool,
        /// How long it was waited for.
        wait: Duration,
        /// How long it was held.
        hold: Duration,
    },
    /// A lock was not had, or lost.
    Failed(Failure),
    /// What a dead holder left was dealt with.
    Recovered,
    /// A batch of SQL was run.
    Batch {
        /// How often it was tried again.
        retries: u32,
        /// How long the last try took.
        run: Duration,
        /// How it ended.
        ending: Ending,
    },
}

impl Event {
    /// Returns the line, which ends with a newline; `at` is in milliseconds since 1970.
    pub fn line(self, at: u64) -> String {
        match self {
            Self::Held { mode, contended, wait, hold } => format!(
                "a {} {} {} {} {at}\n",
                mode.letter(),
                u8::from(contended),
                microseconds(wait),
                microseconds(hold)
            ),
            Self::Failed(failure) => format!("f {} {at}\n", failure.word()),
            Self::Recovered => format!("r {at}\n"),
            Self::Batch { retries, run, ending } => {
                format!("q {retries} {} {} {at}\n", microseconds(run), ending.word())
            }
        }
    }

    /// Returns the event of a line, and when it was. A writer that found the disk full leaves a line
    /// without its end, and the next one writes on in the same line: what stands before is passed
    /// over.
    pub(super) fn of_line(line: &[u8]) -> Option<(Self, u64)> {
        let end = &line[line.len().saturating_sub(LONGEST_LINE_BYTES)..];
        let begins = |place: &usize| matches!(end[*place..], [b'a' | b'f' | b'q' | b'r', b' ', ..]);
        let text = |place: usize| std::str::from_utf8(&end[place..]).ok();
        (0..end.len()).filter(begins).find_map(|place| text(place).and_then(Self::parse))
    }

    fn parse(line: &str) -> Option<(Self, u64)> {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |word: &str| word.parse::<u64>().ok();
        let time = |word: &str| number(word).map(Duration::from_micros);
        Some(match words[..] {
            ["a", mode, contended, wait, hold, at] => {
                let mode = Mode::from_letter(mode)?;
                let contended = contended == "1";
                (Self::Held { mode, contended, wait: time(wait)?, hold: time(hold)? }, number(at)?)
            }
            ["f", word, at] => (Self::Failed(Failure::read(word)?), number(at)?),
            ["r", at] => (Self::Recovered, number(at)?),
            ["q", retries, run, word, at] => {
                let ending = Ending::ALL.iter().find(|(_, other)| *other == word)?.0;
                let retries = retries.parse().ok()?;
                (Self::Batch { retries, run: time(run)?, ending }, number(at)?)
            }
            _ => return None,
        })
    }
}
