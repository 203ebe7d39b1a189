//! Asking the kernel whether a lock would be refused, without asking for the lock.
//!
//! An engine that meets a lock fails, however short the lock was: a blocking `F_OFD_SETLKW` read
//! request on SQLite's bytes made a few in every thousand transactions of another process fail, and
//! one on a DuckDB file made its open fail (measured). `F_OFD_GETLK` at the same rate disturbed
//! nobody. So this room has no function that takes a lock.
//!
//! The hazard that remains is `close`: closing any descriptor of a file drops all the fcntl locks
//! that this process has on it (fcntl(2)). Never ask about a database that an engine in this very
//! process has open.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

pub use crate::platform::answers::Conflict;

/// Returns one of the fcntl locks that would refuse a lock on these bytes, if there is one.
///
/// Requests nothing and does not block. A `length` of 0 asks up to the end of the offset space. The
/// descriptor may be read-only, also to ask about a write lock, but not `O_PATH`. Sees the POSIX
/// locks of every process including this one, and the locks of every other open file description;
/// never a flock. The kernel joins neighbouring locks of one owner, so the range reported may begin
/// before the one asked about.
///
/// The answer may be out of date when it arrives.
///
/// # Errors
///
/// What fcntl(2) says, such as a file system that knows no locks; `InvalidInput` for a range beyond
/// the largest offset.
///
/// # Platforms
///
/// `F_OFD_GETLK`, Linux 3.15.
pub fn record_lock_conflict(
    file: &File,
    write: bool,
    start: u64,
    length: u64,
) -> io::Result<Option<Conflict>> {
    // SAFETY: `flock` consists of integers, for which all zeros is a value. The kernel refuses the
    // call with EINVAL unless `l_pid` is 0, which it thereby is.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = lock_type(if write { libc::F_WRLCK } else { libc::F_RDLCK });
    lock.l_whence = lock_type(libc::SEEK_SET);
    lock.l_start = offset(start)?;
    lock.l_len = offset(length)?;
    // SAFETY: the descriptor is open as long as `file` is borrowed, and F_OFD_GETLK reads and
    // writes nothing but the one `flock` it is given, which outlives the call.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    if lock.l_type == lock_type(libc::F_UNLCK) {
        return Ok(None);
    }
    Ok(Some(Conflict {
        pid: u32::try_from(lock.l_pid).ok().filter(|pid| *pid != 0),
        raw_pid: lock.l_pid,
        write: lock.l_type == lock_type(libc::F_WRLCK),
        start: u64::try_from(lock.l_start).unwrap_or(0),
        length: u64::try_from(lock.l_len).unwrap_or(0),
    }))
}

/// Narrows a lock constant to the field it goes into; they are all below 4.
fn lock_type(constant: libc::c_int) -> libc::c_short {
    libc::c_short::try_from(constant).expect("the lock constants of fcntl fit a short")
}

fn offset(value: u64) -> io::Result<libc::off_t> {
    libc::off_t::try_from(value)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "range beyond the largest offset"))
}

#[cfg(test)]
mod tests {
    use super::{Conflict, lock_type, record_lock_conflict};
    use crate::platform::linux::scratch::{Scratch, take_ofd_lock};
    use std::fs::File;
    use std::io;

    #[test]
    fn nothing_is_in_the_way_on_a_free_file() {
        let scratch = Scratch::new("free");
        let file = File::open(scratch.path()).expect("the scratch file opens");
        assert_eq!(record_lock_conflict(&file, true, 0, 0).expect("asked"), None);
    }

    #[test]
    fn a_lock_of_another_description_is_reported_without_its_owner() {
        let scratch = Scratch::new("ofd");
        let holder = scratch.open_writable();
        take_ofd_lock(&holder, lock_type(libc::F_WRLCK), 100, 5);
        let file = File::open(scratch.path()).expect("the scratch file opens");
        let expected = Conflict { pid: None, raw_pid: -1, write: true, start: 100, length: 5 };
        for (write, start, length) in [(false, 104, 1), (true, 0, 0), (true, 0, 101)] {
            assert_eq!(
                record_lock_conflict(&file, write, start, length).expect("asked"),
                Some(expected)
            );
        }
        assert_eq!(record_lock_conflict(&file, true, 0, 100).expect("asked"), None);
        assert_eq!(record_lock_conflict(&file, true, 105, 0).expect("asked"), None);
        // Not by closing: a test that starts a process now could hand it the description.
        take_ofd_lock(&holder, lock_type(libc::F_UNLCK), 0, 0);
        assert_eq!(record_lock_conflict(&file, true, 0, 0).expect("asked"), None);
    }

    #[test]
    fn a_read_lock_stands_in_the_way_of_writers_only() {
        let scratch = Scratch::new("shared");
        let holder = scratch.open_writable();
        take_ofd_lock(&holder, lock_type(libc::F_RDLCK), 1 << 62, 0);
        let file = File::open(scratch.path()).expect("the scratch file opens");
        assert_eq!(record_lock_conflict(&file, false, 0, 0).expect("asked"), None);
        let conflict = record_lock_conflict(&file, true, 0, 0).expect("asked").expect("refused");
        assert_eq!((conflict.write, conflict.start, conflict.length), (false, 1 << 62, 0));
    }

    #[test]
    fn a_range_beyond_the_largest_offset_is_an_error() {
        let scratch = Scratch::new("range");
        let file = File::open(scratch.path()).expect("the scratch file opens");
        let error = record_lock_conflict(&file, true, u64::MAX, 1).expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
