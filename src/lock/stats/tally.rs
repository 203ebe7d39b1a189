//! The sum of events; pure.
//!
//! Lines of a log that are not understood count for nothing. A sum is JSON, with the name of the log
//! that was added to it last.

use serde::{Deserialize, Serialize};

use super::event::{Ending, Event, Failure};
use super::times::Times;
use crate::lock::mode::Mode;

/// Failures by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failures {
    /// See [`Failure`].
    pub timeout: u64,
    /// See [`Failure`].
    pub would_block: u64,
    /// See [`Failure`].
    pub deadlock: u64,
    /// See [`Failure`].
    pub interrupted: u64,
    /// See [`Failure`].
    pub native_busy: u64,
    /// See [`Failure`].
    pub lock_lost: u64,
    /// See [`Failure`].
    pub max_hold: u64,
}

impl Failures {
    fn of(&mut self, failure: Failure) -> &mut u64 {
        match failure {
            Failure::Timeout => &mut self.timeout,
            Failure::WouldBlock => &mut self.would_block,
            Failure::Deadlock => &mut self.deadlock,
            Failure::Interrupted => &mut self.interrupted,
            Failure::NativeBusy => &mut self.native_busy,
            Failure::LockLost => &mut self.lock_lost,
            Failure::MaxHold => &mut self.max_hold,
        }
    }

    /// Returns each with its name.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let mut copy = *self;
        Failure::ALL.into_iter().map(move |(failure, word)| (word, *copy.of(failure)))
    }
}

/// Batches of SQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Batches {
    /// How many were run, well or not.
    pub batches: u64,
    /// How often they were tried again.
    pub retries: u64,
    /// Those that ended busy.
    pub busy: u64,
    /// Those that ended in a conflict.
    pub conflict: u64,
    /// Those whose SQL or data was wrong.
    pub sql: u64,
    /// Those that could not read or write.
    pub io: u64,
    /// How long they ran.
    pub run: Times,
}

impl Batches {
    /// Returns how many failed.
    pub fn failed(&self) -> u64 {
        [self.busy, self.conflict, self.sql, self.io].into_iter().fold(0, u64::saturating_add)
    }
}

/// The sum of all events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Locks had in shared mode.
    pub shared: u64,
    /// Locks had exclusively.
    pub exclusive: u64,
    /// Of these, those that were not to be had at once.
    pub contended: u64,
    /// Locks that were not had, or lost.
    pub failures: Failures,
    /// How long locks were waited for.
    pub wait: Times,
    /// How long they were held.
    pub hold: Times,
    /// Holders that died holding.
    pub recovered: u64,
    /// When a lock was given back last, in milliseconds since 1970; 0 for never.
    pub last_ms: u64,
    /// Batches of SQL.
    pub sql: Batches,
}

/// A sum as it is written.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Sum {
    #[serde(flatten)]
    tally: Tally,
    merged: String,
}

impl Tally {
    /// Reads a log.
    pub fn read(log: &[u8]) -> Self {
        let mut tally = Self::default();
        for line in log.split(|byte| *byte == b'\n') {
            if let Some((event, at)) = Event::of_line(line) {
                tally.count(event, at);
            }
        }
        tally
    }

    /// Reads a sum and the name of the log that was added last; nothing if it is none.
    pub fn read_sum(content: &[u8]) -> (Self, String) {
        let sum: Sum = serde_json::from_slice(content).unwrap_or_default();
        match sum.tally.is_sound() {
            true => (sum.tally, sum.merged),
            false => Default::default(),
        }
    }

    /// Whether it can be a sum of events: what is none was written by somebody else.
    fn is_sound(&self) -> bool {
        let had = self.acquisitions();
        let all_times = [(&self.wait, had), (&self.hold, had), (&self.sql.run, self.sql.batches)];
        self.contended <= had
            && self.sql.failed() <= self.sql.batches
            && all_times.into_iter().all(|(times, count)| times.is_sound(count))
    }

    /// Returns the line that [`Tally::read_sum`] reads.
    pub fn line(&self, merged: &str) -> String {
        let sum = Sum { tally: *self, merged: merged.to_owned() };
        serde_json::to_string(&sum).unwrap_or_default() + "\n"
    }

    fn count(&mut self, event: Event, at: u64) {
        match event {
            Event::Held { mode, contended, wait, hold } => {
                let count = match mode {
                    Mode::Shared => &mut self.shared,
                    Mode::Exclusive => &mut self.exclusive,
                };
                *count = count.saturating_add(1);
                self.contended = self.contended.saturating_add(u64::from(contended));
                self.wait.add(wait);
                self.hold.add(hold);
                self.last_ms = self.last_ms.max(at);
            }
            Event::Failed(failure) => {
                let count = self.failures.of(failure);
                *count = count.saturating_add(1);
            }
            Event::Recovered => self.recovered = self.recovered.saturating_add(1),
            Event::Batch { retries, run, ending } => {
                let sql = &mut self.sql;
                sql.batches = sql.batches.saturating_add(1);
                sql.retries = sql.retries.saturating_add(u64::from(retries));
                sql.run.add(run);
                match ending {
                    Ending::Fine => {}
                    Ending::Busy => sql.busy = sql.busy.saturating_add(1),
                    Ending::Conflict => sql.conflict = sql.conflict.saturating_add(1),
                    Ending::Sql => sql.sql = sql.sql.saturating_add(1),
                    Ending::Io => sql.io = sql.io.saturating_add(1),
                }
            }
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in [
            (&mut self.shared, other.shared),
            (&mut self.exclusive, other.exclusive),
            (&mut self.contended, other.contended),
            (&mut self.recovered, other.recovered),
            (&mut self.sql.batches, other.sql.batches),
            (&mut self.sql.retries, other.sql.retries),
            (&mut self.sql.busy, other.sql.busy),
            (&mut self.sql.conflict, other.sql.conflict),
            (&mut self.sql.sql, other.sql.sql),
            (&mut self.sql.io, other.sql.io),
        ] {
            *count = count.saturating_add(more);
        }
        for (failure, _) in Failure::ALL {
            let mut others = other.failures;
            let count = self.failures.of(failure);
            *count = count.saturating_add(*others.of(failure));
        }
        self.wait.merge(&other.wait);
        self.hold.merge(&other.hold);
        self.sql.run.merge(&other.sql.run);
        self.last_ms = self.last_ms.max(other.last_ms);
    }

    /// Returns how many locks were had.
    pub fn acquisitions(&self) -> u64 {
        self.shared.saturating_add(self.exclusive)
    }

    /// Returns how many were not had, or lost.
    pub fn failed(&self) -> u64 {
        self.failures.each().map(|(_, count)| count).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::LONGEST_LINE_BYTES;
    use super::{Ending, Event, Failure, Mode, Tally};
    use proptest::prelude::{any, proptest};
    use std::time::Duration;

    fn held(wait: u64) -> Event {
        let (wait, hold) = (Duration::from_micros(wait), Duration::from_millis(2));
        Event::Held {
            mode: Mode::Exclusive,
            contended: wait > Duration::from_micros(100),
            wait,
            hold,
        }
    }

    fn events() -> Vec<Event> {
        let run = Duration::from_millis(3);
        let mut events: Vec<Event> = (0..100).map(|number| held(number * 10)).collect();
        events.extend(Failure::ALL.map(|(failure, _)| Event::Failed(failure)));
        events.extend(Ending::ALL.map(|(ending, _)| Event::Batch { retries: 2, run, ending }));
        events.push(Event::Recovered);
        events
    }

    #[test]
    fn what_is_written_is_counted_and_folding_changes_nothing() {
        let lines: Vec<String> = events().into_iter().map(|event| event.line(5)).collect();
        let most = Duration::from_micros(u64::MAX);
        let longest = Event::Held { mode: Mode::Shared, contended: true, wait: most, hold: most };
        assert!(longest.line(9_999_999_999_999).len() <= LONGEST_LINE_BYTES + 1);
        let tally = Tally::read(lines.concat().as_bytes());
        assert_eq!((tally.acquisitions(), tally.contended), (100, 89));
        assert_eq!((tally.failed(), tally.recovered), (7, 1));
        assert_eq!((tally.sql.batches, tally.sql.failed(), tally.sql.retries), (5, 4, 10));
        let (first, second) = lines.split_at(40);
        let line = Tally::read(first.concat().as_bytes()).line("stats.fold-1");
        let (mut both, merged) = Tally::read_sum(line.as_bytes());
        assert_eq!(merged, "stats.fold-1");
        both.merge(&Tally::read(second.concat().as_bytes()));
        assert_eq!(both, tally);
    }

    #[test]
    fn percentiles_are_powers_of_two_and_the_longest_is_exact() {
        let lines: String = (1..=1000).map(|number| held(number).line(5)).collect();
        let wait = Tally::read(lines.as_bytes()).wait;
        assert_eq!(wait.percentile(50), Duration::from_micros(511));
        assert_eq!(wait.percentile(99), Duration::from_micros(1000));
        assert_eq!((wait.max, wait.mean()), (1000, Duration::from_micros(500)));
        assert_eq!(Tally::default().wait.percentile(50), Duration::ZERO);
    }

    #[test]
    fn what_is_torn_or_foreign_counts_for_nothing() {
        let line = held(1).line(5);
        for content in
            ["", "= {", "= {\"shared\":-1}", "a x 1 2", "hello\n", &line[..9], "\u{0}\u{0}"]
        {
            assert_eq!(Tally::read(content.as_bytes()).acquisitions(), 0, "{content}");
        }
        let mixed = format!("= nonsense\n{line}garbage\n{line}");
        assert_eq!(Tally::read(mixed.as_bytes()).acquisitions(), 2);
    }

    /// A line that lost its end, wherever, took the next one with it.
    #[test]
    fn a_line_without_its_end_costs_no_other_one() {
        for event in events() {
            let torn = event.line(1_700_000_000_000);
            for length in 0..torn.len() {
                let log = format!("{}{}", &torn[..length], held(1).line(5));
                let tally = Tally::read(log.as_bytes());
                assert_eq!((tally.acquisitions(), tally.last_ms), (1, 5), "{log:?}");
            }
        }
        let zeros = ["\0".repeat(5000), held(1).line(5)].concat();
        assert_eq!(Tally::read(zeros.as_bytes()).acquisitions(), 1);
    }

    /// Counts that no events can have, some so large that their sum overflowed.
    #[test]
    fn a_sum_that_cannot_be_one_counts_for_nothing() {
        let all = |number: u64| format!("{{\"busy\":{number},\"io\":{number},\"sql\":{number}}}");
        for content in [
            "{\"exclusive\":7}".to_owned(),
            "{\"contended\":7}".to_owned(),
            format!("{{\"sql\":{}}}", all(u64::MAX)),
            "{\"wait\":{\"count\":1,\"total\":5,\"max\":5}}".to_owned(),
            "{\"exclusive\":1e400}".to_owned(),
            "{\"exclusive\":NaN}".to_owned(),
            "[".repeat(100_000),
        ] {
            let read = Tally::read_sum(content.as_bytes());
            assert_eq!(read, Default::default(), "{}", &content[..content.len().min(99)]);
        }
    }

    proptest! {
        #[test]
        fn any_content_is_read(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _tally = Tally::read(&content);
            let _sum = Tally::read_sum(&content);
        }
    }
}
