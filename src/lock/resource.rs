//! What is locked: the canonical path of a database, and where its lock lives.
//!
//! Several names of one database are one resource: a symbolic link and its target, `X-wal` and
//! `X`, `data.mdb` and its directory. A name that has no file is a legitimate mutex.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::LockError;
use super::lockdir::STATE;
use super::name::{hash, name_of};
use crate::platform::names::{as_stored, folded, is_of_file};
use crate::platform::{self, Facts};

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// What engines put beside a database, after its name, and how to say so.
pub const SIDE_FILES: [(&str, &str); 4] = [
    ("-wal", "a -wal file belongs to its SQLite database"),
    ("-shm", "a -shm file belongs to its SQLite database"),
    ("-journal", "a -journal file belongs to its SQLite database"),
    (".wal", "a .wal file belongs to its DuckDB database"),
];

/// How the user wants a file to be locked.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The file as it was named.
    pub file: PathBuf,
    /// Only this key of the database.
    pub key: Option<String>,
    /// The state lives below this directory instead of beside the database.
    pub lock_dir: Option<PathBuf>,
    /// The kernel lock is this very file.
    pub lock_file: Option<PathBuf>,
}

/// Where the lock of a resource lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory that holds the state directory, or `--lock-dir` itself.
    pub parent: PathBuf,
    /// The directory name of the lock.
    pub name: String,
    /// `parent` is a `--lock-dir`: the lock directory is directly inside.
    pub in_lock_dir: bool,
    /// The file whose kernel lock is used instead of `lock`.
    pub lock_file: Option<PathBuf>,
}

impl Place {
    /// Returns the path of the lock's directory, which need not exist.
    pub fn directory(&self) -> PathBuf {
        if self.in_lock_dir {
            self.parent.join(&self.name)
        } else {
            self.parent.join(STATE).join(&self.name)
        }
    }
}

/// A resolved target.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The canonical path.
    pub path: PathBuf,
    /// What `stat` says of it; `None` if there is no such file.
    pub facts: Option<Facts>,
    /// Where its lock lives.
    pub place: Place,
    /// Why `path` is not the file that was named, if it is another one.
    pub translated: Option<&'static str>,
}

impl Resource {
    /// Resolves a target. Reads links and attributes; opens nothing.
    ///
    /// # Errors
    /// [`LockError::NoDirectory`] if the directory of the file does not exist,
    /// [`LockError::NoFile`] if it is a device, [`LockError::OwnState`] if the file belongs to dbguard
    /// itself.
    pub fn resolve(target: &Target) -> Result<Self, LockError> {
        let mut path = canonical(&target.file)?;
        let mut translated = None;
        let mut facts = facts_of(&path)?;
        if let Some((database, why)) = database_of(&path, facts.as_ref()) {
            path = canonical(&database)?;
            facts = facts_of(&path)?;
            translated = Some(why);
        }
        if path.components().any(|part| is_state(part.as_os_str())) {
            return Err(LockError::OwnState { path });
        }
        let place = place(&path, target)?;
        Ok(Self { path, facts, place, translated })
    }
}

/// Follows links, the last component too and even if nothing is at the end of them: who locks a
/// dangling link must meet those who lock its target once that exists.
///
/// # Errors
/// [`LockError::NoDirectory`] if the directory of the file does not exist, [`LockError::NoFile`] if it
/// is a device.
pub fn canonical(path: &Path) -> Result<PathBuf, LockError> {
    let mut path =
        std::path::absolute(path).map_err(|error| LockError::io("resolve", path, error))?;
    for _ in 0..MOST_LINKS {
        if !is_of_file(&path) {
            return Err(LockError::NoFile { path });
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return canonicalize(&path);
        };
        let full = canonicalize(parent)?.join(name);
        match full.read_link() {
            Ok(link) => path = full.parent().map_or_else(|| link.clone(), |dir| dir.join(&link)),
            Err(_) => return Ok(as_stored(full)),
        }
    }
    Err(LockError::io("resolve", &path, platform::errors::circle_of_links()))
}

/// Whether a name is that of the directory with dbguard's own state.
pub fn is_state(name: &OsStr) -> bool {
    *folded(name) == *STATE
}

fn canonicalize(path: &Path) -> Result<PathBuf, LockError> {
    platform::canonical(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            LockError::NoDirectory { path: path.to_path_buf() }
        }
        _ => LockError::io("resolve", path, error),
    })
}

fn facts_of(path: &Path) -> Result<Option<Facts>, LockError> {
    match platform::facts_of_link(path) {
        Ok(facts) => Ok(Some(facts)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LockError::io("look at", path, error)),
    }
}

/// Returns the database that a file belongs to, if its name and its neighbours say so.
fn database_of(path: &Path, facts: Option<&Facts>) -> Option<(PathBuf, &'static str)> {
    let name = path.file_name()?.to_str()?;
    let folded = folded(path.file_name()?);
    let folded = folded.to_str()?;
    if facts.is_some_and(|facts| facts.directory) {
        let inside = path.join("chroma.sqlite3");
        let chroma = platform::facts_of_link(&inside).is_ok_and(|facts| facts.regular);
        return chroma.then_some((inside, "the database of a Chroma directory"));
    }
    if matches!(folded, "data.mdb" | "lock.mdb") {
        return Some((path.parent()?.to_path_buf(), "an LMDB environment is its directory"));
    }
    let (base, why) = SIDE_FILES
        .iter()
        .filter(|(suffix, _)| folded.ends_with(suffix))
        .find_map(|(suffix, why)| Some((name.get(..name.len().checked_sub(suffix.len())?)?, *why)))
        .filter(|(base, _)| !base.is_empty())?;
    let database = path.with_file_name(base);
    platform::facts_at(&database).is_ok_and(|facts| facts.regular).then_some((database, why))
}

fn place(path: &Path, target: &Target) -> Result<Place, LockError> {
    let whole = match &target.lock_file {
        Some(file) => canonical(file)?,
        None => path.to_path_buf(),
    };
    let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
        return Err(LockError::NotAFile { path: whole });
    };
    let name = name_of(name);
    let lock_file = target.lock_file.is_some().then(|| whole.clone());
    Ok(match &target.lock_dir {
        Some(dir) => {
            let name = name + &lock_dir_suffix(parent);
            Place { parent: canonicalize(dir)?, name, in_lock_dir: true, lock_file }
        }
        None => Place { parent: parent.to_path_buf(), name, in_lock_dir: false, lock_file },
    })
}

/// Returns what stands after the name of a lock in a `--lock-dir`: it tells directories apart.
pub(super) fn lock_dir_suffix(parent: &Path) -> String {
    format!("-{:016x}", hash(parent.as_os_str().as_encoded_bytes()))
}
