//! What can go wrong in an engine, sorted by what it means for the batch.

use std::fmt;
use std::io;

/// What an error means for the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Somebody else is in the way: roll back, wait, run the whole batch again.
    Busy,
    /// The batch was opened for reading and has to write: take the lock exclusively.
    NeedsWrite,
    /// It was interrupted from outside.
    Interrupted,
    /// The statement is wrong, or the data is: syntax, constraint, type.
    Statement,
    /// The words about the batch are wrong: parameters, statements that do not go together.
    Usage,
    /// The file is not a database of this engine, is damaged, encrypted, or from a newer version.
    NotADatabase,
    /// The file, or what lies beside it, may not be opened or written.
    Permission,
    /// The disk is full, or reading or writing failed.
    Io,
    /// Memory or descriptors ran out.
    Exhausted,
    /// `--if` was not true.
    ConditionFalse,
    /// The results could not be written; see [`SqlError::output`].
    Output,
}

/// An error of an engine, or of the rules of a batch.
#[derive(Debug)]
pub struct SqlError {
    /// What it means.
    pub trouble: Trouble,
    /// What happened, as a fragment: the engine's own words where it has some.
    pub message: String,
    /// The engine's name for it, such as `SQLITE_BUSY_SNAPSHOT`.
    pub code: Option<&'static str>,
    /// Where in the script, as bytes from its start.
    pub offset: Option<usize>,
    /// One thing to do.
    pub hint: Option<String>,
    /// Why the output could not be written.
    pub output: Option<io::Error>,
}

impl SqlError {
    /// Returns an error with nothing but a meaning and a message.
    pub fn new(trouble: Trouble, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { trouble, message, code: None, offset: None, hint: None, output: None }
    }

    /// Adds one thing to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds where in the script it happened.
    #[must_use]
    pub fn at(mut self, offset: Option<usize>) -> Self {
        self.offset = offset;
        self
    }

    /// Adds the engine's name for it.
    #[must_use]
    pub fn named(mut self, code: Option<&'static str>) -> Self {
        self.code = code;
        self
    }
}

impl From<io::Error> for SqlError {
    /// A [`super::Sink`] failed.
    fn from(error: io::Error) -> Self {
        let message = "cannot write the results".to_owned();
        let output = Some(error);
        Self { trouble: Trouble::Output, message, code: None, offset: None, hint: None, output }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for SqlError {}
