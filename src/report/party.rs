//! A process that is in the way, in words.

use std::time::Duration;

use super::words::duration;
use crate::error::Party;
use crate::escape::escaped;

/// A command line longer than this is cut.
pub const LONGEST_COMMAND: usize = 60;

/// Returns `python etl.py (pid 4711, user ana) for 3m 12s`.
pub fn described(party: &Party) -> String {
    let user = party.user.as_ref().map(|user| format!("user {}", escaped(user)));
    in_words(party, user, LONGEST_COMMAND)
}

/// Returns `python etl.py (pid 4711, ana) for 3m 12s` with at most so many characters of the
/// command.
pub fn briefly(party: &Party, command: usize) -> String {
    in_words(party, party.user.as_deref().map(escaped), command)
}

/// Returns `python etl.py (pid 4711)` with at most so many characters of the command.
pub fn barely(party: &Party, command: usize) -> String {
    let bare = Party { label: None, for_ms: None, ..party.clone() };
    in_words(&bare, None, command)
}

fn in_words(party: &Party, user: Option<String>, longest: usize) -> String {
    let mut facts = Vec::new();
    let pid = party.child_pid.unwrap_or(party.pid);
    if pid != 0 {
        facts.push(format!("pid {pid}"));
    }
    facts.extend(user);
    if let Some(host) = party.host.as_ref().filter(|_| party.process_state == "unknown") {
        facts.push(format!("host {}", escaped(host)));
    }
    if matches!(party.process_state, "stopped" | "zombie") {
        facts.push(party.process_state.to_owned());
    }
    if let Some(label) = &party.label {
        facts.push(format!("\"{}\"", escaped(label)));
    }
    let mut text = command(party, longest);
    if !facts.is_empty() {
        text.push_str(&format!(" ({})", facts.join(", ")));
    }
    if let Some(for_ms) = party.for_ms {
        text.push_str(&format!(" for {}", duration(Duration::from_millis(for_ms))));
    }
    text
}

/// Returns a command line with the program's name instead of its path.
fn without_directory(words: &[String]) -> String {
    let Some((program, arguments)) = words.split_first() else { return String::new() };
    let name = program.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(program);
    let words = std::iter::once(name).chain(arguments.iter().map(String::as_str));
    words.collect::<Vec<_>>().join(" ")
}

fn command(party: &Party, longest: usize) -> String {
    let words = match &party.command {
        Some(words) => escaped(&without_directory(words)),
        None if party.program.is_empty() => "a process that cannot be seen from here".to_owned(),
        None => escaped(&party.program),
    };
    if words.chars().count() <= longest {
        return words;
    }
    words.chars().take(longest - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_COMMAND, briefly, described};
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
    fn a_stopped_holder_is_said_to_be_stopped() {
        let party = Party { process_state: "stopped", label: Some("nightly".into()), ..ana() };
        let words = briefly(&party, LONGEST_COMMAND);
        assert_eq!(words, "python etl.py (pid 4711, ana, stopped, \"nightly\") for 3m 12s");
    }

    #[test]
    fn a_hostile_command_line_is_shown_harmless_and_short() {
        let party = Party { command: Some(vec!["\x1b]0;x\x07".repeat(50)]), ..ana() };
        let words = briefly(&party, LONGEST_COMMAND);
        assert!(!words.contains('\x1b') && words.len() < 100, "{words}");
    }
}
