//! The book of the signals that are noted, and the queue that tells of them; one of each for the
//! whole process.

use std::io;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libc::c_int;

use super::queue::{Event, Queue};
use super::watch::Sleeper;
use crate::platform::unix::signals::{SIGCHLD, SIGCONT};

/// Signals have the numbers from 1 to 31.
const SIGNALS: usize = 32;

static BOOK: Mutex<Book> = Mutex::new(Book::new());

/// What is known of the signals that are noted.
pub(super) struct Book {
    queue: Option<(u32, Arc<Queue>)>,
    /// For how many each signal is noted.
    listeners: [u32; SIGNALS],
    /// How many watches hold each signal off, and what it did before the first.
    pub(super) held: [(u32, Option<libc::sigaction>); SIGNALS],
    /// Those that arrived and were not fetched, as bits.
    pub(super) noted: u32,
}

impl Book {
    const fn new() -> Self {
        Self { queue: None, listeners: [0; SIGNALS], held: [(0, None); SIGNALS], noted: 0 }
    }

    pub(super) fn open() -> MutexGuard<'static, Self> {
        BOOK.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the queue of this process; a copy made by fork(2) gets one of its own.
    pub(super) fn queue(&mut self) -> io::Result<Arc<Queue>> {
        let pid = std::process::id();
        if let Some((owner, queue)) = &self.queue
            && *owner == pid
        {
            return Ok(Arc::clone(queue));
        }
        // fork(2) does not copy it, so its number may be another file's by now: closing it would
        // close that one.
        if let Some(others) = self.queue.take() {
            std::mem::forget(others);
        }
        let queue = Arc::new(Queue::new()?);
        for signal in numbers(u32::MAX).filter(|signal| self.listeners[place(*signal)] > 0) {
            queue.change(event(signal), libc::EV_ADD | libc::EV_CLEAR, 0)?;
        }
        self.queue = Some((pid, Arc::clone(&queue)));
        Ok(queue)
    }

    /// Has a signal noted.
    pub(super) fn listen(&mut self, signal: c_int) -> io::Result<()> {
        if self.listeners[place(signal)] == 0 {
            self.queue()?.change(event(signal), libc::EV_ADD | libc::EV_CLEAR, 0)?;
        }
        self.listeners[place(signal)] += 1;
        Ok(())
    }

    pub(super) fn stop_listening(&mut self, signal: c_int) {
        self.listeners[place(signal)] -= 1;
        if self.listeners[place(signal)] == 0 {
            // A signal that is noted for nobody does no harm.
            drop(self.queue().and_then(|queue| queue.change(event(signal), libc::EV_DELETE, 0)));
            self.noted &= !bit(signal);
        }
    }

    /// Holds a signal off. One that cannot be noted acts as before.
    pub(super) fn hold(&mut self, signal: c_int) -> io::Result<()> {
        self.listen(signal)?;
        let (holders, before) = &mut self.held[place(signal)];
        *holders += 1;
        if *holders == 1 && !is_harmless(signal) {
            *before = Some(dispose(signal, libc::SIG_IGN));
        }
        Ok(())
    }

    /// Lets a signal act again. Returns whether one has arrived that nobody fetched.
    pub(super) fn release(&mut self, signal: c_int) -> bool {
        let (holders, before) = &mut self.held[place(signal)];
        *holders -= 1;
        let is_last = *holders == 0;
        if let Some(before) = before.take_if(|_| is_last) {
            restore(signal, &before);
        }
        let is_left = is_last && self.noted & bit(signal) != 0 && !is_harmless(signal);
        if is_left {
            self.noted &= !bit(signal);
        }
        self.stop_listening(signal);
        is_left
    }

    pub(super) fn take(&mut self, of: u32) -> Option<c_int> {
        let signal = numbers(self.noted & of).next()?;
        self.noted &= !bit(signal);
        Some(signal)
    }

    /// Writes down what the queue told, and returns whether the thread is woken that asks.
    pub(super) fn write_down(&mut self, events: &[Event]) -> bool {
        let signals = events.iter().filter(|event| event.filter == libc::EVFILT_SIGNAL);
        for signal in signals.filter_map(|event| c_int::try_from(event.ident).ok()) {
            self.noted |= bit(signal);
        }
        events.contains(&wake_up(Sleeper::current()))
    }
}

/// Whether the default of a signal does nothing to a process that runs, so that it need not be
/// ignored; of children that is ignored nothing can be learned.
fn is_harmless(signal: c_int) -> bool {
    matches!(signal, SIGCHLD | SIGCONT)
}

fn event(signal: c_int) -> Event {
    Event { ident: place(signal), filter: libc::EVFILT_SIGNAL }
}

pub(super) fn wake_up(thread: Sleeper) -> Event {
    Event { ident: thread.0, filter: libc::EVFILT_USER }
}

/// Changes what a signal does, and returns what it did.
pub(super) fn dispose(signal: c_int, handler: libc::sighandler_t) -> libc::sigaction {
    // SAFETY: an all-zero sigaction is valid, with SIG_DFL or SIG_IGN for a handler; both are ours.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let mut before: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        libc::sigaction(signal, &raw const action, &raw mut before);
        before
    }
}

pub(super) fn restore(signal: c_int, before: &libc::sigaction) {
    // SAFETY: it is what the system said that the signal did.
    unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
}

pub(super) fn place(signal: c_int) -> usize {
    usize::try_from(signal).ok().filter(|place| *place < SIGNALS).unwrap_or(0)
}

pub(super) fn bit(signal: c_int) -> u32 {
    1 << place(signal)
}

pub(super) fn with(bits: u32, signal: c_int) -> u32 {
    bits | bit(signal)
}

/// Returns the numbers of signals that bits stand for.
pub(super) fn numbers(bits: u32) -> impl Iterator<Item = c_int> {
    (1..32).filter(move |signal| bits & bit(*signal) != 0)
}
