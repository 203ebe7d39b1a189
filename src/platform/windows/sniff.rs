//! Opening a database file to look at it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

use windows_sys::Win32::Foundation::{ERROR_SHARING_VIOLATION, GENERIC_READ, GENERIC_WRITE};

use super::file::facts;
use super::nt::SHARE_ALL;

pub use crate::platform::answers::Sniffed;

/// Opens the regular file at `path` for reading. Symbolic links are followed.
///
/// # Platforms
/// Windows: whoever opens the file in these microseconds and wants nobody to read it (DuckDB for
/// writing, RocksDB) is refused. The access time is the file system's business.
///
/// # Errors
/// The file cannot be opened: somebody may keep everybody else out, see [`is_shut`].
pub fn open_unnoticed(path: &Path) -> io::Result<Sniffed> {
    look_into(path, GENERIC_READ)
}

/// Opens the regular file at `path` to give it attributes and to sync it, for which Windows demands
/// that one may write. Otherwise like [`open_unnoticed`].
pub fn open_to_settle(path: &Path) -> io::Result<Sniffed> {
    look_into(path, GENERIC_READ | GENERIC_WRITE)
}

fn look_into(path: &Path, access: u32) -> io::Result<Sniffed> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Ok(Sniffed::Directory);
    }
    let file = open(path, access)?;
    // The name of a device or of a pipe.
    if !facts(&file)?.regular {
        return Ok(Sniffed::Other);
    }
    Ok(Sniffed::File(file))
}

fn open(path: &Path, access: u32) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.access_mode(access).share_mode(SHARE_ALL);
    how.open(path)
}

/// Whether somebody keeps everybody else from reading the file at a path.
pub(super) fn is_shut(path: &Path) -> bool {
    let shut = Some(ERROR_SHARING_VIOLATION.cast_signed());
    path.is_file() && open(path, GENERIC_READ).is_err_and(|error| error.raw_os_error() == shut)
}
