//! A lock that is held.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::LockError;
use super::acquire::{Purpose, under};
use super::claim::{Claim, ClaimId, Record, Under, held_name};
use super::lockdir::LockDir;
use super::mode::Mode;
use super::nested::Level;
use super::resource::{Resource, Target};
use super::settle::{Settled, Wait, end_inner};
use super::stats::{self, Event, Failure};
use crate::platform::step::step;
use crate::platform::{self, FileId, Lent, mark, process};

/// One kernel lock that is held, and the claim that says so.
#[derive(Debug)]
pub struct Hold {
    pub(super) level: Level,
    pub(super) lock: File,
    pub(super) claim: Option<Claim>,
    pub(super) id: ClaimId,
    pub(super) mode: Mode,
    pub(super) fence: Option<u64>,
    /// It was not to be had at once.
    pub(super) waited: bool,
    /// How many dead holders left something that was dealt with.
    pub(super) recovered: usize,
    /// It is given back, or left to those who inherited it.
    pub(super) over: bool,
}

impl Hold {
    pub(super) fn place(&self) -> &LockDir {
        &self.level.place
    }

    /// Gives the lock back. Returns the lock file's path if it was lost in the meantime.
    fn release(&mut self, joined: &dyn Fn()) -> Option<PathBuf> {
        self.over = true;
        let lost = !self.place().still_names(&self.lock).unwrap_or(true);
        if self.end_inner(joined) {
            // Claim after lock: the successor wakes once, and finds the lock free.
            drop(platform::unlock(&self.lock));
            if let Some(claim) = &self.claim {
                drop(mark::unlock(claim.file()));
            }
        }
        step("released");
        lost.then(|| self.place().lock_path())
    }

    /// Takes the claim's name away, so that nobody joins any more, and waits for joined calls
    /// that outlive the command. `false` if it cannot be known whether there are any: then the
    /// lock is left to whoever inherited it.
    fn end_inner(&self, joined: &dyn Fn()) -> bool {
        let (Some(ledger), Some(_)) = (&self.place().ledger, &self.claim) else { return true };
        let removed = ledger.held.remove(held_name(self.id, self.mode));
        step("unclaimed");
        if removed.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            tracing::warn!("cannot remove the claim: {removed:?}");
        }
        let wait = Wait::Forever(joined);
        match end_inner(self.place(), ledger, self.id, Mode::Exclusive, wait) {
            Ok(settled) => settled == Settled::Done,
            Err(error) => {
                tracing::warn!("cannot see whether calls are joined to this one: {error}");
                false
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.over {
            drop(self.release(&|| {}));
        }
    }
}

/// A database that is locked, until [`Guard::release`] or [`Guard::abandon`]; dropping it
/// releases it.
#[derive(Debug)]
pub struct Guard {
    resource: Resource,
    /// The whole database first, then the key.
    pub(super) holds: Vec<Hold>,
    /// When it was asked for, and when it was granted.
    times: (Instant, Instant),
    /// What is counted when it is given back; `None` if it was only to be seen.
    events: Option<Vec<Event>>,
}

/// What became of a lock that was given back.
#[derive(Debug, Default)]
pub struct Released {
    /// The lock files that were not the ones with the names any more: while the lock was held,
    /// somebody removed or replaced them, and others may have held "it" too.
    pub lost: Vec<PathBuf>,
}

impl Guard {
    pub(super) fn new(
        resource: Resource,
        holds: Vec<Hold>,
        asked: Instant,
        purpose: Purpose,
    ) -> Self {
        let recovered = holds.iter().map(|hold| hold.recovered).sum();
        let events = (purpose == Purpose::Hold).then(|| vec![Event::Recovered; recovered]);
        Self { resource, holds, times: (asked, Instant::now()), events }
    }

    /// Has something counted once the lock is given back.
    pub fn count(&mut self, event: Event) {
        self.events.iter_mut().for_each(|events| events.push(event));
    }

    /// Returns what is locked.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Whether it is the inner lock of an ancestor's claim.
    pub fn is_joined(&self) -> bool {
        !self.last().level.above.is_empty()
    }

    /// Returns the directory of the lock.
    pub fn place(&self) -> &Path {
        self.last().place().path()
    }

    /// Returns the mode asked for.
    pub fn mode(&self) -> Mode {
        self.last().mode
    }

    /// Returns the number of this grant, above that of every earlier one; exclusive only.
    pub fn fence(&self) -> Option<u64> {
        self.last().fence
    }

    /// Returns the claim's id.
    pub fn id(&self) -> ClaimId {
        self.last().id
    }

    /// Returns the claims that a command run under this lock is under.
    pub fn entries(&self) -> Vec<Under> {
        self.holds.iter().map(|hold| under(hold.place(), hold.id)).collect()
    }

    /// Returns the identity of the lock file, `None` if the kernel does not tell.
    pub fn lock_id(&self) -> Option<FileId> {
        platform::facts(&self.last().lock).ok().map(|facts| facts.id)
    }

    /// Returns the descriptors that keep the lock alive for whoever has them.
    pub fn descriptors(&self) -> impl Iterator<Item = Lent<'_>> {
        self.holds.iter().flat_map(|hold| {
            let claim = hold.claim.as_ref().map(|claim| platform::lend(claim.file()));
            std::iter::once(platform::lend(&hold.lock)).chain(claim)
        })
    }

    /// Notes in the claims which command runs, so that a successor can wait for it even if its
    /// descriptors are closed (S7). The command may be this very process.
    pub fn record_command(&self, pid: u32) {
        // Only an aid for the case that everything else failed.
        if let Err(error) = self.record(pid, Record::default()) {
            tracing::warn!("cannot note the command in the claim: {error}");
        }
    }

    /// Notes in the claims which process keeps them alive, and what else there is to say.
    pub(super) fn record(&self, pid: u32, more: Record) -> io::Result<()> {
        let record = Record {
            start: process::start_time(std::process::id()),
            boot: process::boot_id(),
            namespace: process::pid_namespace(),
            child: Some(pid),
            child_start: process::start_time(pid),
            ..more
        };
        let claims = self.holds.iter().filter_map(|hold| hold.claim.as_ref());
        // One that cannot be written says nothing of the others.
        claims.map(|claim| claim.write_last(&record)).fold(Ok(()), io::Result::and)
    }

    /// Whether every one of its locks has a claim, by which others see who holds it.
    pub fn is_claimed(&self) -> bool {
        self.holds.iter().all(|hold| hold.claim.is_some())
    }

    /// Whether any of its locks was not to be had at once. Only a wait leaves time for the path to
    /// be re-pointed: what happens in the microseconds of a grant might as well happen after it.
    pub(super) fn has_waited(&self) -> bool {
        self.holds.iter().any(|hold| hold.waited)
    }

    /// Whether the target still resolves to what is locked.
    pub(super) fn is_current(&self, target: &Target) -> Result<bool, LockError> {
        let now = Resource::resolve(target)?;
        Ok(now.path == self.resource.path && now.place == self.resource.place)
    }

    /// Gives the lock back, waiting for nested calls that outlive the command; `joined` is
    /// called first if there are any.
    pub fn release(mut self, joined: &dyn Fn(&Path)) -> Released {
        let mut released = Released::default();
        let ended = Instant::now();
        for hold in self.holds.iter_mut().rev() {
            released.lost.extend(hold.release(&|| joined(&self.resource.path)));
        }
        if !released.lost.is_empty() {
            self.count(Event::Failed(Failure::LockLost));
        }
        self.tell(ended);
        released
    }

    /// Counts the grant, now that nobody waits for it any more. One below another is part of it.
    fn tell(&mut self, ended: Instant) {
        let Some(mut events) = self.events.take().filter(|_| !self.is_joined()) else { return };
        let (asked, granted) = self.times;
        events.push(Event::Held {
            mode: self.mode(),
            contended: self.has_waited(),
            wait: granted.saturating_duration_since(asked),
            hold: ended.saturating_duration_since(granted),
        });
        stats::append(self.holds[0].place(), &events);
    }

    /// Closes the descriptors and nothing more: whoever inherited them keeps the lock.
    pub fn abandon(mut self) {
        self.tell(Instant::now());
        self.hand_over();
    }

    /// Closes the descriptors, and counts nothing: another process goes on with all of this.
    pub fn hand_over(mut self) {
        for hold in &mut self.holds {
            hold.over = true;
        }
    }

    fn last(&self) -> &Hold {
        self.holds.last().expect("a guard has at least one hold")
    }
}
