//! Opening a database file to look at it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

use windows_sys::Win32::Foundation::{ERROR_SHARING_VIOLATION, GENERIC_READ, GENERIC_WRITE};

use super::file::{facts, facts_at, open_to_ask};
use super::names::is_of_file;
use super::nt::SHARE_ALL;
use super::users::is_ours_alone;

pub use crate::platform::answers::Sniffed;

/// Whether whoever deletes a file can be delayed by it being open here. SQLite is used to that, from
/// virus scanners, and tries again for a second (`winRetryIoerr` in its `os_win.c`).
pub const DELAYS_OTHERS: bool = true;

/// Opens the regular file at `path` for reading. Symbolic links are followed; a device and a stream
/// in a file (`a.db:x`) are told as such and not opened.
///
/// # Platforms
/// Windows: whoever opens the file in these microseconds and wants nobody to read it (DuckDB for
/// writing, RocksDB) is refused. The access time is the file system's business.
///
/// # Errors
/// The file cannot be opened: somebody may keep everybody else out, see [`keeps_others_out`].
pub fn open_unnoticed(path: &Path) -> io::Result<Sniffed> {
    look_into(path, GENERIC_READ)
}

/// Opens the regular file at `path` to give it attributes and to sync it, for which Windows demands
/// that one may write. Otherwise like [`open_unnoticed`].
pub fn open_to_settle(path: &Path) -> io::Result<Sniffed> {
    look_into(path, GENERIC_READ | GENERIC_WRITE)
}

fn look_into(path: &Path, access: u32) -> io::Result<Sniffed> {
    // A device or a pipe is not even opened to be asked what it is.
    if !is_of_file(&std::path::absolute(path)?) {
        return Ok(Sniffed::Other);
    }
    let found = facts_at(path)?;
    if found.directory {
        return Ok(Sniffed::Directory);
    }
    let file = open(path, access)?;
    Ok(if facts(&file)?.regular { Sniffed::File(file) } else { Sniffed::Other })
}

fn open(path: &Path, access: u32) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.access_mode(access).share_mode(SHARE_ALL);
    how.open(path)
}

/// Whether somebody has the file at a path open, and lets nobody else open it for reading, or for
/// writing.
///
/// # Platforms
/// On Windows it is opened to see that, for microseconds in which whoever wants nobody to read it,
/// or to write it, is refused. So it is not opened for writing where the system says that nobody has
/// it open.
pub fn keeps_others_out(path: &Path, write: bool) -> bool {
    let shut = Some(ERROR_SHARING_VIOLATION.cast_signed());
    let access = if write { GENERIC_WRITE } else { GENERIC_READ };
    let is_closed = || open_to_ask(path).and_then(|file| is_ours_alone(&file)).unwrap_or(false);
    path.is_file()
        && !(write && is_closed())
        && open(path, access).is_err_and(|error| error.raw_os_error() == shut)
}
