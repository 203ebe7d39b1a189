//! After the kernel has granted the lock and before anybody runs: is it the right file, who left
//! what behind, which number is this, and the claim that says so.

use std::io;

use super::acquire::Purpose;
use super::call::Call;
use super::claim::{Claim, Record, held_name, now_ms};
use super::deadlock;
use super::error::LockError;
use super::lockdir::Ledger;
use super::mode::Mode;
use super::queue::{self, Ticket};
use super::settle::{self, Debt, Settled, Wait};
use super::vigil::{News, Verdict, Vigil};
use crate::platform::mark;
use crate::platform::step::{fault, step};

/// What a grant brings besides the kernel lock.
pub(super) struct Granted {
    pub(super) fence: Option<u64>,
    pub(super) claim: Option<Claim>,
    /// How many dead holders left something that was dealt with.
    pub(super) recovered: usize,
}

impl Call<'_> {
    /// Does everything that follows the kernel's grant. After an error, or `None` (taken anew),
    /// nothing is held; except what a caller's descriptor held already.
    pub(super) fn finish(
        &self,
        ticket: Option<Ticket>,
        held_already: bool,
    ) -> Result<Option<Granted>, LockError> {
        step("granted");
        let cleared = match self.check() {
            Ok(Some(cleared)) => cleared,
            refused => {
                self.withdraw(ticket);
                if !held_already {
                    self.unlock();
                }
                return refused.map(|_| None);
            }
        };
        step("settled");
        let fence = self.count_fence();
        step("fenced");
        let recovered = cleared.len();
        let claim = self.claim(ticket, cleared);
        step("held");
        Ok(Some(Granted { fence, claim, recovered }))
    }

    /// Whether we may run: the lock we hold is the one with the name, what we joined still
    /// stands, and nothing of a dead holder works on. Returns the claims of dead holders that were
    /// cleared; `None`: everything is taken anew.
    fn check(&self) -> Result<Option<Vec<String>>, LockError> {
        let named = self.level.place.still_names(self.lock);
        let path = self.level.place.lock_path();
        let current = named.map_err(|error| LockError::io("look at", &path, error))?;
        if !current || !self.level.is_intact() {
            return Ok(None);
        }
        self.settle().map(Some)
    }

    /// Deals with what dead holders left: waits for their commands and joined calls.
    fn settle(&self) -> Result<Vec<String>, LockError> {
        let Some(ledger) = self.ledger() else { return Ok(Vec::new()) };
        let debts = settle::debts(ledger, self.mode);
        if debts.is_empty() {
            return Ok(Vec::new());
        }
        let cleared = debts.iter().map(|debt| debt.id().to_string()).collect();
        deadlock::refuse_own_descent(&debts, &self.resource.path)?;
        let failed = |error| LockError::io("settle what is left of", &self.resource.path, error);
        let mut open = Vec::new();
        for debt in debts {
            let settled = debt.settle(&self.level.place, ledger, self.mode, Wait::Not);
            if settled.map_err(failed)? != Settled::Done {
                open.push(debt);
            }
        }
        if open.is_empty() {
            return Ok(cleared);
        }
        self.standing().leftover = open.iter().find_map(|debt| debt.command).map(|(pid, _)| pid);
        if self.request.patience.nonblock {
            return Err(LockError::WouldBlock(self.contention()));
        }
        self.vigil(None, |vigil| {
            open.iter().try_for_each(|debt| self.wait_out(vigil, debt, ledger))
        })?;
        Ok(cleared)
    }

    fn wait_out(&self, vigil: &Vigil<'_>, debt: &Debt, ledger: &Ledger) -> Result<(), LockError> {
        let failed = |error| LockError::io("wait for what is left of", &self.resource.path, error);
        loop {
            let wait = Wait::Under(vigil);
            let settled = debt.settle(&self.level.place, ledger, self.mode, wait);
            match settled.map_err(failed)? {
                Settled::Done => return Ok(()),
                // Somebody came between two looks.
                Settled::Busy => {}
                Settled::Interrupted => match vigil.news() {
                    News::Over(Verdict::Suspend) => vigil.suspend(),
                    News::Over(verdict) => return Err(self.verdict(verdict)),
                    News::Kept | News::LookAgain => {}
                },
            }
        }
    }

    /// Counts the fence for an exclusive grant: above every number before, and above the clock
    /// in microseconds, so that it survives the loss of either the file or the clock.
    fn count_fence(&self) -> Option<u64> {
        if self.mode == Mode::Shared || self.request.purpose != Purpose::Hold {
            return None;
        }
        let place = self.level.above.first().map_or(&self.level.place, |(place, _)| place);
        let counted = fault("fence").and_then(|()| {
            let file = place.open_numbers("fence")?;
            let stored = queue::read_number(&file).unwrap_or(0);
            let clock = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros();
            let fence = (stored + 1).max(u64::try_from(clock).unwrap_or(0));
            queue::write_number(&file, fence)?;
            Ok(fence)
        });
        counted
            .inspect_err(|error| {
                let path = place.path().join("fence");
                self.request.observer.warn(&format!(
                    "DBGUARD_FENCE is not set: cannot write `{}` ({error})",
                    path.display()
                ));
            })
            .ok()
    }

    /// Puts a claim into `held/` and shows that it is ours.
    fn claim(&self, ticket: Option<Ticket>, cleared: Vec<String>) -> Option<Claim> {
        let name = held_name(self.request.id, self.mode);
        let claim = self.claim_in_held(&name, ticket, cleared)?;
        if let Err(error) = mark::sign(&self.ledger()?.held, &name) {
            tracing::debug!("nobody can be shown that the claim is ours: {error}");
        }
        Some(claim)
    }

    /// Moves the claim of the queue to `held/`, or makes a new one there.
    fn claim_in_held(
        &self,
        name: &str,
        ticket: Option<Ticket>,
        cleared: Vec<String>,
    ) -> Option<Claim> {
        let ledger = self.ledger()?;
        if self.request.purpose != Purpose::Hold {
            self.withdraw(ticket);
            return None;
        }
        if let Some(ticket) = ticket {
            let queued = ticket.waiting.name();
            let present = !ticket.claim.is_removed();
            if present && ledger.queue.rename(&queued, &ledger.held, name).is_ok() {
                // Only for people to read.
                let acquired_ms = Some(now_ms());
                drop(ticket.claim.write(&Record { acquired_ms, cleared, ..Record::default() }));
                return Some(ticket.claim);
            }
        }
        let made = fault("claim").and_then(|()| self.level.place.make_claim(&ledger.held, name));
        let in_use = || io::Error::new(io::ErrorKind::ResourceBusy, "others keep it locked");
        match made.and_then(|claim| claim.ok_or_else(in_use)) {
            Ok(claim) => {
                self.introduce(&claim, now_ms());
                if !cleared.is_empty() {
                    // Only for people to read.
                    drop(claim.write(&Record { cleared, ..Record::default() }));
                }
                Some(claim)
            }
            Err(error) => {
                self.warn_of_claim(&error);
                None
            }
        }
    }
}
