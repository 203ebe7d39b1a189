//! Signals as events on Linux: blocked, and fetched with sigtimedwait(2).
//!
//! The kernel says of each whether a key or a process sent it.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use libc::{c_int, pthread_t, sigset_t};

use crate::platform::unix::signals::{
    Arrival, INTERRUPT, Origin, SIGCHLD, SIGTSTP, add, empty, forget_ignored_children, is_ignored,
    mask, prepare_interrupt,
};

/// Signals that are blocked in this thread and fetched by [`Watch::wait`].
///
/// Dropping it restores the mask; what was not fetched then acts by its disposition.
pub struct Watch {
    watched: sigset_t,
    before: sigset_t,
}

impl Watch {
    /// Blocks `signals` in this thread, except those that are ignored: `nohup` and a shell's
    /// background jobs ignore on purpose.
    pub fn new(signals: &[c_int]) -> Self {
        let mut watched = empty();
        for &signal in signals {
            if signal == SIGCHLD {
                forget_ignored_children();
            }
            if signal == SIGCHLD || !is_ignored(signal) {
                add(&mut watched, signal);
            }
        }
        Self { before: mask(libc::SIG_BLOCK, &watched), watched }
    }

    /// Returns the next of the signals, waiting for at most `limit` (`None` = as long as it
    /// takes). `None` when the time is up.
    ///
    pub fn wait(&self, limit: Option<Duration>) -> Option<Arrival> {
        fetch(&self.watched, limit)
    }

    /// Lets the signals act by their dispositions again, in this thread: after the first Ctrl-C
    /// has been understood, a second one ends the process whatever it is doing.
    pub fn let_through(&self) {
        mask(libc::SIG_UNBLOCK, &self.watched);
    }

    /// Takes one signal out of those that are pending, without blocking. `true` if it was there.
    pub fn try_take(&self, signal: c_int) -> bool {
        let mut only = empty();
        add(&mut only, signal);
        fetch(&only, Some(Duration::ZERO)).is_some()
    }

    /// Returns the mask that was in force before, for a child to inherit.
    pub fn mask_before(&self) -> SignalMask {
        SignalMask(self.before)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        mask(libc::SIG_SETMASK, &self.before);
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
}

impl Shield {
    /// Blocks every signal in this thread but the one that ends a blocking call.
    ///
    /// Threads started while it lives inherit that; they call [`Watch::in_helper`].
    pub fn new() -> Self {
        prepare_interrupt();
        let mut all = MaybeUninit::<sigset_t>::uninit();
        // SAFETY: sigfillset and sigdelset write a valid set to the pointer we own.
        let all = unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::sigdelset(all.as_mut_ptr(), INTERRUPT);
            all.assume_init()
        };
        Self { before: mask(libc::SIG_SETMASK, &all) }
    }
}

impl Default for Shield {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Shield {
    fn drop(&mut self) {
        mask(libc::SIG_SETMASK, &self.before);
    }
}

/// A thread that can be woken from a blocking call, or from [`Watch::wait`] of a helper.
#[derive(Clone, Copy)]
pub struct Sleeper(pthread_t);

// SAFETY: a pthread_t is only an identifier; on Linux it may be used from any thread while the
// thread it names has not been joined, which the owner of the wait guarantees.
unsafe impl Send for Sleeper {}
// SAFETY: as above; sharing an identifier shares nothing mutable.
unsafe impl Sync for Sleeper {}

impl Sleeper {
    /// Names the calling thread.
    pub fn current() -> Self {
        // SAFETY: pthread_self has no preconditions.
        Self(unsafe { libc::pthread_self() })
    }

    /// Ends a blocking call of that thread with `EINTR`, or its [`Watch::wait`] early.
    ///
    /// Lost if the thread is not in the call yet: repeat until it acknowledges.
    pub fn wake(self) {
        // SAFETY: the thread named is alive: both ends of a wait are joined by its owner, and
        // the signal has a handler (or is fetched) by then.
        unsafe { libc::pthread_kill(self.0, INTERRUPT) };
    }
}

impl Watch {
    /// The watch of a helper thread started under a [`Shield`]: fetches `signals` and wake-ups,
    /// and lets every other signal act as it did before the shield.
    pub fn in_helper(signals: &[c_int], shield_before: SignalMask) -> Self {
        let mut watched = empty();
        let mut blocked = shield_before.0;
        let wanted = signals.iter().copied().filter(|signal| !is_ignored(*signal));
        for signal in wanted.chain([INTERRUPT]) {
            add(&mut watched, signal);
            add(&mut blocked, signal);
        }
        // In one step: a signal that is pending already must not find a gap between two masks.
        Self { before: mask(libc::SIG_SETMASK, &blocked), watched }
    }
}

impl Shield {
    /// Returns the mask before the shield, for [`Watch::in_helper`].
    pub fn mask_before(&self) -> SignalMask {
        SignalMask(self.before)
    }
}

/// Stops this process as Ctrl-Z does, until somebody continues it.
///
/// By `SIGTSTP` and not by `SIGSTOP`: in an orphaned process group, where no shell would ever
/// continue it, the kernel discards the former, and this returns at once.
pub fn stop_self() {
    let mut only = empty();
    add(&mut only, SIGTSTP);
    // One that is pending would stop us when it is unblocked, and ours once more when we go on.
    fetch(&only, Some(Duration::ZERO));
    let before = mask(libc::SIG_UNBLOCK, &only);
    raise(SIGTSTP);
    mask(libc::SIG_SETMASK, &before);
}

/// Sends a signal to this thread.
pub fn raise(signal: c_int) {
    // SAFETY: raising a signal has no memory preconditions.
    unsafe { libc::raise(signal) };
}

/// Returns the signals that a living [`Watch`] ignores, so that a command gets their defaults back:
/// none, for they are only blocked.
pub(in crate::platform) fn ignored_by_us() -> impl Iterator<Item = c_int> {
    std::iter::empty()
}

fn fetch(watched: &sigset_t, limit: Option<Duration>) -> Option<Arrival> {
    loop {
        let mut about = MaybeUninit::<libc::siginfo_t>::zeroed();
        let limit = limit.map(|limit| libc::timespec {
            tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: libc::c_long::from(limit.subsec_nanos() as i32),
        });
        let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the set and the timeout outlive the call, the info is written where we own
        // the space, and all-zero is a valid siginfo.
        let signal = unsafe { libc::sigtimedwait(watched, about.as_mut_ptr(), limit) };
        if signal > 0 {
            // SAFETY: zeroed above and filled by the kernel.
            let from_process = unsafe { about.assume_init() }.si_code <= 0;
            let origin = if from_process { Origin::Process } else { Origin::Kernel };
            return Some(Arrival { signal, origin });
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return None;
        }
    }
}
