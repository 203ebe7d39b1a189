//! A process that is in the way, in words.

use std::time::Duration;

use super::words::duration;
use crate::error::Party;
use crate::escape::harmless;

/// A command line longer than this is cut.
pub const LONGEST_COMMAND: usize = 60;

/// Any other text of a process is cut here.
pub const LONGEST_TEXT: usize = 100;

/// How much is said of a process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Facts {
    /// Everything.
    All,
    /// No label, and the age among the rest.
    Compact,
    /// Only its number.
    Bare,
}

/// Returns `python etl.py (pid 4711, user ana) for 3m 12s`, or `python etl.py (pid 4711, user ana,
/// running for 3m 12s)` where the lock may be younger than the process.
pub fn described(party: &Party) -> String {
    let user = party.user.as_ref().map(|user| format!("user {}", text(user)));
    in_words(party, user, LONGEST_COMMAND, Facts::All)
}

/// Returns `process 4711 (python etl.py, user ana, holding for 3m 12s)`, or `running for` where only
/// that is known.
pub fn as_process(party: &Party) -> String {
    let mut facts = vec![command(party, LONGEST_COMMAND)];
    facts.extend(party.user.as_ref().map(|user| format!("user {}", text(user))));
    if matches!(party.process_state, "stopped" | "zombie") {
        facts.push(party.process_state.to_owned());
    }
    facts.extend(party.label.as_ref().map(|label| format!("\"{}\"", text(label))));
    let does = if party.via == "kernel" { "running" } else { "holding" };
    let age = party.for_ms.map(|for_ms| duration(Duration::from_millis(for_ms)));
    facts.extend(age.map(|age| format!("{does} for {age}")));
    format!("process {} ({})", party.child_pid.unwrap_or(party.pid), facts.join(", "))
}

/// Returns `python etl.py (pid 4711, ana) for 3m 12s` with at most so many characters of the
/// command.
pub fn briefly(party: &Party, command: usize) -> String {
    in_words(party, party.user.as_deref().map(text), command, Facts::All)
}

/// Returns `python etl.py (pid 4711, ana, 3m 12s)` with at most so many characters of the
/// command.
pub fn compactly(party: &Party, command: usize) -> String {
    in_words(party, party.user.as_deref().map(text), command, Facts::Compact)
}

/// Returns `python etl.py (pid 4711)` with at most so many characters of the command.
pub fn barely(party: &Party, command: usize) -> String {
    in_words(party, None, command, Facts::Bare)
}

fn text(foreign: &str) -> String {
    harmless(foreign, LONGEST_TEXT)
}

fn in_words(party: &Party, user: Option<String>, longest: usize, say: Facts) -> String {
    let mut facts = Vec::new();
    let pid = party.child_pid.unwrap_or(party.pid);
    if pid != 0 {
        facts.push(format!("pid {pid}"));
    }
    facts.extend(user);
    if let Some(host) = party.host.as_ref().filter(|_| party.process_state == "unknown") {
        facts.push(format!("host {}", text(host)));
    }
    if matches!(party.process_state, "stopped" | "zombie") {
        facts.push(party.process_state.to_owned());
    }
    if let Some(label) = party.label.as_ref().filter(|_| say == Facts::All) {
        facts.push(format!("\"{}\"", text(label)));
    }
    let age = party.for_ms.map(|for_ms| duration(Duration::from_millis(for_ms)));
    let age = match say {
        Facts::All if party.via == "kernel" => {
            // For how long it has a lock that only the kernel knows, nobody can tell.
            facts.extend(age.map(|age| format!("running for {age}")));
            None
        }
        Facts::All => age,
        Facts::Compact => {
            facts.extend(age);
            None
        }
        Facts::Bare => None,
    };
    let mut words = command(party, longest);
    if !facts.is_empty() {
        words.push_str(&format!(" ({})", facts.join(", ")));
    }
    if let Some(age) = age {
        words.push_str(&format!(" for {age}"));
    }
    if let Some(left) = party.expires_in_ms.filter(|_| say == Facts::All) {
        words.push_str(&format!(", ends in {}", duration(Duration::from_millis(left))));
    }
    words
}

/// Returns a command line with the program's name instead of its path.
fn without_directory(words: &[String]) -> String {
    let Some((program, arguments)) = words.split_first() else { return String::new() };
    let name = program
        .rsplit(std::path::is_separator)
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or(program);
    let words = std::iter::once(name).chain(arguments.iter().map(String::as_str));
    words.collect::<Vec<_>>().join(" ")
}

fn command(party: &Party, longest: usize) -> String {
    match &party.command {
        Some(words) => harmless(&without_directory(words), longest),
        None if party.program.is_empty() => "a process that cannot be seen from here".to_owned(),
        None => harmless(&party.program, longest),
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_COMMAND, as_process, briefly, described};
    use crate::error::Party;

    fn ana() -> Party {
        Party {
            pid: 4710,
            child_pid: Some(4711),
            command: Some(vec!["python".into(), "etl.py".into()]),
            user: Some("ana".into()),
            for_ms: Some(192_000),
            process_state: "sleeping",
            ..Party::default()
        }
    }

    #[test]
    fn a_holder_is_named_with_its_command_user_and_age() {
        assert_eq!(described(&ana()), "python etl.py (pid 4711, user ana) for 3m 12s");
    }

    #[test]
    fn a_process_is_told_by_its_number_first() {
        let told = as_process(&ana());
        assert_eq!(told, "process 4711 (python etl.py, user ana, holding for 3m 12s)");
        let told = as_process(&Party { via: "kernel", ..ana() });
        assert_eq!(told, "process 4711 (python etl.py, user ana, running for 3m 12s)");
    }

    #[test]
    fn a_stopped_holder_is_said_to_be_stopped() {
        let party = Party { process_state: "stopped", label: Some("nightly".into()), ..ana() };
        let words = briefly(&party, LONGEST_COMMAND);
        assert_eq!(words, "python etl.py (pid 4711, ana, stopped, \"nightly\") for 3m 12s");
    }

    #[test]
    fn a_long_label_is_cut() {
        let party = Party { label: Some("x".repeat(5_000)), ..ana() };
        assert!(described(&party).len() < 200);
    }

    #[test]
    fn a_hostile_command_line_is_shown_harmless_and_short() {
        let party = Party { command: Some(vec!["\x1b]0;x\x07".repeat(50)]), ..ana() };
        let words = briefly(&party, LONGEST_COMMAND);
        assert!(!words.contains('\x1b') && words.len() < 100, "{words}");
    }
}
