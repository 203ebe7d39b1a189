//! The proof that nobody else has a file open: a write lease (fcntl(2), "Leases").
//!
//! The kernel grants it only while no other descriptor of the file exists, and whoever opens the
//! file breaks it, which can be seen. So as long as it is unbroken, nobody has come since.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Once;

/// A lease, held until the file is closed.
#[derive(Debug)]
pub struct Lease<'a>(&'a File);

impl<'a> Lease<'a> {
    /// Takes the lease; `None` if somebody else has the file open.
    ///
    /// An open without blocking fails with `EWOULDBLOCK` while it is held, any other waits until
    /// it is given up. From here on this process ignores `SIGIO`, which tells of a break and would
    /// end it.
    ///
    /// # Errors
    /// The file system knows no leases, or the file is another user's (`EACCES`).
    pub fn take(file: &'a File) -> io::Result<Option<Self>> {
        static IGNORE: Once = Once::new();
        // SAFETY: SIG_IGN runs no code; SIGIO is used for nothing else here.
        IGNORE.call_once(|| unsafe {
            libc::signal(libc::SIGIO, libc::SIG_IGN);
        });
        match set(file, libc::F_WRLCK) {
            Ok(()) => Ok(Some(Self(file))),
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether nobody has tried to open the file since.
    pub fn is_unbroken(&self) -> bool {
        // SAFETY: the descriptor is open as long as the borrow lives; F_GETLEASE takes no pointer.
        unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_GETLEASE) == libc::F_WRLCK }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // One that is broken is given up as well; closing the file would do the same.
        drop(set(self.0, libc::F_UNLCK));
    }
}

fn set(file: &File, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as the borrow lives; F_SETLEASE takes no pointer.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::Lease;
    use crate::platform::scratch::Scratch;
    use rustix::fs::{Mode, OFlags, open};
    use std::fs::File;

    #[test]
    fn a_lease_is_granted_only_alone_and_an_opener_breaks_it() {
        let scratch = Scratch::new("lease");
        let ours = File::open(scratch.path()).expect("it opens");
        let other = File::open(scratch.path()).expect("it opens");
        assert!(Lease::take(&ours).expect("leases are known here").is_none());
        drop(other);
        // A process that another test starts has the descriptor, too, until it executes.
        let lease = loop {
            if let Some(lease) = Lease::take(&ours).expect("leases are known here") {
                break lease;
            }
        };
        assert!(lease.is_unbroken());
        let opened = open(scratch.path(), OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty());
        assert_eq!(opened.err(), Some(rustix::io::Errno::AGAIN));
        assert!(!lease.is_unbroken());
        drop(lease);
        assert!(File::open(scratch.path()).is_ok());
    }
}
