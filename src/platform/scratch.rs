//! A file of its own for a test.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::held_locks::NamedFile;
use super::openers::{Opener, openers};

/// A directory with one file in it, gone when dropped.
pub struct Scratch {
    directory: TempDir,
    file: PathBuf,
}

impl Scratch {
    /// Makes the directory, whose name begins with `name`, for people.
    pub fn new(name: &str) -> Self {
        let directory = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir();
        let directory = directory.expect("the temporary directory is writable");
        let file = directory.path().join("file");
        fs::write(&file, b"").expect("the scratch directory is writable");
        Self { directory, file }
    }

    pub fn path(&self) -> &Path {
        &self.file
    }

    /// Returns the path as the system knows it, whatever links lead there.
    pub fn real(&self) -> PathBuf {
        fs::canonicalize(&self.file).expect("the scratch file is there")
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn open_writable(&self) -> File {
        OpenOptions::new().read(true).write(true).open(&self.file).expect("the scratch file opens")
    }
}

/// What `pid` has open of some files, in their order.
pub fn opened_by(pid: u32, files: &[NamedFile<'_>]) -> Vec<Opener> {
    let mut found = openers(files).openers;
    found.retain(|opener| opener.pid == pid);
    found.sort_by_key(|opener| (opener.file, opener.deleted));
    found
}
