//! A process that is in the way, in words.

use std::time::Duration;

use super::escape::escaped;
use super::words::duration;
use crate::error::Party;

/// A command line longer than this is cut.
const LONGEST_COMMAND: usize = 60;

/// Returns `python etl.py (pid 4711, user ana) for 3m 12s`; with `brief` the word "user" is
/// left out.
pub fn described(party: &Party, brief: bool) -> String {
    let mut facts = Vec::new();
    let pid = party.child_pid.unwrap_or(party.pid);
    if pid != 0 {
        facts.push(format!("pid {pid}"));
    }
    if let Some(user) = &party.user {
        facts.push(if brief { escaped(user) } else { format!("user {}", escaped(user)) });
    }
    if let Some(host) = party.host.as_ref().filter(|_| party.process_state == "unknown") {
        facts.push(format!("host {}", escaped(host)));
    }
    if matches!(party.process_state, "stopped" | "zombie") {
        facts.push(party.process_state.to_owned());
    }
    if let Some(label) = &party.label {
        facts.push(format!("\"{}\"", escaped(label)));
    }
    let mut text = command(party);
    if !facts.is_empty() {
        text.push_str(&format!(" ({})", facts.join(", ")));
    }
    if let Some(for_ms) = party.for_ms {
        text.push_str(&format!(" for {}", duration(Duration::from_millis(for_ms))));
    }
    text
}

fn command(party: &Party) -> String {
    let words = match &party.command {
        Some(words) => escaped(&words.join(" ")),
        None if party.program.is_empty() => "a process that cannot be seen from here".to_owned(),
        None => escaped(&party.program),
    };
    if words.chars().count() <= LONGEST_COMMAND {
        return words;
    }
    words.chars().take(LONGEST_COMMAND - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::described;
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
        assert_eq!(described(&ana(), false), "python etl.py (pid 4711, user ana) for 3m 12s");
    }

    #[test]
    fn a_stopped_holder_is_said_to_be_stopped() {
        let party = Party { process_state: "stopped", label: Some("nightly".into()), ..ana() };
        let words = described(&party, true);
        assert_eq!(words, "python etl.py (pid 4711, ana, stopped, \"nightly\") for 3m 12s");
    }

    #[test]
    fn a_hostile_command_line_is_shown_harmless_and_short() {
        let party = Party { command: Some(vec!["\x1b]0;x\x07".repeat(50)]), ..ana() };
        let words = described(&party, true);
        assert!(!words.contains('\x1b') && words.len() < 100, "{words}");
    }
}
