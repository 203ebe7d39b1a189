//! What an engine hands over: columns, and the cells of one row.

use std::io;

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, as the engine gives it.
    pub name: String,
    /// Its type in the engine's words; SQLite knows one only for plain table columns.
    pub type_name: Option<String>,
}

/// One cell, borrowed from the engine until the next row.
///
/// Every cell has two forms: the text that the engine's own shell would show, and JSON, in which
/// nothing is lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A number without a fraction.
    Integer(i64),
    /// A binary floating-point number, which may be infinite or not a number.
    Real(f64),
    /// A number that needs more than 64 bits, or decimals: digits, valid as JSON as they stand.
    Number(&'a str),
    /// A text; not necessarily UTF-8, because SQLite does not check.
    Text(&'a [u8]),
    /// Anything else that is one text in both forms, such as a date.
    Word(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
    /// A list, a struct, a map, a union: a text and a JSON document. The one that was not asked
    /// for (see [`Voice`]) may be empty.
    Nested {
        /// As the engine's shell shows it.
        text: &'a str,
        /// The same as JSON.
        json: &'a str,
    },
}

/// Which of a cell's two forms will be used; the other need not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// Takes the results of a batch, one after another.
///
/// An engine calls `begin` once the first row, or the end, is certain: an attempt that fails
/// before has said nothing.
pub trait Sink {
    /// Which form of the cells is used.
    fn voice(&self) -> Voice;
    /// Begins a result.
    fn begin(&mut self, columns: &[Column]) -> io::Result<()>;
    /// Takes a row; one cell a column.
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()>;
    /// Ends the result.
    fn end(&mut self) -> io::Result<()>;
}
