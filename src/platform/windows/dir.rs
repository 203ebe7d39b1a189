//! A directory held open, and the files in it.
//!
//! Everything dbguard does to its own state is relative to a handle opened once, so that a
//! directory renamed or replaced underneath cannot redirect a removal into somebody else's tree
//! (invariant 5). Nothing is followed through a link except in [`Dir::open`], whose path is already
//! canonical.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};

use windows_sys::Wdk::Storage::FileSystem::{
    FILE_CREATE, FILE_DIRECTORY_FILE, FILE_NON_DIRECTORY_FILE, FILE_OPEN,
    FileDispositionInformation, FileDispositionInformationEx, FileRenameInformation,
};
use windows_sys::Win32::Foundation::{
    ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_FUNCTION, ERROR_INVALID_PARAMETER,
    ERROR_NOT_SUPPORTED, GENERIC_READ, GENERIC_WRITE,
};
use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_APPEND_DATA, FILE_FLAG_BACKUP_SEMANTICS, FILE_LIST_DIRECTORY,
    FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE, FILE_TRAVERSE,
};

use super::file::{Facts, facts};
use super::listing;
use super::nt::{self, Opening, SHARE_ALL};
use super::range::{self, Mode, Range};
use super::{errors, host};

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
    handle: OwnedHandle,
    path: PathBuf,
}

/// Enough to open what is inside and to list it.
const PASSAGE: u32 = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES;

/// The kernel has an empty name for it.
const ITSELF: &str = ".";

/// What the name of a removed file begins with that somebody still has open.
const ASIDE: &str = ".gone-";

/// `FILE_DISPOSITION_DELETE`, `..._POSIX_SEMANTICS`, `..._IGNORE_READONLY_ATTRIBUTE`.
const AT_ONCE: u64 = 0x1 | 0x2 | 0x10;

/// The file that stands for a directory where the directory itself is to be locked.
const TURN: &str = "turn";

impl Dir {
    /// Opens a directory by path, following symbolic links.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut how = OpenOptions::new();
        how.access_mode(PASSAGE).share_mode(SHARE_ALL).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
        let file = nt::patiently(|| how.open(path))?;
        if !facts(&file)?.directory {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { handle: file.into(), path: path.to_path_buf() })
    }

    /// Opens a directory inside this one. A symbolic link is an error.
    pub fn child(&self, name: &str) -> io::Result<Self> {
        // Opened anew, not copied: copies of a handle have one place in the listing together, and
        // two that list at once would each miss names.
        let (name, path) = match name {
            ITSELF => ("", self.path.clone()),
            _ => (name, self.path.join(name)),
        };
        let handle = self.at(name.as_ref(), PASSAGE, FILE_OPEN, FILE_DIRECTORY_FILE)?;
        // Junctions are directories and links at once.
        if !facts(&handle)?.directory {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { handle, path })
    }

    /// Opens a directory inside this one, to be listed. A symbolic link is an error.
    pub fn child_to_list(&self, name: &str) -> io::Result<Self> {
        self.child(name)
    }

    /// Returns the path it was opened by. For messages and for the inode check only.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what is known about the directory itself.
    pub fn facts(&self) -> io::Result<Facts> {
        facts(&self.handle)
    }

    /// Returns what is known about a name in it, without following a link.
    pub fn facts_of(&self, name: impl AsRef<OsStr>) -> io::Result<Facts> {
        if name.as_ref() == ITSELF {
            return self.facts();
        }
        facts(self.at(name.as_ref(), FILE_READ_ATTRIBUTES, FILE_OPEN, 0)?)
    }

    /// Makes a directory inside this one.
    ///
    /// # Platforms
    /// On Windows permissions and owner are those that the directory hands down.
    pub fn make_child(&self, name: &str, _mode: u32, _owner: Option<(u32, u32)>) -> io::Result<()> {
        self.at(name.as_ref(), FILE_READ_ATTRIBUTES, FILE_CREATE, FILE_DIRECTORY_FILE).map(drop)
    }

    /// Makes a file that must not exist yet, readable and writable.
    pub fn make_file(&self, name: &str, _mode: u32) -> io::Result<File> {
        let access = GENERIC_READ | GENERIC_WRITE;
        Ok(self.at(name.as_ref(), access, FILE_CREATE, FILE_NON_DIRECTORY_FILE)?.into())
    }

    /// Opens a file of our own. Anything but a regular file is an error.
    pub fn open_file(&self, name: &str, access: Access) -> io::Result<File> {
        let access = match access {
            Access::Read => GENERIC_READ,
            Access::Write => GENERIC_READ | GENERIC_WRITE,
            Access::Append => FILE_APPEND_DATA | FILE_READ_ATTRIBUTES,
        };
        let file = self.at(name.as_ref(), access, FILE_OPEN, FILE_NON_DIRECTORY_FILE)?;
        if !facts(&file)?.regular {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
        }
        Ok(file.into())
    }

    /// Opens a file for reading that is to be taken away if it is nobody's; see `lease`. As long as
    /// it is open nobody else can read or write it, only rename and remove it.
    ///
    /// # Errors
    /// `WouldBlock` if anybody has it open.
    pub fn open_alone(&self, name: &str) -> io::Result<File> {
        let options = FILE_NON_DIRECTORY_FILE;
        let opening = Opening { access: GENERIC_READ, disposition: FILE_OPEN, options };
        let file = match nt::open_once(&self.handle, name.as_ref(), opening, FILE_SHARE_DELETE) {
            Err(error) if errors::is_shut_out(&error) => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            opened => opened?,
        };
        if !facts(&file)?.regular {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
        }
        Ok(file.into())
    }

    fn at(
        &self,
        name: &OsStr,
        access: u32,
        disposition: u32,
        options: u32,
    ) -> io::Result<OwnedHandle> {
        nt::open(&self.handle, name, Opening { access, disposition, options })
    }

    /// Removes a name that is not a directory.
    ///
    /// # Platforms
    /// At once where the file system can (POSIX semantics, NTFS since Windows 10). Otherwise the file
    /// stays until the last who has it open closes it, under a name that is nobody's.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.remove_at(name.as_ref(), FILE_NON_DIRECTORY_FILE)
    }

    /// Removes an empty directory.
    pub fn remove_child(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.remove_at(name.as_ref(), FILE_DIRECTORY_FILE)
    }

    fn remove_at(&self, name: &OsStr, kind: u32) -> io::Result<()> {
        let file = self.at(name, DELETE | FILE_READ_ATTRIBUTES, FILE_OPEN, kind)?;
        match nt::patiently(|| nt::set(&file, FileDispositionInformationEx, &[AT_ONCE], 4)) {
            Err(error) if is_unknown(&error) => self.remove_later(&file, kind),
            removed => removed,
        }
    }

    /// Gives the name up at once, and the file when it is closed.
    fn remove_later(&self, file: &OwnedHandle, kind: u32) -> io::Result<()> {
        if kind == FILE_NON_DIRECTORY_FILE {
            let aside = OsString::from(format!("{ASIDE}{:016x}", host::random()?));
            let (value, bytes) = rename_information(&self.handle, &aside, false);
            nt::patiently(|| nt::set(file, FileRenameInformation, &value, bytes))?;
        }
        nt::patiently(|| nt::set(file, FileDispositionInformation, &[1], 1))
    }

    /// Moves a name into another directory, in the place of what has the new name.
    pub fn rename(&self, name: &str, to: &Self, new_name: &str) -> io::Result<()> {
        self.rename_how(name.as_ref(), to, new_name.as_ref(), true)
    }

    /// Moves a name within this directory to one that must be free.
    ///
    /// # Errors
    /// It is taken (`AlreadyExists`).
    pub fn rename_to_free(&self, name: &OsStr, free: &OsStr) -> io::Result<()> {
        self.rename_how(name, self, free, false)
    }

    fn rename_how(&self, name: &OsStr, to: &Self, new: &OsStr, replace: bool) -> io::Result<()> {
        let file = self.at(name, DELETE | FILE_READ_ATTRIBUTES, FILE_OPEN, 0)?;
        let (value, bytes) = rename_information(&to.handle, new, replace);
        match nt::patiently(|| nt::set(&file, FileRenameInformation, &value, bytes)) {
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied
                    && to.facts_of(new).is_ok_and(|facts| facts.directory) =>
            {
                Err(io::ErrorKind::IsADirectory.into())
            }
            renamed => renamed,
        }
    }

    /// Returns where a symbolic link leads.
    pub fn read_link(&self, name: &OsStr) -> io::Result<OsString> {
        Ok(std::fs::read_link(self.path.join(name))?.into_os_string())
    }

    /// Takes a lock that stands for the directory itself, without blocking; it ends with the value
    /// that is returned. `None` if somebody has it.
    ///
    /// # Platforms
    /// On Windows directories cannot be locked: a file in it is, which stays.
    pub fn try_lock(&self) -> io::Result<Option<File>> {
        let made = match self.open_file(TURN, Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_file(TURN, 0o666),
            opened => opened,
        };
        let own = match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.open_file(TURN, Access::Write)?
            }
            made => made?,
        };
        Ok(range::try_lock(&own, Range::Whole, Mode::Exclusive)?.then_some(own))
    }

    /// Calls `each` with every name in the directory that is valid Unicode, and whether it is a
    /// directory. Other names cannot be ours and are left out, and so is what is removed.
    pub fn each_name(&self, mut each: impl FnMut(&str, bool)) -> io::Result<()> {
        listing::each(&self.handle, |name, directory| {
            let name = String::from_utf16(name).ok();
            if let Some(name) = name.filter(|name| !name.starts_with(ASIDE)) {
                each(&name, directory);
            }
        })
    }

    /// Whether the directory has names that [`Self::each_name`] leaves out.
    pub fn has_other_names(&self) -> io::Result<bool> {
        let mut others = false;
        listing::each(&self.handle, |name, _| others |= String::from_utf16(name).is_err())?;
        Ok(others)
    }
}

/// Whether an older system, or another file system, does not know the call.
fn is_unknown(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(i32::cast_unsigned);
    matches!(
        code,
        Some(
            ERROR_INVALID_PARAMETER
                | ERROR_NOT_SUPPORTED
                | ERROR_INVALID_FUNCTION
                | ERROR_CALL_NOT_IMPLEMENTED
        )
    )
}

/// Lays out `FILE_RENAME_INFORMATION`: a flag, the directory, the name's length, the name.
fn rename_information(to: &OwnedHandle, name: &OsStr, replace: bool) -> (Vec<u64>, usize) {
    let name: Vec<u16> = name.encode_wide().collect();
    let word = size_of::<usize>();
    let mut bytes = vec![0_u8; 2 * word];
    bytes[0] = u8::from(replace);
    bytes[word..].copy_from_slice(&(to.as_raw_handle() as usize).to_ne_bytes());
    bytes.extend((u32::try_from(name.len() * 2).unwrap_or(u32::MAX)).to_ne_bytes());
    bytes.extend(name.iter().flat_map(|unit| unit.to_ne_bytes()));
    // The kernel wants no less than the structure itself, which ends aligned.
    let length = bytes.len().max(3 * word);
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_ne_bytes(word)
    });
    let mut words: Vec<u64> = words.collect();
    words.resize(length.div_ceil(8), 0);
    (words, length)
}

/// Gives a file of ours its final permissions and owner: those of its directory, which it has.
pub fn settle_owner(
    _file: impl AsHandle,
    _mode: u32,
    _owner: Option<(u32, u32)>,
) -> io::Result<()> {
    Ok(())
}

/// Gives a directory or a file of ours its final permissions and owner: those of its directory,
/// which it has.
pub fn own(_file: impl AsHandle, _mode: u32, _owner: Option<(u32, u32)>) -> io::Result<()> {
    Ok(())
}
