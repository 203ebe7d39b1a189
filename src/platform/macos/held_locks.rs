//! Every kernel lock on the files of one database, as far as the kernel tells.
//!
//! There is no table of locks. `F_GETLK` names one lock that would refuse another, so all bytes are
//! asked about piece by piece; `F_GETLKPID` does so for the locks of one process, which is asked of
//! everybody who has the file open, so that readers that share bytes are found. A flock names no
//! process: that is searched among those who have the file open.
//!
//! Knows nothing of databases: what a lock means is for others to say.

use std::fs::File;
use std::io;

use super::descriptors;
use crate::platform::answers::Conflict;
use crate::platform::unix::record_lock::{self, Question};
use crate::platform::unix::sniff::{Sniffed, open_unnoticed};
use crate::platform::{FileId, facts, spans};

use super::lock_table::{KernelLock, LockKind, LockMode};

pub use crate::platform::answers::{HeldLock, NamedFile, Whereabouts};

/// `F_GETLKPID` of `sys/fcntl.h`: `F_GETLK` for the locks of one process.
const F_GETLKPID: libc::c_int = 66;

/// Returns the locks on the files that are held, in the order of the files.
///
/// Opens the files, and looks at all processes if there is a lock on any of them. Does not block.
///
/// # Errors
/// A file may not be opened, or its file system knows no locks.
///
/// # Platforms
/// Closing a file drops this process's own fcntl locks on it, which therefore must have none; they
/// would not be told. Waiters are not told. Of several other users' readers that share bytes one is
/// told. Whether a lock without a process is a flock or belongs to an open file description is
/// guessed from its range: a flock has all bytes.
pub fn locks_on(files: &[NamedFile<'_>]) -> io::Result<Vec<HeldLock>> {
    let mut found = Vec::new();
    for (index, named) in files.iter().enumerate() {
        let Some(id) = named.id else { continue };
        let file = match open_unnoticed(named.path) {
            Ok(Sniffed::File(file)) if facts(&file)?.id == id => file,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // It went, or another one came; what is no regular file has no locks.
            _ => continue,
        };
        let of_it = locks_of(&file, id)?;
        found.extend(of_it.into_iter().map(|held| HeldLock { file: index, ..held }));
    }
    Ok(found)
}

/// Returns every lock on the files with everybody who has it: whoever is to end a lock has to know
/// them all.
///
/// # Errors
/// As [`locks_on`].
///
/// # Platforms
/// Nobody is on record as the one who took a flock, so all who may have it are named in any case.
pub fn locks_of_everybody(files: &[NamedFile<'_>]) -> io::Result<Vec<HeldLock>> {
    locks_on(files)
}

/// Reports that nobody is named by a number on record, see the other platforms.
pub fn may_look_into(_pid: u32) -> bool {
    true
}

fn locks_of(file: &File, id: FileId) -> io::Result<Vec<HeldLock>> {
    let mut locks = conflicts(file, libc::F_GETLK, 0)?;
    if locks.is_empty() {
        return Ok(Vec::new());
    }
    let users = Users::of(id);
    for pid in users.all.iter().map(|user| user.pid) {
        // A process that is gone by now has no locks.
        let more = conflicts(file, F_GETLKPID, pid.cast_signed()).unwrap_or_default();
        for lock in more.into_iter().filter(|lock| lock.pid == Some(pid)) {
            if !locks.contains(&lock) {
                locks.push(lock);
            }
        }
    }
    Ok(locks.iter().map(|lock| held(lock, id, &users)).collect())
}

fn conflicts(file: &File, command: libc::c_int, pid: i32) -> io::Result<Vec<Conflict>> {
    spans::everywhere(|start, length| {
        record_lock::ask(file, Question { command, pid, write: true, start, length })
    })
}

fn held(conflict: &Conflict, id: FileId, users: &Users) -> HeldLock {
    let is_whole = (conflict.start, conflict.length) == (0, 0);
    let kind = match conflict.pid {
        Some(_) => LockKind::Posix,
        None if is_whole => LockKind::Flock,
        None => LockKind::Ofd,
    };
    let lock = KernelLock {
        waiting: false,
        kind,
        mode: if conflict.write { LockMode::Write } else { LockMode::Read },
        raw_pid: conflict.raw_pid.into(),
        device_major: rustix::fs::major(id.device as rustix::fs::Dev),
        device_minor: rustix::fs::minor(id.device as rustix::fs::Dev),
        inode: id.inode,
        start: conflict.start,
        end: (conflict.length > 0).then(|| conflict.start.saturating_add(conflict.length - 1)),
    };
    let holders: Vec<u32> = conflict.pid.or_else(|| users.only_locker()).into_iter().collect();
    let whereabouts = match holders[..] {
        [] => Whereabouts::Unseen,
        _ => Whereabouts::Here,
    };
    HeldLock { file: 0, lock, holders, whereabouts }
}

/// A process that has a file open.
struct User {
    pid: u32,
    /// Whether it has, or once had, a flock through one of its descriptors.
    was_locker: bool,
}

/// Those who have a file open, but for this process.
struct Users {
    all: Vec<User>,
    /// Whether there are processes that may not be looked into.
    forbidden: bool,
}

impl Users {
    fn of(id: FileId) -> Self {
        let mut users = Self { all: Vec::new(), forbidden: false };
        let others = |pid: &u32| *pid != std::process::id();
        for pid in descriptors::processes().into_iter().filter(others) {
            match descriptors::of_process(pid) {
                Ok(open) => {
                    let of_it: Vec<_> =
                        open.iter().filter(|one| descriptors::is_of(one, id)).collect();
                    let was_locker = of_it.iter().any(|one| one.was_locked);
                    users.all.extend((!of_it.is_empty()).then_some(User { pid, was_locker }));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => users.forbidden = true,
            }
        }
        users
    }

    /// Returns who has a flock on the file, if it can only be one. That a descriptor was locked once
    /// is no proof that it is now, so it is one only where nobody else can be it.
    fn only_locker(&self) -> Option<u32> {
        let mut lockers = self.all.iter().filter(|user| user.was_locker);
        match (lockers.next(), lockers.next()) {
            (Some(user), None) if !self.forbidden => Some(user.pid),
            _ => None,
        }
    }
}

/// Reports whether a process has, or once had, a flock on a file through any of its descriptors.
pub(super) fn was_locked_by(pid: u32, file: FileId) -> bool {
    let is_it = |open: &_| descriptors::is_of(open, file);
    descriptors::of_process(pid)
        .is_ok_and(|all| all.iter().any(|open| open.was_locked && is_it(open)))
}
