//! How a wait stands, on one line.

use std::path::Path;

use serde::Serialize;

use super::party::{LONGEST_COMMAND, LONGEST_TEXT, barely, briefly, compactly};
use super::words::{duration, shown_path};
use crate::error::Party;
use crate::escape::harmless;
use crate::lock::{Subject, WaitReport};

/// How much the line says.
#[derive(Clone, Copy)]
struct Detail {
    /// The most characters of the holder's command.
    command: usize,
    level: Level,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Everything, in whole words.
    Full,
    /// Who holds it, user and age too, and no more words than that needs.
    Compact,
    /// The holder's command and number only.
    Bare,
}

const EVERYTHING: Detail = Detail { command: LONGEST_COMMAND, level: Level::Full };

/// From saying everything to saying what counts: who, which place, how long yet.
const LESS_AND_LESS: [Detail; 8] = [
    EVERYTHING,
    Detail { command: 30, level: Level::Full },
    Detail { command: LONGEST_COMMAND, level: Level::Compact },
    Detail { command: 30, level: Level::Compact },
    Detail { command: 15, level: Level::Compact },
    Detail { command: 40, level: Level::Bare },
    Detail { command: 20, level: Level::Bare },
    Detail { command: 8, level: Level::Bare },
];

/// Returns `waiting 12s for analytics.db (exclusive): held by python etl.py (pid 4711, ana) for
/// 3m; 2nd in line; gives up in 18s (-w)`.
pub fn waiting_in_words(report: &WaitReport, directory: Option<&Path>) -> String {
    in_words(report, directory, EVERYTHING)
}

/// Returns the same in at most `width` characters, with less detail if it must be.
pub fn waiting_in_width(report: &WaitReport, directory: Option<&Path>, width: usize) -> String {
    let lines = LESS_AND_LESS.map(|detail| in_words(report, directory, detail));
    let fits = |line: &&String| line.chars().count() <= width;
    let line = lines.iter().find(fits).or(lines.last()).map(String::as_str).unwrap_or_default();
    line.chars().take(width).collect()
}

fn in_words(report: &WaitReport, directory: Option<&Path>, detail: Detail) -> String {
    let path = shown_path(&report.path, directory);
    let waited = duration(report.waited);
    let mut text = format!("waiting {waited} for {path}");
    if detail.level == Level::Full {
        text.push_str(&format!(" ({})", report.mode.word()));
    }
    match &report.subject {
        Subject::Native(lock) => {
            text.push_str(&format!(": native lock, {}", harmless(lock, LONGEST_TEXT)));
            if !report.holders.is_empty() {
                text.push_str(&format!(" by {}", holders(&report.holders, detail)));
            }
        }
        Subject::Leftover => text.push_str(": what a dead holder left is still running"),
        Subject::Guard if report.holders.is_empty() => text.push_str(": its turn has not come"),
        Subject::Guard => {
            let verb = if detail.level == Level::Full { "held by " } else { "" };
            text.push_str(&format!(": {verb}{}", holders(&report.holders, detail)));
        }
    }
    if let Some(position) = report.position {
        text.push_str(&format!("; {} in line", ordinal(position)));
    }
    match report.left.map(duration) {
        Some(left) if detail.level == Level::Full => {
            text.push_str(&format!("; gives up in {left} (-w)"))
        }
        Some(left) => text.push_str(&format!("; {left} left")),
        None => {}
    }
    text
}

fn holders(holders: &[Party], detail: Detail) -> String {
    let Some(first) = holders.first() else { return String::new() };
    let first = match detail.level {
        Level::Full => briefly(first, detail.command),
        Level::Compact => compactly(first, detail.command),
        Level::Bare => barely(first, detail.command),
    };
    match holders.len() {
        1 => first,
        2 => format!("{first} and 1 other"),
        count => format!("{first} and {} others", count - 1),
    }
}

fn ordinal(position: usize) -> String {
    match position {
        1 => "next".to_owned(),
        _ => {
            let ending = match (position % 10, position % 100) {
                (_, 11..=13) => "th",
                (1, _) => "st",
                (2, _) => "nd",
                (3, _) => "rd",
                _ => "th",
            };
            format!("{position}{ending}")
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    event: &'static str,
    path: String,
    mode: &'static str,
    subject: &'static str,
    holders: &'a [Party],
    position: Option<usize>,
    waited_ms: u128,
    left_ms: Option<u128>,
}

/// Returns one JSON line, not ended.
pub fn waiting_in_json(report: &WaitReport) -> String {
    let line = Line {
        schema: 1,
        event: "waiting",
        // Lossy: a path that is not UTF-8 has no JSON, and a line less would be worse.
        path: report.path.to_string_lossy().into_owned(),
        mode: report.mode.word(),
        subject: match report.subject {
            Subject::Guard => "guard",
            Subject::Native(_) => "native",
            Subject::Leftover => "leftover",
        },
        holders: &report.holders,
        position: report.position,
        waited_ms: report.waited.as_millis(),
        left_ms: report.left.map(|left| left.as_millis()),
    };
    serde_json::to_string(&line).expect("strings and numbers have JSON")
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use super::{ordinal, waiting_in_json, waiting_in_width, waiting_in_words};
    use crate::error::Party;
    use crate::lock::{Mode, Subject, WaitReport};

    fn report() -> WaitReport {
        WaitReport {
            path: PathBuf::from("/srv/analytics.db"),
            mode: Mode::Exclusive,
            subject: Subject::Guard,
            holders: vec![Party {
                pid: 4711,
                command: Some(vec!["python".into(), "etl.py".into()]),
                user: Some("ana".into()),
                for_ms: Some(180_000),
                process_state: "sleeping",
                ..Party::default()
            }],
            position: Some(2),
            waited: Duration::from_secs(12),
            left: Some(Duration::from_secs(18)),
        }
    }

    #[test]
    fn the_line_names_the_holder_the_place_and_the_end() {
        assert_eq!(
            waiting_in_words(&report(), Some(Path::new("/srv"))),
            "waiting 12s for analytics.db (exclusive): held by python etl.py (pid 4711, ana) \
             for 3m; 2nd in line; gives up in 18s (-w)"
        );
    }

    #[test]
    fn a_narrow_terminal_still_sees_who_and_when() {
        let mut report = report();
        report.holders[0].command = Some(vec!["x".repeat(100)]);
        let line = waiting_in_width(&report, Some(Path::new("/srv")), 79);
        for part in ["pid 4711", "2nd in line", "18s left"] {
            assert!(line.chars().count() <= 79 && line.contains(part), "{line}");
        }
    }

    #[test]
    fn a_native_lock_is_said_to_be_one() {
        let subject = Subject::Native("writing (EXCLUSIVE)".into());
        let words = waiting_in_words(&WaitReport { subject, left: None, ..report() }, None);
        let named = ": native lock, writing (EXCLUSIVE) by python etl.py (pid 4711, ana)";
        assert!(words.contains(named), "{words}");
    }

    /// What a native lock's holder calls itself was printed raw and in full.
    #[test]
    fn the_text_of_a_native_lock_is_harmless_and_short() {
        let subject = Subject::Native("\x1b[2J".repeat(500));
        let words = waiting_in_words(&WaitReport { subject, ..report() }, None);
        assert!(!words.contains('\x1b') && words.len() < 300, "{words}");
    }

    #[test]
    fn eighty_columns_are_enough_for_user_and_age() {
        let report = WaitReport { path: "/srv/a.db".into(), position: Some(1), ..report() };
        assert_eq!(
            waiting_in_width(&report, Some(Path::new("/srv")), 79),
            "waiting 12s for a.db: python etl.py (pid 4711, ana, 3m); next in line; 18s left"
        );
    }

    #[test]
    fn a_path_that_is_not_utf8_still_has_a_line() {
        let path = PathBuf::from(crate::odd_name(b"/srv/\xff.db"));
        let line = waiting_in_json(&WaitReport { path, ..report() });
        assert!(line.contains("/srv/\u{fffd}.db"), "{line}");
    }

    #[test]
    fn places_are_ordinals() {
        let all: Vec<_> = [1, 2, 3, 4, 11, 21, 112].into_iter().map(ordinal).collect();
        assert_eq!(all, ["next", "2nd", "3rd", "4th", "11th", "21st", "112th"]);
    }

    #[test]
    fn the_json_line_is_json() {
        let line: serde_json::Value =
            serde_json::from_str(&waiting_in_json(&report())).expect("valid JSON");
        assert_eq!((&line["event"], &line["position"]), (&"waiting".into(), &2.into()));
    }
}
