//! Facts about files, and the whole-file lock.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use windows_sys::Win32::Foundation::{ERROR_CANT_ACCESS_FILE, ERROR_MORE_DATA, FILETIME};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_READONLY,
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_ATTRIBUTE_TAG_INFO, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_ID_INFO, FILE_READ_ATTRIBUTES, FILE_STANDARD_INFO,
    FILE_TYPE_DISK, FileAttributeTagInfo, FileIdInfo, FileStandardInfo, GetFileInformationByHandle,
    GetFileInformationByHandleEx, GetFileType,
};

use super::host;
use super::nt::{SHARE_ALL, patiently, size_of_u32};
use super::range::{self, Range};

/// What identifies a file for as long as it exists: two names with the same identity are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The volume's serial number.
    pub device: u64,
    /// The file's number on it. ReFS numbers have 128 bits, whose halves are mixed.
    pub inode: u64,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Its identity.
    pub id: FileId,
    /// Permission bits, without the type. Access control lists have none: all, or all but those
    /// to write for a file that is marked as read-only.
    pub mode: u32,
    /// The owner's number: always our own, see `host::user`.
    pub user: u32,
    /// The group's number: always 0.
    pub group: u32,
    /// How many names it has; 0 once it is deleted.
    pub links: u64,
    /// Bytes.
    pub size: u64,
    /// A regular file.
    pub regular: bool,
    /// A directory.
    pub directory: bool,
    /// A symbolic link, or another reparse point (only where links are not followed).
    pub link: bool,
    /// The last change of its content.
    pub modified: SystemTime,
}

/// Returns the facts of an open file.
pub fn facts(file: impl AsHandle) -> io::Result<Facts> {
    let handle = file.as_handle().as_raw_handle();
    let mut about = MaybeUninit::<BY_HANDLE_FILE_INFORMATION>::zeroed();
    // SAFETY: the handle is open, the structure is ours, and all zeros is a value of it.
    if unsafe { GetFileInformationByHandle(handle, about.as_mut_ptr()) } == 0 {
        // A pipe or a console.
        // SAFETY: the handle is open.
        let is_file = unsafe { GetFileType(handle) } == FILE_TYPE_DISK;
        return if is_file { Err(io::Error::last_os_error()) } else { Ok(no_file()) };
    }
    // SAFETY: filled by the call.
    let about = unsafe { about.assume_init() };
    let has = |attribute: u32| about.dwFileAttributes & attribute != 0;
    let directory = has(FILE_ATTRIBUTE_DIRECTORY);
    let link = has(FILE_ATTRIBUTE_REPARSE_POINT) && stands_for_another(&file);
    Ok(Facts {
        id: FileId {
            device: u64::from(about.dwVolumeSerialNumber),
            inode: long_number(&file).unwrap_or(joined(about.nFileIndexHigh, about.nFileIndexLow)),
        },
        mode: if has(FILE_ATTRIBUTE_READONLY) && !directory { 0o555 } else { 0o777 },
        user: host::user(),
        group: 0,
        links: if is_deleted(&file) { 0 } else { u64::from(about.nNumberOfLinks) },
        size: joined(about.nFileSizeHigh, about.nFileSizeLow),
        regular: !directory && !link,
        directory: directory && !link,
        link,
        modified: time(about.ftLastWriteTime),
    })
}

/// Returns what is to be said of a pipe or a console.
fn no_file() -> Facts {
    Facts {
        id: FileId::default(),
        mode: 0o777,
        user: host::user(),
        group: 0,
        links: 1,
        size: 0,
        regular: false,
        directory: false,
        link: false,
        modified: SystemTime::UNIX_EPOCH,
    }
}

fn query<T>(file: &impl AsHandle, class: i32) -> Option<T> {
    let mut about = MaybeUninit::<T>::zeroed();
    let handle = file.as_handle().as_raw_handle();
    // SAFETY: the handle is open, and the structure is as long as is said. The callers ask for
    // plain structures of numbers.
    let told = unsafe {
        GetFileInformationByHandleEx(handle, class, about.as_mut_ptr().cast(), size_of_u32::<T>())
    };
    // SAFETY: filled by the call.
    (told != 0).then(|| unsafe { about.assume_init() })
}

/// The bit of a reparse point's tag that says so (`IsReparseTagNameSurrogate` in `ntifs.h`).
const NAME_SURROGATE: u32 = 0x2000_0000;

/// Whether a reparse point stands for another name. Others do not: what is in the cloud, compressed or
/// stored once for many files is a file all the same.
fn stands_for_another(file: &impl AsHandle) -> bool {
    let about: Option<FILE_ATTRIBUTE_TAG_INFO> = query(file, FileAttributeTagInfo);
    about.is_none_or(|about| about.ReparseTag & NAME_SURROGATE != 0)
}

/// Returns the number of a file where it is longer than 64 bits, as on ReFS.
fn long_number(file: &impl AsHandle) -> Option<u64> {
    let about: FILE_ID_INFO = query(file, FileIdInfo)?;
    let number = u128::from_le_bytes(about.FileId.Identifier);
    let (high, low) = ((number >> 64) as u64, number as u64);
    (high != 0).then(|| low ^ high.rotate_left(32))
}

fn is_deleted(file: &impl AsHandle) -> bool {
    let about: Option<FILE_STANDARD_INFO> = query(file, FileStandardInfo);
    about.is_some_and(|about| about.DeletePending || about.NumberOfLinks == 0)
}

fn joined(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Returns a time that Windows counts in 100 ns since 1601.
pub(super) fn time(since: FILETIME) -> SystemTime {
    /// From 1601 to 1970.
    const BEFORE: u64 = 116_444_736_000_000_000;
    let ticks = joined(since.dwHighDateTime, since.dwLowDateTime).saturating_sub(BEFORE);
    let whole = Duration::from_secs(ticks / 10_000_000);
    let part = Duration::from_nanos(ticks % 10_000_000 * 100);
    SystemTime::UNIX_EPOCH + whole + part
}

/// Returns the facts of the file a path names, following links.
pub fn facts_at(path: &Path) -> io::Result<Facts> {
    match open_to_ask(path) {
        // It leads nowhere, as the programs of the Store do, which are started all the same.
        Err(error) if error.raw_os_error() == Some(ERROR_CANT_ACCESS_FILE.cast_signed()) => {
            facts_of_link(path)
        }
        opened => facts(opened?),
    }
}

/// Returns the facts of the name itself: a symbolic link is not followed.
pub fn facts_of_link(path: &Path) -> io::Result<Facts> {
    facts(open_with(path, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)?)
}

/// Opens a file only to ask about it, following links: no share mode of anybody is in the way, nor is
/// anybody kept out.
pub(super) fn open_to_ask(path: &Path) -> io::Result<File> {
    open_with(path, FILE_FLAG_BACKUP_SEMANTICS)
}

fn open_with(path: &Path, flags: u32) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.access_mode(FILE_READ_ATTRIBUTES).share_mode(SHARE_ALL).custom_flags(flags);
    patiently(|| how.open(path))
}

/// Returns the path without symbolic links and detours, in its usual form where that names the same
/// file: not every program takes one that begins with `\\?\`.
///
/// Where the system opens a file and does not tell its whole path (Wine, of one beyond 260
/// characters), the path that was given is its own if no part of it is a link.
///
/// # Errors
/// There is nothing at it, or it cannot be looked up.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    match dunce::canonicalize(path) {
        Err(error) if error.raw_os_error() == Some(ERROR_MORE_DATA.cast_signed()) => {
            let whole = std::path::absolute(path)?;
            let is_plain = |part: &Path| facts_of_link(part).is_ok_and(|facts| !facts.link);
            if whole.ancestors().all(is_plain) { Ok(whole) } else { Err(error) }
        }
        told => told,
    }
}

/// Whether a pipe or a terminal takes bytes.
///
/// # Platforms
/// Nothing tells on Windows: always "yes", so a write to a full pipe blocks.
pub fn takes_bytes(_file: impl AsHandle, _limit: Duration) -> io::Result<bool> {
    Ok(true)
}

/// Waits for at most `limit` until nobody reads a pipe or a terminal any more.
///
/// # Platforms
/// Nothing tells on Windows: waits, and says "no".
pub fn loses_reader(_file: impl AsHandle, limit: Duration) -> io::Result<bool> {
    std::thread::sleep(limit);
    Ok(false)
}

/// Whether a file is one that can be started: by its extension.
pub fn is_executable(path: &Path) -> bool {
    path.is_file() && super::programs::has_executable_name(path)
}

/// Succeeds if this process may write to a file.
pub fn may_write(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).share_mode(SHARE_ALL).open(path).map(drop)
}

/// Returns a file for a descriptor that this process inherited.
///
/// # Platforms
/// Windows has no descriptors that a shell could hand on.
///
/// # Errors
/// Always: `Unsupported`.
pub fn inherited_file(_descriptor: i32) -> io::Result<File> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "Windows has no descriptors to inherit"))
}

/// Tries to lock the whole file shared. Never blocks; `false` means that somebody is in the way.
///
/// # Platforms
/// `LockFileEx` on Windows: the lock belongs to the open file and this process, no other process
/// gets it by inheritance, and nobody else can read or write what is locked.
pub fn try_lock_shared(file: &File) -> io::Result<bool> {
    range::try_lock(file, Range::Whole, range::Mode::Shared)
}

/// Tries to lock the whole file exclusively. Otherwise like [`try_lock_shared`].
pub fn try_lock_exclusive(file: &File) -> io::Result<bool> {
    range::try_lock(file, Range::Whole, range::Mode::Exclusive)
}

/// Locks the whole file shared and blocks until it is granted.
///
/// A wake-up ([`super::signals::Sleeper::wake`]) ends the wait with
/// [`io::ErrorKind::Interrupted`].
pub fn lock_shared(file: &File) -> io::Result<()> {
    range::lock(file, Range::Whole, range::Mode::Shared)
}

/// Locks the whole file exclusively. Otherwise like [`lock_shared`].
pub fn lock_exclusive(file: &File) -> io::Result<()> {
    range::lock(file, Range::Whole, range::Mode::Exclusive)
}

/// Makes an exclusive lock a shared one. `false` if that is not to be had.
pub fn share_lock(file: &File) -> io::Result<bool> {
    range::share(file, Range::Whole)
}

/// Lets the lock go.
pub fn unlock(file: &File) -> io::Result<()> {
    range::unlock(file, Range::Whole)
}
