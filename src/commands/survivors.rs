//! Who still works under a lock when the command itself is gone.

use super::locking::Locks;
use crate::error::Party;
use crate::platform::{holders, process};
use crate::report;

/// Returns the processes that have our locks through descriptors they inherited, in words.
///
/// To be asked while the locks are still ours: then nobody else can have them, but for readers
/// of a shared lock, whom the kernel tells apart by the process that took it.
pub fn survivors(locks: &Locks) -> Vec<String> {
    let files: Vec<_> = locks.guards.iter().filter_map(|guard| guard.lock_id()).collect();
    let me = std::process::id();
    let others = process::all().into_iter().map(|(pid, _)| pid).filter(|pid| *pid != me);
    let holding = others.filter(|pid| files.iter().any(|file| holders::inherited(*pid, *file, me)));
    holding
        .map(|pid| {
            let command = process::command_line(pid);
            report::described(&Party { pid, command, ..Party::default() })
        })
        .collect()
}
