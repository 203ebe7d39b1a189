//! The lock files of other tools, from a name to a verdict to an end.

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::door::{Proof, Taken, take_away};
use super::{Action, Item, Standing};
use crate::platform::held_locks::NamedFile;
use crate::platform::openers::openers;
use crate::platform::process;
use crate::probe::{Evidence, Machine};
use crate::stale::{self, Format, Kind, Owner, Rule, Statement, Verdict, judge};

/// A directory that its holder touches again and again is looked at twice, this far apart: three
/// times the interval of proper-lockfile.
const SECOND_LOOK: Duration = Duration::from_secs(15);

/// Younger than this nothing is taken for stale because of its age.
const YOUNGEST: Duration = Duration::from_secs(60);

/// That locks of a format are stale at an age, as the user says.
#[derive(Clone, Copy, Debug)]
pub struct Assumed {
    /// The format.
    pub format: &'static Format,
    /// The age.
    pub age: Duration,
}

/// How to deal with lock files.
pub struct Policy<'a> {
    /// Change nothing.
    pub dry_run: bool,
    /// What the user takes for stale.
    pub assumed: &'a [Assumed],
    /// Whether a path is one of the user's own PID files.
    pub is_pid_file: &'a (dyn Fn(&Path) -> bool + Sync),
}

/// A lock file that one of the formats knows.
struct Known {
    format: &'static Format,
    evidence: Evidence,
    said: Statement,
}

/// Looks at every path, removes what is provably stale, and tells what was seen of the rest.
///
/// Blocks for some seconds if ages are assumed that only a second look confirms.
pub fn clear(paths: &[PathBuf], policy: &Policy<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    let mut known = Vec::new();
    for path in paths {
        match know(path, policy) {
            Ok(Some(one)) => known.push(one),
            Ok(None) => {}
            // It went away since it was found, or is being taken away by another one.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::WouldBlock) => {}
            Err(error) => items.push(unreadable(path, &error)),
        }
    }
    // Only now, so that no process is overlooked that could have written one of them.
    let mut machine = Machine::new();
    let aged = aged(&known, &machine, policy);
    for one in &known {
        items.extend(deal(one, &mut machine, &aged, policy));
    }
    items
}

/// Reads a path by the formats that its name allows; `None` if it is a lock of none of them.
fn know(path: &Path, policy: &Policy<'_>) -> io::Result<Option<Known>> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let facts = crate::platform::facts_of_link(path)?;
    let kind = match (facts.directory, facts.link) {
        (true, _) => Kind::Directory,
        (_, true) => Kind::Link,
        _ => Kind::File,
    };
    let own = (policy.is_pid_file)(path).then(|| stale::named("pid-file")).flatten();
    // A lock beside a manifest of the same name says which versions belong to it.
    let stem = path.with_extension("");
    let is_manifest = || {
        ["toml", "json", "yaml", "yml"].iter().any(|end| stem.with_added_extension(end).exists())
    };
    for format in stale::find(name, kind).chain(own) {
        if format.is_quiet && is_manifest() {
            continue;
        }
        let evidence = Evidence::of(path, format)?;
        let said = (format.read)(&evidence.sighting);
        if said != Statement::Foreign {
            return Ok(Some(Known { format, evidence, said }));
        }
    }
    Ok(None)
}

fn unreadable(path: &Path, error: &io::Error) -> Item {
    let reason = format!("it may not be looked into: {error}");
    Item::new(path, "lock_file", Standing::Unknown, reason, Action::Kept)
}

/// Returns those that are stale by the age that the user gave: unchanged at a second look, and
/// open nowhere, as far as everybody can be seen.
fn aged<'a>(known: &'a [Known], machine: &Machine, policy: &Policy<'_>) -> Vec<&'a Path> {
    let is_old = |one: &&Known| {
        let assumed = policy.assumed.iter().find(|assumed| assumed.format.name == one.format.name);
        let old =
            |age: Duration| age >= YOUNGEST && assumed.is_some_and(|assumed| age >= assumed.age);
        matches!(one.said, Statement::Ageing(_)) && one.evidence.sighting.age.is_some_and(old)
    };
    let old: Vec<&Known> = known.iter().filter(is_old).collect();
    if old.iter().any(|one| one.evidence.sighting.kind == Kind::Directory) {
        thread::sleep(SECOND_LOOK);
    }
    let paths = old.iter().map(|one| one.evidence.sighting.path.as_path());
    let named: Vec<NamedFile<'_>> = paths.map(NamedFile::at).collect();
    if named.is_empty() {
        return Vec::new();
    }
    let found = openers(&named);
    let is_open = |index: usize| found.openers.iter().any(|opener| opener.file == index);
    // Who is outside a container, or in WSL, is not seen, nor counted as unseen.
    let all_seen = found.unseen == 0 && !machine.is_confined();
    let alone = old.iter().enumerate().filter(|(index, _)| all_seen && !is_open(*index));
    alone.map(|(_, one)| one.evidence.sighting.path.as_path()).collect()
}

/// Judges one, and takes it away if it is stale.
fn deal(one: &Known, machine: &mut Machine, aged: &[&Path], policy: &Policy<'_>) -> Option<Item> {
    let path = &one.evidence.sighting.path;
    let is_assumed = policy.assumed.iter().any(|assumed| assumed.format.name == one.format.name);
    if one.format.is_quiet && !is_assumed {
        return None;
    }
    let item = |verdict, reason: String, action| Item {
        format: Some(one.format.name),
        ..Item::new(path, "lock_file", verdict, reason, action)
    };
    let proof = match (&one.said, one.format.rule) {
        (Statement::Kept(reason), _) => {
            return Some(item(Standing::Reported, reason.clone(), Action::Kept));
        }
        (Statement::Ageing(limit), _) if aged.contains(&path.as_path()) => {
            let age = one.evidence.sighting.age.unwrap_or_default();
            let by =
                limit.map_or(String::new(), |limit| format!(", its tool allows {}", short(limit)));
            Proof::of_age(format!("it is {} old{by}, and nobody has it open", short(age)))
        }
        (Statement::Ageing(limit), _) => {
            let mut reason = "it names nobody".to_owned();
            if let Some(limit) = limit {
                reason += &format!("; its tool takes it for stale after {}", short(*limit));
            }
            if is_assumed {
                reason += "; it is younger than was given, or somebody may have it open";
            }
            let name = one.format.name;
            let typed = crate::info::typed(path.as_os_str().as_encoded_bytes());
            let command = format!("dbguard fix --assume-stale {name}=1h {typed}");
            let item = item(Standing::Unknown, reason, Action::Kept);
            return Some(Item { command: Some(command).filter(|_| !is_assumed), ..item });
        }
        (Statement::Unfinished, _) => {
            let reason = "it is being written, or its writer was killed".to_owned();
            return Some(item(Standing::Unknown, reason, Action::Kept));
        }
        (Statement::Foreign, _) => return None,
        (Statement::Owner(_) | Statement::OneOf(_), Rule::Age | Rule::Report) => return None,
        (Statement::Owner(_) | Statement::OneOf(_), Rule::Owner) => {
            let verdict = together(one, machine);
            match (Proof::of(&verdict), verdict) {
                (Some(proof), _) => proof,
                (None, Verdict::Live(reason)) => {
                    let is_stopped = |owner: &Owner| process::state(owner.pid) == "stopped";
                    let reason = match one.said.owners().iter().any(is_stopped) {
                        true => format!("{reason}, but is stopped"),
                        false => reason,
                    };
                    return Some(item(Standing::Live, reason, Action::Kept));
                }
                (None, Verdict::Unknown(reason) | Verdict::Stale(reason)) => {
                    return Some(item(Standing::Unknown, reason, Action::Kept));
                }
            }
        }
    };
    let reason = proof.reason().to_owned();
    Some(match take_away(&one.evidence, &proof, policy.dry_run) {
        Ok(Taken::Away) if policy.dry_run => item(Standing::Stale, reason, Action::WouldRemove),
        Ok(Taken::Away) => {
            let content = String::from_utf8_lossy(&one.evidence.sighting.content).into_owned();
            tracing::info!(path = %path.display(), content, "a stale lock is removed");
            item(Standing::Stale, reason, Action::Removed)
        }
        Ok(Taken::InUse(why)) => item(Standing::Live, why, Action::Kept),
        Ok(Taken::Kept(why)) => {
            item(Standing::Unknown, format!("{reason}, but {why}"), Action::Kept)
        }
        Err(error) => item(Standing::Stale, format!("{reason}, but {error}"), Action::Failed),
    })
}

/// Judges everybody who may be the owner: it is stale only if it would be with each of them.
fn together(one: &Known, machine: &mut Machine) -> Verdict {
    let here = machine.here(&one.evidence);
    let mut stale = None;
    let mut unknown = None;
    for owner in one.said.owners() {
        match judge(owner, &here, &machine.presence(owner.pid)) {
            live @ Verdict::Live(_) => return live,
            other @ Verdict::Unknown(_) => unknown = Some(other),
            dead @ Verdict::Stale(_) => stale = stale.or(Some(dead)),
        }
    }
    let nobody = || Verdict::Unknown("it names nobody".to_owned());
    unknown.or(stale).unwrap_or_else(nobody)
}

/// Returns a time in its largest unit.
fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
