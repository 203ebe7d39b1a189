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
    ERROR_IO_INCOMPLETE, ERROR_IO_PENDING, ERROR_LOCK_VIOLATION, GENERIC_READ,
    INVALID_HANDLE_VALUE, STATUS_PENDING, STATUS_SUCCESS,
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

/// Where it ends if the kernel tells when to try again. What it failed to tell is found then.
const LONGEST: Duration = Duration::from_secs(1);

/// Where it ends if only trying tells: hundreds may wait, and Wine has one server for all of them.
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
    if try_lock(file, range, mode)? {
        return Ok(());
    }
    let mut scout = Scout::of(file);
    let mut pause = SHORTEST;
    // Whoever is told and comes too late does not ask at once: of several that want the lock alone,
    // each would give it to the next one's scout, and none would get it.
    let mut is_told = false;
    let mut pause_of_the_late = SHORTEST;
    loop {
        let asked = scout.as_mut().filter(|_| !is_told).and_then(|scout| scout.ask(range, mode));
        let longest = if asked.is_some() { LONGEST } else { LONGEST_UNTOLD };
        let woken = sleep_until(asked.as_ref().map(Asked::event), pause.min(longest));
        if !asked.is_none_or(Asked::take_back) {
            scout = None;
        }
        match woken {
            Woken::Alert => return Err(io::ErrorKind::Interrupted.into()),
            Woken::Event => {
                (is_told, pause) = (true, pause_of_the_late);
                pause_of_the_late = (pause_of_the_late * 2).min(LONGEST_UNTOLD);
            }
            Woken::Time => (is_told, pause) = (false, (pause * 2).min(LONGEST)),
        }
        if try_lock(file, range, mode)? {
            return Ok(());
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
}

/// A request of a scout's, to be taken back.
#[must_use]
struct Asked<'a> {
    scout: &'a mut Scout,
    range: Range,
    /// On the heap, so that it can be left there: see [`Asked::take_back`].
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
        Some(Self { handle: handle?, event: event? })
    }

    /// Asks for the lock; `None` if that is refused.
    fn ask(&mut self, range: Range, mode: Mode) -> Option<Asked<'_>> {
        let mut overlapped = Box::new(range.overlapped());
        overlapped.hEvent = self.event.as_raw_handle();
        // What the kernel writes as well. Wine does not.
        overlapped.Internal = STATUS_PENDING.cast_unsigned() as usize;
        let (low, high) = range.length();
        let handle = self.handle.as_raw_handle();
        // SAFETY: the structure is on the heap and is freed only once the kernel is done with it.
        let granted =
            unsafe { LockFileEx(handle, mode.flags(), 0, low, high, &raw mut *overlapped) };
        if granted != 0 {
            overlapped.Internal = STATUS_SUCCESS.cast_unsigned() as usize;
        } else if io::Error::last_os_error().raw_os_error() != Some(IO_PENDING) {
            return None;
        }
        Some(Asked { scout: self, range, overlapped: ManuallyDrop::new(overlapped) })
    }
}

impl Asked<'_> {
    fn event(&self) -> &OwnedHandle {
        &self.scout.event
    }

    /// Takes the request back. One that was granted meanwhile is let go. `false` if the kernel
    /// knows of none and has not answered it: it forgets them.
    fn take_back(mut self) -> bool {
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
        } else if io::Error::last_os_error().raw_os_error() == Some(IO_INCOMPLETE) {
            return false;
        }
        // SAFETY: dropped once, here; the kernel is done with it.
        unsafe { ManuallyDrop::drop(&mut self.overlapped) };
        true
    }
}

/// What `LockFileEx` says of a request that is to be answered later.
const IO_PENDING: i32 = ERROR_IO_PENDING.cast_signed();

/// What `GetOverlappedResult` says of one that is not over: its structure stays where it is.
const IO_INCOMPLETE: i32 = ERROR_IO_INCOMPLETE.cast_signed();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::tests::is_wine;

    /// What was asked in the background and taken back keeps nobody out, whether it had been
    /// granted, was pending, or the kernel had forgotten it.
    #[test]
    fn a_request_that_is_taken_back_leaves_no_lock() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("lock");
        let open =
            || File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let (holder, other) = (open().expect("it opens"), open().expect("it opens"));
        let mut scout = Scout::of(&other).expect("a second handle");
        let exclusive = Mode::Exclusive;
        let answers_later = !is_wine();
        for is_held in [false, true] {
            if is_held {
                assert!(try_lock(&holder, Range::Whole, exclusive).expect("it is asked"));
            }
            let asked = scout.ask(Range::Whole, exclusive).expect("it is not refused");
            assert_eq!(asked.take_back(), !is_held || answers_later, "held: {is_held}");
            if is_held {
                unlock(&holder, Range::Whole).expect("it is ours");
            }
            assert!(try_lock(&other, Range::Whole, exclusive).expect("it is asked"));
            unlock(&other, Range::Whole).expect("it is ours");
        }
    }
}
