//! Looking at many databases again and again, at little cost.
//!
//! Where [`survey`](super::survey()) says everything about one database once, this says who holds it
//! and who waits, of all of them, every second: one reading of the lock table for all together, a
//! file is recognised again only when it has changed, and a process is described once. It is
//! sampling: what comes and goes between two looks is not seen, except what its claim tells.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use super::native_look::look;
use super::survey::{asked, described, files, kind, recognise, span};
use super::symptoms::grouped;
use crate::error::Party;
use crate::lock::{Claimant, Mode, Resource, Roll, Roster, Stage, without_claim};
use crate::native::decode::{Blocks, Place, Span, decode};
use crate::native::{Engine, Want};
use crate::platform::held_locks::{HeldLock, NamedFile};
use crate::platform::holders::{self, table_is_complete};
use crate::platform::lock_table::{LockKind, LockMode};
use crate::platform::lock_watch::LockWatch;
use crate::platform::{FileId, facts_at, process};
use crate::watch::{NativeHold, Sample};

/// Claims are kept open so that their end can be told; more than these are opened each time.
/// Below what a process may have open everywhere, whatever else it has.
const MOST_KEPT: usize = 200;

/// What looks like a moment between two steps of an `exec` is looked at again so often before it is
/// believed. It has the lock for some microseconds before and after its claim, and the whole before
/// the key; on a machine with much to do that can take a while.
const LOOKS: usize = 5;

/// Between two such looks.
const DOUBT: Duration = Duration::from_millis(20);

/// Looks at databases.
#[derive(Debug)]
pub struct Sampler {
    spots: Vec<Spot>,
    locks: LockWatch,
    people: HashMap<u32, Person>,
    /// Whose claims were seen at the last look.
    known: HashSet<String>,
    /// Whether the lock table shows everybody's locks.
    is_complete: bool,
}

/// One database that is looked at.
#[derive(Debug)]
struct Spot {
    resource: Resource,
    roll: Roll,
    engine: Engine,
    /// What the file was like when it was recognised.
    recognised: Option<(FileId, u64, SystemTime)>,
    exists: bool,
    /// Those who have dbguard's lock and no claim.
    strangers: Vec<HeldLock>,
    /// The locks of the engine at the last look; `None` before the first.
    native: Option<Vec<NativeHold>>,
}

/// A process that was described.
#[derive(Debug)]
struct Person {
    started: Option<u64>,
    who: Party,
    is_used: bool,
}

/// A file to look up in the lock table.
struct Wanted {
    spot: usize,
    /// `None` for the file of dbguard's own lock.
    place: Option<Place>,
    path: PathBuf,
    id: Option<FileId>,
}

/// What is seen at one moment.
struct Pass {
    rosters: Vec<(Roster, Option<String>)>,
    wanted: Vec<Wanted>,
    locks: Vec<HeldLock>,
    error: Option<String>,
}

impl Sampler {
    /// Begins with nothing to look at.
    pub fn new() -> Self {
        let is_complete = table_is_complete();
        Self {
            spots: Vec::new(),
            locks: LockWatch::default(),
            people: HashMap::new(),
            known: HashSet::new(),
            is_complete,
        }
    }

    /// Adds a database; it is told last.
    pub fn add(&mut self, resource: Resource) {
        self.spots.push(Spot {
            roll: Roll::new(resource.clone()),
            exists: resource.facts.is_some(),
            resource,
            engine: Engine::Unknown,
            recognised: None,
            strangers: Vec::new(),
            native: None,
        });
    }

    /// Stops looking at those that are gone: there is neither a database nor a lock. Those that
    /// `stays` names stay all the same. Returns the places of the others, last first.
    pub fn forget_gone(&mut self, stays: impl Fn(&Path) -> bool) -> Vec<usize> {
        let is_gone = |spot: &Spot| {
            let path = &spot.resource.path;
            !stays(path) && !path.exists() && !spot.resource.place.directory().exists()
        };
        let gone: Vec<usize> =
            (0..self.spots.len()).rev().filter(|place| is_gone(&self.spots[*place])).collect();
        for place in &gone {
            self.spots.remove(*place);
        }
        gone
    }

    /// Looks at all of them. May block for a tenth of a second where somebody has a lock without
    /// a claim for the first time.
    ///
    /// Must not be called while an engine in this process has one of them open.
    pub fn look(&mut self) -> Vec<Sample> {
        let mut pass = self.pass();
        let mut still = self.strangers(&pass);
        for _ in 1..LOOKS {
            if !self.is_doubtful(&pass, &still) {
                break;
            }
            thread::sleep(DOUBT);
            let mut again = self.pass();
            for (one, (before, _)) in again.rosters.iter_mut().zip(pass.rosters) {
                one.0.left.splice(0..0, before.left);
            }
            pass = again;
            let now = self.strangers(&pass);
            still.retain(|one| now.contains(one));
        }
        let ids = pass.rosters.iter().flat_map(|(roster, _)| &roster.claimants);
        self.known = ids.map(|one| one.id.clone()).collect();
        for (place, spot) in self.spots.iter_mut().enumerate() {
            let of_it = still.iter().filter(|(spot, _)| *spot == place);
            spot.strangers = of_it.map(|(_, lock)| lock.clone()).collect();
        }
        self.told(pass)
    }

    /// Whether something was seen that may be over in a moment.
    fn is_doubtful(&self, pass: &Pass, strangers: &[(usize, HeldLock)]) -> bool {
        let is_known =
            |(spot, lock): &(usize, HeldLock)| self.spots[*spot].strangers.contains(lock);
        let may_want_a_key = |one: &Claimant| {
            let is_whole = one.stage == Stage::Holding && one.key.is_none();
            let has_begun = one.party.child_pid.is_some() || self.known.contains(&one.id);
            is_whole && one.party.mode == Mode::Shared.word() && !has_begun
        };
        let mut claimants = pass.rosters.iter().flat_map(|(roster, _)| &roster.claimants);
        !strangers.iter().all(is_known) || claimants.any(may_want_a_key)
    }

    fn pass(&mut self) -> Pass {
        let open: usize = self.spots.iter().map(|spot| spot.roll.open_files()).sum();
        let mut spare = MOST_KEPT.saturating_sub(open);
        let mut rosters = Vec::with_capacity(self.spots.len());
        let mut wanted = Vec::new();
        for (place, spot) in self.spots.iter_mut().enumerate() {
            let before = spot.roll.open_files();
            rosters.push(match spot.roll.look(spare) {
                Ok(roster) => (roster, None),
                Err(error) => (Roster::default(), Some(error.to_string())),
            });
            spare = spare.saturating_sub(spot.roll.open_files().saturating_sub(before));
            wanted.extend(spot.wanted(place));
        }
        let named: Vec<NamedFile<'_>> =
            wanted.iter().map(|one| NamedFile { path: &one.path, id: one.id }).collect();
        let (locks, error) = match self.locks.look(&named) {
            Ok(locks) => (locks, None),
            Err(error) => (Vec::new(), Some(format!("the locks cannot be seen: {error}"))),
        };
        Pass { rosters, wanted, locks, error }
    }

    /// Returns the kernel's locks on dbguard's own lock files that no claim accounts for.
    fn strangers(&self, pass: &Pass) -> Vec<(usize, HeldLock)> {
        let of_lock_files = pass.locks.iter().filter_map(|lock| {
            let wanted = &pass.wanted[lock.file];
            let is_flock = lock.lock.kind == LockKind::Flock && !lock.lock.waiting;
            (wanted.place.is_none() && is_flock).then_some((wanted.spot, lock))
        });
        let is_strange = |(spot, lock): &(usize, &HeldLock)| {
            let claimants = &pass.rosters[*spot].0.claimants;
            let is_of_it = |one: &Claimant| {
                let pids = [Some(one.party.pid), one.party.child_pid];
                one.stage == Stage::Holding
                    || lock.holders.iter().any(|pid| pids.contains(&Some(*pid)))
            };
            lock.holders != [std::process::id()] && !claimants.iter().any(is_of_it)
        };
        // Where a file is in the list can change.
        let lock = |lock: &HeldLock| HeldLock { file: 0, ..lock.clone() };
        of_lock_files.filter(is_strange).map(|(spot, held)| (spot, lock(held))).collect()
    }

    /// Puts everything together.
    fn told(&mut self, pass: Pass) -> Vec<Sample> {
        let Self { spots, people, is_complete, .. } = self;
        people.values_mut().for_each(|person| person.is_used = false);
        let mut samples = Vec::with_capacity(spots.len());
        for (place, (spot, (roster, error))) in spots.iter_mut().zip(pass.rosters).enumerate() {
            let at_ms = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
            let at_ms = u64::try_from(at_ms).unwrap_or(0);
            let is_of_it = |lock: &&HeldLock| {
                let wanted = &pass.wanted[lock.file];
                wanted.spot == place && wanted.place.is_some()
            };
            let locks: Vec<HeldLock> = pass.locks.iter().filter(is_of_it).cloned().collect();
            let mut native = native(spot.engine, &locks, &pass.wanted, people);
            let is_listed = spot.engine != Engine::Lmdb && *is_complete && holders::ARE_LISTED;
            if spot.exists && !is_listed {
                unlisted(&spot.resource.path, &mut native);
            }
            spot.date(&mut native, at_ms);
            let mut claimants = roster.claimants;
            claimants.extend(spot.strangers.iter().map(stranger));
            samples.push(Sample {
                path: spot.resource.path.clone(),
                engine: spot.engine.name(),
                at_ms,
                claimants,
                left: roster.left,
                native,
                error: error.or_else(|| pass.error.clone()),
            });
        }
        people.retain(|_, person| person.is_used);
        samples
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Self::new()
    }
}

impl Spot {
    /// Recognises the database if it has changed, and returns the files whose locks count.
    fn wanted(&mut self, spot: usize) -> Vec<Wanted> {
        let facts = facts_at(&self.resource.path).ok();
        self.exists = facts.is_some();
        let now = facts.map(|facts| (facts.id, facts.size, facts.modified));
        if self.recognised != now {
            self.engine =
                if now.is_some() { recognise(&self.resource.path).0 } else { Engine::Unknown };
            self.recognised = now;
        }
        let mut wanted = Vec::new();
        let mut add = |place, path: PathBuf, id| wanted.push(Wanted { spot, place, path, id });
        for (place, path) in files(self.engine, &self.resource.path) {
            let id = match place {
                Place::Main => facts.map(|facts| facts.id),
                _ => facts_at(&path).ok().map(|facts| facts.id),
            };
            if id.is_some() {
                add(Some(place), path, id);
            }
        }
        let lock = match &self.resource.place.lock_file {
            Some(file) => file.clone(),
            None => self.resource.place.directory().join("lock"),
        };
        if let Ok(facts) = facts_at(&lock) {
            add(None, lock, Some(facts.id));
        }
        wanted
    }

    /// Notes since when each lock of the engine has kept somebody out.
    fn date(&mut self, native: &mut [NativeHold], at_ms: u64) {
        for lock in native.iter_mut().filter(|lock| lock.blocks > Blocks::None) {
            lock.seen_ms = self.native.as_ref().and_then(|before| {
                let mut blockers = before.iter().filter(|other| other.blocks > Blocks::None);
                let same = blockers.find(|other| other.is_same(lock));
                same.map_or(Some(at_ms), |same| same.seen_ms)
            });
        }
        self.native = Some(native.to_vec());
    }
}

fn stranger(lock: &HeldLock) -> Claimant {
    let mode = if lock.lock.mode == LockMode::Write { Mode::Exclusive } else { Mode::Shared };
    without_claim(lock.holders.first().copied(), mode)
}

/// Returns the locks of the engine: of each process the one that keeps out most.
fn native(
    engine: Engine,
    locks: &[HeldLock],
    wanted: &[Wanted],
    people: &mut HashMap<u32, Person>,
) -> Vec<NativeHold> {
    let mut holds: Vec<NativeHold> = Vec::new();
    for ((file, pid, _), held) in grouped(locks) {
        let Wanted { place: Some(place), path, .. } = &wanted[file] else { continue };
        let spans: Vec<Span> = held.iter().map(|held| span(held)).collect();
        let meaning = decode(engine, *place, &spans);
        let write = held.iter().any(|held| held.lock.mode == LockMode::Write);
        let hold = NativeHold {
            party: person(pid, write, people),
            kind: kind(held[0].lock.kind),
            file: path.to_string_lossy().into_owned(),
            meaning: meaning.text,
            blocks: meaning.blocks,
            seen_ms: None,
        };
        match holds.iter_mut().find(|other| other.is_same(&hold)) {
            Some(other) if other.blocks < hold.blocks => *other = hold,
            Some(_) => {}
            None => holds.push(hold),
        }
    }
    holds.sort_by_key(|hold| std::cmp::Reverse(hold.blocks));
    holds
}

/// Adds what the lock table does not show and the kernel tells whoever asks.
fn unlisted(path: &Path, native: &mut Vec<NativeHold>) {
    let is_held = native.iter().any(|lock| lock.blocks > Blocks::None);
    let Some(busy) = look(path, Want::Exclusive).busy else { return };
    let Some(lock) = asked(busy, path, is_held) else { return };
    let hold = NativeHold {
        party: lock.who,
        kind: lock.kind,
        file: lock.file,
        meaning: lock.meaning,
        blocks: lock.blocks,
        seen_ms: None,
    };
    native.retain(|other| other.party.pid == 0 || other.party.pid != hold.party.pid);
    native.insert(0, hold);
}

/// Describes a process, from what is known of it already if it is still the same one.
fn person(pid: u32, write: bool, people: &mut HashMap<u32, Person>) -> Party {
    let mode = if write { "exclusive" } else { "shared" };
    if pid == 0 {
        return described(pid, write, false).who;
    }
    let started = process::start_time(pid);
    let fresh = || Person { started, who: described(pid, write, false).who, is_used: true };
    let person = people.entry(pid).or_insert_with(fresh);
    if person.started != started {
        *person = fresh();
    }
    person.is_used = true;
    let age = process::age(pid).and_then(|age| u64::try_from(age.as_millis()).ok());
    let who = &person.who;
    let process_state = process::state(pid);
    Party { mode, process_state, for_ms: age.or(who.for_ms), ..who.clone() }
}
