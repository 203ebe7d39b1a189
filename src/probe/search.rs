//! Finds databases in a tree, by what they contain.
//!
//! Hidden and git-ignored files are looked at too; symbolic links are not followed, so nothing is
//! found twice and nothing outside the tree. What may not be read is passed over and counted.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ignore::{DirEntry, WalkBuilder, WalkState};

use super::leftovers::{Candidate, Search, leftovers_below};
use super::native_look::recognise_directory;
use crate::lock::{self, STATE};
use crate::native::{self, Engine};
use crate::platform::canonical;
use crate::platform::sniff::{Sniffed, open_unnoticed};

/// No engine that is known makes a smaller file (SQLite's smallest page).
const SMALLEST_BYTES: u64 = 512;

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// The databases, sorted by name: files, and directories of LMDB, LevelDB and RocksDB.
    pub databases: Vec<PathBuf>,
    /// How many files and directories could not be read.
    pub unreadable: u64,
}

/// Returns the directories of a tree, its root among them, without those of dbguard's state. Other
/// file systems are not entered; what cannot be read is passed over.
pub fn directories_below(directory: &Path) -> Vec<PathBuf> {
    let walk = WalkBuilder::new(directory)
        .standard_filters(false)
        .same_file_system(true)
        .filter_entry(|entry| {
            entry.file_name() != STATE && entry.file_type().is_some_and(|kind| kind.is_dir())
        })
        .build();
    walk.flatten().map(DirEntry::into_path).collect()
}

/// Searches a directory, with as many threads as there are processors.
///
/// Files are opened as briefly as `look` opens them. Must not be called while an engine in this
/// process has a database of the tree open.
pub fn databases_below(directory: &Path, crosses: bool) -> Found {
    let found = Mutex::new(Vec::new());
    let unreadable = AtomicU64::new(0);
    let walk = WalkBuilder::new(directory)
        .standard_filters(false)
        .same_file_system(!crosses)
        .filter_entry(|entry| entry.file_name() != STATE)
        .build_parallel();
    walk.run(|| {
        Box::new(|entry| {
            let Ok(entry) = entry else {
                unreadable.fetch_add(1, Ordering::Relaxed);
                return WalkState::Continue;
            };
            let is = match entry.file_type() {
                Some(kind) if kind.is_file() => is_database(entry.path()),
                Some(kind) if kind.is_dir() => {
                    recognise_directory(entry.path()).map(|engine| engine != Engine::Unknown)
                }
                _ => Ok(false),
            };
            match is {
                Ok(true) => found.lock().expect("no panic in a search").push(entry.into_path()),
                Ok(false) => {}
                // What went away meanwhile was not kept from us.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => {
                    unreadable.fetch_add(1, Ordering::Relaxed);
                }
            }
            WalkState::Continue
        })
    });
    let mut databases = found.into_inner().expect("no panic in a search");
    databases.sort();
    Found { databases, unreadable: unreadable.into_inner() }
}

/// Returns the files below a directory that have a lock of dbguard's; with `lock_dir`, those whose
/// locks are there.
pub fn locks_below(directory: &Path, lock_dir: Option<&Path>) -> Found {
    if let Some(lock_dir) = lock_dir {
        // Locks are told apart by the canonical path.
        let root = canonical(directory).unwrap_or_else(|_| directory.to_path_buf());
        let databases = lock::named_in_lock_dir(lock_dir, &directories_below(&root));
        return Found { databases, unreadable: 0 };
    }
    let seen = AtomicU64::new(0);
    let search = Search { crosses: false, is_pid_file: &|_| false, seen: &seen };
    let found = leftovers_below(directory, &search);
    let states = found.candidates.into_iter().filter_map(|candidate| match candidate {
        Candidate::State(parent) => Some(parent),
        _ => None,
    });
    let databases = states.flat_map(|parent| lock::named_in(&parent)).collect();
    Found { databases, unreadable: found.unreadable }
}

fn is_database(path: &Path) -> io::Result<bool> {
    if fs::symlink_metadata(path)?.len() < SMALLEST_BYTES {
        return Ok(false);
    }
    let Sniffed::File(mut file) = open_unnoticed(path)? else { return Ok(false) };
    let mut head = [0; native::HEAD_BYTES];
    let length = file.read(&mut head)?;
    let engine = native::recognise_file(&head[..length]);
    // The data file of an environment in a directory is found as its directory.
    let is_inside = engine == Engine::Lmdb && path.ends_with(native::lmdb::DATA_FILE);
    Ok(!is_inside && !matches!(engine, Engine::Unknown | Engine::Empty))
}
