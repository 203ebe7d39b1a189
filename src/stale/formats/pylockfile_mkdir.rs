//! `MkdirLockFile` of Python's `lockfile`: a directory `X.lock` with one empty file in it, called
//! `HOST.-THREADPID`, or `HOST.PID` without threads (`mkdirlockfile.py`). It has no rule for what a
//! dead process left.
//!
//! The thread is in hexadecimal and runs into the process number: every reading that can be right
//! must be dead.

use super::super::{Format, Kind, Owner, Rule, Sighting, Statement};
use super::{ends, host, pid};

/// The most digits of a thread.
const THREAD_DIGITS: usize = 8;

/// The format.
pub const FORMAT: Format = Format {
    name: "pylockfile-mkdir",
    tool: "Python lockfile MkdirLockFile",
    files: "X.lock/, with HOST.-THREADPID in it",
    rule: Rule::Owner,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::Directory && ends(name, ".lock"),
    beside: None,
    read,
};

fn read(seen: &Sighting) -> Statement {
    let [entry] = &seen.entries[..] else { return Statement::Foreign };
    let Some((name, end)) = entry.rsplit_once('.').filter(|_| seen.kind == Kind::Directory) else {
        return Statement::Foreign;
    };
    let Some(host) = host(name) else { return Statement::Foreign };
    let owner = |pid| Owner { pid, host: Some(host.clone()), ..Owner::default() };
    let owners: Vec<Owner> = processes(end).into_iter().map(owner).collect();
    match &owners[..] {
        [] => Statement::Foreign,
        [owner] => Statement::Owner(owner.clone()),
        _ => Statement::OneOf(owners),
    }
}

/// Returns the numbers that the process can have.
fn processes(end: &str) -> Vec<u32> {
    let Some(end) = end.strip_prefix('-') else { return pid(end).into_iter().collect() };
    let is_thread = |text: &str| {
        let is_plain = text.len() == 1 || !text.starts_with('0');
        is_plain && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    // A process number begins with no zero.
    let process = |text: &str| pid(text).filter(|_| !text.starts_with('0'));
    let cuts = 1..=THREAD_DIGITS;
    cuts.filter_map(|cut| end.split_at_checked(cut))
        .filter(|(thread, _)| is_thread(thread))
        .filter_map(|(_, number)| process(number))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::{Owner, Statement};
    use super::super::tests::{directory, file};
    use super::read;

    fn owner(pid: u32) -> Owner {
        Owner { pid, host: Some("vm.example".into()), ..Owner::default() }
    }

    #[test]
    fn the_one_entry_names_host_and_process() {
        let plain = directory("d.lock", &["vm.example.32389"]);
        assert_eq!(read(&plain), Statement::Owner(owner(32389)));
        let threaded = directory("d.lock", &["vm.example.-2e863b8f32388"]);
        assert_eq!(read(&threaded), Statement::Owner(owner(32388)));
    }

    #[test]
    fn a_thread_that_ends_in_digits_leaves_every_number_that_can_be_meant() {
        let seen = directory("c.lock", &["vm.example.-2e863b8032388"]);
        let owners = [8_032_388, 32_388].map(owner).to_vec();
        assert_eq!(read(&seen), Statement::OneOf(owners));
    }

    #[test]
    fn anything_else_is_no_such_directory() {
        for entries in [
            &[][..],
            &["vm.1", "vm.2"],
            &["notes"],
            &["vm."],
            &["vm.0"],
            &[".32389"],
            &["vm.-"],
            &["vm.-xyz"],
            &["vm.-2e863b8x"],
            &["vm.32389x"],
        ] {
            assert_eq!(read(&directory("c.lock", entries)), Statement::Foreign, "{entries:?}");
        }
        assert_eq!(read(&file("c.lock", "")), Statement::Foreign);
    }
}
