//! What a file carries besides its content.

use std::ffi::OsString;
use std::fs::File;
use std::io;

/// What could not be carried over, for want of permission.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// The owner.
    pub owner: bool,
    /// The group.
    pub group: bool,
    /// Extended attributes of the system's.
    pub attributes: Vec<OsString>,
}

/// Gives a file what another one carries.
///
/// # Platforms
/// On Windows the mark "read-only" alone. Access control lists and owner are those that the
/// directory hands down, as for every file that is made in it.
///
/// # Errors
/// The mark cannot be read or set.
pub fn carry_over(from: &File, to: &File) -> io::Result<Lost> {
    let permissions = from.metadata()?.permissions();
    if permissions.readonly() {
        to.set_permissions(permissions)?;
    }
    Ok(Lost::default())
}
