//! Open files on their way to others: lent to a command, made for one, opened for a stranger.

use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tempfile::{Builder, NamedTempFile, TempDir, TempPath};

/// An open file that a command may get.
///
/// # Platforms
/// A descriptor; a handle on Windows.
pub type Lent<'a> = BorrowedFd<'a>;

/// Lends an open file or an end of a pipe.
pub fn lend(file: &impl AsFd) -> Lent<'_> {
    file.as_fd()
}

/// Makes a file of a random name that begins with `prefix`, gone when dropped.
///
/// # Platforms
/// Its permissions are `mode` less the umask; on Windows those of the directory.
pub fn make_temporary(prefix: &str, mode: u32, directory: &Path) -> io::Result<NamedTempFile> {
    let permissions = Permissions::from_mode(mode);
    Builder::new().prefix(prefix).permissions(permissions).tempfile_in(directory)
}

/// Makes a directory of a random name that begins with `prefix`, gone when dropped with what is in
/// it.
///
/// # Platforms
/// As [`make_temporary`].
pub fn make_temporary_directory(prefix: &str, mode: u32, directory: &Path) -> io::Result<TempDir> {
    let permissions = Permissions::from_mode(mode);
    Builder::new().prefix(prefix).permissions(permissions).tempdir_in(directory)
}

/// Makes a file that must not exist yet, readable and writable.
///
/// # Platforms
/// As [`make_temporary`].
pub fn make_new(path: &Path, mode: u32) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).mode(mode).open(path)
}

/// Gives a temporary file its name, in the place of what has it.
///
/// # Platforms
/// On Windows somebody may have either file open, a virus scanner perhaps: it is tried for a second.
pub fn put_in_place(path: TempPath, target: &Path) -> io::Result<()> {
    path.persist(target).map_err(io::Error::from)
}

/// Gives a temporary file its name, which must be free (`AlreadyExists`). Otherwise like
/// [`put_in_place`].
pub fn put_where_free(path: TempPath, target: &Path) -> io::Result<()> {
    path.persist_noclobber(target).map_err(io::Error::from)
}

/// Moves a file to a name, in the place of what has it. Otherwise like [`put_in_place`].
pub fn replace(path: &Path, target: &Path) -> io::Result<()> {
    std::fs::rename(path, target)
}

/// What takes everything and gives nothing.
pub const NOWHERE: &str = "/dev/null";

/// Opens a file or a pipe to append to. Does not wait for a reader of the pipe, and takes no
/// terminal for its own.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    File::options().append(true).custom_flags(flags).open(path)
}

/// Opens a directory so that [`sync_directory`] can be asked of it later.
pub fn open_to_sync(directory: &Path) -> io::Result<File> {
    File::open(directory)
}

/// Makes the names in a directory outlive a power failure, as far as its file system can.
///
/// # Platforms
/// On Windows the file system sees to that.
pub fn sync_directory(directory: &File) -> io::Result<()> {
    match directory.sync_all() {
        // A file system that cannot sync directories.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        synced => synced,
    }
}

/// Returns a name of any bytes, which need not be text: tests ask for the odd ones.
#[cfg(test)]
pub fn odd_name(bytes: &[u8]) -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}
