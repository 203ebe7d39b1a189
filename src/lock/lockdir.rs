//! The directory of one lock: `lock`, `ticket`, `fence`, `queue/`, `held/`, `keys/`.
//!
//! Opened once; everything afterwards is relative to the open descriptors (invariant 5). Files
//! are opened before they are created: `fs.protected_regular` refuses `O_CREAT` on other
//! people's files in sticky directories. Permissions follow the database and its directory, as
//! SQLite does for `-wal`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::LockError;
use super::claim::Claim;
use super::lease;
use super::manner::{Manner, ignore_in_git};
use super::resource::{Place, Resource};
use crate::platform::step::{fault, step};
use crate::platform::{self, Access, Dir, Facts};

/// The name of the state directory beside a database.
pub const STATE: &str = ".dbguard";

/// The directories in which claims are made. Absent where we may not list them.
#[derive(Debug)]
pub struct Ledger {
    /// Claims of those who wait.
    pub queue: Dir,
    /// Claims of those who hold.
    pub held: Dir,
}

/// The directory of one lock, open.
#[derive(Debug)]
pub struct LockDir {
    pub(super) root: Dir,
    pub(super) manner: Manner,
    /// `None`: the bare kernel lock is all there is.
    pub ledger: Option<Ledger>,
    /// The kernel lock is this file instead of `lock` (`--lock-file`).
    outside: Option<PathBuf>,
}

impl LockDir {
    /// Opens the lock directory of a resource, making what is missing.
    ///
    /// # Errors
    /// [`LockError::NoDirectory`] if the database's directory does not exist,
    /// [`LockError::Untrusted`] if the state belongs to a stranger or is a symbolic link,
    /// [`LockError::Create`] if it is missing and cannot be made.
    pub fn open(resource: &Resource) -> Result<Self, LockError> {
        let parent = open_parent(&resource.place.parent)?;
        let manner = Manner::of(resource, &parent)
            .map_err(|error| LockError::io("read", &resource.place.parent, error))?;
        let root = match &resource.place {
            Place { in_lock_dir: true, .. } => parent,
            Place { .. } => {
                let (state, new) = enter(&parent, STATE, &manner)?;
                if new {
                    ignore_in_git(&state, &manner);
                }
                state
            }
        };
        let (root, _) = enter(&root, &resource.place.name, &manner)?;
        Self::furnish(root, manner, resource.place.lock_file.clone())
    }

    /// Opens the lock directory of a resource only if it exists, complete or not. Makes nothing.
    ///
    /// # Errors
    /// It exists, or may exist, and cannot be opened, or it belongs to a stranger.
    pub fn existing(resource: &Resource) -> Result<Option<Self>, LockError> {
        let place = &resource.place;
        let parent = open_parent(&place.parent)?;
        let manner = Manner::of(resource, &parent)
            .map_err(|error| LockError::io("read", &place.parent, error))?;
        let state = match place.in_lock_dir {
            true => parent,
            false => match entered(&parent, STATE, &manner)? {
                Some(state) => state,
                None => return Ok(None),
            },
        };
        let Some(root) = entered(&state, &place.name, &manner)? else { return Ok(None) };
        Ok(Some(Self::as_it_is(root, manner, place.lock_file.clone())))
    }

    /// Returns the names of the keys' directories.
    pub fn key_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        if let Ok(keys) = self.root.child_to_list("keys") {
            // What cannot be listed has no names.
            drop(keys.each_name(|name, _| names.push(name.to_owned())));
        }
        names.sort();
        names
    }

    /// Opens the directory of a key's lock only if it exists.
    ///
    /// # Errors
    /// It cannot be opened, or it belongs to a stranger.
    pub fn existing_key(&self, name: &str) -> Result<Option<Self>, LockError> {
        let Some(keys) = entered(&self.root, "keys", &self.manner)? else { return Ok(None) };
        let root = entered(&keys, name, &self.manner)?;
        Ok(root.map(|root| Self::as_it_is(root, self.manner, None)))
    }

    pub(super) fn as_it_is(root: Dir, manner: Manner, outside: Option<PathBuf>) -> Self {
        let ledger = match (root.child_to_list("queue"), root.child_to_list("held")) {
            (Ok(queue), Ok(held)) => Some(Ledger { queue, held }),
            _ => None,
        };
        Self { root, manner, ledger, outside }
    }

    /// Opens the directory of a key's lock below this one.
    pub fn key(&self, name: &str) -> Result<Self, LockError> {
        let (keys, _) = enter(&self.root, "keys", &self.manner)?;
        let (root, _) = enter(&keys, name, &self.manner)?;
        Self::furnish(root, self.manner, None)
    }

    /// Opens the directory in which the calls below a held claim exclude each other.
    pub fn inner(&self, ledger: &Ledger, name: &str) -> Result<Self, LockError> {
        let (root, _) = enter(&ledger.held, name, &self.manner)?;
        Self::furnish(root, self.manner, None)
    }

    /// Opens that directory only if it exists, complete or not.
    ///
    /// # Errors
    /// It exists, or may exist, and cannot be opened.
    pub fn existing_inner(&self, ledger: &Ledger, name: &str) -> io::Result<Option<Self>> {
        let root = match ledger.held.child(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            root => root?,
        };
        Ok(Some(Self::as_it_is(root, self.manner, None)))
    }

    /// Opens the file whose kernel lock is the lock only if it exists.
    pub fn existing_lock(&self) -> io::Result<Option<File>> {
        let opened = match self.root.open_file("lock", Access::Write) {
            Err(error) if is_refusal(&error) => self.root.open_file("lock", Access::Read),
            other => other,
        };
        match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            lock => lock.map(Some),
        }
    }

    /// Makes a claim in one of the directories of this lock.
    pub fn make_claim(&self, dir: &Dir, name: &str) -> io::Result<Option<Claim>> {
        Claim::make(dir, name, self.manner.file | 0o400, self.manner.owner)
    }

    fn furnish(root: Dir, manner: Manner, outside: Option<PathBuf>) -> Result<Self, LockError> {
        let ledger = match (listed(&root, "queue", &manner), listed(&root, "held", &manner)) {
            (Ok(queue), Ok(held)) => Some(Ledger { queue, held }),
            (Err(error), _) | (_, Err(error)) if degrades(&error) => None,
            (Err(error), _) | (_, Err(error)) => return Err(unlistable(&root, error)),
        };
        let place = Self { root, manner, ledger, outside };
        if let Some(ledger) = &place.ledger {
            place.refuse_stranger(ledger.queue.facts(), "queue")?;
            place.refuse_stranger(ledger.held.facts(), "held")?;
        }
        Ok(place)
    }

    /// Opens the file whose kernel lock is the lock, making it if it is missing.
    ///
    /// Where only reading is allowed that is enough on local file systems; some network file
    /// systems want a writable descriptor for an exclusive lock, so that is tried first.
    pub fn open_lock(&self) -> Result<File, LockError> {
        let mut tries = 0;
        loop {
            let opened = fault("open").and_then(|()| match &self.outside {
                Some(path) => open_outside(path),
                None => self.open_or_make("lock"),
            });
            tries += 1;
            match opened {
                // Whoever removes an orphaned directory holds a lease on it for an instant.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < 100 => {
                    thread::sleep(Duration::from_millis(10));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_removed() => {
                    return Err(LockError::Vanished { path: self.lock_path() });
                }
                Err(error) => return Err(self.refused(error)),
                Ok(file) => {
                    self.refuse_stranger(platform::facts(&file), "lock")?;
                    step("opened");
                    return Ok(file);
                }
            }
        }
    }

    /// What is planted under our name is not an error of the system.
    fn refused(&self, error: io::Error) -> LockError {
        let path = self.lock_path();
        let planted =
            self.outside.is_none() && self.root.facts_of("lock").is_ok_and(|facts| !facts.regular);
        if planted {
            return LockError::Untrusted { path, owner: None };
        }
        LockError::creating(&path, error)
    }

    /// In a directory where everybody may make files but only replace his own (sticky), what is
    /// in it must belong to somebody trusted.
    fn refuse_stranger(&self, facts: io::Result<Facts>, name: &str) -> Result<(), LockError> {
        let path = self.root.path().join(name);
        if self.manner.dir & 0o1000 == 0 || self.outside.is_some() {
            return Ok(());
        }
        let owner = facts.map_err(|error| LockError::io("look at", &path, error))?.user;
        if self.manner.trusts(owner) {
            return Ok(());
        }
        Err(LockError::Untrusted { path, owner: Some(owner) })
    }

    /// Opens a numbers file (`ticket`, `fence`) for reading and writing, making it if missing.
    pub fn open_numbers(&self, name: &str) -> io::Result<File> {
        let file = match self.root.open_file(name, Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(name)?,
            other => other?,
        };
        // A second name would let somebody aim our writes at another file.
        if platform::facts(&file)?.links > 1 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "has a second name"));
        }
        Ok(file)
    }

    fn open_or_make(&self, name: &str) -> io::Result<File> {
        let file = match self.root.open_file(name, Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(name),
            Err(error) if is_refusal(&error) => self.root.open_file(name, Access::Read),
            other => other,
        };
        match file {
            // Somebody made it between our look and our try.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.root.open_file(name, Access::Write)
            }
            other => other,
        }
    }

    pub(super) fn make(&self, name: &str) -> io::Result<File> {
        let file = self.root.make_file(name, self.manner.file)?;
        // The umask may have hidden bits that the database shows.
        platform::own(&file, self.manner.file, self.manner.owner)?;
        Ok(file)
    }

    /// Returns the path of the file whose kernel lock is the lock.
    pub fn lock_path(&self) -> PathBuf {
        self.outside.clone().unwrap_or_else(|| self.root.path().join("lock"))
    }

    /// Returns the path of this directory.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Whether the lock's path still names the file that is open as `lock`.
    pub fn still_names(&self, lock: &File) -> io::Result<bool> {
        let open = platform::facts(lock)?.id;
        match platform::facts_at(&self.lock_path()) {
            Ok(named) => Ok(named.id == open),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn is_removed(&self) -> bool {
        self.root.facts().is_ok_and(|facts| facts.links == 0)
    }

    /// Removes an inner directory of a claim that has ended. The caller holds its `lock`
    /// exclusively; names that are not ours make it stay.
    pub fn remove_inner(&self, parent: &Dir, name: &str) -> bool {
        // Every failure leaves litter that the next grant or clean-up removes.
        if let Some(ledger) = &self.ledger {
            for dir in [&ledger.queue, &ledger.held] {
                let mut names = Vec::new();
                drop(dir.each_name(|name, is_dir| {
                    if !is_dir {
                        names.push(name.to_owned());
                    }
                }));
                names.iter().for_each(|name| drop(dir.remove(name)));
            }
        }
        for file in [lease::ENDED, "ticket", "fence", "lock"] {
            drop(self.root.remove(file));
        }
        for dir in ["queue", "held"] {
            drop(self.root.remove_child(dir));
        }
        parent.remove_child(name).is_ok()
    }
}

pub(super) fn open_parent(path: &Path) -> Result<Dir, LockError> {
    fault("open").and_then(|()| Dir::open(path)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            LockError::NoDirectory { path: path.to_path_buf() }
        }
        _ => LockError::io("open", path, error),
    })
}

/// Opens a directory of ours, making it if it is missing; refuses a stranger's.
fn enter(parent: &Dir, name: &str, manner: &Manner) -> Result<(Dir, bool), LockError> {
    let path = || parent.path().join(name);
    let mut new = false;
    let dir = loop {
        match parent.child(name) {
            Ok(dir) => break dir,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !new => {
                let made = fault("state-dir")
                    .and_then(|()| parent.make_child(name, manner.dir, manner.owner));
                match made {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    // What it would be in was removed since it was opened.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return Err(LockError::Vanished { path: path() });
                    }
                    Err(error) => return Err(LockError::creating(&path(), error)),
                    Ok(()) => {}
                }
                new = true;
            }
            Err(error) if parent.facts_of(name).is_ok_and(|facts| !facts.directory) => {
                drop(error);
                return Err(LockError::Untrusted { path: path(), owner: None });
            }
            // Made by us a moment ago, and removed again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LockError::Vanished { path: path() });
            }
            Err(error) => return Err(LockError::io("open", &path(), error)),
        }
    };
    let facts = dir.facts().map_err(|error| LockError::io("read", &path(), error))?;
    if !manner.trusts(facts.user) {
        return Err(LockError::Untrusted { path: path(), owner: Some(facts.user) });
    }
    Ok((dir, new))
}

/// Opens a directory of ours if it exists; refuses a stranger's.
pub(super) fn entered(parent: &Dir, name: &str, manner: &Manner) -> Result<Option<Dir>, LockError> {
    let path = || parent.path().join(name);
    let dir = match parent.child(name) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LockError::io("open", &path(), error)),
    };
    let facts = dir.facts().map_err(|error| LockError::io("read", &path(), error))?;
    match manner.trusts(facts.user) {
        true => Ok(Some(dir)),
        false => Err(LockError::Untrusted { path: path(), owner: Some(facts.user) }),
    }
}

fn unlistable(root: &Dir, error: io::Error) -> LockError {
    let planted = |name: &&str| root.facts_of(name).is_ok_and(|facts| !facts.directory);
    match ["queue", "held"].iter().find(|name| planted(name)) {
        Some(name) => LockError::Untrusted { path: root.path().join(name), owner: None },
        None => LockError::io("open", root.path(), error),
    }
}

fn listed(root: &Dir, name: &str, manner: &Manner) -> io::Result<Dir> {
    match root.child_to_list(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match root.make_child(name, manner.dir, manner.owner) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => root.child_to_list(name),
            }
        }
        other => other,
    }
}

/// A file named with `--lock-file` is opened as `flock(1)` does: made if it is missing.
fn open_outside(path: &Path) -> io::Result<File> {
    let with = |write| File::options().read(true).write(write).create(write).open(path);
    match with(true) {
        Err(error) if is_refusal(&error) => with(false),
        other => other,
    }
}

/// Whether an error only takes away order and names, not exclusion.
pub fn degrades(error: &io::Error) -> bool {
    is_refusal(error)
        || matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::NotFound
        )
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}
