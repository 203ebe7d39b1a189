//! One question about an fcntl lock, in the words of the kernel. Takes no lock.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use crate::platform::answers::Conflict;

/// What is asked about: whether a lock on these bytes would be refused.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// `F_GETLK` or one of its relatives.
    pub command: libc::c_int,
    /// The process on whose locks the question is, for those relatives that ask; otherwise 0.
    pub pid: libc::pid_t,
    /// Whether a write lock is asked about.
    pub write: bool,
    /// The first byte.
    pub start: u64,
    /// How many; 0 reaches to the end of the offset space.
    pub length: u64,
}

/// Puts a question, and returns one of the locks in the way, if there is one. Does not block.
///
/// # Errors
/// What fcntl(2) says; `InvalidInput` for a range beyond the largest offset.
pub fn ask(file: &File, question: Question) -> io::Result<Option<Conflict>> {
    // SAFETY: `flock` consists of integers, for which all zeros is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = short(if question.write { libc::F_WRLCK } else { libc::F_RDLCK });
    lock.l_whence = short(libc::SEEK_SET);
    lock.l_start = offset(question.start)?;
    lock.l_len = offset(question.length)?;
    lock.l_pid = question.pid;
    // SAFETY: the descriptor is open as long as `file` is borrowed, and the commands of a question
    // read and write nothing but the one `flock` they are given, which outlives the call.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), question.command, &raw mut lock) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    if lock.l_type == short(libc::F_UNLCK) {
        return Ok(None);
    }
    Ok(Some(Conflict {
        pid: u32::try_from(lock.l_pid).ok().filter(|pid| *pid != 0),
        raw_pid: lock.l_pid,
        write: lock.l_type == short(libc::F_WRLCK),
        start: u64::try_from(lock.l_start).unwrap_or(0),
        length: u64::try_from(lock.l_len).unwrap_or(0),
    }))
}

/// Narrows a lock constant to the field it goes into; they are all below 4, and of a type of each
/// system's own.
pub fn short(constant: impl TryInto<libc::c_short>) -> libc::c_short {
    constant.try_into().ok().expect("the lock constants of fcntl fit a short")
}

fn offset(value: u64) -> io::Result<libc::off_t> {
    libc::off_t::try_from(value)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "range beyond the largest offset"))
}

/// Takes, changes or gives back an open-file-description lock, which other descriptions of this
/// same process meet.
#[cfg(test)]
pub fn take_ofd_lock(file: &File, kind: libc::c_short, start: i64, length: i64) {
    // SAFETY: `flock` consists of integers, for which all zeros is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind;
    lock.l_start = start;
    lock.l_len = length;
    // SAFETY: the descriptor is open, and the kernel only reads the one `flock` it is given.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}
