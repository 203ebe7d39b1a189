//! `gc.pid` of `git gc`: the process number and the host, without a newline (`builtin/gc.c`).
//!
//! Git takes it over if it is of its own host and the process is dead, or if it is 12 hours old.
//! JGit writes the same from a `java`, and takes over by the age alone, so that a process that
//! lives is never taken for another one.

use super::super::{Format, Kind, Owner, Rule, Sighting, Statement};
use super::{host, pid};

/// The format.
pub const FORMAT: Format = Format {
    name: "git-gc",
    tool: "git gc, JGit",
    files: ".git/gc.pid",
    rule: Rule::Owner,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && name == "gc.pid",
    beside: None,
    read,
};

fn read(seen: &Sighting) -> Statement {
    if seen.kind != Kind::File || seen.links != 1 || seen.name() != "gc.pid" {
        return Statement::Foreign;
    }
    let parts = seen.text().and_then(|text| text.split_once(' '));
    match parts.and_then(|(number, name)| pid(number).zip(host(name))) {
        Some((pid, host)) => Statement::Owner(Owner { pid, host: Some(host), ..Owner::default() }),
        None => Statement::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Owner, Statement};
    use super::super::tests::file;
    use super::read;

    #[test]
    fn process_and_host_are_read() {
        let owner = Owner { pid: 2208, host: Some("vm".into()), ..Owner::default() };
        assert_eq!(read(&file(".git/gc.pid", "2208 vm")), Statement::Owner(owner));
        for content in ["", "2208", "2208 ", "2208 vm x", "x vm", "0 vm", "2208\nvm\n"] {
            assert_eq!(read(&file(".git/gc.pid", content)), Statement::Foreign, "{content}");
        }
    }
}
