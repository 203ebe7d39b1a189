//! A closer look at one lock file of another tool, and at the process that it names.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use crate::platform::portrait::{namespace_pids, portrait};
use crate::platform::step::sees_all;
use crate::platform::{Access, Dir, Facts, FileId, Liveness, file_system, host, process};
use crate::stale::{
    CONTENT_BYTES, Format, Here, Kind, MOST_ENTRIES, Neighbour, Presence, Sighting, Statement,
};

/// What was seen of a lock file, and what tells it from one that was put in its place.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What it is and says.
    pub sighting: Sighting,
    /// Its identity, size and times.
    pub facts: Facts,
}

impl Evidence {
    /// Looks at an entry; `format` tells what else of its directory matters.
    ///
    /// # Errors
    /// It is gone, or may not be read.
    pub fn of(path: &Path, format: &Format) -> io::Result<Self> {
        let parent = Dir::open(path.parent().unwrap_or(Path::new("/")))?;
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let (mut sighting, facts) = look(&parent, name, path)?;
        // A long directory is listed only for what cannot be told without.
        let is_told = || facts.links == 1 && (format.read)(&sighting) == Statement::Foreign;
        if let Some(wanted) = format.beside.filter(|_| !is_told()) {
            sighting.beside = beside(&parent, name, facts.id, wanted);
        }
        Ok(Self { sighting, facts })
    }

    /// Whether the entry of this name in this directory is still what was seen.
    ///
    /// # Errors
    /// It is gone, or may not be read.
    pub fn is_still(&self, parent: &Dir, name: &str) -> io::Result<bool> {
        let (now, facts) = look(parent, name, &self.sighting.path)?;
        let (then, seen) = (&self.sighting, &self.facts);
        Ok((facts.id, facts.size, facts.links, facts.modified)
            == (seen.id, seen.size, seen.links, seen.modified)
            && (now.kind, &now.content, &now.entries) == (then.kind, &then.content, &then.entries))
    }
}

impl Evidence {
    /// Whether the entry of this name is the very one that was seen, without opening it; of a
    /// directory also that nothing else is in it.
    ///
    /// # Errors
    /// It is gone.
    pub fn is_same(&self, parent: &Dir, name: &str) -> io::Result<bool> {
        let facts = parent.facts_of(name)?;
        let is_it = (facts.id, facts.modified) == (self.facts.id, self.facts.modified);
        Ok(is_it && (!facts.directory || self.is_still(parent, name)?))
    }
}

fn look(parent: &Dir, name: &str, path: &Path) -> io::Result<(Sighting, Facts)> {
    let facts = parent.facts_of(name)?;
    let mut seen = Sighting {
        path: path.to_path_buf(),
        bytes: facts.size,
        links: facts.links,
        age: SystemTime::now().duration_since(facts.modified).ok(),
        ..Sighting::default()
    };
    if facts.link {
        seen.kind = Kind::Link;
        seen.content = parent.read_link(OsStr::new(name))?.as_encoded_bytes().to_vec();
    } else if facts.directory {
        seen.kind = Kind::Directory;
        let inside = parent.child_to_list(name)?;
        inside.each_name(|entry, is_directory| {
            if seen.entries.len() < MOST_ENTRIES {
                let end = if is_directory { "/" } else { "" };
                seen.entries.push(format!("{entry}{end}"));
            }
        })?;
        if inside.has_other_names()? {
            seen.entries.push(char::REPLACEMENT_CHARACTER.to_string());
        }
        seen.entries.sort();
    } else if facts.regular {
        let file = parent.open_file(name, Access::Read)?;
        file.take(CONTENT_BYTES as u64).read_to_end(&mut seen.content)?;
    } else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is a device, a pipe or a socket",
        ));
    }
    Ok((seen, facts))
}

/// Returns what matters beside an entry.
fn beside(parent: &Dir, name: &str, id: FileId, wanted: fn(&str, &str) -> bool) -> Vec<Neighbour> {
    let mut names = Vec::new();
    // What cannot be listed or read tells nothing.
    if let Ok(listing) = parent.child_to_list(".") {
        drop(listing.each_name(|other, _| {
            if names.len() < MOST_ENTRIES && other != name && wanted(name, other) {
                names.push(other.to_owned());
            }
        }));
    }
    names.sort();
    let neighbour = |name: String| {
        let mut content = Vec::new();
        if let Ok(file) = parent.open_file(&name, Access::Read) {
            drop(file.take(CONTENT_BYTES as u64).read_to_end(&mut content));
        }
        let is_same = parent.facts_of(&name).is_ok_and(|facts| facts.id == id);
        Neighbour { name, content, is_same }
    };
    names.into_iter().map(neighbour).collect()
}

/// This machine and its processes, as they are held against owners.
///
/// Has to be made after the look at the files that name the owners: a process that was started
/// later cannot have written them.
#[derive(Debug)]
pub struct Machine {
    here: Here,
    /// The numbers that processes have in other PID namespaces than ours.
    elsewhere: HashSet<u32>,
    /// Whether a device can be written by other machines.
    shared: HashMap<u64, bool>,
    /// Whether start times are told as others tell them: a time namespace shifts them.
    has_plain_clock: bool,
}

impl Machine {
    /// Looks at every process that can be seen.
    pub fn new() -> Self {
        let inner = process::all().into_iter().filter_map(|(pid, _)| namespace_pids(pid));
        let inner = inner.flat_map(|pids| pids.into_iter().skip(1));
        let here = Here {
            host: host::host(),
            machine: host::machine_id(),
            boot: host::boot_id(),
            namespace: process::pid_namespace(),
            confined: !sees_all() && !process::all_are_seen(),
            shared: false,
        };
        let has_plain_clock = process::has_plain_clock();
        Self { here, elsewhere: inner.collect(), shared: HashMap::new(), has_plain_clock }
    }

    /// Whether one that is not found may live nevertheless, where it cannot be seen.
    pub fn is_confined(&self) -> bool {
        self.here.confined
    }

    /// Returns where we are, as far as it matters for this file.
    pub fn here(&mut self, evidence: &Evidence) -> Here {
        let shared = self.shared.entry(evidence.facts.id.device).or_insert_with(|| {
            // What it is on cannot be told, so it may be anything.
            file_system::of(&evidence.sighting.path).is_none_or(|on| on.network)
        });
        Here { shared: *shared, ..self.here.clone() }
    }

    /// Returns what is seen of the process with this number.
    pub fn presence(&self, pid: u32) -> Presence {
        let start = process::start_time(pid);
        let liveness = match (process::liveness(pid, None), start) {
            (Liveness::Gone, _) => Liveness::Gone,
            (_, Some(_)) => Liveness::Alive,
            (_, None) => Liveness::Unknown,
        };
        let seen = portrait(pid);
        let executable = seen.as_ref().and_then(|seen| seen.executable.as_ref());
        let is_told = executable.is_some();
        let executable =
            executable.and_then(|one| Some(one.path.file_name()?.to_str()?.to_owned()));
        let words = seen.as_ref().and_then(|seen| seen.command_line.clone()).unwrap_or_default();
        let names = seen.map(|seen| seen.name).into_iter().chain(executable).chain(words);
        Presence {
            liveness,
            start: start.filter(|_| self.has_plain_clock),
            names: names.collect(),
            elsewhere: self.elsewhere.contains(&pid),
            is_told,
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}
