//! Parsed statements, and tokens.

use std::marker::PhantomData;

use libduckdb_sys::v2 as c;

use super::connection::Connection;
use super::failure::{Refusal, call};
use super::handle::{Owned, bytes_of};

/// What kind of statement the parser saw.
pub use c::DUCKDB_V2_STATEMENT_TYPE as StatementType;
/// What kind of token the tokenizer saw.
pub use c::DUCKDB_V2_TOKEN_TYPE as TokenType;

/// A script that is being parsed.
#[derive(Debug)]
pub struct Script<'c> {
    iterator: Owned<c::_duckdb_v2_statement_iterator>,
    _connection: PhantomData<&'c Connection>,
}

impl Script<'_> {
    pub(super) fn of(iterator: Owned<c::_duckdb_v2_statement_iterator>) -> Self {
        Self { iterator, _connection: PhantomData }
    }

    /// Parses the next statement; `None` at the end.
    ///
    /// # Errors
    /// A syntax error; after one, the script is at its end.
    pub fn parse_next(&mut self) -> Result<Option<Parsed>, Refusal> {
        // SAFETY: the iterator is alive, and the slots live for the call.
        let make = |slot, error| unsafe {
            c::duckdb_v2_statement_iterator_next(self.iterator.raw(), slot, error)
        };
        let statement = Owned::made(c::duckdb_v2_sql_statement_destroy, make)?;
        Ok((!statement.raw().is_null()).then_some(Parsed { statement }))
    }
}

/// A parsed statement.
#[derive(Debug)]
pub struct Parsed {
    statement: Owned<c::_duckdb_v2_sql_statement>,
}

impl Parsed {
    pub(super) fn raw(&self) -> c::duckdb_v2_sql_statement_handle {
        self.statement.raw()
    }

    /// Returns what kind of statement it is.
    pub fn statement_type(&self) -> StatementType {
        let mut kind = StatementType::DUCKDB_V2_STATEMENT_TYPE_INVALID;
        let none = std::ptr::null_mut();
        // SAFETY: the handle is alive and the slot lives for the call, which cannot fail then.
        unsafe { c::duckdb_v2_sql_statement_get_type(self.raw(), &raw mut kind, none) };
        kind
    }

    /// Returns its own text, up to and with the semicolon and what white space follows.
    pub fn text(&self) -> &str {
        let mut text = c::duckdb_v2_str::default();
        let none = std::ptr::null_mut();
        // SAFETY: the handle is alive and the slot lives for the call, which cannot fail then.
        unsafe { c::duckdb_v2_sql_statement_get_text(self.raw(), &raw mut text, none) };
        // SAFETY: the text is the statement's.
        std::str::from_utf8(unsafe { bytes_of(text) }).unwrap_or_default()
    }

    /// Returns the names of its parameters in their order: a number for those without a name.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn parameters(&self) -> Result<Vec<String>, Refusal> {
        let mut count = 0;
        // SAFETY: the handle is alive, and the slots live for the call.
        call(|error| unsafe {
            c::duckdb_v2_sql_statement_get_parameter_count(self.raw(), &raw mut count, error)
        })?;
        (0..count).map(|place| self.parameter(place)).collect()
    }

    fn parameter(&self, place: c::idx_t) -> Result<String, Refusal> {
        let mut name = c::duckdb_v2_str::default();
        let slot = &raw mut name;
        // SAFETY: the handle is alive, and the slots live for the call.
        call(|error| unsafe {
            c::duckdb_v2_sql_statement_get_parameter_name(self.raw(), place, slot, error)
        })?;
        // SAFETY: the name is the statement's.
        Ok(String::from_utf8_lossy(unsafe { bytes_of(name) }).into_owned())
    }
}

/// A token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub token_type: TokenType,
    /// Where it begins: bytes.
    pub start: usize,
    /// How long it is: bytes.
    pub length: usize,
}

pub(super) fn read_tokens(
    iterator: &Owned<c::_duckdb_v2_token_iterator>,
) -> Result<Vec<Token>, Refusal> {
    let mut tokens = Vec::new();
    loop {
        let mut token_type = TokenType::DUCKDB_V2_TOKEN_TYPE_INVALID;
        let (mut start, mut length) = (0, 0);
        let (kind, from, size) = (&raw mut token_type, &raw mut start, &raw mut length);
        // SAFETY: the iterator is alive, and the slots live for the call.
        call(|error| unsafe {
            c::duckdb_v2_token_iterator_next(iterator.raw(), kind, from, size, error)
        })?;
        if token_type == TokenType::DUCKDB_V2_TOKEN_TYPE_END_OF_INPUT {
            return Ok(tokens);
        }
        tokens.push(Token { token_type, start: start as usize, length: length as usize });
    }
}
