//! `LinkLockFile` of Python's `lockfile`: an empty `X.lock` that is a hard link to an empty file of
//! a unique name beside it (`linklockfile.py`). It has no rule for what a dead process left.
//!
//! The unique name is `HOST-THREAD.PID` and a hash, a signed number that runs into the process
//! number unless it is negative (`__init__.py`). Where it does, every reading that can be right
//! must be dead. Without threads there is no `-THREAD`; what cannot be told from one is taken for
//! one, which makes the host another one.

use super::super::{Format, Kind, Owner, Rule, Sighting, Statement};
use super::{ends, host, pid};

/// The format.
pub const FORMAT: Format = Format {
    name: "pylockfile-link",
    tool: "Python lockfile LinkLockFile",
    files: "X.lock, linked to HOST-THREAD.PID beside it",
    rule: Rule::Owner,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && ends(name, ".lock"),
    beside: Some(|_, other| unique(other).is_some()),
    read,
};

fn read(seen: &Sighting) -> Statement {
    if seen.kind != Kind::File || seen.bytes != 0 || seen.links != 2 {
        return Statement::Foreign;
    }
    let mut names = seen.beside.iter().filter(|other| other.is_same).map(|other| &other.name[..]);
    let (Some(name), None) = (names.next(), names.next()) else { return Statement::Foreign };
    let Some((place, digits)) = unique(name) else { return Statement::Foreign };
    let Some(host) = host(without_thread(place)) else { return Statement::Foreign };
    let owner = |pid| Owner { pid, host: Some(host.clone()), ..Owner::default() };
    let owners: Vec<Owner> = processes(digits).into_iter().map(owner).collect();
    match &owners[..] {
        [] => Statement::Foreign,
        [owner] => Statement::Owner(owner.clone()),
        _ => Statement::OneOf(owners),
    }
}

/// Returns what stands before and after the last dot of a unique name.
fn unique(name: &str) -> Option<(&str, &str)> {
    let (place, digits) = name.rsplit_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (process, hash) = digits.split_once('-').unwrap_or((digits, "0"));
    (!place.is_empty() && is_number(process) && is_number(hash)).then_some((place, digits))
}

/// Returns the host without the thread: eight hexadecimal digits, seven where the first is zero.
fn without_thread(place: &str) -> &str {
    let is_thread = |text: &str| {
        let is_lower = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        matches!(text.len(), 7 | 8) && !text.starts_with('0') && text.bytes().all(is_lower)
    };
    match place.rsplit_once('-') {
        Some((host, thread)) if is_thread(thread) => host,
        _ => place,
    }
}

/// Returns the numbers that the process can have.
fn processes(digits: &str) -> Vec<u32> {
    if let Some((process, _)) = digits.split_once('-') {
        return pid(process).into_iter().collect();
    }
    // A hash has 64 bits; before lockfile 0.9 there is none.
    let is_hash = |text: &str| {
        let is_plain = text.len() == 1 || !text.starts_with('0');
        text.is_empty() || is_plain && text.parse::<i64>().is_ok()
    };
    let cuts = 1..=digits.len().min(10);
    cuts.map(|cut| digits.split_at(cut))
        .filter(|(_, hash)| is_hash(hash))
        .filter_map(|(process, _)| pid(process))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::{Neighbour, Owner, Sighting, Statement};
    use super::super::tests::file;
    use super::{FORMAT, read};

    fn linked(names: &[&str]) -> Sighting {
        let same = |name: &&str| Neighbour {
            name: (*name).to_owned(),
            is_same: true,
            ..Neighbour::default()
        };
        Sighting { links: 2, beside: names.iter().map(same).collect(), ..file("a.lock", "") }
    }

    fn owner(pid: u32, host: &str) -> Owner {
        Owner { pid, host: Some(host.into()), ..Owner::default() }
    }

    #[test]
    fn a_negative_hash_ends_the_process_number() {
        let seen = linked(&["web-01.example-d8e6eb80.32386-4933128899141123100"]);
        assert_eq!(read(&seen), Statement::Owner(owner(32386, "web-01.example")));
    }

    #[test]
    fn a_positive_hash_leaves_every_number_that_can_be_meant() {
        let seen = linked(&["vm-d8e6eb80.323864933128899141123100"]);
        let owners = [32_386, 323_864, 3_238_649, 32_386_493, 323_864_933];
        let owners = owners.map(|pid| owner(pid, "vm")).to_vec();
        assert_eq!(read(&seen), Statement::OneOf(owners));
        // Without threads.
        let said = read(&linked(&["vm.32387160135453982173059"]));
        let pids: Vec<u32> = said.owners().iter().map(|owner| owner.pid).collect();
        assert_eq!(pids, [3238, 32_387, 323_871, 32_387_160, 323_871_601]);
    }

    #[test]
    fn what_only_looks_like_a_thread_makes_it_another_host() {
        let said = read(&linked(&["web-01.32386-1"]));
        assert_eq!(said, Statement::Owner(owner(32386, "web-01")));
        let said = read(&linked(&["web-deadbeef.32386-1"]));
        assert_eq!(said, Statement::Owner(owner(32386, "web")));
    }

    #[test]
    fn only_the_other_name_of_the_same_file_counts() {
        let name = "vm-d8e6eb80.32386-4933128899141123100";
        let other = Neighbour { name: "vm-1234567a.99-5".into(), ..Neighbour::default() };
        let mut seen = linked(&[name]);
        seen.beside.push(other.clone());
        assert_eq!(read(&seen), Statement::Owner(owner(32386, "vm")));
        for seen in [
            linked(&[]),
            linked(&[name, name]),
            linked(&["notes.txt"]),
            Sighting { beside: vec![other], ..linked(&[]) },
            Sighting { links: 3, ..linked(&[name]) },
            Sighting { beside: linked(&[name]).beside, links: 2, ..file("a.lock", "x") },
        ] {
            assert_eq!(read(&seen), Statement::Foreign, "{seen:?}");
        }
    }

    #[test]
    fn few_names_are_asked_for() {
        let is_wanted = FORMAT.beside.expect("it looks beside");
        assert!(is_wanted("a.lock", "vm-d8e6eb80.323864933128899141123100"));
        assert!(is_wanted("a.lock", "vm-d8e6eb80.32386-4933128899141123100"));
        for name in ["a.lock", "notes.txt", ".1", "a", "a.", "a.1-", "a.-1", "a.1-2-3", "a.1x"] {
            assert!(!is_wanted("a.lock", name), "{name}");
        }
    }
}
