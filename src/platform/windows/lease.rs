//! The proof that nobody else has a file open.
//!
//! # Platforms
//! Of a file that was opened by `Dir::open_alone` the share mode is the proof, on every file system
//! and against every machine: the kernel opened it because nobody else had it open for reading or
//! writing, and refuses everybody else for as long as it is open.
//!
//! Of any other, Windows is asked who uses it. That holds for the moment of the question only;
//! whoever renames a file aside, asks again and then removes it has the proof all the same, for
//! nobody opens it by a name that nobody knows.

use std::fs::File;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{
    ERROR_SHARING_VIOLATION, GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::ReOpenFile;

use super::nt::SHARE_ALL;
use super::users::is_ours_alone;

/// A lease, held until it is dropped.
#[derive(Debug)]
pub struct Lease<'a> {
    file: &'a File,
    /// Our own handle keeps everybody else out, for as long as it is open.
    shuts_out: bool,
}

impl<'a> Lease<'a> {
    /// Takes the lease; `None` if somebody else has the file open.
    ///
    /// # Errors
    /// The file system does not tell who has it open.
    pub fn take(file: &'a File) -> io::Result<Option<Self>> {
        let shuts_out =
            [GENERIC_READ, GENERIC_WRITE].iter().all(|access| is_refused(file, *access));
        let lease = Self { file, shuts_out };
        Ok((shuts_out || is_ours_alone(file)?).then_some(lease))
    }

    /// Whether nobody has the file open now.
    pub fn is_unbroken(&self) -> bool {
        self.shuts_out || is_ours_alone(self.file).unwrap_or(false)
    }
}

/// Whether the open handle of a file, which can read it, keeps others from opening it in this way.
/// It is this one and nobody else's: it could not be open beside another one that did.
fn is_refused(file: &File, access: u32) -> bool {
    // SAFETY: the handle is open; what is returned is a handle of its own.
    let opened = unsafe { ReOpenFile(file.as_raw_handle(), access, SHARE_ALL, 0) };
    if opened == INVALID_HANDLE_VALUE {
        let error = io::Error::last_os_error();
        return error.raw_os_error() == Some(ERROR_SHARING_VIOLATION.cast_signed());
    }
    // SAFETY: the call succeeded, so the handle is open and ours.
    drop(unsafe { OwnedHandle::from_raw_handle(opened) });
    false
}

impl Drop for Lease<'_> {
    /// There is nothing to give back on Windows; that it ends here is meant all the same.
    fn drop(&mut self) {}
}
