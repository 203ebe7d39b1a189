//! The one line that answers the question.

use super::seen::{NativeLock, NativeState, Seen};
use crate::error::Party;
use crate::escape::{escaped, harmless};
use crate::native::decode::Blocks;
use crate::report;

/// How long the line is, as far as its words allow.
const WIDTH: usize = 80;

/// As long as a command line is shown at most.
const LONGEST_COMMAND: usize = 60;

/// A command is not cut to fewer characters than this.
const SHORTEST_COMMAND: usize = 24;

/// How a database stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody is in anybody's way.
    Free,
    /// Nobody else gets in.
    Busy,
    /// Readers get in, writers do not.
    Readable,
    /// Whoever is in the way will not go by itself.
    Stuck,
    /// It could not be seen.
    Unknown,
}

impl State {
    /// Returns the word that the line begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Busy => "busy",
            Self::Readable => "readable, not writable",
            Self::Stuck => "stuck",
            Self::Unknown => "unknown",
        }
    }
}

/// Returns how it stands.
pub fn state(seen: &Seen) -> State {
    let is_stuck =
        seen.guard.holders.iter().any(is_halted) || blockers(seen).any(|lock| is_halted(&lock.who));
    match seen.blocks {
        _ if is_stuck => State::Stuck,
        Blocks::All => State::Busy,
        _ if seen.native.state == NativeState::Unknown => State::Unknown,
        _ if seen.guard.error.is_some() => State::Unknown,
        Blocks::Writers => State::Readable,
        Blocks::None => State::Free,
    }
}

/// Returns the line, without a newline.
pub fn headline(seen: &Seen) -> String {
    let state = state(seen);
    let rest = match state {
        State::Free => return state.word().to_owned(),
        State::Busy | State::Readable => {
            let room = WIDTH - state.word().len() - 2;
            who(seen).map_or_else(|| "nobody can be named".to_owned(), |who| who.within(room))
        }
        State::Stuck => {
            let end = ", and does nothing until it is woken";
            let room = WIDTH - state.word().len() - 2;
            halted(seen).map_or_else(String::new, |who| who.within(room)) + end
        }
        State::Unknown => {
            let why = seen.native.error.as_deref().or(seen.guard.error.as_deref());
            why.unwrap_or("the locks on it cannot be seen").to_owned()
        }
    };
    format!("{}: {rest}", state.word())
}

/// Returns the locks that keep anybody out.
pub(super) fn blockers(seen: &Seen) -> impl Iterator<Item = &NativeLock> {
    seen.native.locks.iter().filter(|lock| lock.blocks > Blocks::None)
}

/// Whether a process does nothing until somebody else does something.
pub(super) fn is_halted(party: &Party) -> bool {
    matches!(party.process_state, "stopped" | "traced")
}

/// A process and what it does.
struct Culprit<'a> {
    party: &'a Party,
    does: String,
}

impl Culprit<'_> {
    /// Returns it in so many characters, if cutting the command line is enough for that.
    fn within(&self, room: usize) -> String {
        let whole = report::described(self.party) + &self.does;
        let excess = escaped(&whole).chars().count().saturating_sub(room);
        let Some([program, arguments @ ..]) = self.party.command.as_deref() else { return whole };
        let name = program.rsplit(std::path::is_separator).next().unwrap_or(program).to_owned();
        let arguments = escaped(&arguments.join(" "));
        let shown = LONGEST_COMMAND.min(name.chars().count() + 1 + arguments.chars().count());
        if excess == 0 || arguments.is_empty() {
            return whole;
        }
        let most = shown.saturating_sub(excess).max(SHORTEST_COMMAND);
        let arguments = harmless(&arguments, most.saturating_sub(name.chars().count() + 1));
        let party = Party { command: Some(vec![name, arguments]), ..self.party.clone() };
        report::described(&party) + &self.does
    }
}

fn who(seen: &Seen) -> Option<Culprit<'_>> {
    let holders = &seen.guard.holders;
    let exclusive = holders.iter().find(|party| party.mode == "exclusive");
    let native = blockers(seen).max_by_key(|lock| lock.blocks);
    // The reader of one kind is not to blame for what the writer of the other does.
    let is_engine = |lock: &&NativeLock| lock.blocks == Blocks::All || holders.is_empty();
    match (exclusive, native.filter(is_engine), holders.first()) {
        (Some(holder), _, _) | (None, None, Some(holder)) => Some(in_guard(holder)),
        (None, Some(lock), _) => Some(in_engine(lock)),
        (None, None, None) => None,
    }
}

fn halted(seen: &Seen) -> Option<Culprit<'_>> {
    let holder = seen.guard.holders.iter().find(|party| is_halted(party)).map(in_guard);
    holder.or_else(|| blockers(seen).find(|lock| is_halted(&lock.who)).map(in_engine))
}

fn in_guard(holder: &Party) -> Culprit<'_> {
    Culprit { party: holder, does: format!(", {}", holder.mode) }
}

fn in_engine(lock: &NativeLock) -> Culprit<'_> {
    Culprit { party: &lock.who, does: format!(" {}", lock.meaning) }
}

#[cfg(test)]
mod tests {
    use super::super::seen::{Guard, Native, NativeLock, NativeState, Seen};
    use super::{State, headline, state};
    use crate::error::Party;
    use crate::native::decode::Blocks;

    fn python(process_state: &'static str) -> Party {
        Party {
            pid: 4711,
            command: Some(vec!["python".into(), "etl.py".into()]),
            user: Some("ana".into()),
            mode: "exclusive",
            for_ms: Some(192_000),
            process_state,
            ..Party::default()
        }
    }

    fn native(blocks: Blocks, process_state: &'static str) -> Seen {
        let meaning = "has a write transaction open (RESERVED)";
        let lock = NativeLock { who: python(process_state), meaning, blocks, ..Default::default() };
        let native = Native { state: NativeState::Held, locks: vec![lock], error: None };
        Seen { native, blocks, ..Seen::default() }
    }

    #[test]
    fn the_first_line_is_one_of_five() {
        assert_eq!(headline(&Seen::default()), "free");
        let guard = Guard { holders: vec![python("sleeping")], ..Guard::default() };
        let held = Seen { guard, blocks: Blocks::All, ..Seen::default() };
        assert_eq!(
            headline(&held),
            "busy: python etl.py (pid 4711, user ana) for 3m 12s, exclusive"
        );
        assert!(
            headline(&native(Blocks::Writers, "sleeping"))
                .starts_with("readable, not writable: python")
        );
        assert!(headline(&native(Blocks::All, "stopped")).starts_with("stuck: python"));
        let native = Native { state: NativeState::Unknown, ..Native::default() };
        let unknown = Seen { native: native.clone(), ..Seen::default() };
        assert_eq!(
            (state(&unknown), headline(&unknown).starts_with("unknown: ")),
            (State::Unknown, true)
        );
        let error = Some("it may not be read".to_owned());
        let closed = Seen { native: Native { error, ..native }, ..Seen::default() };
        assert_eq!(headline(&closed), "unknown: it may not be read");
    }

    #[test]
    fn a_reader_with_the_guard_is_not_to_blame_for_a_writer_without_it() {
        let reader = Party { mode: "shared", ..python("sleeping") };
        let guard = Guard { mode: Some("shared"), holders: vec![reader], ..Guard::default() };
        let both = Seen { guard: guard.clone(), ..native(Blocks::All, "sleeping") };
        assert!(headline(&both).ends_with("(RESERVED)"), "{}", headline(&both));
        let readers = Seen { guard, ..native(Blocks::Writers, "sleeping") };
        assert!(headline(&readers).ends_with(", shared"), "{}", headline(&readers));
    }

    #[test]
    fn a_long_command_is_cut_to_fit_the_line() {
        let command = vec!["/usr/bin/python".to_owned(), "x y ".repeat(50)];
        let holder = Party { command: Some(command), ..python("sleeping") };
        let guard = Guard { holders: vec![holder], ..Guard::default() };
        let line = headline(&Seen { guard, blocks: Blocks::All, ..Seen::default() });
        assert_eq!(line.chars().count(), 80, "{line}");
        assert!(line.starts_with("busy: python x y"), "{line}");
    }

    #[test]
    fn a_stopped_process_that_blocks_nobody_is_nothing_to_worry_about() {
        let idle = native(Blocks::None, "stopped");
        assert_eq!(headline(&idle), "free");
    }
}
