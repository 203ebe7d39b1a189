//! Acquiring: the fast path, the line, and the checks after the grant.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::claim::{Claim, ClaimId, Look, Seen, Under, identity};
use super::deadlock;
use super::error::{Contention, LockError};
use super::guard::{Guard, Hold};
use super::lockdir::{Ledger, LockDir, degrades};
use super::mode::Mode;
use super::name::encode;
use super::nested::{HeldList, Level, descend};
use super::observer::{Observer, Subject, WaitReport};
use super::party;
use super::queue::{self, Ticket, Waiting};
use super::resource::{Resource, Target};
use super::vigil::{Blocked, Companion, News, Verdict, Vigil};
use crate::platform::step::{fault, step, without_exclusion};
use crate::platform::{self, signals};

/// A path and the file it names that never agree (FUSE, some overlays) are given up on.
const MOST_TRIES: u32 = 100;

/// How long a caller is willing to wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// When the waiting began.
    pub started: Instant,
    /// When it ends; `None` for never.
    pub deadline: Option<Instant>,
    /// Do not wait at all.
    pub nonblock: bool,
    /// Do not wait behind so many others.
    pub max_waiters: Option<usize>,
}

/// What the lock is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To hold it.
    Hold,
    /// Only to see that it could be had: no claim is left, no fence is counted.
    Look,
    /// For the open file description behind this descriptor of the caller's caller.
    Descriptor(i32),
}

/// A wish for a lock.
pub struct Request<'a> {
    /// What to lock.
    pub target: &'a Target,
    /// How.
    pub mode: Mode,
    /// For how long to wait.
    pub patience: Patience,
    /// What for.
    pub purpose: Purpose,
    /// The id of the claims it makes.
    pub id: ClaimId,
    /// The program that will run, for others to read.
    pub program: &'a str,
    /// A text for others to read.
    pub label: Option<&'a str>,
    /// The claims this process runs under.
    pub held: &'a HeldList,
    /// Who hears of it.
    pub observer: &'a dyn Observer,
}

/// Acquires a lock. Blocks until it is granted, refused, or the patience ends.
///
/// While it waits, signals that end or stop processes are fetched by a helper thread: `INT`,
/// `TERM`, `HUP`, `QUIT`, `USR1` and `USR2` end the wait, `TSTP` gives the place in the line
/// back, stops the process, and queues anew when it is continued.
///
/// # Errors
/// See [`LockError`]. After an error nothing is held.
pub fn acquire(request: &Request<'_>) -> Result<Guard, LockError> {
    let mut last = PathBuf::new();
    for _ in 0..MOST_TRIES {
        let resource = Resource::resolve(request.target)?;
        if last != resource.path {
            request.observer.resolved(&resource);
            last.clone_from(&resource.path);
        }
        match attempt(request, resource) {
            Ok(Some(guard)) if guard.is_current(request.target)? => return Ok(guard),
            Ok(_) | Err(LockError::Vanished { .. }) => {
                tracing::debug!("the path changed while it was locked; again");
            }
            Err(error) => return Err(error),
        }
    }
    Err(LockError::Unstable { path: last })
}

fn attempt(request: &Request<'_>, resource: Resource) -> Result<Option<Guard>, LockError> {
    let root = LockDir::open(&resource)?;
    if request.target.lock_dir.is_some() {
        refuse_two_places(&resource, request.target)?;
    }
    let Some(key) = &request.target.key else {
        let hold = hold(request, &resource, root, request.mode)?;
        return Ok(hold.map(|hold| Guard::new(resource, vec![hold])));
    };
    let below = root.key(&encode(key.as_bytes()))?;
    let Some(whole) = hold(request, &resource, root, Mode::Shared)? else { return Ok(None) };
    let Some(part) = hold(request, &resource, below, request.mode)? else { return Ok(None) };
    Ok(Some(Guard::new(resource, vec![whole, part])))
}

/// Who locks beside the database and who locks below a `--lock-dir` do not see each other.
fn refuse_two_places(resource: &Resource, target: &Target) -> Result<(), LockError> {
    let beside = Target { lock_dir: None, ..target.clone() };
    let beside = Resource::resolve(&beside)?;
    let path = beside.place.parent.join(super::lockdir::STATE).join(&beside.place.name);
    if beside.place.parent == resource.place.parent || !path.exists() {
        return Ok(());
    }
    let Ok(place) = LockDir::open(&beside) else { return Ok(()) };
    let busy = match place.open_lock() {
        Ok(lock) => !matches!(platform::try_lock_shared(&lock), Ok(true)),
        Err(_) => false,
    };
    if busy || !party::holding(&place, None).is_empty() {
        return Err(LockError::TwoPlaces { path });
    }
    Ok(())
}

/// Takes one lock, or the inner lock below it. `None` if its files changed under our hands.
fn hold(
    request: &Request<'_>,
    resource: &Resource,
    root: LockDir,
    mode: Mode,
) -> Result<Option<Hold>, LockError> {
    let level = descend(root, request.held, mode, &resource.path)?;
    let lock = open_lock(request, &level)?;
    let id =
        ClaimId::new().map_err(|error| LockError::io("name a claim for", &resource.path, error))?;
    let call = Call {
        request,
        resource,
        level: &level,
        lock: &lock,
        mode,
        id,
        place: Mutex::new(Standing::default()),
    };
    let ticket = if call.try_now()? { None } else { call.wait()? };
    step("granted");
    if !call.is_current()? {
        call.withdraw(ticket);
        call.unlock();
        return Ok(None);
    }
    if let Err(error) = call.settle() {
        call.withdraw(ticket);
        call.unlock();
        return Err(error);
    }
    step("settled");
    let fence = call.count_fence();
    step("fenced");
    let claim = call.claim(ticket);
    step("held");
    drop(call);
    Ok(Some(Hold::new(level, lock, claim, id, mode, fence)))
}

fn open_lock(request: &Request<'_>, level: &Level) -> Result<File, LockError> {
    let Purpose::Descriptor(descriptor) = request.purpose else { return level.place.open_lock() };
    let path = level.place.lock_path();
    let wrong = || LockError::WrongDescriptor { descriptor, path: path.clone() };
    // Made here if missing, so that the comparison speaks of the file that is locked.
    drop(level.place.open_lock()?);
    let lock = platform::inherited_file(descriptor).map_err(|_| wrong())?;
    match level.place.still_names(&lock) {
        Ok(true) => Ok(lock),
        _ => Err(wrong()),
    }
}

/// Where we stand in the line, for the display and the search for deadlocks.
#[derive(Default)]
struct Standing {
    waiting: Option<Waiting>,
    since_ms: u64,
    leftover: bool,
    circle: Vec<String>,
}

/// One lock being acquired.
struct Call<'a> {
    request: &'a Request<'a>,
    resource: &'a Resource,
    level: &'a Level,
    lock: &'a File,
    mode: Mode,
    id: ClaimId,
    place: Mutex<Standing>,
}

impl Call<'_> {
    fn ledger(&self) -> Option<&Ledger> {
        self.level.place.ledger.as_ref()
    }

    /// Takes the lock if it is free and nobody who conflicts waits. Never blocks.
    fn try_now(&self) -> Result<bool, LockError> {
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

    fn wait(&self) -> Result<Option<Ticket>, LockError> {
        if self.request.patience.nonblock {
            return Err(LockError::WouldBlock(self.contention()));
        }
        deadlock::refuse_own_ancestor(&self.level.place, self.lock, &self.resource.path)?;
        if let (Some(limit), Some(ledger)) = (self.request.patience.max_waiters, self.ledger()) {
            if queue::list(ledger).len() >= limit {
                return Err(LockError::QueueFull { contention: self.contention(), limit });
            }
        }
        self.vigil(Some((self.lock, self.mode)), |vigil| self.stand_in_line(vigil))
    }

    fn vigil<R>(
        &self,
        line: Option<(&File, Mode)>,
        wait: impl FnOnce(&Vigil<'_>) -> Result<R, LockError>,
    ) -> Result<R, LockError> {
        Vigil::keep(line, self.request.patience.deadline, self, wait).map_err(|error| {
            LockError::io("start a thread to wait for", &self.resource.path, error)
        })?
    }

    fn stand_in_line(&self, vigil: &Vigil<'_>) -> Result<Option<Ticket>, LockError> {
        loop {
            let ticket = match self.take_ticket(vigil)? {
                Ok(ticket) => ticket,
                Err(verdict) => return Err(self.verdict(verdict)),
            };
            step("queued");
            let turn = self.await_turn(vigil, ticket.as_ref());
            match (turn, vigil.late_signal()) {
                (Ok(None), None) => return Ok(ticket),
                (Ok(None), Some(signal)) => {
                    self.unlock();
                    self.withdraw(ticket);
                    return Err(LockError::Interrupted(signal));
                }
                (Ok(Some(Verdict::Suspend)), _) => {
                    self.withdraw(ticket);
                    signals::stop_self();
                    vigil.resume();
                }
                (Ok(Some(verdict)), _) => {
                    self.withdraw(ticket);
                    return Err(self.verdict(verdict));
                }
                (Err(error), _) => {
                    self.withdraw(ticket);
                    return Err(error);
                }
            }
        }
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
                self.introduce(&ticket.claim);
                step("claim-written");
                let mut standing = self.standing();
                standing.waiting = Some(ticket.waiting);
                standing.since_ms = super::claim::now_ms();
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
        let failed = |error| LockError::locking(&self.level.place.lock_path(), error);
        let mut seen = ticket.map(|ticket| ticket.seen.clone());
        if let (Some(ticket), Some(ledger)) = (ticket, self.ledger()) {
            let mine = ticket.waiting.number;
            loop {
                let list = seen.take().unwrap_or_else(|| queue::list(ledger));
                let ahead = self.conflicting_below(&list, mine);
                let Some(nearest) = ahead.last() else { break };
                let claim = match Seen::look(&ledger.queue, &nearest.name()) {
                    Look::Gone => continue,
                    Look::Hidden => break,
                    Look::Dead(_) => {
                        queue::remove(ledger, *nearest);
                        continue;
                    }
                    Look::Live(claim) => Arc::new(claim.into_file()),
                };
                let count = u32::try_from(ahead.len()).unwrap_or(u32::MAX);
                if vigil.await_claim(&claim, count).map_err(failed)? == Blocked::Granted {
                    continue;
                }
                match vigil.news() {
                    News::Over(verdict) => return Ok(Some(verdict)),
                    News::Kept => {
                        self.pass_over(ledger, mine);
                        return Ok(None);
                    }
                    News::LookAgain | News::None => {}
                }
            }
        }
        step("head");
        if without_exclusion() {
            return Ok(None);
        }
        loop {
            if vigil.await_lock(self.lock, self.mode).map_err(failed)? == Blocked::Granted {
                return Ok(None);
            }
            if let News::Over(verdict) = vigil.news() {
                return Ok(Some(verdict));
            }
        }
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

    /// Whether the lock we hold is the one with the name, and what we joined still stands.
    fn is_current(&self) -> Result<bool, LockError> {
        let named = self.level.place.still_names(self.lock);
        let path = self.level.place.lock_path();
        Ok(named.map_err(|error| LockError::io("look at", &path, error))? && self.level.is_intact())
    }

    /// Deals with what dead holders left: waits for their commands and joined calls.
    fn settle(&self) -> Result<(), LockError> {
        let Some(ledger) = self.ledger() else { return Ok(()) };
        let debts = super::settle::debts(&self.level.place, ledger, self.mode);
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
                self.request.observer.warn(&format!("no fence: `{}`: {error}", path.display()));
            })
            .ok()
    }

    /// Moves the claim of the queue to `held/`, or makes a new one there.
    fn claim(&self, ticket: Option<Ticket>) -> Option<Claim> {
        let ledger = self.ledger()?;
        if self.request.purpose != Purpose::Hold {
            self.withdraw(ticket);
            return None;
        }
        let name = super::claim::held_name(self.id, self.mode);
        if let Some(ticket) = ticket {
            let queued = ticket.waiting.name();
            if !ticket.claim.is_removed()
                && ledger.queue.rename(&queued, &ledger.held, &name).is_ok()
            {
                let acquired_ms = Some(super::claim::now_ms());
                // Only for people to read.
                drop(
                    ticket.claim.write(&super::claim::Record { acquired_ms, ..Default::default() }),
                );
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

    fn introduce(&self, claim: &Claim) {
        let request = self.request;
        let record = identity(self.id, request.program, request.label, request.held.entries());
        // Only for people to read.
        if let Err(error) = claim.write(&record) {
            tracing::warn!("cannot write a claim: {error}");
        }
    }

    fn warn_of_claim(&self, error: &std::io::Error) {
        let what = if degrades(error) { "" } else { "unexpectedly " };
        self.request.observer.warn(&format!(
            "{what}cannot make a claim in `{}` ({error}): the kernel lock excludes, but nobody \
             can see who holds it or whose turn it is",
            self.level.place.path().display()
        ));
    }

    fn withdraw(&self, ticket: Option<Ticket>) {
        if let (Some(ticket), Some(ledger)) = (ticket, self.ledger()) {
            if !ticket.claim.is_removed() {
                queue::remove(ledger, ticket.waiting);
            }
        }
        self.standing().waiting = None;
    }

    fn unlock(&self) {
        // Closing the descriptor, which follows, unlocks as well.
        drop(platform::unlock(self.lock));
    }

    fn verdict(&self, verdict: Verdict) -> LockError {
        match verdict {
            Verdict::Deadline => LockError::Timeout(self.contention()),
            Verdict::Signal(signal) => LockError::Interrupted(signal),
            Verdict::Suspend => LockError::Interrupted(signals::Arrival::SUSPEND),
            Verdict::Deadlock(reason) => LockError::Deadlock {
                path: self.resource.path.clone(),
                reason,
                hint: "take all the files in one call, `dbguard exec A B -- ...`, or always in the same order",
            },
        }
    }

    fn contention(&self) -> Box<Contention> {
        let waiters = self.ledger().map_or(0, |ledger| queue::list(ledger).len());
        Box::new(Contention {
            path: self.resource.path.clone(),
            mode: self.request.mode,
            holders: party::holding(&self.level.place, Some(self.lock)),
            waiters: waiters.saturating_sub(usize::from(self.standing().waiting.is_some())),
            waited: self.request.patience.started.elapsed(),
        })
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
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
        let now = Instant::now();
        let patience = &self.request.patience;
        self.request.observer.waiting(&WaitReport {
            path: self.resource.path.clone(),
            mode: self.request.mode,
            subject: if leftover { Subject::Leftover } else { Subject::Guard },
            holders: party::holding(&self.level.place, Some(self.lock)),
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
            path: &self.resource.path,
            program: self.request.program,
            id: self.id,
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

/// Returns what a nested call, or the next of several files, is under.
pub(super) fn under(place: &LockDir, id: ClaimId) -> Under {
    Under { id: id.to_string(), at: place.path().to_string_lossy().into_owned() }
}
