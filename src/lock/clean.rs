//! Clears what the dead left in a state directory, and what nobody has used for long.
//!
//! Dead claims go whoever holds the lock: nobody waits on them. `lock` and its directory go only
//! when the database is gone, nobody has the lock, nobody has used it for a day (a name that never
//! had a file is a lock, too), and the kernel proves, by a lease, that nobody has it open
//! (invariant 2; `removal`).

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::LockError;
use super::claim::{Look, Seen};
use super::lockdir::{Ledger, LockDir, STATE, entered, open_parent};
use super::manner::{Manner, ignore_in_git};
use super::mode::Mode;
use super::name::name_of;
use super::queue;
use super::removal::{TRASH, buried, empty, retired};
use super::settle::{Debt, Settled, Wait, debts};
use super::stats;
use crate::platform::step::{fault, step};
use crate::platform::{self, Dir};

/// A claim that is not locked yet may be this young.
const CLAIM_GRACE: Duration = Duration::from_secs(10);

/// A lock that was used within this time may be wanted again.
const UNUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// What keeps the state out of repositories.
const IGNORE: &str = ".gitignore";

/// A part of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The claim of one who held or waited.
    Claim,
    /// The directory of one lock.
    Lock,
    /// The whole state directory.
    State,
}

/// What became of it.
#[derive(Debug)]
pub enum Fate {
    /// It is gone.
    Removed,
    /// It would go; this was only a look.
    WouldRemove,
    /// It stays, and why.
    Kept(String),
    /// It should have gone.
    Failed(io::Error),
}

/// One thing that was looked at.
#[derive(Debug)]
pub struct Cleaned {
    /// Where it is, or was.
    pub path: PathBuf,
    /// What it is.
    pub part: Part,
    /// What became of it.
    pub fate: Fate,
}

/// Cleans the state directory in `parent`; with `only` of one database, by its path. With
/// `dry_run` nothing is changed and no lock is asked for.
///
/// Does not block. What is in use is not listed, unless something else of it is stale.
///
/// # Errors
/// The directory belongs to a stranger, or cannot be opened.
///
/// # Platforms
/// Where there are no leases (other systems, some network file systems, other users' files) the
/// directories of locks stay.
pub fn clean(parent: &Path, only: Option<&Path>, dry_run: bool) -> Result<Vec<Cleaned>, LockError> {
    let directory = open_parent(parent)?;
    let database = only.and_then(|path| platform::facts_at(path).ok());
    let manner =
        Manner::like(database, &directory).map_err(|error| LockError::io("read", parent, error))?;
    let Some(_) = entered(&directory, STATE, &manner)? else { return Ok(Vec::new()) };
    let list = |name| directory.child_to_list(name);
    let state = list(STATE).map_err(|error| LockError::io("open", &parent.join(STATE), error))?;
    let (names, living) = match only {
        // Of many that are named one after the other, each would list all the others.
        Some(only) => alone(only),
        None => (names_in(&state), living(parent)),
    };
    let names = names.map_err(|error| LockError::io("list", state.path(), error))?;
    let mut work = Work { dry_run, cleaned: Vec::new() };
    for (name, _) in names.iter().filter(|(_, is_dir)| *is_dir) {
        // A stranger's is not ours to clean.
        let Ok(Some(root)) = entered(&state, name, &manner) else { continue };
        let place = LockDir::as_it_is(root, manner, None);
        if name.starts_with(TRASH) {
            work.bury(&state, name, &place);
            continue;
        }
        let idle = idle(&place);
        work.sweep(&place);
        for key in place.key_names() {
            let Ok(Some(keyed)) = place.existing_key(&key) else { continue };
            let idle = self::idle(&keyed);
            work.sweep(&keyed);
            if let Ok(keys) = place.root.child_to_list("keys") {
                // A key has no file: only its use tells whether it is wanted.
                work.retire(&keys, &key, &keyed, idle);
            }
        }
        // What may be removed is not folded: it would look used.
        match living.as_ref().is_none_or(|living| living.contains(name)) {
            true => work.fold(&place),
            false => work.retire(&state, name, &place, idle),
        }
    }
    // Without the one that was named there may be nothing left.
    if only.is_none() || work.has_removed(Part::Lock) {
        work.leave(&directory, &state, &manner);
    }
    Ok(work.cleaned)
}

/// Names, and whether each is a directory.
pub(super) type Names = Vec<(String, bool)>;
/// The names that locks of existing files have; all of them if that cannot be known.
type Living = Option<HashSet<String>>;

/// Returns the one name of a lock, and whether its file exists.
fn alone(only: &Path) -> (io::Result<Names>, Living) {
    let name = only.file_name().map(name_of).unwrap_or_default();
    let living = match platform::facts_of_link(only) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(HashSet::new()),
        _ => None,
    };
    (Ok(vec![(name, true)]), living)
}

fn living(parent: &Path) -> Living {
    let entries = fs::read_dir(parent).ok()?;
    Some(entries.flatten().map(|entry| name_of(&entry.file_name())).collect())
}

pub(super) fn names_in(dir: &Dir) -> io::Result<Names> {
    let mut names = Vec::new();
    dir.each_name(|name, is_dir| names.push((name.to_owned(), is_dir)))?;
    names.sort();
    Ok(names)
}

/// How long ago something was changed; nothing if that lies in the future.
fn age(dir: &Dir, name: &str) -> Duration {
    let modified = dir.facts_of(name).map(|facts| facts.modified);
    modified.ok().and_then(|then| SystemTime::now().duration_since(then).ok()).unwrap_or_default()
}

struct Work {
    dry_run: bool,
    cleaned: Vec<Cleaned>,
}

impl Work {
    fn tell(&mut self, path: PathBuf, part: Part, fate: Fate) {
        self.cleaned.push(Cleaned { path, part, fate });
    }

    fn has_removed(&self, part: Part) -> bool {
        self.cleaned.iter().any(|one| one.part == part && matches!(one.fate, Fate::Removed))
    }

    /// Removes the claims of the dead, and nothing else.
    fn sweep(&mut self, place: &LockDir) {
        let Some(ledger) = &place.ledger else { return };
        for waiting in queue::list(ledger) {
            let name = waiting.name();
            if let Look::Dead(seen) = Seen::look(&ledger.queue, &name) {
                self.remove_claim(&ledger.queue, &name, &seen.into_file());
            }
        }
        for debt in debts(ledger, Mode::Exclusive) {
            self.settle(place, ledger, &debt);
        }
    }

    fn remove_claim(&mut self, dir: &Dir, name: &str, seen: &File) {
        let still_named = || {
            let named = dir.facts_of(name).ok()?.id;
            (platform::facts(seen).ok()?.id == named).then_some(())
        };
        if age(dir, name) < CLAIM_GRACE || still_named().is_none() {
            return;
        }
        let path = dir.path().join(name);
        let fate = self.carry_out("clean-claim", || dir.remove(name));
        self.tell(path, Part::Claim, fate);
    }

    /// Deals with what a dead holder left, as the next holder would, but without waiting.
    fn settle(&mut self, place: &LockDir, ledger: &Ledger, debt: &Debt) {
        let name = debt.name();
        if age(&ledger.held, &name) < CLAIM_GRACE {
            return;
        }
        let path = ledger.held.path().join(&name);
        if let Some((pid, _)) = debt.command {
            let reason = format!("dbguard was killed, and its command runs on as process {pid}");
            return self.tell(path, Part::Claim, Fate::Kept(reason));
        }
        let mut busy = false;
        let fate = self.carry_out("clean-claim", || {
            busy = debt.settle(place, ledger, Mode::Exclusive, Wait::Not)? != Settled::Done;
            Ok(())
        });
        // A call that joined the dead holder lives, or whoever comes next is dealing with it.
        let is_left = busy && ledger.held.facts_of(&name).is_ok();
        if !is_left {
            self.tell(path, Part::Claim, fate);
        }
    }

    fn carry_out(&self, name: &str, act: impl FnOnce() -> io::Result<()>) -> Fate {
        if self.dry_run {
            return Fate::WouldRemove;
        }
        match fault(name).and_then(|()| act()) {
            Ok(()) => Fate::Removed,
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Fate::Removed,
            Err(error) => Fate::Failed(error),
        }
    }

    /// Removes the directory of a lock that nobody needs any more.
    fn retire(&mut self, container: &Dir, name: &str, place: &LockDir, idle: Duration) {
        let path = container.path().join(name);
        let fate = match empty(place) {
            Ok(()) if idle < UNUSED => return,
            Err(reason) => Fate::Kept(reason.to_owned()),
            Ok(()) if self.dry_run => Fate::WouldRemove,
            Ok(()) => retired(container, name, place).unwrap_or_else(Fate::Failed),
        };
        // What is merely in use is nobody's news.
        if !matches!(&fate, Fate::Kept(reason) if reason.is_empty()) {
            self.tell(path, Part::Lock, fate);
        }
    }

    fn fold(&self, place: &LockDir) {
        if !self.dry_run {
            stats::fold_all(place);
        }
    }

    /// Finishes a removal that a crash cut short.
    fn bury(&mut self, state: &Dir, name: &str, place: &LockDir) {
        let path = state.path().join(name);
        let fate = match self.dry_run {
            true => Fate::WouldRemove,
            false => buried(state, name, place).unwrap_or_else(Fate::Failed),
        };
        self.tell(path, Part::Lock, fate);
    }

    /// Removes the state directory if there is nothing in it.
    fn leave(&mut self, directory: &Dir, state: &Dir, manner: &Manner) {
        let is_empty = names_in(state).is_ok_and(|names| names.iter().all(|one| one.0 == IGNORE));
        if !is_empty {
            return;
        }
        let fate = self.carry_out("clean-state", || {
            drop(state.remove(IGNORE));
            step("clean-ignore");
            directory.remove_child(STATE)
        });
        match fate {
            Fate::Failed(_) => ignore_in_git(state, manner),
            fate => self.tell(state.path().to_path_buf(), Part::State, fate),
        }
    }
}

/// Returns how long a lock has not been used: claims come and go with each use.
fn idle(place: &LockDir) -> Duration {
    let root = &place.root;
    let parts = ["lock", "ticket", "fence", "queue", "held", "keys", "."];
    let there = parts.iter().filter(|name| root.facts_of(name).is_ok());
    there.map(|name| age(root, name)).min().unwrap_or_default()
}

/// Cleans the claims of the locks in a directory that `--lock-dir` names. Whether their databases
/// exist cannot be told there, so their directories stay.
///
/// # Errors
/// As [`clean`].
pub fn clean_lock_dir(directory: &Path, dry_run: bool) -> Result<Vec<Cleaned>, LockError> {
    let container = open_parent(directory)?;
    let manner =
        Manner::like(None, &container).map_err(|error| LockError::io("read", directory, error))?;
    let listing = container
        .child_to_list(".")
        .and_then(|listing| names_in(&listing))
        .map_err(|error| LockError::io("list", directory, error))?;
    let mut work = Work { dry_run, cleaned: Vec::new() };
    for (name, _) in listing.iter().filter(|(_, is_dir)| *is_dir) {
        let Ok(Some(root)) = entered(&container, name, &manner) else { continue };
        let place = LockDir::as_it_is(root, manner, None);
        work.sweep(&place);
        for key in place.key_names() {
            if let Ok(Some(keyed)) = place.existing_key(&key) {
                work.sweep(&keyed);
            }
        }
        work.fold(&place);
    }
    Ok(work.cleaned)
}
