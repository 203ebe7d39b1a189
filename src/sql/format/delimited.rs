//! CSV and TSV.

use std::io::{self, Write};

use super::super::value::{Cell, Column, Sink, Voice};
use super::{Style, append_text, harmless};

/// Rows of fields with something between them.
pub(super) struct Delimited<'w> {
    style: Style,
    output: &'w mut dyn Write,
    write_field: fn(&[u8], &mut Vec<u8>),
    between: u8,
    line: Vec<u8>,
    field: Vec<u8>,
}

impl<'w> Delimited<'w> {
    /// Comma-separated. A field is quoted where it has to be, and where it is empty: NULL is not.
    pub(super) fn csv(style: Style, output: &'w mut dyn Write) -> Self {
        Self::new(style, output, quoted, b',')
    }

    /// Tab-separated, with escapes instead of quotes.
    pub(super) fn tsv(style: Style, output: &'w mut dyn Write) -> Self {
        Self::new(style, output, escaped, b'\t')
    }

    fn new(
        style: Style,
        output: &'w mut dyn Write,
        write_field: fn(&[u8], &mut Vec<u8>),
        between: u8,
    ) -> Self {
        Self { style, output, write_field, between, line: Vec::new(), field: Vec::new() }
    }

    fn write_line<'a>(&mut self, cells: impl Iterator<Item = Field<'a>>) -> io::Result<()> {
        self.line.clear();
        for (index, cell) in cells.enumerate() {
            if index > 0 {
                self.line.push(self.between);
            }
            self.field.clear();
            let has_value = match cell {
                Field::Name(name) => {
                    self.field.extend_from_slice(name.as_bytes());
                    true
                }
                Field::Cell(cell) => append_text(cell, &mut self.field),
            };
            if !has_value {
                self.line.extend_from_slice(self.style.null.as_deref().unwrap_or("").as_bytes());
                continue;
            }
            if self.style.terminal {
                let text = String::from_utf8_lossy(&self.field);
                self.field = harmless(&text, &['\n', '\t']).into_bytes();
            }
            (self.write_field)(&self.field, &mut self.line);
        }
        self.line.push(b'\n');
        self.output.write_all(&self.line)
    }
}

/// What stands in a field.
enum Field<'a> {
    Name(&'a str),
    Cell(Cell<'a>),
}

impl Sink for Delimited<'_> {
    fn voice(&self) -> Voice {
        Voice::Text
    }

    fn begin(&mut self, columns: &[Column]) -> io::Result<()> {
        if self.style.header {
            return self.write_line(columns.iter().map(|column| Field::Name(&column.name)));
        }
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        self.write_line(cells.iter().map(|cell| Field::Cell(*cell)))
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn quoted(field: &[u8], line: &mut Vec<u8>) {
    let needs = |byte: &u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    let is_padded = field.first() == Some(&b' ') || field.last() == Some(&b' ');
    if !field.is_empty() && !is_padded && !field.iter().any(needs) {
        line.extend_from_slice(field);
        return;
    }
    line.push(b'"');
    for byte in field {
        if *byte == b'"' {
            line.push(b'"');
        }
        line.push(*byte);
    }
    line.push(b'"');
}

fn escaped(field: &[u8], line: &mut Vec<u8>) {
    for byte in field {
        match byte {
            b'\t' => line.extend_from_slice(b"\\t"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\\' => line.extend_from_slice(b"\\\\"),
            other => line.push(*other),
        }
    }
}
