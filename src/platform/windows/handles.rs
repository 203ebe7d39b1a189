//! Open files on their way to others: lent to a command, made for one, opened for a stranger.

use std::fs::File;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::path::Path;

use tempfile::{Builder, NamedTempFile, PathPersistError, TempDir, TempPath};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_BACKUP_SEMANTICS, FILE_READ_ATTRIBUTES};

use super::nt::patiently;

/// An open file that a command may get.
///
/// # Platforms
/// A handle; a descriptor on Unix.
pub type Lent<'a> = BorrowedHandle<'a>;

/// Lends an open file or an end of a pipe.
pub fn lend(file: &impl AsHandle) -> Lent<'_> {
    file.as_handle()
}

/// Makes a file of a random name that begins with `prefix`, gone when dropped.
///
/// # Platforms
/// On Windows its permissions are those that the directory hands down.
pub fn make_temporary(prefix: &str, _mode: u32, directory: &Path) -> io::Result<NamedTempFile> {
    Builder::new().prefix(prefix).tempfile_in(directory)
}

/// Makes a directory of a random name that begins with `prefix`, gone when dropped with what is in
/// it.
pub fn make_temporary_directory(prefix: &str, _mode: u32, directory: &Path) -> io::Result<TempDir> {
    Builder::new().prefix(prefix).tempdir_in(directory)
}

/// Makes a file that must not exist yet, readable and writable.
pub fn make_new(path: &Path, _mode: u32) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).open(path)
}

/// Gives a temporary file its name, in the place of what has it.
///
/// # Platforms
/// On Windows somebody may have either file open, a virus scanner perhaps: it is tried for a second.
pub fn put_in_place(path: TempPath, target: &Path) -> io::Result<()> {
    persist(path, |path| path.persist(target))
}

/// Gives a temporary file its name, which must be free (`AlreadyExists`). Otherwise like
/// [`put_in_place`].
pub fn put_where_free(path: TempPath, target: &Path) -> io::Result<()> {
    persist(path, |path| path.persist_noclobber(target))
}

/// Moves a file to a name, in the place of what has it. Otherwise like [`put_in_place`].
pub fn replace(path: &Path, target: &Path) -> io::Result<()> {
    patiently(|| std::fs::rename(path, target))
}

fn persist(
    path: TempPath,
    to: impl Fn(TempPath) -> Result<(), PathPersistError>,
) -> io::Result<()> {
    let mut path = Some(path);
    patiently(|| {
        to(path.take().expect("each failure gives it back")).map_err(|refused| {
            path = Some(refused.path);
            refused.error
        })
    })
}

/// What takes everything and gives nothing.
pub const NOWHERE: &str = "NUL";

/// Opens a file or a pipe to append to.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    File::options().append(true).open(path)
}

/// Opens a directory so that [`sync_directory`] can be asked of it later.
pub fn open_to_sync(directory: &Path) -> io::Result<File> {
    let mut how = File::options();
    how.access_mode(FILE_READ_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(directory)
}

/// Makes the names in a directory outlive a power failure: the file system sees to that.
pub fn sync_directory(_directory: &File) -> io::Result<()> {
    Ok(())
}

/// Returns a name of any bytes, which need not be text: tests ask for the odd ones.
#[cfg(test)]
pub fn odd_name(bytes: &[u8]) -> std::ffi::OsString {
    /// Half of a pair: no character, but a name may have it.
    const NO_TEXT: u16 = 0xd800;
    let units: Vec<u16> = String::from_utf8_lossy(bytes)
        .chars()
        .map(|one| u16::try_from(u32::from(one)).ok().filter(|unit| *unit != 0xfffd))
        .map(|unit| unit.unwrap_or(NO_TEXT))
        .collect();
    std::os::windows::ffi::OsStringExt::from_wide(&units)
}
