//! A single value.

use std::marker::PhantomData;

use libduckdb_sys::v2 as c;

use super::connection::Connection;
use super::failure::{Code, Refusal};
use super::handle::Owned;

/// A value, made by a [`Connection`].
#[derive(Debug)]
pub struct Value<'c> {
    handle: Owned<c::_duckdb_v2_value>,
    _connection: PhantomData<&'c Connection>,
}

impl Value<'_> {
    pub(super) fn made(
        make: impl FnOnce(*mut c::duckdb_v2_value_handle, *mut c::duckdb_v2_error_info_handle) -> Code,
    ) -> Result<Self, Refusal> {
        let handle = Owned::made(c::duckdb_v2_value_destroy, make)?;
        Ok(Self { handle, _connection: PhantomData })
    }

    pub(super) fn raw(&self) -> c::duckdb_v2_value_handle {
        self.handle.raw()
    }
}
