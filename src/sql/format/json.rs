//! JSON in which nothing is lost.
//!
//! | value | JSON |
//! |---|---|
//! | numbers, also of 128 bits and with decimals | a number with all its digits |
//! | NaN and infinities | `{"$float":"NaN"}`, `{"$float":"Infinity"}`, `{"$float":"-Infinity"}` |
//! | bytes | `{"$blob":"00FF"}` |
//! | text that is not UTF-8 | `{"$text":"00FF"}` |
//!
//! Columns with the same name get a number: `a`, `a_2`.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::super::value::{Cell, Column, Sink, Voice};
use super::is_commanding;
use super::number::append_hex;

/// One array a result.
pub(super) struct Arrays<'w> {
    output: &'w mut dyn Write,
    row: Row,
}

impl<'w> Arrays<'w> {
    pub(super) fn new(output: &'w mut dyn Write) -> Self {
        Self { output, row: Row::default() }
    }
}

impl Sink for Arrays<'_> {
    fn voice(&self) -> Voice {
        Voice::Json
    }

    fn begin(&mut self, columns: &[Column]) -> io::Result<()> {
        self.row = Row::of(columns);
        self.output.write_all(b"[")
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        self.row.write_element(cells, self.output)
    }

    fn end(&mut self) -> io::Result<()> {
        self.output.write_all(b"]\n")
    }
}

/// One object a line.
pub(super) struct Lines<'w> {
    output: &'w mut dyn Write,
    row: Row,
}

impl<'w> Lines<'w> {
    pub(super) fn new(output: &'w mut dyn Write) -> Self {
        Self { output, row: Row::default() }
    }
}

impl Sink for Lines<'_> {
    fn voice(&self) -> Voice {
        Voice::Json
    }

    fn begin(&mut self, columns: &[Column]) -> io::Result<()> {
        self.row = Row::of(columns);
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        self.output.write_all(self.row.text(cells))?;
        self.output.write_all(b"\n")
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The results of one document, `--json`: an array of objects with `columns` and `rows`.
pub struct Document<'w> {
    output: &'w mut dyn Write,
    row: Row,
    results: u64,
}

/// Returns a sink that writes the elements of a JSON array of results, without its brackets.
pub fn document(output: &mut dyn Write) -> Document<'_> {
    Document { output, row: Row::default(), results: 0 }
}

impl Sink for Document<'_> {
    fn voice(&self) -> Voice {
        Voice::Json
    }

    fn begin(&mut self, columns: &[Column]) -> io::Result<()> {
        self.row = Row::of(columns);
        let mut text = if self.results == 0 { Vec::new() } else { b",\n".to_vec() };
        self.results += 1;
        text.extend_from_slice(b"{\"columns\":[");
        for (index, (column, name)) in columns.iter().zip(&self.row.names).enumerate() {
            text.extend_from_slice(if index == 0 { b"{\"name\":" } else { b",{\"name\":" });
            text.extend_from_slice(name);
            text.extend_from_slice(b",\"type\":");
            match &column.type_name {
                Some(name) => append_string(name, &mut text),
                None => text.extend_from_slice(b"null"),
            }
            text.push(b'}');
        }
        text.extend_from_slice(b"],\"rows\":[");
        self.output.write_all(&text)
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        self.row.write_element(cells, self.output)
    }

    fn end(&mut self) -> io::Result<()> {
        self.output.write_all(b"]}")
    }
}

/// Makes an object of each row.
#[derive(Default)]
struct Row {
    /// The names of the columns, quoted.
    names: Vec<Vec<u8>>,
    text: Vec<u8>,
    /// Whether an element of the array was written.
    has_written: bool,
}

impl Row {
    fn of(columns: &[Column]) -> Self {
        let mut taken = BTreeSet::new();
        let quoted = |column: &Column| {
            let mut name = column.name.clone();
            let mut number = 1;
            while !taken.insert(name.clone()) {
                number += 1;
                name = format!("{}_{number}", column.name);
            }
            let mut text = Vec::new();
            append_string(&name, &mut text);
            text
        };
        Self { names: columns.iter().map(quoted).collect(), ..Self::default() }
    }

    /// Writes the object as the next element of an array.
    fn write_element(&mut self, cells: &[Cell<'_>], output: &mut dyn Write) -> io::Result<()> {
        if self.has_written {
            output.write_all(b",\n")?;
        }
        self.has_written = true;
        output.write_all(self.text(cells))
    }

    fn text(&mut self, cells: &[Cell<'_>]) -> &[u8] {
        self.text.clear();
        self.text.push(b'{');
        for (index, (name, cell)) in self.names.iter().zip(cells).enumerate() {
            if index > 0 {
                self.text.push(b',');
            }
            self.text.extend_from_slice(name);
            self.text.push(b':');
            append(*cell, &mut self.text);
        }
        self.text.push(b'}');
        &self.text
    }
}

/// Appends a cell as JSON.
fn append(cell: Cell<'_>, text: &mut Vec<u8>) {
    match cell {
        Cell::Null => text.extend_from_slice(b"null"),
        Cell::Boolean(truth) => text.extend_from_slice(if truth { b"true" } else { b"false" }),
        Cell::Integer(number) => super::number::append_integer(number, text),
        Cell::Real(number) if number.is_finite() => {
            text.extend_from_slice(format!("{number:?}").as_bytes());
        }
        Cell::Real(number) if number.is_nan() => text.extend_from_slice(b"{\"$float\":\"NaN\"}"),
        Cell::Real(number) => {
            let word = if number > 0.0 { "Infinity" } else { "-Infinity" };
            text.extend_from_slice(format!("{{\"$float\":\"{word}\"}}").as_bytes());
        }
        Cell::Number(digits) => text.extend_from_slice(digits.as_bytes()),
        Cell::Word(word) => append_string(word, text),
        Cell::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(word) => append_string(word, text),
            Err(_) => append_bytes("$text", bytes, text),
        },
        Cell::Blob(bytes) => append_bytes("$blob", bytes, text),
        Cell::Nested { json, .. } => text.extend_from_slice(json.as_bytes()),
    }
}

fn append_bytes(tag: &str, bytes: &[u8], text: &mut Vec<u8>) {
    text.extend_from_slice(format!("{{\"{tag}\":\"").as_bytes());
    append_hex(bytes, text);
    text.extend_from_slice(b"\"}");
}

fn append_string(word: &str, text: &mut Vec<u8>) {
    let begun = text.len();
    serde_json::to_writer(&mut *text, word).expect("a string is JSON, and memory takes it");
    // The rest of what could command a terminal, which JSON leaves as it is.
    if word.chars().any(is_commanding) {
        let plain = String::from_utf8_lossy(&text.split_off(begun)).into_owned();
        for one in plain.chars() {
            match is_commanding(one) {
                true => text.extend_from_slice(format!("\\u{:04x}", u32::from(one)).as_bytes()),
                false => text.extend_from_slice(one.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::value::{Cell, Column, Sink};
    use super::{Arrays, append};

    fn json(cell: Cell<'_>) -> String {
        let mut text = Vec::new();
        append(cell, &mut text);
        String::from_utf8(text).expect("JSON is UTF-8")
    }

    #[test]
    fn nothing_is_lost() {
        assert_eq!(json(Cell::Integer(i64::MIN)), "-9223372036854775808");
        assert_eq!(json(Cell::Integer(0)), "0");
        assert_eq!(json(Cell::Real(0.1)), "0.1");
        assert_eq!(json(Cell::Real(1e300)), "1e300");
        assert_eq!(json(Cell::Real(f64::NEG_INFINITY)), r#"{"$float":"-Infinity"}"#);
        assert_eq!(json(Cell::Real(f64::NAN)), r#"{"$float":"NaN"}"#);
        assert_eq!(json(Cell::Text(b"a\0\x1b\"\n")), r#""a\u0000\u001b\"\n""#);
        assert_eq!(json(Cell::Text(b"\xff")), r#"{"$text":"FF"}"#);
        assert_eq!(json(Cell::Blob(b"\0\xab")), r#"{"$blob":"00AB"}"#);
    }

    #[test]
    fn columns_of_one_name_are_numbered() {
        let column = |name: &str| Column { name: name.to_owned(), type_name: None };
        let columns = [column("a"), column("a"), column("a_2"), column("a")];
        let mut output = Vec::new();
        let mut sink = Arrays::new(&mut output);
        sink.begin(&columns).expect("memory");
        sink.row(&[Cell::Integer(1); 4]).expect("memory");
        sink.end().expect("memory");
        let text = String::from_utf8(output).expect("JSON is UTF-8");
        assert_eq!(text, "[{\"a\":1,\"a_2\":1,\"a_2_2\":1,\"a_3\":1}]\n");
    }
}
