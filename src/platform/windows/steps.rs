//! What a test can ask of a step: see `step`.

use std::io;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_CRC, ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED,
    ERROR_INVALID_PARAMETER, ERROR_NOT_SUPPORTED, ERROR_TOO_MANY_OPEN_FILES, ERROR_WRITE_PROTECT,
};

/// Stops this process for good: a test ends it.
pub fn stop() {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
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
