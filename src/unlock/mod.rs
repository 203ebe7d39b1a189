//! Ends whoever holds a database: on what the kernel says, and on nothing else.
//!
//! A claim can lie and a number can be given away, so a process is meant only if the kernel names it
//! as one that has the lock, while a handle on that very process is open. All signals go through that
//! handle. Files of a lock are never touched: whoever ends gives them back, or the kernel does.
//!
//! Either everybody in the way can be ended, or nobody is: to end the half of them would cost work
//! and free nothing. Knows nothing of words; `commands` shows and asks.

mod end;
mod look;
mod suspect;

use crate::error::Party;
use crate::platform::FileId;

pub use end::{Event, Fate, Manner, Outcome, Sent, end};
pub use look::{Question, Side, look};
pub use suspect::{Suspect, SuspectError, Suspects, suspects};

/// One grant of a lock: everybody who has it shares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grant(FileId, i64);

/// What a process has to do with the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is the one that people mean.
    Holder,
    /// It is the dbguard that runs the holder, hands signals on, and gives the lock back.
    Runner,
    /// It has the lock because it was started by somebody who has it.
    Heir,
}

/// A process that has a lock.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// When it started; with the number it is one process and no other.
    pub start: u64,
    /// How it is told.
    pub party: Party,
    /// What it has to do with the lock.
    pub role: Role,
    /// What it does with the engine's own locks, if it has any that keep others out.
    pub engine: Option<&'static str>,
    /// The grant by which it has the lock.
    pub grant: Grant,
    /// The dbguard above it that hands signals on.
    pub runner: Option<u32>,
    /// Whether it is stopped.
    pub is_stopped: bool,
    /// Whether only its number is on record, which somebody else may have by now.
    pub is_veiled: bool,
}

impl Holder {
    fn is(&self, other: &Self) -> bool {
        (self.pid, self.start) == (other.pid, other.start)
    }
}

/// Why nobody is ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Obstacle {
    /// The holder runs on another host, or in another PID namespace: in this container, if known.
    Elsewhere(Party, Option<String>),
    /// Nobody who can be seen has the lock on this file.
    Unseen(String),
    /// It is one of those that started us.
    Asker(Party),
    /// It is this process, which was given the lock by one that has ended.
    Ourselves,
    /// It is the first process, with which all others end.
    First(Party),
    /// Another user's process.
    Stranger(Party),
    /// It is on record as the one who took the lock, and may not be looked into.
    Veiled(Party),
    /// This file has other names, so that whoever has it locked may mean another database.
    Ambiguous(String),
    /// A claim names it, and nothing proves that.
    Unproven(Party),
}

/// How a lock stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Everybody who has it.
    pub holders: Vec<Holder>,
    /// What keeps us from ending them.
    pub obstacles: Vec<Obstacle>,
    /// How many wait for dbguard's own lock.
    pub waiters: usize,
    /// Why the engine's own locks cannot be seen.
    pub unknown: Option<String>,
}

impl Standing {
    /// Whether nobody has it, here or elsewhere.
    fn is_free(&self) -> bool {
        self.holders.is_empty() && self.obstacles.is_empty()
    }
}
