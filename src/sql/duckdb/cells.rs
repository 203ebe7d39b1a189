//! The cells of a chunk.

use crate::platform::duckdb::{
    Cells, Chunk, Column, Connection, ListEntry, Refusal, Texts, Validity, Vector,
};

use super::super::value::{Cell, Voice};
use super::form::Form;
use super::json;

/// The values of one column, or of what lies below one, ready to be read row by row.
pub(super) enum Node<'a> {
    Plain(Column<'a>),
    Text(Texts<'a>),
    Json(Texts<'a>),
    Blob(Texts<'a>),
    Number(Texts<'a>),
    Word(Texts<'a>),
    Shown(Texts<'a>),
    List(Cells<'a, ListEntry>, Box<Node<'a>>),
    Array(Validity<'a>, usize, Box<Node<'a>>),
    Struct(Validity<'a>, &'a [String], Vec<Node<'a>>),
    Map(Cells<'a, ListEntry>, Box<Node<'a>>, Box<Node<'a>>),
    Union(Validity<'a>, Cells<'a, u8>, &'a [String], Vec<Node<'a>>),
    Nothing,
}

/// Reads chunks of one result.
pub(super) struct Reader<'c> {
    voice: Voice,
    /// One form a column, known from the first chunk on.
    forms: Vec<Form>,
    casts: Casts<'c>,
}

impl<'c> Reader<'c> {
    pub(super) fn new(connection: &'c Connection, voice: Voice) -> Self {
        let casts = Casts { connection, chunks: Vec::new(), used: 0 };
        Self { voice, forms: Vec::new(), casts }
    }

    /// Gives every row of a chunk to `row`.
    pub(super) fn read<E: From<Refused>>(
        &mut self,
        chunk: &Chunk<'_>,
        row: &mut dyn FnMut(&[Cell<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.prepare(chunk).map_err(Refused)?;
        let mut casts = self.casts.chunks.iter();
        let columns = self.forms.iter().enumerate();
        let nodes = columns.map(|(at, form)| Node::of(chunk.vector(at)?, form, &mut casts));
        let nodes = nodes.collect::<Result<Vec<_>, _>>().map_err(Refused)?;
        let mut rows = Rows::default();
        (0..chunk.rows()).try_for_each(|number| rows.give(&nodes, number, row))
    }

    /// Casts whatever has to be cast, in the order in which [`Node::of`] comes by.
    fn prepare(&mut self, chunk: &Chunk<'_>) -> Result<(), Refusal> {
        if self.forms.is_empty() {
            let forms = (0..chunk.columns()).map(|at| Form::of(chunk.vector(at)?, self.voice));
            self.forms = forms.collect::<Result<_, _>>()?;
        }
        self.casts.used = 0;
        for (at, form) in self.forms.iter().enumerate() {
            self.casts.cast(chunk.vector(at)?, form)?;
        }
        Ok(())
    }
}

/// Columns that were cast. Their chunks are used again for the next chunk of the result.
struct Casts<'c> {
    connection: &'c Connection,
    chunks: Vec<Chunk<'c>>,
    used: usize,
}

impl Casts<'_> {
    fn cast(&mut self, vector: Vector<'_>, form: &Form) -> Result<(), Refusal> {
        match form {
            form if form.is_cast() => self.cast_to("VARCHAR", vector)?,
            Form::Variant => self.cast_to("JSON", vector)?,
            Form::List(element) | Form::Array(_, element) => {
                self.cast(vector.child(0)?, element)?;
            }
            Form::Map(key, value) => {
                let entries = vector.child(0)?;
                self.cast(entries.child(0)?, key)?;
                self.cast(entries.child(1)?, value)?;
            }
            Form::Struct(_, fields) => {
                for (at, field) in fields.iter().enumerate() {
                    self.cast(vector.child(at)?, field)?;
                }
            }
            // The first child of a union is its tags.
            Form::Union(_, members) => {
                for (at, member) in members.iter().enumerate() {
                    self.cast(vector.child(at + 1)?, member)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn cast_to(&mut self, name: &str, vector: Vector<'_>) -> Result<(), Refusal> {
        if self.used == self.chunks.len() {
            let target = self.connection.type_named(name)?;
            self.chunks.push(self.connection.chunk(&target)?);
        }
        self.connection.cast_into(&mut self.chunks[self.used], vector)?;
        self.used += 1;
        Ok(())
    }
}

/// A refusal, on its way to where it is sorted.
pub(super) struct Refused(pub(super) Refusal);

impl<'a> Node<'a> {
    fn of<'c: 'a>(
        vector: Vector<'a>,
        form: &'a Form,
        casts: &mut std::slice::Iter<'a, Chunk<'c>>,
    ) -> Result<Self, Refusal> {
        let mut cast = || casts.next().expect("there is a cast for each").vector(0);
        Ok(match form {
            Form::Plain => Self::Plain(vector.read()?),
            Form::Nothing => Self::Nothing,
            Form::Text => texts(vector)?.map_or(Self::Nothing, Self::Text),
            Form::Json => texts(vector)?.map_or(Self::Nothing, Self::Json),
            Form::Blob => texts(vector)?.map_or(Self::Nothing, Self::Blob),
            Form::Number => texts(cast()?)?.map_or(Self::Nothing, Self::Number),
            Form::Word => texts(cast()?)?.map_or(Self::Nothing, Self::Word),
            Form::Shown => texts(cast()?)?.map_or(Self::Nothing, Self::Shown),
            Form::Variant => texts(cast()?)?.map_or(Self::Nothing, Self::Json),
            Form::List(element) => {
                let Column::List(rows) = vector.read()? else { return Ok(Self::Nothing) };
                Self::List(rows, Box::new(Self::of(vector.child(0)?, element, casts)?))
            }
            Form::Map(key, value) => {
                let Column::List(rows) = vector.read()? else { return Ok(Self::Nothing) };
                let entries = vector.child(0)?;
                entries.read()?;
                let key = Box::new(Self::of(entries.child(0)?, key, casts)?);
                Self::Map(rows, key, Box::new(Self::of(entries.child(1)?, value, casts)?))
            }
            Form::Array(size, element) => {
                let Column::Other(rows) = vector.read()? else { return Ok(Self::Nothing) };
                Self::Array(rows, *size, Box::new(Self::of(vector.child(0)?, element, casts)?))
            }
            Form::Struct(names, fields) => {
                let Column::Other(rows) = vector.read()? else { return Ok(Self::Nothing) };
                Self::Struct(rows, names, below(vector, 0, fields, casts)?)
            }
            Form::Union(names, members) => {
                let Column::Other(rows) = vector.read()? else { return Ok(Self::Nothing) };
                let Column::U8(tags) = vector.child(0)?.read()? else { return Ok(Self::Nothing) };
                Self::Union(rows, tags, names, below(vector, 1, members, casts)?)
            }
        })
    }
}

fn below<'a, 'c: 'a>(
    vector: Vector<'a>,
    first: usize,
    forms: &'a [Form],
    casts: &mut std::slice::Iter<'a, Chunk<'c>>,
) -> Result<Vec<Node<'a>>, Refusal> {
    let numbered = forms.iter().enumerate();
    numbered.map(|(at, form)| Node::of(vector.child(first + at)?, form, casts)).collect()
}

fn texts(vector: Vector<'_>) -> Result<Option<Texts<'_>>, Refusal> {
    Ok(match vector.read()? {
        Column::Bytes(texts) => Some(texts),
        _ => None,
    })
}

/// Makes rows; what it allocates is used again for the next one.
#[derive(Default)]
struct Rows {
    json: String,
    /// Where the document of each nested column is in `json`.
    documents: Vec<(usize, usize)>,
}

impl Rows {
    fn give<E>(
        &mut self,
        nodes: &[Node<'_>],
        row: usize,
        give: &mut dyn FnMut(&[Cell<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.json.clear();
        self.documents.clear();
        for node in nodes.iter().filter(|node| node.is_document()) {
            let start = self.json.len();
            json::write(node, row, &mut self.json);
            self.documents.push((start, self.json.len()));
        }
        let mut documents = self.documents.iter().map(|(start, end)| &self.json[*start..*end]);
        let cells: Vec<Cell<'_>> =
            nodes.iter().map(|node| node.cell(row, &mut documents)).collect();
        give(&cells)
    }
}

impl<'a> Node<'a> {
    /// Whether its values are written as JSON first.
    fn is_document(&self) -> bool {
        matches!(
            self,
            Self::Json(..)
                | Self::List(..)
                | Self::Array(..)
                | Self::Struct(..)
                | Self::Map(..)
                | Self::Union(..)
        )
    }

    /// Returns a cell; `documents` has the JSON of those that have one, in their order.
    fn cell<'r>(&self, row: usize, documents: &mut dyn Iterator<Item = &'r str>) -> Cell<'r>
    where
        'a: 'r,
    {
        let cell = match self {
            Self::Nothing => None,
            Self::Plain(column) => plain(column, row),
            Self::Text(texts) => texts.get(row).map(Cell::Text),
            Self::Blob(texts) => texts.get(row).map(Cell::Blob),
            Self::Number(texts) => texts.get(row).and_then(text).map(number),
            Self::Word(texts) => texts.get(row).and_then(text).map(Cell::Word),
            Self::Shown(texts) => {
                texts.get(row).and_then(text).map(|text| Cell::Nested { text, json: "" })
            }
            Self::Json(..)
            | Self::List(..)
            | Self::Array(..)
            | Self::Struct(..)
            | Self::Map(..)
            | Self::Union(..) => {
                let json = documents.next().unwrap_or("null");
                (json != "null").then_some(Cell::Nested { text: "", json })
            }
        };
        cell.unwrap_or(Cell::Null)
    }
}

/// What DuckDB casts to VARCHAR is UTF-8.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Digits are a number in JSON, too; `nan` and `inf` are not.
fn number(text: &str) -> Cell<'_> {
    match text.ends_with(|last: char| last.is_ascii_digit()) {
        true => Cell::Number(text),
        false => Cell::Word(text),
    }
}

fn plain<'r>(column: &Column<'_>, row: usize) -> Option<Cell<'r>> {
    match column {
        Column::Boolean(cells) => cells.get(row).map(|value| Cell::Boolean(value != 0)),
        Column::I8(cells) => cells.get(row).map(|value| Cell::Integer(value.into())),
        Column::I16(cells) => cells.get(row).map(|value| Cell::Integer(value.into())),
        Column::I32(cells) => cells.get(row).map(|value| Cell::Integer(value.into())),
        Column::I64(cells) => cells.get(row).map(Cell::Integer),
        Column::U8(cells) => cells.get(row).map(|value| Cell::Integer(value.into())),
        Column::U16(cells) => cells.get(row).map(|value| Cell::Integer(value.into())),
        Column::U32(cells) => cells.get(row).map(|value| Cell::Integer(value.into())),
        Column::F32(cells) => cells.get(row).map(|value| Cell::Real(json::widen(value))),
        Column::F64(cells) => cells.get(row).map(Cell::Real),
        Column::Bytes(_) | Column::List(_) | Column::Other(_) => None,
    }
}
