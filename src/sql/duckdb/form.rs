//! How the values of a type are told.

use crate::platform::duckdb::{LogicalType, Refusal, TypeId, Vector};

use super::super::value::Voice;

/// How the values of a column, or of what lies below one, are told.
#[derive(Debug)]
pub(super) enum Form {
    /// As they are stored: BOOLEAN, integers, FLOAT, DOUBLE.
    Plain,
    /// VARCHAR.
    Text,
    /// VARCHAR that should hold a JSON document.
    Json,
    /// BLOB.
    Blob,
    /// Digits, once cast to VARCHAR; `nan` and `inf` too.
    Number,
    /// A text, once cast to VARCHAR.
    Word,
    /// Nested, but wanted as DuckDB's text of it.
    Shown,
    /// A VARIANT, which DuckDB itself makes JSON of.
    Variant,
    /// LIST, with the form of its elements.
    List(Box<Form>),
    /// ARRAY, with its size and the form of its elements.
    Array(usize, Box<Form>),
    /// STRUCT: names and forms of its fields.
    Struct(Vec<String>, Vec<Form>),
    /// MAP: the forms of keys and values.
    Map(Box<Form>, Box<Form>),
    /// UNION: names and forms of its members.
    Union(Vec<String>, Vec<Form>),
    /// No value at all: the type of a bare NULL.
    Nothing,
}

impl Form {
    /// Returns the form of a column for a voice.
    pub(super) fn of(column: Vector<'_>, voice: Voice) -> Result<Self, Refusal> {
        let whole = column.logical_type()?;
        Ok(match voice {
            Voice::Json => below(column, &whole)?,
            Voice::Text => shown(&whole),
        })
    }

    /// Whether it has to be cast to VARCHAR.
    pub(super) fn is_cast(&self) -> bool {
        matches!(self, Self::Number | Self::Word | Self::Shown)
    }
}

/// The form of a column as DuckDB's shell shows it. Floating-point numbers are cast, because
/// their digits are DuckDB's.
fn shown(whole: &LogicalType<'_>) -> Form {
    match whole.id() {
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_SQLNULL => Form::Nothing,
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_FLOAT | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_DOUBLE => {
            Form::Number
        }
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_VARCHAR => Form::Text,
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_BLOB => Form::Word,
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_LIST
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_ARRAY
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_STRUCT
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_TUPLE
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_MAP
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_UNION
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_VARIANT => Form::Shown,
        id => scalar(id),
    }
}

fn scalar(id: TypeId) -> Form {
    match id {
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_BOOLEAN
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_TINYINT
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_SMALLINT
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_INTEGER
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_BIGINT
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_UTINYINT
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_USMALLINT
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_UINTEGER
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_FLOAT
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_DOUBLE => Form::Plain,
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_UBIGINT
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_HUGEINT
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_UHUGEINT
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_BIGNUM
        | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_DECIMAL => Form::Number,
        _ => Form::Word,
    }
}

/// The form of a vector and of everything below it, for JSON.
fn below(vector: Vector<'_>, whole: &LogicalType<'_>) -> Result<Form, Refusal> {
    let child = |place| {
        let child = vector.child(place)?;
        below(child, &child.logical_type()?)
    };
    let children = |first: usize, names: &[String]| {
        (first..first + names.len()).map(child).collect::<Result<Vec<_>, _>>()
    };
    Ok(match whole.id() {
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_SQLNULL => Form::Nothing,
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_VARCHAR if whole.name() == "JSON" => Form::Json,
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_VARCHAR => Form::Text,
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_BLOB => Form::Blob,
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_VARIANT => Form::Variant,
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_LIST => Form::List(Box::new(child(0)?)),
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_ARRAY => {
            Form::Array(whole.array_size()?, Box::new(child(0)?))
        }
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_STRUCT | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_TUPLE => {
            let names = whole.field_names()?;
            let children = children(0, &names)?;
            Form::Struct(names, children)
        }
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_MAP => {
            let entries = vector.child(0)?;
            let part = |place| {
                let part = entries.child(place)?;
                below(part, &part.logical_type()?).map(Box::new)
            };
            Form::Map(part(0)?, part(1)?)
        }
        // The first child of a union is its tags.
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_UNION => {
            let names = whole.field_names()?;
            let children = children(1, &names)?;
            Form::Union(names, children)
        }
        id => scalar(id),
    })
}
