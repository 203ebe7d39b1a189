//! A file of its own for a test, and a lock on it.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// A directory with one file in it, gone when dropped.
pub struct Scratch {
    directory: PathBuf,
    file: PathBuf,
}

impl Scratch {
    /// Makes the directory; `name` keeps the tests of one process apart.
    pub fn new(name: &str) -> Self {
        let unique = format!("dbguard-unit-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(unique);
        fs::create_dir_all(&directory).expect("the temporary directory is writable");
        let file = directory.join("file");
        fs::write(&file, b"").expect("the scratch directory is writable");
        Self { directory, file }
    }

    pub fn path(&self) -> &Path {
        &self.file
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn open_writable(&self) -> File {
        OpenOptions::new().read(true).write(true).open(&self.file).expect("the scratch file opens")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory left in the temporary directory harms no test.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Takes, changes or gives back an open-file-description lock, which other descriptions of this
/// same process meet.
pub fn take_ofd_lock(file: &File, kind: libc::c_short, start: i64, length: i64) {
    // SAFETY: `flock` consists of integers, for which all zeros is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind;
    lock.l_start = start;
    lock.l_len = length;
    // SAFETY: the descriptor is open, and the kernel only reads the one `flock` it is given.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}
