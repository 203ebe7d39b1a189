//! A connection: parses, binds, runs, casts.

use std::ffi::CStr;
use std::sync::Arc;

use libduckdb_sys::v2 as c;

use super::chunk::{Chunk, Rows};
use super::failure::{Refusal, call};
use super::handle::{Owned, lend};
use super::instance::{Scope, write_option};
use super::logical_type::{LogicalType, Schema};
use super::script::{Parsed, Script, Token, read_tokens};
use super::value::Value;
use super::vector::Vector;

/// A connection to an instance. Dropping it rolls back what was not committed.
#[derive(Debug)]
pub struct Connection {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle(Owned<c::_duckdb_v2_connection>);

// SAFETY: the only functions that are called from several threads at once are those of
// `Interrupter`, of which the C API says that they may be; giving the connection back takes no
// particular thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// Interrupts a connection, and asks how far it is, from any thread.
#[derive(Clone, Debug)]
pub struct Interrupter {
    handle: Arc<Handle>,
}

impl Interrupter {
    /// Makes the statement that runs now, if any, fail.
    pub fn interrupt(&self) {
        // SAFETY: the handle is alive; no error is asked for.
        unsafe { c::duckdb_v2_connection_interrupt(self.handle.0.raw(), std::ptr::null_mut()) };
    }

    /// Returns how far the statement is that runs now: percent, where that is known.
    pub fn progress(&self) -> Option<f64> {
        let (mut percent, mut done, mut total) = (-1.0, 0, 0);
        // SAFETY: the handle is alive, and the slots live for the call.
        let asked = call(|error| unsafe {
            c::duckdb_v2_connection_progress_get(
                self.handle.0.raw(),
                &raw mut percent,
                &raw mut done,
                &raw mut total,
                error,
            )
        });
        (asked.is_ok() && percent >= 0.0).then_some(percent)
    }
}

impl Connection {
    pub(super) fn of(handle: Owned<c::_duckdb_v2_connection>) -> Self {
        // The handle is shared with `Interrupter` alone, for which `Handle` is what it needs to be.
        Self { handle: Arc::new(Handle(handle)) }
    }

    fn raw(&self) -> c::duckdb_v2_connection_handle {
        self.handle.0.raw()
    }

    /// Returns what interrupts this connection.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter { handle: Arc::clone(&self.handle) }
    }

    fn factory(&self) -> Result<c::duckdb_v2_factory_handle, Refusal> {
        let mut factory = std::ptr::null_mut();
        // SAFETY: the handle is alive, and the slot lives for the call.
        call(|error| unsafe {
            c::duckdb_v2_connection_get_factory(self.raw(), &raw mut factory, error)
        })?;
        Ok(factory)
    }

    /// Sets an option of the connection, as SQL's `SET` does.
    ///
    /// # Errors
    /// When it is unknown or the setting makes no sense.
    pub fn set(&self, option: &str, setting: &str) -> Result<(), Refusal> {
        let mut config = std::ptr::null_mut();
        // SAFETY: the handle is alive, and both slots live for the call.
        call(|error| unsafe {
            c::duckdb_v2_connection_get_config(self.raw(), &raw mut config, error)
        })?;
        // SAFETY: the configuration is the connection's own.
        unsafe { write_option(config, option, setting.as_bytes(), Scope::Connection) }
    }

    /// Begins to parse a script; each statement is parsed when its turn comes. No catalog is
    /// looked at and no file is touched.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn parse(&self, sql: &CStr) -> Result<Script<'_>, Refusal> {
        // SAFETY: the handle is alive; the text lives for the call and is copied.
        let make =
            |slot, error| unsafe { c::duckdb_v2_parse_sql(self.raw(), sql.as_ptr(), slot, error) };
        Ok(Script::of(Owned::made(c::duckdb_v2_statement_iterator_destroy, make)?))
    }

    /// Returns the tokens of a text, which need not be correct SQL.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn tokens(&self, sql: &str) -> Result<Vec<Token>, Refusal> {
        let text = lend(sql.as_bytes());
        // SAFETY: the handle is alive, and the text lives for the call.
        let make = |slot, error| unsafe {
            c::duckdb_v2_tokenize_sql(self.raw(), &raw const text, slot, error)
        };
        read_tokens(&Owned::made(c::duckdb_v2_token_iterator_destroy, make)?)
    }

    /// Returns the types that a statement expects of its parameters, in the order of
    /// [`Parsed::parameters`].
    ///
    /// # Errors
    /// What is wrong with the statement.
    pub fn expected(&self, statement: &Parsed) -> Result<Schema<'_>, Refusal> {
        let mut columns = std::ptr::null_mut();
        let output = &raw mut columns;
        // SAFETY: both handles are alive, and the slots live for the call.
        let make = |slot, error| unsafe {
            c::duckdb_v2_statement_bind(self.raw(), statement.raw(), output, slot, error)
        };
        let parameters = Owned::made(c::duckdb_v2_schema_destroy, make);
        drop(Owned::of(columns, c::duckdb_v2_schema_destroy));
        Ok(Schema::of(parameters?))
    }

    /// Prepares a statement to run, with a value for each of [`Parsed::parameters`]. The work is
    /// done while the rows are fetched.
    ///
    /// # Errors
    /// What is wrong with the statement; or that another one still runs.
    pub fn execute(
        &self,
        statement: &Parsed,
        parameters: &[(String, Value<'_>)],
    ) -> Result<Rows<'_>, Refusal> {
        let names: Vec<_> = parameters.iter().map(|(name, _)| lend(name.as_bytes())).collect();
        let values: Vec<_> = parameters.iter().map(|(_, value)| value.raw()).collect();
        let make = |slot, error| {
            let count = parameters.len() as c::idx_t;
            let (names, values) = (names.as_ptr(), values.as_ptr());
            // SAFETY: the handles are alive; both arrays have `count` entries, which live for the
            // call and are copied.
            unsafe {
                c::duckdb_v2_statement_execute(
                    self.raw(),
                    statement.raw(),
                    names,
                    values,
                    count,
                    slot,
                    error,
                )
            }
        };
        Ok(Rows::of(Owned::made(c::duckdb_v2_result_destroy, make)?))
    }

    /// Returns the null value, without a type.
    ///
    /// # Errors
    /// When memory ran out, as with every value.
    pub fn null(&self) -> Result<Value<'_>, Refusal> {
        let untyped = self.type_named("\"NULL\"")?;
        let factory = self.factory()?;
        // SAFETY: both handles are alive, and the slots live for the call.
        Value::made(|slot, error| unsafe {
            c::duckdb_v2_value_create_null(factory, untyped.raw(), slot, error)
        })
    }

    /// Returns a truth value.
    ///
    /// # Errors
    /// As [`Connection::null`].
    pub fn boolean(&self, value: bool) -> Result<Value<'_>, Refusal> {
        let factory = self.factory()?;
        // SAFETY: the factory is the connection's, and the slots live for the call.
        Value::made(|slot, error| unsafe {
            c::duckdb_v2_value_create_bool(factory, value, slot, error)
        })
    }

    /// Returns a BIGINT.
    ///
    /// # Errors
    /// As [`Connection::null`].
    pub fn integer(&self, value: i64) -> Result<Value<'_>, Refusal> {
        let factory = self.factory()?;
        // SAFETY: the factory is the connection's, and the slots live for the call.
        Value::made(|slot, error| unsafe {
            c::duckdb_v2_value_create_bigint(factory, value, slot, error)
        })
    }

    /// Returns a DOUBLE.
    ///
    /// # Errors
    /// As [`Connection::null`].
    pub fn real(&self, value: f64) -> Result<Value<'_>, Refusal> {
        let factory = self.factory()?;
        // SAFETY: the factory is the connection's, and the slots live for the call.
        Value::made(|slot, error| unsafe {
            c::duckdb_v2_value_create_double(factory, value, slot, error)
        })
    }

    /// Returns a VARCHAR.
    ///
    /// # Errors
    /// As [`Connection::null`].
    pub fn text(&self, value: &str) -> Result<Value<'_>, Refusal> {
        let (factory, value) = (self.factory()?, lend(value.as_bytes()));
        // SAFETY: the factory is the connection's; the text lives for the call and is copied.
        Value::made(|slot, error| unsafe {
            c::duckdb_v2_value_create_varchar(factory, &raw const value, slot, error)
        })
    }

    /// Converts a value as SQL's `CAST` does.
    ///
    /// # Errors
    /// When it does not convert.
    pub fn cast(&self, value: &Value<'_>, to: &LogicalType<'_>) -> Result<Value<'_>, Refusal> {
        let factory = self.factory()?;
        // SAFETY: the handles are alive, and the slots live for the call.
        Value::made(|slot, error| unsafe {
            c::duckdb_v2_value_cast(factory, value.raw(), to.raw(), slot, error)
        })
    }

    /// Returns the type with this name in SQL.
    ///
    /// # Errors
    /// When there is none.
    pub fn type_named(&self, name: &str) -> Result<LogicalType<'_>, Refusal> {
        let (factory, name) = (self.factory()?, lend(name.as_bytes()));
        // SAFETY: the factory is the connection's, and the text lives for the call.
        LogicalType::made(|slot, error| unsafe {
            c::duckdb_v2_factory_create_type_from_text(factory, &raw const name, slot, error)
        })
    }

    /// Returns a chunk with one column, to cast into.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn chunk(&self, of: &LogicalType<'_>) -> Result<Chunk<'_>, Refusal> {
        let (factory, column) = (self.factory()?, of.raw());
        // SAFETY: the factory is the connection's, and the one type is alive for the call.
        let make = |slot, error| unsafe {
            c::duckdb_v2_data_chunk_create(factory, &raw const column, 1, slot, error)
        };
        Ok(Chunk::of(Owned::made(c::duckdb_v2_data_chunk_destroy, make)?))
    }

    /// Casts every row of a vector into the first column of a chunk.
    ///
    /// # Errors
    /// When a row does not convert.
    pub fn cast_into(&self, target: &mut Chunk<'_>, source: Vector<'_>) -> Result<(), Refusal> {
        let (factory, none) = (self.factory()?, std::ptr::null_mut());
        let target = target.vector(0)?;
        let mode = c::DUCKDB_V2_CAST_MODE::DUCKDB_V2_CAST_MODE_NORMAL;
        // SAFETY: all three are alive. Nothing is borrowed from the target: it is borrowed
        // mutably here. It is another chunk than the source's, which is borrowed too.
        call(|error| unsafe {
            c::duckdb_v2_vector_cast(
                factory,
                source.raw(),
                target.raw(),
                mode,
                std::ptr::null_mut(),
                none,
                error,
            )
        })
    }
}
