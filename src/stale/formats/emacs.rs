//! `.#FILE` of Emacs: a symbolic link to `USER@HOST.PID:BOOTTIME`, followed nowhere; a file that
//! contains the same where there are no links (`filelock.c`). Without the time where Emacs does not
//! find one. JOE, JED and Midnight Commander write it too, always without.
//!
//! Emacs takes over what a dead process of its own host left, or one of another boot. The time is
//! that of a clock, which can be set since, so it is not held against ours.

use super::super::{Format, Kind, Owner, Rule, Sighting, Statement};
use super::{host, pid};

/// The format.
pub const FORMAT: Format = Format {
    name: "emacs",
    tool: "Emacs, JOE, JED, Midnight Commander",
    files: ".#FILE",
    rule: Rule::Owner,
    is_quiet: false,
    is_named: |name, kind| kind != Kind::Directory && name.len() > 2 && name.starts_with(".#"),
    beside: None,
    read,
};

/// What stands for the colon on file systems that have none in names.
const OTHER_COLON: char = '\u{f022}';

fn read(seen: &Sighting) -> Statement {
    if seen.kind == Kind::Directory || (seen.kind == Kind::File && seen.links != 1) {
        return Statement::Foreign;
    }
    match seen.text().and_then(owner) {
        Some(owner) => Statement::Owner(owner),
        None => Statement::Foreign,
    }
}

fn owner(text: &str) -> Option<Owner> {
    // Hosts have dots, users can have an `@`.
    let (user_and_host, end) = text.rsplit_once('.')?;
    let (user, name) = user_and_host.rsplit_once('@')?;
    let (number, time) = match end.split_once([':', OTHER_COLON]) {
        Some((number, time)) => (number, Some(time)),
        None => (end, None),
    };
    let is_time = |time: &str| !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    if user.is_empty() || !time.is_none_or(is_time) {
        return None;
    }
    let programs = match time {
        Some(_) => vec!["emacs".to_owned(), "aquamacs".to_owned()],
        None => Vec::new(),
    };
    Some(Owner { pid: pid(number)?, host: Some(host(name)?), programs, ..Owner::default() })
}

#[cfg(test)]
mod tests {
    use super::super::super::{Owner, Sighting, Statement};
    use super::super::tests::{directory, file, link};
    use super::{OTHER_COLON, read};

    #[test]
    fn host_and_process_are_read_with_and_without_a_boot_time() {
        let owner = Owner { pid: 1678, host: Some("vm".into()), ..Owner::default() };
        let seen = link(".#notes.txt", "root@vm.1678");
        assert_eq!(read(&seen), Statement::Owner(owner));
        let programs = vec!["emacs".to_owned(), "aquamacs".to_owned()];
        let host = Some("attic.example.org".to_owned());
        let owner = Statement::Owner(Owner { pid: 1678, host, programs, ..Owner::default() });
        let target = "jo@work@attic.example.org.1678:1795204000";
        assert_eq!(read(&link(".#notes.txt", target)), owner);
        assert_eq!(read(&file(".#notes.txt", target)), owner);
        let other = target.replace(':', &OTHER_COLON.to_string());
        assert_eq!(read(&link(".#notes.txt", &other)), owner);
    }

    #[test]
    fn anything_else_is_no_lock_of_an_editor() {
        for target in [
            "",
            "notes.txt",
            "root@vm",
            "@vm.1",
            "root@.1",
            "root@vm.0",
            "root@vm.1:",
            "root@vm.1:x",
            "root@vm.1\n",
        ] {
            assert_eq!(read(&link(".#notes.txt", target)), Statement::Foreign, "{target}");
        }
        let twice = Sighting { links: 2, ..file(".#notes.txt", "root@vm.1678") };
        assert_eq!(read(&twice), Statement::Foreign);
        assert_eq!(read(&directory(".#notes.txt", &[])), Statement::Foreign);
    }
}
