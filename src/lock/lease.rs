//! Leases: locks that no command holds, but a process of dbguard's own, the keeper.
//!
//! `dbguard acquire` leaves a keeper behind that has the descriptors of lock and claim. It lets go
//! when it is asked to, when its time is up, or when the process ends that it was taken for; the
//! claim says who keeps it and until when. It goes the way of every release: the claim's name
//! first, then the inner lock. So calls that joined it are waited for even when the time is up; they
//! see that it is, and end their commands.
//!
//! A claim that is gone tells nothing any more, so the keeper notes how it ended in [`ENDED`]: those
//! who come with its id later, and those who joined it, read it there. The file is short, and losing
//! it costs only the better message.

use std::io::{self, Read, Write};
use std::path::is_separator;

use serde::{Deserialize, Serialize};

use super::LockError;
use super::claim::{
    ClaimId, Extension, Look, Record, Seen, Under, held_name, now_ms, parse_inner_name,
};
use super::guard::{Guard, Hold};
use super::lockdir::LockDir;
use super::mode::Mode;
use super::party::{claimant, rfc3339};
use super::resource::Resource;
use crate::error::Party;
use crate::platform::reach::{Reached, reach};
use crate::platform::step::{fault, step};
use crate::platform::{self, Access, FileId, host};

/// How the leases of a lock ended, one a line, the latest last.
pub(super) const ENDED: &str = "leases.log";

/// A longer list is begun anew: some hundred leases.
const LARGEST_BYTES: u64 = 16 * 1024;

/// How a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseEnd {
    /// Somebody gave it back.
    Released,
    /// Its time was up.
    Expired,
    /// The process ended that it was taken for.
    OwnerEnded,
    /// Its keeper was killed, as somebody found out who came later.
    KeeperKilled,
}

/// The end of one lease.
#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    id: String,
    end: LeaseEnd,
    at_ms: u64,
}

/// Who keeps a lease.
#[derive(Debug)]
pub struct Keeper {
    /// How it is shown to people.
    pub party: Party,
    /// Its process id and start time, if they mean something here.
    process: Option<(u32, u64)>,
    /// The claim it has to keep alive.
    claim: FileId,
    /// When it ends by itself, milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// The last wish to extend it that was carried out.
    pub extended: Option<u64>,
}

impl Keeper {
    /// Returns its process id, if that means something here.
    pub fn pid(&self) -> Option<u32> {
        self.process.map(|(pid, _)| pid)
    }

    /// Reaches its process, for a signal. `None` if that process is not seen to keep the claim alive:
    /// what the claim says can be anybody's writing.
    pub fn reach(&self) -> io::Result<Option<Reached>> {
        let Some((pid, start)) = self.process else { return Ok(None) };
        reach(pid, start, self.claim)
    }
}

/// What there is of a lease.
#[derive(Debug)]
pub enum Found {
    /// It is kept.
    Kept(Box<Keeper>),
    /// It is no lease: a command holds this claim.
    Command(Box<Party>),
    /// Its keeper was killed.
    Dead,
    /// It ended, and when: milliseconds since 1970.
    Ended(LeaseEnd, u64),
    /// Nothing is known of it.
    Unknown,
}

impl Guard {
    /// Notes in the claims that this process keeps the lock, until when, and which wish to extend
    /// it was the last.
    ///
    /// # Errors
    /// A claim cannot be written: nobody could find this process.
    pub fn record_lease(&self, expires_ms: Option<u64>, extended: Option<u64>) -> io::Result<()> {
        fault("lease")?;
        let more = Record { lease: true, expires_ms, extended, ..Record::default() };
        self.record(std::process::id(), more)
    }

    /// Returns the files of its claims, as others find them.
    pub fn claim_files(&self) -> impl Iterator<Item = FileId> {
        let file = |hold: &Hold| {
            let held = &hold.place().ledger.as_ref()?.held;
            let claim = held.open_file(&held_name(hold.id, hold.mode), Access::Read).ok()?;
            platform::facts(&claim).ok().map(|facts| facts.id)
        };
        self.holds.iter().filter_map(file)
    }

    /// Returns the wish to extend the lease that somebody wrote into one of its claims.
    pub fn asked_extension(&self) -> Option<Extension> {
        self.holds.iter().find_map(|hold| {
            let held = &hold.place().ledger.as_ref()?.held;
            match Seen::look(held, &held_name(hold.id, hold.mode)) {
                Look::Live(seen) => seen.record().extend,
                _ => None,
            }
        })
    }

    /// Notes how the lease ends, for those who ask when it is gone. Failing costs them the reason.
    pub fn note_end(&self, end: LeaseEnd) {
        self.holds.iter().for_each(|hold| note_end(hold.place(), hold.id, end));
        step("lease-noted");
    }

    /// Whether it is joined to a lease, which can end before what runs under it does, or has
    /// already.
    pub fn is_leased(&self) -> bool {
        let above = self.holds.iter().flat_map(|hold| &hold.level.above);
        above.into_iter().any(|(place, name)| match look(place, name) {
            Look::Live(seen) | Look::Dead(seen) => seen.record().lease,
            Look::Gone => end_of_claim(place, name).is_some(),
            Look::Hidden => false,
        })
    }

    /// Returns how a lease ended that this is joined to, if what runs under it has to end as well.
    pub fn lost_lease(&self) -> Option<LeaseEnd> {
        let above = self.holds.iter().flat_map(|hold| &hold.level.above);
        let ended = above.filter_map(|(place, name)| match look(place, name) {
            Look::Live(_) | Look::Hidden => None,
            Look::Gone | Look::Dead(_) => end_of_claim(place, name),
        });
        ended.map(|(end, _)| end).find(|end| end.ends_commands())
    }
}

fn end_of_claim(place: &LockDir, name: &str) -> Option<(LeaseEnd, u64)> {
    end_of(place, name.rsplit_once('.')?.0)
}

fn look(place: &LockDir, name: &str) -> Look {
    place.ledger.as_ref().map_or(Look::Hidden, |ledger| Seen::look(&ledger.held, name))
}

/// Looks for a lease on a resource, by its claim.
///
/// # Errors
/// The state may not be read, or belongs to a stranger.
pub fn find_lease(resource: &Resource, claim: &Under) -> Result<Found, LockError> {
    let Some(place) = place_of(resource, claim)? else { return Ok(Found::Unknown) };
    let Some(id) = ClaimId::parse(&claim.id) else { return Ok(Found::Unknown) };
    let mut found = Found::Unknown;
    for mode in [Mode::Exclusive, Mode::Shared] {
        let name = held_name(id, mode);
        match look(&place, &name) {
            Look::Live(seen) => {
                let (record, claim) = (seen.record(), seen.facts());
                let path = place.path().join("held").join(&name);
                let claim = claim.map_err(|error| LockError::io("look at", &path, error))?;
                return Ok(told(record, claim.id, claimant(seen, &path, mode)));
            }
            Look::Dead(_) => found = Found::Dead,
            Look::Gone | Look::Hidden => {}
        }
    }
    Ok(end_of(&place, &claim.id).map_or(found, |(end, at_ms)| Found::Ended(end, at_ms)))
}

fn told(record: Record, claim: FileId, party: Party) -> Found {
    if !record.lease {
        return Found::Command(Box::new(party));
    }
    let is_here = record.host == host::host() && record.is_of_here();
    Found::Kept(Box::new(Keeper {
        process: record.child.zip(record.child_start).filter(|_| is_here),
        claim,
        expires_ms: record.expires_ms,
        extended: record.extended,
        party,
    }))
}

/// Returns how the lease that one of the claims of a resource stood for ended, and when.
pub fn lease_end(resource: &Resource, claim: &Under) -> Option<(LeaseEnd, u64)> {
    // Whoever asks has the lock by now; what cannot be read says nothing.
    let place = place_of(resource, claim).ok().flatten()?;
    end_of(&place, &claim.id)
}

/// Asks whoever keeps a lease to end it later than it would. It reads that when it is told to.
///
/// # Errors
/// The claim cannot be written.
pub fn ask_to_extend(resource: &Resource, claim: &Under, wish: Extension) -> io::Result<()> {
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    let place = place_of(resource, claim).map_err(io::Error::other)?.ok_or_else(gone)?;
    let (Some(ledger), Some(id)) = (&place.ledger, ClaimId::parse(&claim.id)) else {
        return Err(gone());
    };
    let mut line = serde_json::to_vec(&Record { extend: Some(wish), ..Record::default() })?;
    line.push(b'\n');
    let mut last = gone();
    for mode in [Mode::Exclusive, Mode::Shared] {
        match ledger.held.open_file(&held_name(id, mode), Access::Append) {
            Ok(mut file) => return file.write_all(&line),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Opens the directory in which a claim of a resource is: that of its lock, of one of its keys, or
/// of an inner lock. `None` if there is none, or the claim is another resource's.
fn place_of(resource: &Resource, claim: &Under) -> Result<Option<LockDir>, LockError> {
    let Some(mut place) = LockDir::existing(resource)? else { return Ok(None) };
    let whole = place.path().to_string_lossy().into_owned();
    let below = if claim.at.is_empty() { Some("") } else { claim.at.strip_prefix(&whole) };
    // Of `a.db` and `a.db-2` one is the beginning of the other.
    let Some(below) = below.filter(|rest| rest.is_empty() || rest.starts_with(is_separator)) else {
        return Ok(None);
    };
    let mut steps = below.split(is_separator).filter(|step| !step.is_empty());
    while let Some(step) = steps.next() {
        let Some(name) = steps.next().filter(|name| !matches!(*name, "." | "..")) else {
            return Ok(None);
        };
        let next = match step {
            "keys" => place.existing_key(name)?,
            "held" if parse_inner_name(name).is_some() => inner(&place, name)?,
            _ => None,
        };
        let Some(next) = next else { return Ok(None) };
        place = next;
    }
    Ok(Some(place))
}

fn inner(place: &LockDir, name: &str) -> Result<Option<LockDir>, LockError> {
    let Some(ledger) = &place.ledger else { return Ok(None) };
    let opened = place.existing_inner(ledger, name);
    opened.map_err(|error| LockError::io("open", &place.path().join("held").join(name), error))
}

/// Notes that the keeper of this lease was killed, unless it had noted another end before.
pub(super) fn note_killed(place: &LockDir, id: ClaimId) {
    if end_of(place, &id.to_string()).is_none() {
        note_end(place, id, LeaseEnd::KeeperKilled);
    }
}

/// Notes how the lease with this id ended. Failing costs others the reason.
fn note_end(place: &LockDir, id: ClaimId, end: LeaseEnd) {
    let ended = Ended { id: id.to_string(), end, at_ms: now_ms() };
    if let Err(error) = note(place, &ended) {
        tracing::warn!("cannot note how the lease ended: {error}");
    }
}

fn note(place: &LockDir, ended: &Ended) -> io::Result<()> {
    let mut file = match place.root.open_file(ENDED, Access::Append) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            drop(place.make(ENDED));
            place.root.open_file(ENDED, Access::Append)?
        }
        other => other?,
    };
    let facts = platform::facts(&file)?;
    // A second name would let somebody aim our writes at another file.
    if facts.links > 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "has a second name"));
    }
    if facts.size > LARGEST_BYTES {
        // Who may only append may not shorten it on Windows.
        place.root.open_file(ENDED, Access::Write)?.set_len(0)?;
    }
    let mut line = serde_json::to_vec(ended)?;
    line.push(b'\n');
    file.write_all(&line)
}

/// Returns how the lease with this id ended. What is not understood is passed over.
fn end_of(place: &LockDir, id: &str) -> Option<(LeaseEnd, u64)> {
    let file = place.root.open_file(ENDED, Access::Read).ok()?;
    let mut content = Vec::new();
    // What was read before an error is as good as the rest.
    drop(file.take(2 * LARGEST_BYTES).read_to_end(&mut content));
    let lines = content.split(|byte| *byte == b'\n').rev();
    let mut ended = lines.filter_map(|line| serde_json::from_slice::<Ended>(line).ok());
    ended.find(|ended| ended.id == id).map(|ended| (ended.end, ended.at_ms))
}

impl LeaseEnd {
    /// Returns what happened to it, as the end of a sentence that begins with the lease.
    pub fn words(self) -> &'static str {
        match self {
            Self::Released => "was released",
            Self::Expired => "expired",
            Self::OwnerEnded => "ended with the process that it was taken for",
            Self::KeeperKilled => "was lost when its keeper was killed, as was noticed",
        }
    }

    /// Whether commands that joined it are ended. Whoever gave it back waits for them, and when its
    /// keeper was killed the next holder does.
    fn ends_commands(self) -> bool {
        matches!(self, Self::Expired | Self::OwnerEnded)
    }

    /// Returns the same with the time at which it happened.
    pub fn words_at(self, at_ms: u64) -> String {
        format!("{} at {}", self.words(), rfc3339(at_ms))
    }
}
