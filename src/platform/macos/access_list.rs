//! Access control lists on macOS, and whose the extended attributes are.

use std::ffi::{OsStr, OsString, c_int, c_void};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// The attribute in which the system keeps a list. It is not among those that are listed.
const KEPT_IN: &str = "com.apple.system.Security";

/// `ACL_TYPE_EXTENDED` of `sys/acl.h`, the only kind there is.
const EXTENDED: c_int = 0x100;

/// Attributes that speak of the content: none is listed.
pub const OF_CONTENT: [&str; 0] = [];

unsafe extern "C" {
    fn acl_get_fd_np(file: c_int, kind: c_int) -> *mut c_void;
    fn acl_set_fd_np(file: c_int, list: *mut c_void, kind: c_int) -> c_int;
    fn acl_init(entries: c_int) -> *mut c_void;
    fn acl_free(list: *mut c_void) -> c_int;
}

/// Whether an attribute is an access control list.
pub fn is_list(_name: &OsStr) -> bool {
    false
}

/// Whether an attribute is the user's own; all others are the system's, which may refuse them.
pub fn is_of_user(name: &OsStr) -> bool {
    !name.as_encoded_bytes().starts_with(b"com.apple.")
}

/// Gives a file the access control list of another, or an empty one where only the new one has any:
/// a directory can give one to every new file in it. Returns the one that was lost because it would
/// speak of another owner (`is_foreign`), or because the system refused it.
pub fn carry_over(
    from: &File,
    to: &File,
    _names: &[OsString],
    is_foreign: bool,
) -> io::Result<Option<OsString>> {
    let (old, new) = (List::of(from), List::of(to));
    if old.is_none() && new.is_none() {
        return Ok(None);
    }
    let is_lost = is_foreign && old.is_some();
    if is_lost && new.is_none() {
        return Ok(Some(KEPT_IN.into()));
    }
    let list = match old.filter(|_| !is_foreign) {
        Some(list) => list,
        None => List::empty()?,
    };
    match list.set(to) {
        Ok(()) => Ok(is_lost.then(|| KEPT_IN.into())),
        // That of the directory stays, so that the new file may be open to more than the old one.
        Err(error) if new.is_some() => Err(error),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Some(KEPT_IN.into())),
        Err(error) => Err(error),
    }
}

/// A list in memory.
struct List(*mut c_void);

impl List {
    /// Returns that of a file, `None` if it has none, or its file system knows none.
    fn of(file: &File) -> Option<Self> {
        // SAFETY: the descriptor is open; the list that is returned is ours to free.
        let list = unsafe { acl_get_fd_np(file.as_raw_fd(), EXTENDED) };
        (!list.is_null()).then_some(Self(list))
    }

    fn empty() -> io::Result<Self> {
        // SAFETY: no preconditions; the list that is returned is ours to free.
        let list = unsafe { acl_init(1) };
        if list.is_null() { Err(io::Error::last_os_error()) } else { Ok(Self(list)) }
    }

    fn set(&self, file: &File) -> io::Result<()> {
        // SAFETY: the descriptor is open, and the list is valid until it is dropped.
        match unsafe { acl_set_fd_np(file.as_raw_fd(), self.0, EXTENDED) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: made by the system for us, and freed once.
        unsafe { acl_free(self.0) };
    }
}
