//! `SingletonLock` of Chrome, Chromium and whatever is made with Electron: a symbolic link to
//! `HOST-PID`, followed nowhere (`process_singleton_posix.cc`, `process_singleton_lock_posix.cc`).
//!
//! The next start takes the profile over if the host is its own and the process is none of its
//! kind. In a container, whose name is new with every start, it never does: the well-known false
//! lock. `SingletonSocket` and `SingletonCookie` beside it are replaced by the next start.
//!
//! Programs of any name write it, so that a process that lives is never taken for another one.

use super::super::{Format, Kind, Owner, Rule, Sighting, Statement};
use super::{host, pid};

/// The format.
pub const FORMAT: Format = Format {
    name: "chrome",
    tool: "Chrome, Chromium, Electron",
    files: "SingletonLock",
    rule: Rule::Owner,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::Link && name == "SingletonLock",
    beside: None,
    read,
};

fn read(seen: &Sighting) -> Statement {
    if seen.kind != Kind::Link || seen.name() != "SingletonLock" {
        return Statement::Foreign;
    }
    // A host can have dashes.
    let parts = seen.text().and_then(|target| target.rsplit_once('-'));
    match parts.and_then(|(name, number)| host(name).zip(pid(number))) {
        Some((host, pid)) => Statement::Owner(Owner { pid, host: Some(host), ..Owner::default() }),
        None => Statement::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Owner, Statement};
    use super::super::tests::{file, link};
    use super::read;

    #[test]
    fn the_process_stands_after_the_last_dash() {
        for (target, host) in [("attic-1234", "attic"), ("pixel-7-pro-1234", "pixel-7-pro")] {
            let owner = Owner { pid: 1234, host: Some(host.into()), ..Owner::default() };
            assert_eq!(read(&link("SingletonLock", target)), Statement::Owner(owner));
        }
        for target in ["", "attic", "attic-", "-1234", "attic-0", "attic-12x"] {
            assert_eq!(read(&link("SingletonLock", target)), Statement::Foreign, "{target}");
        }
        assert_eq!(read(&file("SingletonLock", "attic-1234")), Statement::Foreign);
    }
}
