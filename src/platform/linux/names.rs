//! What a name is to the file system.
//!
//! Two names that a file system takes for one have to be one lock. On Linux every difference counts
//! (directories that ignore case, as ext4 can have them, are not told apart from others).

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Whether an absolute path can be that of a file.
///
/// # Platforms
/// Not on Windows if it is that of a device (`NUL`, `COM1`), or of a stream in a file (`a.db:x`).
pub fn is_of_file(_path: &Path) -> bool {
    true
}

/// Returns a path, whose directory is canonical, with its last name as it is stored; as it was
/// given where there is no file.
///
/// # Platforms
/// On macOS and Windows names are stored in one case and found by all; on Windows by their short
/// form (`LONGNA~1.DB`) as well.
pub fn as_stored(path: PathBuf) -> PathBuf {
    path
}

/// Returns a name in the form that stands for all names that may be the same to the file system,
/// whether there is a file or not.
///
/// # Platforms
/// On Windows without regard to case, even in the rare directories that have it.
pub fn folded(name: &OsStr) -> Cow<'_, OsStr> {
    Cow::Borrowed(name)
}
