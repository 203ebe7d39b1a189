//! From an error of a batch to what the user is told.

use std::path::Path;

use super::Sql;
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::platform::signals::{Origin, SIGINT};
use crate::sql::{Batch, SqlError, Trouble};

/// The most of a line of SQL that is shown.
const LONGEST_LINE: usize = 100;

/// What the dot commands of the shells are in SQL or here.
const DOT_COMMANDS: &[(&str, &str)] = &[
    ("tables", "select name from sqlite_schema where type = 'table'; in DuckDB: show tables"),
    ("schema", "select sql from sqlite_schema; in DuckDB: select sql from duckdb_tables()"),
    ("indexes", "select name from sqlite_schema where type = 'index'"),
    ("indices", "select name from sqlite_schema where type = 'index'"),
    ("databases", "pragma database_list"),
    ("read", "dbguard sql -f PATH FILE"),
    ("mode", "the option --format"),
    ("headers", "the option --no-header"),
    ("header", "the option --no-header"),
    ("nullvalue", "the option --null TEXT"),
    ("output", "the option --output PATH"),
    ("once", "the option --output PATH"),
    ("param", "the option -p NAME=VALUE"),
    ("parameter", "the option -p NAME=VALUE"),
    ("timeout", "the option -w DURATION"),
];

/// Returns what to tell of an error, other than being busy.
pub(super) fn failure(error: SqlError, batch: &Batch<'_>, path: &Path, sql: &Sql<'_>) -> Failure {
    let outcome = match error.trouble {
        Trouble::Busy => Outcome::WouldBlock,
        // The engine itself said so of a batch that reads.
        Trouble::NeedsWrite
            if error.code.is_some_and(|code| code.starts_with("SQLITE_READONLY_")) =>
        {
            return recovers_shared(error, path, sql);
        }
        Trouble::NeedsWrite => return writes_shared(),
        Trouble::Interrupted => return interrupted(path, sql),
        Trouble::Statement => {
            if let Some(failure) = dot_command(batch.sql) {
                return failure;
            }
            Outcome::SqlError
        }
        Trouble::Usage => Outcome::Usage,
        Trouble::NotADatabase => Outcome::BadDatabase,
        Trouble::Permission => Outcome::Permission,
        Trouble::Io | Trouble::Output => Outcome::IoError,
        Trouble::Exhausted => Outcome::OsError,
        Trouble::ConditionFalse => Outcome::Negative,
    };
    let file = sql.shown(path);
    let message = match error.trouble {
        Trouble::Usage | Trouble::ConditionFalse | Trouble::Output => error.message,
        _ => format!("{file}: {}", error.message),
    };
    let mut failure = Failure::new(outcome, message);
    if let Some(Place { line, column, text, caret }) =
        error.offset.and_then(|offset| place(batch.sql, offset))
    {
        failure.message.push_str(&format!(" (line {line}, column {column})"));
        failure.details.push(format!("  {text}"));
        failure.details.push(format!("  {}^", " ".repeat(caret)));
    }
    failure.causes.extend(error.code.map(str::to_owned));
    failure.causes.extend(error.output.map(|output| output.to_string()));
    failure.hint = error.hint;
    failure
}

/// Returns what to tell of a batch that writes under a lock that was asked for shared.
pub(super) fn writes_shared() -> Failure {
    Failure::new(Outcome::Usage, "the batch writes, and -s asks for a lock shared with others")
        .hint("leave -s out: the statements decide")
}

/// Returns what to tell of a file that is to be made under a lock that was asked for shared.
pub(super) fn makes_shared() -> Failure {
    Failure::new(Outcome::Usage, "a file is made, and -s asks for a lock shared with others")
        .hint("leave -s out: a new file is locked alone")
}

fn recovers_shared(error: SqlError, path: &Path, sql: &Sql<'_>) -> Failure {
    let file = sql.shown(path);
    let message = format!("{file}: the journal of a crash has to be dealt with, which -s forbids");
    let mut failure = Failure::new(Outcome::Usage, message);
    failure.causes.extend(error.code.map(str::to_owned));
    failure.hint("leave -s out: the file is made whole under a lock of its own")
}

fn interrupted(path: &Path, sql: &Sql<'_>) -> Failure {
    let arrival = sql.watching.arrived();
    let signal = arrival.map_or(SIGINT, |arrival| arrival.signal);
    let outcome = Outcome::Signaled(u8::try_from(signal).unwrap_or(0));
    let message = format!("interrupted; nothing was changed in {}", sql.shown(path));
    let mut failure = Failure::new(outcome, message);
    if sql.batch.loose {
        failure.message = "interrupted; the statements before stay done".to_owned();
    }
    let key = arrival.filter(|arrival| arrival.origin == Origin::Kernel);
    failure.key = key.map(|arrival| arrival.signal);
    failure
}

/// Returns what to use instead of a command of the sqlite3 or duckdb shell.
fn dot_command(sql: &str) -> Option<Failure> {
    let line = sql.lines().map(str::trim_start).find(|line| {
        line.strip_prefix('.').is_some_and(|rest| rest.starts_with(|one: char| one.is_alphabetic()))
    })?;
    let word = line[1..].split(|one: char| !one.is_alphanumeric()).next().unwrap_or_default();
    let known = DOT_COMMANDS.iter().find(|(name, _)| *name == word);
    let message = format!("`.{word}` is a command of the sqlite3 and duckdb shells, not SQL");
    let failure = Failure::new(Outcome::Usage, message);
    Some(match known {
        Some((_, instead)) => failure.hint(format!("use {instead}")),
        None => failure.hint("run the shell under the lock: dbguard exec FILE -- sqlite3 FILE"),
    })
}

/// A place in a script.
struct Place {
    line: usize,
    column: usize,
    /// The line, or the part of it around the place.
    text: String,
    /// How many characters stand before the place in the text.
    caret: usize,
}

fn place(sql: &str, offset: usize) -> Option<Place> {
    let before = sql.get(..offset)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let whole = sql[start..].lines().next().unwrap_or_default();
    let column = before[start..].chars().count();
    let skipped = column.saturating_sub(LONGEST_LINE / 2);
    // A tab would move the caret.
    let text = whole.chars().skip(skipped).take(LONGEST_LINE);
    let text = text.map(|one| if one == '\t' { ' ' } else { one }).collect();
    let line = 1 + before.matches('\n').count();
    Some(Place { line, column: column + 1, text, caret: column - skipped })
}

#[cfg(test)]
mod tests {
    use super::{dot_command, place};

    #[test]
    fn a_place_is_a_line_a_column_and_a_caret() {
        let found = place("select 1;\n\tslect 2", 11).expect("inside");
        assert_eq!((found.line, found.column, found.caret), (2, 2, 1));
        assert_eq!(found.text, " slect 2");
        let long = format!("select {}, x from", "1,".repeat(200));
        let found = place(&long, 410).expect("inside");
        assert_eq!((found.column, found.caret, found.text.len()), (411, 50, 55));
        assert!(place("x", 9).is_none());
    }

    #[test]
    fn dot_commands_are_known_by_the_first_character_of_a_line() {
        let hint = |sql| dot_command(sql).and_then(|failure| failure.hint).unwrap_or_default();
        assert!(hint(".tables").contains("show tables"));
        assert!(hint("select 1;\n .mode csv").contains("--format"));
        assert!(hint(".dump").contains("dbguard exec"));
        assert!(dot_command("select .5 from t").is_none());
        assert!(dot_command("select 1\n.5").is_none());
    }
}
