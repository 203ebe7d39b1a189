//! One lock being acquired: what the fast path, the line and the grant share.

use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::acquire::Request;
use super::claim::{Claim, identity};
use super::deadlock;
use super::error::{Contention, LockError};
use super::lockdir::{Ledger, degrades};
use super::mode::Mode;
use super::nested::Level;
use super::observer::{Subject, WaitReport};
use super::party;
use super::queue::{self, Ticket, Waiting};
use super::resource::Resource;
use super::vigil::{Companion, Verdict, Vigil, broken};
use crate::error::Party;
use crate::platform::{self, signals};

/// Where we stand in the line, for the display and the search for deadlocks.
#[derive(Default)]
pub(super) struct Standing {
    pub(super) waiting: Option<Waiting>,
    pub(super) since_ms: u64,
    /// The command of a dead holder that is waited for.
    pub(super) leftover: Option<u32>,
    circle: Vec<String>,
}

/// One lock being acquired.
pub(super) struct Call<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) resource: &'a Resource,
    pub(super) level: &'a Level,
    pub(super) lock: &'a File,
    pub(super) mode: Mode,
    pub(super) standing: Mutex<Standing>,
}

impl Call<'_> {
    pub(super) fn ledger(&self) -> Option<&Ledger> {
        self.level.place.ledger.as_ref()
    }

    pub(super) fn vigil<R>(
        &self,
        line: Option<(&File, Mode)>,
        wait: impl FnOnce(&Vigil<'_>) -> Result<R, LockError>,
    ) -> Result<R, LockError> {
        Vigil::keep(line, self.request.patience.deadline, self, wait).map_err(|error| {
            LockError::io("start a thread to wait for", &self.resource.path, error)
        })?
    }

    /// Writes who we are. A claim that says nothing still counts by its name and its lock.
    pub(super) fn introduce(&self, claim: &Claim, since_ms: u64) {
        let request = self.request;
        let held = request.held.entries();
        let record = identity(request.id, since_ms, request.program, request.label, held);
        if let Err(error) = claim.write(&record) {
            self.warn_of_claim(&error);
        }
    }

    pub(super) fn warn_of_claim(&self, error: &std::io::Error) {
        let what = if degrades(error) { "" } else { "unexpectedly " };
        self.request.observer.warn(&format!(
            "{what}cannot make a claim in `{}` ({error}): the kernel lock excludes, but nobody \
             can see who holds it or whose turn it is",
            self.level.place.path().display()
        ));
    }

    pub(super) fn withdraw(&self, ticket: Option<Ticket>) {
        if let (Some(ticket), Some(ledger)) = (ticket, self.ledger())
            && !ticket.claim.is_removed()
        {
            queue::remove(ledger, ticket.waiting);
        }
        self.standing().waiting = None;
    }

    pub(super) fn unlock(&self) {
        // Closing the descriptor, which follows, unlocks as well.
        drop(platform::unlock(self.lock));
    }

    pub(super) fn verdict(&self, verdict: Verdict) -> LockError {
        match verdict {
            Verdict::Deadline => LockError::Timeout(self.contention()),
            Verdict::Signal(signal) => LockError::Interrupted(signal),
            Verdict::Suspend => LockError::Interrupted(signals::Arrival::SUSPEND),
            Verdict::Broken => LockError::io("wait for", &self.resource.path, broken()),
            Verdict::Deadlock(reason) => LockError::Deadlock {
                path: self.resource.path.clone(),
                reason,
                hint: "take all the files in one call, `dbguard exec A B -- ...`, or always in the same order",
            },
        }
    }

    pub(super) fn contention(&self) -> Box<Contention> {
        let waiters = self.ledger().map_or(0, queue::live_count);
        Box::new(Contention {
            path: self.resource.path.clone(),
            mode: self.request.mode,
            holders: self.in_the_way(Some(self.lock)),
            waiters: waiters.saturating_sub(usize::from(self.standing().waiting.is_some())),
            waited: self.request.patience.started.elapsed(),
        })
    }

    /// Names those who hold the lock, or what a dead holder left. With `lock` the kernel is asked
    /// where no claim tells.
    fn in_the_way(&self, lock: Option<&File>) -> Vec<Party> {
        let leftover = self.standing().leftover;
        match leftover {
            Some(pid) => vec![party::of_process(pid, Mode::Exclusive)],
            None => party::holding(&self.level.place, lock),
        }
    }

    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Companion for Call<'_> {
    fn next_due(&self) -> Option<Instant> {
        self.request.observer.next_due()
    }

    fn show(&self) {
        let (waiting, leftover) = {
            let standing = self.standing();
            (standing.waiting, standing.leftover)
        };
        let list = self.ledger().map(queue::list).unwrap_or_default();
        let position = waiting.map(|mine| 1 + list.iter().filter(|other| **other < mine).count());
        // Whoever is not next waits for somebody with a claim; only the next in line may be
        // waiting for a plain flock user, whom the kernel's table must name.
        let is_next = position.is_none_or(|place| place == 1);
        let now = Instant::now();
        let patience = &self.request.patience;
        self.request.observer.waiting(&WaitReport {
            path: self.resource.path.clone(),
            mode: self.request.mode,
            subject: if leftover.is_some() { Subject::Leftover } else { Subject::Guard },
            holders: self.in_the_way(is_next.then_some(self.lock)),
            position,
            waited: now.saturating_duration_since(patience.started),
            left: patience.deadline.map(|end| end.saturating_duration_since(now)),
        });
    }

    fn deadlock(&self) -> Option<String> {
        if self.request.held.entries().is_empty() {
            return None;
        }
        let since_ms = self.standing().since_ms;
        let me = deadlock::Me {
            under: self.request.held.entries(),
            place: &self.level.place,
            program: self.request.program,
            id: self.request.id,
            since_ms,
        };
        let circle = deadlock::find(&me);
        let mut standing = self.standing();
        let Some(circle) = circle else {
            standing.circle.clear();
            return None;
        };
        // Believed only when it is found unchanged at two ticks.
        if standing.circle == circle.members {
            return circle.is_youngest.then_some(circle.text);
        }
        standing.circle = circle.members;
        None
    }
}
