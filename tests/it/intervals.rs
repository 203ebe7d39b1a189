//! Hold intervals, their log, and the checker that finds two that must not overlap.
//!
//! An interval begins with a clock reading taken after the lock was granted and ends with one
//! taken before it is given back, so it is never longer than the hold: an overlap that is found
//! is real. Who is killed inside has held at least until its last beat; nothing is assumed
//! beyond that.

use std::collections::BTreeMap;
use std::fmt;

/// How the lock was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// With `-s`.
    Shared,
    /// With `-x`.
    Exclusive,
}

impl Mode {
    /// Returns the letter that claims and options use.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Shared => "s",
            Self::Exclusive => "x",
        }
    }
}

/// One hold, from its start to the last moment it is known to have lasted.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Unique in the log.
    pub id: String,
    /// The database.
    pub resource: String,
    /// The mode.
    pub mode: Mode,
    /// The key, `-` for the whole database.
    pub key: String,
    /// The first reading, in nanoseconds of the monotonic clock.
    pub start: u64,
    /// The last reading.
    pub end: u64,
}

impl fmt::Display for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, resource, mode, key, start, end } = self;
        write!(formatter, "{id} {resource} {} key {key} {start}..{end}", mode.letter())
    }
}

/// Returns one line of the log. All of a resource are of one length: Wine writes two that are
/// appended at once over each other, and no part of one must be left.
pub fn line(id: &str, now: u64, resource: &str, mode: &str, key: &str) -> String {
    format!("{id:<32} {now:020} {resource} {mode} {key}\n")
}

/// Reads a log; every line widens the interval of its id.
///
/// # Panics
/// On a line that no actor writes: a log that cannot be read proves nothing.
pub fn parse(log: &str) -> Vec<Interval> {
    let mut intervals = BTreeMap::<String, Interval>::new();
    for line in log.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, now, resource, mode, key] = words[..] else {
            panic!("bad line in the log: `{line}`");
        };
        let now: u64 = now.parse().expect("a time in nanoseconds");
        let mode = if mode == "s" { Mode::Shared } else { Mode::Exclusive };
        let interval = intervals.entry(id.to_owned()).or_insert_with(|| Interval {
            id: id.to_owned(),
            resource: resource.to_owned(),
            mode,
            key: key.to_owned(),
            start: now,
            end: now,
        });
        interval.start = interval.start.min(now);
        interval.end = interval.end.max(now);
    }
    intervals.into_values().collect()
}

/// Tells whether two holds exclude each other.
///
/// A key takes the database's lock shared and its own in the asked mode. So it conflicts with
/// whoever holds the whole database exclusively, and with conflicting holders of the same key.
pub fn conflict(one: &Interval, other: &Interval) -> bool {
    let exclusive = |interval: &Interval| interval.mode == Mode::Exclusive;
    if one.resource != other.resource {
        return false;
    }
    match (one.key.as_str(), other.key.as_str()) {
        (a, b) if a == b => exclusive(one) || exclusive(other),
        ("-", _) => exclusive(one),
        (_, "-") => exclusive(other),
        _ => false,
    }
}

/// Returns every pair of conflicting holds that overlap.
pub fn overlaps(intervals: &[Interval]) -> Vec<(Interval, Interval)> {
    let mut sorted: Vec<&Interval> = intervals.iter().collect();
    sorted.sort_by_key(|interval| interval.start);
    let mut found = Vec::new();
    let mut open: Vec<&Interval> = Vec::new();
    for next in sorted {
        open.retain(|earlier| earlier.end > next.start);
        let clashes = open.iter().filter(|earlier| conflict(earlier, next));
        found.extend(clashes.map(|earlier| ((*earlier).clone(), next.clone())));
        open.push(next);
    }
    found
}

/// Demands that nothing in the log overlaps, and returns the number of holds.
#[track_caller]
pub fn assert_exclusive(log: &str) -> usize {
    let intervals = parse(log);
    let found = overlaps(&intervals);
    let shown: Vec<String> =
        found.iter().take(20).map(|(one, other)| format!("{one}\n  and {other}")).collect();
    assert!(found.is_empty(), "{} overlaps, such as\n{}", found.len(), shown.join("\n"));
    intervals.len()
}

#[cfg(test)]
mod tests {
    use super::{assert_exclusive, line, overlaps, parse};

    /// Returns the log of two holds: mode, key, start, end.
    fn log(one: (&str, &str, u64, u64), other: (&str, &str, u64, u64)) -> String {
        let mut log = String::new();
        for (id, (mode, key, start, end)) in [("1", one), ("2", other)] {
            log += &line(id, start, "a.db", mode, key);
            log += &line(id, end, "a.db", mode, key);
        }
        log
    }

    #[test]
    fn a_hand_made_overlap_is_found_whatever_the_order_in_the_log() {
        for (one, other) in [((10, 20), (15, 25)), ((15, 25), (10, 20)), ((10, 30), (15, 20))] {
            let text = log(("x", "-", one.0, one.1), ("x", "-", other.0, other.1));
            assert_eq!(overlaps(&parse(&text)).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_hold_known_by_its_start_only_counts_inside_another() {
        let text = log(("x", "-", 10, 30), ("s", "-", 20, 20));
        assert_eq!(overlaps(&parse(&text)).len(), 1);
    }

    #[test]
    fn one_after_the_other_is_no_overlap() {
        assert_eq!(assert_exclusive(&log(("x", "-", 10, 20), ("x", "-", 20, 30))), 2);
    }

    #[test]
    fn three_that_overlap_are_three_pairs() {
        let mut text = log(("x", "-", 10, 20), ("x", "-", 11, 21));
        text += &line("3", 12, "a.db", "x", "-");
        assert_eq!(overlaps(&parse(&text)).len(), 3);
    }

    #[test]
    fn keys_conflict_with_the_same_key_and_with_an_exclusive_whole() {
        let table = [
            (("s", "-"), ("s", "-"), false),
            (("s", "-"), ("x", "-"), true),
            (("x", "a"), ("x", "b"), false),
            (("x", "a"), ("x", "a"), true),
            (("s", "a"), ("x", "a"), true),
            (("s", "a"), ("s", "a"), false),
            (("x", "a"), ("s", "-"), false),
            (("s", "a"), ("x", "-"), true),
            (("x", "-"), ("x", "a"), true),
        ];
        for (one, other, clash) in table {
            let text = log((one.0, one.1, 10, 30), (other.0, other.1, 20, 40));
            assert_eq!(overlaps(&parse(&text)).len(), usize::from(clash), "{text}");
        }
    }

    #[test]
    fn two_databases_do_not_conflict() {
        let text = line("1", 10, "a.db", "x", "-")
            + &line("1", 30, "a.db", "x", "-")
            + &line("2", 20, "b.db", "x", "-");
        assert!(overlaps(&parse(&text)).is_empty());
    }
}
