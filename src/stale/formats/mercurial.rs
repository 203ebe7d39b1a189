//! `.hg/wlock` and `.hg/store/lock` of Mercurial: a symbolic link to `HOST/NAMESPACE:PID`, followed
//! nowhere; the namespace is that of PIDs, its number in hexadecimal, and on Linux alone
//! (`lock.py`). Old ones have no host; nobody knows whose they are.
//!
//! Mercurial takes over what a dead process of its own host and namespace left. Programs of any
//! name have it as a library, so that a process that lives is never taken for another one.

use super::super::{Format, Kind, Owner, Rule, Sighting, Statement};
use super::{host, pid};

/// The format.
pub const FORMAT: Format = Format {
    name: "mercurial",
    tool: "Mercurial",
    files: ".hg/wlock, .hg/store/lock",
    rule: Rule::Owner,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::Link && matches!(name, "wlock" | "lock"),
    beside: None,
    read,
};

fn read(seen: &Sighting) -> Statement {
    let is_here = seen.path.ends_with(".hg/wlock") || seen.path.ends_with(".hg/store/lock");
    if seen.kind != Kind::Link || !is_here {
        return Statement::Foreign;
    }
    match seen.text().and_then(owner) {
        Some(owner) => Statement::Owner(owner),
        None => Statement::Foreign,
    }
}

fn owner(target: &str) -> Option<Owner> {
    let (place, number) = target.split_once(':')?;
    let (name, namespace) = match place.rsplit_once('/') {
        Some((name, number)) => (name, Some(hexadecimal(number)?)),
        None => (place, None),
    };
    Some(Owner { pid: pid(number)?, host: Some(host(name)?), namespace, ..Owner::default() })
}

fn hexadecimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Owner, Statement};
    use super::super::tests::{file, link};
    use super::read;

    #[test]
    fn host_namespace_and_process_are_read() {
        let owner = Owner { pid: 1623, host: Some("vm".into()), ..Owner::default() };
        let namespace = Owner { namespace: Some(4_026_531_836), ..owner.clone() };
        for path in ["r/.hg/wlock", "r/.hg/store/lock"] {
            let seen = link(path, "vm/effffffc:1623");
            assert_eq!(read(&seen), Statement::Owner(namespace.clone()));
            assert_eq!(read(&link(path, "vm:1623")), Statement::Owner(owner.clone()));
        }
    }

    #[test]
    fn other_places_and_targets_are_none_of_mercurials() {
        for path in ["lock", "wlock", ".hg/lock", ".hg/store/wlock", "x.hg/wlock"] {
            assert_eq!(read(&link(path, "vm/effffffc:1623")), Statement::Foreign, "{path}");
        }
        for target in
            ["", "1623", "vm", ":1623", "vm/:1623", "vm/+f:1", "vm/xyz:1", "vm:0", "vm:-1"]
        {
            assert_eq!(read(&link(".hg/wlock", target)), Statement::Foreign, "{target}");
        }
        assert_eq!(read(&file(".hg/wlock", "vm:1623")), Statement::Foreign);
    }
}
