//! Waits, politely, until no foreign native lock is in the way.
//!
//! The wait never requests a native lock, not for an instant: engines fail on a lock they meet.
//! It asks, then sleeps on the holder's end, from 1 ms doubling to 25 ms. A courtesy and not a
//! promise: a client that knows nothing of dbguard can start between the look and the command.

use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::native_look::{Busy, Look, look};
use crate::error::Party;
use crate::lock::{
    Blocked, Companion, LockError, Mode, News, Observer, Patience, Subject, Verdict, Vigil,
    WaitReport, broken, own_ancestor,
};
use crate::native::Want;
use crate::platform::process::ProcessHandle;
use crate::platform::{holders, host, process};

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(25);

/// Why the native lock was not waited out.
#[derive(Debug, thiserror::Error)]
pub enum NativeError {
    /// It is held, and waiting was not wanted, or did not help in time.
    #[error("`{}` is {}", path.display(), busy.meaning)]
    Busy {
        /// The database.
        path: std::path::PathBuf,
        /// Who holds it.
        busy: Busy,
        /// The time was up; otherwise waiting was not wanted.
        timed_out: bool,
    },
    /// As for the guard lock: a signal, or a wait for our own ancestor.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The helper of the wait could not be started.
    #[error("cannot wait for native locks")]
    Io(#[source] io::Error),
}

/// Blocks until the look finds nothing in the way. Everything it opened is closed again.
///
/// Returns why a look was impossible, if it was: that is then not waited for.
///
/// # Errors
/// See [`NativeError`].
pub fn wait_for_native(
    path: &Path,
    want: Want,
    patience: &Patience,
    limit: Option<Instant>,
    observer: &dyn Observer,
) -> Result<Option<String>, NativeError> {
    let Look { busy, impossible, .. } = look(path, want);
    let Some(busy) = busy else {
        return Ok(impossible.map(|why| format!("{why}: {}", why.source)));
    };
    refuse_own_ancestor(path, &busy)?;
    if patience.nonblock {
        return Err(NativeError::Busy { path: path.into(), busy, timed_out: false });
    }
    let mode = if want == Want::Shared { Mode::Shared } else { Mode::Exclusive };
    let deadline = patience.deadline.into_iter().chain(limit).min();
    let wait = Wait { path, mode, patience, observer, busy: std::sync::Mutex::new(busy) };
    Vigil::keep(None, deadline, &wait, |vigil| wait.keep(vigil, want)).map_err(NativeError::Io)?
}

struct Wait<'a> {
    path: &'a Path,
    mode: Mode,
    patience: &'a Patience,
    observer: &'a dyn Observer,
    busy: std::sync::Mutex<Busy>,
}

impl Wait<'_> {
    fn keep(&self, vigil: &Vigil<'_>, want: Want) -> Result<Option<String>, NativeError> {
        let mut pause = SHORTEST;
        loop {
            let blocked = vigil.poll(|| {
                self.pause(pause);
                pause = (pause * 2).min(LONGEST);
                let found = look(self.path, want).busy;
                let free = found.is_none();
                found.into_iter().for_each(|busy| *self.busy() = busy);
                Ok(free)
            });
            if blocked.map_err(NativeError::Io)? == Blocked::Granted {
                return Ok(None);
            }
            match vigil.news() {
                News::Over(Verdict::Suspend) => {
                    vigil.suspend();
                }
                News::Over(Verdict::Signal(signal)) => {
                    return Err(LockError::Interrupted(signal).into());
                }
                News::Over(Verdict::Broken) => return Err(NativeError::Io(broken())),
                News::Over(Verdict::Deadline | Verdict::Deadlock(_)) => {
                    let busy = self.busy().clone();
                    return Err(NativeError::Busy {
                        path: self.path.into(),
                        busy,
                        timed_out: true,
                    });
                }
                News::Kept | News::LookAgain => {}
            }
        }
    }

    /// Sleeps for a while, or until the holder ends.
    fn pause(&self, pause: Duration) {
        let pid = self.busy().pid;
        match pid.and_then(|pid| ProcessHandle::open(pid).ok()) {
            // The handle only makes the sleep shorter; without it the clock does.
            Some(handle) => drop(handle.wait(pause)),
            None => thread::sleep(pause),
        }
    }

    fn busy(&self) -> std::sync::MutexGuard<'_, Busy> {
        self.busy.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Companion for Wait<'_> {
    fn next_due(&self) -> Option<Instant> {
        self.observer.next_due()
    }

    fn show(&self) {
        let busy = self.busy().clone();
        let now = Instant::now();
        self.observer.waiting(&WaitReport {
            path: self.path.to_path_buf(),
            mode: self.mode,
            subject: Subject::Native(describe(&busy)),
            // Its age would be read as that of the lock.
            holders: party(&busy)
                .map(|party| Party { for_ms: None, ..party })
                .into_iter()
                .collect(),
            position: None,
            waited: now.saturating_duration_since(self.patience.started),
            left: self.patience.deadline.map(|end| end.saturating_duration_since(now)),
        });
    }

    fn deadlock(&self) -> Option<String> {
        None
    }
}

/// An ancestor of ours that has the database open waits for us, so we must not wait for it.
fn refuse_own_ancestor(path: &Path, busy: &Busy) -> Result<(), NativeError> {
    let Some(pid) = busy.pid.filter(|pid| own_ancestor(*pid)) else { return Ok(()) };
    let name = process::command_line(pid).map(|words| words.join(" ")).unwrap_or_default();
    Err(NativeError::Lock(LockError::Deadlock {
        path: path.into(),
        reason: format!("this command's own ancestor {name} (pid {pid}) has it: {}", busy.meaning),
        hint: "close the database in that program first, or use --native ignore",
    }))
}

/// Returns what the holder of a native lock is doing: `writing (EXCLUSIVE)`. Only where no
/// process can be named ([`party`]) the words say so.
pub fn describe(busy: &Busy) -> String {
    let who = match busy.pid {
        Some(_) => "",
        None if !holders::ARE_LISTED => " by a process that this system does not name",
        None if busy.raw_pid == 0 => " by a process outside this container, or on another machine",
        None => " by a process that the kernel does not name",
    };
    format!("{}{who}", busy.meaning)
}

/// Returns the holder of a native lock. Since when it holds it the kernel does not tell: not for
/// longer than the process runs, which `for_ms` is.
pub fn party(busy: &Busy) -> Option<Party> {
    let pid = busy.pid?;
    Some(Party {
        pid,
        command: process::command_line(pid),
        user: process::user_of(pid).map(host::user_name),
        for_ms: process::age(pid).and_then(|age| u64::try_from(age.as_millis()).ok()),
        process_state: process::state(pid),
        via: "kernel",
        ..Party::default()
    })
}
