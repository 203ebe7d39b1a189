//! Handles that give themselves back, and borrowed strings.

use libduckdb_sys::v2 as c;

use super::failure::{Code, Refusal, call};

/// The function that gives a handle back. It takes null, too.
type Destroy<T> = unsafe extern "C" fn(*mut *mut T) -> Code;

/// A handle that is ours.
#[derive(Debug)]
pub(super) struct Owned<T> {
    handle: *mut T,
    destroy: Destroy<T>,
}

impl<T> Owned<T> {
    /// Takes over a handle, which may be null.
    pub(super) fn of(handle: *mut T, destroy: Destroy<T>) -> Self {
        Self { handle, destroy }
    }

    /// Takes over the handle that a function of the C API writes into its first argument.
    pub(super) fn made(
        destroy: Destroy<T>,
        make: impl FnOnce(*mut *mut T, *mut c::duckdb_v2_error_info_handle) -> Code,
    ) -> Result<Self, Refusal> {
        let mut made = Self::of(std::ptr::null_mut(), destroy);
        call(|error| make(&raw mut made.handle, error))?;
        Ok(made)
    }

    pub(super) fn raw(&self) -> *mut T {
        self.handle
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the handle came from the function that belongs to `destroy`, nobody else gives
        // it back, and the borrowed ones below it have lifetimes that end before.
        unsafe { (self.destroy)(&raw mut self.handle) };
    }
}

/// Returns the bytes of a borrowed string.
///
/// # Safety
/// The string's owner must live as long as the result.
pub(super) unsafe fn bytes_of<'a>(text: c::duckdb_v2_str) -> &'a [u8] {
    if text.ptr.is_null() {
        return &[];
    }
    // SAFETY: the C API promises `len` bytes at a pointer that is not null; they live by contract.
    unsafe { std::slice::from_raw_parts(text.ptr.cast(), usize::try_from(text.len).unwrap_or(0)) }
}

/// Lends bytes to the C API.
pub(super) fn lend(bytes: &[u8]) -> c::duckdb_v2_str {
    c::duckdb_v2_str { ptr: bytes.as_ptr().cast(), len: bytes.len() as c::idx_t }
}
