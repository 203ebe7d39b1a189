//! `proper-lockfile` of npm: an empty directory `X.lock`, which its owner touches every few
//! seconds. It takes over what was not touched for `stale`, 10 seconds unless the program says
//! otherwise (`lib/lockfile.js`).
//!
//! The dotfile locks of SQLite (`unix-dotfile`) look the same and have no age after which they are
//! free, so that what stands beside a SQLite database is none of these.

use super::super::{Format, Kind, Rule, Sighting, Statement};
use super::ends;
use std::time::Duration;

/// After this long it is taken over, unless the program says otherwise.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// What a SQLite database begins with.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// The format.
pub const FORMAT: Format = Format {
    name: "proper-lockfile",
    tool: "npm proper-lockfile",
    files: "X.lock/, empty",
    rule: Rule::Age,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::Directory && ends(name, ".lock"),
    beside: Some(|name, other| name.strip_suffix(".lock") == Some(other)),
    read,
};

fn read(seen: &Sighting) -> Statement {
    if seen.kind != Kind::Directory || !seen.entries.is_empty() {
        return Statement::Foreign;
    }
    let locked = seen.name().strip_suffix(".lock").and_then(|name| seen.content_beside(name));
    if locked.is_some_and(|content| content.starts_with(SQLITE)) {
        let reason = "it may be a dotfile lock of SQLite: close the programs that use the database";
        return Statement::Kept(reason.to_owned());
    }
    Statement::Ageing(Some(STALE_AFTER))
}

#[cfg(test)]
mod tests {
    use super::super::super::{Neighbour, Sighting, Statement};
    use super::super::tests::{directory, file};
    use super::{STALE_AFTER, read};

    #[test]
    fn an_empty_directory_ages() {
        let seen = directory("a.json.lock", &[]);
        assert_eq!(read(&seen), Statement::Ageing(Some(STALE_AFTER)));
        assert_eq!(read(&directory("a.json.lock", &["x"])), Statement::Foreign);
        assert_eq!(read(&file("a.json.lock", "")), Statement::Foreign);
    }

    #[test]
    fn a_directory_beside_a_sqlite_database_may_be_its_lock() {
        let beside = |content: &[u8]| Sighting {
            beside: vec![Neighbour {
                name: "app.db".into(),
                content: content.to_vec(),
                ..Neighbour::default()
            }],
            ..directory("app.db.lock", &[])
        };
        assert!(matches!(read(&beside(b"SQLite format 3\0\x10")), Statement::Kept(_)));
        assert_eq!(read(&beside(b"{}")), Statement::Ageing(Some(STALE_AFTER)));
    }
}
