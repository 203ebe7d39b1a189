//! A file of its own for a test.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

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

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn open_writable(&self) -> File {
        OpenOptions::new().read(true).write(true).open(&self.file).expect("the scratch file opens")
    }
}
