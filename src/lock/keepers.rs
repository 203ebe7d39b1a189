//! What has to end before a lock is free: the claims that stand in the way, and the files whose
//! kernel locks do.
//!
//! A claim only describes, and may be wrong or a lie. Who really keeps a lock the kernel knows: each
//! claim and each lock comes with its file, so that the kernel can be asked. Nothing is made or
//! changed, and claims are probed as every waiter probes them.

use std::path::PathBuf;

use super::LockError;
use super::claim::{
    ClaimId, Look, Record, Seen, held_name, inner_name, parse_held_name, parse_inner_name,
};
use super::lockdir::{Ledger, LockDir};
use super::mode::Mode;
use super::name::encode;
use super::party::describe;
use super::queue;
use super::resource::Resource;
use super::settle;
use crate::error::Party;
use crate::platform::{self, Facts, FileId, Liveness, holders, host, mark, process};

/// Calls inside calls are not followed deeper than this.
const DEEPEST: usize = 16;

/// Group or others may write.
const OTHERS_WRITE: u32 = 0o022;

/// A claim that stands in the way.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// What it says.
    pub party: Party,
    /// The file of the claim.
    pub file: FileId,
    /// Where that is.
    pub path: PathBuf,
    /// Who alone may have written what it says; `None` if others may, too.
    pub only_writer: Option<u32>,
    /// Whether the file has other names: another directory's claim, perhaps.
    pub has_other_names: bool,
    /// Whether somebody has it locked. Otherwise its holder is dead and only its command is left.
    pub is_live: bool,
    /// Who made it.
    pub claimant: u32,
    /// When that process started, as it says.
    pub claimant_start: Option<u64>,
    /// The command that it names, if that runs here.
    pub command: Option<(u32, u64)>,
    /// Its numbers mean nothing here: another host, another boot, another PID namespace.
    pub is_elsewhere: bool,
}

/// A file whose kernel lock is a lock.
#[derive(Clone, Debug)]
pub struct LockFile {
    /// Where it is.
    pub path: PathBuf,
    /// Which it is.
    pub file: FileId,
    /// Whether it has other names, as after a copy of the directory by hard links: its holders may
    /// be those of another database.
    pub has_other_names: bool,
    /// Whether those who share it are in nobody's way.
    pub may_be_shared: bool,
    /// Whether somebody has it locked exclusively; told only where the system lists no locks.
    pub is_locked: bool,
}

/// Everything that keeps a lock.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The claims.
    pub keepers: Vec<Keeper>,
    /// The files whose kernel locks keep others out, whoever has those.
    pub locks: Vec<LockFile>,
    /// How many wait for it.
    pub waiters: usize,
}

/// Returns what keeps a lock, or one key of it; nothing if it was never locked.
///
/// # Errors
/// Its directory may not be read, or belongs to a stranger.
pub fn keepers(resource: &Resource, key: Option<&str>) -> Result<Kept, LockError> {
    let mut kept = Kept::default();
    let Some(whole) = LockDir::existing(resource)? else { return Ok(kept) };
    kept.add(&whole, key.is_some(), 0);
    if let Some(key) = key
        && let Some(place) = whole.existing_key(&encode(key.as_bytes()))?
    {
        kept.add(&place, false, 0);
    }
    Ok(kept)
}

impl Kept {
    /// Adds the lock of a directory. With `may_be_shared` its readers are left out.
    fn add(&mut self, place: &LockDir, may_be_shared: bool, depth: usize) {
        // Who may not open it cannot look up who has it; the claims tell all the same.
        if let Ok(Some(lock)) = place.existing_lock()
            && let Ok(facts) = platform::facts(&lock)
        {
            let has_other_names = facts.links > 1;
            let path = place.lock_path();
            // The question is over with the file, at the end of this block.
            let is_locked =
                !holders::ARE_LISTED && matches!(mark::try_lock_shared(&lock), Ok(false));
            let file = facts.id;
            self.locks.push(LockFile { path, file, has_other_names, may_be_shared, is_locked });
        }
        let Some(ledger) = &place.ledger else { return };
        self.waiters += queue::live_count(ledger);
        let mut claims = Vec::new();
        let mut inners = Vec::new();
        // A directory that cannot be listed names nobody.
        drop(ledger.held.each_name(|name, is_dir| match is_dir {
            true => inners.extend(parse_inner_name(name)),
            false => claims.extend(parse_held_name(name)),
        }));
        let is_meant = |mode: Mode| !may_be_shared || mode == Mode::Exclusive;
        for (id, mode) in claims.iter().copied().filter(|(_, mode)| is_meant(*mode)) {
            self.keepers.extend(keeper(ledger, id, mode));
        }
        // Calls inside one that was killed on its way out keep others out without its claim.
        let mode_of = |id| claims.iter().find(|(claim, _)| *claim == id).map(|(_, mode)| *mode);
        inners.retain(|id| mode_of(*id).is_none_or(is_meant));
        for id in inners.into_iter().filter(|_| depth < DEEPEST) {
            if let Ok(Some(inner)) = place.existing_inner(ledger, &inner_name(id)) {
                let is_orphaned = mode_of(id).is_none();
                self.add(&inner, may_be_shared && is_orphaned, depth + 1);
            }
        }
    }
}

fn keeper(ledger: &Ledger, id: ClaimId, mode: Mode) -> Option<Keeper> {
    let name = held_name(id, mode);
    let (seen, is_live) = match Seen::look(&ledger.held, &name) {
        Look::Live(seen) => (seen, true),
        Look::Dead(seen) => (seen, false),
        Look::Gone | Look::Hidden => return None,
    };
    let record = seen.record();
    let command = settle::command(&record);
    let is_needed = is_live || command.is_some();
    let Facts { id: file, user, mode: rights, links, .. } =
        platform::facts(seen.into_file()).ok()?;
    is_needed.then(|| Keeper {
        party: describe(id, mode, &record, || None),
        file,
        path: ledger.held.path().join(name),
        only_writer: (rights & OTHERS_WRITE == 0).then_some(user),
        has_other_names: links > 1,
        is_live,
        claimant: id.pid,
        claimant_start: record.start,
        command: command
            .filter(|(pid, start)| process::liveness(*pid, Some(*start)) == Liveness::Alive),
        is_elsewhere: is_elsewhere(&record),
    })
}

/// Whether a claim was made where numbers of processes mean something else. A host can be renamed:
/// the same boot and the same namespace are this one.
fn is_elsewhere(record: &Record) -> bool {
    if record.host.is_empty() || record.is_of_here() {
        return false;
    }
    record.host != host::host()
        || record.boot.is_some() && record.boot != process::boot_id()
        || record.namespace.is_some() && record.namespace != process::pid_namespace()
}

#[cfg(test)]
mod tests {
    use super::{Record, is_elsewhere};
    use crate::platform::{host, process};

    #[test]
    fn a_claim_of_another_host_boot_or_namespace_is_elsewhere() {
        let here = Record {
            host: host::host(),
            boot: process::boot_id(),
            namespace: process::pid_namespace(),
            ..Record::default()
        };
        assert!(!is_elsewhere(&Record::default()) && !is_elsewhere(&here));
        let renamed = Record { host: "another".into(), ..here.clone() };
        assert!(!is_elsewhere(&renamed), "the same boot is the same machine");
        let early = Record { boot: None, namespace: None, ..here.clone() };
        assert!(!is_elsewhere(&early));
        for other in [
            Record { host: "another".into(), ..early },
            Record { boot: Some("another".into()), ..here.clone() },
            Record { namespace: Some(1), ..here },
        ] {
            assert!(is_elsewhere(&other), "{other:?}");
        }
    }
}
