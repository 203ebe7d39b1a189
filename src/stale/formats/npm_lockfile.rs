//! `lockfile` of npm: an empty file `X.lock` (`lockfile.js`). It takes over what is older than
//! `stale`, if the program says how long that is. `SoftFileLock` of older filelock leaves the same.
//!
//! Most empty files of that name are none of these but anchors of kernel locks, which stay by
//! design: those of flock(1), of filelock's `FileLock`, of nearly every build tool. So nothing is
//! said of them unless the user names this format.

use super::super::{Format, Kind, Rule, Sighting, Statement};
use super::ends;

/// The format.
pub const FORMAT: Format = Format {
    name: "npm-lockfile",
    tool: "npm lockfile, older Python filelock SoftFileLock",
    files: "*.lock, empty",
    rule: Rule::Age,
    is_quiet: true,
    is_named: |name, kind| kind == Kind::File && ends(name, ".lock"),
    beside: None,
    read,
};

fn read(seen: &Sighting) -> Statement {
    let is_empty = seen.kind == Kind::File && seen.bytes == 0 && seen.content.is_empty();
    // A lock of pylockfile has two names.
    if is_empty && seen.links == 1 && ends(seen.name(), ".lock") {
        Statement::Ageing(None)
    } else {
        Statement::Foreign
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Sighting, Statement};
    use super::super::tests::{directory, file};
    use super::read;

    #[test]
    fn an_empty_file_of_one_name_ages() {
        assert_eq!(read(&file("b.lock", "")), Statement::Ageing(None));
        let twice = Sighting { links: 2, ..file("b.lock", "") };
        for other in [twice, file("b.lock", "\n"), file(".lock", ""), directory("b.lock", &[])] {
            assert_eq!(read(&other), Statement::Foreign, "{other:?}");
        }
    }
}
