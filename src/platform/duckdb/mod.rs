//! DuckDB, which is linked into the program, behind safe types.
//!
//! A small part of its C API, version 2: an [`Environment`] makes an [`Instance`], to which a
//! file is attached; a [`Connection`] parses, binds and runs statements; [`Rows`] hands over the
//! result chunk by chunk. Every handle is an owned type that gives itself back.
//!
//! Whatever reads a file or runs a statement may block for as long as DuckDB works; only an
//! [`Interrupter`] may be used meanwhile, from any thread. What fails, fails with a [`Refusal`]:
//! the C API lets no C++ exception out.

mod chunk;
mod connection;
mod failure;
mod handle;
mod instance;
mod logical_type;
mod script;
#[cfg(target_os = "linux")]
mod startup;
#[cfg(not(target_os = "linux"))]
#[path = "startup_elsewhere.rs"]
mod startup;
mod value;
mod vector;

pub use chunk::{Chunk, Rows, Shape};
pub use connection::{Connection, Interrupter};
pub use failure::{Code, Refusal};
pub use instance::{Environment, Instance};
pub use logical_type::{LogicalType, Schema, TypeId};
pub use script::{Parsed, Script, StatementType, Token, TokenType};
pub use value::Value;
pub use vector::{Cells, Column, ListEntry, Texts, Validity, Vector};
