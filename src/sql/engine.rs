//! What the rest of the room needs of a database engine.
//!
//! Two engines fit: SQLite and DuckDB. Judging a script happens before the lock and must not take
//! a native lock, not even for an instant; everything else happens under the guard lock.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::SqlError;
use super::parameters::Parameters;
use super::value::Sink;

/// What a batch does to the database, and with it the mode of the guard lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads; the file is opened read-only.
    Read,
    /// It may write.
    Write,
}

/// What a statement is, as far as the lock and the transaction are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only reads.
    Read,
    /// It may change the database.
    Write,
    /// Nobody can tell before it runs. It is tried read-only.
    Unclear,
    /// It sets something of the connection, which works only outside a transaction.
    Setting,
    /// It sets something of the connection, inside a transaction or outside.
    Neutral,
    /// It adds a database file to the connection; `None` where the name is not a plain text.
    Attach(Option<PathBuf>),
    /// It has to stand alone, outside a transaction, exclusively: the word says which it is.
    Alone(&'static str),
    /// It begins or ends a transaction of its own.
    Transaction,
    /// It would load code into dbguard; the word says which statement it is.
    Extension(&'static str),
}

/// Whether a missing file is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is an error.
    Fails,
    /// An empty database is made.
    IsCreated,
}

/// What is done to the transaction, or to the connection before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Begin: in SQLite `BEGIN IMMEDIATE` for [`Access::Write`].
    Begin(Access),
    /// Make the batch permanent.
    Commit,
    /// Forget it.
    Rollback,
    /// Switch the file to write-ahead logging.
    UseWal,
}

/// How a batch is watched while an engine works.
pub trait Watch: Send + Sync {
    /// Whether the work should be given up. Asked often, from any thread; must be quick.
    fn interrupted(&self) -> bool;
    /// Hears how far it is: percent, where the engine knows.
    fn progress(&self, percent: Option<f64>);
}

/// An engine, ready to judge scripts and to open files.
pub trait Engine {
    /// Whether [`Kind::Read`] is beyond doubt. A `SELECT` of DuckDB may draw a number from a
    /// sequence; then the file refuses, opened read-only, once the statement runs.
    fn knows_what_reads(&self) -> bool;

    /// Judges every statement of a script as far as that is possible from outside, without any
    /// native lock. Calls `visit` for each; stops early, and returns `false`, where a statement
    /// can be judged only with the database open (its table may not exist yet).
    ///
    /// # Errors
    /// What is wrong whatever the database holds: syntax.
    fn survey(
        &self,
        file: &Path,
        sql: &str,
        visit: &mut dyn FnMut(&dyn Judged) -> Result<(), SqlError>,
    ) -> Result<bool, SqlError>;

    /// Opens the file. The guard lock is held; the native lock may still be refused.
    fn open(
        &self,
        file: &Path,
        access: Access,
        missing: Missing,
    ) -> Result<Box<dyn Session>, SqlError>;
}

/// A statement that was judged.
pub trait Judged {
    /// What it is.
    fn kind(&self) -> Kind;
    /// The parameters it has, in the order of their numbers: `None` for those without a name. A
    /// name has no prefix (`:`, `@`, `$`).
    fn parameters(&self) -> Vec<Option<String>>;
    /// The files that it names, as far as it might write to one: none of them may be the database.
    fn named_files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// An open database. Dropping it closes the file and forgets what was not committed.
pub trait Session {
    /// Judges and offers the statements of a script one after another, each once the one before
    /// has been run (a table may have been made meanwhile).
    fn script(
        &self,
        sql: &str,
        visit: &mut dyn FnMut(&mut dyn Statement) -> Result<(), SqlError>,
    ) -> Result<(), SqlError>;

    /// Does something to the transaction.
    fn control(&self, control: Control) -> Result<(), SqlError>;

    /// Whether the session is outside any transaction.
    fn is_outside_transaction(&self) -> bool;

    /// Says how long the engine itself may wait for a native lock in what follows; nothing at
    /// first. An engine that cannot wait ignores it.
    fn be_patient(&self, limit: Duration);

    /// Closes the file, so that an error of the last write is told.
    fn close(self: Box<Self>) -> Result<(), SqlError>;
}

/// A statement that can be run.
pub trait Statement: Judged {
    /// Runs it to its end and gives its rows to `sink`; returns how many rows it changed.
    fn run(&mut self, parameters: &Parameters, sink: &mut dyn Sink) -> Result<u64, SqlError>;
}
