//! After the kernel has granted the lock and before anybody runs: is it the right file, who left
//! what behind, which number is this, and the claim that says so.

use super::acquire::Purpose;
use super::call::Call;
use super::claim::{Claim, Record, held_name, now_ms};
use super::deadlock;
use super::error::LockError;
use super::mode::Mode;
use super::queue::{self, Ticket};
use super::settle;
use super::vigil::{Blocked, News, Verdict};
use crate::platform::signals;
use crate::platform::step::fault;

impl Call<'_> {
    /// Whether the lock we hold is the one with the name, and what we joined still stands.
    pub(super) fn is_current(&self) -> Result<bool, LockError> {
        let named = self.level.place.still_names(self.lock);
        let path = self.level.place.lock_path();
        Ok(named.map_err(|error| LockError::io("look at", &path, error))? && self.level.is_intact())
    }

    /// Deals with what dead holders left: waits for their commands and joined calls.
    pub(super) fn settle(&self) -> Result<(), LockError> {
        let Some(ledger) = self.ledger() else { return Ok(()) };
        let debts = settle::debts(&self.level.place, ledger, self.mode);
        if debts.is_empty() {
            return Ok(());
        }
        deadlock::refuse_own_descent(&debts, &self.resource.path)?;
        let mut open: Vec<_> = debts.into_iter().filter(|debt| !debt.try_settle(ledger)).collect();
        if open.is_empty() {
            return Ok(());
        }
        if self.request.patience.nonblock {
            return Err(LockError::WouldBlock(self.contention()));
        }
        self.standing().leftover = true;
        self.vigil(None, |vigil| {
            while let Some(debt) = open.pop() {
                let failed =
                    |error| LockError::io("wait for what is left of", &self.resource.path, error);
                while debt.wait(vigil, ledger, self.mode).map_err(failed)? == Blocked::Interrupted {
                    match vigil.news() {
                        News::Over(Verdict::Suspend) => {
                            signals::stop_self();
                            vigil.resume();
                        }
                        News::Over(verdict) => return Err(self.verdict(verdict)),
                        _ => {}
                    }
                }
            }
            Ok(())
        })
    }

    /// Counts the fence for an exclusive grant: above every number before, and above the clock
    /// in microseconds, so that it survives the loss of either the file or the clock.
    pub(super) fn count_fence(&self) -> Option<u64> {
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
                self.request.observer.warn(&format!("no fence: `{}`: {error}", path.display()));
            })
            .ok()
    }

    /// Moves the claim of the queue to `held/`, or makes a new one there.
    pub(super) fn claim(&self, ticket: Option<Ticket>) -> Option<Claim> {
        let ledger = self.ledger()?;
        if self.request.purpose != Purpose::Hold {
            self.withdraw(ticket);
            return None;
        }
        let name = held_name(self.id, self.mode);
        if let Some(ticket) = ticket {
            let queued = ticket.waiting.name();
            if !ticket.claim.is_removed()
                && ledger.queue.rename(&queued, &ledger.held, &name).is_ok()
            {
                let acquired_ms = Some(now_ms());
                // Only for people to read.
                drop(ticket.claim.write(&Record { acquired_ms, ..Default::default() }));
                return Some(ticket.claim);
            }
        }
        let made = fault("claim")
            .and_then(|()| Claim::make(&ledger.held, &name, self.level.place.claim_mode()));
        match made {
            Ok(Some(claim)) => {
                self.introduce(&claim);
                Some(claim)
            }
            Ok(None) => None,
            Err(error) => {
                self.warn_of_claim(&error);
                None
            }
        }
    }
}
