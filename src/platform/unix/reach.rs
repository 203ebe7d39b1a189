//! How a process that keeps a lock is asked for something: by a signal.

use std::io;
use std::time::Duration;

use crate::platform::process::ProcessHandle;
use crate::platform::signals::SIGCONT;
use crate::platform::{FileId, holders};

/// A process that keeps a claim alive.
#[derive(Debug)]
pub struct Reached(ProcessHandle);

/// Has this process hear what it is asked for.
#[derive(Debug)]
pub struct Hearing(());

/// Reaches the process with this number that started then; `None` if it has ended, or is not seen to
/// keep the claim alive.
///
/// What a claim says can be anybody's writing, and a signal ends most processes: it is the kernel that
/// has to say so. It does not of other users' processes.
///
/// # Errors
/// It may not be reached.
pub fn reach(pid: u32, start: u64, claim: FileId) -> io::Result<Option<Reached>> {
    let handle = ProcessHandle::open_started(pid, start)?;
    Ok(handle.filter(|_| holders::holds(pid, claim)).map(Reached))
}

impl Reached {
    /// Sends the signal, and has a stopped process go on. One that has ended is none to be told.
    ///
    /// # Errors
    /// It is not allowed (`PermissionDenied`).
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let sent = self.0.signal(signal).and_then(|_| self.0.signal(SIGCONT));
        sent.map(drop)
    }

    /// Blocks until the process has ended or the time is up. `true` if it has ended.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        self.0.wait(limit)
    }
}

/// Begins to hear these signals from those who find this process by one of the claims.
///
/// # Errors
/// None on Unix, where every signal arrives by itself.
pub fn hear(_claims: impl Iterator<Item = FileId>, _signals: &[i32]) -> io::Result<Hearing> {
    Ok(Hearing(()))
}
