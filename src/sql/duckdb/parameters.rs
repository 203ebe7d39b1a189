//! The parameters of a statement, and the values for them.

use crate::platform::duckdb::Value as Bound;
use crate::platform::duckdb::{Code, Connection, LogicalType, Parsed, Refusal, TypeId};

use super::super::error::{SqlError, Trouble};
use super::super::parameters::{Parameters, Value};
use super::failure::sorted;

/// Returns the parameters as [`super::super::engine::Judged::parameters`] does: those without a
/// name by number, gaps included.
pub(super) fn names(parsed: &Parsed) -> Result<Vec<Option<String>>, Refusal> {
    let mut names = Vec::new();
    for name in parsed.parameters()? {
        match number(&name) {
            Some(number) => names.resize(number.max(names.len()), None),
            None => names.push(Some(name)),
        }
    }
    Ok(names)
}

/// The number of a parameter without a name. DuckDB has no more than 65535.
fn number(name: &str) -> Option<usize> {
    name.parse::<u16>().ok().map(usize::from)
}

/// Returns a value for every parameter, of the type that is expected there.
pub(super) fn bind<'c>(
    connection: &'c Connection,
    parsed: &Parsed,
    given: &Parameters,
) -> Result<Vec<(String, Bound<'c>)>, SqlError> {
    let names = parsed.parameters().map_err(|refusal| sorted(&refusal))?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let types = expected(connection, parsed)?;
    let bound = names.into_iter().enumerate().map(|(place, name)| {
        let value = match number(&name) {
            Some(number) => given.value(number, None)?,
            None => given.value(place + 1, Some(&name))?,
        };
        let bound = made(connection, value, types.get(place), &name)?;
        Ok((name, bound))
    });
    bound.collect()
}

/// Returns the types that are expected, in order; none where the statement tells them too late.
fn expected<'c>(
    connection: &'c Connection,
    parsed: &Parsed,
) -> Result<Vec<LogicalType<'c>>, SqlError> {
    let schema = match connection.expected(parsed) {
        Ok(schema) => schema,
        Err(refusal) if refusal.code == Code::DUCKDB_V2_ERROR_INPUT_METADATA_DEFERRED => {
            return Ok(Vec::new());
        }
        Err(refusal) => return Err(sorted(&refusal)),
    };
    let fields = schema.fields().map_err(|refusal| sorted(&refusal))?;
    Ok(fields.into_iter().map(|(_, expected)| expected).collect())
}

fn made<'c>(
    connection: &'c Connection,
    value: &Value,
    expected: Option<&LogicalType<'_>>,
    name: &str,
) -> Result<Bound<'c>, SqlError> {
    let made = match value {
        Value::Text(text) => connection.text(text),
        Value::Null => connection.null(),
        Value::Boolean(value) => connection.boolean(*value),
        Value::Integer(value) => connection.integer(*value),
        Value::Real(value) => connection.real(*value),
    };
    let made = made.map_err(|refusal| sorted(&refusal))?;
    match expected {
        Some(expected) if matches!(value, Value::Text(_)) && is_known(expected) => {
            connection.cast(&made, expected).map_err(|refusal| unfit(&refusal, name))
        }
        _ => Ok(made),
    }
}

/// Whether DuckDB knows what it wants in this place.
fn is_known(expected: &LogicalType<'_>) -> bool {
    !matches!(
        expected.id(),
        TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_INVALID
            | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_SQLNULL
            | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_UNKNOWN
            | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_ANY
            | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_VARCHAR
    )
}

fn unfit(refusal: &Refusal, name: &str) -> SqlError {
    let error = sorted(refusal);
    let name = number(name).map_or_else(|| format!("`{name}`"), |number| format!("?{number}"));
    let words = error.message.split_once("Failed to cast value: ");
    let why = words.map_or(error.message.as_str(), |(_, why)| why);
    let message = format!("parameter {name}: {why}");
    SqlError { message, trouble: Trouble::Statement, ..error }
}
