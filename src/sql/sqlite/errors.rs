//! SQLite's result codes, and what they mean for a batch.

use rusqlite::ffi;

use super::super::engine::Access;
use super::super::error::{SqlError, Trouble};

/// Where an error happened.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// How the file was opened.
    pub(super) access: Access,
    /// The whole script, for the position of an error in it.
    pub(super) script: &'a str,
}

/// The names of the codes that say more than their number.
const NAMES: &[(i32, &str)] = &[
    (ffi::SQLITE_BUSY, "SQLITE_BUSY"),
    (ffi::SQLITE_BUSY_RECOVERY, "SQLITE_BUSY_RECOVERY"),
    (ffi::SQLITE_BUSY_SNAPSHOT, "SQLITE_BUSY_SNAPSHOT"),
    (ffi::SQLITE_LOCKED, "SQLITE_LOCKED"),
    (ffi::SQLITE_PROTOCOL, "SQLITE_PROTOCOL"),
    (ffi::SQLITE_READONLY, "SQLITE_READONLY"),
    (ffi::SQLITE_READONLY_RECOVERY, "SQLITE_READONLY_RECOVERY"),
    (ffi::SQLITE_READONLY_CANTLOCK, "SQLITE_READONLY_CANTLOCK"),
    (ffi::SQLITE_READONLY_ROLLBACK, "SQLITE_READONLY_ROLLBACK"),
    (ffi::SQLITE_READONLY_DBMOVED, "SQLITE_READONLY_DBMOVED"),
    (ffi::SQLITE_READONLY_CANTINIT, "SQLITE_READONLY_CANTINIT"),
    (ffi::SQLITE_READONLY_DIRECTORY, "SQLITE_READONLY_DIRECTORY"),
    (ffi::SQLITE_CONSTRAINT, "SQLITE_CONSTRAINT"),
    (ffi::SQLITE_CONSTRAINT_CHECK, "SQLITE_CONSTRAINT_CHECK"),
    (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, "SQLITE_CONSTRAINT_FOREIGNKEY"),
    (ffi::SQLITE_CONSTRAINT_NOTNULL, "SQLITE_CONSTRAINT_NOTNULL"),
    (ffi::SQLITE_CONSTRAINT_PRIMARYKEY, "SQLITE_CONSTRAINT_PRIMARYKEY"),
    (ffi::SQLITE_CONSTRAINT_TRIGGER, "SQLITE_CONSTRAINT_TRIGGER"),
    (ffi::SQLITE_CONSTRAINT_UNIQUE, "SQLITE_CONSTRAINT_UNIQUE"),
    (ffi::SQLITE_CONSTRAINT_ROWID, "SQLITE_CONSTRAINT_ROWID"),
    (ffi::SQLITE_CONSTRAINT_DATATYPE, "SQLITE_CONSTRAINT_DATATYPE"),
    (ffi::SQLITE_FULL, "SQLITE_FULL"),
    (ffi::SQLITE_IOERR, "SQLITE_IOERR"),
    (ffi::SQLITE_CORRUPT, "SQLITE_CORRUPT"),
    (ffi::SQLITE_NOTADB, "SQLITE_NOTADB"),
    (ffi::SQLITE_CANTOPEN, "SQLITE_CANTOPEN"),
    (ffi::SQLITE_INTERRUPT, "SQLITE_INTERRUPT"),
    (ffi::SQLITE_NOMEM, "SQLITE_NOMEM"),
    (ffi::SQLITE_TOOBIG, "SQLITE_TOOBIG"),
    (ffi::SQLITE_MISMATCH, "SQLITE_MISMATCH"),
    (ffi::SQLITE_AUTH, "SQLITE_AUTH"),
    (ffi::SQLITE_PERM, "SQLITE_PERM"),
    (ffi::SQLITE_ERROR, "SQLITE_ERROR"),
];

/// Returns what an error of SQLite means.
pub(super) fn from_sqlite(error: &rusqlite::Error, context: Context<'_>) -> SqlError {
    let (code, message) = match error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            let words = message.clone().unwrap_or_else(|| failure.to_string());
            (failure.extended_code, words)
        }
        rusqlite::Error::SqlInputError { error, msg, .. } => (error.extended_code, msg.clone()),
        other => return SqlError::new(Trouble::Statement, other.to_string()),
    };
    let trouble = trouble(code, context.access);
    let told = SqlError::new(trouble, message).at(offset(error, context.script)).named(name(code));
    match trouble {
        Trouble::NotADatabase if code & 0xff == ffi::SQLITE_CORRUPT => told.hint(
            "make a copy of the file and its -wal or -journal first; then see `sqlite3 FILE \
             .recover`",
        ),
        Trouble::NotADatabase => {
            told.hint("the file may be encrypted, made by a newer SQLite, or not SQLite's at all")
        }
        Trouble::Permission => told.hint(
            "SQLite writes beside the file too: check who may write the file and its directory",
        ),
        _ => told,
    }
}

fn trouble(code: i32, access: Access) -> Trouble {
    match code {
        ffi::SQLITE_READONLY_DBMOVED => return Trouble::Busy,
        // The journal of a crash must be dealt with first, or the statement writes after all.
        _ if code & 0xff == ffi::SQLITE_READONLY && access == Access::Read => {
            return Trouble::NeedsWrite;
        }
        _ => {}
    }
    match code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL => Trouble::Busy,
        ffi::SQLITE_READONLY | ffi::SQLITE_CANTOPEN | ffi::SQLITE_PERM => Trouble::Permission,
        ffi::SQLITE_INTERRUPT => Trouble::Interrupted,
        ffi::SQLITE_IOERR | ffi::SQLITE_FULL => Trouble::Io,
        ffi::SQLITE_NOMEM => Trouble::Exhausted,
        ffi::SQLITE_NOTADB | ffi::SQLITE_CORRUPT | ffi::SQLITE_FORMAT => Trouble::NotADatabase,
        _ => Trouble::Statement,
    }
}

fn name(code: i32) -> Option<&'static str> {
    let find = |code| NAMES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name);
    find(code).or_else(|| find(code & 0xff))
}

/// Returns where in the script an error is. SQLite counts from the start of what was left of it.
fn offset(error: &rusqlite::Error, script: &str) -> Option<usize> {
    let rusqlite::Error::SqlInputError { sql, offset, .. } = error else { return None };
    let begun = script.len().checked_sub(sql.len())?;
    let within = usize::try_from(*offset).ok()?;
    Some(begun + within)
}

/// Whether a statement is wrong whatever the database holds. SQLite has one code for this and for
/// names that are not there (yet), so the words decide (`sqlite3ErrorMsg` in `parse.y` and
/// `tokenize.c`).
pub(super) fn is_certain(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqlInputError { msg, .. } = error else { return false };
    msg.ends_with("syntax error")
        || msg.starts_with("incomplete input")
        || msg.starts_with("unrecognized token")
}
