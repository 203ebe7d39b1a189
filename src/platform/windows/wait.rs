//! Sleeping so that another thread can end it.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::time::Duration;

use windows_sys::Win32::Foundation::{CloseHandle, WAIT_IO_COMPLETION, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    INFINITE, OpenThread, QueueUserAPC, SleepEx, THREAD_SET_CONTEXT, WaitForSingleObjectEx,
};

/// What ended a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// The event, or whatever the handle is of.
    Event,
    /// [`alert`].
    Alert,
    /// The time is up.
    Time,
}

/// Sleeps until the handle is signalled, the thread is alerted, or the time is up. An alert that
/// came before is not lost.
pub(super) fn sleep_until(event: Option<&OwnedHandle>, limit: Duration) -> Woken {
    let limit = milliseconds(Some(limit));
    let Some(event) = event else {
        // SAFETY: no memory is involved but what the alert's function does, which is nothing.
        return match unsafe { SleepEx(limit, 1) } {
            WAIT_IO_COMPLETION => Woken::Alert,
            _ => Woken::Time,
        };
    };
    // SAFETY: the handle is open as long as the borrow lives.
    match unsafe { WaitForSingleObjectEx(event.as_raw_handle(), limit, 1) } {
        WAIT_OBJECT_0 => Woken::Event,
        WAIT_IO_COMPLETION => Woken::Alert,
        _ => Woken::Time,
    }
}

/// Waits for a handle, alerts or not. `true` once it is signalled.
pub(super) fn wait_for(handle: &OwnedHandle, limit: Option<Duration>) -> io::Result<bool> {
    // SAFETY: the handle is open as long as the borrow lives.
    match unsafe { WaitForSingleObjectEx(handle.as_raw_handle(), milliseconds(limit), 0) } {
        WAIT_OBJECT_0 => Ok(true),
        windows_sys::Win32::Foundation::WAIT_FAILED => Err(io::Error::last_os_error()),
        _ => Ok(false),
    }
}

/// Ends the sleep of a thread, or its next one.
pub(super) fn alert(thread: u32) {
    unsafe extern "system" fn nothing(_: usize) {}
    // SAFETY: a handle of our own is opened, used and closed; the function that the thread will
    // call does nothing. A thread that has ended is not alerted.
    unsafe {
        let thread = OpenThread(THREAD_SET_CONTEXT, 0, thread);
        if !thread.is_null() {
            QueueUserAPC(Some(nothing), thread, 0);
            CloseHandle(thread);
        }
    }
}

/// Rounds up, so that a wait does not end before its time.
fn milliseconds(limit: Option<Duration>) -> u32 {
    let Some(limit) = limit else { return INFINITE };
    let whole = limit.as_nanos().div_ceil(1_000_000);
    u32::try_from(whole).unwrap_or(INFINITE - 1).min(INFINITE - 1)
}
