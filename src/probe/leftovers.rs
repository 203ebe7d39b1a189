//! What may have been left in a tree: lock files of other tools, files beside databases, state of
//! dbguard. By name alone; nothing is opened until something has such a name.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::lock::STATE;
use crate::stale::{self, Kind, Rule};

/// What stands in the middle of the name of something that is being taken away.
pub const ASIDE: &str = ".dbguard-stale.";

/// How the name begins of what `dbguard update` makes beside a file; random letters follow.
pub const UPDATE: &str = ".dbguard-update-";

/// The same of `--output`.
pub const OUTPUT: &str = ".dbguard-output-";

/// How many random letters.
const LETTERS: usize = 6;

/// Something worth a look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Candidate {
    /// A removal that was cut short.
    Aside(PathBuf),
    /// What dbguard was writing beside a file, or a directory with a copy of it.
    Staged(PathBuf),
    /// The state of dbguard in this directory.
    State(PathBuf),
    /// Perhaps the lock file of another tool.
    Lock(PathBuf),
    /// A database, or what would be one, that has a log or a journal beside it.
    Database(PathBuf),
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// What is worth a look, sorted, each once.
    pub candidates: Vec<Candidate>,
    /// How many files and directories could not be read.
    pub unreadable: u64,
}

/// How to search.
pub struct Search<'a> {
    /// Whether to go into other file systems.
    pub crosses: bool,
    /// Whether a path is one of the user's own PID files.
    pub is_pid_file: &'a (dyn Fn(&Path) -> bool + Sync),
    /// Counts what was seen so far.
    pub seen: &'a AtomicU64,
}

/// Searches a directory with as many threads as there are processors. Symbolic links are not
/// followed; hidden files are searched like others.
pub fn leftovers_below(directory: &Path, search: &Search<'_>) -> Leftovers {
    let found = Mutex::new(Vec::new());
    let unreadable = AtomicU64::new(0);
    let walk = WalkBuilder::new(directory)
        .standard_filters(false)
        .same_file_system(!search.crosses)
        // A state directory is found as such, and not searched; copies are nobody's locks.
        .filter_entry(|entry| entry.depth() < 2 || !parent_name(entry).is_some_and(is_ours))
        .build_parallel();
    walk.run(|| {
        Box::new(|entry| {
            let Ok(entry) = entry else {
                unreadable.fetch_add(1, Ordering::Relaxed);
                return WalkState::Continue;
            };
            search.seen.fetch_add(1, Ordering::Relaxed);
            // The root itself is no leftover of its own tree.
            if entry.depth() > 0
                && let Some(kind) = kind_of(&entry)
                && let Some(candidate) = candidate(entry.path(), kind, search.is_pid_file)
            {
                found.lock().expect("no panic in a search").push(candidate);
            }
            WalkState::Continue
        })
    });
    let mut candidates = found.into_inner().expect("no panic in a search");
    candidates.sort();
    candidates.dedup();
    Leftovers { candidates, unreadable: unreadable.into_inner() }
}

fn parent_name(entry: &DirEntry) -> Option<&str> {
    entry.path().parent()?.file_name()?.to_str()
}

fn is_ours(name: &str) -> bool {
    name == STATE || is_staged(name)
}

fn is_staged(name: &str) -> bool {
    let random = [UPDATE, OUTPUT].into_iter().find_map(|prefix| name.strip_prefix(prefix));
    let is_random = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    random.is_some_and(|text| text.len() == LETTERS && is_random(text))
}

fn kind_of(entry: &DirEntry) -> Option<Kind> {
    let kind = entry.file_type()?;
    match (kind.is_file(), kind.is_dir(), kind.is_symlink()) {
        (true, _, _) => Some(Kind::File),
        (_, true, _) => Some(Kind::Directory),
        (_, _, true) => Some(Kind::Link),
        _ => None,
    }
}

/// Tells what an entry may be by its name.
pub fn candidate(
    path: &Path,
    kind: Kind,
    is_pid_file: &(dyn Fn(&Path) -> bool + Sync),
) -> Option<Candidate> {
    let name = path.file_name()?.to_str()?;
    if name == STATE {
        let parent = path.parent()?.to_path_buf();
        return (kind == Kind::Directory).then_some(Candidate::State(parent));
    }
    if name.contains(ASIDE) {
        return Some(Candidate::Aside(path.to_path_buf()));
    }
    if is_staged(name) && kind != Kind::Link {
        return Some(Candidate::Staged(path.to_path_buf()));
    }
    if kind == Kind::File
        && let Some(database) = database_of(path, name)
    {
        return Some(Candidate::Database(database));
    }
    if kind == Kind::File && name.ends_with(".redb") {
        return Some(Candidate::Database(path.to_path_buf()));
    }
    let mut formats = stale::find(name, kind).peekable();
    if formats.peek().is_none() && !is_pid_file(path) {
        return None;
    }
    // What is only reported may be what is never touched.
    let is_reported = formats.any(|format| format.rule == Rule::Report);
    let is_lock = is_reported || stale::never_touched(path).is_none();
    is_lock.then(|| Candidate::Lock(path.to_path_buf()))
}

/// Returns the database that a file would belong to by its name.
fn database_of(path: &Path, name: &str) -> Option<PathBuf> {
    /// Of these something is left to do; a `-shm` alone is nothing.
    const ENDS: [&str; 5] = ["-wal", "-journal", ".wal", ".wal.checkpoint", ".wal.recovery"];
    // Most names are told by their last letter.
    if !matches!(name.as_bytes().last()?, b'l' | b't' | b'y') {
        return None;
    }
    let base = ENDS.iter().find_map(|end| name.strip_suffix(end))?;
    (!base.is_empty()).then(|| path.with_file_name(base))
}
