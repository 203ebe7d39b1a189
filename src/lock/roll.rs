//! The claims on one lock, looked at again and again.
//!
//! What [`super::view()`] tells once, told every second at little cost: a lock whose directories did
//! not change since nobody had a claim on it is not opened, a claim is opened once and read again
//! only when it has grown, and a process is described once.
//!
//! A claim that is looked at stays open, and its name is not all there is to go by. A waiter was
//! granted and gone between two looks if his claim says so in the end; one who was passed over has
//! lost his name and waits on; a release takes the name away first and can then wait for joined
//! calls. So a claim is gone when both its name and its kernel lock are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, SystemTime};

use super::LockError;
use super::claim::{ClaimId, Look, Record, Seen, now_ms, parse_held_name, parse_queue_name};
use super::lockdir::{Ledger, LockDir};
use super::mode::Mode;
use super::party::{of_process, recorded};
use super::resource::Resource;
use crate::error::Party;
use crate::platform::{self, Dir, Facts, FileId, Liveness, process};

/// More keys than this are not looked into.
const MOST_KEYS: usize = 1_000;

/// Of more claimants than this on one lock the state is not asked for again.
const MOST_REFRESHED: usize = 32;

/// A directory that was changed so shortly before it was listed can be changed again without
/// another time: clocks of file systems tick every 10 ms at most, those of servers every second.
const TICK: Duration = Duration::from_secs(2);

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// In the queue.
    Waiting,
    /// It has the lock.
    Holding,
    /// It ended without giving its claim back.
    Dead,
}

/// Somebody who has a claim on a lock, or had one.
#[derive(Clone, Debug)]
pub struct Claimant {
    /// What tells the claim from all others.
    pub id: String,
    /// The key, as it is on disk; `None` for the whole.
    pub key: Option<String>,
    /// Where it stands, or stood when it was seen last.
    pub stage: Stage,
    /// When it began to ask, milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// When it was granted; of a grant that nobody had to wait for as `since_ms`.
    pub acquired_ms: Option<u64>,
    /// The claims of dead holders that were cleared before this one was granted.
    pub cleared: Vec<String>,
    /// Whether the dbguard that made it is dead and only its command is left.
    pub is_orphaned: bool,
    /// Who it is.
    pub party: Party,
}

/// What one look saw.
#[derive(Debug, Default)]
pub struct Roster {
    /// Those who have a claim, in the order of the queue, holders last.
    pub claimants: Vec<Claimant>,
    /// Those whose claim is gone since the look before, as they were in the end.
    pub left: Vec<Claimant>,
}

/// The claims on one lock and its keys.
#[derive(Debug)]
pub struct Roll {
    resource: Resource,
    keys_stamp: Option<(Stamp, bool)>,
    /// Those who were seen with a key, as long as they have the whole.
    keyed: HashSet<String>,
    levels: BTreeMap<Option<String>, Level>,
}

impl Roll {
    /// Begins to look at the lock of a resource.
    pub fn new(resource: Resource) -> Self {
        let levels = BTreeMap::from([(None, Level::default())]);
        Self { resource, keys_stamp: None, keyed: HashSet::new(), levels }
    }

    /// Returns how many claims are kept open.
    pub fn open_files(&self) -> usize {
        self.levels
            .values()
            .flat_map(|level| level.known.values())
            .filter(|one| one.file.is_some())
            .count()
    }

    /// Looks. Keeps at most `spare` more files open than before; of a claim that is not kept open
    /// less can be told when it is gone.
    ///
    /// # Errors
    /// The directory of the lock may not be read, or belongs to a stranger.
    pub fn look(&mut self, mut spare: usize) -> Result<Roster, LockError> {
        let root = self.resource.place.directory();
        let at = |key: &Option<String>| match key {
            Some(key) => root.join("keys").join(key),
            None => root.clone(),
        };
        self.find_keys();
        let stamps =
            |key: &Option<String>| [at(key).join("queue"), at(key).join("held")].map(stamp);
        let is_idle = |(key, level): (&Option<String>, &Level)| level.is_as_left(stamps(key));
        if self.levels.iter().all(is_idle) {
            return Ok(Roster::default());
        }
        let mut roster = Roster::default();
        let place = LockDir::existing(&self.resource)?;
        for (key, level) in &mut self.levels {
            let now = stamps(key);
            if level.is_as_left(now) {
                continue;
            }
            let of_key = match (key, &place) {
                (Some(name), Some(place)) => place.existing_key(name).ok().flatten(),
                _ => None,
            };
            let place = if key.is_some() { of_key.as_ref() } else { place.as_ref() };
            level.look(key.as_deref(), place.and_then(|place| place.ledger.as_ref()), &mut spare);
            level.note(now);
            level.tell(&mut roster);
        }
        self.levels.retain(|key, level| key.is_none() || level.is_worth_keeping());
        Ok(self.each_once(roster))
    }

    /// Who has a key has the whole shared, and is told once, with the key; also while he has only
    /// one of the two, because he is just giving them back.
    fn each_once(&mut self, mut roster: Roster) -> Roster {
        let all = roster.claimants.iter().chain(&roster.left);
        self.keyed.extend(all.filter(|one| one.key.is_some()).map(|one| one.id.clone()));
        let is_told = |one: &Claimant| one.key.is_some() || !self.keyed.contains(&one.id);
        roster.claimants.retain(is_told);
        roster.left.retain(is_told);
        // Where a claim cannot be moved it is two files for a moment: the later one counts.
        for claimants in [&mut roster.claimants, &mut roster.left] {
            let mut told = HashSet::new();
            claimants.reverse();
            claimants.retain(|one| told.insert((one.key.clone(), one.id.clone())));
            claimants.reverse();
        }
        let whole = self.levels.get(&None).into_iter().flat_map(|level| level.known.values());
        let whole: HashSet<&str> = whole.map(|known| known.claimant.id.as_str()).collect();
        self.keyed.retain(|id| whole.contains(id.as_str()));
        roster
    }

    /// Notices keys that were made.
    fn find_keys(&mut self) {
        let now = stamp(self.resource.place.directory().join("keys"));
        if now.is_none() || self.keys_stamp == now.map(|now| (now, true)) {
            return;
        }
        let names = match LockDir::existing(&self.resource) {
            Ok(Some(place)) => place.key_names(),
            // What cannot be listed has no keys.
            _ => Vec::new(),
        };
        for name in names.into_iter().take(MOST_KEYS) {
            self.levels.entry(Some(name)).or_default();
        }
        self.keys_stamp = now.map(|now| (now, now.is_settled()));
    }
}

/// What tells whether a directory has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: FileId,
    modified: SystemTime,
}

impl Stamp {
    /// Whether a change from now on shows.
    fn is_settled(self) -> bool {
        self.modified.elapsed().is_ok_and(|elapsed| elapsed >= TICK)
    }
}

fn stamp(path: std::path::PathBuf) -> Option<Stamp> {
    let facts = platform::facts_of_link(&path).ok()?;
    Some(Stamp { file: facts.id, modified: facts.modified })
}

/// The claims on a whole lock, or on one key of it.
#[derive(Debug, Default)]
struct Level {
    known: HashMap<FileId, Known>,
    left: Vec<Claimant>,
    /// The directories as they were when they were listed; `None` before the first time.
    listed: Option<([Option<Stamp>; 2], bool)>,
}

/// A claim that was seen.
#[derive(Debug)]
struct Known {
    /// Kept open, unless there are too many.
    file: Option<Seen>,
    bytes: u64,
    order: (bool, u64),
    claimant: Claimant,
}

impl Level {
    /// Whether nobody had a claim at the last look, and nobody can have made one since.
    fn is_as_left(&self, now: [Option<Stamp>; 2]) -> bool {
        self.known.is_empty() && self.listed == Some((now, true))
    }

    fn note(&mut self, stamps: [Option<Stamp>; 2]) {
        let is_settled = stamps.iter().flatten().all(|stamp| stamp.is_settled());
        self.listed = Some((stamps, is_settled));
    }

    /// A key that is gone need not be asked for again.
    fn is_worth_keeping(&self) -> bool {
        !self.known.is_empty() || self.listed.is_none_or(|(stamps, _)| stamps != [None, None])
    }

    fn look(&mut self, key: Option<&str>, ledger: Option<&Ledger>, spare: &mut usize) {
        let mut seen = HashSet::new();
        if let Some(ledger) = ledger {
            // The queue first: a claim that is moved meanwhile is seen twice then, never missed.
            for (dir, in_held) in [(&ledger.queue, false), (&ledger.held, true)] {
                for name in names(dir) {
                    seen.extend(self.meet(key, dir, &name, in_held, spare));
                }
            }
        }
        *spare += self.part(&seen);
    }

    /// Takes leave of those whose name is gone, and their lock too; returns how many were kept open.
    fn part(&mut self, seen: &HashSet<FileId>) -> usize {
        let is_gone = |file: &FileId, known: &mut Known| {
            let is_locked = known.file.as_ref().is_some_and(Seen::is_live);
            !seen.contains(file) && !is_locked
        };
        let gone: Vec<Known> = self.known.extract_if(is_gone).map(|(_, known)| known).collect();
        let closed = gone.iter().filter(|known| known.file.is_some()).count();
        self.left.extend(gone.into_iter().map(|known| {
            // A claim tells to the end whether it was granted.
            let record = known.file.map(|file| file.record());
            let acquired_ms = record.and_then(|record| record.acquired_ms);
            let acquired_ms = known.claimant.acquired_ms.or(acquired_ms);
            Claimant { acquired_ms, ..known.claimant }
        }));
        closed
    }

    /// Looks at one name; returns its file unless there is nothing to say of it.
    fn meet(
        &mut self,
        key: Option<&str>,
        dir: &Dir,
        name: &str,
        in_held: bool,
        spare: &mut usize,
    ) -> Option<FileId> {
        let mark = Mark::read(name, in_held)?;
        let id = dir.facts_of(name).ok()?.id;
        let (file, before, was_kept) = match self.known.remove(&id) {
            Some(Known { file: Some(file), bytes, claimant, .. }) => {
                (file, Some((bytes, claimant)), true)
            }
            known => {
                let file = opened(dir, name)?;
                (file, known.map(|known| (known.bytes, known.claimant)), false)
            }
        };
        let is_live = file.is_live();
        let facts = file.facts().ok()?;
        if facts.size == 0 && before.is_none() && is_young(&facts) {
            // It is just being made, and will say more at the next look.
            return None;
        }
        // Given back between the listing and the look, or made and not locked yet: nobody is dead.
        let is_named = || facts.size > 0 && dir.facts_of(name).is_ok_and(|now| now.id == facts.id);
        if !is_live && !is_named() {
            if let Some((bytes, claimant)) = before {
                // The look for those who are gone deals with it.
                let file = Some(file).filter(|_| was_kept);
                self.known.insert(facts.id, Known { file, bytes, order: mark.order, claimant });
            }
            return None;
        }
        let stage = match (is_live, in_held) {
            (false, _) => Stage::Dead,
            (true, true) => Stage::Holding,
            (true, false) => Stage::Waiting,
        };
        let claimant = match before {
            // It says no more than it did, or there is nobody any more to be described.
            Some((bytes, one)) if bytes == facts.size || stage == Stage::Dead => {
                Claimant { stage, ..one }
            }
            _ => described(&file, facts.id, dir, name, &mark, key, stage),
        };
        let is_kept = was_kept || *spare > 0;
        *spare -= usize::from(is_kept && !was_kept);
        let file = Some(file).filter(|_| is_kept);
        let known = Known { file, bytes: facts.size, order: mark.order, claimant };
        self.known.insert(facts.id, known);
        Some(facts.id)
    }

    /// Adds everybody to what is told, with what can change without the claim: how a process
    /// stands, the place in the line.
    fn tell(&mut self, roster: &mut Roster) {
        let mut all: Vec<&mut Known> = self.known.values_mut().collect();
        all.sort_by_key(|known| known.order);
        let mut position = 0;
        for (index, known) in all.into_iter().enumerate() {
            if index < MOST_REFRESHED && known.claimant.stage != Stage::Dead {
                refresh(known);
            }
            let claimant = &mut known.claimant;
            claimant.party.position = (claimant.stage == Stage::Waiting).then(|| {
                position += 1;
                position
            });
            roster.claimants.push(claimant.clone());
        }
        roster.left.append(&mut self.left);
    }
}

/// What the name of a claim says.
struct Mark {
    id: String,
    mode: Mode,
    /// Waiters by number, then holders.
    order: (bool, u64),
}

impl Mark {
    fn read(name: &str, in_held: bool) -> Option<Self> {
        if in_held {
            let (id, mode) = parse_held_name(name)?;
            return Some(Self { id: id.to_string(), mode, order: (true, 0) });
        }
        let (number, mode) = parse_queue_name(name)?;
        Some(Self { id: format!("queue {number}"), mode, order: (false, number) })
    }
}

/// Whether a claim that says nothing may be about to.
fn is_young(facts: &Facts) -> bool {
    facts.modified.elapsed().is_ok_and(|age| age < TICK)
}

/// Opens a claim; `None` if it may not be read, or has just been given back.
fn opened(dir: &Dir, name: &str) -> Option<Seen> {
    match Seen::look(dir, name) {
        Look::Live(seen) | Look::Dead(seen) => Some(seen),
        Look::Hidden | Look::Gone => None,
    }
}

fn names(dir: &Dir) -> Vec<String> {
    let mut names = Vec::new();
    // What cannot be listed shows nobody.
    drop(dir.each_name(|name, is_dir| {
        if !is_dir {
            names.push(name.to_owned());
        }
    }));
    names
}

fn described(
    file: &Seen,
    id: FileId,
    dir: &Dir,
    name: &str,
    mark: &Mark,
    key: Option<&str>,
    stage: Stage,
) -> Claimant {
    let record: Record = file.record();
    let by_name = ClaimId::parse(&mark.id).map(|_| mark.id.clone());
    let by_record = ClaimId::parse(&record.id).map(|id| id.to_string());
    let granted =
        if stage == Stage::Waiting { None } else { record.acquired_ms.or(record.since_ms) };
    let path = dir.path().join(name);
    // Nobody keeps the claim of a dead one, so nobody has to be searched for.
    let party = match (stage, by_record.is_some()) {
        (Stage::Dead, false) => Party { process_state: "gone", via: "claim", ..Party::default() },
        _ => recorded(&record, id, &path, mark.mode),
    };
    Claimant {
        id: by_name.or(by_record).unwrap_or_else(|| mark.id.clone()),
        key: key.map(str::to_owned),
        stage,
        since_ms: record.since_ms,
        acquired_ms: granted,
        cleared: record.cleared,
        is_orphaned: false,
        party: Party { mode: mark.mode.word(), ..party },
    }
}

/// Asks how the process stands.
fn refresh(Known { file, claimant, .. }: &mut Known) {
    let party = &mut claimant.party;
    let began = claimant.acquired_ms.or(claimant.since_ms);
    party.for_ms = began.map(|began| now_ms().saturating_sub(began)).or(party.for_ms);
    // Whoever could not be seen is not asked for by number: it may be another one's here.
    if party.process_state == "unknown" {
        return;
    }
    party.process_state = process::state(party.child_pid.unwrap_or(party.pid));
    let is_gone = process::liveness(party.pid, None) == Liveness::Gone;
    // Asked after that: who gives his claim back does so before he ends, and is not dead for it.
    let is_kept = || file.as_ref().map_or(party.process_state != "gone", Seen::is_live);
    claimant.is_orphaned = is_gone && !party.lease && party.child_pid.is_some() && is_kept();
}

/// Returns somebody who has the lock and made no claim, as plain flock users do.
pub fn without_claim(pid: Option<u32>, mode: Mode) -> Claimant {
    let unknown = || Party { mode: mode.word(), process_state: "unknown", ..Party::default() };
    let party = pid.map_or_else(unknown, |pid| of_process(pid, mode));
    Claimant {
        id: format!("flock {}", pid.unwrap_or(0)),
        key: None,
        stage: Stage::Holding,
        since_ms: None,
        acquired_ms: None,
        cleared: Vec::new(),
        is_orphaned: false,
        party: Party { via: "kernel", ..party },
    }
}
