//! What DuckDB answers when something fails.

use libduckdb_sys::v2 as c;

use super::handle::{Owned, bytes_of};

/// DuckDB's number for a kind of error.
pub use c::DUCKDB_V2_ERROR as Code;

/// An error of DuckDB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its kind.
    pub code: Code,
    /// DuckDB's words, which begin with the kind: `Catalog Error: ...`. May have several lines.
    pub text: String,
}

/// Calls a function of the C API; its words about a failure arrive in the slot it is given.
pub(super) fn call(
    function: impl FnOnce(*mut c::duckdb_v2_error_info_handle) -> Code,
) -> Result<(), Refusal> {
    let mut slot = std::ptr::null_mut();
    let code = function(&raw mut slot);
    let info = Owned::of(slot, c::duckdb_v2_error_info_destroy);
    if code == Code::DUCKDB_V2_ERROR_NONE {
        return Ok(());
    }
    let mut text = c::duckdb_v2_str::default();
    // SAFETY: the handle is alive until the end of this function; null is answered by an error,
    // which leaves the text empty.
    unsafe { c::duckdb_v2_error_info_get_text(info.raw(), &raw mut text) };
    // SAFETY: the text belongs to `info`.
    let text = String::from_utf8_lossy(unsafe { bytes_of(text) }).into_owned();
    Err(Refusal { code, text })
}
