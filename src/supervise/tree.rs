//! The processes that a command started, as far as they can be named.

use std::collections::{HashMap, HashSet};

use crate::platform::process::{self, ProcessStat};

/// A process and when it started: a number alone may be used again.
pub type Identity = (u32, u64);

/// What is below this process, told apart from what was there before the command: a shell that
/// becomes dbguard leaves it its background jobs and process substitutions.
#[derive(Debug)]
pub struct Family {
    strangers: HashSet<Identity>,
}

impl Family {
    /// Notes who is below this process already: to be called before anything is started.
    pub fn before_any_start() -> Self {
        let me = std::process::id();
        let all = process::all();
        let children = all.iter().filter(|(_, stat)| stat.parent == me);
        let mut strangers = children.map(|(pid, stat)| (*pid, stat.start)).collect();
        drop(members(me, &all, &mut strangers));
        Self { strangers }
    }

    /// Whether anything was there before.
    pub fn has_strangers(&self) -> bool {
        !self.strangers.is_empty()
    }

    /// Returns the descendants that the command accounts for, each with its parent, children
    /// before grandchildren. A snapshot: what is started while it is taken is missing.
    pub fn members(&mut self) -> Vec<(Identity, u32)> {
        members(std::process::id(), &process::all(), &mut self.strangers)
    }
}

/// Returns what is below `root`, but for the strangers and what is below those, which become
/// strangers too: when their parent dies they are handed to us.
fn members(
    root: u32,
    all: &[(u32, ProcessStat)],
    strangers: &mut HashSet<Identity>,
) -> Vec<(Identity, u32)> {
    let mut children: HashMap<u32, Vec<Identity>> = HashMap::new();
    for (pid, stat) in all {
        children.entry(stat.parent).or_default().push((*pid, stat.start));
    }
    let mut found = Vec::new();
    let mut next = vec![(root, false)];
    while let Some((parent, strange)) = next.pop() {
        // Each list is taken out, so that a circle in hostile input ends.
        for child in children.remove(&parent).unwrap_or_default() {
            let strange = strange || strangers.contains(&child);
            if strange {
                strangers.insert(child);
            } else {
                found.push((child, parent));
            }
            next.push((child.0, strange));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Identity, members};
    use crate::platform::process::ProcessStat;

    fn found(root: u32, parents: &[(u32, u32)], strangers: &mut HashSet<Identity>) -> Vec<u32> {
        let stat = |parent| ProcessStat { state: 'S', parent, start: 1 };
        let all: Vec<_> = parents.iter().map(|(pid, parent)| (*pid, stat(*parent))).collect();
        let mut found: Vec<_> = members(root, &all, strangers).iter().map(|m| m.0.0).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn grandchildren_are_found_and_others_are_not() {
        let tree = [(11, 10), (12, 11), (13, 1), (14, 12), (10, 1)];
        assert_eq!(found(10, &tree, &mut HashSet::new()), [11, 12, 14]);
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(found(1, &[(1, 2), (2, 1)], &mut HashSet::new()), [1, 2]);
    }

    #[test]
    fn a_strangers_children_stay_strangers_when_they_are_handed_to_us() {
        let mut strangers = HashSet::from([(11, 1)]);
        assert_eq!(found(10, &[(11, 10), (12, 11), (13, 10)], &mut strangers), [13]);
        assert_eq!(found(10, &[(12, 10), (13, 10)], &mut strangers), [13]);
    }
}
