//! What a file carries besides its content: owner, mode, extended attributes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;

use rustix::fs::{self, Gid, Uid};
use xattr::FileExt;

use super::file::{Facts, facts, permissions};
use crate::platform::system::access_list;

const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;

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

/// Gives a file owner, mode and extended attributes of another, as far as that is permitted.
///
/// Permissions never grow. Without the owner, the set-user-ID bit would lend the powers of whoever
/// runs this; without the group, its permissions would be another group's: it then gets those of
/// everybody.
///
/// # Errors
/// An attribute of the user's own, or one of the system's for another reason than permission,
/// cannot be set.
///
/// # Platforms
/// Access control lists are extended attributes on Linux, and things of their own on macOS; the one
/// that is lost is listed by the name of the attribute that has it.
pub fn carry_over(from: &File, to: &File) -> io::Result<Lost> {
    let (old, new) = (facts(from)?, facts(to)?);
    let mut lost = Lost::default();
    give_owner(&old, &new, to, &mut lost)?;
    carry_attributes(from, to, &mut lost)?;
    // Last: a change of the owner takes mode bits away, and an access control list sets some.
    let mode = mode_without(old.mode, &lost);
    if facts(to)?.mode != mode {
        fs::fchmod(to, permissions(mode))?;
    }
    Ok(lost)
}

fn give_owner(old: &Facts, new: &Facts, to: &File, lost: &mut Lost) -> io::Result<()> {
    let user = (old.user != new.user).then(|| Uid::from_raw(old.user));
    let group = (old.group != new.group).then(|| Gid::from_raw(old.group));
    // Each by itself: a group can be given by its members, an owner by root alone.
    if group.is_some() {
        lost.group = !permitted(fs::fchown(to, None, group))?;
    }
    if user.is_some() {
        lost.owner = !permitted(fs::fchown(to, user, None))?;
    }
    Ok(())
}

/// Returns whether a change was permitted. An owner that has no number in this user namespace is
/// not (`EINVAL`).
fn permitted(answer: rustix::io::Result<()>) -> io::Result<bool> {
    use rustix::io::Errno;
    match answer {
        Ok(()) => Ok(true),
        Err(Errno::PERM | Errno::ACCESS | Errno::INVAL | Errno::NOTSUP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn mode_without(mode: u32, lost: &Lost) -> u32 {
    let mode = if lost.owner { mode & !SET_USER } else { mode };
    if lost.group { mode & !SET_GROUP & !0o070 | (mode & 0o007) << 3 } else { mode }
}

fn carry_attributes(from: &File, to: &File, lost: &mut Lost) -> io::Result<()> {
    let names: Vec<OsString> = match from.list_xattr() {
        Ok(names) => names.collect(),
        Err(error) if is_unsupported(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    // It names users and groups beside those of the file.
    let is_foreign = lost.owner || lost.group;
    lost.attributes.extend(access_list::carry_over(from, to, &names, is_foreign)?);
    for name in names {
        if access_list::OF_CONTENT.iter().any(|of_content| name == *of_content) {
            continue;
        }
        let foreign = access_list::is_list(&name) && is_foreign;
        if foreign || !carry_attribute(from, to, &name)? {
            lost.attributes.push(name);
        }
    }
    Ok(())
}

/// Returns whether the attribute is there in the end.
fn carry_attribute(from: &File, to: &File, name: &OsStr) -> io::Result<bool> {
    let value = match from.get_xattr(name) {
        Ok(Some(value)) => value,
        // It went between the two calls.
        Ok(None) => return Ok(true),
        Err(error) if may_be_refused(name, &error) => return Ok(false),
        Err(error) => return Err(error),
    };
    if to.get_xattr(name).is_ok_and(|there| there.as_ref() == Some(&value)) {
        return Ok(true);
    }
    match to.set_xattr(name, &value) {
        Ok(()) => Ok(true),
        Err(error) if may_be_refused(name, &error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn may_be_refused(name: &OsStr, error: &io::Error) -> bool {
    let refused = error.kind() == io::ErrorKind::PermissionDenied || is_unsupported(error);
    refused && !access_list::is_of_user(name)
}

pub(in crate::platform) fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS))
}

#[cfg(test)]
mod tests {
    use super::{Lost, mode_without};

    #[test]
    fn permissions_never_grow() {
        let lost = |owner, group| Lost { owner, group, attributes: Vec::new() };
        assert_eq!(mode_without(0o6775, &lost(false, false)), 0o6775);
        assert_eq!(mode_without(0o6775, &lost(true, false)), 0o2775);
        assert_eq!(mode_without(0o6770, &lost(false, true)), 0o4700);
        assert_eq!(mode_without(0o0664, &lost(false, true)), 0o0644);
        assert_eq!(mode_without(0o1604, &lost(true, true)), 0o1644);
    }
}
