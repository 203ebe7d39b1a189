//! Values as JSON, in which nothing is lost.

use std::fmt::Write;

use serde::de::IgnoredAny;

use crate::platform::duckdb::{Column, ListEntry};

use super::cells::Node;

/// Writing into a `String` never fails.
const WRITES: &str = "a String takes everything";

/// Writes the value of a row.
pub(super) fn write(node: &Node<'_>, row: usize, json: &mut String) {
    let written = match node {
        Node::Nothing => None,
        Node::Plain(column) => plain(column, row, json),
        Node::Text(texts) | Node::Word(texts) | Node::Shown(texts) => {
            texts.get(row).map(|bytes| quote(bytes, json))
        }
        Node::Number(texts) => texts.get(row).map(|bytes| number(bytes, json)),
        Node::Json(texts) => texts.get(row).map(|bytes| document(bytes, json)),
        Node::Blob(texts) => texts.get(row).map(|bytes| blob(bytes, json)),
        Node::List(rows, element) => rows.get(row).map(|entry| {
            list(span(entry), json, &|row, json| {
                write(element, row, json);
            })
        }),
        Node::Array(rows, size, element) => rows.has(row).then(|| {
            list(row * size..(row + 1) * size, json, &|row, json| write(element, row, json));
        }),
        Node::Map(rows, key, value) => rows.get(row).map(|entry| {
            list(span(entry), json, &|row, json| {
                json.push_str("{\"key\":");
                write(key, row, json);
                json.push_str(",\"value\":");
                write(value, row, json);
                json.push('}');
            })
        }),
        Node::Struct(rows, names, fields) => {
            rows.has(row).then(|| fields_of(names, fields, row, json))
        }
        Node::Union(rows, tags, names, members) => {
            let tag = if rows.has(row) { tags.get(row).map(usize::from) } else { None };
            tag.and_then(|tag| Some((names.get(tag)?, members.get(tag)?))).map(|(name, member)| {
                json.push('{');
                quote(name.as_bytes(), json);
                json.push(':');
                write(member, row, json);
                json.push('}');
            })
        }
    };
    if written.is_none() {
        json.push_str("null");
    }
}

fn plain(column: &Column<'_>, row: usize, json: &mut String) -> Option<()> {
    match column {
        Column::Boolean(cells) => {
            json.push_str(if cells.get(row)? == 0 { "false" } else { "true" });
        }
        Column::I8(cells) => write!(json, "{}", cells.get(row)?).expect(WRITES),
        Column::I16(cells) => write!(json, "{}", cells.get(row)?).expect(WRITES),
        Column::I32(cells) => write!(json, "{}", cells.get(row)?).expect(WRITES),
        Column::I64(cells) => write!(json, "{}", cells.get(row)?).expect(WRITES),
        Column::U8(cells) => write!(json, "{}", cells.get(row)?).expect(WRITES),
        Column::U16(cells) => write!(json, "{}", cells.get(row)?).expect(WRITES),
        Column::U32(cells) => write!(json, "{}", cells.get(row)?).expect(WRITES),
        Column::F32(cells) => real(widen(cells.get(row)?), json),
        Column::F64(cells) => real(cells.get(row)?, json),
        Column::Bytes(_) | Column::List(_) | Column::Other(_) => return None,
    }
    Some(())
}

/// Returns the number with the shortest digits that give `value` back: 0.1 remains 0.1.
pub(super) fn widen(value: f32) -> f64 {
    if value.is_finite() {
        value.to_string().parse().unwrap_or(f64::from(value))
    } else {
        f64::from(value)
    }
}

/// The digits of a finite number, and an object for what JSON has no number for.
fn real(value: f64, json: &mut String) {
    let name = match value {
        value if value.is_finite() => {
            return write!(json, "{value:?}").expect(WRITES);
        }
        value if value.is_nan() => "NaN",
        value if value > 0.0 => "Infinity",
        _ => "-Infinity",
    };
    write!(json, "{{\"$float\":\"{name}\"}}").expect(WRITES);
}

fn number(bytes: &[u8], json: &mut String) {
    match std::str::from_utf8(bytes) {
        Ok(digits) => json.push_str(digits),
        Err(_) => quote(bytes, json),
    }
}

/// A document stands as it is, on one line; what only claims to be one is a text.
fn document(bytes: &[u8], json: &mut String) {
    let valid = serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
    match std::str::from_utf8(bytes) {
        // Line ends are white space there: within a string they would have escapes.
        Ok(text) if valid => {
            json.extend(text.chars().map(|one| if matches!(one, '\n' | '\r') { ' ' } else { one }));
        }
        _ => quote(bytes, json),
    }
}

fn blob(bytes: &[u8], json: &mut String) {
    json.push_str("{\"$blob\":\"");
    for byte in bytes {
        write!(json, "{byte:02X}").expect(WRITES);
    }
    json.push_str("\"}");
}

/// Writes a text with quotes and escapes.
pub(super) fn quote(bytes: &[u8], json: &mut String) {
    let text = String::from_utf8_lossy(bytes);
    json.push_str(&serde_json::to_string(&text).expect("a text is always JSON"));
}

fn span(entry: ListEntry) -> std::ops::Range<usize> {
    let start = usize::try_from(entry.offset).unwrap_or(0);
    start..start.saturating_add(usize::try_from(entry.length).unwrap_or(0))
}

fn list(rows: std::ops::Range<usize>, json: &mut String, one: &dyn Fn(usize, &mut String)) {
    json.push('[');
    for row in rows.clone() {
        if row > rows.start {
            json.push(',');
        }
        one(row, json);
    }
    json.push(']');
}

/// Writes a struct. Fields without names, or with one twice, would be lost in an object: then it
/// is a list.
fn fields_of(names: &[String], fields: &[Node<'_>], row: usize, json: &mut String) {
    let named = names.iter().enumerate();
    let clear = |(at, name): (usize, &String)| !name.is_empty() && !names[..at].contains(name);
    if !named.into_iter().all(clear) {
        return list(0..fields.len(), json, &|at, json| write(&fields[at], row, json));
    }
    json.push('{');
    for (at, (name, field)) in names.iter().zip(fields).enumerate() {
        if at > 0 {
            json.push(',');
        }
        quote(name.as_bytes(), json);
        json.push(':');
        write(field, row, json);
    }
    json.push('}');
}
