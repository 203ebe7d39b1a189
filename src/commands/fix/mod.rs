//! `dbguard fix`: clears what dead processes left behind.
//!
//! Finds what may be left, hands each thing to whoever has the proof for it, and tells what came of
//! it: claims and directories of locks to `lock`, lock files to `fix`, databases to their engine.

mod databases;
mod looking;
mod tell;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::voice::Voice;
use super::{End, explain, print};
use crate::cli::fix_args::FixRequest;
use crate::cli::settings::Settings;
use crate::error::Failure;
use crate::fix::{Action, Assumed, Item, Policy, Standing, Taken, before, clear, discard, undo};
use crate::lock::{self, ClaimId, Cleaned, Fate, Part};
use crate::outcome::Outcome;
use crate::platform;
use crate::probe::{Candidate, Leftovers, Search, candidate, leftovers_below};
use crate::stale::Kind;
use databases::Doctor;
use looking::Looking;

/// Clears everything that was named.
pub fn fix(
    request: &FixRequest,
    settings: &Settings,
    voice: &Voice,
    id: ClaimId,
) -> Result<End, Failure> {
    if request.list_formats {
        return Ok(print(&tell::formats(voice)));
    }
    let treated = treat(request, settings, voice, id)?;
    let printed = print(&tell::answer(&treated.items, request.dry_run, voice));
    if printed.code != 0 {
        return Ok(printed);
    }
    let is_left = |item: &Item| match item.action {
        Action::Failed | Action::WouldRemove | Action::WouldRecover => true,
        Action::Kept => request.strict && item.verdict == Standing::Unknown,
        Action::Removed | Action::Recovered => item.verdict == Standing::Damaged,
    };
    let is_left = treated.items.iter().any(is_left) || request.strict && treated.is_hidden;
    Ok(if is_left { Outcome::Negative } else { Outcome::Ok }.into())
}

/// What became of everything that was named.
pub(super) struct Treated {
    /// Things that were looked at, sorted by name.
    pub(super) items: Vec<Item>,
    /// Whether there may be more that could not be looked at.
    is_hidden: bool,
}

/// Clears everything that was named, and prints nothing but warnings.
pub(super) fn treat(
    request: &FixRequest,
    settings: &Settings,
    voice: &Voice,
    id: ClaimId,
) -> Result<Treated, Failure> {
    let patterns = patterns(&request.patterns)?;
    let is_pid_file = |path: &Path| {
        let name = path.file_name().map(Path::new);
        patterns.is_match(path) || name.is_some_and(|name| patterns.is_match(name))
    };
    let mut found = Found::default();
    for path in &request.paths {
        found.add(path, request, &is_pid_file, voice)?;
    }
    let assumed: Vec<Assumed> = request
        .assume_stale
        .iter()
        .map(|one| Assumed { format: one.format, age: one.age })
        .collect();
    let policy = Policy { dry_run: request.dry_run, assumed: &assumed, is_pid_file: &is_pid_file };
    let mut items = Vec::new();
    found.asides.iter().for_each(|path| items.extend(aside(path, &mut found.locks, request)));
    items.extend(found.staged.iter().filter_map(|path| staged(path, request)));
    items.extend(clear(&found.locks.iter().cloned().collect::<Vec<_>>(), &policy));
    for (parent, only) in &found.states {
        items.extend(state(parent, only.as_deref(), request));
    }
    let doctor = Doctor { request, settings, voice, id };
    for database in &found.databases {
        items.extend(doctor.treat(database));
    }
    let told: HashSet<_> = items.iter().map(|item| (item.path.clone(), item.kind)).collect();
    let holders = doctor.holders(&found.states).into_iter();
    items.extend(holders.filter(|holder| !told.contains(&(holder.path.clone(), holder.kind))));
    items.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Treated { items, is_hidden: found.unreadable > 0 })
}

/// What is worth a look, by who deals with it.
#[derive(Default)]
struct Found {
    asides: BTreeSet<PathBuf>,
    staged: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    /// Directories with state in them, and the one database that is meant, if not all.
    states: BTreeSet<(PathBuf, Option<PathBuf>)>,
    databases: BTreeSet<PathBuf>,
    unreadable: u64,
}

impl Found {
    fn add(
        &mut self,
        path: &Path,
        request: &FixRequest,
        is_pid_file: &(dyn Fn(&Path) -> bool + Sync),
        voice: &Voice,
    ) -> Result<(), Failure> {
        let facts = fs::symlink_metadata(path).map_err(|error| {
            let shown = crate::report::escaped(&path.to_string_lossy());
            match error.kind() {
                std::io::ErrorKind::NotFound => {
                    Failure::new(Outcome::NoSuchFile, format!("there is no `{shown}`"))
                        .hint("to search a directory, type: dbguard fix DIRECTORY")
                }
                _ => Failure::new(Outcome::Permission, format!("cannot look at `{shown}`"))
                    .caused_by(error),
            }
        })?;
        if let Some(directory) = &request.lock_dir {
            self.states.insert((directory.clone(), None));
        }
        // A link that is named is followed unless it is a lock itself.
        let is_lock_link = facts.is_symlink() && !path.exists();
        let path = if is_lock_link { absolute(path) } else { platform::canonical(path) };
        let path = path.map_err(|error| {
            Failure::new(Outcome::OsError, "cannot resolve a path").caused_by(error)
        })?;
        if path.is_dir() && !is_lock_link {
            let seen = AtomicU64::new(0);
            let search = Search { crosses: request.cross_file_systems, is_pid_file, seen: &seen };
            let found = Looking::while_at(&seen, voice, || leftovers_below(&path, &search));
            self.take(found, voice);
            return Ok(());
        }
        self.one(&path, is_lock_link, is_pid_file);
        Ok(())
    }

    fn take(&mut self, found: Leftovers, voice: &Voice) {
        if found.unreadable > 0 {
            voice.warn(&explain::unread(found.unreadable));
        }
        self.unreadable += found.unreadable;
        for candidate in found.candidates {
            self.sort_in(candidate);
        }
    }

    fn sort_in(&mut self, candidate: Candidate) {
        match candidate {
            Candidate::Aside(path) => drop(self.asides.insert(path)),
            Candidate::Staged(path) => drop(self.staged.insert(path)),
            Candidate::Lock(path) => drop(self.locks.insert(path)),
            Candidate::State(parent) => drop(self.states.insert((parent, None))),
            Candidate::Database(path) => drop(self.databases.insert(path)),
        }
    }

    /// A file that was named: as what its name says, and as a database.
    fn one(&mut self, path: &Path, is_link: bool, is_pid_file: &(dyn Fn(&Path) -> bool + Sync)) {
        let kind = if is_link { Kind::Link } else { Kind::File };
        let candidate = candidate(path, kind, is_pid_file);
        let is_lock = matches!(
            candidate,
            Some(Candidate::Lock(_) | Candidate::Aside(_) | Candidate::Staged(_))
        );
        candidate.into_iter().for_each(|candidate| self.sort_in(candidate));
        if let Some(parent) = path.parent() {
            self.states.insert((parent.to_path_buf(), Some(path.to_path_buf())));
        }
        if !is_lock {
            self.databases.insert(path.to_path_buf());
        }
    }
}

/// Makes a path absolute and resolves everything but its last part.
fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    let whole = std::path::absolute(path)?;
    let parent = whole.parent().map(platform::canonical).transpose()?;
    Ok(parent.unwrap_or_default().join(whole.file_name().unwrap_or_default()))
}

fn patterns(globs: &[String]) -> Result<GlobSet, Failure> {
    let mut set = GlobSetBuilder::new();
    let bad = |error: globset::Error| {
        Failure::new(Outcome::Usage, format!("--pattern: {error}"))
            .hint("quote the pattern, so that the shell leaves it alone: --pattern '*.pid.txt'")
    };
    for glob in globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(bad)?);
    }
    set.build().map_err(bad)
}

/// Deals with a removal that was cut short; what it puts back is looked at like any other lock.
fn aside(path: &Path, locks: &mut BTreeSet<PathBuf>, request: &FixRequest) -> Option<Item> {
    let item =
        |verdict, reason: String, action| Item::new(path, "lock_file", verdict, reason, action);
    let reason = || "a removal by dbguard was cut short".to_owned();
    match undo(path, request.dry_run) {
        Ok(Taken::Away) if request.dry_run => {
            Some(item(Standing::Stale, reason(), Action::WouldRemove))
        }
        Ok(Taken::Away) => {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let back = before(name).map(|before| path.with_file_name(before));
            locks.extend(back.filter(|back| back.symlink_metadata().is_ok()));
            Some(item(Standing::Stale, reason(), Action::Removed))
        }
        Ok(Taken::InUse(why)) => Some(item(Standing::Live, why, Action::Kept)),
        Ok(Taken::Kept(why)) => Some(item(Standing::Unknown, why, Action::Kept)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            Some(item(Standing::Stale, format!("{}, and {error}", reason()), Action::Failed))
        }
    }
}

/// Deals with what was being written. What is still needed is nobody's news.
fn staged(path: &Path, request: &FixRequest) -> Option<Item> {
    let item = |verdict, reason: String, action| {
        Some(Item::new(path, "unfinished_file", verdict, reason, action))
    };
    let reason = || "the dbguard that was writing it is dead".to_owned();
    match discard(path, request.dry_run) {
        Ok(Taken::Away) if request.dry_run => item(Standing::Stale, reason(), Action::WouldRemove),
        Ok(Taken::Away) => item(Standing::Stale, reason(), Action::Removed),
        Ok(Taken::InUse(_)) => None,
        Ok(Taken::Kept(why)) => item(Standing::Unknown, why, Action::Kept),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => item(Standing::Stale, format!("{}, and {error}", reason()), Action::Failed),
    }
}

/// Cleans dbguard's own state in a directory.
fn state(parent: &Path, only: Option<&Path>, request: &FixRequest) -> Vec<Item> {
    let in_lock_dir = request.lock_dir.as_deref() == Some(parent);
    let cleaned = match in_lock_dir {
        true => lock::clean_lock_dir(parent, request.dry_run),
        false => lock::clean(parent, only, request.dry_run),
    };
    match cleaned {
        Ok(all) => all.into_iter().map(item_of).collect(),
        Err(error) => {
            let (path, reason) = (parent.join(lock::STATE), error.to_string());
            vec![Item::new(&path, "state_directory", Standing::Unknown, reason, Action::Kept)]
        }
    }
}

fn item_of(cleaned: Cleaned) -> Item {
    let (kind, reason) = match cleaned.part {
        Part::Claim => ("claim", "whoever made it is dead"),
        Part::Lock => ("lock_directory", "its database is gone and nobody has used it for a day"),
        Part::State => ("state_directory", "it is empty"),
    };
    let (verdict, reason, action) = match cleaned.fate {
        Fate::Removed => (Standing::Stale, reason.to_owned(), Action::Removed),
        Fate::WouldRemove => (Standing::Stale, reason.to_owned(), Action::WouldRemove),
        Fate::Kept(why) => (Standing::Live, why, Action::Kept),
        Fate::Failed(error) => (Standing::Stale, format!("{reason}, but {error}"), Action::Failed),
    };
    Item::new(&cleaned.path, kind, verdict, reason, action)
}
