//! Opening a database file to look at it, disturbing nobody.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::platform::system::flags::UNNOTICED;

pub use crate::platform::answers::Sniffed;

/// Whether whoever deletes or replaces a file can be delayed by it being open here.
pub const DELAYS_OTHERS: bool = false;

/// Opens the regular file at `path` for reading, leaving no trace on it.
///
/// Never blocks on what it opens, and never opens a FIFO or a device: opening a FIFO lets its
/// writer go on, and opening a device can do anything. Symbolic links are followed. The access time
/// is left alone where the kernel allows it (only to the owner of the file and to root, open(2)).
/// What is put in place of the file between the look at its type and the open is opened, without
/// blocking.
///
/// Closing the file drops every fcntl lock that this process holds on it; see `ask`.
///
/// # Errors
///
/// What stat(2) and open(2) say. `WouldBlock` when the file is under a lease.
///
/// # Platforms
///
/// `O_NOATIME` is Linux's; on macOS reading can change the access time.
pub fn open_unnoticed(path: &Path) -> io::Result<Sniffed> {
    let metadata: Metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Ok(Sniffed::Directory);
    }
    if !metadata.is_file() {
        return Ok(Sniffed::Other);
    }
    match open_with(path, OFlags::NONBLOCK | UNNOTICED) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            open_with(path, OFlags::NONBLOCK)
        }
        result => result,
    }
    .map(Sniffed::File)
}

/// Opens the regular file at `path` to give it attributes and to sync it. Otherwise like
/// [`open_unnoticed`].
///
/// # Platforms
///
/// On Windows only who may write may do so.
pub fn open_to_settle(path: &Path) -> io::Result<Sniffed> {
    open_unnoticed(path)
}

/// Whether somebody has the file at a path open, and lets nobody else open it for reading, or for
/// writing.
///
/// # Platforms
///
/// Only Windows knows that.
pub fn keeps_others_out(_path: &Path, _write: bool) -> bool {
    false
}

/// Opens for reading; the standard library adds `O_CLOEXEC`.
fn open_with(path: &Path, flags: OFlags) -> io::Result<File> {
    // The cast keeps all bits: both sides are the flags of open(2), once unsigned, once signed.
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}
