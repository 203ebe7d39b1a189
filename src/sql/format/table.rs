//! Boxes, for people.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table as Boxes, presets};

use super::super::value::{Cell, Column, Sink, Voice};
use super::{Style, harmless, shown};

/// How many rows share one box. Widths are known only when all rows of a box are, and nobody
/// reads ten million rows in a box.
const ROWS: usize = 10_000;

/// The default for NULL.
const NULL: &str = "NULL";

/// Tables, a box for each result.
pub(super) struct Table<'w> {
    style: Style,
    output: &'w mut dyn Write,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    /// Which columns have had nothing but numbers.
    numeric: Vec<bool>,
    boxes: u64,
}

impl<'w> Table<'w> {
    pub(super) fn new(style: Style, output: &'w mut dyn Write) -> Self {
        let (columns, rows, numeric) = (Vec::new(), Vec::new(), Vec::new());
        Self { style, output, columns, rows, numeric, boxes: 0 }
    }

    fn draw(&mut self) -> io::Result<()> {
        let mut table = Boxes::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        if let Some(width) = self.style.width {
            table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
        }
        if self.style.header {
            table.set_header(self.columns.iter().map(|column| harmless(&column.name, &[])));
        }
        for row in self.rows.drain(..) {
            table.add_row(row);
        }
        for (index, _) in self.numeric.iter().enumerate().filter(|(_, numeric)| **numeric) {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self.boxes += 1;
        writeln!(self.output, "{table}")
    }
}

impl Sink for Table<'_> {
    fn voice(&self) -> Voice {
        Voice::Text
    }

    fn begin(&mut self, columns: &[Column]) -> io::Result<()> {
        self.columns = columns.to_vec();
        self.numeric = vec![true; columns.len()];
        self.boxes = 0;
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let null = self.style.null.as_deref().unwrap_or(NULL);
        let mut row = Vec::with_capacity(cells.len());
        for (cell, numeric) in cells.iter().zip(&mut self.numeric) {
            let text = harmless(&shown(*cell, null), &['\n']);
            *numeric &= *cell == Cell::Null || is_number(&text, *cell);
            row.push(text);
        }
        self.rows.push(row);
        if self.rows.len() == ROWS { self.draw() } else { Ok(()) }
    }

    fn end(&mut self) -> io::Result<()> {
        if self.boxes == 0 || !self.rows.is_empty() { self.draw() } else { Ok(()) }
    }
}

/// Numbers are aligned at the right. An engine may hand them over as words.
fn is_number(text: &str, cell: Cell<'_>) -> bool {
    match cell {
        Cell::Integer(_) | Cell::Real(_) | Cell::Number(_) => true,
        Cell::Word(_) => text.parse::<f64>().is_ok(),
        _ => false,
    }
}
