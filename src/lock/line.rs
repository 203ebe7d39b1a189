//! The fast path, and standing in line.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::call::Call;
use super::claim::{Look, Seen, now_ms};
use super::deadlock;
use super::error::LockError;
use super::lockdir::Ledger;
use super::queue::{self, Ticket, Waiting};
use super::vigil::{Blocked, News, Verdict, Vigil};
use crate::platform::step::{fault, step, without_exclusion};

/// What the wait for those ahead came to.
enum Ahead {
    /// Nobody conflicting is ahead any more.
    Nobody,
    /// Those ahead do not run; the lock is ours.
    PassedOver,
    /// The wait is over.
    Over(Verdict),
}

/// The nearest conflicting claim ahead.
enum Nearest {
    /// There is none to wait for.
    None,
    /// It is not there any more; the queue must be listed again.
    Moved,
    /// Somebody holds it.
    Live(File),
}

impl Call<'_> {
    /// Takes the lock if it is free and nobody who conflicts waits. Never blocks.
    pub(super) fn try_now(&self) -> Result<bool, LockError> {
        let locked = fault("lock").and_then(|()| self.mode.try_lock(self.lock));
        let path = || self.level.place.lock_path();
        if !(locked.map_err(|error| LockError::locking(&path(), error))? || without_exclusion()) {
            return Ok(false);
        }
        step("locked");
        if self.ledger().is_some_and(|ledger| queue::has_live_conflict(ledger, self.mode)) {
            self.unlock();
            return Ok(false);
        }
        Ok(true)
    }

    /// Stands in line until the lock is ours, then calls `finish` while the helper ends.
    pub(super) fn wait<R>(
        &self,
        finish: impl FnOnce(Option<Ticket>) -> Result<R, LockError>,
    ) -> Result<R, LockError> {
        if self.request.patience.nonblock {
            return Err(LockError::WouldBlock(self.contention()));
        }
        deadlock::refuse_own_ancestor(&self.level.place, self.lock, &self.resource.path)?;
        if let (Some(limit), Some(ledger)) = (self.request.patience.max_waiters, self.ledger())
            && queue::live_count(ledger) >= limit
        {
            return Err(LockError::QueueFull { contention: self.contention(), limit });
        }
        self.vigil(Some((self.lock, self.mode)), |vigil| {
            let ticket = self.stand_in_line(vigil)?;
            vigil.dismiss();
            finish(ticket)
        })
    }

    fn stand_in_line(&self, vigil: &Vigil<'_>) -> Result<Option<Ticket>, LockError> {
        loop {
            let ticket = match self.take_ticket(vigil)? {
                Ok(ticket) => ticket,
                Err(verdict) => {
                    self.give_up(vigil, None, verdict)?;
                    continue;
                }
            };
            step("queued");
            match self.await_turn(vigil, ticket.as_ref()) {
                Ok(Some(verdict)) => self.give_up(vigil, ticket, verdict)?,
                Ok(None) => match vigil.late_signal() {
                    None => return Ok(ticket),
                    Some(verdict) => {
                        self.unlock();
                        self.give_up(vigil, ticket, verdict)?;
                    }
                },
                Err(error) => {
                    self.withdraw(ticket);
                    return Err(error);
                }
            }
        }
    }

    /// Leaves the line: for good with an error, or to stop here and queue anew at the back once
    /// somebody continues us.
    fn give_up(
        &self,
        vigil: &Vigil<'_>,
        ticket: Option<Ticket>,
        verdict: Verdict,
    ) -> Result<(), LockError> {
        self.withdraw(ticket);
        if !matches!(verdict, Verdict::Suspend) {
            return Err(self.verdict(verdict));
        }
        vigil.suspend();
        Ok(())
    }

    /// Draws a number and makes the claim. `Ok(None)`: without one, the bare kernel lock.
    fn take_ticket(&self, vigil: &Vigil<'_>) -> Result<Result<Option<Ticket>, Verdict>, LockError> {
        let Some(ledger) = self.ledger() else {
            self.request.observer.warn(&format!(
                "cannot queue in `{}`: waiting for the bare kernel lock, without a turn",
                self.level.place.path().display()
            ));
            return Ok(Ok(None));
        };
        let file = self.level.place.open_numbers("ticket").ok();
        let numbers = match file.as_ref().map(|file| vigil.lock_ticket(file)) {
            Some(Ok(Blocked::Granted)) => file.as_ref(),
            Some(Ok(Blocked::Interrupted)) => match vigil.news() {
                News::Over(verdict) => return Ok(Err(verdict)),
                _ => None,
            },
            Some(Err(_)) | None => None,
        };
        step("ticket");
        match queue::queue_up(&self.level.place, ledger, self.mode, numbers) {
            Ok(ticket) => {
                let since_ms = now_ms();
                self.introduce(&ticket.claim, since_ms);
                step("claim-written");
                tracing::debug!(number = ticket.waiting.number, "queued");
                let mut standing = self.standing();
                standing.waiting = Some(ticket.waiting);
                standing.since_ms = since_ms;
                Ok(Ok(Some(ticket)))
            }
            Err(error) => {
                self.warn_of_claim(&error);
                Ok(Ok(None))
            }
        }
    }

    /// Blocks until it is our turn and the lock is ours (`Ok(None)`), or the wait is over.
    fn await_turn(
        &self,
        vigil: &Vigil<'_>,
        ticket: Option<&Ticket>,
    ) -> Result<Option<Verdict>, LockError> {
        if let (Some(ticket), Some(ledger)) = (ticket, self.ledger()) {
            match self.await_those_ahead(vigil, ticket, ledger)? {
                Ahead::Nobody => {}
                Ahead::PassedOver => return Ok(None),
                Ahead::Over(verdict) => return Ok(Some(verdict)),
            }
        }
        step("head");
        if without_exclusion() {
            return Ok(None);
        }
        loop {
            let blocked = vigil.await_lock(self.lock, self.mode);
            if blocked.map_err(|error| self.failed(error))? == Blocked::Granted {
                return Ok(None);
            }
            if let News::Over(verdict) = vigil.news() {
                return Ok(Some(verdict));
            }
        }
    }

    /// Blocks on the nearest conflicting claim ahead, again and again until there is none.
    fn await_those_ahead(
        &self,
        vigil: &Vigil<'_>,
        ticket: &Ticket,
        ledger: &Ledger,
    ) -> Result<Ahead, LockError> {
        let mine = ticket.waiting.number;
        let mut seen = Some(ticket.seen.clone());
        loop {
            let list = seen.take().unwrap_or_else(|| queue::list(ledger));
            let ahead = self.conflicting_below(&list, mine);
            let claim = match self.nearest(ledger, &ahead) {
                Nearest::None => return Ok(Ahead::Nobody),
                Nearest::Moved => continue,
                Nearest::Live(claim) => Arc::new(claim),
            };
            let count = u32::try_from(ahead.len()).unwrap_or(u32::MAX);
            let blocked = vigil.await_claim(&claim, count);
            if blocked.map_err(|error| self.failed(error))? == Blocked::Granted {
                continue;
            }
            match vigil.news() {
                News::Over(verdict) => return Ok(Ahead::Over(verdict)),
                News::Kept => {
                    self.pass_over(ledger, mine);
                    return Ok(Ahead::PassedOver);
                }
                News::LookAgain => {}
            }
        }
    }

    fn failed(&self, error: io::Error) -> LockError {
        LockError::locking(&self.level.place.lock_path(), error)
    }

    /// Looks for the nearest claim ahead that can be waited on. Claims that may not be opened
    /// cannot; the dead are removed.
    fn nearest(&self, ledger: &Ledger, ahead: &[Waiting]) -> Nearest {
        for waiting in ahead.iter().rev() {
            match Seen::look(&ledger.queue, &waiting.name()) {
                Look::Hidden => {}
                Look::Gone => return Nearest::Moved,
                Look::Dead(_) => {
                    queue::remove(ledger, *waiting);
                    return Nearest::Moved;
                }
                Look::Live(claim) => return Nearest::Live(claim.into_file()),
            }
        }
        Nearest::None
    }

    fn conflicting_below(&self, list: &[Waiting], mine: u64) -> Vec<Waiting> {
        let below = list.iter().filter(|waiting| waiting.number < mine);
        below.filter(|waiting| waiting.mode().conflicts_with(self.mode)).copied().collect()
    }

    /// The lock was free for so long that whoever is ahead does not run. They queue anew.
    fn pass_over(&self, ledger: &Ledger, mine: u64) {
        for waiting in self.conflicting_below(&queue::list(ledger), mine) {
            tracing::info!(number = waiting.number, "passing over a waiter that does not run");
            queue::remove(ledger, waiting);
        }
    }
}
