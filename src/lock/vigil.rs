//! The helper thread of a wait.
//!
//! The blocking call runs on the caller's thread, so that an abandoned wait cannot be granted
//! later (S10). A helper keeps the deadline, the display, the signals and the search for
//! deadlocks, and watches whether the line moves (L1). It ends the blocking call only to end or
//! to change the wait: a signal sends a waiter to the back of the kernel's own queue (L2).
//!
//! Everything the two threads share is behind one mutex. The helper touches `lock` only while
//! the waiter is blocked on somebody's claim, and the phase changes under the same mutex:
//! otherwise the helper's "let go" could drop a fresh grant, for both use one description.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::mode::Mode;
use crate::platform::signals::{
    self, Arrival, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, Shield, SignalMask,
    Sleeper, Watch,
};
use crate::platform::{self, host, mark};

/// How often the helper looks whether the line moves.
const TICK: Duration = Duration::from_secs(1);

/// How often an interrupted thread is reminded until it acknowledges: a signal that comes just
/// before the blocking call is entered is lost.
const REMINDER: Duration = Duration::from_millis(5);

/// Who cannot get the lock on `ticket` within this time goes on without it: somebody may be
/// stopped in there.
const TICKET_PATIENCE: Duration = Duration::from_secs(1);

/// However long the line, a free lock is taken after so many ticks.
const MOST_TICKS: u32 = 30;

/// The helper needs little; 128 KiB of it is the buffer of a directory listing.
const STACK_BYTES: usize = 512 * 1024;

const SIGNALS: [i32; 7] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP];

/// Why a wait ends without a grant.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The time is up.
    Deadline,
    /// A signal asks us to end.
    Signal(Arrival),
    /// A key at the terminal asks us to stop until we are continued.
    Suspend,
    /// The wait would never end; the text names the circle.
    Deadlock(String),
    /// The helper failed, so nothing keeps the time any more.
    Broken,
}

/// Returns the error that [`Verdict::Broken`] stands for.
pub fn broken() -> io::Error {
    io::Error::other("the helper thread failed; this is a defect in dbguard")
}

/// What a blocking call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// The lock was granted.
    Granted,
    /// The helper ended the call; ask [`Vigil::news`].
    Interrupted,
}

/// What the helper has to tell after an interruption.
#[derive(Debug)]
pub enum News {
    /// The wait is over.
    Over(Verdict),
    /// `lock` was free although others are ahead; the helper took it for us (L1).
    Kept,
    /// Look at the queue again, or stop waiting for `ticket`.
    LookAgain,
}

/// What the waiter is blocked on.
enum Phase {
    Busy,
    Ticket(Instant),
    /// The claim of somebody ahead, and how many conflicting ones there are.
    Claim(Arc<File>, u32),
    Lock,
}

/// What the helper does besides keeping time. Called from the helper thread, about once a
/// second and whenever `next_due` says; must not block for long.
pub trait Companion: Sync {
    /// Returns when [`Companion::show`] wants to be called next.
    fn next_due(&self) -> Option<Instant>;
    /// Tells people how the wait goes.
    fn show(&self);
    /// Returns a description of the circle this wait closes, once it is sure.
    fn deadlock(&self) -> Option<String>;
}

struct State {
    phase: Phase,
    verdict: Option<Verdict>,
    /// The waiting thread has seen the verdict.
    answered: bool,
    kept: bool,
    look_again: bool,
    free_ticks: u32,
    stop: bool,
    helper: Option<Sleeper>,
}

impl State {
    fn has_news(&self) -> bool {
        self.verdict.is_some() || self.kept || self.look_again
    }
}

/// A wait in progress, as the waiting thread sees it.
pub struct Vigil<'a> {
    state: Mutex<State>,
    waiter: Sleeper,
    lock: Option<(&'a File, Mode)>,
    deadline: Option<Instant>,
}

impl<'a> Vigil<'a> {
    /// Runs `wait` on this thread with a helper beside it, all signals held off. `lock` is the
    /// lock that is waited for in a line, and not held yet.
    pub fn keep<R>(
        lock: Option<(&'a File, Mode)>,
        deadline: Option<Instant>,
        companion: &dyn Companion,
        wait: impl FnOnce(&Self) -> R,
    ) -> io::Result<R> {
        host::share_one_heap();
        let shield = Shield::new();
        let mask = shield.mask_before();
        let state = State {
            phase: Phase::Busy,
            verdict: None,
            answered: false,
            kept: false,
            look_again: false,
            free_ticks: 0,
            stop: false,
            helper: None,
        };
        let waiter = Sleeper::current();
        let vigil = Self { state: Mutex::new(state), waiter, lock, deadline };
        thread::scope(|scope| {
            let helper = thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, || vigil.help(companion, mask))?;
            let result = wait(&vigil);
            vigil.dismiss();
            // A panic of the helper has been caught and has become a verdict.
            drop(helper.join());
            vigil.raise_unanswered();
            Ok(result)
        })
    }

    /// Blocks until the lock on `ticket` is granted, for at most a second.
    pub fn lock_ticket(&self, ticket: &File) -> io::Result<Blocked> {
        let phase = Phase::Ticket(Instant::now() + TICKET_PATIENCE);
        self.block(phase, || mark::lock_exclusive(ticket))
    }

    /// Blocks until the claim of somebody ahead is let go; `ahead` conflicting ones are.
    pub fn await_claim(&self, claim: &Arc<File>, ahead: u32) -> io::Result<Blocked> {
        self.block(Phase::Claim(Arc::clone(claim), ahead), || mark::lock_shared(claim))
    }

    /// Blocks until a kernel lock is granted: `lock` itself, or the one of an inner lock.
    pub fn await_lock(&self, lock: &File, mode: Mode) -> io::Result<Blocked> {
        self.block(Phase::Lock, || mode.lock(lock))
    }

    /// Waits for something that is polled: calls `done`, which may take a while, until it says so.
    pub fn poll(&self, mut done: impl FnMut() -> io::Result<bool>) -> io::Result<Blocked> {
        loop {
            let finished = done()?;
            // A signal that came meanwhile counts, whatever was found.
            match &self.state().verdict {
                None if finished => return Ok(Blocked::Granted),
                Some(Verdict::Deadline) if finished => return Ok(Blocked::Granted),
                None => {}
                Some(_) => return Ok(Blocked::Interrupted),
            }
        }
    }

    /// Returns why the last call was interrupted, and forgets it unless it ends the wait.
    pub fn news(&self) -> News {
        let mut state = self.state();
        if let Some(verdict) = state.verdict.clone() {
            state.answered = true;
            return News::Over(verdict);
        }
        if std::mem::take(&mut state.kept) {
            return News::Kept;
        }
        state.look_again = false;
        News::LookAgain
    }

    /// Stops this process, as Ctrl-Z at the terminal asked, until somebody continues it.
    pub fn suspend(&self) {
        signals::stop_self();
        self.resume();
    }

    /// Takes note that a wait which was suspended starts anew.
    fn resume(&self) {
        let mut state = self.state();
        if matches!(state.verdict, Some(Verdict::Suspend)) {
            state.verdict = None;
            state.answered = false;
            state.look_again = false;
            if std::mem::take(&mut state.kept) {
                self.unlock();
            }
        }
    }

    /// Returns the signal that came too late to end the wait before the grant.
    pub fn late_signal(&self) -> Option<Verdict> {
        let mut state = self.state();
        let verdict = state.verdict.clone();
        let late =
            verdict.filter(|verdict| matches!(verdict, Verdict::Signal(_) | Verdict::Suspend));
        state.answered |= late.is_some();
        late
    }

    /// Raises a signal again that the helper fetched when the wait was over already.
    fn raise_unanswered(&self) {
        let state = self.state();
        match &state.verdict {
            Some(Verdict::Signal(arrival)) if !state.answered => signals::raise(arrival.signal),
            Some(Verdict::Suspend) if !state.answered => signals::raise(SIGTSTP),
            _ => {}
        }
    }

    fn block(&self, phase: Phase, lock: impl Fn() -> io::Result<()>) -> io::Result<Blocked> {
        {
            let mut state = self.state();
            if state.has_news() {
                return Ok(Blocked::Interrupted);
            }
            state.free_ticks = 0;
            state.phase = phase;
        }
        let result = loop {
            match lock() {
                Ok(()) => break Ok(Blocked::Granted),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if self.state().has_news() {
                        break Ok(Blocked::Interrupted);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        self.state().phase = Phase::Busy;
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries to take the lock although others are ahead. Only the exclusive lock proves that
    /// nobody runs: a shared try would succeed beside the very reader that a healthy writer
    /// ahead of us waits for.
    fn try_lock(&self) -> bool {
        let Some((lock, _)) = self.lock else { return false };
        // A lock that cannot be tried is not free.
        platform::try_lock_exclusive(lock).unwrap_or(false)
    }

    /// Makes the lock that was tried the one that is wanted. `false`: somebody came between.
    fn keep_lock(&self) -> bool {
        match self.lock {
            Some((lock, Mode::Shared)) => platform::share_lock(lock).unwrap_or(false),
            _ => true,
        }
    }

    fn unlock(&self) {
        if let Some((lock, _)) = self.lock {
            // Closing the descriptor, at the latest, unlocks as well.
            drop(platform::unlock(lock));
        }
    }

    /// Ends the helper, which takes a moment; the waiter may go on meanwhile. Nothing may block
    /// after that.
    pub fn dismiss(&self) {
        let helper = {
            let mut state = self.state();
            state.stop = true;
            state.helper
        };
        // Outside the mutex, which the helper wants first thing. It is alive: the scope of the
        // wait joins it.
        if let Some(helper) = helper {
            helper.wake();
        }
    }

    /// The life of the helper. If it panics, the wait ends: blocked, without a clock and without
    /// signals, it could only be killed.
    fn help(&self, companion: &dyn Companion, mask: SignalMask) {
        let watch = Watch::in_helper(&SIGNALS, mask);
        self.state().helper = Some(Sleeper::current());
        let attend = AssertUnwindSafe(|| self.attend(companion, &watch));
        if catch_unwind(attend).is_err() {
            self.state().verdict = Some(Verdict::Broken);
            while let Some(limit) = self.next_limit(Instant::now() + TICK, None) {
                self.waiter.wake();
                watch.wait(Some(limit.min(REMINDER)));
            }
        }
    }

    fn attend(&self, companion: &dyn Companion, watch: &Watch) {
        let mut tick = Instant::now() + TICK;
        while let Some(limit) = self.next_limit(tick, companion.next_due()) {
            let arrival = watch.wait(Some(limit)).filter(|arrival| !arrival.is_wake());
            let now = Instant::now();
            let ticked = now >= tick;
            if ticked {
                tick = now + TICK;
            }
            // Reads claims and processes, so it stays outside the mutex.
            let circle = if ticked { companion.deadlock() } else { None };
            self.decide(arrival, circle, now, ticked);
            if companion.next_due().is_some_and(|due| now >= due) {
                companion.show();
            }
        }
    }

    /// Returns how long the helper may sleep; `None` once the wait is over.
    fn next_limit(&self, tick: Instant, show: Option<Instant>) -> Option<Duration> {
        let state = self.state();
        if state.stop {
            return None;
        }
        let now = Instant::now();
        if state.has_news() && !matches!(state.phase, Phase::Busy) {
            return Some(REMINDER);
        }
        let mut due = tick;
        if state.verdict.is_none() {
            due = self.deadline.map_or(due, |deadline| due.min(deadline));
        }
        if let Phase::Ticket(patience) = state.phase {
            due = due.min(patience);
        }
        due = show.map_or(due, |show| due.min(show));
        Some(due.saturating_duration_since(now))
    }

    fn decide(&self, arrival: Option<Arrival>, circle: Option<String>, now: Instant, ticked: bool) {
        let mut state = self.state();
        if let Some(arrival) = arrival {
            let suspend = arrival.signal == SIGTSTP;
            if !suspend || state.verdict.is_none() {
                let verdict = if suspend { Verdict::Suspend } else { Verdict::Signal(arrival) };
                state.verdict = Some(verdict);
            }
        }
        if state.verdict.is_none() {
            state.verdict = circle.map(Verdict::Deadlock);
        }
        if state.verdict.is_none() && self.deadline.is_some_and(|deadline| now >= deadline) {
            state.verdict = Some(Verdict::Deadline);
        }
        self.watch_the_line(&mut state, now, ticked);
        if state.has_news() && !matches!(state.phase, Phase::Busy) {
            self.waiter.wake();
        }
    }

    /// A waiter with k conflicting claims ahead that finds `lock` free at k + 1 ticks in a row
    /// keeps it: whoever is ahead does not run. The nearer one always acts first.
    fn watch_the_line(&self, state: &mut State, now: Instant, ticked: bool) {
        match &state.phase {
            Phase::Ticket(patience) if now >= *patience => state.look_again = true,
            Phase::Claim(claim, ahead) if ticked && !state.kept => {
                let ahead = (*ahead).min(MOST_TICKS);
                let removed = platform::facts(&**claim).is_ok_and(|facts| facts.links == 0);
                let free = self.try_lock();
                state.look_again |= removed;
                state.free_ticks = if free { state.free_ticks + 1 } else { 0 };
                state.kept = free && state.free_ticks > ahead && self.keep_lock();
                if free && !state.kept {
                    self.unlock();
                }
            }
            _ => {}
        }
    }
}

impl Drop for Vigil<'_> {
    fn drop(&mut self) {
        let state = self.state();
        if state.kept {
            // Taken for a waiter that gave up in the same instant.
            self.unlock();
        }
    }
}
