//! Calls of the kernel that the Win32 interface hides: files relative to an open directory, and
//! errors that are told apart.
//!
//! `NtCreateFile` opens a name relative to a directory's handle, as `openat(2)` does, so that a
//! directory renamed or replaced underneath cannot redirect us. And it says "delete pending" where
//! Win32 says "access denied": such a file is gone, only somebody still has it open.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Wdk::Foundation::OBJECT_ATTRIBUTES;
use windows_sys::Wdk::Storage::FileSystem::{
    FILE_OPEN_REPARSE_POINT, FILE_SYNCHRONOUS_IO_NONALERT, NtCreateFile, NtSetInformationFile,
};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_DIRECTORY_NOT_SUPPORTED, ERROR_FILE_NOT_FOUND,
    ERROR_SHARING_VIOLATION, HANDLE, NTSTATUS, RtlNtStatusToDosError, STATUS_DELETE_PENDING,
    STATUS_FILE_IS_A_DIRECTORY, UNICODE_STRING,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_NORMAL, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, SYNCHRONIZE,
};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;

/// Everybody may do everything with what we have open, removal included.
pub(super) const SHARE_ALL: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// How long a refusal is tried again that a virus scanner or an indexer may have caused.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a name is opened.
#[derive(Clone, Copy)]
pub(super) struct Opening {
    /// What may be done with it (`GENERIC_READ`, `DELETE`, ...).
    pub(super) access: u32,
    /// Whether it may or must be there (`FILE_OPEN`, `FILE_CREATE`, ...).
    pub(super) disposition: u32,
    /// What it has to be, and more (`FILE_DIRECTORY_FILE`, ...).
    pub(super) options: u32,
}

/// Opens a name inside an open directory; without one, the name is a whole path of the kernel's.
/// A link is opened itself, never followed.
///
/// # Errors
/// `NotFound` also for what is about to be deleted. "Access denied" and "in use" only after they
/// were met for a second.
pub(super) fn open(
    within: &impl AsHandle,
    name: &OsStr,
    opening: Opening,
) -> io::Result<OwnedHandle> {
    patiently(|| open_once(within, name, opening, SHARE_ALL))
}

/// Opens it at the first try or not at all; `share` is what others may do with it meanwhile.
pub(super) fn open_once(
    within: &impl AsHandle,
    name: &OsStr,
    opening: Opening,
    share: u32,
) -> io::Result<OwnedHandle> {
    let mut wide: Vec<u16> = name.encode_wide().collect();
    let name = unicode(&mut wide)?;
    let attributes = OBJECT_ATTRIBUTES {
        Length: size_of_u32::<OBJECT_ATTRIBUTES>(),
        RootDirectory: within.as_handle().as_raw_handle(),
        ObjectName: &raw const name,
        Attributes: 0,
        SecurityDescriptor: ptr::null(),
        SecurityQualityOfService: ptr::null(),
    };
    let mut handle: HANDLE = ptr::null_mut();
    let mut block = MaybeUninit::<IO_STATUS_BLOCK>::zeroed();
    // SAFETY: every pointer refers to a value that outlives the call; the name's buffer is `wide`.
    let status = unsafe {
        NtCreateFile(
            &raw mut handle,
            opening.access | SYNCHRONIZE,
            &raw const attributes,
            block.as_mut_ptr(),
            ptr::null(),
            FILE_ATTRIBUTE_NORMAL,
            share,
            opening.disposition,
            opening.options | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_REPARSE_POINT,
            ptr::null(),
            0,
        )
    };
    check(status)?;
    // SAFETY: the call succeeded, so the handle is open and nobody else's.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Sets a property of an open file, whose structure is given as bytes that are aligned for it.
pub(super) fn set(file: &impl AsHandle, class: i32, value: &[u64], bytes: usize) -> io::Result<()> {
    let mut block = MaybeUninit::<IO_STATUS_BLOCK>::zeroed();
    let length = u32::try_from(bytes.min(value.len() * 8)).expect("a few hundred bytes");
    // SAFETY: the buffer is as long as is said and outlives the call, which only reads it.
    check(unsafe {
        NtSetInformationFile(
            file.as_handle().as_raw_handle(),
            block.as_mut_ptr(),
            value.as_ptr().cast(),
            length,
            class,
        )
    })
}

/// Tries again for a second what was refused in a way that passes.
pub(super) fn patiently<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut pause = Duration::from_millis(1);
    let mut until = None;
    loop {
        match attempt() {
            Err(error) if is_passing(&error) => {
                let until = *until.get_or_insert_with(|| Instant::now() + PATIENCE);
                if Instant::now() >= until {
                    return Err(error);
                }
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            result => return result,
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(i32::cast_unsigned);
    matches!(code, Some(ERROR_ACCESS_DENIED | ERROR_SHARING_VIOLATION))
}

/// Turns what the kernel answered into an error of Win32.
pub(super) fn check(status: NTSTATUS) -> io::Result<()> {
    if status >= 0 {
        return Ok(());
    }
    // For both of these Win32 says "access denied".
    let known = match status {
        STATUS_DELETE_PENDING => Some(ERROR_FILE_NOT_FOUND),
        STATUS_FILE_IS_A_DIRECTORY => Some(ERROR_DIRECTORY_NOT_SUPPORTED),
        _ => None,
    };
    if let Some(code) = known {
        return Err(io::Error::from_raw_os_error(code.cast_signed()));
    }
    // SAFETY: a function of numbers.
    Err(io::Error::from_raw_os_error(unsafe { RtlNtStatusToDosError(status) }.cast_signed()))
}

fn unicode(wide: &mut [u16]) -> io::Result<UNICODE_STRING> {
    let long = || io::Error::new(io::ErrorKind::InvalidFilename, "the name is too long");
    let bytes = u16::try_from(wide.len() * 2).map_err(|_| long())?;
    Ok(UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: wide.as_mut_ptr() })
}

/// Returns the size of a structure as the system wants to be told it.
pub(super) fn size_of_u32<T>() -> u32 {
    u32::try_from(size_of::<T>()).expect("structures are small")
}
