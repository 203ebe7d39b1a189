//! What dead holders left in `held/`: their commands may still run although the lock is free,
//! because a runner closed the inherited descriptors (S7), and calls joined to their claims may
//! still hold the inner lock.

use std::io;
use std::time::Duration;

use super::claim::{
    ClaimId, Look, Record, Seen, held_name, inner_name, parse_held_name, parse_inner_name,
};
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
    /// The command that was running.
    pub command: Option<(u32, Option<u64>)>,
    /// The inner lock: its name and its directory.
    inner: Option<(String, LockDir)>,
}

/// Returns what has to be dealt with before the holder of `lock` in `mode` may run.
///
/// A shared grant looks at exclusive holders only: 200 readers would probe each other.
pub fn debts(place: &LockDir, ledger: &Ledger, mode: Mode) -> Vec<Debt> {
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
    let dead = claims.into_iter().filter_map(|(id, held)| {
        let name = held_name(id, held);
        let Look::Dead(seen) = Seen::look(&ledger.held, &name) else { return None };
        let inner = inner_of(place, ledger, id);
        inners.retain(|other| *other != id);
        Some(Debt { claim: Some(name), command: command(&seen.record()), inner })
    });
    let mut debts: Vec<_> = dead.collect();
    debts.extend(inners.into_iter().filter(|id| !is_live(ledger, *id)).map(|id| Debt {
        claim: None,
        command: None,
        inner: inner_of(place, ledger, id),
    }));
    debts
}

fn is_live(ledger: &Ledger, id: ClaimId) -> bool {
    [Mode::Exclusive, Mode::Shared].into_iter().any(|mode| {
        matches!(Seen::look(&ledger.held, &held_name(id, mode)), Look::Live(_) | Look::Hidden)
    })
}

fn inner_of(place: &LockDir, ledger: &Ledger, id: ClaimId) -> Option<(String, LockDir)> {
    let name = inner_name(id);
    Some((name.clone(), place.existing_inner(ledger, &name)?))
}

/// Returns the command of a dead holder, if it still runs as far as can be seen.
fn command(record: &Record) -> Option<(u32, Option<u64>)> {
    let child = record.child.filter(|_| record.is_of_here())?;
    (process::liveness(child, record.child_start) != Liveness::Gone)
        .then_some((child, record.child_start))
}

impl Debt {
    /// Clears it if nothing of it lives. Never blocks.
    pub fn try_settle(&self, ledger: &Ledger) -> bool {
        let command_gone =
            self.command.is_none_or(|(pid, start)| process::liveness(pid, start) == Liveness::Gone);
        command_gone && self.inner_is_free() && self.clear(ledger)
    }

    fn inner_is_free(&self) -> bool {
        let Some((_, inner)) = &self.inner else { return true };
        inner.open_lock().is_ok_and(|lock| try_lock_exclusive(&lock).unwrap_or(false))
    }

    /// Blocks until the command has ended and the joined calls that conflict with `mode` have
    /// let go, then clears it.
    pub fn wait(&self, vigil: &Vigil<'_>, ledger: &Ledger, mode: Mode) -> io::Result<Blocked> {
        if let Some((pid, start)) = self.command {
            // The handle comes before the look at the start time, so that the number cannot be
            // reused between the two.
            let handle = ProcessHandle::open(pid).ok();
            let waited = vigil.poll(|| {
                if process::liveness(pid, start) == Liveness::Gone {
                    return Ok(true);
                }
                match &handle {
                    Some(handle) => handle.wait(GLANCE),
                    None => Ok(true),
                }
            })?;
            if waited == Blocked::Interrupted {
                return Ok(waited);
            }
        }
        if let Some((_, inner)) = &self.inner
            && let Ok(lock) = inner.open_lock()
            && vigil.await_lock(&lock, mode)? == Blocked::Interrupted
        {
            return Ok(Blocked::Interrupted);
        }
        self.clear(ledger);
        Ok(Blocked::Granted)
    }

    /// Removes what is left. What may not be removed is litter, not an obstacle.
    fn clear(&self, ledger: &Ledger) -> bool {
        if let Some(name) = &self.claim {
            drop(ledger.held.remove(name));
        }
        if let Some((name, inner)) = &self.inner
            && let Ok(lock) = inner.open_lock()
            && try_lock_exclusive(&lock).unwrap_or(false)
        {
            inner.remove_inner(&ledger.held, name);
        }
        true
    }
}
