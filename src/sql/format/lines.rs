//! Markdown, and one value a line.

use std::io::{self, Write};

use super::super::value::{Cell, Column, Sink, Voice};
use super::{Style, harmless, shown};

/// The default for NULL.
const NULL: &str = "NULL";

/// A table in Markdown.
pub(super) struct Markdown<'w> {
    style: Style,
    output: &'w mut dyn Write,
    results: u64,
}

impl<'w> Markdown<'w> {
    pub(super) fn new(style: Style, output: &'w mut dyn Write) -> Self {
        Self { style, output, results: 0 }
    }

    fn write_row(&mut self, fields: impl Iterator<Item = String>) -> io::Result<()> {
        let mut line = String::from("|");
        for field in fields {
            let field = field.replace("\r\n", "\n").replace('|', "\\|").replace('\n', "<br>");
            line.push_str(&format!(" {} |", harmless(&field, &[])));
        }
        line.push('\n');
        self.output.write_all(line.as_bytes())
    }
}

impl Sink for Markdown<'_> {
    fn voice(&self) -> Voice {
        Voice::Text
    }

    fn begin(&mut self, columns: &[Column]) -> io::Result<()> {
        if self.results > 0 {
            self.output.write_all(b"\n")?;
        }
        self.results += 1;
        // Markdown has no table without a header.
        let name = |column: &Column| match self.style.header {
            true => column.name.clone(),
            false => String::new(),
        };
        let names: Vec<String> = columns.iter().map(name).collect();
        self.write_row(names.into_iter())?;
        self.write_row(columns.iter().map(|_| "---".to_owned()))
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let null = self.style.null.clone().unwrap_or_else(|| NULL.to_owned());
        self.write_row(cells.iter().map(|cell| shown(*cell, &null)))
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `name = value`, a line each, and an empty line between rows.
pub(super) struct NameValue<'w> {
    style: Style,
    output: &'w mut dyn Write,
    names: Vec<String>,
    rows: u64,
}

impl<'w> NameValue<'w> {
    pub(super) fn new(style: Style, output: &'w mut dyn Write) -> Self {
        Self { style, output, names: Vec::new(), rows: 0 }
    }
}

impl Sink for NameValue<'_> {
    fn voice(&self) -> Voice {
        Voice::Text
    }

    fn begin(&mut self, columns: &[Column]) -> io::Result<()> {
        let names: Vec<_> = columns.iter().map(|column| harmless(&column.name, &[])).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let aligned = names.iter().map(|name| format!("{name:>width$} = "));
        self.names = aligned.collect();
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let mut text = if self.rows == 0 { String::new() } else { "\n".to_owned() };
        self.rows += 1;
        let null = self.style.null.as_deref().unwrap_or(NULL);
        for (name, cell) in self.names.iter().zip(cells) {
            if self.style.header {
                text.push_str(name);
            }
            text.push_str(&harmless(&shown(*cell, null), &[]));
            text.push('\n');
        }
        self.output.write_all(text.as_bytes())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}
