//! What Windows promises, and what the tests need of it.

use std::fs::File;
use std::io;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx, UnlockFile,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::{Kept, PATIENCE, Promises};
use crate::platform::signals::{Origin, SIGTERM, SIGUSR1, Watch};
use crate::platform::{FileId, inherited_file, process, reach};

const YES: Kept = Kept { promised: true, lacking: None };
const NO: Kept = Kept { promised: false, lacking: None };

const fn except_wine(reason: &'static str) -> Kept {
    Kept { promised: true, lacking: Some(reason) }
}

pub const PROMISES: Promises = Promises {
    signals: NO,
    zombies: NO,
    inherited_locks: NO,
    lock_heirs: Kept { promised: false, lacking: Some("a lock stays with an inherited handle") },
    locked_is_read: NO,
    lock_holders: NO,
    shown_marks: YES,
    byte_locks: except_wine("everybody may read what is locked"),
    shared_byte_locks: NO,
    openers: except_wine("who uses a file is not told"),
    own_access: NO,
    leases: except_wine("who uses a file is not told"),
    taking_away: YES,
    permission_bits: NO,
    moved_directories: except_wine("what was in a moved directory is removed where it was"),
    deleted_files: except_wine("it is not told that a file is about to be deleted"),
    cases: NO,
    odd_names: except_wine("a name that is half a character is not made"),
    full_pipes: NO,
    command_lines: except_wine("arguments of a process are not told"),
    users_and_directories: NO,
    threads: NO,
    copies: NO,
    adoption: YES,
};

/// Nobody has the number 0.
pub const FIRST_USER: &str = "0";

/// Makes a symbolic link, which not everybody may.
pub fn link(target: &str, at: &Path) -> io::Result<()> {
    match at.with_file_name(target).is_dir() {
        true => std::os::windows::fs::symlink_dir(target, at)?,
        false => std::os::windows::fs::symlink_file(target, at)?,
    }
    // Wine only says that it made one.
    std::fs::symlink_metadata(at).map(drop)
}

/// Makes a pipe with a name; `false` where they have none.
pub fn make_pipe(_at: &Path) -> bool {
    false
}

/// Returns a copy of an open file, as one that inherited its number makes it.
pub fn inherited(_file: &File) -> io::Result<File> {
    inherited_file(3)
}

fn at(start: u64) -> OVERLAPPED {
    let mut overlapped = OVERLAPPED::default();
    overlapped.Anonymous.Anonymous.Offset = start as u32;
    overlapped.Anonymous.Anonymous.OffsetHigh = (start >> 32) as u32;
    overlapped
}

/// Locks bytes as an engine does, which other open files of this same process meet.
pub fn lock_bytes(file: &File, exclusive: bool, start: u64, length: u64) {
    let mut overlapped = at(start);
    let kind = if exclusive { LOCKFILE_EXCLUSIVE_LOCK } else { 0 };
    let flags = kind | LOCKFILE_FAIL_IMMEDIATELY;
    let (low, high) = (length as u32, (length >> 32) as u32);
    // SAFETY: the handle is open and synchronous, so the call is over when it returns.
    let locked =
        unsafe { LockFileEx(file.as_raw_handle(), flags, 0, low, high, &raw mut overlapped) };
    assert_ne!(locked, 0, "{}", io::Error::last_os_error());
}

/// Lets them go.
pub fn unlock_bytes(file: &File, start: u64, length: u64) {
    let (low, high) = (start as u32, (start >> 32) as u32);
    let (low_length, high_length) = (length as u32, (length >> 32) as u32);
    // SAFETY: the handle is open.
    let unlocked = unsafe { UnlockFile(file.as_raw_handle(), low, high, low_length, high_length) };
    assert_ne!(unlocked, 0, "{}", io::Error::last_os_error());
}

/// Puts something on a file that is carried over with it.
pub fn mark(file: &File) -> io::Result<()> {
    set_readonly(file, true)
}

fn set_readonly(file: &File, readonly: bool) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(readonly);
    file.set_permissions(permissions)
}

/// Takes it off: it hinders the removal.
pub fn unmark(file: &File) {
    set_readonly(file, false).expect("it is open");
}

/// Whether it is there.
pub fn is_marked(file: &File) -> bool {
    file.metadata().expect("it is open").permissions().readonly()
}

/// Whether a file of a name that is no text could not be made because of the file system.
pub fn refuses_odd_names(_error: &io::Error) -> bool {
    false
}

/// Makes a script that exits with one more than it is given.
pub fn script(directory: &Path) -> PathBuf {
    let script = directory.join("script.cmd");
    let text = "@set /a code=%~1 + 1\r\n@exit /b %code%\r\n";
    std::fs::write(&script, text).expect("it can be written");
    script
}

/// A reader that goes away is an error of a write anyway.
pub fn forget_what_the_library_did() {}

#[test]
fn an_event_tells_what_is_asked_for_by_one_of_the_claims_alone() {
    let claim = |inode| FileId { device: 0x7e57, inode };
    let me = std::process::id();
    let start = process::start_time(me).expect("it runs");
    let none = |claim| reach::reach(me, start, claim).expect("it can be asked").is_none();
    assert!(none(claim(1)));
    let watch = Watch::new(&[SIGTERM, SIGUSR1]);
    let hearing =
        reach::hear([claim(1), claim(2)].into_iter(), &[SIGTERM, SIGUSR1]).expect("it may");
    assert!(none(claim(3)));
    assert!(reach::reach(me, start + 1, claim(1)).expect("it can be asked").is_none());
    let reached = reach::reach(me, start, claim(2)).expect("it can be asked").expect("it waits");
    for signal in [SIGUSR1, SIGTERM] {
        reached.signal(signal).expect("it is ours");
        let heard = watch.wait(Some(PATIENCE)).expect("it comes");
        assert_eq!((heard.signal, heard.origin), (signal, Origin::Process));
    }
    assert!(reach::hear([claim(2)].into_iter(), &[SIGTERM]).is_err(), "the name is taken");
    drop(hearing);
    assert!(none(claim(2)));
    reached.signal(SIGTERM).expect("nobody is there to be told");
    drop(watch);
}
