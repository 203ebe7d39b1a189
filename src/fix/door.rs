//! The one door through which a lock file of another tool is taken away.
//!
//! Names cannot be removed on condition: between the last look and the removal, the tool itself may
//! have broken its stale lock and made a new one. So the file is not removed but exchanged, in one
//! step, with a placeholder that names this living process; at no time is the name free. What was
//! caught is then compared with what had been seen. If it is another one, it is exchanged back;
//! if it is the same, the placeholder goes first, and then what was caught.
//!
//! Those who take something away from one directory take turns, by the kernel's lock on it. A crash
//! leaves the placeholder and, beside it, what was caught; [`undo`] puts that back.
//!
//! Where the file system cannot exchange names, the file is renamed away instead and linked back if
//! it is another one; there the name is free for a moment.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::platform::held_locks::{NamedFile, locks_on};
use crate::platform::step::{fault, step};
use crate::platform::{Dir, FileId, host};
use crate::probe::{ASIDE, Evidence};
use crate::stale::{Kind, Verdict, never_touched};

/// How often the lock on a directory is tried; those who have it need a millisecond.
const TRIES: u32 = 100;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// The permissions of a placeholder. The sticky bit marks it: no tool makes locks with it.
const PLACEHOLDER_MODE: u32 = 0o1600;

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
    /// It stays, and why.
    Kept(String),
}

fn kept(reason: &str) -> io::Result<Taken> {
    Ok(Taken::Kept(reason.to_owned()))
}

/// Takes a lock file away that is provably stale. With `dry_run` everything is checked and nothing
/// changed.
///
/// Blocks for a second at most, while somebody else takes something away from the same directory.
///
/// # Errors
/// It should have gone, and stays or is left aside.
pub fn take_away(evidence: &Evidence, _proof: &Proof, dry_run: bool) -> io::Result<Taken> {
    let path = &evidence.sighting.path;
    if let Some(why) = never_touched(path) {
        return kept(why);
    }
    let name = evidence.sighting.name();
    let parent = Dir::open(path.parent().unwrap_or(Path::new("/")))?;
    let serial = match dry_run {
        true => None,
        false => match turn(&parent)? {
            Some(turn) => Some(turn),
            None => return kept("its directory is locked"),
        },
    };
    match evidence.is_still(&parent, name) {
        Ok(true) => {}
        Ok(false) => return kept("it was replaced meanwhile"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return kept("it went away"),
        Err(error) => return Err(error),
    }
    if evidence.sighting.kind == Kind::File && is_locked(path)? {
        return kept("a process has it locked");
    }
    if dry_run {
        return Ok(Taken::Away);
    }
    step("door-looked");
    let removal = Removal { parent: &parent, name, evidence };
    let result = removal.carry_out();
    drop(serial);
    result
}

/// Waits for its turn in a directory; `None` if it does not come within a second.
fn turn(parent: &Dir) -> io::Result<Option<File>> {
    for _ in 0..TRIES {
        if let Some(turn) = parent.try_lock()? {
            return Ok(Some(turn));
        }
        thread::sleep(PAUSE);
    }
    Ok(None)
}

/// Whether any process has a kernel lock on a file: then that decides, whatever is written in it.
fn is_locked(path: &Path) -> io::Result<bool> {
    let locks = locks_on(&[NamedFile::at(path)])?;
    Ok(locks.iter().any(|lock| !lock.lock.waiting))
}

struct Removal<'a> {
    parent: &'a Dir,
    name: &'a str,
    evidence: &'a Evidence,
}

impl Removal<'_> {
    fn carry_out(&self) -> io::Result<Taken> {
        let aside = format!("{}{ASIDE}{}.{:016x}", self.name, std::process::id(), host::random()?);
        let placeholder = self.make_placeholder(&aside)?;
        step("door-placed");
        let exchanged = fault("door-exchange")
            .and_then(|()| self.parent.exchange(OsStr::new(self.name), OsStr::new(&aside)));
        match exchanged {
            Ok(()) => {}
            Err(error) => {
                drop(remove_any(self.parent, &aside));
                return match error.raw_os_error() {
                    Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP) => self.rename(&aside),
                    _ if error.kind() == io::ErrorKind::NotFound => kept("it went away"),
                    _ => Err(error),
                };
            }
        }
        step("door-exchanged");
        // Another file can have the number that the placeholder had.
        let is_ours = |name: &str| {
            self.parent.facts_of(name).is_ok_and(|facts| facts.id == placeholder)
                && is_placeholder(self.parent, name, std::process::id())
        };
        if !self.evidence.is_still(self.parent, &aside)? {
            step("door-caught");
            return self.put_back(&aside, is_ours);
        }
        step("door-compared");
        if is_ours(self.name) {
            fault("door-unlink")?;
            remove_any(self.parent, self.name)?;
        }
        step("door-freed");
        fault("door-clear")?;
        remove_any(self.parent, &aside)?;
        Ok(Taken::Away)
    }

    /// Gives back what was caught in the place of what had been seen. Whoever has it may release it
    /// meanwhile, by its name: then it is nobody's any more.
    fn put_back(&self, aside: &str, is_ours: impl Fn(&str) -> bool) -> io::Result<Taken> {
        let swap = || match self.parent.exchange(OsStr::new(self.name), OsStr::new(aside)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        if is_ours(self.name) && swap()? && !is_ours(aside) && !swap()? {
            // It was released, taken again, and released from under the second exchange.
            self.parent.rename_to_free(OsStr::new(aside), OsStr::new(self.name))?;
            return kept("it was replaced meanwhile");
        }
        remove_any(self.parent, aside)?;
        kept("it was replaced meanwhile")
    }

    /// The way without an exchange.
    fn rename(&self, aside: &str) -> io::Result<Taken> {
        let (name, aside) = (OsStr::new(self.name), OsStr::new(aside));
        fault("door-rename")?;
        self.parent.rename_to_free(name, aside)?;
        step("door-renamed");
        let aside_name = aside.to_str().unwrap_or_default();
        if !self.evidence.is_still(self.parent, aside_name)? {
            self.parent.rename_to_free(aside, name)?;
            return kept("it was replaced meanwhile");
        }
        fault("door-clear")?;
        remove_any(self.parent, aside_name)?;
        Ok(Taken::Away)
    }

    /// Makes something of the same kind that names this process, which lives.
    fn make_placeholder(&self, aside: &str) -> io::Result<FileId> {
        fault("door-place")?;
        match self.evidence.sighting.kind {
            Kind::Directory => self.parent.make_child(aside, PLACEHOLDER_MODE | 0o100, None)?,
            Kind::Link => self.parent.make_link(OsStr::new(aside), OsStr::new(&self.target()))?,
            Kind::File => {
                let mut file = self.parent.make_file(aside, PLACEHOLDER_MODE)?;
                crate::platform::own(&file, PLACEHOLDER_MODE, None)?;
                file.write_all(placeholder(std::process::id()).as_bytes())?;
            }
        }
        Ok(self.parent.facts_of(aside)?.id)
    }

    /// Returns where the link leads, with our number for the last in it.
    fn target(&self) -> String {
        let target = String::from_utf8_lossy(&self.evidence.sighting.content).into_owned();
        let pid = std::process::id().to_string();
        let is_digit = |letter: char| letter.is_ascii_digit();
        // Emacs writes the time of the boot after the process.
        let (head, tail) = match target.rsplit_once(':') {
            Some((head, tail)) if head.ends_with(is_digit) => (head, format!(":{tail}")),
            _ => (target.as_str(), String::new()),
        };
        format!("{}{pid}{tail}", head.trim_end_matches(is_digit))
    }
}

/// What stands in a placeholder: most tools read a number and a machine.
fn placeholder(pid: u32) -> String {
    format!("{pid}\n{}\n", host::host())
}

/// Removes a file, a link, or a directory with the few files in it that a lock can have.
fn remove_any(parent: &Dir, name: &str) -> io::Result<()> {
    if !parent.facts_of(name)?.directory {
        return parent.remove(name);
    }
    let mut entries = Vec::new();
    let inside = parent.child_to_list(name)?;
    inside.each_name(|entry, is_dir| entries.push((entry.to_owned(), is_dir)))?;
    // More, or a directory, was not there when it was compared: then it stays.
    if let [(entry, false)] = &entries[..] {
        inside.remove(entry)?;
    }
    parent.remove_child(name)
}

/// Deals with what a removal left that was cut short: everything is as before, or it was over.
///
/// # Errors
/// It stays as it is.
pub fn undo(path: &Path, dry_run: bool) -> io::Result<Taken> {
    let aside = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let Some((name, pid)) = parse(aside) else {
        return kept("it is called like something of dbguard's, and is not");
    };
    let parent = Dir::open(path.parent().unwrap_or(Path::new("/")))?;
    if dry_run {
        return Ok(Taken::Away);
    }
    let Some(_turn) = turn(&parent)? else { return kept("its directory is locked") };
    let is_placeholder = |name: &str| is_placeholder(&parent, name, pid);
    // It went before anything was exchanged.
    if is_placeholder(aside) {
        remove_any(&parent, aside)?;
        return Ok(Taken::Away);
    }
    match parent.facts_of(name) {
        Ok(_) if is_placeholder(name) => {
            parent.exchange(OsStr::new(name), OsStr::new(aside))?;
            remove_any(&parent, aside)?;
        }
        // Its name has been free, so whoever has it now took it as it should be taken.
        Ok(_) => remove_any(&parent, aside)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            parent.rename_to_free(OsStr::new(aside), OsStr::new(name))?;
        }
        Err(error) => return Err(error),
    }
    Ok(Taken::Away)
}

/// Reads the name of something that was put aside: the name before, and who did it.
fn parse(aside: &str) -> Option<(&str, u32)> {
    let (name, rest) = aside.rsplit_once(ASIDE)?;
    let (pid, random) = rest.split_once('.')?;
    let is_random = random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((name, pid.parse().ok()?)).filter(|_| is_random && !name.is_empty())
}

/// Whether an entry is a placeholder that this process made.
fn is_placeholder(parent: &Dir, name: &str, pid: u32) -> bool {
    let Ok(facts) = parent.facts_of(name) else { return false };
    if facts.link {
        let target = parent.read_link(OsStr::new(name));
        let words = |target: &str| {
            target
                .split(|letter: char| !letter.is_ascii_digit())
                .any(|word| word == pid.to_string())
        };
        return target.is_ok_and(|target| target.to_str().is_some_and(words));
    }
    facts.mode & 0o1000 != 0
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_was_put_aside_tells_its_name() {
        let aside = "index.lock.dbguard-stale.4711.0123456789abcdef";
        assert_eq!(parse(aside), Some(("index.lock", 4711)));
        for other in ["a.lock", ".dbguard-stale.1.0123456789abcdef", "a.dbguard-stale.1.x"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
