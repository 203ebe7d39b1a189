//! A directory held open, and the files in it.
//!
//! Everything dbguard does to its own state is relative to a descriptor opened once, so that a
//! directory renamed or replaced underneath cannot redirect a removal into somebody else's tree
//! (invariant 5). Nothing is followed through a symbolic link except in [`Dir::open`], whose
//! path is already canonical.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Mode, OFlags};

use super::file::{Facts, facts, permissions};
use crate::platform::system::flags::PASSAGE;
use crate::platform::system::listing;

/// How a file of our own is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    Read,
    /// Read and write; must exist.
    Write,
    /// Write at the end; must exist.
    Append,
}

/// A directory, open for as long as the value lives.
#[derive(Debug)]
pub struct Dir {
    descriptor: OwnedFd,
    path: PathBuf,
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// A FIFO or a device planted under our names must neither block us nor be followed.
const CAUTIOUS: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

impl Dir {
    /// Opens a directory by path, following symbolic links. It cannot be listed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let descriptor = fs::open(path, DIRECTORY | PASSAGE, Mode::empty())?;
        Ok(Self { descriptor, path: path.to_path_buf() })
    }

    /// Opens a directory inside this one. A symbolic link is an error. It cannot be listed.
    pub fn child(&self, name: &str) -> io::Result<Self> {
        self.open_child(name, PASSAGE)
    }

    /// Opens a directory inside this one, to be listed. A symbolic link is an error.
    pub fn child_to_list(&self, name: &str) -> io::Result<Self> {
        self.open_child(name, OFlags::RDONLY)
    }

    fn open_child(&self, name: &str, how: OFlags) -> io::Result<Self> {
        let how = DIRECTORY | OFlags::NOFOLLOW | how;
        let descriptor = fs::openat(&self.descriptor, name, how, Mode::empty())?;
        Ok(Self { descriptor, path: self.path.join(name) })
    }

    /// Returns the path it was opened by. For messages and for the inode check only.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what is known about the directory itself.
    pub fn facts(&self) -> io::Result<Facts> {
        facts(&self.descriptor)
    }

    /// Returns what is known about a name in it, without following a link.
    pub fn facts_of(&self, name: impl AsRef<OsStr>) -> io::Result<Facts> {
        Ok(Facts::from(fs::statat(&self.descriptor, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// Makes a directory inside this one with exactly these permissions, whatever the umask.
    pub fn make_child(&self, name: &str, mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
        fs::mkdirat(&self.descriptor, name, permissions(mode))?;
        let made = self.child_to_list(name)?;
        own(&made.descriptor, mode, owner)
    }

    /// Makes a file that must not exist yet, readable and writable.
    ///
    /// The umask has its say; see [`own`].
    pub fn make_file(&self, name: &str, mode: u32) -> io::Result<File> {
        let how = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | CAUTIOUS;
        let made = fs::openat(&self.descriptor, name, how, permissions(mode))?;
        Ok(File::from(made))
    }

    /// Opens a file of our own. Anything but a regular file is an error.
    pub fn open_file(&self, name: &str, access: Access) -> io::Result<File> {
        let how = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
            Access::Append => OFlags::WRONLY | OFlags::APPEND,
        };
        let file = File::from(fs::openat(&self.descriptor, name, how | CAUTIOUS, Mode::empty())?);
        if !facts(&file)?.regular {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
        }
        Ok(file)
    }

    /// Opens a file for reading that is to be taken away if it is nobody's; see `lease`.
    ///
    /// # Errors
    /// `WouldBlock` if somebody else is about to take it away.
    ///
    /// # Platforms
    /// On Windows `WouldBlock` if anybody has it open; and as long as this is open nobody else can
    /// read or write it, only rename and remove it.
    pub fn open_alone(&self, name: &str) -> io::Result<File> {
        self.open_file(name, Access::Read)
    }

    /// Removes a name that is not a directory.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(fs::unlinkat(&self.descriptor, name.as_ref(), AtFlags::empty())?)
    }

    /// Removes an empty directory.
    pub fn remove_child(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(fs::unlinkat(&self.descriptor, name.as_ref(), AtFlags::REMOVEDIR)?)
    }

    /// Moves a name into another directory.
    pub fn rename(&self, name: &str, to: &Self, new_name: &str) -> io::Result<()> {
        Ok(fs::renameat(&self.descriptor, name, &to.descriptor, new_name)?)
    }

    /// Moves a name within this directory to one that must be free.
    ///
    /// # Errors
    /// It is taken (`AlreadyExists`), or the file system cannot do it in one step.
    ///
    /// # Platforms
    /// `RENAME_NOREPLACE` on Linux, `RENAME_EXCL` on macOS.
    pub fn rename_to_free(&self, name: &OsStr, free: &OsStr) -> io::Result<()> {
        let (at, how) = (&self.descriptor, fs::RenameFlags::NOREPLACE);
        Ok(fs::renameat_with(at, name, at, free, how)?)
    }

    /// Returns where a symbolic link leads.
    pub fn read_link(&self, name: &OsStr) -> io::Result<OsString> {
        let target = fs::readlinkat(&self.descriptor, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    /// Takes the kernel's lock on the directory itself, without blocking; it ends with the value
    /// that is returned. `None` if somebody has it.
    pub fn try_lock(&self) -> io::Result<Option<File>> {
        let flags = DIRECTORY | OFlags::RDONLY;
        let own = File::from(fs::openat(&self.descriptor, ".", flags, Mode::empty())?);
        Ok(super::file::try_lock_exclusive(&own)?.then_some(own))
    }

    /// Calls `each` with every name in the directory that is valid UTF-8, and whether it is a
    /// directory. Names that are not UTF-8 cannot be ours and are left out.
    ///
    /// # Platforms
    /// On Linux all names come from one call of the kernel where they fit, so that one that is
    /// renamed meanwhile is not missed.
    pub fn each_name(&self, each: impl FnMut(&str, bool)) -> io::Result<()> {
        listing::each_name(&self.descriptor, each)
    }

    /// Whether the directory has names that [`Self::each_name`] leaves out.
    pub fn has_other_names(&self) -> io::Result<bool> {
        listing::has_other_names(&self.descriptor)
    }
}

/// Returns a name that can be ours.
pub(in crate::platform) fn own_name(name: &std::ffi::CStr) -> Option<&str> {
    name.to_str().ok().filter(|name| *name != "." && *name != "..")
}

/// Gives a file of ours its final permissions and owner; changes nothing if it has them.
pub fn settle_owner(
    file: impl std::os::fd::AsFd,
    mode: u32,
    owner: Option<(u32, u32)>,
) -> io::Result<()> {
    let facts = facts(&file)?;
    let owned = owner.is_none_or(|owner| owner == (facts.user, facts.group));
    if owned && facts.mode == mode & 0o7777 {
        return Ok(());
    }
    own(file, mode, owner)
}

/// Gives a directory or a file of ours its final permissions and owner.
pub fn own(file: impl std::os::fd::AsFd, mode: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
    if let Some((user, group)) = owner {
        let user = rustix::fs::Uid::from_raw(user);
        let group = rustix::fs::Gid::from_raw(group);
        fs::fchown(&file, Some(user), Some(group))?;
    }
    Ok(fs::fchmod(&file, permissions(mode))?)
}
