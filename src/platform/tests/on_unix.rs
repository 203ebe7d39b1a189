//! What a Unix promises, and what the tests need of it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use xattr::FileExt;

use super::{Kept, Promises};
use crate::platform::inherited_file;
use crate::platform::unix::record_lock::{short, take_ofd_lock};

const YES: Kept = Kept { promised: true, lacking: None };

/// All there is; each system names what it lacks of that.
pub const PROMISES: Promises = Promises {
    signals: YES,
    zombies: YES,
    inherited_locks: YES,
    lock_heirs: YES,
    locked_is_read: YES,
    lock_holders: YES,
    shown_marks: YES,
    byte_locks: YES,
    shared_byte_locks: YES,
    openers: YES,
    own_access: YES,
    leases: YES,
    taking_away: YES,
    permission_bits: YES,
    moved_directories: YES,
    deleted_files: YES,
    cases: YES,
    odd_names: YES,
    full_pipes: YES,
    command_lines: YES,
    users_and_directories: YES,
    threads: YES,
    copies: YES,
    adoption: YES,
};

/// Who has the number 0.
pub const FIRST_USER: &str = "root";

/// Makes a symbolic link.
pub fn link(target: &str, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

/// Makes a pipe with a name; `false` where they have none.
pub fn make_pipe(at: &Path) -> bool {
    let made = Command::new("mkfifo").arg(at).status().expect("mkfifo starts");
    assert!(made.success());
    true
}

/// Returns a copy of an open file, as one that inherited its number makes it.
pub fn inherited(file: &File) -> io::Result<File> {
    inherited_file(file.as_raw_fd())
}

/// Locks bytes as an engine does, which other open files of this same process meet.
pub fn lock_bytes(file: &File, exclusive: bool, start: u64, length: u64) {
    let kind = if exclusive { short(libc::F_WRLCK) } else { short(libc::F_RDLCK) };
    let number = |value: u64| i64::try_from(value).expect("below the largest offset");
    take_ofd_lock(file, kind, number(start), number(length));
}

/// Lets them go. Not by closing: a test that starts a process now could hand it the description.
pub fn unlock_bytes(file: &File, start: u64, length: u64) {
    let number = |value: u64| i64::try_from(value).expect("below the largest offset");
    take_ofd_lock(file, short(libc::F_UNLCK), number(start), number(length));
}

/// Puts something on a file that is carried over with it.
pub fn mark(file: &File) -> io::Result<()> {
    file.set_xattr("user.dbguard", b"kept")
}

/// Takes it off, for what it may hinder: nothing.
pub fn unmark(_file: &File) {}

/// Whether it is there.
pub fn is_marked(file: &File) -> bool {
    file.get_xattr("user.dbguard").expect("it can be read").as_deref() == Some(&b"kept"[..])
}

/// Whether a file of a name that is no text could not be made because of the file system.
pub fn refuses_odd_names(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EILSEQ)
}

/// Makes a script that exits with one more than it is given.
pub fn script(directory: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let script = directory.join("script");
    // Without a line that says for which interpreter.
    std::fs::write(&script, "exit $(($1 + 1))\n").expect("it can be written");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&script, executable).expect("it is ours");
    script
}

/// The standard library ignores SIGPIPE in a program with a `main` of Rust's.
pub fn forget_what_the_library_did() {
    // SAFETY: SIG_DFL is a valid disposition.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
