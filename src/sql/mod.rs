//! SQL on a database that is locked: judge a script, run it as one batch, print what it yields.
//!
//! Two engines are inside dbguard, each behind a cargo feature. This room knows no guard lock and
//! prints nothing: `commands` takes the lock between [`Engine::survey`] and [`Engine::open`], and
//! decides what happens after an error.
//!
//! Opening and closing a database file in a process that has it open through its engine drops the
//! engine's POSIX locks, and with them committed rows (SQLite's "How To Corrupt", section 2.2).
//! So nothing here, and nobody above, opens the file's path while a [`Session`] lives.

mod batch;
#[cfg(feature = "duckdb")]
pub mod duckdb;
mod engine;
mod error;
pub mod format;
mod parameters;
mod recovery;
mod rules;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod value;

use std::sync::Arc;

pub use batch::{Batch, Done, Grace};
pub use engine::{Access, Control, Engine, Judged, Kind, Missing, Session, Statement, Watch};
pub use error::{SqlError, Trouble};
pub use parameters::{Parameters, Value};
pub use recovery::{Recovers, check, recover};
pub use rules::Plan;
pub use value::{Cell, Column, Sink, Voice};

/// Whether SQLite is built in.
pub const HAS_SQLITE: bool = cfg!(feature = "sqlite");

/// Whether DuckDB is built in.
pub const HAS_DUCKDB: bool = cfg!(feature = "duckdb");

/// Starts SQLite.
///
/// # Errors
/// This dbguard was built without it.
pub fn start_sqlite(watch: Arc<dyn Watch>) -> Result<Box<dyn Engine>, SqlError> {
    #[cfg(feature = "sqlite")]
    return Ok(Box::new(sqlite::Sqlite::new(watch)));
    #[cfg(not(feature = "sqlite"))]
    return missing(watch, "SQLite", "sqlite");
}

/// Starts DuckDB.
///
/// # Errors
/// This dbguard was built without it, or DuckDB cannot start.
pub fn start_duckdb(watch: Arc<dyn Watch>) -> Result<Box<dyn Engine>, SqlError> {
    #[cfg(feature = "duckdb")]
    return Ok(Box::new(duckdb::DuckDb::new(watch)?));
    #[cfg(not(feature = "duckdb"))]
    return missing(watch, "DuckDB", "duckdb");
}

#[cfg(not(all(feature = "duckdb", feature = "sqlite")))]
fn missing(_watch: Arc<dyn Watch>, name: &str, feature: &str) -> Result<Box<dyn Engine>, SqlError> {
    let message = format!("this dbguard was built without {name}");
    Err(SqlError::new(Trouble::Usage, message)
        .hint(format!("install it with: cargo install --path . --features {feature}")))
}
