//! Facts about files, and the whole-file lock.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fs4::{FileExt, TryLockError};
use rustix::fs::{self, Access, AtFlags, CWD, Mode, RawMode, Stat};

/// What identifies a file for as long as it exists: two names with the same identity are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The device, as `stat` gives it.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
}

/// What `stat` says of a file.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Its identity.
    pub id: FileId,
    /// Permission bits, without the type.
    pub mode: u32,
    /// The owner's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
    /// How many names it has; 0 once it is unlinked.
    pub links: u64,
    /// Bytes.
    pub size: u64,
    /// A regular file.
    pub regular: bool,
    /// A directory.
    pub directory: bool,
    /// A symbolic link (only where links are not followed).
    pub link: bool,
    /// The last change of its content.
    pub modified: SystemTime,
}

impl From<Stat> for Facts {
    #[expect(clippy::unnecessary_cast, reason = "the field widths differ between systems")]
    fn from(stat: Stat) -> Self {
        let kind = fs::FileType::from_raw_mode(stat.st_mode);
        let seconds = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
        let fraction = Duration::from_nanos(stat.st_mtime_nsec as u64);
        Self {
            id: FileId { device: stat.st_dev as u64, inode: stat.st_ino as u64 },
            mode: stat.st_mode as u32 & 0o7777,
            user: stat.st_uid,
            group: stat.st_gid,
            links: stat.st_nlink as u64,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            regular: kind == fs::FileType::RegularFile,
            directory: kind == fs::FileType::Directory,
            link: kind == fs::FileType::Symlink,
            modified: SystemTime::UNIX_EPOCH + seconds + fraction,
        }
    }
}

/// Returns permissions as the system has them, of which every one has twelve bits.
pub(in crate::platform) fn permissions(mode: u32) -> Mode {
    Mode::from_bits_truncate((mode & 0o7777) as RawMode)
}

/// Returns the facts of an open file.
pub fn facts(file: impl AsFd) -> io::Result<Facts> {
    Ok(Facts::from(fs::fstat(file)?))
}

/// Returns the facts of the file a path names, following links.
pub fn facts_at(path: &Path) -> io::Result<Facts> {
    Ok(Facts::from(fs::statat(CWD, path, AtFlags::empty())?))
}

/// Returns the facts of the name itself: a symbolic link is not followed.
pub fn facts_of_link(path: &Path) -> io::Result<Facts> {
    Ok(Facts::from(fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)?))
}

/// Returns the path without symbolic links and detours.
///
/// # Platforms
/// On Windows in its usual form, without `\\?\`, where that names the same file.
///
/// # Errors
/// There is nothing at it, or it cannot be looked up.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// Whether a pipe, a terminal or a socket takes bytes, waiting for at most `limit`. One whose
/// reader is gone does, and the write then fails.
///
/// # Errors
/// What poll(2) says. A signal only shortens the wait.
///
/// # Platforms
/// On macOS poll(2) may know nothing of a terminal, which then seems to take bytes always.
pub fn takes_bytes(file: impl AsFd, limit: std::time::Duration) -> io::Result<bool> {
    let mut polled = [rustix::event::PollFd::new(&file, rustix::event::PollFlags::OUT)];
    let limit = rustix::event::Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos()),
    };
    match rustix::event::poll(&mut polled, Some(&limit)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Waits for at most `limit` until nobody reads a pipe, a terminal or a socket any more; `true` if
/// it is so. Of a file on a disk that never happens.
///
/// # Errors
/// What poll(2) says. A signal only shortens the wait.
pub fn loses_reader(file: impl AsFd, limit: Duration) -> io::Result<bool> {
    // What is told without being asked for: errors and hang-ups.
    let mut polled = [rustix::event::PollFd::new(&file, rustix::event::PollFlags::empty())];
    let limit = rustix::event::Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos()),
    };
    match rustix::event::poll(&mut polled, Some(&limit)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether this process may execute a file.
pub fn is_executable(path: &Path) -> bool {
    fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// Succeeds if this process may write to a file.
pub fn may_write(path: &Path) -> io::Result<()> {
    Ok(fs::accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)?)
}

/// Returns a file for a descriptor that this process inherited: a copy that shares its lock.
///
/// # Errors
/// The descriptor is not open.
pub fn inherited_file(descriptor: i32) -> io::Result<File> {
    if descriptor < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the number is only borrowed for the duplication, which fails if it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok(File::from(rustix::io::fcntl_dupfd_cloexec(borrowed, 3)?))
}

/// Tries to lock the whole file shared. Never blocks; `false` means that somebody is in the way.
///
/// # Platforms
/// `flock(2)` on Unix: the lock belongs to the open file description, is inherited by a spawned
/// process that gets the descriptor, and ends when the last copy is closed.
pub fn try_lock_shared(file: &File) -> io::Result<bool> {
    granted(FileExt::try_lock_shared(file))
}

/// Tries to lock the whole file exclusively. Otherwise like [`try_lock_shared`].
pub fn try_lock_exclusive(file: &File) -> io::Result<bool> {
    granted(FileExt::try_lock(file))
}

fn granted(answer: Result<(), TryLockError>) -> io::Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Locks the whole file shared and blocks in the kernel until it is granted.
///
/// A signal with a handler ends the wait with [`io::ErrorKind::Interrupted`].
pub fn lock_shared(file: &File) -> io::Result<()> {
    FileExt::lock_shared(file)
}

/// Locks the whole file exclusively. Otherwise like [`lock_shared`].
pub fn lock_exclusive(file: &File) -> io::Result<()> {
    FileExt::lock(file)
}

/// Makes an exclusive lock a shared one. `false` if that is not to be had: then there is none.
///
/// # Platforms
/// On Windows nobody comes in between.
pub fn share_lock(file: &File) -> io::Result<bool> {
    try_lock_shared(file)
}

/// Lets the lock go for every copy of the descriptor.
pub fn unlock(file: &File) -> io::Result<()> {
    FileExt::unlock(file)
}
