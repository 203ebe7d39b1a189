//! How a process that keeps a lock is asked for something: by events of the kernel's, which have a name.
//!
//! # Platforms
//! Windows has no signals. The name of an event has all of it in it: the claim, the process, and when
//! that started. Only who keeps the claim waits for it. So a claim that lies leads to an event that is
//! not there, and whoever makes one of that name only hears of it himself: nobody is ended by it.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_ALREADY_EXISTS, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Threading::{
    CreateEventW, EVENT_MODIFY_STATE, INFINITE, OpenEventW, RegisterWaitForSingleObject, SetEvent,
    UnregisterWaitEx, WT_EXECUTEDEFAULT,
};

use super::process::{self, ProcessHandle};
use super::signals;
use crate::platform::FileId;

/// A process that keeps a claim alive.
#[derive(Debug)]
pub struct Reached {
    process: ProcessHandle,
    pid: u32,
    start: u64,
    claim: FileId,
}

/// Has this process hear what it is asked for.
#[derive(Debug)]
pub struct Hearing(#[expect(dead_code, reason = "only to be dropped")] Vec<Ear>);

/// One event, and the wait for it.
#[derive(Debug)]
struct Ear {
    wait: HANDLE,
    _event: OwnedHandle,
}

/// Reaches the process with this number that started then; `None` if it has ended, or does not keep
/// the claim alive.
///
/// # Errors
/// It may not be reached: only its user can ask it for something, and who may ask everybody.
pub fn reach(pid: u32, start: u64, claim: FileId) -> io::Result<Option<Reached>> {
    let Some(process) = ProcessHandle::open_started(pid, start)? else { return Ok(None) };
    let reached = Reached { process, pid, start, claim };
    match reached.event(signals::SIGTERM) {
        Ok(_) => Ok(Some(reached)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Reached {
    /// Sends the signal. A process that has ended is none to be told.
    ///
    /// # Errors
    /// It is not allowed (`PermissionDenied`).
    ///
    /// # Platforms
    /// On Windows it hears those that it has asked for, see [`hear`].
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let event = match self.event(signal) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        // SAFETY: the handle is open.
        match unsafe { SetEvent(event.as_raw_handle()) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Blocks until the process has ended or the time is up. `true` if it has ended.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        self.process.wait(limit)
    }

    fn event(&self, signal: i32) -> io::Result<OwnedHandle> {
        let name = name(self.pid, self.start, self.claim, signal);
        // SAFETY: the name ends with 0 and outlives the call.
        own(unsafe { OpenEventW(EVENT_MODIFY_STATE, 0, name.as_ptr()) })
    }
}

/// Begins to hear these signals from those who find this process by one of the claims.
///
/// # Errors
/// Somebody has an event of such a name already, or the system refuses.
pub fn hear(claims: impl Iterator<Item = FileId>, signals: &[i32]) -> io::Result<Hearing> {
    let pid = std::process::id();
    let start = process::start_time(pid).ok_or_else(|| io::Error::other("no start time"))?;
    let all = claims.flat_map(|claim| signals.iter().map(move |signal| (claim, *signal)));
    let ears = all.map(|(claim, signal)| Ear::open(&name(pid, start, claim, signal), signal));
    Ok(Hearing(ears.collect::<io::Result<_>>()?))
}

impl Ear {
    fn open(name: &[u16], signal: i32) -> io::Result<Self> {
        // SAFETY: the name ends with 0 and outlives the call. Who may set the event is up to this
        // user's defaults: himself and the system.
        let event = own(unsafe { CreateEventW(ptr::null(), 0, 0, name.as_ptr()) })?;
        if io::Error::last_os_error().raw_os_error() == Some(ERROR_ALREADY_EXISTS.cast_signed()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut wait = ptr::null_mut();
        let context = ptr::without_provenance(signal.unsigned_abs() as usize);
        // SAFETY: the event lives as long as the wait, see `drop`; the context is a number.
        let registered = unsafe {
            RegisterWaitForSingleObject(
                &raw mut wait,
                event.as_raw_handle(),
                Some(heard),
                context,
                INFINITE,
                WT_EXECUTEDEFAULT,
            )
        };
        match registered {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(Self { wait, _event: event }),
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // SAFETY: the wait was registered and is ended once. This returns when nothing of it runs.
        unsafe { UnregisterWaitEx(self.wait, INVALID_HANDLE_VALUE) };
    }
}

/// Called by the system, on a thread of its own, each time that the event is set.
unsafe extern "system" fn heard(signal: *mut std::ffi::c_void, _is_late: bool) {
    signals::raise(i32::try_from(signal.addr()).unwrap_or_default());
}

/// All sessions of the machine share these names.
fn name(pid: u32, start: u64, claim: FileId, signal: i32) -> Vec<u16> {
    let FileId { device, inode } = claim;
    let name = format!("Global\\dbguard-{device:x}-{inode:x}-{pid}-{start:x}-{signal}");
    name.encode_utf16().chain([0]).collect()
}

fn own(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the handle is open and ours.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}
