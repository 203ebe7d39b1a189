//! Every kernel lock on the files of one database, with who truly holds it, in one look.
//!
//! Where `holders` answers for one file, here all files of a database are looked up in a single
//! reading of the lock table, and waiters are told too. The order is the same and for the same
//! reasons: the table first; then the descriptors of the process that a row names, since flocks
//! are inherited and the one who took a lock need not be the one who has it; and only where that
//! leaves a row without a holder, the descriptors of all processes.
//!
//! Promises that a row without a holder was still there after the search: what is released
//! meanwhile is left out. Knows nothing of databases: what a lock means is for others to say.

use std::collections::{HashMap, HashSet};
use std::io;

use super::holders::{rows_of, table_is_complete};
use super::lock_table::{self, KernelLock, LockKind};
use super::{descriptors, process};
use crate::platform::FileId;

pub use crate::platform::answers::{HeldLock, NamedFile, Whereabouts};

impl HeldLock {
    /// Reports whether a search would tell nothing more: waiters are not listed anywhere else.
    fn is_settled(&self) -> bool {
        self.lock.waiting || !self.holders.is_empty()
    }
}

/// Returns every lock on the files, held and waited for, in the order of the files.
///
/// Costs one reading of the lock table and one look at each process it names for a flock; the
/// search of all descriptors, some milliseconds for every hundred processes, is made only where a
/// row is left without a holder. Locks that differ in nothing are listed once, with all their
/// holders. Does not block.
///
/// # Errors
///
/// The lock table cannot be read.
///
/// # Platforms
///
/// In a PID namespace the table leaves out locks taken outside, so the search is always made, and
/// a holder outside can still be missed: no lock found is then no proof that there is none. Ask
/// the kernel (`ask`) where that matters. On a network file system only this machine's locks show.
pub fn locks_on(files: &[NamedFile<'_>]) -> io::Result<Vec<HeldLock>> {
    let ids: Vec<FileId> = files.iter().filter_map(|file| file.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    resolved(rows_on(files)?, files, &ids, table_is_complete())
}

/// Finds who has each of the locks; where the table is not `complete`, also what it left out.
pub(super) fn resolved(
    rows: Vec<(usize, KernelLock)>,
    files: &[NamedFile<'_>],
    ids: &[FileId],
    complete: bool,
) -> io::Result<Vec<HeldLock>> {
    let mut locks = with_recorded(rows, ids);
    if complete && locks.iter().all(HeldLock::is_settled) {
        return Ok(locks);
    }
    let search = Search::of(ids);
    search.settle(&mut locks, files, complete);
    if !locks.iter().all(HeldLock::is_settled) {
        let now = rows_on(files)?;
        let now: HashSet<_> = now.iter().map(|(file, row)| (*file, row)).collect();
        locks.retain(|lock| lock.is_settled() || now.contains(&(lock.file, &lock.lock)));
    }
    Ok(locks)
}

/// Returns every lock on the files with everybody who has it, those too who share it with the process
/// on record: whoever is to end a lock has to know them all.
///
/// Costs a search of all descriptors, some milliseconds for every hundred processes.
///
/// # Errors
///
/// As [`locks_on`].
pub fn locks_of_everybody(files: &[NamedFile<'_>]) -> io::Result<Vec<HeldLock>> {
    let mut locks = locks_on(files)?;
    let ids: Vec<FileId> = files.iter().filter_map(|file| file.id).collect();
    if locks.is_empty() {
        return Ok(locks);
    }
    for (id, row, pid) in Search::of(&ids).found {
        let same = |held: &&mut HeldLock| files[held.file].id == Some(id) && held.lock == row;
        for held in locks.iter_mut().filter(same).filter(|held| !held.holders.contains(&pid)) {
            held.holders.push(pid);
            held.whereabouts = Whereabouts::Here;
        }
    }
    Ok(locks)
}

/// Reports whether the descriptors of a process can be looked into. Where not, it is named only
/// because it took a lock, which it may have passed on since, or its number.
///
/// # Platforms
///
/// Elsewhere the answer is always yes: nobody is named by a number on record.
pub fn may_look_into(pid: u32) -> bool {
    descriptors::of_process(pid)
        .map_or_else(|error| error.kind() != io::ErrorKind::PermissionDenied, |_| true)
}

/// Reads the table once and keeps the rows about the files, each with its file.
pub(super) fn rows_on(files: &[NamedFile<'_>]) -> io::Result<Vec<(usize, KernelLock)>> {
    let mut table = lock_table::read()?;
    let inodes: HashSet<u64> = files.iter().filter_map(|file| Some(file.id?.inode)).collect();
    table.retain(|row| inodes.contains(&row.inode));
    let mut found = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let Some(id) = file.id else { continue };
        if !table.iter().any(|row| row.inode == id.inode) {
            continue;
        }
        let mut seen = HashSet::new();
        let rows = rows_of(table.clone(), id, file.path).into_iter();
        found.extend(rows.filter(|row| seen.insert(row.clone())).map(|row| (index, row)));
    }
    Ok(found)
}

/// Gives each row the process on record, where that one has the lock.
fn with_recorded(rows: Vec<(usize, KernelLock)>, ids: &[FileId]) -> Vec<HeldLock> {
    let mut looks = HashMap::new();
    rows.into_iter()
        .map(|(file, lock)| {
            let recorded = lock.pid().filter(|pid| has(&mut looks, *pid, &lock, ids));
            let holders: Vec<u32> = recorded.into_iter().collect();
            let whereabouts = whereabouts(&lock, &holders, true);
            HeldLock { file, lock, holders, whereabouts }
        })
        .collect()
}

/// What the descriptors of one process told: its locks, or `None` where they may not be read.
type Look = Option<HashSet<KernelLock>>;

/// Reports whether the process on record has the lock; each process is looked into at most once.
fn has(looks: &mut HashMap<u32, Look>, pid: u32, lock: &KernelLock, ids: &[FileId]) -> bool {
    // Who waits is blocked in the call, and a POSIX lock ends with its process and is never
    // inherited: both are whom the row names.
    if lock.waiting || lock.kind == LockKind::Posix {
        return true;
    }
    let look = looks.entry(pid).or_insert_with(|| match descriptors::locks_through(pid, ids) {
        Ok(locks) => Some(locks.into_iter().map(|(_, lock)| lock).collect()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
        Err(_) => Some(HashSet::new()),
    });
    // Another user's process: if it lives, more cannot be known.
    look.as_ref().map_or_else(
        || process::stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X')),
        |locks| locks.contains(lock),
    )
}

/// Tells where the holders are; `hidden` is whether there are processes that may not be read.
fn whereabouts(lock: &KernelLock, holders: &[u32], hidden: bool) -> Whereabouts {
    // 0 is a process outside this PID namespace, and network file systems make the number of a
    // process on another machine negative (`IS_REMOTELCK` in the kernel's `fs/locks.c`).
    let outside = lock.raw_pid == 0 || lock.raw_pid < -1;
    match holders {
        [_, ..] => Whereabouts::Here,
        [] if outside || !hidden => Whereabouts::OtherNamespace,
        [] => Whereabouts::Unseen,
    }
}

/// What the descriptors of all processes tell about the files.
struct Search {
    found: Vec<(FileId, KernelLock, u32)>,
    /// Whether there are processes that may not be looked into.
    forbidden: bool,
}

impl Search {
    fn of(ids: &[FileId]) -> Self {
        let mut search = Self { found: Vec::new(), forbidden: false };
        for (pid, looked) in descriptors::of_everybody(|pid| descriptors::locks_through(pid, ids)) {
            match looked {
                Ok(locks) => {
                    search.found.extend(locks.into_iter().map(|(id, lock)| (id, lock, pid)));
                }
                Err(error) => {
                    search.forbidden |= error.kind() == io::ErrorKind::PermissionDenied;
                }
            }
        }
        search
    }

    /// Completes the locks by what was found. Where the table is not complete, what it left out is
    /// added; otherwise a lock it did not have is newer than the rest.
    fn settle(&self, locks: &mut Vec<HeldLock>, files: &[NamedFile<'_>], complete: bool) {
        let key = |lock: &HeldLock| (lock.file, lock.lock.clone());
        let mut places: HashMap<_, _> = locks.iter().map(key).zip(0..).collect();
        let recorded = locks.iter().filter(|lock| lock.is_settled()).map(key);
        let recorded: HashSet<_> = recorded.collect();
        for (id, row, pid) in &self.found {
            for file in (0..files.len()).filter(|file| files[*file].id == Some(*id)) {
                let found = (file, row.clone());
                if recorded.contains(&found) || (complete && !places.contains_key(&found)) {
                    continue;
                }
                let place = *places.entry(found).or_insert_with(|| {
                    let (lock, whereabouts) = (row.clone(), Whereabouts::Here);
                    locks.push(HeldLock { file, lock, holders: Vec::new(), whereabouts });
                    locks.len() - 1
                });
                // A duplicated descriptor shows its lock once more, right after.
                if locks[place].holders.last() != Some(pid) {
                    locks[place].holders.push(*pid);
                }
            }
        }
        let hidden = complete || self.forbidden;
        for lock in locks.iter_mut() {
            lock.whereabouts = whereabouts(&lock.lock, &lock.holders, hidden);
        }
        locks.sort_by_key(|lock| lock.file);
    }
}

#[cfg(test)]
mod tests;
