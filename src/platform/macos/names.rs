//! What a name is to the file system.
//!
//! Two names that a file system takes for one have to be one lock. On macOS that is told only of
//! files that are there: where there is none, `A.db` and `a.db` are two locks.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Whether an absolute path can be that of a file.
pub fn is_of_file(_path: &Path) -> bool {
    true
}

/// Returns a path, whose directory is canonical, with its last name as it is stored (realpath(3)
/// asks the file system); as it was given where there is no file.
pub fn as_stored(path: PathBuf) -> PathBuf {
    path.canonicalize().unwrap_or(path)
}

/// Returns a name in the form that stands for all names that may be the same to the file system: as
/// it is, see above.
pub fn folded(name: &OsStr) -> Cow<'_, OsStr> {
    Cow::Borrowed(name)
}
