//! The rows of a result, some thousand at a time.

use std::marker::PhantomData;

use libduckdb_sys::v2 as c;

use super::connection::Connection;
use super::failure::{Refusal, call};
use super::handle::Owned;
use super::logical_type::Schema;
use super::vector::Vector;

/// What a statement yields.
pub use c::DUCKDB_V2_RESULT_TYPE as Shape;

/// A statement that runs. Dropping it before its end aborts it.
#[derive(Debug)]
pub struct Rows<'c> {
    result: Owned<c::_duckdb_v2_result>,
    _connection: PhantomData<&'c Connection>,
}

impl<'c> Rows<'c> {
    pub(super) fn of(result: Owned<c::_duckdb_v2_result>) -> Self {
        Self { result, _connection: PhantomData }
    }

    /// Returns what it yields.
    ///
    /// # Errors
    /// While that is not known yet: a statement that expands into several.
    pub fn shape(&self) -> Result<Shape, Refusal> {
        let mut shape = Shape::DUCKDB_V2_RESULT_TYPE_NOTHING;
        // SAFETY: the handle is alive, and the slots live for the call.
        call(|error| unsafe {
            c::duckdb_v2_result_get_result_type(self.result.raw(), &raw mut shape, error)
        })?;
        Ok(shape)
    }

    /// Returns the columns.
    ///
    /// # Errors
    /// As [`Rows::shape`].
    pub fn schema(&self) -> Result<Schema<'c>, Refusal> {
        // SAFETY: the handle is alive, and the slots live for the call.
        let make =
            |slot, error| unsafe { c::duckdb_v2_result_get_schema(self.result.raw(), slot, error) };
        Ok(Schema::of(Owned::made(c::duckdb_v2_schema_destroy, make)?))
    }

    /// Works until there are more rows, and returns them; `None` at the end. Blocks.
    ///
    /// # Errors
    /// What goes wrong in the statement, an interruption too.
    pub fn fetch(&mut self) -> Result<Option<Chunk<'c>>, Refusal> {
        // SAFETY: the handle is alive, and the slots live for the call.
        let make = |slot, error| unsafe {
            c::duckdb_v2_result_fetch_chunk(self.result.raw(), slot, error)
        };
        let chunk = Owned::made(c::duckdb_v2_data_chunk_destroy, make)?;
        Ok((!chunk.raw().is_null()).then_some(Chunk::of(chunk)))
    }

    /// Works until the end, and returns how many rows were changed. Blocks.
    ///
    /// # Errors
    /// As [`Rows::fetch`].
    pub fn drain(&mut self) -> Result<u64, Refusal> {
        let mut changed = 0;
        // SAFETY: the handle is alive, and the slots live for the call.
        call(|error| unsafe {
            c::duckdb_v2_result_drain(self.result.raw(), &raw mut changed, error)
        })?;
        Ok(changed)
    }
}

/// Some rows, column by column.
#[derive(Debug)]
pub struct Chunk<'c> {
    handle: Owned<c::_duckdb_v2_data_chunk>,
    _connection: PhantomData<&'c Connection>,
}

impl Chunk<'_> {
    pub(super) fn of(handle: Owned<c::_duckdb_v2_data_chunk>) -> Self {
        Self { handle, _connection: PhantomData }
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> usize {
        let (mut size, none) = (0, std::ptr::null_mut());
        // SAFETY: the handle is alive and the slot lives for the call, which cannot fail then.
        unsafe { c::duckdb_v2_data_chunk_get_size(self.handle.raw(), &raw mut size, none) };
        usize::try_from(size).unwrap_or(0)
    }

    /// Returns how many columns there are.
    pub fn columns(&self) -> usize {
        let (mut count, none) = (0, std::ptr::null_mut());
        // SAFETY: the handle is alive and the slot lives for the call, which cannot fail then.
        unsafe {
            c::duckdb_v2_data_chunk_get_vector_count(self.handle.raw(), &raw mut count, none)
        };
        usize::try_from(count).unwrap_or(0)
    }

    /// Returns a column.
    ///
    /// # Errors
    /// When there is none with this number.
    pub fn vector(&self, column: usize) -> Result<Vector<'_>, Refusal> {
        let (mut vector, column) = (std::ptr::null_mut(), column as c::idx_t);
        // SAFETY: the handle is alive, and the slots live for the call.
        call(|error| unsafe {
            let slot = &raw mut vector;
            c::duckdb_v2_data_chunk_get_vector(self.handle.raw(), column, slot, error)
        })?;
        // SAFETY: the vector is the chunk's.
        Ok(unsafe { Vector::of(vector) })
    }
}
