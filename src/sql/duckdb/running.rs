//! A statement, run to its end.

use crate::platform::duckdb::{
    Chunk, Code, Connection, Parsed, Refusal, Rows, Shape, StatementType, TypeId, Value,
};

use super::super::error::SqlError;
use super::super::value::{Cell, Column, Sink};
use super::cells::{Reader, Refused};

/// Sorts an error.
type Sort<'a> = &'a dyn Fn(&Refusal) -> SqlError;

/// Runs a statement, gives its rows to `sink` and returns how many rows it changed.
pub(super) fn run(
    connection: &Connection,
    parsed: &Parsed,
    bound: &[(String, Value<'_>)],
    sink: &mut dyn Sink,
    sort: Sort<'_>,
) -> Result<u64, SqlError> {
    let sorted = |refusal: Refusal| sort(&refusal);
    let mut rows = connection.execute(parsed, bound).map_err(sorted)?;
    match rows.shape() {
        Ok(Shape::DUCKDB_V2_RESULT_TYPE_QUERY_RESULT) => {}
        Ok(_) => return rows.drain().map_err(sorted),
        // It expands into several statements, and tells more once one of them has rows.
        Err(refusal) if refusal.code == Code::DUCKDB_V2_ERROR_INPUT_METADATA_DEFERRED => {}
        Err(refusal) => return Err(sort(&refusal)),
    }
    let first = rows.fetch().map_err(sorted)?;
    if !yields(parsed, &rows, first.as_ref()).map_err(sorted)? {
        return rows.drain().map_err(sorted);
    }
    let given = give(connection, rows, first, sink, sort)?;
    // Every row that such a statement returns is one that it changed.
    let changes = matches!(
        parsed.statement_type(),
        StatementType::DUCKDB_V2_STATEMENT_TYPE_INSERT
            | StatementType::DUCKDB_V2_STATEMENT_TYPE_UPDATE
            | StatementType::DUCKDB_V2_STATEMENT_TYPE_DELETE
            | StatementType::DUCKDB_V2_STATEMENT_TYPE_MERGE_INTO
    );
    Ok(if changes { given } else { 0 })
}

/// Whether there are rows to tell of. A statement like `CHECKPOINT` has a column that says
/// `Success`, without a row.
fn yields(parsed: &Parsed, rows: &Rows<'_>, first: Option<&Chunk<'_>>) -> Result<bool, Refusal> {
    if rows.shape()? != Shape::DUCKDB_V2_RESULT_TYPE_QUERY_RESULT {
        return Ok(false);
    }
    let select = StatementType::DUCKDB_V2_STATEMENT_TYPE_SELECT;
    if parsed.statement_type() == select || first.is_some_and(|chunk| chunk.rows() > 0) {
        return Ok(true);
    }
    let fields = rows.schema()?.fields()?;
    let boolean = TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_BOOLEAN;
    Ok(!matches!(fields.as_slice(), [(name, of)] if name == "Success" && of.id() == boolean))
}

/// Gives rows to the sink, a chunk at a time, so that memory does not grow with them. Returns how
/// many there were.
fn give(
    connection: &Connection,
    mut rows: Rows<'_>,
    first: Option<Chunk<'_>>,
    sink: &mut dyn Sink,
    sort: Sort<'_>,
) -> Result<u64, SqlError> {
    let sorted = |refusal: Refusal| sort(&refusal);
    let mut given = 0;
    let fields = rows.schema().and_then(|schema| schema.fields()).map_err(sorted)?;
    let column = |(name, of): (String, _)| Column { name, type_name: Some(format!("{of}")) };
    let columns: Vec<Column> = fields.into_iter().map(column).collect();
    sink.begin(&columns)?;
    let mut reader = Reader::new(connection, sink.voice());
    let mut next = first;
    while let Some(chunk) = next {
        given += u64::try_from(chunk.rows()).unwrap_or(0);
        let read = reader.read(&chunk, &mut |cells: &[Cell<'_>]| {
            sink.row(cells).map_err(|error| Stop::Sorted(error.into()))
        });
        read.map_err(|stop| match stop {
            Stop::Sorted(error) => error,
            Stop::Refused(refusal) => sort(&refusal),
        })?;
        next = rows.fetch().map_err(sorted)?;
    }
    sink.end()?;
    Ok(given)
}

/// Why no more rows are read.
enum Stop {
    Sorted(SqlError),
    Refused(Refusal),
}

impl From<Refused> for Stop {
    fn from(Refused(refusal): Refused) -> Self {
        Self::Refused(refusal)
    }
}

/// Runs a statement of our own and returns its first column.
pub(super) fn texts(connection: &Connection, sql: &str) -> Result<Vec<String>, Refusal> {
    let text = std::ffi::CString::new(sql).expect("our own statements have no NUL");
    let mut texts = Vec::new();
    let mut script = connection.parse(&text)?;
    while let Some(parsed) = script.parse_next()? {
        let mut rows = connection.execute(&parsed, &[])?;
        while let Some(chunk) = rows.fetch()? {
            if let crate::platform::duckdb::Column::Bytes(names) = chunk.vector(0)?.read()? {
                let names = (0..chunk.rows()).filter_map(|row| names.get(row));
                texts.extend(names.map(|name| String::from_utf8_lossy(name).into_owned()));
            }
        }
    }
    Ok(texts)
}
