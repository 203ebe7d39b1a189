//! What one look at one database saw.

use std::path::PathBuf;

use crate::error::Party;
use crate::lock::{Claimant, Stage};
use crate::native::decode::Blocks;

/// A database at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The canonical path.
    pub path: PathBuf,
    /// The engine, by content.
    pub engine: &'static str,
    /// When it was looked at, milliseconds since 1970.
    pub at_ms: u64,
    /// Those with a claim on dbguard's own lock, or with that lock and no claim.
    pub claimants: Vec<Claimant>,
    /// Those whose claim is gone since the look before, as they were in the end.
    pub left: Vec<Claimant>,
    /// Those with locks of the engine.
    pub native: Vec<NativeHold>,
    /// Why something could not be seen.
    pub error: Option<String>,
}

/// A process with locks of the engine: the one of them that keeps out most.
#[derive(Clone, Debug, Default)]
pub struct NativeHold {
    /// The process; its number is 0 where nobody can be named.
    pub party: Party,
    /// `posix`, `ofd`, `flock`, `futex` or `lease`.
    pub kind: &'static str,
    /// The file.
    pub file: String,
    /// What it does, as a fragment that follows its name.
    pub meaning: &'static str,
    /// Whom it keeps out.
    pub blocks: Blocks,
    /// Since when it has been seen to keep somebody out, milliseconds since 1970; `None` if it did
    /// so already at the first look.
    pub seen_ms: Option<u64>,
}

impl NativeHold {
    /// Whether two looks saw the same process.
    pub fn is_same(&self, other: &Self) -> bool {
        match self.party.pid {
            0 => other.party.pid == 0 && self.file == other.file,
            pid => other.party.pid == pid && other.party.since == self.party.since,
        }
    }
}

impl Sample {
    /// Returns those who have dbguard's own lock.
    pub fn holders(&self) -> impl Iterator<Item = &Claimant> {
        self.claimants.iter().filter(|one| one.stage == Stage::Holding)
    }

    /// Returns those who wait for it, the next one first.
    pub fn waiters(&self) -> impl Iterator<Item = &Claimant> {
        self.claimants.iter().filter(|one| one.stage == Stage::Waiting)
    }

    /// Returns those whose locks of the engine keep somebody out.
    pub fn blockers(&self) -> impl Iterator<Item = &NativeHold> {
        self.native.iter().filter(|lock| lock.blocks > Blocks::None)
    }

    /// Whether anybody is seen to have it.
    pub fn is_held(&self) -> bool {
        self.holders().next().is_some() || self.blockers().next().is_some()
    }

    /// Returns who is to be asked about first, and what it does.
    pub fn culprit(&self) -> Option<(&Party, &'static str)> {
        let holders = || self.holders().map(|one| (&one.party, one.party.mode));
        let exclusive = holders().find(|(party, _)| party.mode == "exclusive");
        let native = self.blockers().max_by_key(|lock| lock.blocks);
        let native = native.map(|lock| (&lock.party, lock.meaning));
        exclusive.or(native).or_else(|| holders().next())
    }
}
