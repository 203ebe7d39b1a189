//! Where the new content is until it has its name: beside the old one, for its name can only be
//! taken in one step within a file system.
//!
//! What SIGKILL leaves of it is taken away by `dbguard fix`, on proof that nobody is at work on it: a
//! file is open for as long as it is needed, and a directory with a copy is locked, by dbguard and by
//! the command.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::{TempDir, TempPath};

use crate::platform::step::step;
use crate::platform::{self, Dir, Lent};
use crate::probe::UPDATE;

/// How often a directory is made anew that was taken for one that is left.
const TRIES: u32 = 10;

/// Only who makes the directory is to look for a copy in it.
const PRIVATE: u32 = 0o700;

/// A temporary file; removed when dropped.
#[derive(Debug)]
pub(super) struct Stage {
    path: TempPath,
    home: Option<Home>,
}

/// The name of a copy whose own name cannot be had.
const COPY: &str = "copy";

/// The directory of a copy.
#[derive(Debug)]
struct Home {
    directory: TempDir,
    /// `None` where directories cannot be locked.
    lock: Option<File>,
}

impl Stage {
    /// Makes an empty file in a directory.
    pub(super) fn file(directory: &Path, mode: u32) -> io::Result<(Self, File)> {
        let made = platform::make_temporary(UPDATE, mode, directory)?;
        let (file, path) = made.into_parts();
        Ok((Self { path, home: None }, file))
    }

    /// Makes an empty file called `name`, in a directory of its own: a command often goes by the
    /// name of a file, and can make others beside it.
    pub(super) fn copy(directory: &Path, name: &OsStr, mode: u32) -> io::Result<(Self, File)> {
        let home = Home::make(directory)?;
        // Whoever cleans up reads no other names.
        let name = if name.to_str().is_some() { name } else { OsStr::new(COPY) };
        let mut path = home.directory.path().join(name);
        let file = match platform::make_new(&path, mode) {
            // Where a file stands for the lock, it can have this very name.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path.set_file_name(COPY);
                platform::make_new(&path, mode)?
            }
            made => made?,
        };
        Ok((Self { path: TempPath::try_from_path(path)?, home: Some(home) }, file))
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what tells others, for as long as it is open, that the copy is needed.
    pub(super) fn lock(&self) -> Option<Lent<'_>> {
        self.home.as_ref().and_then(|home| home.lock.as_ref()).map(platform::lend)
    }

    /// Gives it its name, in the place of whatever has it.
    pub(super) fn replace(self, target: &Path) -> io::Result<()> {
        platform::put_in_place(self.path, target)
    }

    /// Gives it its name unless something has it.
    pub(super) fn place(self, target: &Path) -> io::Result<()> {
        platform::put_where_free(self.path, target)
    }
}

impl Home {
    fn make(directory: &Path) -> io::Result<Self> {
        for _ in 0..TRIES {
            let made = platform::make_temporary_directory(UPDATE, PRIVATE, directory)?;
            step("update-home");
            let inside = match Dir::open(made.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                inside => inside?,
            };
            let lock = match inside.try_lock() {
                Ok(None) => continue,
                // Where directories cannot be locked, nobody can prove that one is left.
                lock => lock.ok().flatten(),
            };
            // Whether nobody took it away before it was locked.
            let named = platform::facts_of_link(made.path());
            let id = inside.facts()?.id;
            if named.is_ok_and(|named| named.id == id) {
                return Ok(Self { directory: made, lock });
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }
}

impl Drop for Home {
    /// Removes it, and then gives it free.
    fn drop(&mut self) {
        // Where a file that stands for the lock stays until it is closed, the directory does, too;
        // then it is tried once more when this has been dropped.
        if fs::remove_dir_all(self.directory.path()).is_err() {
            self.lock = None;
        }
    }
}
