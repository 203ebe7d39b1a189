//! What an error of the system means, where the kinds of the standard library do not tell.

use std::io;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_COMMITMENT_LIMIT, ERROR_INVALID_FUNCTION, ERROR_INVALID_PARAMETER,
    ERROR_LOCK_VIOLATION, ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_MEMORY, ERROR_NOT_SUPPORTED,
    ERROR_OUTOFMEMORY, ERROR_SHARING_VIOLATION, ERROR_TOO_MANY_OPEN_FILES,
};

use crate::platform::Shortage;

fn code(error: &io::Error) -> Option<u32> {
    error.raw_os_error().map(i32::cast_unsigned)
}

/// Returns what the system has run out of, if that is what the error says.
pub fn shortage(error: &io::Error) -> Option<Shortage> {
    match code(error)? {
        ERROR_TOO_MANY_OPEN_FILES => Some(Shortage::OwnFiles),
        ERROR_NOT_ENOUGH_MEMORY
        | ERROR_OUTOFMEMORY
        | ERROR_NO_SYSTEM_RESOURCES
        | ERROR_COMMITMENT_LIMIT => Some(Shortage::System),
        _ => None,
    }
}

/// Why whoever may write to a directory may not replace a file in it.
pub const MAY_NOT_BE_REPLACED: &str = "a program has the file open, or it is read-only (attrib)";

/// Whether a file could not be opened because too many are open.
pub fn is_out_of_files(error: &io::Error) -> bool {
    code(error) == Some(ERROR_TOO_MANY_OPEN_FILES)
}

/// Whether files cannot be locked where this one is.
pub fn is_without_locks(error: &io::Error) -> bool {
    matches!(code(error), Some(ERROR_NOT_SUPPORTED | ERROR_INVALID_FUNCTION))
}

/// Whether the number that was given is no process's.
pub fn is_of_no_process(error: &io::Error) -> bool {
    // What OpenProcess says of a number that nobody has.
    code(error) == Some(ERROR_INVALID_PARAMETER)
}

/// Whether there is no child to wait for.
pub fn is_childless(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Whether the system did not understand a call, which is a defect of the caller's.
pub fn is_not_understood(error: &io::Error) -> bool {
    code(error) == Some(ERROR_INVALID_PARAMETER)
}

/// Whether somebody keeps everybody else from opening or reading a file: by its share mode, or by a
/// lock on what is read.
pub fn is_shut_out(error: &io::Error) -> bool {
    matches!(code(error), Some(ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION))
}

/// Whether a directory could not be renamed because something in it is open.
pub fn is_open_inside(error: &io::Error) -> bool {
    matches!(code(error), Some(ERROR_ACCESS_DENIED | ERROR_SHARING_VIOLATION))
}

/// Returns the error of symbolic links that lead to each other.
pub fn circle_of_links() -> io::Error {
    io::Error::other("too many levels of symbolic links")
}
