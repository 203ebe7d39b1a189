//! Finds the database in an error message.
//!
//! What the engines say, and where the file stands in it:
//!
//! ```text
//! IO Error: Could not set lock on file "/srv/a.duckdb": Conflicting lock is held in ... (PID 4711)
//! IO error: lock /srv/level/LOCK: Resource temporarily unavailable
//! IO error: While lock file: /srv/rocks/LOCK: Resource temporarily unavailable
//! Error: unable to open database file "/srv/a.db"
//! ```
//!
//! SQLite's `database is locked` and bbolt's `timeout` name no file; then nothing is found.

use std::path::{Path, PathBuf};

/// What a message tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The file that it names.
    pub file: Option<PathBuf>,
    /// The process that it names; 0 and -1 are none.
    pub pid: Option<u32>,
    /// Whether it is one of a locked database at all.
    pub is_known: bool,
}

/// More files than this are not looked for.
const MOST_FILES: usize = 100;

/// Phrases of the engines after which the file follows.
///
/// Python's `unable to open database file` names none, and is no `unable to open database "..."`.
const BEFORE_FILE: [&str; 7] = [
    "Could not set lock on file ",
    "While lock file: ",
    "IO error: lock ",
    "unable to open database file \"",
    "unable to open database \"",
    "Cannot open file ",
    "Failed to open database ",
];

/// Phrases that are about a locked database and name no file.
const WITHOUT_FILE: [&str; 7] = [
    "unable to open database file",
    "database is locked",
    "database table is locked",
    "Resource temporarily unavailable",
    "Database already open. Cannot acquire lock",
    "MDB_READERS_FULL",
    "Conflicting lock is held",
];

/// Reads a message. Never fails; what is not understood tells nothing.
///
/// A traceback quotes the lines of the program before it says what happened, so the last file is
/// the one that is meant, of those that exist if there is one.
pub fn read(text: &str, exists: impl Fn(&Path) -> bool) -> Message {
    let files: Vec<PathBuf> = text.lines().rev().filter_map(file_in).take(MOST_FILES).collect();
    let file = files.iter().find(|file| exists(file)).or(files.first()).cloned();
    let is_known = file.is_some() || WITHOUT_FILE.iter().any(|phrase| text.contains(phrase));
    Message { file, pid: pid_in(text), is_known }
}

fn file_in(line: &str) -> Option<PathBuf> {
    let rest = BEFORE_FILE.iter().find_map(|phrase| {
        // The quote belongs to what follows.
        let end = line.find(phrase)? + phrase.trim_end_matches('"').len();
        line.get(end..)
    })?;
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''));
    let name = match quote {
        // The name may have quotes of its own, so those before a colon count more.
        Some(quote) => {
            let quoted = &rest[1..];
            let end = quoted.find(&format!("{quote}: ")).or_else(|| quoted.rfind(quote));
            &quoted[..end.unwrap_or(quoted.len())]
        }
        None => match rest.split_once("/LOCK:") {
            Some((directory, _)) => directory,
            None => rest.split(": ").next()?.trim_end_matches([':', '.']),
        },
    };
    // RocksDB's message for one process that opens twice has the time before the file.
    let name = match rest.starts_with("hold by current process") {
        true => name.rsplit_once(": ")?.1,
        false => name,
    };
    let name = name.trim();
    // A file `LOCK` stands for its directory.
    let name = name.strip_suffix("/LOCK").unwrap_or(name);
    (!name.is_empty()).then(|| PathBuf::from(name))
}

fn pid_in(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("PID ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|pid| *pid != 0)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use proptest::prelude::proptest;

    use super::{Message, read};

    fn of(text: &str) -> (Option<PathBuf>, Option<u32>) {
        let Message { file, pid, .. } = read(text, |_| false);
        (file, pid)
    }

    #[test]
    fn the_file_and_the_process_are_found_in_what_engines_say() {
        let duckdb = "Traceback ...\n_duckdb.IOException: IO Error: Could not set lock on file \
                      \"/srv/a b.duckdb\": Conflicting lock is held in /usr/bin/python3.11 (PID \
                      4711) by user ana. See also https://duckdb.org/docs/connect/concurrency";
        assert_eq!(of(duckdb), (Some("/srv/a b.duckdb".into()), Some(4711)));
        let zero = "Could not set lock on file \"x.duckdb\": Conflicting lock is held in PID 0";
        assert_eq!(of(zero), (Some("x.duckdb".into()), None));
        let level = "IO error: lock /srv/level/LOCK: Resource temporarily unavailable";
        assert_eq!(of(level), (Some("/srv/level".into()), None));
        let twice = "IO error: lock hold by current process, acquire time 1755600000 acquiring \
                     thread 139: /srv/r s/LOCK: No locks available";
        assert_eq!(of(twice), (Some("/srv/r s".into()), None));
        let own =
            "IO Error: Could not set lock on file \"/srv/it's \"a\".duckdb\": Conflicting lock";
        assert_eq!(of(own), (Some("/srv/it's \"a\".duckdb".into()), None));
        let shell = "Error: unable to open database \"a.db\": unable to open database file";
        assert_eq!(of(shell), (Some("a.db".into()), None));
        let rocks = "IO error: While lock file: /srv/r/LOCK: Resource temporarily unavailable";
        assert_eq!(of(rocks), (Some("/srv/r".into()), None));
    }

    #[test]
    fn a_message_without_a_file_is_known_for_what_it_is() {
        for text in ["database is locked", "unable to open database file"] {
            let said = read(&format!("sqlite3.OperationalError: {text}"), |_| true);
            assert_eq!((said.file, said.is_known), (None, true), "{text}");
        }
        assert_eq!(read("No such file or directory", |_| true), Message::default());
    }

    #[test]
    fn a_line_of_the_program_in_a_traceback_is_not_what_happened() {
        let text = "Traceback (most recent call last):\n\
                    log.error(\"Could not set lock on file %s\", path)\n\
                    IO Error: Could not set lock on file \"b.duckdb\": Conflicting lock\n";
        assert_eq!(of(text).0, Some("b.duckdb".into()));
        let two = "Could not set lock on file \"a\": x\nCould not set lock on file \"b\": x\n";
        let read = |exists: fn(&Path) -> bool| super::read(two, exists).file;
        assert_eq!(read(|_| true), Some("b".into()));
        assert_eq!(read(|file| file == Path::new("a")), Some("a".into()));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String) {
            let _message = read(&text, |_| false);
        }
    }
}
