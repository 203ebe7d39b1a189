//! Locks on ranges of bytes: tried, waited for, let go.
//!
//! The lock that counts is always asked for without waiting, on the file that is to keep it; so no
//! wait that was given up can be granted later, and nothing has to be taken back. In between the
//! thread sleeps, alertably, until a second handle of the file is granted the same lock, which is
//! let go at once, or for a pause that grows. The second handle only makes the waking prompt, and
//! allows for long pauses: where the kernel cannot wait for a lock in the background (Wine), they
//! stay short.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, ERROR_LOCK_VIOLATION, GENERIC_READ, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_OVERLAPPED, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx,
    ReOpenFile, UnlockFileEx,
};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Threading::CreateEventW;

use super::nt::SHARE_ALL;
use super::wait::{Woken, sleep_until};

/// The pause between two tries begins here and doubles.
const SHORTEST: Duration = Duration::from_millis(1);

/// Where it ends if the kernel tells when to try again. A grant that it does not tell of is met then.
const LONGEST: Duration = Duration::from_secs(1);

/// Where it ends if only trying tells. Hundreds of waiters do it without keeping Wine's one server
/// busy.
const LONGEST_UNTOLD: Duration = Duration::from_millis(100);

/// Which bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// All that there can be.
    Whole,
    /// One far behind every content, which nobody reads or writes.
    Mark,
}

/// Where the byte of [`Range::Mark`] is.
const MARK: u64 = 1 << 62;

/// How they are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Shared,
    Exclusive,
}

impl Range {
    fn start(self) -> u64 {
        if self == Self::Mark { MARK } else { 0 }
    }

    /// The lower and the upper half of the length.
    fn length(self) -> (u32, u32) {
        if self == Self::Mark { (1, 0) } else { (u32::MAX, u32::MAX) }
    }

    fn overlapped(self) -> OVERLAPPED {
        let mut overlapped = OVERLAPPED::default();
        overlapped.Anonymous.Anonymous.Offset = self.start() as u32;
        overlapped.Anonymous.Anonymous.OffsetHigh = (self.start() >> 32) as u32;
        overlapped
    }
}

impl Mode {
    fn flags(self) -> u32 {
        if self == Self::Exclusive { LOCKFILE_EXCLUSIVE_LOCK } else { 0 }
    }
}

/// Tries to lock. Never blocks.
pub(super) fn try_lock(file: &File, range: Range, mode: Mode) -> io::Result<bool> {
    let mut overlapped = range.overlapped();
    let (low, high) = range.length();
    let flags = mode.flags() | LOCKFILE_FAIL_IMMEDIATELY;
    // SAFETY: the handle is open and synchronous, so the call is over when it returns and nothing
    // refers to the structure any more.
    let granted =
        unsafe { LockFileEx(file.as_raw_handle(), flags, 0, low, high, &raw mut overlapped) };
    if granted != 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_LOCK_VIOLATION | ERROR_IO_PENDING) => Ok(false),
        _ => Err(error),
    }
}

/// Locks, and blocks until that is granted or the thread is woken.
pub(super) fn lock(file: &File, range: Range, mode: Mode) -> io::Result<()> {
    let mut pause = SHORTEST;
    let mut scout = None;
    loop {
        if try_lock(file, range, mode)? {
            return Ok(());
        }
        let scout = scout.get_or_insert_with(|| Scout::of(file)).as_mut();
        let asked = scout.and_then(|scout| scout.ask(range, mode));
        let longest = if asked.is_some() { LONGEST } else { LONGEST_UNTOLD };
        match sleep_until(asked.as_ref().map(Asked::event), pause.min(longest)) {
            Woken::Alert => return Err(io::ErrorKind::Interrupted.into()),
            Woken::Event | Woken::Time => pause = (pause * 2).min(LONGEST),
        }
    }
}

/// Lets a lock go. A handle can have both kinds at once: see [`share`].
pub(super) fn unlock(file: &File, range: Range) -> io::Result<()> {
    unlock_handle(file.as_raw_handle(), range)?;
    // It says that nothing is locked any more, as a rule.
    drop(unlock_handle(file.as_raw_handle(), range));
    Ok(())
}

/// Makes an exclusive lock a shared one; nobody comes in between. `false` if there was none, and
/// somebody else has one.
pub(super) fn share(file: &File, range: Range) -> io::Result<bool> {
    if !try_lock(file, range, Mode::Shared)? {
        return Ok(false);
    }
    // Of both, the exclusive one is let go first.
    unlock_handle(file.as_raw_handle(), range)?;
    Ok(true)
}

fn unlock_handle(handle: *mut std::ffi::c_void, range: Range) -> io::Result<()> {
    let mut overlapped = range.overlapped();
    let (low, high) = range.length();
    // SAFETY: the handle is open; unlocking is over when the call returns.
    match unsafe { UnlockFileEx(handle, 0, low, high, &raw mut overlapped) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A second handle of a file, whose requests the kernel answers in the background.
struct Scout {
    handle: OwnedHandle,
    event: OwnedHandle,
    /// A request could not be taken back: the kernel does not know of it any more.
    is_forgotten: bool,
}

/// A request of a scout's.
struct Asked<'a> {
    scout: &'a mut Scout,
    range: Range,
    /// On the heap, so that it can be left there: see `drop`.
    overlapped: ManuallyDrop<Box<OVERLAPPED>>,
}

impl Scout {
    fn of(file: &File) -> Option<Self> {
        // SAFETY: the handle is open; what is returned is a handle of its own.
        let handle = unsafe {
            ReOpenFile(file.as_raw_handle(), GENERIC_READ, SHARE_ALL, FILE_FLAG_OVERLAPPED)
        };
        // SAFETY: no pointers; an event that is reset by hand, as overlapped calls want it.
        let event = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
        // SAFETY: each is owned if it was made.
        let own = |handle| unsafe { OwnedHandle::from_raw_handle(handle) };
        let handle = (handle != INVALID_HANDLE_VALUE).then(|| own(handle));
        let event = (!event.is_null()).then(|| own(event));
        Some(Self { handle: handle?, event: event?, is_forgotten: false })
    }

    /// Asks for the lock; `None` if nothing would tell of the answer.
    fn ask(&mut self, range: Range, mode: Mode) -> Option<Asked<'_>> {
        if self.is_forgotten {
            return None;
        }
        let mut overlapped = Box::new(range.overlapped());
        overlapped.hEvent = self.event.as_raw_handle();
        let (low, high) = range.length();
        let handle = self.handle.as_raw_handle();
        // SAFETY: the structure is on the heap and is freed only once the kernel is done with it.
        let granted =
            unsafe { LockFileEx(handle, mode.flags(), 0, low, high, &raw mut *overlapped) };
        let is_pending =
            || io::Error::last_os_error().raw_os_error() == Some(ERROR_IO_PENDING.cast_signed());
        (granted != 0 || is_pending()).then(|| Asked {
            scout: self,
            range,
            overlapped: ManuallyDrop::new(overlapped),
        })
    }
}

impl Asked<'_> {
    fn event(&self) -> &OwnedHandle {
        &self.scout.event
    }
}

impl Drop for Asked<'_> {
    /// Takes the request back. One that was granted meanwhile is let go.
    fn drop(&mut self) {
        let handle = self.scout.handle.as_raw_handle();
        let overlapped = &raw mut **self.overlapped;
        let mut bytes = 0;
        // SAFETY: handle and structure are those of the request. What was cancelled is waited
        // for; otherwise it is over already, or forgotten.
        let is_granted = unsafe {
            let cancelled = CancelIoEx(handle, overlapped);
            GetOverlappedResult(handle, overlapped, &raw mut bytes, cancelled) != 0
        };
        if is_granted {
            // Closing the handle, at the latest, lets it go as well.
            drop(unlock_handle(handle, self.range));
        } else {
            let error = io::Error::last_os_error();
            self.scout.is_forgotten = error.raw_os_error() == Some(ERROR_IO_INCOMPLETE);
        }
        if !self.scout.is_forgotten {
            // SAFETY: dropped once, here; the kernel is done with it.
            unsafe { ManuallyDrop::drop(&mut self.overlapped) };
        }
    }
}

/// What `GetOverlappedResult` says of a request that is not over: its structure stays where it is.
const ERROR_IO_INCOMPLETE: i32 = windows_sys::Win32::Foundation::ERROR_IO_INCOMPLETE.cast_signed();
