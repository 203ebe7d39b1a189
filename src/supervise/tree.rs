//! The processes that a command started, as far as they can be named.

use std::collections::HashMap;

use crate::platform::process;

/// Returns every living descendant of a process, children before grandchildren. A snapshot:
/// what is started while it is taken is missing.
pub fn descendants(root: u32) -> Vec<u32> {
    of(root, &process::all().into_iter().map(|(pid, stat)| (pid, stat.parent)).collect::<Vec<_>>())
}

fn of(root: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, parent) in parents {
        children.entry(*parent).or_default().push(*pid);
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        // Each list is taken out, so that a circle in hostile input ends.
        let Some(children) = children.remove(&pid) else { continue };
        found.extend(&children);
        next.extend(children);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn grandchildren_are_found_and_strangers_are_not() {
        let mut found = of(10, &[(11, 10), (12, 11), (13, 1), (14, 12), (10, 1)]);
        found.sort_unstable();
        assert_eq!(found, [11, 12, 14]);
    }

    #[test]
    fn a_circle_ends() {
        assert_eq!(of(1, &[(1, 2), (2, 1)]), [2, 1]);
    }
}
