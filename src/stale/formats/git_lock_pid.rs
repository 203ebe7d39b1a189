//! `NAME~pid.lock`, which git writes beside `NAME.lock` with `core.lockfilePid`: `pid`, a space and
//! the process number (`lockfile.c` of newer git).
//!
//! Left behind it keeps every later git from writing its own. It goes only where the lock itself is
//! gone: as long as that stands, git tells its user whose number it is.

use super::super::{Format, Kind, Owner, Rule, Sighting, Statement};
use super::{below_git, ends, pid};

/// What its name has in place of `.lock`.
const END: &str = "~pid.lock";

/// The format.
pub const FORMAT: Format = Format {
    name: "git-lock-pid",
    tool: "git with core.lockfilePid",
    files: ".git/**~pid.lock",
    rule: Rule::Owner,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && ends(name, END),
    beside: Some(is_its_lock),
    read,
};

/// Whether the other name is that of the lock.
fn is_its_lock(name: &str, other: &str) -> bool {
    let base = name.strip_suffix(END);
    base.is_some_and(|base| other.strip_suffix(".lock") == Some(base))
}

fn read(seen: &Sighting) -> Statement {
    let is_plain = seen.kind == Kind::File && seen.links == 1 && ends(seen.name(), END);
    if !is_plain || below_git(&seen.path).is_none() {
        return Statement::Foreign;
    }
    if seen.beside.iter().any(|other| is_its_lock(seen.name(), &other.name)) {
        return Statement::Foreign;
    }
    let line = seen.text().and_then(|text| text.strip_suffix('\n'));
    match line.and_then(|line| line.strip_prefix("pid ")).and_then(pid) {
        Some(pid) => Statement::Owner(Owner { pid, ..Owner::default() }),
        None => Statement::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Neighbour, Owner, Sighting, Statement};
    use super::super::tests::file;
    use super::read;

    #[test]
    fn the_number_is_read_where_the_lock_is_gone() {
        let alone = file(".git/index~pid.lock", "pid 4711\n");
        let owner = Owner { pid: 4711, ..Owner::default() };
        assert_eq!(read(&alone), Statement::Owner(owner.clone()));
        let beside = |name: &str| Sighting {
            beside: vec![Neighbour { name: name.into(), ..Neighbour::default() }],
            ..alone.clone()
        };
        assert_eq!(read(&beside("index.lock")), Statement::Foreign);
        assert_eq!(read(&beside("HEAD.lock")), Statement::Owner(owner));
    }

    #[test]
    fn anything_else_is_no_number_of_git() {
        for (path, content) in [
            ("index~pid.lock", "pid 4711\n"),
            (".git/~pid.lock", "pid 4711\n"),
            (".git/index~pid.lock", "pid 4711"),
            (".git/index~pid.lock", "4711\n"),
            (".git/index~pid.lock", "pid 0\n"),
            (".git/index.lock", "pid 4711\n"),
        ] {
            assert_eq!(read(&file(path, content)), Statement::Foreign, "{path} {content:?}");
        }
    }
}
