//! From two looks at a database to what happened in between.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::sample::{NativeHold, Sample};
use crate::error::Party;
use crate::lock::{Claimant, Stage, rfc3339};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A database is watched from here on.
    Watching,
    /// It is not any more: it has gone.
    Gone,
    /// Somebody queued up.
    Waiting,
    /// Somebody got the lock.
    Acquired,
    /// Somebody gave it back.
    Released,
    /// Somebody stopped waiting without having had it.
    GaveUp,
    /// Somebody ended without giving back what he had, or his place in the line.
    Died,
    /// Somebody has locks of the engine that keep others out, or they mean something else now.
    NativeLocked,
    /// They keep nobody out any more.
    NativeReleased,
    /// What a dead one left was cleared.
    Fixed,
}

impl Kind {
    /// Returns the word of the documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Watching => "watching",
            Self::Gone => "gone",
            Self::Waiting => "waiting",
            Self::Acquired => "acquired",
            Self::Released => "released",
            Self::GaveUp => "gave_up",
            Self::Died => "died",
            Self::NativeLocked => "native_locked",
            Self::NativeReleased => "native_released",
            Self::Fixed => "fixed",
        }
    }
}

/// An event, as a line of JSON tells it.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// The version of the document: 1.
    pub schema: u32,
    /// When it was seen, RFC 3339 in UTC.
    pub time: String,
    /// What happened.
    pub event: Kind,
    /// Whether it was so when the watch began.
    pub initial: bool,
    /// The canonical path; a name that is no UTF-8 is told with replacement characters.
    #[serde(serialize_with = "as_text")]
    pub path: PathBuf,
    /// The key, as it is on disk; `null` for the whole.
    pub key: Option<String>,
    /// `free` or `held`; of `watching`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// The engine; of `watching`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<&'static str>,
    /// Whose doing it is.
    #[serde(flatten)]
    pub party: Option<Party>,
    /// `waiting` or `holding`; of `died`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<&'static str>,
    /// How long it was waited for, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
    /// How long it was held, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<u64>,
    /// How a lock of the engine was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// The file that a lock of the engine is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What a lock of the engine means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
    /// Whom a lock of the engine keeps out: `writers` or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<&'static str>,
    /// What was cleared; of `fixed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Value>,
}

impl Event {
    /// Returns an event of a database, with nothing else told yet.
    pub fn new(kind: Kind, sample: &Sample) -> Self {
        Self {
            schema: 1,
            time: rfc3339(sample.at_ms),
            event: kind,
            initial: false,
            path: sample.path.clone(),
            key: None,
            state: None,
            engine: None,
            party: None,
            was: None,
            waited_ms: None,
            held_ms: None,
            kind: None,
            file: None,
            meaning: None,
            blocks: None,
            items: None,
        }
    }

    /// Returns the line, not ended.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers have JSON")
    }

    fn of(kind: Kind, one: &Claimant, sample: &Sample) -> Self {
        let began = one.acquired_ms.or(one.since_ms);
        let for_ms = began.map(|began| sample.at_ms.saturating_sub(began));
        let party = Party { for_ms: for_ms.or(one.party.for_ms), ..one.party.clone() };
        Self { key: one.key.clone(), party: Some(party), ..Self::new(kind, sample) }
    }

    fn native(kind: Kind, lock: &NativeHold, sample: &Sample) -> Self {
        Self {
            party: Some(lock.party.clone()),
            kind: Some(lock.kind),
            file: Some(lock.file.clone()),
            meaning: Some(lock.meaning),
            blocks: Some(lock.blocks.word()),
            ..Self::new(kind, sample)
        }
    }
}

/// Returns what happened between two looks at a database, in the order in which it has to have
/// happened; without a look before, what is there already.
pub fn events(before: Option<&Sample>, after: &Sample) -> Vec<Event> {
    let nothing = Sample::default();
    let old = before.unwrap_or(&nothing);
    let mut events = Vec::new();
    if before.is_none() {
        let state = if after.is_held() { "held" } else { "free" };
        let begun = Event::new(Kind::Watching, after);
        events.push(Event { state: Some(state), engine: Some(after.engine), ..begun });
    }
    departed(old, after, &mut events);
    native_gone(old, after, &mut events);
    for one in &after.claimants {
        arrived(old.claimants.iter().find(|other| is_same(one, other)), one, after, &mut events);
    }
    native_come(old, after, &mut events);
    events.iter_mut().for_each(|event| event.initial = before.is_none());
    events
}

fn is_same(one: &Claimant, other: &Claimant) -> bool {
    one.id == other.id && one.key == other.key
}

/// Tells of those who have no claim any more.
fn departed(old: &Sample, after: &Sample, events: &mut Vec<Event>) {
    let cleared: HashSet<&str> = after
        .claimants
        .iter()
        .chain(&after.left)
        .flat_map(|one| &one.cleared)
        .map(String::as_str)
        .collect();
    for before in &old.claimants {
        if after.claimants.iter().any(|other| is_same(before, other)) {
            continue;
        }
        // Who had the whole has a key of it now, and is told with the key.
        if before.key.is_none() && after.claimants.iter().any(|other| other.id == before.id) {
            continue;
        }
        let last = after.left.iter().find(|other| is_same(before, other)).unwrap_or(before);
        let is_dead = before.is_orphaned || cleared.contains(before.id.as_str());
        match before.stage {
            // That was told when it was seen.
            Stage::Dead => {}
            Stage::Waiting if last.acquired_ms.is_none() => {
                let waited_ms = waited(last, after.at_ms);
                events.push(Event { waited_ms, ..Event::of(Kind::GaveUp, last, after) });
            }
            Stage::Waiting => {
                let waited_ms = waited(last, after.at_ms);
                events.push(Event { waited_ms, ..Event::of(Kind::Acquired, last, after) });
                events.push(ended(last, is_dead, after));
            }
            Stage::Holding => events.push(ended(last, is_dead, after)),
        }
    }
}

/// JSON has no other text than UTF-8.
fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Tells of a holder who has gone.
fn ended(one: &Claimant, is_dead: bool, after: &Sample) -> Event {
    let held_ms = one.acquired_ms.map(|at| after.at_ms.saturating_sub(at));
    let kind = if is_dead { Kind::Died } else { Kind::Released };
    let was = is_dead.then_some("holding");
    Event { was, held_ms, ..Event::of(kind, one, after) }
}

/// Returns how long somebody waited until he had the lock, or until now.
fn waited(one: &Claimant, now_ms: u64) -> Option<u64> {
    Some(one.acquired_ms.unwrap_or(now_ms).saturating_sub(one.since_ms?))
}

/// Tells of somebody with a claim, if it stands elsewhere than before.
fn arrived(before: Option<&Claimant>, one: &Claimant, after: &Sample, events: &mut Vec<Event>) {
    let stood = before.map(|before| before.stage);
    if stood == Some(one.stage) {
        return;
    }
    match one.stage {
        Stage::Waiting => {
            if stood == Some(Stage::Holding) {
                events.push(ended(one, false, after));
            }
            events.push(Event::of(Kind::Waiting, one, after));
        }
        Stage::Holding => {
            let waited_ms = waited(one, after.at_ms);
            events.push(Event { waited_ms, ..Event::of(Kind::Acquired, one, after) });
        }
        Stage::Dead => {
            // A waiter's claim says nothing of a grant.
            let was_waiting = stood == Some(Stage::Waiting) || one.acquired_ms.is_none();
            let event = match was_waiting {
                true => {
                    let waited_ms = waited(one, after.at_ms);
                    let dead = Event::of(Kind::Died, one, after);
                    Event { was: Some("waiting"), waited_ms, ..dead }
                }
                false => ended(one, true, after),
            };
            events.push(event);
        }
    }
}

fn native_gone(old: &Sample, after: &Sample, events: &mut Vec<Event>) {
    for lock in old.blockers() {
        if !after.blockers().any(|other| lock.is_same(other)) {
            let held_ms = lock.seen_ms.map(|seen| after.at_ms.saturating_sub(seen));
            let released = Event::native(Kind::NativeReleased, lock, after);
            events.push(Event { held_ms, ..released });
        }
    }
}

fn native_come(old: &Sample, after: &Sample, events: &mut Vec<Event>) {
    let told = |lock: &NativeHold| (lock.meaning, lock.blocks);
    for lock in after.blockers() {
        let before = old.blockers().find(|other| lock.is_same(other));
        if before.is_none_or(|before| told(before) != told(lock)) {
            events.push(Event::native(Kind::NativeLocked, lock, after));
        }
    }
}

#[cfg(test)]
mod tests;
