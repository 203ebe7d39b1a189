//! Signals as events, fetched one at a time.
//!
//! Windows has keys of the console and ends of sessions; they are given the numbers that Unix has
//! for the same. The system tells of them on a thread of its own, which only puts them down here.
//! Whoever watches for one takes it; one that nobody watches for acts as it always does.
//!
//! The end of a command, and what dbguard tells itself, arrive in the same way.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
    SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Threading::{ExitProcess, GetCurrentThreadId};

use super::wait::alert;
use super::{process, spawn};

/// Ctrl-C.
pub const SIGINT: i32 = 2;
/// Ctrl-Break.
pub const SIGQUIT: i32 = 3;
/// The console window is closed.
pub const SIGHUP: i32 = 1;
/// The session or the system ends; sent to others, it ends them.
pub const SIGTERM: i32 = 15;
/// Sent to others, it ends them.
pub const SIGKILL: i32 = 9;
/// A command has ended.
pub const SIGCHLD: i32 = 17;
/// dbguard to itself.
pub const SIGUSR1: i32 = 10;
/// dbguard to itself.
pub const SIGUSR2: i32 = 12;
/// Not on Windows.
pub const SIGCONT: i32 = 18;
/// Not on Windows.
pub const SIGSTOP: i32 = 19;
/// Not on Windows.
pub const SIGTSTP: i32 = 20;
/// Not on Windows.
pub const SIGTTIN: i32 = 21;
/// Not on Windows.
pub const SIGTTOU: i32 = 22;
/// Not on Windows.
pub const SIGPIPE: i32 = 13;

/// What a process ends with that Ctrl-C ended (`STATUS_CONTROL_C_EXIT`): shells stop their loops.
const ENDED_BY_KEY: u32 = 0xC000_013A;

/// Longer than the system leaves a process at the end of a session.
const LONGEST_END: Duration = Duration::from_secs(60);

/// Ends a sleep, of a watch or of a lock call. Not a signal of the system's.
const INTERRUPT: i32 = 0;

/// Where a signal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A key at the console, or the console's end. Whatever shares the console has it already.
    Kernel,
    /// A process.
    Process,
}

/// A signal that was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The signal's number.
    pub signal: i32,
    /// Who sent it.
    pub origin: Origin,
}

impl Arrival {
    /// Ctrl-Z at the terminal.
    pub const SUSPEND: Self = Self { signal: SIGTSTP, origin: Origin::Kernel };

    /// Whether this is only [`Sleeper::wake`].
    pub fn is_wake(self) -> bool {
        self.signal == INTERRUPT
    }
}

/// What was put down and who watches.
struct Post {
    pending: VecDeque<Arrival>,
    /// The threads that are to be woken.
    woken: Vec<u32>,
    /// What each watch watches for.
    watched: Vec<i32>,
}

static POST: Mutex<Post> =
    Mutex::new(Post { pending: VecDeque::new(), woken: Vec::new(), watched: Vec::new() });
static NEWS: Condvar = Condvar::new();

fn post() -> MutexGuard<'static, Post> {
    POST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts a signal down. `false` if nobody watches for it.
fn deliver(arrival: Arrival) -> bool {
    let mut post = post();
    let is_watched = post.watched.contains(&arrival.signal);
    if is_watched && !post.pending.contains(&arrival) {
        post.pending.push_back(arrival);
    }
    NEWS.notify_all();
    is_watched
}

/// Tells whoever watches that a command has ended.
pub(super) fn child_ended() {
    deliver(Arrival { signal: SIGCHLD, origin: Origin::Kernel });
}

/// Called by the system on a thread of its own. A key that somebody takes note of does not end the
/// process. The end of a session does, when this returns or after some seconds.
unsafe extern "system" fn heard(event: u32) -> i32 {
    let signal = match event {
        CTRL_C_EVENT => SIGINT,
        CTRL_BREAK_EVENT => SIGQUIT,
        CTRL_CLOSE_EVENT => SIGHUP,
        // It reaches only services, whoever logs off, and ends none of them.
        CTRL_LOGOFF_EVENT => return 1,
        CTRL_SHUTDOWN_EVENT => SIGTERM,
        _ => return 0,
    };
    let is_heard = deliver(Arrival { signal, origin: Origin::Kernel });
    if is_heard && !matches!(signal, SIGINT | SIGQUIT) {
        // The time in which others give back what they hold.
        std::thread::sleep(LONGEST_END);
    }
    i32::from(is_heard)
}

fn listen() {
    static ONCE: Once = Once::new();
    // SAFETY: the function is valid for the life of the process. Without a console there is nothing
    // to hear, and nothing lost.
    ONCE.call_once(|| unsafe {
        SetConsoleCtrlHandler(Some(heard), 1);
    });
}

/// Signals that are fetched by [`Watch::wait`].
///
/// When it is dropped, what was not fetched acts as it always does.
pub struct Watch {
    signals: Vec<i32>,
    is_over: AtomicBool,
}

impl Watch {
    /// Begins to watch for `signals`.
    pub fn new(signals: &[i32]) -> Self {
        listen();
        post().watched.extend(signals);
        Self { signals: signals.to_vec(), is_over: AtomicBool::new(false) }
    }

    /// The watch of a helper thread.
    pub fn in_helper(signals: &[i32], _shield_before: SignalMask) -> Self {
        Self::new(signals)
    }

    /// Returns the next of the signals, waiting for at most `limit` (`None` = as long as it
    /// takes). `None` when the time is up.
    pub fn wait(&self, limit: Option<Duration>) -> Option<Arrival> {
        // A time beyond what the clock can say is none.
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut post = post();
        loop {
            if let Some(arrival) = self.take(&mut post, |_| true) {
                return Some(arrival);
            }
            let Some(until) = until else {
                post = NEWS.wait(post).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            post = NEWS.wait_timeout(post, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn take(&self, post: &mut Post, wanted: impl Fn(i32) -> bool) -> Option<Arrival> {
        // SAFETY: no memory is involved.
        let me = unsafe { GetCurrentThreadId() };
        if let Some(place) = post.woken.iter().position(|thread| *thread == me) {
            post.woken.remove(place);
            return Some(Arrival { signal: INTERRUPT, origin: Origin::Process });
        }
        let is_ours = |one: &Arrival| self.signals.contains(&one.signal) && wanted(one.signal);
        let place = post.pending.iter().position(is_ours)?;
        post.pending.remove(place)
    }

    /// Lets the signals act as they always do again: after the first Ctrl-C has been understood, a
    /// second one ends the process whatever it is doing.
    pub fn let_through(&self) {
        if self.is_over.swap(true, Ordering::Relaxed) {
            return;
        }
        let left: Vec<Arrival> = {
            let mut post = post();
            for signal in &self.signals {
                if let Some(place) = post.watched.iter().position(|watched| watched == signal) {
                    post.watched.swap_remove(place);
                }
            }
            let watched = post.watched.clone();
            let (kept, left) =
                post.pending.drain(..).partition(|one| watched.contains(&one.signal));
            post.pending = kept;
            left.into_iter().collect::<VecDeque<Arrival>>().into()
        };
        left.into_iter().for_each(act);
    }

    /// Takes one signal out of those that are pending, without blocking. `true` if it was there.
    pub fn try_take(&self, signal: i32) -> bool {
        self.take(&mut post(), |one| one == signal).is_some_and(|arrival| !arrival.is_wake())
    }

    /// Returns what a command has to start with.
    pub fn mask_before(&self) -> SignalMask {
        SignalMask
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.let_through();
    }
}

/// What a signal does that nobody watches for.
fn act(arrival: Arrival) {
    if !matches!(arrival.signal, SIGCHLD | SIGCONT | SIGTSTP | INTERRUPT) {
        die_of(arrival.signal);
    }
}

/// A signal mask, for a child. Windows has none.
#[derive(Clone, Copy)]
pub struct SignalMask;

impl SignalMask {
    /// Returns the mask of this thread.
    pub fn current() -> Self {
        Self
    }
}

/// A thread about to block, see [`Sleeper::wake`]. On Windows no signal disturbs a thread.
#[derive(Default)]
pub struct Shield;

impl Shield {
    /// Prepares a blocking call.
    pub fn new() -> Self {
        Self
    }

    /// Returns the mask before the shield, for [`Watch::in_helper`].
    pub fn mask_before(&self) -> SignalMask {
        SignalMask
    }
}

/// A thread that can be woken from a blocking call, or from [`Watch::wait`].
#[derive(Clone, Copy)]
pub struct Sleeper(u32);

impl Sleeper {
    /// Names the calling thread.
    pub fn current() -> Self {
        // SAFETY: no memory is involved.
        Self(unsafe { GetCurrentThreadId() })
    }

    /// Ends a blocking lock call of that thread, or its [`Watch::wait`] early.
    pub fn wake(self) {
        {
            let mut post = post();
            if !post.woken.contains(&self.0) {
                post.woken.push(self.0);
            }
        }
        NEWS.notify_all();
        alert(self.0);
    }
}

/// A reader that goes away is an error of a write on Windows, always.
pub fn turn_into_errors() {}

/// Sends a signal to a process. `false` if there is no such process, or it may not be ended.
///
/// # Platforms
/// On Windows TERM and KILL end it at once, and no other signal does anything but to ourselves.
pub fn send(pid: u32, signal: i32) -> bool {
    match signal {
        SIGTERM | SIGKILL => spawn::end(pid, signal),
        _ if pid == std::process::id() => {
            raise(signal);
            true
        }
        _ => process::start_time(pid).is_some(),
    }
}

/// Stops this process until somebody continues it: not on Windows.
pub fn stop_self() {}

/// Sends a signal to this process.
pub fn raise(signal: i32) {
    let arrival = Arrival { signal, origin: Origin::Process };
    if !deliver(arrival) {
        act(arrival);
    }
}

/// Ends this process as the signal does, so that a shell's loop stops.
pub fn die_of(signal: i32) {
    let code = match signal {
        SIGINT | SIGQUIT | SIGHUP => ENDED_BY_KEY,
        _ => 128 + signal.cast_unsigned(),
    };
    // SAFETY: ends the process; what is not written by now is lost, as with any signal.
    unsafe { ExitProcess(code) }
}
