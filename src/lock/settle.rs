//! What dead holders left in `held/`: their commands may still run although the lock is free,
//! because a runner closed the inherited descriptors (S7), and calls joined to their claims may
//! still hold the inner lock.
//!
//! The order is that of a release: first the claim's name goes, then the inner lock is taken.
//! Of somebody who joins and somebody who settles, one always sees the other (invariant 4).

use std::fs::File;
use std::io;
use std::thread;
use std::time::Duration;

use super::claim::{
    ClaimId, Look, Record, Seen, held_name, inner_name, parse_held_name, parse_inner_name,
};
use super::lease;
use super::lockdir::{Ledger, LockDir};
use super::mode::Mode;
use super::vigil::{Blocked, Vigil};
use crate::platform::process::{self, ProcessHandle};
use crate::platform::{Liveness, try_lock_exclusive};

/// How long one look at a process that must end lasts before the deadline is consulted.
const GLANCE: Duration = Duration::from_millis(50);

/// Something a dead holder left.
#[derive(Debug)]
pub struct Debt {
    /// The claim's name, if it is still there.
    claim: Option<String>,
    id: ClaimId,
    /// The command that was running, and when it started.
    pub command: Option<(u32, u64)>,
    /// The claim was a lease, and its keeper was killed.
    lease: bool,
}

/// Whether something is dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is.
    Done,
    /// It lives, and waiting was not wanted.
    Busy,
    /// The wait was interrupted.
    Interrupted,
}

/// How to wait for what is left.
#[derive(Clone, Copy)]
pub enum Wait<'a> {
    /// Not at all.
    Not,
    /// Under the deadline and the signals of a vigil.
    Under(&'a Vigil<'a>),
    /// As long as it takes; called first if it takes anything.
    Forever(&'a dyn Fn()),
}

/// Returns what has to be dealt with before the holder of a lock in `mode` may run.
///
/// A shared grant looks at exclusive holders only: 200 readers would probe each other.
pub fn debts(ledger: &Ledger, mode: Mode) -> Vec<Debt> {
    let mut claims = Vec::new();
    let mut inners = Vec::new();
    // What cannot be listed cannot be dealt with; exclusion does not depend on it.
    drop(ledger.held.each_name(|name, is_dir| {
        if is_dir {
            inners.extend(parse_inner_name(name));
        } else if let Some((id, held)) = parse_held_name(name)
            && (mode == Mode::Exclusive || held == Mode::Exclusive)
        {
            claims.push((id, held));
        }
    }));
    let mut debts: Vec<_> =
        claims.into_iter().filter_map(|(id, held)| dead(ledger, id, held)).collect();
    inners.retain(|id| !debts.iter().any(|debt| debt.id == *id) && !is_live(ledger, *id));
    debts.extend(inners.into_iter().map(|id| Debt {
        claim: None,
        id,
        command: None,
        lease: false,
    }));
    debts
}

fn dead(ledger: &Ledger, id: ClaimId, mode: Mode) -> Option<Debt> {
    let name = held_name(id, mode);
    let Look::Dead(seen) = Seen::look(&ledger.held, &name) else { return None };
    let record = seen.record();
    Some(Debt { claim: Some(name), id, command: command(&record), lease: record.lease })
}

fn is_live(ledger: &Ledger, id: ClaimId) -> bool {
    [Mode::Exclusive, Mode::Shared].into_iter().any(|mode| {
        matches!(Seen::look(&ledger.held, &held_name(id, mode)), Look::Live(_) | Look::Hidden)
    })
}

/// Returns the command of a dead holder if it still runs. Without its start time nothing proves
/// that a process is the one.
pub(super) fn command(record: &Record) -> Option<(u32, u64)> {
    let child = record.child.filter(|_| record.is_of_here())?;
    let start = record.child_start?;
    (process::liveness(child, Some(start)) != Liveness::Gone).then_some((child, start))
}

impl Debt {
    /// Returns the name in `held/` that it shows by.
    pub fn name(&self) -> String {
        self.claim.clone().unwrap_or_else(|| inner_name(self.id))
    }

    /// Returns which claim it was.
    pub fn id(&self) -> ClaimId {
        self.id
    }

    /// Deals with it: the command has ended, and no joined call that conflicts with `mode` runs.
    pub fn settle(
        &self,
        place: &LockDir,
        ledger: &Ledger,
        mode: Mode,
        wait: Wait<'_>,
    ) -> io::Result<Settled> {
        if let Some((pid, start)) = self.command {
            match await_end(pid, start, wait)? {
                Settled::Done => {}
                other => return Ok(other),
            }
        }
        if let Some(name) = &self.claim {
            if self.lease {
                lease::note_killed(place, self.id);
            }
            // What may not be removed is litter: its lock is free, so nobody joins it.
            drop(ledger.held.remove(name));
        }
        end_inner(place, ledger, self.id, mode, wait)
    }
}

fn await_end(pid: u32, start: u64, wait: Wait<'_>) -> io::Result<Settled> {
    let gone = || process::liveness(pid, Some(start)) == Liveness::Gone;
    // The handle comes before the look at the start time, so that the number cannot be reused
    // between the two.
    let handle = ProcessHandle::open(pid).ok();
    let glance = || {
        if gone() {
            return Ok(true);
        }
        match &handle {
            Some(handle) => drop(handle.wait(GLANCE)?),
            None => thread::sleep(GLANCE),
        }
        Ok(gone())
    };
    match wait {
        Wait::Not => Ok(if gone() { Settled::Done } else { Settled::Busy }),
        Wait::Under(vigil) => Ok(match vigil.poll(glance)? {
            Blocked::Granted => Settled::Done,
            Blocked::Interrupted => Settled::Interrupted,
        }),
        Wait::Forever(told) => {
            if !gone() {
                told();
            }
            while !glance()? {}
            Ok(Settled::Done)
        }
    }
}

/// Waits for the calls joined to a claim whose name is gone, and for what dead ones among them
/// left; then removes their lock.
///
/// # Errors
/// It cannot be known whether somebody is joined. The caller must not unlock what is above.
pub fn end_inner(
    place: &LockDir,
    ledger: &Ledger,
    id: ClaimId,
    mode: Mode,
    wait: Wait<'_>,
) -> io::Result<Settled> {
    let name = inner_name(id);
    let Some(inner) = place.existing_inner(ledger, &name)? else { return Ok(Settled::Done) };
    // Whoever is making it has not looked for the claim yet, and will not find it.
    let Some(lock) = inner.existing_lock()? else { return Ok(Settled::Done) };
    match take(&lock, mode, wait)? {
        Settled::Done => {}
        other => return Ok(other),
    }
    // Only shared, because others share it: nobody in there conflicts.
    if mode == Mode::Shared && !try_lock_exclusive(&lock)? {
        return Ok(Settled::Done);
    }
    if let Some(within) = &inner.ledger {
        for debt in debts(within, Mode::Exclusive) {
            match debt.settle(&inner, within, mode, wait)? {
                Settled::Done => {}
                other => return Ok(other),
            }
        }
    }
    if !inner.remove_inner(&ledger.held, &name) {
        // Where what is removed stays until it is closed, the directory was not empty yet. One that
        // is empty has nobody in it.
        drop((lock, inner));
        drop(ledger.held.remove_child(&name));
    }
    Ok(Settled::Done)
}

fn take(lock: &File, mode: Mode, wait: Wait<'_>) -> io::Result<Settled> {
    if mode.try_lock(lock)? {
        return Ok(Settled::Done);
    }
    match wait {
        Wait::Not => Ok(Settled::Busy),
        Wait::Under(vigil) => Ok(match vigil.await_lock(lock, mode)? {
            Blocked::Granted => Settled::Done,
            Blocked::Interrupted => Settled::Interrupted,
        }),
        Wait::Forever(told) => {
            told();
            loop {
                match mode.lock(lock) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result.map(|()| Settled::Done),
                }
            }
        }
    }
}
