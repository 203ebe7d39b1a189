//! Access control lists on Linux, which are extended attributes, and whose the attributes are.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;

use xattr::FileExt;

use crate::platform::unix::attributes::is_unsupported;

/// A POSIX access control list. It names users and groups beside those of the file.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Attributes that speak of the content, so that they would be wrong for another one.
pub const OF_CONTENT: [&str; 2] = ["security.ima", "security.evm"];

/// Whether an attribute is an access control list.
pub fn is_list(name: &OsStr) -> bool {
    name == ACCESS_LIST
}

/// Whether an attribute is the user's own; all others are the system's, which may refuse them.
pub fn is_of_user(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"user.")
}

/// Takes a list away that only the new file has: a directory can give one to every new file in it.
/// The old one's is among the attributes. Returns what was lost: nothing.
pub fn carry_over(
    _from: &File,
    to: &File,
    names: &[OsString],
    _is_foreign: bool,
) -> io::Result<Option<OsString>> {
    if names.iter().any(|name| is_list(name)) {
        return Ok(None);
    }
    match to.remove_xattr(ACCESS_LIST) {
        Err(error) if error.raw_os_error() != Some(libc::ENODATA) && !is_unsupported(&error) => {
            Err(error)
        }
        _ => Ok(None),
    }
}
