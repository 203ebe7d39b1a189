//! Signals as events: held off, and fetched one at a time.
//!
//! Nothing runs inside a signal handler. How they are fetched is each system's own ([`Watch`]); what
//! all Unixes share is here. Two users: the supervisor, which waits for its child
//! and forwards what arrives, on one thread; and the helper of a waiting lock call, which shares
//! the process with a thread that is blocked in the kernel and must see no signal at all, except
//! the one that ends its wait (a signal handled in between would send it to the back of the
//! kernel's lock queue even with `SA_RESTART`; measured).

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, sigset_t};

use crate::platform::system::watch::ignored_by_us;

pub use crate::platform::system::watch::{Shield, SignalMask, Sleeper, Watch, raise, stop_self};
pub use libc::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGSTOP, SIGTERM, SIGTSTP,
    SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2,
};

/// Ends a blocking lock call. Its default is to be ignored, so a late one does no harm.
pub(in crate::platform) const INTERRUPT: c_int = libc::SIGURG;

/// Where a signal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The kernel: a key at the terminal, or the terminal's end. The whole foreground process
    /// group has it already.
    Kernel,
    /// A process, by `kill(2)` or its relatives.
    Process,
}

/// A signal that was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The signal's number.
    pub signal: c_int,
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

/// Signals of a write that fails anyway: its error tells more than the end of the process.
const OF_WRITES: [c_int; 2] = [SIGPIPE, libc::SIGXFSZ];

/// A reader that goes away, and a file that grows beyond `ulimit -f`, are errors of a write, not the
/// end of the process. Where the process was started with one of them ignored already, its command
/// will be too.
pub fn turn_into_errors() {
    for (place, signal) in OF_WRITES.into_iter().enumerate() {
        if !is_ignored(signal) {
            RESTORED[place].store(true, Ordering::Relaxed);
            // SAFETY: SIG_IGN is a valid disposition.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
    }
}

/// Returns the signals of which a command must get the default back.
pub(super) fn restored_in_commands() -> impl Iterator<Item = c_int> {
    let all = OF_WRITES.into_iter().zip(&RESTORED);
    let ours = all.filter(|(_, restored)| restored.load(Ordering::Relaxed));
    ours.map(|(signal, _)| signal).chain(ignored_by_us())
}

static RESTORED: [AtomicBool; OF_WRITES.len()] =
    [const { AtomicBool::new(false) }; OF_WRITES.len()];

/// Sends a signal to a process. `false` if there is no such process.
pub fn send(pid: u32, signal: c_int) -> bool {
    // SAFETY: kill has no memory preconditions; a pid that does not fit cannot exist.
    i32::try_from(pid).is_ok_and(|pid| pid > 0 && unsafe { libc::kill(pid, signal) } == 0)
}

/// Ends this process by a signal's default action, so that a shell loop stops as it does when a
/// program is interrupted. Returns if the signal does not end processes.
pub fn die_of(signal: c_int) {
    let mut only = empty();
    add(&mut only, signal);
    // SAFETY: SIG_DFL is a valid disposition, and nothing of ours runs in a handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    mask(libc::SIG_UNBLOCK, &only);
    raise(signal);
}

/// A child of ours must be waited for, so an inherited "ignore" cannot stay.
pub(in crate::platform) fn forget_ignored_children() {
    if is_ignored(SIGCHLD) {
        // SAFETY: SIG_DFL is a valid disposition.
        unsafe { libc::signal(SIGCHLD, libc::SIG_DFL) };
    }
}

pub(in crate::platform) fn is_ignored(signal: c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action only reads; the old one is written where we own the space, and
    // read only if the call succeeded.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

pub(in crate::platform) fn prepare_interrupt() {
    extern "C" fn nothing(_: c_int) {}
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let handler: extern "C" fn(c_int) = nothing;
        // SAFETY: an all-zero sigaction is valid; the handler does nothing and is therefore
        // async-signal-safe. Without SA_RESTART the blocking call returns EINTR.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as usize;
            libc::sigaction(INTERRUPT, &raw const action, ptr::null_mut());
        }
    });
}

pub(in crate::platform) fn empty() -> sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set it is given.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

pub(in crate::platform) fn add(set: &mut sigset_t, signal: c_int) {
    // SAFETY: the set is initialised; an invalid number is refused without effect.
    unsafe { libc::sigaddset(set, signal) };
}

/// Changes the mask of this thread and returns the one before.
pub(in crate::platform) fn mask(how: c_int, set: &sigset_t) -> sigset_t {
    let mut before = empty();
    // SAFETY: both sets are initialised and outlive the call.
    unsafe { libc::pthread_sigmask(how, set, &raw mut before) };
    before
}
