//! Signs of trouble with SQLite's write-ahead log: readers that keep it from being emptied, and
//! processes whose locks another library in them has dropped.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use crate::info::{Broken, Pinned, Seen, Sight};
use crate::native::decode::Place;
use crate::native::{Engine, wal_index};
use crate::platform::held_locks::{HeldLock, NamedFile, locks_on};
use crate::platform::lock_table::{LockKind, LockMode};
use crate::platform::openers::{Opener, openers};
use crate::platform::sniff::{Sniffed, open_unnoticed};

/// The locks of each process on each file: the file, the process, what the kernel said instead.
pub(super) type Groups<'a> = BTreeMap<(usize, u32, i64), Vec<&'a HeldLock>>;

/// How often a process has to be seen with a file open and without a lock to be believed.
const LOOKS: usize = 3;

/// Sorts the locks that are held by process and file.
pub(super) fn grouped(found: &[HeldLock]) -> Groups<'_> {
    let mut groups = Groups::new();
    for held in found.iter().filter(|held| !held.lock.waiting) {
        let raw = if held.holders.is_empty() { held.lock.raw_pid } else { 0 };
        let pids = if held.holders.is_empty() { &[0][..] } else { &held.holders };
        for pid in pids {
            groups.entry((held.file, *pid, raw)).or_default().push(held);
        }
    }
    groups
}

/// Returns those that have a lock on SQLite's `-shm` and none on the database file, which every
/// connection takes first and keeps longest; and those that are connected although there is no
/// `-shm`, because it was deleted under them.
pub(super) fn half_locked(
    engine: Engine,
    files: &[(Place, PathBuf)],
    groups: &Groups<'_>,
) -> Vec<Broken> {
    if engine != (Engine::Sqlite { wal: true }) {
        return Vec::new();
    }
    let is_on = |pid: u32, place: Place| {
        groups.iter().any(|((file, other, _), locks)| {
            let record = locks.iter().any(|held| held.lock.kind != LockKind::Flock);
            *other == pid && files[*file].0 == place && record
        })
    };
    let mut pids: Vec<u32> =
        groups.keys().map(|(_, pid, _)| *pid).filter(|pid| *pid != 0).collect();
    pids.sort_unstable();
    pids.dedup();
    let path = |place: Place| files.iter().find(|file| file.0 == place).map(|file| &file.1);
    let Some((main, shm)) = path(Place::Main).zip(path(Place::SharedMemory)) else {
        return Vec::new();
    };
    let has_index = shm.exists();
    let broken = |pid: u32| {
        let name = |path: &PathBuf| path.to_string_lossy().into_owned();
        match (is_on(pid, Place::SharedMemory), is_on(pid, Place::Main)) {
            (true, false) => Some(Broken { pid, file: name(main), deleted: false }),
            // Whoever is connected has an index, unless he is alone and keeps it to himself.
            (false, true) if !has_index && only_reads(pid, groups) => {
                Some(Broken { pid, file: name(shm), deleted: true })
            }
            _ => None,
        }
    };
    pids.into_iter().filter_map(broken).collect()
}

/// Whether all the record locks of a process are shared, as those of a mere connection.
fn only_reads(pid: u32, groups: &Groups<'_>) -> bool {
    let of_it = groups.iter().filter(|((_, other, _), _)| *other == pid).flat_map(|one| one.1);
    of_it
        .into_iter()
        .all(|held| held.lock.mode == LockMode::Read && held.lock.kind != LockKind::Flock)
}

/// Returns the readers of SQLite's log that do not see its end.
pub(super) fn pinned(
    engine: Engine,
    files: &[(Place, PathBuf)],
    groups: &Groups<'_>,
) -> Vec<Pinned> {
    let shm = files.iter().position(|(place, _)| *place == Place::SharedMemory);
    let Some(shm) = shm.filter(|_| engine == (Engine::Sqlite { wal: true })) else {
        return Vec::new();
    };
    let Ok(Sniffed::File(mut file)) = open_unnoticed(&files[shm].1) else { return Vec::new() };
    let mut head = [0; wal_index::HEAD_BYTES];
    let length = file.read(&mut head).unwrap_or(0);
    let Some(index) = wal_index::read(&head[..length]) else { return Vec::new() };
    let readers = groups.iter().filter(|((file, pid, _), _)| *file == shm && *pid != 0);
    let of = |pid: u32, locks: &[&HeldLock]| {
        let marks = (0_u64..).take(wal_index::MARKS).zip(0..);
        let held = marks.filter(|(mark, _)| {
            let byte = wal_index::FIRST_MARK_BYTE + mark;
            locks.iter().any(|held| {
                let reads = held.lock.mode == LockMode::Read && held.lock.kind != LockKind::Flock;
                reads && held.lock.start <= byte && held.lock.end.is_none_or(|end| byte <= end)
            })
        });
        let frame = held.filter_map(|(_, number)| index.mark(number)).min()?;
        let pinned = Pinned { pid, frame, last: index.last, backfilled: index.backfilled };
        (frame < index.last).then_some(pinned)
    };
    readers.filter_map(|((_, pid, _), locks)| of(*pid, locks)).collect()
}

/// Returns those that have SQLite's log open and no lock on the database, and those of any engine
/// that go on with files that were deleted.
pub(super) fn lockless(seen: &Seen) -> Vec<Broken> {
    // Where nobody is told of shared locks, one that is not seen is no broken one.
    let is_sqlite = seen.engine == "sqlite" && seen.sight != Sight::Openers;
    let has_lock = |pid: u32| seen.native.locks.iter().any(|lock| lock.who.pid == pid);
    let is_known = |pid: u32| seen.broken.iter().any(|broken| broken.pid == pid);
    let log = seen.files.iter().find(|file| file.role == "wal").map(|file| file.path.as_str());
    let broken = seen.openers.iter().flatten().filter(|one| {
        let is_log = Some(one.file.as_str()) == log;
        one.deleted || (is_sqlite && is_log && !has_lock(one.pid) && !is_known(one.pid))
    });
    broken
        .map(|one| Broken { pid: one.pid, file: one.file.clone(), deleted: one.deleted })
        .collect()
}

/// Keeps those who still have a file open without a lock, or a deleted one, after more looks: one
/// that opens and closes the database again and again is between two connections in some of them.
pub(super) fn confirm(suspects: &mut Vec<Broken>, files: &[PathBuf]) {
    let named: Vec<NamedFile<'_>> = files.iter().map(|path| NamedFile::at(path)).collect();
    for _ in 0..LOOKS {
        if suspects.is_empty() {
            return;
        }
        let locks = locks_on(&named).unwrap_or_default();
        let found = openers(&named).openers;
        suspects.retain(|one| {
            let is_locked = locks.iter().any(|lock| lock.holders.contains(&one.pid));
            let is_file = |file: usize| files[file].to_string_lossy() == one.file.as_str();
            let is_it = |other: &&Opener| {
                other.pid == one.pid && other.deleted == one.deleted && is_file(other.file)
            };
            found.iter().any(|other| is_it(&other)) && (one.deleted || !is_locked)
        });
    }
}
