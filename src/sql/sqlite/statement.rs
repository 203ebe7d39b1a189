//! A compiled statement of SQLite, and its rows.

use rusqlite::types::{Null, ValueRef};
use rusqlite::{Connection, Statement as Compiled};

use super::super::engine::{Judged, Kind, Statement};
use super::super::error::SqlError;
use super::super::parameters::{Parameters, Value};
use super::super::value::{Cell, Column, Sink};
use super::errors::{Context, from_sqlite};

/// A statement, compiled and judged.
pub(super) struct Prepared<'a> {
    connection: &'a Connection,
    compiled: Compiled<'a>,
    kind: Kind,
    context: Context<'a>,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        compiled: Compiled<'a>,
        kind: Kind,
        context: Context<'a>,
    ) -> Self {
        Self { connection, compiled, kind, context }
    }

    /// Returns the name of a parameter without its prefix; `?7` is a number and no name.
    fn name_of(&self, place: usize) -> Option<&str> {
        let name = self.compiled.parameter_name(place)?;
        (!name.starts_with('?')).then(|| &name[1..])
    }

    fn bind(&mut self, parameters: &Parameters) -> Result<(), SqlError> {
        for place in 1..=self.compiled.parameter_count() {
            let value = parameters.value(place, self.name_of(place))?;
            let bound = match value {
                Value::Text(text) => self.compiled.raw_bind_parameter(place, text),
                Value::Null => self.compiled.raw_bind_parameter(place, Null),
                Value::Boolean(truth) => self.compiled.raw_bind_parameter(place, truth),
                Value::Integer(number) => self.compiled.raw_bind_parameter(place, number),
                Value::Real(number) => self.compiled.raw_bind_parameter(place, number),
            };
            bound.map_err(|error| from_sqlite(&error, self.context))?;
        }
        Ok(())
    }
}

impl Judged for Prepared<'_> {
    fn kind(&self) -> Kind {
        self.kind.clone()
    }

    fn parameters(&self) -> Vec<Option<String>> {
        let places = 1..=self.compiled.parameter_count();
        places.map(|place| self.name_of(place).map(str::to_owned)).collect()
    }
}

impl Statement for Prepared<'_> {
    fn run(&mut self, parameters: &Parameters, sink: &mut dyn Sink) -> Result<u64, SqlError> {
        self.bind(parameters)?;
        let context = self.context;
        let failed = |error: rusqlite::Error| from_sqlite(&error, context);
        let column = |column: rusqlite::Column<'_>| Column {
            name: column.name().to_owned(),
            type_name: column.decl_type().map(str::to_owned),
        };
        let columns: Vec<Column> = self.compiled.columns().map(column).collect();
        let before = self.connection.total_changes();
        let mut rows = self.compiled.raw_query();
        let mut first = true;
        loop {
            let row = rows.next().map_err(failed)?;
            if std::mem::take(&mut first) && !columns.is_empty() {
                sink.begin(&columns)?;
            }
            let Some(row) = row else { break };
            let mut cells = Vec::with_capacity(columns.len());
            for index in 0..columns.len() {
                cells.push(cell(row.get_ref(index).map_err(failed)?));
            }
            sink.row(&cells)?;
        }
        if !columns.is_empty() {
            sink.end()?;
        }
        // What triggers and foreign keys changed besides is not told: sqlite3_changes.
        let has_changed = self.connection.total_changes() != before;
        Ok(if has_changed { self.connection.changes() } else { 0 })
    }
}

fn cell(value: ValueRef<'_>) -> Cell<'_> {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(text) => Cell::Text(text),
        ValueRef::Blob(bytes) => Cell::Blob(bytes),
    }
}
