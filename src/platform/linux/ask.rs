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

use crate::platform::unix::record_lock::{self, Question};

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
    // The kernel refuses `F_OFD_GETLK` with EINVAL unless the process is 0.
    let question = Question { command: libc::F_OFD_GETLK, pid: 0, write, start, length };
    record_lock::ask(file, question)
}

#[cfg(test)]
mod tests {
    use super::{Conflict, record_lock_conflict};
    use crate::platform::scratch::{Scratch, take_ofd_lock};
    use crate::platform::unix::record_lock::short;
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
        take_ofd_lock(&holder, short(libc::F_WRLCK), 100, 5);
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
        take_ofd_lock(&holder, short(libc::F_UNLCK), 0, 0);
        assert_eq!(record_lock_conflict(&file, true, 0, 0).expect("asked"), None);
    }

    #[test]
    fn a_read_lock_stands_in_the_way_of_writers_only() {
        let scratch = Scratch::new("shared");
        let holder = scratch.open_writable();
        take_ofd_lock(&holder, short(libc::F_RDLCK), 1 << 62, 0);
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
