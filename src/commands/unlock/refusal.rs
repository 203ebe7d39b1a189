//! Why nobody was ended, and who has the lock in spite of it.

use crate::cli::unlock_args::UnlockRequest;
use crate::error::{Failure, Party};
use crate::outcome::Outcome as Exit;
use crate::platform::{holders, host};
use crate::report;
use crate::unlock::{Holder, Obstacle, Outcome, Role};

/// More reasons than this nobody reads.
const MOST_TOLD: usize = 8;

/// Returns what to tell where nobody is ended; `typed` is what was asked as it is typed.
pub(super) fn refused(obstacles: &[Obstacle], shown: &str, typed: &str) -> Failure {
    let is_stranger = |one: &Obstacle| matches!(one, Obstacle::Stranger(_) | Obstacle::Veiled(_));
    // Root gets further only where nothing else is in the way.
    let first = obstacles.iter().find(|one| !is_stranger(one)).unwrap_or(&obstacles[0]);
    let outcome = if is_stranger(first) { Exit::Permission } else { Exit::Negative };
    let mut failure = Failure::new(outcome, format!("{shown} stays locked: nothing was ended"));
    failure.details = obstacles.iter().take(MOST_TOLD).map(reason).collect();
    if let Some(more @ 1..) = obstacles.len().checked_sub(MOST_TOLD) {
        failure.details.push(format!("and {more} more"));
    }
    failure.holder = party(first).map(Box::new);
    failure.hint(advice(first, typed))
}

fn party(obstacle: &Obstacle) -> Option<Party> {
    match obstacle {
        Obstacle::Unseen(_) | Obstacle::Ambiguous(_) | Obstacle::Ourselves => None,
        Obstacle::Elsewhere(party, _)
        | Obstacle::Asker(party)
        | Obstacle::First(party)
        | Obstacle::Stranger(party)
        | Obstacle::Veiled(party)
        | Obstacle::Unproven(party) => Some(party.clone()),
    }
}

fn reason(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::Elsewhere(party, _) if is_of_other_host(party) => {
            format!("held on another host by {}", report::described(party))
        }
        Obstacle::Elsewhere(party, container) => {
            let place = container.as_ref().map(|name| format!(", container {name}"));
            let who = report::described(party);
            format!("held in another PID namespace{} by {who}", place.unwrap_or_default())
        }
        Obstacle::Unseen(file) => format!("held by a process that cannot be seen: {file}"),
        Obstacle::Asker(party) => {
            format!("{} started this dbguard, and would end with it", report::as_process(party))
        }
        Obstacle::Ourselves => "this dbguard was started with the lock".to_owned(),
        Obstacle::First(party) => {
            format!("{} is the first one: all others end with it", report::as_process(party))
        }
        Obstacle::Stranger(party) => {
            format!("{} is another user's", report::as_process(party))
        }
        Obstacle::Veiled(party) => format!(
            "{} took the lock, and may not be looked into to see whether it has it still",
            report::as_process(party)
        ),
        Obstacle::Ambiguous(file) => {
            format!("whoever has it may hold another database: there is a hard link to {file}")
        }
        Obstacle::Unproven(party) => format!(
            "{} is named by the claim of a dead dbguard, and nothing proves that it is meant",
            report::as_process(party)
        ),
    }
}

fn advice(obstacle: &Obstacle, typed: &str) -> String {
    match obstacle {
        Obstacle::Elsewhere(Party { host: Some(name), .. }, _) if *name != host::host() => {
            format!("on host {name}, type: dbguard unlock {typed}")
        }
        Obstacle::Elsewhere(..) => {
            format!("where it runs, in that container or on the host, type: dbguard unlock {typed}")
        }
        Obstacle::Unseen(_) if !holders::ARE_LISTED => format!(
            "this system does not tell who has locked a file: look at dbguard info {typed}, and end \
             that process by hand"
        ),
        Obstacle::Unseen(_) if host::user() != 0 => {
            format!("root sees everybody, type: sudo dbguard unlock {typed}")
        }
        Obstacle::Unseen(_) => format!(
            "it runs outside this PID namespace, or on another machine; there, type: dbguard \
             unlock {typed}"
        ),
        Obstacle::Asker(_) | Obstacle::Ourselves => {
            "run it from another terminal; a shell that locked by --fd gives it \
                               back with dbguard exec -u --fd N FILE"
                .to_owned()
        }
        Obstacle::First(_) => "stop the container, or the machine, instead".to_owned(),
        Obstacle::Stranger(_) => host::as_root(&format!("dbguard unlock {typed}")),
        Obstacle::Veiled(_) if host::user() != 0 => {
            host::as_root(&format!("dbguard unlock {typed}"))
        }
        Obstacle::Veiled(_) => {
            format!("as its user, or with the capability SYS_PTRACE, type: dbguard unlock {typed}")
        }
        Obstacle::Ambiguous(_) => "see who has it with dbguard info, and end that process by hand \
                                   if it is the one; a copy of a directory by hard links should \
                                   leave .dbguard out"
            .to_owned(),
        Obstacle::Unproven(party) => {
            format!("look at it, and if it is the one, type: {} {}", host::KILL, party.pid)
        }
    }
}

fn is_of_other_host(party: &Party) -> bool {
    party.host.as_ref().is_some_and(|name| *name != host::host())
}

/// Returns what to tell where somebody has the lock afterwards.
pub(super) fn still_held(
    outcome: &Outcome,
    shown: &str,
    request: &UnlockRequest,
) -> Option<Failure> {
    let typed = super::typed(request);
    let Outcome { survivors, unshown, newcomers, .. } = outcome;
    let (what, hint) = match (survivors.len(), unshown.len(), newcomers.len()) {
        (0, 0, 0) if outcome.is_free() => return None,
        (0, 0, _) => (
            "is held by somebody new",
            format!("to go next, type: dbguard exec -w 10m {typed} -- COMMAND"),
        ),
        (0, _, _) => (
            "is still held by somebody who was not shown",
            format!(
                "nobody is ended unseen; to see and end them, type: dbguard unlock {}",
                super::typed_again(request)
            ),
        ),
        _ => (
            "is still held by what does not end",
            format!("wait longer with -w 10m, or see dbguard info {typed}"),
        ),
    };
    let mut failure = Failure::new(Exit::Negative, format!("{shown} {what}"));
    // The dbguard around a command is the same holder once more.
    let is_runner = |one: &&Holder| one.role == Role::Runner;
    let all = || survivors.iter().chain(unshown).chain(newcomers).filter(|one| !is_runner(one));
    failure.details = all().map(described).chain(outcome.obstacles.iter().map(reason)).collect();
    let elsewhere = || outcome.obstacles.iter().find_map(party);
    let first = all().next().map(|one| one.party.clone()).or_else(elsewhere);
    failure.holder = first.map(Box::new);
    Some(failure.hint(hint))
}

fn described(holder: &Holder) -> String {
    format!("held by {}", report::described(&holder.party))
}
