//! Types, and the columns of a result.

use std::fmt;
use std::marker::PhantomData;

use libduckdb_sys::v2 as c;

use super::connection::Connection;
use super::failure::{Code, Refusal, call};
use super::handle::{Owned, bytes_of};

/// The kind of a type.
pub use c::DUCKDB_V2_LOGICAL_TYPE_ID as TypeId;

/// A type with its parameters.
#[derive(Debug)]
pub struct LogicalType<'c> {
    handle: Owned<c::_duckdb_v2_logical_type>,
    _connection: PhantomData<&'c Connection>,
}

impl LogicalType<'_> {
    pub(super) fn made(
        make: impl FnOnce(
            *mut c::duckdb_v2_logical_type_handle,
            *mut c::duckdb_v2_error_info_handle,
        ) -> Code,
    ) -> Result<Self, Refusal> {
        let handle = Owned::made(c::duckdb_v2_logical_type_destroy, make)?;
        Ok(Self { handle, _connection: PhantomData })
    }

    pub(super) fn raw(&self) -> c::duckdb_v2_logical_type_handle {
        self.handle.raw()
    }

    /// Returns its kind.
    pub fn id(&self) -> TypeId {
        id_of(self.raw())
    }

    /// Returns its alias, such as `JSON`, or else the name of its kind.
    pub fn name(&self) -> String {
        let (mut name, none) = (c::duckdb_v2_str::default(), std::ptr::null_mut());
        // SAFETY: the handle is alive and the slot lives for the call, which cannot fail then.
        unsafe { c::duckdb_v2_logical_type_get_name(self.raw(), &raw mut name, none) };
        // SAFETY: the name is the type's.
        String::from_utf8_lossy(unsafe { bytes_of(name) }).into_owned()
    }

    /// Returns the names of its parameters: fields of a struct, members of a union; empty for
    /// those without a name.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn field_names(&self) -> Result<Vec<String>, Refusal> {
        let mut count = 0;
        // SAFETY: the handle is alive, and the slots live for the call.
        call(|error| unsafe {
            c::duckdb_v2_logical_type_get_param_count(self.raw(), &raw mut count, error)
        })?;
        (0..count).map(|place| Ok(self.parameter(place)?.0)).collect()
    }

    /// Returns how many elements each row of an ARRAY has.
    ///
    /// # Errors
    /// When it is not an ARRAY.
    pub fn array_size(&self) -> Result<usize, Refusal> {
        let (_, value) = self.parameter(1)?;
        let mut size = 0;
        // SAFETY: the value is alive, and the slots live for the call.
        call(|error| unsafe { c::duckdb_v2_value_get_bigint(value.raw(), &raw mut size, error) })?;
        Ok(usize::try_from(size).unwrap_or(0))
    }

    fn parameter(&self, place: c::idx_t) -> Result<(String, Owned<c::_duckdb_v2_value>), Refusal> {
        let mut name = c::duckdb_v2_str::default();
        let named = &raw mut name;
        // SAFETY: the handle is alive, and the slots live for the call.
        let value = Owned::made(c::duckdb_v2_value_destroy, |slot, error| unsafe {
            c::duckdb_v2_logical_type_get_param(self.raw(), place, named, slot, error)
        })?;
        // SAFETY: the name is the type's.
        Ok((String::from_utf8_lossy(unsafe { bytes_of(name) }).into_owned(), value))
    }
}

fn id_of(handle: c::duckdb_v2_logical_type_handle) -> TypeId {
    let (mut id, none) = (TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_INVALID, std::ptr::null_mut());
    // SAFETY: the handle is alive and the slot lives for the call, which cannot fail then.
    unsafe { c::duckdb_v2_logical_type_get_id(handle, &raw mut id, none) };
    id
}

/// Names with types: the columns of a result, or the parameters of a statement.
#[derive(Debug)]
pub struct Schema<'c> {
    handle: Owned<c::_duckdb_v2_schema>,
    _connection: PhantomData<&'c Connection>,
}

impl<'c> Schema<'c> {
    pub(super) fn of(handle: Owned<c::_duckdb_v2_schema>) -> Self {
        Self { handle, _connection: PhantomData }
    }

    /// Returns every name with its type.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn fields(&self) -> Result<Vec<(String, LogicalType<'c>)>, Refusal> {
        let mut count = 0;
        // SAFETY: the handle is alive, and the slots live for the call.
        call(|error| unsafe {
            c::duckdb_v2_schema_get_count(self.handle.raw(), &raw mut count, error)
        })?;
        (0..count).map(|place| self.field(place)).collect()
    }

    fn field(&self, place: c::idx_t) -> Result<(String, LogicalType<'c>), Refusal> {
        let (mut name, mut borrowed) = (c::duckdb_v2_str::default(), std::ptr::null_mut());
        let (named, typed) = (&raw mut name, &raw mut borrowed);
        // SAFETY: the handle is alive, and the slots live for the call.
        call(|error| unsafe {
            c::duckdb_v2_schema_get_field(self.handle.raw(), place, named, typed, error)
        })?;
        // SAFETY: the name is the schema's.
        let name = String::from_utf8_lossy(unsafe { bytes_of(name) }).into_owned();
        // SAFETY: the schema's own type lives as long as the schema; it is copied.
        let copy = LogicalType::made(|slot, error| unsafe {
            c::duckdb_v2_logical_type_copy(borrowed, slot, error)
        })?;
        Ok((name, copy))
    }
}

impl fmt::Display for LogicalType<'_> {
    /// Writes the type as SQL does, parameters and all.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ask = |buffer: &mut [u8]| {
            let start = if buffer.is_empty() { std::ptr::null_mut() } else { buffer.as_mut_ptr() };
            let (start, size, mut length) = (start.cast(), buffer.len() as c::idx_t, 0);
            // SAFETY: the handle is alive, and there are `size` bytes, or no buffer at all.
            call(|error| unsafe {
                c::duckdb_v2_logical_type_to_text(self.raw(), start, size, &raw mut length, error)
            })?;
            Ok(usize::try_from(length).unwrap_or(0))
        };
        let told: Result<_, Refusal> = ask(&mut []).and_then(|length| {
            let mut text = vec![0; length + 1];
            ask(&mut text).map(|_length| text)
        });
        let mut text = told.map_err(|_no_memory| fmt::Error)?;
        // The last byte is the NUL of C strings.
        text.pop();
        formatter.write_str(&String::from_utf8_lossy(&text))
    }
}
