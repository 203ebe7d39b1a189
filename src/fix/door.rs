//! The one door through which a lock file of another tool is taken away.
//!
//! A name cannot be removed on condition, so the file is renamed aside first, in one step, looked at
//! again, and removed only if it is still the one that was seen; otherwise it is renamed back.
//!
//! A file can come to life without a change of its name: a daemon opens its old PID file, locks it
//! and writes to it. So a file is taken away only under a write lease, which the kernel grants only
//! while nobody else has it open, and which shows whether anybody has opened it since. Where there
//! are no leases (NFS, another user's file) it stays. On Windows it is opened so that nobody else
//! has it open, and nobody can open it, until it is gone. A symbolic link cannot be written to, and a
//! directory is removed only empty.
//!
//! What is not proved away: for the microseconds between the rename and the look its name is free.
//! They matter only if the tool itself broke its stale lock and made a new one in the microseconds
//! before; then the new one is gone from its name for that long. A crash leaves what was put aside;
//! [`undo`] puts it back.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::platform::held_locks::{NamedFile, locks_on};
use crate::platform::lease::Lease;
use crate::platform::lock_table::{KernelLock, LockKind};
use crate::platform::step::{fault, step};
use crate::platform::{self, Dir, errors, host};
use crate::probe::{ASIDE, Evidence};
use crate::stale::{CONTENT_BYTES, Kind, Verdict, never_touched};

/// How often a file is tried that somebody has open: whoever looks has it open for a moment.
const TRIES: u64 = 20;

/// The shortest pause between two tries; the others differ, so that two who meet part again.
const PAUSE: Duration = Duration::from_millis(1);

/// How many lengths of pauses there are.
const PAUSES: u64 = 7;

/// That a lock file is nobody's any more.
#[derive(Debug)]
pub struct Proof(String);

impl Proof {
    /// Returns the proof in a verdict, `None` of one that is none.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Stale(reason) => Some(Self(reason.clone())),
            Verdict::Live(_) | Verdict::Unknown(_) => None,
        }
    }

    /// The proof that the user gives: that a lock which names nobody is stale at this age.
    pub fn of_age(reason: String) -> Self {
        Self(reason)
    }

    /// Returns it in words.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is gone.
    Away,
    /// It stays, because somebody has come to use it; how that shows.
    InUse(String),
    /// It stays, because the proof does not reach so far; why.
    Kept(String),
}

fn in_use(reason: &str) -> io::Result<Taken> {
    Ok(Taken::InUse(reason.to_owned()))
}

fn kept(reason: &str) -> io::Result<Taken> {
    Ok(Taken::Kept(reason.to_owned()))
}

/// Takes a lock file away that is provably stale. With `dry_run` everything is checked that can be
/// without a trace, and nothing changed.
///
/// # Errors
/// It should have gone, and stays.
pub fn take_away(evidence: &Evidence, _proof: &Proof, dry_run: bool) -> io::Result<Taken> {
    let path = &evidence.sighting.path;
    if let Some(why) = never_touched(path) {
        return kept(why);
    }
    let parent = Dir::open(path.parent().unwrap_or(Path::new("/")))?;
    let removal = Removal { parent: &parent, name: evidence.sighting.name(), evidence };
    let mut tries = 0;
    loop {
        let taken = removal.carry_out(dry_run)?;
        tries += 1;
        match taken {
            Some(taken) => return Ok(taken),
            None if tries == TRIES => return in_use("somebody has it open"),
            None => {
                let share = (u64::from(std::process::id()) + tries) % PAUSES;
                thread::sleep(PAUSE * u32::try_from(share + 1).unwrap_or(1));
            }
        }
    }
}

/// Whether any process has a kernel lock on a file: then that decides, whatever is written in it. A
/// lease is none: another one is about to take it away.
fn is_locked(path: &Path) -> io::Result<bool> {
    let locks = locks_on(&[NamedFile::at(path)])?;
    let holds = |lock: &KernelLock| !lock.waiting && lock.kind != LockKind::Lease;
    Ok(locks.iter().any(|lock| holds(&lock.lock)))
}

struct Removal<'a> {
    parent: &'a Dir,
    name: &'a str,
    evidence: &'a Evidence,
}

impl Removal<'_> {
    /// `None` if somebody has it open, perhaps only to look.
    fn carry_out(&self, dry_run: bool) -> io::Result<Option<Taken>> {
        match self.evidence.is_still(self.parent, self.name) {
            Ok(true) => {}
            Ok(false) => return in_use("it was replaced meanwhile").map(Some),
            // Somebody else takes it away.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if errors::is_shut_out(&error) => {
                return in_use("somebody keeps everybody else from opening it").map(Some);
            }
            Err(error) => return gone(error).map(Some),
        }
        let is_file = self.evidence.sighting.kind == Kind::File;
        if is_file && is_locked(&self.evidence.sighting.path)? {
            return in_use("a process has it locked").map(Some);
        }
        if dry_run {
            return Ok(Some(Taken::Away));
        }
        step("door-looked");
        if !is_file {
            return self.put_aside(&|| true);
        }
        let file = match self.parent.open_alone(self.name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return gone(error).map(Some),
        };
        let lease = match Lease::take(&file) {
            Ok(Some(lease)) => lease,
            Ok(None) => return Ok(None),
            Err(error) => {
                let reason = format!("nothing proves here that nobody has it open ({error})");
                return Ok(Some(Taken::Kept(reason)));
            }
        };
        step("door-leased");
        // Written to since it was looked at, or another one of the name.
        if !self.is_as_seen(&file)? {
            return in_use("it was replaced meanwhile").map(Some);
        }
        // From here on nobody writes to it without opening it.
        self.put_aside(&|| lease.is_unbroken())
    }

    /// Whether an open file is what was seen, to its content.
    fn is_as_seen(&self, file: &File) -> io::Result<bool> {
        let (now, then) = (platform::facts(file)?, &self.evidence.facts);
        let mut content = Vec::new();
        let file = file.try_clone()?;
        let mut start = &file;
        io::Seek::rewind(&mut start)?;
        start.take(CONTENT_BYTES as u64).read_to_end(&mut content)?;
        Ok((now.id, now.size, now.links, now.modified)
            == (then.id, then.size, then.links, then.modified)
            && content == self.evidence.sighting.content)
    }

    /// Renames it aside, and removes it if what was caught is what was seen, and nobody has come to
    /// it since; otherwise, and if anything fails, it is put back. `None` if somebody has opened it,
    /// perhaps only to look.
    fn put_aside(&self, is_unbroken: &dyn Fn() -> bool) -> io::Result<Option<Taken>> {
        let aside = format!("{}{ASIDE}{:016x}", self.name, host::random()?);
        fault("door-rename")?;
        match self.parent.rename_to_free(OsStr::new(self.name), OsStr::new(&aside)) {
            Ok(()) => {}
            Err(error) => return gone(error).map(Some),
        }
        step("door-renamed");
        let removed = match self.evidence.is_same(self.parent, &aside) {
            Ok(true) if is_unbroken() => {
                fault("door-clear").and_then(|()| self.remove(&aside)).map(|()| true)
            }
            other => other.map(|_| false),
        };
        if let Ok(true) = removed {
            return Ok(Some(Taken::Away));
        }
        let back = self.parent.rename_to_free(OsStr::new(&aside), OsStr::new(self.name));
        let is_stale = match removed {
            // Another one took it for what somebody had left aside, and put it back.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        match back {
            Ok(()) => Ok(None),
            // Whoever made a new one meanwhile has the lock; if this is still the stale one, it was
            // only looked at, and is nobody's.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !is_stale => {
                match self.evidence.is_same(self.parent, &aside) {
                    Ok(true) => self.remove(&aside).map(|()| Some(Taken::Away)),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Removes what was put aside: of a directory only what was seen in it.
    fn remove(&self, aside: &str) -> io::Result<()> {
        if self.evidence.sighting.kind != Kind::Directory {
            return self.parent.remove(aside);
        }
        let inside = self.parent.child_to_list(aside)?;
        for entry in &self.evidence.sighting.entries {
            inside.remove(entry)?;
        }
        self.parent.remove_child(aside)
    }
}

/// What went away was not ours to take.
fn gone(error: io::Error) -> io::Result<Taken> {
    match error.kind() {
        io::ErrorKind::NotFound => in_use("it went away"),
        _ => Err(error),
    }
}

/// Puts back what a removal left aside that was cut short, so that it is judged anew. If its name is
/// taken by now, whoever took it has the lock, and what was put aside is removed.
///
/// # Errors
/// It stays as it is.
pub fn undo(path: &Path, dry_run: bool) -> io::Result<Taken> {
    let aside = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let Some(name) = before(aside) else {
        return kept("it is called like something of dbguard's, and is not");
    };
    if let Some(why) = never_touched(&path.with_file_name(name)) {
        return kept(why);
    }
    let parent = Dir::open(path.parent().unwrap_or(Path::new("/")))?;
    let facts = parent.facts_of(aside)?;
    // Somebody else's is nothing that dbguard put aside for us.
    if facts.user != host::user() && facts.user != parent.facts()?.user {
        return kept("it belongs to somebody else");
    }
    if dry_run {
        return Ok(Taken::Away);
    }
    if facts.regular {
        match parent.open_alone(aside) {
            Ok(file) if Lease::take(&file).is_ok_and(|lease| lease.is_some()) => {}
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return gone(error),
            _ => return in_use("somebody is at work on it"),
        }
    }
    match parent.rename_to_free(OsStr::new(aside), OsStr::new(name)) {
        Ok(()) => Ok(Taken::Away),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !facts.directory {
                return parent.remove(aside).map(|()| Taken::Away);
            }
            // A lock that is a directory has one file in it at most.
            let inside = parent.child_to_list(aside)?;
            let mut entries = Vec::new();
            inside.each_name(|entry, is_dir| entries.push((entry.to_owned(), is_dir)))?;
            if let [(entry, false)] = &entries[..] {
                inside.remove(entry)?;
            }
            parent.remove_child(aside).map(|()| Taken::Away)
        }
        Err(error) => gone(error),
    }
}

/// Returns the name that something had before it was put aside.
pub fn before(aside: &str) -> Option<&str> {
    let (name, random) = aside.rsplit_once(ASIDE)?;
    let is_random = random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_random && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::before;

    #[test]
    fn what_was_put_aside_tells_its_name() {
        assert_eq!(before("index.lock.dbguard-stale.0123456789abcdef"), Some("index.lock"));
        for other in ["a.lock", ".dbguard-stale.0123456789abcdef", "a.dbguard-stale.x"] {
            assert_eq!(before(other), None, "{other}");
        }
    }
}
