//! What DuckDB's errors mean for a batch.

use serde::Deserialize;

use crate::platform::duckdb::{Code, Refusal};

use super::super::error::{SqlError, Trouble};

/// Each code with its name, and what it means where the words do not tell more.
const CODES: &[(Code, &str, Trouble)] = &[
    (Code::DUCKDB_V2_ERROR_IO_GENERAL, "IO", Trouble::Io),
    (Code::DUCKDB_V2_ERROR_IO_FILE_NOT_FOUND, "IO", Trouble::Io),
    (Code::DUCKDB_V2_ERROR_IO_READ_FAILURE, "IO", Trouble::Io),
    (Code::DUCKDB_V2_ERROR_IO_EOF, "IO", Trouble::Io),
    (Code::DUCKDB_V2_ERROR_IO_NETWORK, "NETWORK", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_IO_HTTP, "HTTP", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_RESOURCE_OUT_OF_MEMORY, "OUT_OF_MEMORY", Trouble::Exhausted),
    (Code::DUCKDB_V2_ERROR_RESOURCE_MISSING_EXTENSION, "MISSING_EXTENSION", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_RESOURCE_AUTOLOAD, "AUTOLOAD", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_RESOURCE_DEPENDENCY, "DEPENDENCY", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_TYPE_CONVERSION, "CONVERSION", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_INPUT_OUT_OF_RANGE, "OUT_OF_RANGE", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_INPUT_INVALID, "INVALID_INPUT", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_QUERY_PARSER, "PARSER", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_QUERY_SYNTAX, "SYNTAX", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_QUERY_BINDER, "BINDER", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_QUERY_NOT_IMPLEMENTED, "NOT_IMPLEMENTED", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_DATABASE_CATALOG, "CATALOG", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_DATABASE_CONSTRAINT, "CONSTRAINT", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_DATABASE_TRANSACTION, "TRANSACTION", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_DATABASE_SEQUENCE, "SEQUENCE", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_DATABASE_SERIALIZATION, "SERIALIZATION", Trouble::NotADatabase),
    (Code::DUCKDB_V2_ERROR_CONFIGURATION_PERMISSION, "PERMISSION", Trouble::Statement),
    (Code::DUCKDB_V2_ERROR_RUNTIME_INTERRUPT, "INTERRUPT", Trouble::Interrupted),
    (Code::DUCKDB_V2_ERROR_RUNTIME_FATAL, "FATAL", Trouble::NotADatabase),
    (Code::DUCKDB_V2_ERROR_RUNTIME_INTERNAL, "INTERNAL", Trouble::NotADatabase),
];

/// Words that tell more than the code. The first that is found counts.
const WORDS: &[(Code, &str, Trouble)] = &[
    (Code::DUCKDB_V2_ERROR_IO_GENERAL, "Could not set lock on file", Trouble::Busy),
    (Code::DUCKDB_V2_ERROR_DATABASE_TRANSACTION, "Could not write file", Trouble::Io),
    (Code::DUCKDB_V2_ERROR_DATABASE_TRANSACTION, "No space left on device", Trouble::Io),
    (Code::DUCKDB_V2_ERROR_DATABASE_TRANSACTION, "Transaction conflict", Trouble::Busy),
    (Code::DUCKDB_V2_ERROR_DATABASE_TRANSACTION, "write-write conflict", Trouble::Busy),
    (Code::DUCKDB_V2_ERROR_DATABASE_TRANSACTION, "Conflict on ", Trouble::Busy),
    (Code::DUCKDB_V2_ERROR_DATABASE_TRANSACTION, "in read-only mode", Trouble::NeedsWrite),
    (Code::DUCKDB_V2_ERROR_INPUT_INVALID, "is attached in read-only mode", Trouble::NeedsWrite),
    (Code::DUCKDB_V2_ERROR_IO_GENERAL, "valid DuckDB database file", Trouble::NotADatabase),
    (Code::DUCKDB_V2_ERROR_IO_GENERAL, "version number", Trouble::NotADatabase),
    (Code::DUCKDB_V2_ERROR_API, "Data Corruption", Trouble::NotADatabase),
    (Code::DUCKDB_V2_ERROR_IO_GENERAL, "Could not read enough bytes", Trouble::NotADatabase),
    (Code::DUCKDB_V2_ERROR_IO_GENERAL, "Permission denied", Trouble::Permission),
    (Code::DUCKDB_V2_ERROR_IO_GENERAL, "Operation not permitted", Trouble::Permission),
    (Code::DUCKDB_V2_ERROR_IO_GENERAL, "Read-only file system", Trouble::Permission),
    (Code::DUCKDB_V2_ERROR_IO_GENERAL, "Too many open files", Trouble::Exhausted),
    (Code::DUCKDB_V2_ERROR_IO_GENERAL, "Extension \"", Trouble::Statement),
];

/// DuckDB's words, once `errors_as_json` is set.
#[derive(Deserialize)]
struct Words {
    exception_type: String,
    exception_message: String,
    position: Option<String>,
}

/// Sorts an error by what it means. Its place is relative to the text that DuckDB was given.
pub(super) fn sorted(refusal: &Refusal) -> SqlError {
    let (text, position) = words(&refusal.text);
    let known = CODES.iter().find(|(code, ..)| *code == refusal.code);
    let told = WORDS.iter().find(|(code, words, _)| *code == refusal.code && text.contains(words));
    let trouble = match (told, known) {
        (Some((.., trouble)), _) | (None, Some((.., trouble))) => *trouble,
        (None, None) => Trouble::Statement,
    };
    let mut lines = text.lines();
    let error = SqlError::new(trouble, lines.next().unwrap_or_default())
        .named(known.map(|(_, name, _)| *name))
        .at(position);
    match lines.find(|line| line.starts_with("Did you mean") || line.starts_with("Candidate")) {
        Some(line) => error.hint(line),
        None => error,
    }
}

/// Splits DuckDB's text into words as it prints them by default, and the place.
fn words(text: &str) -> (String, Option<usize>) {
    let json = text.find('{').map_or("", |start| &text[start..]);
    let Ok(words) = serde_json::from_str::<Words>(json) else {
        return (text.to_owned(), None);
    };
    let message = format!("{} Error: {}", words.exception_type, words.exception_message);
    (message, words.position.and_then(|position| position.parse().ok()))
}

/// Sorts an error that came while a file was opened.
pub(super) fn of_opening(refusal: &Refusal) -> SqlError {
    let not_a_database = |error| SqlError { trouble: Trouble::NotADatabase, ..error };
    let error = sorted(refusal);
    let newer = error.message.contains("version");
    let encrypted = error.message.contains("ncrypt");
    match error.trouble {
        // There is no statement that could be wrong.
        Trouble::Statement if encrypted => not_a_database(error)
            .hint("run the duckdb shell under the lock: dbguard exec FILE -- duckdb"),
        Trouble::Statement => not_a_database(error),
        Trouble::NotADatabase if newer => error.hint("open it with the DuckDB that wrote it"),
        Trouble::NotADatabase if error.message.contains("Corruption") => {
            error.hint("make a copy of the file and its .wal first")
        }
        _ => error,
    }
}
