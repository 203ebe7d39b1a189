//! Signals as events on macOS, which has no sigtimedwait(2).
//!
//! While a [`Watch`] lives, its signals are ignored, and a queue of kernel events tells of each
//! attempt to send one: `psignal_internal` (`bsd/kern/kern_sig.c`) notes a signal before it looks
//! whether it is ignored, so none is lost, none is left pending, and no thread is interrupted.
//! Blocking them instead, as on Linux, would not do: a blocked signal is left to one thread, other
//! threads can neither see it nor wait for it with a limit.
//!
//! Signals that are sent to one thread (`pthread_kill`, `raise`) are not noted; dbguard sends itself
//! none but those that are meant to act.
//!
//! There is one queue and one book for the whole process: watches may be nested, and a signal that
//! one of them fetches is not told to another one.

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use libc::{c_int, pthread_t, sigset_t};

use super::notices::{Book, bit, dispose, numbers, place, restore, wake_up, with};
use crate::platform::unix::host::in_foreground;
use crate::platform::unix::signals::{
    Arrival, INTERRUPT, Origin, SIGCHLD, SIGINT, SIGKILL, SIGQUIT, SIGSTOP, SIGTSTP, add, empty,
    forget_ignored_children, is_ignored, mask, prepare_interrupt,
};

/// How often a child is looked at where no queue can be had.
const BLIND_LOOK: Duration = Duration::from_millis(100);

/// Signals that are held off in this process and fetched by [`Watch::wait`].
///
/// Dropping it lets them act again; what was not fetched then acts by its disposition.
pub struct Watch {
    /// Bits, which are taken out once the signals are let through.
    watched: AtomicU32,
    before: sigset_t,
    wakes: bool,
}

impl Watch {
    /// Holds `signals` off, except those that are ignored: `nohup` and a shell's background jobs
    /// ignore on purpose.
    pub fn new(signals: &[c_int]) -> Self {
        if signals.contains(&SIGCHLD) {
            forget_ignored_children();
        }
        let before = mask(libc::SIG_BLOCK, &empty());
        Self { watched: AtomicU32::new(hold(signals)), before, wakes: false }
    }

    /// The watch of a helper thread started under a [`Shield`]: fetches `signals` and wake-ups,
    /// and lets every other signal act as it did before the shield.
    pub fn in_helper(signals: &[c_int], shield_before: SignalMask) -> Self {
        let watched = AtomicU32::new(hold(signals));
        let wakes = Book::open().queue().and_then(|queue| {
            queue.change(wake_up(Sleeper::current()), libc::EV_ADD | libc::EV_CLEAR, 0)
        });
        let mut blocked = shield_before.0;
        // The wake-up of the thread that waits for the lock is not for us.
        add(&mut blocked, INTERRUPT);
        Self { watched, before: mask(libc::SIG_SETMASK, &blocked), wakes: wakes.is_ok() }
    }

    /// Returns the next of the signals, waiting for at most `limit` (`None` = as long as it
    /// takes). `None` when the time is up.
    ///
    /// # Platforms
    /// macOS does not say who sent a signal: one that a key sends is taken for a key while this
    /// process is in the foreground of its terminal.
    pub fn wait(&self, limit: Option<Duration>) -> Option<Arrival> {
        fetch(self.watched.load(Ordering::Relaxed), limit)
    }

    /// Lets the signals act by their dispositions again: after the first Ctrl-C has been
    /// understood, a second one ends the process whatever it is doing.
    pub fn let_through(&self) {
        release(self.watched.swap(0, Ordering::Relaxed));
    }

    /// Takes one signal out of those that have arrived, without blocking. `true` if it was there.
    pub fn try_take(&self, signal: c_int) -> bool {
        fetch(bit(signal), Some(Duration::ZERO)).is_some()
    }

    /// Returns the mask that was in force before, for a child to inherit.
    pub fn mask_before(&self) -> SignalMask {
        SignalMask(self.before)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.wakes {
            let queue = Book::open().queue();
            let gone = wake_up(Sleeper::current());
            // A wake-up for nobody does no harm.
            drop(queue.and_then(|queue| queue.change(gone, libc::EV_DELETE, 0)));
        }
        mask(libc::SIG_SETMASK, &self.before);
        self.let_through();
    }
}

/// A signal mask, for a child.
#[derive(Clone, Copy)]
pub struct SignalMask(pub(in crate::platform) sigset_t);

impl SignalMask {
    /// Returns the mask of this thread.
    pub fn current() -> Self {
        Self(mask(libc::SIG_BLOCK, &empty()))
    }
}

/// A thread about to block in the kernel, all signals held off; see [`Sleeper::wake`].
///
/// Dropping it restores the mask.
pub struct Shield {
    before: sigset_t,
    listens: u32,
}

impl Shield {
    /// Blocks every signal in this thread but the one that ends a blocking call.
    ///
    /// Threads started while it lives inherit that; they call [`Watch::in_helper`]. Until then all
    /// signals are noted, so that none of those that it watches is lost.
    pub fn new() -> Self {
        prepare_interrupt();
        let mut all = MaybeUninit::<sigset_t>::uninit();
        // SAFETY: sigfillset and sigdelset write a valid set to the pointer we own.
        let all = unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::sigdelset(all.as_mut_ptr(), INTERRUPT);
            all.assume_init()
        };
        let before = mask(libc::SIG_SETMASK, &all);
        let mut book = Book::open();
        let others = |signal: &c_int| ![SIGKILL, SIGSTOP, INTERRUPT].contains(signal);
        let all = numbers(u32::MAX).filter(others);
        let listens = all.filter(|signal| book.listen(*signal).is_ok()).fold(0, with);
        // What came between the two.
        book.noted |= pending() & listens;
        drop(book);
        Self { before, listens }
    }

    /// Returns the mask before the shield, for [`Watch::in_helper`].
    pub fn mask_before(&self) -> SignalMask {
        SignalMask(self.before)
    }
}

impl Default for Shield {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Shield {
    fn drop(&mut self) {
        let mut book = Book::open();
        numbers(self.listens).for_each(|signal| book.stop_listening(signal));
        drop(book);
        mask(libc::SIG_SETMASK, &self.before);
    }
}

/// A thread that can be woken from a blocking call, or from [`Watch::wait`] of a helper.
#[derive(Clone, Copy)]
pub struct Sleeper(pub(super) pthread_t);

impl Sleeper {
    /// Names the calling thread.
    pub fn current() -> Self {
        // SAFETY: pthread_self has no preconditions.
        Self(unsafe { libc::pthread_self() })
    }

    /// Ends a blocking call of that thread with `EINTR`, or its [`Watch::wait`] early.
    ///
    /// Lost if the thread is not in the call yet: repeat until it acknowledges. A helper's is not.
    pub fn wake(self) {
        let queue = Book::open().queue();
        // Only helpers have wake-ups in the queue.
        let told = queue.and_then(|queue| queue.change(wake_up(self), 0, libc::NOTE_TRIGGER));
        if told.is_err() {
            // SAFETY: the thread named is alive: both ends of a wait are joined by its owner, and
            // the signal has a handler by then.
            unsafe { libc::pthread_kill(self.0, INTERRUPT) };
        }
    }
}

/// Stops this process as Ctrl-Z does, until somebody continues it.
///
/// By `SIGTSTP` and not by `SIGSTOP`: in an orphaned process group, where no shell would ever
/// continue it, the kernel discards the former, and this returns at once.
pub fn stop_self() {
    // One that has arrived would stop us once more when we go on.
    fetch(bit(SIGTSTP), Some(Duration::ZERO));
    let mut only = empty();
    add(&mut only, SIGTSTP);
    let action = dispose(SIGTSTP, libc::SIG_DFL);
    let before = mask(libc::SIG_UNBLOCK, &only);
    // SAFETY: raising a signal has no memory preconditions. It goes to this thread and is not noted.
    unsafe { libc::raise(SIGTSTP) };
    mask(libc::SIG_SETMASK, &before);
    restore(SIGTSTP, &action);
}

/// Sends a signal to this thread, or to the watch that holds it off.
pub fn raise(signal: c_int) {
    let mut book = Book::open();
    if book.held[place(signal)].0 > 0 {
        book.noted |= bit(signal);
        return;
    }
    drop(book);
    // SAFETY: raising a signal has no memory preconditions.
    unsafe { libc::raise(signal) };
}

/// Returns the signals that a living [`Watch`] ignores, so that a command gets their defaults back:
/// what is ignored stays so through execve(2).
pub(in crate::platform) fn ignored_by_us() -> impl Iterator<Item = c_int> {
    let book = Book::open();
    numbers(u32::MAX)
        .filter(|signal| book.held[place(*signal)].1.is_some())
        .collect::<Vec<_>>()
        .into_iter()
}

/// Holds signals off, and returns those that are, as bits.
fn hold(signals: &[c_int]) -> u32 {
    let mut book = Book::open();
    let mut held = 0;
    for &signal in signals {
        let is_ours = book.held[place(signal)].0 > 0;
        if (is_ours || signal == SIGCHLD || !is_ignored(signal)) && book.hold(signal).is_ok() {
            held = with(held, signal);
        }
    }
    held
}

fn release(signals: u32) {
    let mut book = Book::open();
    let left = numbers(signals).filter(|signal| book.release(*signal)).fold(0, with);
    drop(book);
    for signal in numbers(left) {
        // SAFETY: kill has no memory preconditions. To the process: this thread may block it.
        unsafe { libc::kill(libc::getpid(), signal) };
    }
}

fn fetch(watched: u32, limit: Option<Duration>) -> Option<Arrival> {
    let deadline = limit.map(|limit| Instant::now().checked_add(limit));
    loop {
        let queue = {
            let mut book = Book::open();
            match book.take(watched) {
                Some(signal) => return Some(Arrival { signal, origin: origin(signal) }),
                None => book.queue(),
            }
        };
        let Ok(queue) = queue else { return blind(watched, limit) };
        // A moment that the clock cannot name never comes.
        let left = deadline.flatten().map(|at| at.saturating_duration_since(Instant::now()));
        match queue.fetch(left) {
            Ok(events) if events.is_empty() => return None,
            Ok(events) => {
                if Book::open().write_down(&events) {
                    return Some(Arrival { signal: INTERRUPT, origin: Origin::Process });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return blind(watched, limit),
        }
    }
}

/// Waits without being told anything, because there are no descriptors left: whoever waits for a
/// child looks again and again.
fn blind(watched: u32, limit: Option<Duration>) -> Option<Arrival> {
    thread::sleep(limit.unwrap_or(BLIND_LOOK).min(BLIND_LOOK));
    let arrival = Arrival { signal: SIGCHLD, origin: Origin::Kernel };
    (watched & bit(SIGCHLD) != 0 && limit != Some(Duration::ZERO)).then_some(arrival)
}

/// Tells a key from a process as well as it can be told: nobody types at a job in the background.
fn origin(signal: c_int) -> Origin {
    let may_be_key = matches!(signal, SIGINT | SIGQUIT | SIGTSTP) && in_foreground();
    if may_be_key || signal == SIGCHLD { Origin::Kernel } else { Origin::Process }
}

/// Returns the signals that are pending in this thread, as bits.
fn pending() -> u32 {
    let mut set = empty();
    // SAFETY: the set is ours to write.
    unsafe { libc::sigpending(&raw mut set) };
    // SAFETY: the set is initialised.
    let is_in = |signal: &c_int| unsafe { libc::sigismember(&raw const set, *signal) } == 1;
    numbers(u32::MAX).filter(is_in).fold(0, with)
}
