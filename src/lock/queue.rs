//! The line of those who wait: numbers from `ticket`, claims in `queue/`.
//!
//! Order only; exclusion is the kernel lock's alone (invariant 1).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::claim::{Claim, Look, Seen, parse_queue_name, queue_name};
use super::lockdir::{Ledger, LockDir};
use super::mode::Mode;
use crate::platform::step::fault;

/// A number above this is not from counting.
const LARGEST_NUMBER: u64 = 1 << 62;

/// One name in `queue/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// Its place in the line.
    pub number: u64,
    /// Whether it wants the lock alone.
    pub exclusive: bool,
}

impl Waiting {
    /// Returns the mode it waits for.
    pub fn mode(self) -> Mode {
        if self.exclusive { Mode::Exclusive } else { Mode::Shared }
    }

    /// Returns its name in `queue/`.
    pub fn name(self) -> String {
        queue_name(self.number, self.mode())
    }
}

/// Returns every name in the queue, nearest to the lock first. An unreadable queue is empty.
pub fn list(ledger: &Ledger) -> Vec<Waiting> {
    let mut all = Vec::new();
    // A queue that cannot be listed costs the order, not the exclusion.
    drop(ledger.queue.each_name(|name, _| {
        if let Some((number, mode)) = parse_queue_name(name) {
            all.push(Waiting { number, exclusive: mode == Mode::Exclusive });
        }
    }));
    all.sort_unstable();
    all
}

/// Whether somebody alive waits who must not be overtaken by a newcomer in `mode`. Claims of
/// the dead are removed on the way.
pub fn has_live_conflict(ledger: &Ledger, mode: Mode) -> bool {
    list(ledger).into_iter().any(|waiting| {
        waiting.mode().conflicts_with(mode)
            && match Seen::look(&ledger.queue, &waiting.name()) {
                Look::Live(_) => true,
                Look::Dead(_) => {
                    remove(ledger, waiting);
                    false
                }
                Look::Gone | Look::Hidden => false,
            }
    })
}

/// Returns how many alive wait.
pub fn live_count(ledger: &Ledger) -> usize {
    let is_live = |waiting: &Waiting| {
        matches!(Seen::look(&ledger.queue, &waiting.name()), Look::Live(_) | Look::Hidden)
    };
    list(ledger).into_iter().filter(is_live).count()
}

/// Removes a claim from the queue. One that may not be removed is left: it is only litter.
pub fn remove(ledger: &Ledger, waiting: Waiting) {
    drop(ledger.queue.remove(waiting.name()));
}

/// A place in the line.
#[derive(Debug)]
pub struct Ticket {
    /// Its name in `queue/`.
    pub waiting: Waiting,
    /// The claim that marks it.
    pub claim: Claim,
    /// Who was in the queue when it was made.
    pub seen: Vec<Waiting>,
}

/// Takes the next number and makes the claim. The caller holds the lock on `ticket` if it gives
/// `numbers`, so that the order of numbers is the order of claims.
///
/// The number is above every claim in the queue even if `ticket` was emptied or rolled back.
///
/// # Errors
/// Whatever making the claim met; the caller goes on with the bare kernel lock.
pub fn queue_up(
    place: &LockDir,
    ledger: &Ledger,
    mode: Mode,
    numbers: Option<&File>,
) -> io::Result<Ticket> {
    let seen = list(ledger);
    let highest = seen.last().map_or(0, |last| last.number.min(LARGEST_NUMBER));
    let mut number = numbers.and_then(read_number).unwrap_or(0).max(highest);
    loop {
        number += 1;
        let waiting = Waiting { number, exclusive: mode == Mode::Exclusive };
        fault("claim")?;
        match place.make_claim(&ledger.queue, &waiting.name()) {
            Ok(Some(claim)) => {
                if let Some(file) = numbers {
                    // A number that cannot be kept is found again as the highest claim.
                    drop(write_number(file, number));
                }
                return Ok(Ticket { waiting, claim, seen });
            }
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads a number of ours: the decimal digits of the first line. `None` for anything else.
pub fn read_number(mut file: &File) -> Option<u64> {
    let mut text = [0; 32];
    file.seek(SeekFrom::Start(0)).ok()?;
    let length = file.read(&mut text).ok()?;
    let line = text.get(..length)?.split(|byte| *byte == b'\n').next()?;
    let digits = std::str::from_utf8(line).ok().filter(|line| !line.starts_with('+'))?;
    digits.parse().ok().filter(|number| *number <= LARGEST_NUMBER)
}

/// Writes a number of ours over the one before: always as long, so never torn by a shorter one.
pub fn write_number(mut file: &File, number: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(format!("{number:020}\n").as_bytes())
}
