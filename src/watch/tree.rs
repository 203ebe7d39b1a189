//! A process among its ancestors and descendants.

use std::collections::HashMap;

use crate::platform::process::ProcessStat;

/// More than this nobody reads.
const MOST: usize = 200;

/// One process of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its number.
    pub pid: u32,
    /// How many ancestors are above it.
    pub depth: usize,
}

/// Returns the ancestors of a process, outermost first, then itself, then its descendants, each
/// below its parent. `all` is every process that can be seen.
pub fn family(pid: u32, all: &[(u32, ProcessStat)]) -> Vec<Branch> {
    let parents: HashMap<u32, ProcessStat> = all.iter().copied().collect();
    let mut line = vec![pid];
    let mut child = pid;
    while let Some(stat) = parents.get(&child)
        && stat.parent != 0
        && line.len() < MOST
        && !line.contains(&stat.parent)
    {
        line.push(stat.parent);
        child = stat.parent;
    }
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, stat) in all {
        children.entry(stat.parent).or_default().push(*pid);
    }
    let above = line.iter().rev().enumerate();
    let mut family: Vec<Branch> = above.map(|(depth, pid)| Branch { pid: *pid, depth }).collect();
    let mut next = vec![Branch { pid, depth: line.len() - 1 }];
    while let Some(branch) = next.pop() {
        if branch.pid != pid {
            family.push(branch);
        }
        // Each list is taken out, so that a circle in what was read ends.
        let mut below = children.remove(&branch.pid).unwrap_or_default();
        below.sort_unstable_by(|one, other| other.cmp(one));
        let depth = branch.depth + 1;
        next.extend(below.into_iter().map(|pid| Branch { pid, depth }));
    }
    family.truncate(MOST);
    family
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, proptest};

    use super::{MOST, family};
    use crate::platform::process::ProcessStat;

    fn of(pid: u32, parents: &[(u32, u32)]) -> Vec<(u32, usize)> {
        let stat = |parent| ProcessStat { state: 'S', parent, start: 1 };
        let all: Vec<_> = parents.iter().map(|(pid, parent)| (*pid, stat(*parent))).collect();
        family(pid, &all).into_iter().map(|branch| (branch.pid, branch.depth)).collect()
    }

    #[test]
    fn a_process_stands_between_its_ancestors_and_its_descendants() {
        let all = [(1, 0), (10, 1), (11, 10), (12, 11), (13, 11), (14, 12), (20, 1)];
        assert_eq!(of(11, &all), [(1, 0), (10, 1), (11, 2), (12, 3), (14, 4), (13, 3)]);
    }

    #[test]
    fn one_that_is_gone_stands_alone() {
        assert_eq!(of(7, &[(1, 0)]), [(7, 0)]);
    }

    proptest! {
        #[test]
        fn any_table_of_processes_ends(
            pid in 0u32..20,
            all in prop::collection::vec((0u32..20, 0u32..20), 0..60),
        ) {
            prop_assert!(of(pid, &all).len() <= MOST);
        }
    }
}
