//! Result formats. Each prints the results of a batch to a writer, as they come.

mod delimited;
mod json;
mod lines;
mod number;
mod table;

use std::io::{self, Write};

use super::value::{Cell, Column, Sink, Voice};

pub use json::document;
pub use number::real;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Boxes, for people.
    Table,
    /// Comma-separated values, RFC 4180 with plain newlines.
    Csv,
    /// Tab-separated values; tab, newline and backslash as `\t`, `\n` and `\\`.
    Tsv,
    /// One array of objects for each result.
    Json,
    /// One object a row.
    JsonLines,
    /// A table in Markdown.
    Markdown,
    /// One `name = value` a line.
    Line,
    /// Nothing.
    Quiet,
}

/// What is the same for every format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether names of columns are printed.
    pub header: bool,
    /// What stands for NULL in a text format; its own default if `None`.
    pub null: Option<String>,
    /// The reader is a terminal: control characters in values are escaped everywhere.
    pub terminal: bool,
    /// How wide a table may be; as wide as it is if `None`.
    pub width: Option<u16>,
}

/// Returns a sink that prints to `output`.
pub fn printer<'w>(format: Format, style: &Style, output: &'w mut dyn Write) -> Box<dyn Sink + 'w> {
    let style = style.clone();
    match format {
        Format::Table => Box::new(table::Table::new(style, output)),
        Format::Csv => Box::new(delimited::Delimited::csv(style, output)),
        Format::Tsv => Box::new(delimited::Delimited::tsv(style, output)),
        Format::Json => Box::new(json::Arrays::new(output)),
        Format::JsonLines => Box::new(json::Lines::new(output)),
        Format::Markdown => Box::new(lines::Markdown::new(style, output)),
        Format::Line => Box::new(lines::NameValue::new(style, output)),
        Format::Quiet => Box::new(Nothing),
    }
}

/// Prints nothing.
struct Nothing;

impl Sink for Nothing {
    fn voice(&self) -> Voice {
        Voice::Text
    }

    fn begin(&mut self, _columns: &[Column]) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, _cells: &[Cell<'_>]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends a cell as text. Returns whether it had a value.
fn append_text(cell: Cell<'_>, text: &mut Vec<u8>) -> bool {
    match cell {
        Cell::Null => return false,
        Cell::Boolean(truth) => text.extend_from_slice(if truth { b"true" } else { b"false" }),
        Cell::Integer(number) => number::append_integer(number, text),
        Cell::Real(number) => text.extend_from_slice(real(number).as_bytes()),
        Cell::Number(word) | Cell::Word(word) => text.extend_from_slice(word.as_bytes()),
        Cell::Text(bytes) => text.extend_from_slice(bytes),
        Cell::Blob(bytes) => {
            text.extend_from_slice(b"X'");
            number::append_hex(bytes, text);
            text.push(b'\'');
        }
        Cell::Nested { text: shown, .. } => text.extend_from_slice(shown.as_bytes()),
    }
    true
}

/// Returns a cell as text for people: control characters are escaped, and what is no UTF-8 is
/// replaced.
fn shown(cell: Cell<'_>, null: &str) -> String {
    let mut text = Vec::new();
    if !append_text(cell, &mut text) {
        return null.to_owned();
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether a character could command a terminal, or turn the direction of what follows.
fn is_commanding(one: char) -> bool {
    one.is_control() || matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Replaces what could command a terminal; newlines and tabs stay if `plain` keeps them.
fn harmless(text: &str, keeps: &[char]) -> String {
    let mut safe = String::with_capacity(text.len());
    for one in text.chars() {
        if is_commanding(one) && !keeps.contains(&one) {
            safe.extend(one.escape_default());
        } else {
            safe.push(one);
        }
    }
    safe
}
