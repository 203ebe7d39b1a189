//! What a test can ask of a step: see `step`.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_CRC, ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED,
    ERROR_INVALID_PARAMETER, ERROR_NOT_SUPPORTED, ERROR_TOO_MANY_OPEN_FILES, ERROR_WRITE_PROTECT,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentThread, GetCurrentThreadId, OpenThread, SuspendThread, THREAD_SUSPEND_RESUME,
};

use super::snapshot;

/// Stops this process until somebody resumes its threads: all are suspended, this one last.
pub fn stop() {
    // SAFETY: no pointers are involved.
    let me = unsafe { GetCurrentThreadId() };
    let others = snapshot::threads(process::id()).into_iter().filter(|thread| *thread != me);
    // One that is suspended may be in the midst of an allocation: nothing is allocated after it.
    let others: Vec<OwnedHandle> = others.filter_map(open).collect();
    for thread in &others {
        // SAFETY: the handle is open.
        unsafe { SuspendThread(thread.as_raw_handle()) };
    }
    // SAFETY: no pointers are involved, and the handle of the calling thread needs no closing.
    unsafe { SuspendThread(GetCurrentThread()) };
}

/// Opens a thread, unless it has ended.
fn open(thread: u32) -> Option<OwnedHandle> {
    // SAFETY: no pointers are involved.
    let handle = unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, thread) };
    // SAFETY: the call succeeded, so the handle is open and ours.
    (!handle.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Returns the nanoseconds of a clock that all processes share.
pub fn nanoseconds() -> i64 {
    i64::try_from(super::process::steady_time().as_nanos()).unwrap_or(i64::MAX)
}

/// Returns the error that corresponds to the one with this name.
pub fn error_named(name: &str) -> io::Error {
    let code = match name {
        "ENOLCK" | "EOPNOTSUPP" | "ENOSYS" => ERROR_NOT_SUPPORTED,
        "ENOSPC" => ERROR_DISK_FULL,
        "EDQUOT" => ERROR_DISK_QUOTA_EXCEEDED,
        "EACCES" => ERROR_ACCESS_DENIED,
        "EROFS" => ERROR_WRITE_PROTECT,
        "EMFILE" => ERROR_TOO_MANY_OPEN_FILES,
        "EIO" => ERROR_CRC,
        _ => ERROR_INVALID_PARAMETER,
    };
    io::Error::from_raw_os_error(code.cast_signed())
}
