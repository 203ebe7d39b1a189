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
use super::claim::{ClaimId, Look, Record, Seen, Under, held_name, parse_held_name};
use super::lockdir::{Ledger, LockDir};
use super::mode::Mode;
use super::queue;
use super::settle::Debt;
use crate::platform::{self, Access, Dir, process};

/// A chain of ancestors longer than this is not followed.
const MOST_ANCESTORS: usize = 256;

/// A search that met so many claims is given up: the deadline still ends the wait.
const MOST_CLAIMS: usize = 4096;

const DROPPED: &str = "DBGUARD_HELD did not reach this call; pass it on (sudo --preserve-env=\
     DBGUARD_HELD, env), or do not lock twice";

/// Refuses to wait for a lock that an ancestor of ours holds: its `DBGUARD_HELD` was dropped on
/// the way, or it took the lock with `--fd` or `flock`.
pub fn refuse_own_ancestor(place: &LockDir, lock: &File, path: &Path) -> Result<(), LockError> {
    let ancestors = ancestors();
    let holder = match place.ledger.as_ref().map(|ledger| claimed_by(ledger, &ancestors)) {
        Some(Claimed::ByAncestor(pid)) => Some(pid),
        Some(Claimed::ByStranger) => None,
        // Nobody says so with a claim: a plain flock user, or a shell with `--fd`. Looking through
        // the descriptors of ancestors costs much more, so it comes only now.
        Some(Claimed::ByNobody) | None => {
            let id = platform::facts(lock).map(|facts| facts.id);
            let holds = |pid: &u32| id.as_ref().is_ok_and(|id| platform::holders::holds(*pid, *id));
            ancestors.iter().map(|(pid, _)| *pid).find(holds)
        }
    };
    let Some(pid) = holder else { return Ok(()) };
    Err(LockError::Deadlock {
        path: path.to_path_buf(),
        reason: format!("it is held by this command's own ancestor, {}", named(pid)),
        hint: DROPPED,
    })
}

/// Refuses to wait for the end of a command that is our own ancestor.
pub fn refuse_own_descent(debts: &[Debt], path: &Path) -> Result<(), LockError> {
    let ancestors = ancestors();
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
    ByAncestor(u32),
    ByStranger,
    ByNobody,
}

fn claimed_by(ledger: &Ledger, ancestors: &[(u32, u64)]) -> Claimed {
    let mut names = Vec::new();
    // A directory that cannot be listed accuses nobody.
    drop(ledger.held.each_name(|name, _| {
        names.extend(parse_held_name(name).map(|(id, _)| (name.to_owned(), id)));
    }));
    let mut claimed = Claimed::ByNobody;
    for (name, id) in names {
        let Look::Live(seen) = Seen::look(&ledger.held, &name) else { continue };
        claimed = Claimed::ByStranger;
        let record = seen.record();
        if !record.is_of_here() {
            continue;
        }
        let is = |pid: u32, start: Option<u64>| {
            start.is_some_and(|start| ancestors.contains(&(pid, start)))
        };
        if is(id.pid, record.start) {
            return Claimed::ByAncestor(id.pid);
        }
        if let Some(child) = record.child.filter(|child| is(*child, record.child_start)) {
            return Claimed::ByAncestor(child);
        }
    }
    claimed
}

fn ancestors() -> Vec<(u32, u64)> {
    let mut line = Vec::new();
    let mut next = process::stat(std::process::id()).map(|stat| stat.parent);
    while let Some(pid) = next.filter(|pid| *pid > 1 && line.len() < MOST_ANCESTORS) {
        let Some(stat) = process::stat(pid) else { break };
        line.push((pid, stat.start));
        next = Some(stat.parent);
    }
    line
}

/// Whether a process is an ancestor of ours.
pub fn own_ancestor(pid: u32) -> bool {
    ancestors().iter().any(|(ancestor, _)| *ancestor == pid)
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
    /// The database we wait for.
    pub path: &'a Path,
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

/// One step of the search: a waiter, what it is under, and how it was reached.
struct Step {
    waiter: Record,
    pid: u32,
    waits_for: String,
    before: Option<usize>,
}

/// Searches for a circle that our wait closes. Reads claims of the locks involved; takes nothing.
pub fn find(me: &Me<'_>) -> Option<Circle> {
    let mut steps: Vec<Step> = Vec::new();
    let mut looked = HashSet::new();
    let mut next: Vec<(Under, Option<usize>)> =
        me.under.iter().map(|under| (under.clone(), None)).collect();
    while let Some((claim, before)) = next.pop() {
        if !looked.insert(claim.at.clone()) || looked.len() > MOST_CLAIMS {
            continue;
        }
        for (pid, waiter) in waiters(&claim) {
            if waiter.id == me.id.to_string() || steps.len() > MOST_CLAIMS {
                continue;
            }
            let under = waiter.under.clone();
            steps.push(Step { waiter, pid, waits_for: claim.at.clone(), before });
            let here = steps.len() - 1;
            for claim in under {
                if is_in_my_way(me, &claim) {
                    return Some(circle(me, &steps, here));
                }
                next.push((claim, Some(here)));
            }
        }
    }
    None
}

/// A claim held on the lock we wait for, by somebody we are not ourselves under.
fn is_in_my_way(me: &Me<'_>, claim: &Under) -> bool {
    Path::new(&claim.at) == me.place.path()
        && !me.under.contains(claim)
        && me.place.ledger.as_ref().is_some_and(|ledger| is_held(&ledger.held, claim))
}

fn is_held(held: &Dir, claim: &Under) -> bool {
    let Some(id) = ClaimId::parse(&claim.id) else { return false };
    [Mode::Exclusive, Mode::Shared]
        .into_iter()
        .any(|mode| held.open_file(&held_name(id, mode), Access::Read).is_ok())
}

/// Returns the live waiters of the lock a claim holds. The path comes from a claim and may be
/// anything: only what looks like a lock directory is read, and nothing is changed there.
fn waiters(claim: &Under) -> Vec<(u32, Record)> {
    let Ok(root) = Dir::open(Path::new(&claim.at)) else { return Vec::new() };
    let (Ok(queue), Ok(held)) = (root.child_to_list("queue"), root.child_to_list("held")) else {
        return Vec::new();
    };
    if !is_held(&held, claim) {
        return Vec::new();
    }
    let ledger = Ledger { queue, held };
    let live = queue::list(&ledger).into_iter().filter_map(|waiting| {
        let Look::Live(seen) = Seen::look(&ledger.queue, &waiting.name()) else { return None };
        let record = seen.record();
        Some((ClaimId::parse(&record.id)?.pid, record))
    });
    live.collect()
}

fn circle(me: &Me<'_>, steps: &[Step], last: usize) -> Circle {
    let mut chain = Vec::new();
    let mut at = Some(last);
    while let Some(step) = at.and_then(|index| steps.get(index)) {
        chain.push(step);
        at = step.before;
    }
    let mine = (me.since_ms, me.id.pid);
    let is_youngest =
        chain.iter().all(|step| (step.waiter.since_ms.unwrap_or(0), step.pid) <= mine);
    let mut members: Vec<_> = chain.iter().map(|step| step.waiter.id.clone()).collect();
    members.sort_unstable();
    let others = chain.iter().rev().map(|step| {
        format!(
            "{} (pid {}) waits for {}",
            step.waiter.program,
            step.pid,
            database(&step.waits_for)
        )
    });
    let me = format!("{} (pid {}) waits for {}", me.program, me.id.pid, me.path.display());
    let text = std::iter::once(me).chain(others).collect::<Vec<_>>().join(", held by whom ");
    Circle { members, is_youngest, text: format!("a circle: {text}, held by the first") }
}

/// Returns the database's path for a lock directory's, as far as the layout tells.
fn database(place: &str) -> String {
    match place.split_once("/.dbguard/") {
        Some((parent, name)) => {
            let name = name.split('/').next().unwrap_or(name);
            format!("{parent}/{name}")
        }
        None => place.to_owned(),
    }
}
