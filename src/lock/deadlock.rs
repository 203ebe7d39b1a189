//! Waits that would never end.
//!
//! A wait for one's own ancestor is refused at once. A circle across processes is searched for
//! while waiting, backwards: from the claims I am under, to those who wait for these locks, to
//! the claims they are under, until one of them is in my way. It is believed when it is found
//! unchanged at two ticks, and the youngest member gives up.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use super::LockError;
use super::ancestry::{ancestors, chain, is_closed};
use super::claim::{ClaimId, Look, Record, Seen, Under, find_live, parse_held_name};
use super::lockdir::{Ledger, LockDir, STATE};
use super::name::decode;
use super::queue;
use super::settle::Debt;
use crate::platform::{self, Dir, process};

/// A search that met so many claims is given up: the deadline still ends the wait.
const MOST_CLAIMS: usize = 4096;

const BY_DESCRIPTOR: &str = "it has the lock through a descriptor (--fd or flock): run this command \
     without dbguard inside it";

const DROPPED: &str = "DBGUARD_HELD did not reach this call; pass it on (sudo --preserve-env=\
     DBGUARD_HELD, env), or do not lock twice";

/// Refuses to wait for a lock that an ancestor of ours holds: its `DBGUARD_HELD` was dropped on
/// the way, or it took the lock with `--fd` or `flock`.
pub fn refuse_own_ancestor(place: &LockDir, lock: &File, path: &Path) -> Result<(), LockError> {
    let ancestors = ancestors(std::process::id());
    let holder = match place.ledger.as_ref().map(|ledger| claimed_by(ledger, &ancestors)) {
        Some(Claimed::Ancestor(pid)) => Some((pid, DROPPED)),
        Some(Claimed::Stranger) => None,
        // Nobody says so with a claim: a plain flock user, or a shell with `--fd`. Looking through
        // the descriptors of ancestors costs much more, so it comes only now.
        Some(Claimed::Nobody) | None => {
            let id = platform::facts(lock).map(|facts| facts.id);
            let holds = |pid: &u32| id.as_ref().is_ok_and(|id| platform::holders::holds(*pid, *id));
            ancestors.iter().map(|(pid, _)| *pid).find(holds).map(|pid| (pid, BY_DESCRIPTOR))
        }
    };
    let Some((pid, hint)) = holder else { return Ok(()) };
    Err(LockError::Deadlock {
        path: path.to_path_buf(),
        reason: format!("it is held by this command's own ancestor, {}", named(pid)),
        hint,
    })
}

/// Refuses to wait for the end of a command that is our own ancestor.
pub fn refuse_own_descent(debts: &[Debt], path: &Path) -> Result<(), LockError> {
    let ancestors = ancestors(std::process::id());
    let own = debts.iter().filter_map(|debt| debt.command);
    let own = own.map(|(pid, _)| pid).find(|pid| ancestors.iter().any(|(other, _)| other == pid));
    let Some(pid) = own else { return Ok(()) };
    Err(LockError::Deadlock {
        path: path.to_path_buf(),
        reason: format!("its holder died and left this command's own ancestor, {}", named(pid)),
        hint: "end that command first",
    })
}

/// Who has a live claim in `held/`.
enum Claimed {
    Ancestor(u32),
    Stranger,
    Nobody,
}

fn claimed_by(ledger: &Ledger, ancestors: &[(u32, u64)]) -> Claimed {
    let mut names = Vec::new();
    // A directory that cannot be listed accuses nobody.
    drop(ledger.held.each_name(|name, _| {
        names.extend(parse_held_name(name).map(|(id, _)| (name.to_owned(), id)));
    }));
    let mut claimed = Claimed::Nobody;
    for (name, id) in names {
        let Look::Live(seen) = Seen::look(&ledger.held, &name) else { continue };
        claimed = Claimed::Stranger;
        // Reading JSON costs every waiter more than looking for the numbers in it.
        if !id_is_among(id, ancestors) && !seen.mentions(ancestors.iter().map(|(pid, _)| *pid)) {
            continue;
        }
        let record = seen.record();
        if !record.is_of_here() {
            continue;
        }
        let is = |pid: u32, start: Option<u64>| {
            start.is_some_and(|start| ancestors.contains(&(pid, start)))
        };
        if is(id.pid, record.start) {
            return Claimed::Ancestor(id.pid);
        }
        if let Some(child) = record.child.filter(|child| is(*child, record.child_start)) {
            return Claimed::Ancestor(child);
        }
    }
    claimed
}

fn id_is_among(id: ClaimId, ancestors: &[(u32, u64)]) -> bool {
    ancestors.iter().any(|(pid, _)| *pid == id.pid)
}

fn named(pid: u32) -> String {
    match process::command_line(pid) {
        Some(words) => format!("{} (pid {pid})", words.join(" ")),
        None => format!("pid {pid}"),
    }
}

/// The wait that may close a circle.
pub struct Me<'a> {
    /// The claims we are under.
    pub under: &'a [Under],
    /// The lock we wait for.
    pub place: &'a LockDir,
    /// Our program.
    pub program: &'a str,
    /// Our claim.
    pub id: ClaimId,
    /// When we began to wait.
    pub since_ms: u64,
}

/// A circle of waits.
#[derive(Debug)]
pub struct Circle {
    /// The claims on it, in order; the same circle is the same list.
    pub members: Vec<String>,
    /// Whether our wait is the one that gives up.
    pub is_youngest: bool,
    /// Every process and file on it, for people.
    pub text: String,
}

/// One step of the search: a waiter, and how it was reached.
struct Step {
    id: String,
    pid: u32,
    program: String,
    since_ms: u64,
    waits_for: String,
    before: Option<usize>,
    /// From the waiter up to the command of the claim through which it goes on.
    chain: Vec<u32>,
}

/// A claim somebody is under, the step that reached it, and the chain from there to its holder's
/// command.
type Reached = (Under, Option<usize>, Vec<u32>);

/// Searches for a circle that our wait closes. Reads claims and processes; takes nothing.
///
/// An edge counts only if the holder of a claim really waits for the waiter that is under it,
/// and the circle only if nobody outside of it runs below its holders.
pub fn find(me: &Me<'_>) -> Option<Circle> {
    let mut steps: Vec<Step> = Vec::new();
    let mut looked = HashSet::new();
    let mut next = reached(me.id.pid, me.under, None);
    while let Some((claim, before, chain)) = next.pop() {
        if !looked.insert(claim.at.clone()) || looked.len() > MOST_CLAIMS {
            continue;
        }
        for (pid, waiter) in waiters(&claim) {
            if waiter.id == me.id.to_string() || steps.len() > MOST_CLAIMS {
                continue;
            }
            let here = steps.len();
            steps.push(Step {
                id: waiter.id,
                pid,
                program: waiter.program,
                since_ms: waiter.since_ms.unwrap_or(0),
                waits_for: claim.at.clone(),
                before,
                chain: chain.clone(),
            });
            for reached in reached(pid, &waiter.under, Some(here)) {
                if is_in_my_way(me, &reached.0) {
                    return circle(me, &steps, here, reached.2);
                }
                next.push(reached);
            }
        }
    }
    None
}

fn reached(waiter: u32, under: &[Under], before: Option<usize>) -> Vec<Reached> {
    let reach = |claim: &Under| {
        let id = ClaimId::parse(&claim.id)?;
        let record = held_record(&Dir::open(Path::new(&claim.at)).ok()?, id)?;
        Some((claim.clone(), before, chain(waiter, id, &record)?))
    };
    under.iter().filter_map(reach).collect()
}

/// A claim held on the lock we wait for, by somebody we are not ourselves under.
fn is_in_my_way(me: &Me<'_>, claim: &Under) -> bool {
    Path::new(&claim.at) == me.place.path() && !me.under.contains(claim)
}

/// Returns what a live claim in `held/` says. The directory comes from a claim and may be
/// anything: only what looks like a lock directory is read, and nothing is changed there.
fn held_record(root: &Dir, id: ClaimId) -> Option<Record> {
    let held = root.child_to_list("held").ok()?;
    find_live(&held, id).map(|(_, seen)| seen.record())
}

/// Returns the live waiters of the lock a claim holds.
fn waiters(claim: &Under) -> Vec<(u32, Record)> {
    let Ok(root) = Dir::open(Path::new(&claim.at)) else { return Vec::new() };
    let (Ok(queue), Ok(held)) = (root.child_to_list("queue"), root.child_to_list("held")) else {
        return Vec::new();
    };
    let ledger = Ledger { queue, held };
    let live = queue::list(&ledger).into_iter().filter_map(|waiting| {
        let Look::Live(seen) = Seen::look(&ledger.queue, &waiting.name()) else { return None };
        let record = seen.record();
        Some((ClaimId::parse(&record.id)?.pid, record))
    });
    live.collect()
}

fn circle(me: &Me<'_>, steps: &[Step], last: usize, closing: Vec<u32>) -> Option<Circle> {
    let mut path = Vec::new();
    let mut at = Some(last);
    while let Some(step) = at.and_then(|index| steps.get(index)) {
        path.push(step);
        at = step.before;
    }
    path.reverse();
    let waiters: HashSet<u32> = path.iter().map(|step| step.pid).chain([me.id.pid]).collect();
    let mut chains: Vec<_> = path.iter().map(|step| step.chain.clone()).collect();
    chains.push(closing);
    if !is_closed(&chains, &waiters) {
        return None;
    }
    let mine = (me.since_ms, me.id.pid);
    let is_youngest = path.iter().all(|step| (step.since_ms, step.pid) <= mine);
    let mut members: Vec<_> = path.iter().map(|step| step.id.clone()).collect();
    members.sort_unstable();
    Some(Circle { members, is_youngest, text: text(me, &path) })
}

/// Returns `a circle: x (pid 1) holds a.db and waits for b.db; y (pid 2) holds b.db and waits
/// for a.db`.
fn text(me: &Me<'_>, path: &[&Step]) -> String {
    let wanted = me.place.path().to_string_lossy().into_owned();
    let first = (me.program, me.id.pid, wanted.as_str());
    let rest = path.iter().map(|step| (step.program.as_str(), step.pid, step.waits_for.as_str()));
    let members: Vec<_> = std::iter::once(first).chain(rest).collect();
    // Everybody holds what the next one waits for, the last one what we wait for.
    let held = members.iter().skip(1).chain(members.first()).map(|(_, _, wanted)| *wanted);
    let sentences = members.iter().zip(held).map(|((program, pid, wanted), held)| {
        let (held, wanted) = (database(held), database(wanted));
        format!("{program} (pid {pid}) holds {held} and waits for {wanted}")
    });
    format!("a circle: {}", sentences.collect::<Vec<_>>().join("; "))
}

/// Returns the database's path for a lock directory's, as far as the layout tells.
fn database(place: &str) -> String {
    let is_named = |one: &&Path| one.parent().and_then(Path::file_name) == Some(STATE.as_ref());
    let database = Path::new(place).ancestors().find(is_named).and_then(|named| {
        let name = decode(named.file_name()?.to_str()?);
        Some(named.parent()?.parent()?.join(name).to_string_lossy().into_owned())
    });
    database.unwrap_or_else(|| place.to_owned())
}
