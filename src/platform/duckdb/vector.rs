//! The values of one column of a chunk.

use std::marker::PhantomData;

use libduckdb_sys::v2 as c;

use super::chunk::Chunk;
use super::failure::{Refusal, call};
use super::logical_type::{LogicalType, TypeId};

/// A column of a chunk, or what lies below one with a nested type.
#[derive(Clone, Copy, Debug)]
pub struct Vector<'a> {
    handle: c::duckdb_v2_vector_handle,
    _chunk: PhantomData<&'a Chunk<'a>>,
}

/// Which rows have a value.
#[derive(Clone, Copy, Debug)]
pub struct Validity<'a> {
    /// One bit a row; without any, every row has a value.
    words: Option<&'a [u64]>,
}

impl Validity<'_> {
    /// Whether a row has a value.
    pub fn has(&self, row: usize) -> bool {
        let bit =
            |words: &[u64]| words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1);
        self.words.is_none_or(bit)
    }
}

/// Values that are stored one after another.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a, T> {
    values: &'a [T],
    validity: Validity<'a>,
}

impl<T: Copy> Cells<'_, T> {
    /// Returns the value of a row, unless it has none.
    pub fn get(&self, row: usize) -> Option<T> {
        if self.validity.has(row) { self.values.get(row).copied() } else { None }
    }
}

/// Values that are bytes: texts, blobs.
#[derive(Clone, Copy)]
pub struct Texts<'a>(Cells<'a, c::duckdb_v2_bytes>);

impl<'a> Texts<'a> {
    /// Returns the bytes of a row, unless it has none.
    pub fn get(&self, row: usize) -> Option<&'a [u8]> {
        let bytes = if self.0.validity.has(row) { self.0.values.get(row)? } else { return None };
        // SAFETY: the length is the first field of both members of the union. A row that has a
        // value is either short, then its bytes are inside the row, or it points at them; both
        // live as long as the chunk.
        unsafe {
            let length = bytes.value.inlined.length;
            let start = if length <= c::DUCKDB_V2_BYTES_INLINE_LENGTH {
                (&raw const bytes.value.inlined.inlined).cast::<u8>()
            } else {
                bytes.value.pointer.ptr.cast::<u8>().cast_const()
            };
            Some(std::slice::from_raw_parts(start, length as usize))
        }
    }
}

/// Where the elements of a LIST's row are in its child.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct ListEntry {
    /// The first one.
    pub offset: u64,
    /// How many there are.
    pub length: u64,
}

/// The values of a vector, by how they are stored.
#[derive(Clone, Copy)]
pub enum Column<'a> {
    /// BOOLEAN: zero is false.
    Boolean(Cells<'a, u8>),
    /// TINYINT.
    I8(Cells<'a, i8>),
    /// SMALLINT.
    I16(Cells<'a, i16>),
    /// INTEGER.
    I32(Cells<'a, i32>),
    /// BIGINT.
    I64(Cells<'a, i64>),
    /// UTINYINT.
    U8(Cells<'a, u8>),
    /// USMALLINT.
    U16(Cells<'a, u16>),
    /// UINTEGER.
    U32(Cells<'a, u32>),
    /// FLOAT.
    F32(Cells<'a, f32>),
    /// DOUBLE.
    F64(Cells<'a, f64>),
    /// VARCHAR and BLOB.
    Bytes(Texts<'a>),
    /// LIST and MAP.
    List(Cells<'a, ListEntry>),
    /// Anything else: the values are below it, or have to be cast to be read.
    Other(Validity<'a>),
}

impl<'a> Vector<'a> {
    /// # Safety
    /// The handle must belong to a chunk that lives as long as the result.
    pub(super) unsafe fn of(handle: c::duckdb_v2_vector_handle) -> Self {
        Self { handle, _chunk: PhantomData }
    }

    pub(super) fn raw(self) -> c::duckdb_v2_vector_handle {
        self.handle
    }

    /// Returns its type.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn logical_type(self) -> Result<LogicalType<'a>, Refusal> {
        // SAFETY: the handle is alive, and the slots live for the call.
        LogicalType::made(|slot, error| unsafe {
            c::duckdb_v2_vector_get_logical_type(self.handle, slot, error)
        })
    }

    /// Returns a vector below it. A LIST, an ARRAY and a MAP have one with their elements (a MAP's
    /// are structs of key and value), a STRUCT one a field, a UNION its tags and one a member.
    ///
    /// # Errors
    /// When there is none with this number.
    pub fn child(self, place: usize) -> Result<Self, Refusal> {
        let mut child = std::ptr::null_mut();
        // SAFETY: the handle is alive, and the slots live for the call.
        call(|error| unsafe {
            let slot = &raw mut child;
            c::duckdb_v2_vector_get_child(self.handle, place as c::idx_t, slot, error)
        })?;
        // SAFETY: a child belongs to the same chunk.
        Ok(unsafe { Self::of(child) })
    }

    /// Reads its values. Those below it are read by themselves, after it.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn read(self) -> Result<Column<'a>, Refusal> {
        // SAFETY: the handle is alive. What was read before stays: a vector that is flat already
        // is left as it is.
        call(|error| unsafe { c::duckdb_v2_vector_flatten(self.handle, error) })?;
        let mut view = c::duckdb_v2_vector_view {
            data: std::ptr::null(),
            validity: std::ptr::null(),
            sel: std::ptr::null(),
            count: 0,
        };
        // SAFETY: the handle is alive, and the slots live for the call.
        call(|error| unsafe { c::duckdb_v2_vector_get_view(self.handle, &raw mut view, error) })?;
        let id = self.logical_type()?.id();
        // SAFETY: the view is a flat vector's of this type, and lives as long as the chunk.
        Ok(unsafe { column(&view, id) })
    }
}

/// # Safety
/// The view must be that of a flat vector of this type, and live as long as the result.
unsafe fn column<'a>(view: &c::duckdb_v2_vector_view, id: TypeId) -> Column<'a> {
    // SAFETY: the layout of each type is the C API's contract for views, and lifetimes are by
    // our own.
    unsafe {
        match id {
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_BOOLEAN => Column::Boolean(cells(view)),
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_TINYINT => Column::I8(cells(view)),
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_SMALLINT => Column::I16(cells(view)),
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_INTEGER => Column::I32(cells(view)),
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_BIGINT => Column::I64(cells(view)),
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_UTINYINT => Column::U8(cells(view)),
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_USMALLINT => Column::U16(cells(view)),
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_UINTEGER => Column::U32(cells(view)),
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_FLOAT => Column::F32(cells(view)),
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_DOUBLE => Column::F64(cells(view)),
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_VARCHAR | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_BLOB => {
                Column::Bytes(Texts(cells(view)))
            }
            TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_LIST | TypeId::DUCKDB_V2_LOGICAL_TYPE_ID_MAP => {
                Column::List(cells(view))
            }
            _ => Column::Other(validity(view)),
        }
    }
}

/// # Safety
/// As [`column()`]; `T` must be how the type is stored.
unsafe fn cells<'a, T>(view: &c::duckdb_v2_vector_view) -> Cells<'a, T> {
    // SAFETY: by contract.
    unsafe { Cells { values: slice(view.data.cast(), view.count), validity: validity(view) } }
}

/// # Safety
/// As [`column()`].
unsafe fn validity<'a>(view: &c::duckdb_v2_vector_view) -> Validity<'a> {
    let count = view.count.div_ceil(64);
    // SAFETY: a mask has one bit a row, in whole words.
    let words = (!view.validity.is_null()).then(|| unsafe { slice(view.validity, count) });
    Validity { words }
}

/// # Safety
/// There must be `count` values at `start`, unless it is null, and they must live as long as the
/// result.
unsafe fn slice<'a, T>(start: *const T, count: c::idx_t) -> &'a [T] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: by contract.
    unsafe { std::slice::from_raw_parts(start, usize::try_from(count).unwrap_or(0)) }
}
