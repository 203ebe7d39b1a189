//! From an owner that a lock file names to a verdict.

use super::Owner;
use crate::platform::Liveness;

/// Where we are.
#[derive(Clone, Debug, Default)]
pub struct Here {
    /// The name of this machine.
    pub host: String,
    /// Its machine id.
    pub machine: Option<String>,
    /// Its boot id.
    pub boot: Option<String>,
    /// Our PID namespace.
    pub namespace: Option<u64>,
    /// Whether processes outside our PID namespace cannot be seen.
    pub confined: bool,
    /// Whether the file may be written by other machines too.
    pub shared: bool,
}

/// What is seen of the process that has the owner's number.
#[derive(Clone, Debug)]
pub struct Presence {
    /// Whether a process of that number runs.
    pub liveness: Liveness,
    /// When it started, in ticks of 10 ms since the boot.
    pub start: Option<u64>,
    /// Its name, its executable, the words of its command line; empty if they cannot be seen.
    pub names: Vec<String>,
    /// Whether a process in another PID namespace has that number there.
    pub elsewhere: bool,
    /// Whether its executable could be read: what it calls itself proves nothing alone.
    pub is_told: bool,
}

/// What can be said of a lock, and why, as a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its owner is provably dead.
    Stale(String),
    /// Its owner lives.
    Live(String),
    /// Neither can be proved.
    Unknown(String),
}

/// Judges an owner by what is seen of its process.
///
/// A boot proves something only together with the machine: a disk shared with another one carries
/// other boots. A process that lives is another one only if its start is on record and differs, or
/// if no program that makes such locks is called like it. Clocks prove nothing: they are set.
pub fn judge(owner: &Owner, here: &Here, seen: &Presence) -> Verdict {
    let pid = owner.pid;
    let differs = |one: &Option<String>, other: &Option<String>| match (one, other) {
        (Some(one), Some(other)) => Some(one != other),
        _ => None,
    };
    let same_boot = differs(&owner.boot, &here.boot) == Some(false);
    let same_machine = same_boot || differs(&owner.machine, &here.machine) == Some(false);
    if !same_machine {
        if differs(&owner.machine, &here.machine) == Some(true) {
            return Verdict::Unknown("it was made on another machine".to_owned());
        }
        if let Some(host) = owner.host.as_ref().filter(|host| **host != here.host) {
            return Verdict::Unknown(format!("it was made on {host}, this is {}", here.host));
        }
        if here.shared {
            return Verdict::Unknown("other machines can write here too".to_owned());
        }
    }
    // Of a machine, a boot can only be told where a name says whose it is.
    let is_here = same_machine || owner.host.is_some();
    if is_here && differs(&owner.boot, &here.boot) == Some(true) {
        return Verdict::Stale("it was made before this machine was started".to_owned());
    }
    // Also where this system has no namespaces, or does not tell its own.
    if owner.namespace.is_some() && owner.namespace != here.namespace {
        return Verdict::Unknown("it was made in another PID namespace".to_owned());
    }
    let same_namespace = owner.namespace.is_some() && owner.namespace == here.namespace;
    if !same_namespace && here.confined {
        let reason = format!("process {pid} may run outside this PID namespace");
        return Verdict::Unknown(reason);
    }
    if !same_namespace && seen.elsewhere {
        let reason = format!("process {pid} of another PID namespace lives");
        return Verdict::Unknown(reason);
    }
    // Start times count from the boot, so that they are compared only within one.
    let starts = owner.start.filter(|_| same_boot).zip(seen.start);
    match (seen.liveness, starts) {
        (Liveness::Gone, _) => Verdict::Stale(format!("process {pid} is dead")),
        (Liveness::Unknown, _) => Verdict::Unknown(format!("process {pid} cannot be seen")),
        (Liveness::Alive, Some((theirs, now))) if theirs != now => {
            Verdict::Stale(format!("process {pid} is dead; its number belongs to another one now"))
        }
        (Liveness::Alive, Some(_)) => Verdict::Live(format!("process {pid} runs")),
        (Liveness::Alive, None) => match other_program(owner, seen) {
            Some(name) => {
                Verdict::Stale(format!("process {pid} is {} now", crate::escape::escaped(name)))
            }
            None if owner.programs.is_empty() => Verdict::Unknown(format!(
                "process {pid} runs, but whether it is the one that made it is not recorded"
            )),
            None => Verdict::Live(format!("process {pid} runs")),
        },
    }
}

/// Returns what the process is called if it cannot be one of the owner's programs.
fn other_program<'a>(owner: &Owner, seen: &'a Presence) -> Option<&'a str> {
    let name = seen.names.first().filter(|_| seen.is_told && !owner.programs.is_empty())?;
    let is_it = seen.names.iter().any(|name| owner.programs.iter().any(|one| resembles(name, one)));
    (!is_it).then_some(name)
}

/// Whether one name is part of the other, whatever their letters' cases and what stands between:
/// `Telegram Desktop` is `telegram-desktop`.
fn resembles(one: &str, other: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars()
            .filter(|letter| letter.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let (one, other) = (plain(one), plain(other));
    // What has no letters left resembles everything.
    one.contains(&other) || other.contains(&one)
}

#[cfg(test)]
mod tests {
    use super::super::Owner;
    use super::{Here, Presence, Verdict, judge};
    use crate::platform::Liveness;

    fn here() -> Here {
        Here {
            host: "attic".into(),
            machine: Some("m1".into()),
            boot: Some("b1".into()),
            namespace: Some(1),
            confined: false,
            shared: false,
        }
    }

    fn owner() -> Owner {
        Owner { pid: 4711, host: Some("attic".into()), ..Owner::default() }
    }

    fn seen(liveness: Liveness) -> Presence {
        let names = vec!["python3".to_owned(), "/usr/bin/python3.11".into(), "etl.py".into()];
        Presence { liveness, start: Some(77), names, elsewhere: false, is_told: true }
    }

    fn verdict(owner: &Owner, here: &Here, presence: &Presence) -> &'static str {
        match judge(owner, here, presence) {
            Verdict::Stale(_) => "stale",
            Verdict::Live(_) => "live",
            Verdict::Unknown(_) => "unknown",
        }
    }

    #[test]
    fn a_dead_process_of_this_machine_is_a_proof_and_nothing_less_is() {
        let gone = seen(Liveness::Gone);
        assert_eq!(verdict(&owner(), &here(), &gone), "stale");
        assert_eq!(verdict(&Owner { host: None, ..owner() }, &here(), &gone), "stale");
        let elsewhere = Presence { elsewhere: true, ..gone.clone() };
        assert_eq!(verdict(&owner(), &here(), &elsewhere), "unknown");
        for liveness in [Liveness::Alive, Liveness::Unknown] {
            assert_eq!(verdict(&owner(), &here(), &seen(liveness)), "unknown", "{liveness:?}");
        }
        for other in [
            Owner { host: Some("cellar".into()), ..owner() },
            Owner { machine: Some("m2".into()), ..owner() },
            Owner { namespace: Some(2), ..owner() },
        ] {
            assert_eq!(verdict(&other, &here(), &gone), "unknown", "{other:?}");
        }
        let space = Owner { namespace: Some(1), ..owner() };
        assert_eq!(verdict(&space, &Here { namespace: None, ..here() }, &gone), "unknown");
        for other in [Here { confined: true, ..here() }, Here { shared: true, ..here() }] {
            assert_eq!(verdict(&owner(), &other, &gone), "unknown", "{other:?}");
        }
        let namespace = Owner { namespace: Some(1), ..owner() };
        let confined = Here { confined: true, ..here() };
        assert_eq!(verdict(&namespace, &confined, &elsewhere), "stale");
        let shared = Here { shared: true, ..here() };
        let machine = Owner { machine: Some("m1".into()), ..owner() };
        assert_eq!(verdict(&machine, &shared, &gone), "stale", "the same disk, the same machine");
    }

    #[test]
    fn another_boot_is_a_proof_only_of_this_machine() {
        let alive = seen(Liveness::Alive);
        let before = Owner { boot: Some("b0".into()), ..owner() };
        assert_eq!(verdict(&before, &here(), &alive), "stale");
        assert_eq!(verdict(&Owner { host: None, ..before.clone() }, &here(), &alive), "unknown");
        let shared = Here { shared: true, ..here() };
        assert_eq!(verdict(&before, &shared, &alive), "unknown");
        let unknown = Here { boot: None, ..here() };
        assert_eq!(verdict(&before, &unknown, &alive), "unknown");
    }

    #[test]
    fn a_number_that_was_given_again_is_told_by_the_start_and_only_within_a_boot() {
        let alive = seen(Liveness::Alive);
        let same = Owner { boot: Some("b1".into()), start: Some(77), ..owner() };
        assert_eq!(verdict(&same, &here(), &alive), "live");
        let other = Owner { start: Some(76), ..same.clone() };
        assert_eq!(verdict(&other, &here(), &alive), "stale");
        assert_eq!(verdict(&Owner { boot: None, ..other.clone() }, &here(), &alive), "unknown");
        let hidden = Presence { start: None, ..alive };
        assert_eq!(verdict(&other, &here(), &hidden), "unknown");
    }

    #[test]
    fn a_process_is_another_program_only_if_nothing_of_its_names_fits() {
        let alive = seen(Liveness::Alive);
        let by = |program: &str| Owner { programs: vec![program.into()], ..owner() };
        assert_eq!(verdict(&by("emacs"), &here(), &alive), "stale");
        for program in ["python", "Python 3", "ETL", "/usr/bin/python3.11-config"] {
            assert_eq!(verdict(&by(program), &here(), &alive), "live", "{program}");
        }
        let hidden = Presence { names: Vec::new(), ..alive };
        assert_eq!(verdict(&by("emacs"), &here(), &hidden), "live");
        let half_hidden = Presence { is_told: false, ..seen(Liveness::Alive) };
        assert_eq!(verdict(&by("emacs"), &here(), &half_hidden), "live");
    }
}
