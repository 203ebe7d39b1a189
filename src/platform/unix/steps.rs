//! What a test can ask of a step: see `step`.

use std::io;

/// Stops this process until somebody continues it.
pub fn stop() {
    super::signals::raise(libc::SIGSTOP);
}

/// Returns the nanoseconds of a clock that all processes share.
pub fn nanoseconds() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Returns the error with this name.
pub fn error_named(name: &str) -> io::Error {
    io::Error::from_raw_os_error(match name {
        "ENOLCK" => libc::ENOLCK,
        "EOPNOTSUPP" => libc::EOPNOTSUPP,
        "ENOSYS" => libc::ENOSYS,
        "ENOSPC" => libc::ENOSPC,
        "EDQUOT" => libc::EDQUOT,
        "EACCES" => libc::EACCES,
        "EROFS" => libc::EROFS,
        "EMFILE" => libc::EMFILE,
        "EIO" => libc::EIO,
        _ => libc::EINVAL,
    })
}
