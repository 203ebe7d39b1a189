//! The removal rule: when the directory of a lock may go (invariant 2), and how.
//!
//! It is renamed first and the lease looked at again: who opened `lock` in between breaks it, and
//! everything is put back. Whoever has only the directory open finds no `lock` in it, and comes
//! again. The order is such that a crash after any step leaves something that the next clean-up, or
//! the next user, deals with.

use std::ffi::OsStr;
use std::io;

use super::clean::{Fate, names_in};
use super::lease;
use super::lockdir::LockDir;
use super::stats;
use crate::platform::lease::Lease;
use crate::platform::step::{fault, step};
use crate::platform::{Dir, errors, host, try_lock_exclusive, unlock};

/// The lock and its numbers, `lock` last.
const LOCK_FILES: [&str; 3] = ["ticket", "fence", "lock"];

/// How the name of a directory begins that is being removed.
pub(super) const TRASH: &str = ".trash-";

/// Tells whether nothing but an unused lock is in a directory, or why it stays; nothing to say of
/// one that is in use.
pub(super) fn empty(place: &LockDir) -> Result<(), &'static str> {
    let root = &place.root;
    let is_empty = |dir: &Dir| names_in(dir).is_ok_and(|names| names.is_empty());
    match &place.ledger {
        Some(ledger) if is_empty(&ledger.queue) && is_empty(&ledger.held) => {}
        Some(_) => return Err(""),
        None if root.facts_of("lock").is_ok() => return Err("its claims cannot be listed"),
        // It was being made when its maker died.
        None => {}
    }
    let Ok(names) = root.child_to_list(".").and_then(|list| names_in(&list)) else {
        return Err("it cannot be listed");
    };
    let is_known = |(name, is_dir): &(String, bool)| match is_dir {
        true => matches!(name.as_str(), "queue" | "held" | "keys"),
        false => {
            LOCK_FILES.contains(&name.as_str()) || name == lease::ENDED || stats::is_ours(name)
        }
    };
    if !names.iter().all(is_known) {
        return Err("it holds something that is not dbguard's");
    }
    if root.child_to_list("keys").is_ok_and(|keys| !is_empty(&keys)) {
        return Err("");
    }
    Ok(())
}

/// The removal rule. `Kept` with a reason where the proof fails.
pub(super) fn retired(container: &Dir, name: &str, place: &LockDir) -> io::Result<Fate> {
    let Some(lock) = place.existing_lock()? else {
        return discarded(container, name, place);
    };
    if !try_lock_exclusive(&lock)? {
        return Ok(Fate::Kept(String::new()));
    }
    let kept = |reason: &str| {
        unlock(&lock)?;
        Ok(Fate::Kept(reason.to_owned()))
    };
    // Whoever has used it meanwhile was before our lock, or is after it.
    if !place.still_names(&lock)? || empty(place).is_err() {
        return kept("");
    }
    step("clean-locked");
    let lease = match Lease::take(&lock) {
        Ok(Some(lease)) => lease,
        Ok(None) => return kept("somebody has its lock open"),
        Err(_) => return kept("nothing proves here that nobody has its lock open"),
    };
    step("clean-leased");
    let trash = format!("{TRASH}{:016x}", host::random()?);
    fault("clean-rename")?;
    match container.rename_to_free(OsStr::new(name), OsStr::new(&trash)) {
        Err(error) if errors::is_open_inside(&error) => {
            return kept("it cannot be renamed here while its lock is held");
        }
        renamed => renamed?,
    }
    step("clean-renamed");
    if !lease.is_unbroken() {
        // It is not removed yet, so nobody has noticed; if somebody made a new one meanwhile, the
        // old one is nobody's any more.
        drop(container.rename_to_free(OsStr::new(&trash), OsStr::new(name)));
        return kept("somebody opened its lock");
    }
    emptied(place, &LOCK_FILES)?;
    drop(lease);
    container.remove_child(&trash)?;
    Ok(Fate::Removed)
}

/// Finishes what is in the trash already: nobody finds it by name, but somebody who opened it
/// before may still be about to open the lock in it.
pub(super) fn buried(state: &Dir, trash: &str, place: &LockDir) -> io::Result<Fate> {
    let Some(lock) = place.existing_lock()? else {
        return discarded(state, trash, place);
    };
    if !try_lock_exclusive(&lock)? {
        return Ok(Fate::Kept("somebody has its lock".to_owned()));
    }
    match Lease::take(&lock) {
        Ok(Some(_lease)) => emptied(place, &LOCK_FILES)?,
        Ok(None) => return Ok(Fate::Kept("somebody has its lock open".to_owned())),
        Err(error) => return Err(error),
    }
    state.remove_child(trash)?;
    Ok(Fate::Removed)
}

/// Removes a directory without a lock: nobody is in it. Somebody may be making a lock in it at this
/// moment, so that one and its numbers are not touched; then it is not empty, and stays.
fn discarded(container: &Dir, name: &str, place: &LockDir) -> io::Result<Fate> {
    step("clean-lockless");
    let removed = emptied(place, &[]).and_then(|()| container.remove_child(name));
    match removed {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            Ok(Fate::Kept(String::new()))
        }
        removed => removed.map(|()| Fate::Removed),
    }
}

/// Removes everything of ours by name: counts, and then these files. What is not empty stays.
fn emptied(place: &LockDir, files: &[&str]) -> io::Result<()> {
    let mut counts: Vec<String> = names_in(&place.root.child_to_list(".")?)?
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| stats::is_ours(name))
        .collect();
    counts.push(lease::ENDED.to_owned());
    for file in counts.iter().map(String::as_str).chain(files.iter().copied()) {
        fault("clean-file")?;
        missing_is_fine(place.root.remove(file))?;
        step("clean-file");
    }
    for directory in ["queue", "held", "keys"] {
        missing_is_fine(place.root.remove_child(directory))?;
    }
    Ok(())
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
