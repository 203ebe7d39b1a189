//! Events of the kernel, kqueue(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// How many events are fetched at once; what is left comes with the next call.
const MOST_EVENTS: usize = 16;

/// A queue of events. It does not survive fork(2).
#[derive(Debug)]
pub struct Queue(OwnedFd);

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The process, the signal or the number of our own.
    pub ident: usize,
    /// `EVFILT_PROC`, `EVFILT_SIGNAL` or `EVFILT_USER`.
    pub filter: i16,
}

impl Queue {
    /// Makes a queue, which no command inherits.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no preconditions; the descriptor that is returned is ours.
        let queue = unsafe {
            match libc::kqueue() {
                -1 => return Err(io::Error::last_os_error()),
                number => OwnedFd::from_raw_fd(number),
            }
        };
        rustix::io::fcntl_setfd(&queue, rustix::io::FdFlags::CLOEXEC)?;
        Ok(Self(queue))
    }

    /// Changes what the queue tells of.
    pub fn change(&self, event: Event, flags: u16, details: u32) -> io::Result<()> {
        let change = libc::kevent {
            ident: event.ident,
            filter: event.filter,
            flags,
            fflags: details,
            data: 0,
            udata: ptr::null_mut(),
        };
        // SAFETY: the one change outlives the call, and no events are fetched.
        let result = unsafe {
            let (no_events, no_time) = (ptr::null_mut(), ptr::null());
            libc::kevent(self.0.as_raw_fd(), &raw const change, 1, no_events, 0, no_time)
        };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Returns what has happened, waiting for at most `limit` if nothing has (`None` = as long as it
    /// takes).
    ///
    /// # Errors
    /// What kevent(2) says; `Interrupted` if a signal was handled.
    pub fn fetch(&self, limit: Option<Duration>) -> io::Result<Vec<Event>> {
        let mut events = [const { MaybeUninit::<libc::kevent>::uninit() }; MOST_EVENTS];
        let limit = limit.map(|limit| libc::timespec {
            tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: libc::c_long::from(limit.subsec_nanos().cast_signed()),
        });
        let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: there is room for as many events as is said, and the time outlives the call.
        let count = unsafe {
            let room = events.as_mut_ptr().cast();
            libc::kevent(self.0.as_raw_fd(), ptr::null(), 0, room, MOST_EVENTS as i32, limit)
        };
        let Ok(count) = usize::try_from(count) else { return Err(io::Error::last_os_error()) };
        let fetched = events.iter().take(count).map(|event| {
            // SAFETY: the kernel has written as many events as it said.
            let event = unsafe { event.assume_init() };
            Event { ident: event.ident, filter: event.filter }
        });
        Ok(fetched.collect())
    }
}
