//! What a command sees of the locks that it runs under.

use std::ffi::OsString;

use super::locking::Locks;
use crate::lock::{ClaimId, HELD_VARIABLE};

/// Returns the variables, files and fences in the order in which the files were typed. A variable
/// of an outer call that is not true here is taken out.
pub fn environment(locks: &Locks, id: ClaimId) -> Vec<(&'static str, Option<OsString>)> {
    let guards = locks.as_typed();
    let mut files = OsString::new();
    for (place, guard) in guards.iter().enumerate() {
        if place > 0 {
            files.push("\n");
        }
        files.push(&guard.resource().path);
    }
    let fences: Vec<_> = guards.iter().map(|guard| guard.fence()).collect();
    vec![
        ("DBGUARD_FILE", Some(files)),
        ("DBGUARD_MODE", Some(locks.mode.word().into())),
        ("DBGUARD_FENCE", in_lines(&fences).map(OsString::from)),
        ("DBGUARD_ID", Some(id.to_string().into())),
        (HELD_VARIABLE, Some(locks.held.to_string().into())),
    ]
}

/// Returns one line a file, empty where it has no fence; `None` where no file has one.
fn in_lines(fences: &[Option<u64>]) -> Option<String> {
    fences.iter().any(Option::is_some).then(|| {
        let lines = fences.iter().map(|fence| fence.map_or(String::new(), |f| f.to_string()));
        lines.collect::<Vec<_>>().join("\n")
    })
}

#[cfg(test)]
mod tests {
    use super::in_lines;

    #[test]
    fn the_lines_of_the_fences_are_those_of_the_files() {
        assert_eq!(in_lines(&[Some(1), None, Some(3)]).as_deref(), Some("1\n\n3"));
        assert_eq!(in_lines(&[None, None]), None);
    }
}
