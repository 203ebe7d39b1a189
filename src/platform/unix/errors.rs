//! What an error of the system means, where the kinds of the standard library do not tell.

use std::io;

use crate::platform::Shortage;

/// Returns what the system has run out of, if that is what the error says.
pub fn shortage(error: &io::Error) -> Option<Shortage> {
    match error.raw_os_error()? {
        libc::EMFILE => Some(Shortage::OwnFiles),
        libc::EAGAIN => Some(Shortage::Processes),
        libc::ENFILE | libc::ENOMEM => Some(Shortage::System),
        _ => None,
    }
}

/// Why whoever may write to a directory may not replace a file in it.
pub const MAY_NOT_BE_REPLACED: &str =
    "the directory has the sticky bit, or the file is immutable (lsattr)";

/// Whether a file could not be opened because too many are open.
pub fn is_out_of_files(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Whether files cannot be locked where this one is.
pub fn is_without_locks(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOLCK | libc::ENOSYS | libc::EOPNOTSUPP))
}

/// Whether the number that was given is no process's.
pub fn is_of_no_process(error: &io::Error) -> bool {
    // The last two: it is a thread's.
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EINVAL | libc::ENOENT))
}

/// Whether there is no child to wait for.
pub fn is_childless(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ECHILD)
}

/// Whether the system did not understand a call, which is a defect of the caller's.
pub fn is_not_understood(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}

/// Whether somebody keeps everybody else from opening or reading a file.
///
/// # Platforms
/// Never on Unix, where locks stop only those who ask for locks.
pub fn is_shut_out(_error: &io::Error) -> bool {
    false
}

/// Whether a directory could not be renamed because something in it is open.
///
/// # Platforms
/// Never on Unix, where that hinders nobody.
pub fn is_open_inside(_error: &io::Error) -> bool {
    false
}

/// Returns the error of symbolic links that lead to each other.
pub fn circle_of_links() -> io::Error {
    io::Error::from_raw_os_error(libc::ELOOP)
}
