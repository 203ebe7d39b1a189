//! A lock, seen from outside: who holds it, who waits, and what the dead left behind.
//!
//! Nothing is made, removed or changed, and the lock itself is not asked for. Claims are probed as
//! every waiter probes them: shared, without blocking.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::LockError;
use super::claim::{Look, Seen, parse_held_name};
use super::lockdir::{Ledger, LockDir, STATE};
use super::mode::Mode;
use super::name::{decode, name_of};
use super::party::{claimant, holding};
use super::queue;
use super::resource::{Resource, lock_dir_suffix};
use crate::error::Party;
use crate::platform::Dir;

/// More keys than this are not looked into.
const MOST_KEYS: usize = 1_000;

/// How a lock stands.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The file whose kernel lock it is.
    pub lock_file: PathBuf,
    /// Those who hold it, longest first.
    pub holders: Vec<Party>,
    /// Those who wait, the next one first; with their positions.
    pub waiters: Vec<Party>,
    /// Claims that nobody holds any more. They are in nobody's way.
    pub stale: Vec<PathBuf>,
    /// The keys of the resource that are held or waited for.
    pub keys: Vec<(String, View)>,
}

/// Looks at the lock of a resource; `None` if it was never locked.
///
/// # Errors
/// Its directory may not be read, or belongs to a stranger.
pub fn view(resource: &Resource) -> Result<Option<View>, LockError> {
    match LockDir::existing(resource) {
        Ok(None) => Ok(None),
        Ok(Some(place)) => match place.existing_lock() {
            // Something else of that name; one that may merely not be read hides nobody's claim.
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                Err(LockError::io("open", &place.lock_path(), error))
            }
            _ => Ok(Some(of_whole(&place))),
        },
        Err(error) => Err(error),
    }
}

fn of_whole(place: &LockDir) -> View {
    let mut whole = of(place);
    for name in place.key_names().into_iter().take(MOST_KEYS) {
        // A key whose directory goes away meanwhile is one that nobody uses.
        if let Ok(Some(key)) = place.existing_key(&name) {
            let seen = of(&key);
            if !seen.holders.is_empty() || !seen.waiters.is_empty() {
                whole.keys.push((name, seen));
            }
        }
    }
    whole
}

fn of(place: &LockDir) -> View {
    // An unreadable lock file names no plain flock user; the claims still tell of the others.
    let lock = place.existing_lock().ok().flatten();
    let mut view = View {
        lock_file: place.lock_path(),
        holders: holding(place, lock.as_ref()),
        ..View::default()
    };
    drop(lock);
    if let Some(ledger) = &place.ledger {
        wait_list(ledger, &mut view);
        dead_holders(ledger, &mut view);
    }
    view
}

fn wait_list(ledger: &Ledger, view: &mut View) {
    for waiting in queue::list(ledger) {
        let name = waiting.name();
        match Seen::look(&ledger.queue, &name) {
            Look::Live(seen) => {
                let position = Some(view.waiters.len() + 1);
                let path = ledger.queue.path().join(&name);
                let party = claimant(seen, &path, waiting.mode());
                view.waiters.push(Party { position, ..party });
            }
            Look::Dead(_) => view.stale.push(ledger.queue.path().join(name)),
            Look::Gone | Look::Hidden => {}
        }
    }
}

fn dead_holders(ledger: &Ledger, view: &mut View) {
    let mut names = Vec::new();
    // A directory that cannot be listed shows nothing.
    drop(ledger.held.each_name(|name, _| names.push(name.to_owned())));
    for name in names.iter().filter(|name| parse_held_name(name).is_some()) {
        if let Look::Dead(_) = Seen::look(&ledger.held, name) {
            view.stale.push(ledger.held.path().join(name));
        }
    }
}

/// Returns the mode that a set of holders has together.
pub fn mode_of(holders: &[Party]) -> Option<Mode> {
    let exclusive = holders.iter().any(|party| party.mode == Mode::Exclusive.word());
    match holders {
        [] => None,
        _ if exclusive => Some(Mode::Exclusive),
        _ => Some(Mode::Shared),
    }
}

/// Returns the files of a directory that have a lock.
pub fn locked_in(parent: &Path) -> Vec<PathBuf> {
    files_with(parent, &locks_in(parent))
}

/// Returns the names that have a lock in a directory, of files that exist and of others.
pub fn named_in(parent: &Path) -> Vec<PathBuf> {
    names_with(parent, locks_in(parent))
}

/// Returns the names in some directories, given by their canonical paths, that have their lock in a
/// `--lock-dir`, of files that exist and of others.
pub fn named_in_lock_dir(lock_dir: &Path, parents: &[PathBuf]) -> Vec<PathBuf> {
    let locks = directories_in(Dir::open(lock_dir), ".");
    let of = |parent: &PathBuf| {
        let suffix = lock_dir_suffix(parent);
        let own = locks.iter().filter_map(|name| name.strip_suffix(&suffix));
        names_with(parent, own.map(str::to_owned).collect())
    };
    parents.iter().flat_map(of).collect()
}

fn files_with(parent: &Path, locks: &HashSet<String>) -> Vec<PathBuf> {
    if locks.is_empty() {
        return Vec::new();
    }
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let locked = entries.filter(|entry| locks.contains(&name_of(&entry.file_name())));
    let mut files: Vec<PathBuf> = locked.map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn names_with(parent: &Path, locks: HashSet<String>) -> Vec<PathBuf> {
    let mut files = files_with(parent, &locks);
    let name = |file: &PathBuf| name_of(file.file_name().unwrap_or_default());
    let known: HashSet<String> = files.iter().map(name).collect();
    let others = locks.into_iter().filter(|name| !known.contains(name));
    // A name that was cut cannot be read back.
    let others = others.map(|name| (decode(&name), name));
    let others = others.filter(|(text, name)| name_of(text.as_ref()) == *name);
    files.extend(others.map(|(text, _)| parent.join(text)));
    files.sort();
    files
}

fn locks_in(parent: &Path) -> HashSet<String> {
    directories_in(Dir::open(parent), STATE)
}

/// Returns the names of the directories in one of a directory.
fn directories_in(parent: io::Result<Dir>, name: &str) -> HashSet<String> {
    let mut names = HashSet::new();
    // What cannot be listed has no names.
    if let Ok(inside) = parent.and_then(|parent| parent.child_to_list(name)) {
        drop(inside.each_name(|name, is_dir| {
            if is_dir {
                names.insert(name.to_owned());
            }
        }));
    }
    names
}
