//! Who is whose parent: a holder waits for its command, so a wait inside that command may be a
//! wait for itself.

use std::collections::HashSet;

use super::claim::{ClaimId, Record};
use crate::platform::process;

/// A chain of ancestors longer than this is not followed.
const MOST_ANCESTORS: usize = 256;

/// Returns the ancestors of a process, nearest first, with their start times.
pub fn ancestors(pid: u32) -> Vec<(u32, u64)> {
    let mut line = Vec::new();
    let mut next = process::stat(pid).map(|stat| stat.parent);
    while let Some(pid) = next.filter(|pid| *pid > 1 && line.len() < MOST_ANCESTORS) {
        let Some(stat) = process::stat(pid) else { break };
        line.push((pid, stat.start));
        next = Some(stat.parent);
    }
    line
}

/// Whether a process is an ancestor of ours.
pub fn own_ancestor(pid: u32) -> bool {
    ancestors(std::process::id()).iter().any(|(ancestor, _)| *ancestor == pid)
}

/// Returns the processes from `waiter` up to the one that ends when the holder's command ends:
/// the command, or the holder itself if it is the waiter. `None` if the holder does not wait for
/// the waiter: it was started by somebody else, or its parents are gone.
pub fn chain(waiter: u32, holder: ClaimId, record: &Record) -> Option<Vec<u32>> {
    if waiter == holder.pid {
        return Some(vec![waiter]);
    }
    if !record.is_of_here() {
        return None;
    }
    let command = (record.child?, record.child_start?);
    let mut chain = vec![waiter];
    for ancestor in ancestors(waiter) {
        chain.push(ancestor.0);
        if ancestor == command {
            return Some(chain);
        }
    }
    None
}

/// Whether everything that runs below these chains is on one of them, and all on them sleep. If
/// not, somebody may yet end and let a holder go: `dbguard exec b -- x & sleep 5` is no deadlock.
///
/// What cannot be seen is a shell that waits for input beside its background job.
pub fn is_closed(chains: &[Vec<u32>], waiters: &HashSet<u32>) -> bool {
    let members: HashSet<u32> = chains.iter().flatten().copied().collect();
    process::all().into_iter().all(|(pid, stat)| {
        if members.contains(&pid) {
            return waiters.contains(&pid) || stat.state != 'R';
        }
        let below = members.contains(&stat.parent) && !waiters.contains(&stat.parent);
        !below || matches!(stat.state, 'Z' | 'X')
    })
}
