//! The names in a directory on macOS.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Dir, FileType};

use crate::platform::unix::dir::own_name;

/// Calls `each` with every name that is valid UTF-8, and whether it is a directory.
///
/// # Platforms
/// The names come in as many calls as readdir(3) makes: one that is renamed meanwhile may be missed,
/// which costs a look at `lock` and never exclusion.
pub fn each_name(directory: &OwnedFd, mut each: impl FnMut(&str, bool)) -> io::Result<()> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if let Some(name) = own_name(entry.file_name()) {
            each(name, entry.file_type() == FileType::Directory);
        }
    }
    Ok(())
}

/// Whether there are names that [`each_name`] leaves out.
pub fn has_other_names(directory: &OwnedFd) -> io::Result<bool> {
    for entry in Dir::read_from(directory)? {
        if entry?.file_name().to_str().is_err() {
            return Ok(true);
        }
    }
    Ok(false)
}
