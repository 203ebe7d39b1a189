//! Naming those who hold a lock.
//!
//! Claims come first: they know the mode, the time and the command. Where no live claim says
//! who it is (a plain `flock` user, a shell with `--fd`), the kernel's table of locks is asked.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::claim::{ClaimId, Look, Record, Seen, now_ms, parse_held_name};
use super::lockdir::LockDir;
use super::mode::Mode;
use crate::error::Party;
use crate::platform::lock_table::{LockKind, LockMode};
use crate::platform::{self, FileId, Liveness, holders, host, process};

/// More than this nobody reads.
const MOST_NAMED: usize = 64;

/// Returns those who hold a lock, longest first. With `lock` the kernel is asked if no claim
/// tells.
pub fn holding(place: &LockDir, lock: Option<&File>) -> Vec<Party> {
    let mut parties = by_claim(place);
    if parties.is_empty() {
        parties = lock.map(|lock| by_kernel(place, lock)).unwrap_or_default();
    }
    parties.sort_by_key(|party| std::cmp::Reverse(party.for_ms));
    parties
}

fn by_claim(place: &LockDir) -> Vec<Party> {
    let Some(ledger) = &place.ledger else { return Vec::new() };
    let mut names = Vec::new();
    // A directory that cannot be listed names nobody.
    drop(ledger.held.each_name(|name, _| {
        if let Some((id, mode)) = parse_held_name(name) {
            names.push((name.to_owned(), id, mode));
        }
    }));
    names.truncate(MOST_NAMED);
    let named = names.into_iter().filter_map(|(name, id, mode)| {
        let Look::Live(seen) = Seen::look(&ledger.held, &name) else { return None };
        let (record, file) = (seen.record(), seen.facts().ok()?.id);
        // Our own look must not be in the answer of the kernel.
        drop(seen);
        Some(describe(id, mode, &record, || keeper(file, &ledger.held.path().join(&name))))
    });
    named.collect()
}

/// Describes whoever a live claim belongs to.
pub fn claimant(seen: Seen, path: &Path, mode: Mode) -> Party {
    let (record, file) = (seen.record(), seen.facts().map(|facts| facts.id).unwrap_or_default());
    // Our own look must not be in the answer of the kernel.
    drop(seen);
    recorded(&record, file, path, mode)
}

/// Describes whoever a live claim says that it belongs to. `file` is the claim's, which this process
/// must not have locked.
pub fn recorded(record: &Record, file: FileId, path: &Path, mode: Mode) -> Party {
    if let Some(id) = ClaimId::parse(&record.id) {
        return describe(id, mode, record, || keeper(file, path));
    }
    // It says nothing of itself; the kernel knows who keeps it.
    let unknown = || Party { process_state: "unknown", ..Party::default() };
    let by_kernel = keeper(file, path);
    let party = by_kernel.map_or_else(unknown, |pid| of_process(pid, mode));
    Party { mode: mode.word(), via: if by_kernel.is_some() { "kernel" } else { "claim" }, ..party }
}

/// Asks the kernel who keeps a claim alive.
fn keeper(file: FileId, path: &Path) -> Option<u32> {
    holders::holders_of(file, path).ok()?.into_iter().find_map(|holder| holder.pid)
}

/// Describes a claimant. The command line is read from the living process and only if it is
/// surely the one that is meant; where neither claimant nor command lives, or the claim says
/// nothing, `keeper` tells who keeps the claim alive.
pub(super) fn describe(
    id: ClaimId,
    mode: Mode,
    record: &Record,
    keeper: impl FnOnce() -> Option<u32>,
) -> Party {
    let elsewhere = !record.host.is_empty()
        && (record.host != host::host()
            || record.namespace.is_some_and(|space| Some(space) != process::pid_namespace()));
    let command = (record.child.unwrap_or(id.pid), record.child_start.or(record.start));
    let runs = |(pid, start)| process::liveness(pid, start) != Liveness::Gone;
    let known = !record.host.is_empty() && !elsewhere && runs(command);
    let shown = match known {
        true => Some(command.0),
        false if elsewhere => None,
        false => keeper(),
    };
    let since_ms = record.acquired_ms.or(record.since_ms);
    Party {
        pid: id.pid,
        child_pid: shown.filter(|pid| *pid != id.pid),
        command: shown.and_then(process::command_line),
        program: record.program.clone(),
        user: record.user.or_else(|| process::user_of(shown?)).map(host::user_name),
        host: Some(record.host.clone()).filter(|host| !host.is_empty()),
        mode: mode.word(),
        since: since_ms.map(rfc3339),
        for_ms: since_ms.map(|since| now_ms().saturating_sub(since)),
        position: None,
        process_state: shown.map_or("unknown", process::state),
        via: "claim",
        label: record.label.clone(),
        lease: record.lease,
        expires: record.expires_ms.map(rfc3339),
        expires_in_ms: record.expires_ms.map(|ends| ends.saturating_sub(now_ms())),
    }
}

/// Describes a process that has to end before the lock can be used.
pub fn of_process(pid: u32, mode: Mode) -> Party {
    from_kernel(Some(pid), if mode == Mode::Exclusive { LockMode::Write } else { LockMode::Read })
}

fn by_kernel(place: &LockDir, lock: &File) -> Vec<Party> {
    let Ok(facts) = platform::facts(lock) else { return Vec::new() };
    let found = holders::holders_of(facts.id, &place.lock_path()).unwrap_or_default();
    let ours = Some(std::process::id());
    let flocks = found.into_iter().filter(|holder| holder.lock.kind == LockKind::Flock);
    let others = flocks.filter(|holder| holder.pid != ours);
    others.take(MOST_NAMED).map(|holder| from_kernel(holder.pid, holder.lock.mode)).collect()
}

fn from_kernel(pid: Option<u32>, mode: LockMode) -> Party {
    let mode = if mode == LockMode::Write { Mode::Exclusive } else { Mode::Shared };
    Party {
        pid: pid.unwrap_or(0),
        command: pid.and_then(process::command_line),
        user: pid.and_then(process::user_of).map(host::user_name),
        host: Some(host::host()),
        mode: mode.word(),
        process_state: pid.map_or("unknown", process::state),
        via: "kernel",
        ..Party::default()
    }
}

/// Returns a time, in milliseconds since 1970, as RFC 3339 in UTC.
pub fn rfc3339(ms: u64) -> String {
    // The year 9999 is where the format ends.
    let ms = ms.min(253_402_300_799_999);
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string()
}
