//! Brings a database in order after a crash: the engine does it, alone.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::batch::{Batch, Grace};
use super::engine::{Access, Engine, Missing};
use super::error::SqlError;
use super::parameters::Parameters;
use super::value::{Cell, Column, Sink, Voice};

/// What SQLite is told. In exclusive mode the first statement gets the database for itself, or
/// fails; a hot journal is rolled back by any read.
const SQLITE: &str = "pragma locking_mode=exclusive; select count(*) from sqlite_master; \
                      pragma wal_checkpoint(truncate);";

/// How SQLite is asked whether a database is sound.
const CHECK: &str = "pragma quick_check(10);";

/// What DuckDB is told. It replays its log when it opens, which it does alone or not at all.
const DUCKDB: &str = "checkpoint;";

/// What SQLite's check answers of a sound database.
const SOUND: &str = "ok";

/// Which engine is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovers {
    /// SQLite: rolls a journal back, or moves the log to the database file.
    Sqlite,
    /// DuckDB: moves the log to the database file.
    DuckDb,
}

/// Opens a database alone, lets its engine recover it, and closes it.
///
/// Nothing in this process has the file open. Never waits for a native lock.
///
/// # Errors
/// [`super::Trouble::Busy`] if somebody has the database; otherwise what the engine says.
pub fn recover(engine: &dyn Engine, which: Recovers, file: &Path) -> Result<(), SqlError> {
    let sql = match which {
        Recovers::Sqlite => SQLITE,
        Recovers::DuckDb => DUCKDB,
    };
    run(engine, file, sql, Access::Write).map(drop)
}

/// Opens a SQLite database as anybody does, which also removes the index that a crash left, and
/// returns what its own check finds wrong.
///
/// # Errors
/// The check cannot be made, or was interrupted.
pub fn check(engine: &dyn Engine, file: &Path) -> Result<Vec<String>, SqlError> {
    let answers = run(engine, file, CHECK, Access::Write)?;
    Ok(answers.into_iter().filter(|answer| answer != SOUND).collect())
}

/// Runs statements each for itself, and returns the texts of the last result.
fn run(
    engine: &dyn Engine,
    file: &Path,
    sql: &str,
    access: Access,
) -> Result<Vec<String>, SqlError> {
    let parameters = Parameters::default();
    let batch = Batch { sql, condition: None, parameters: &parameters, loose: true, wal: false };
    let session = engine.open(file, access, Missing::Fails)?;
    let grace = Grace { commit: Duration::ZERO, loose: Duration::ZERO };
    let mut answers = Answers::default();
    let ran = batch.attempt(&*session, access, grace, &mut answers);
    let closed = session.close();
    ran?;
    closed?;
    Ok(answers.last)
}

/// Keeps the texts of the last result.
#[derive(Default)]
struct Answers {
    last: Vec<String>,
}

impl Sink for Answers {
    fn voice(&self) -> Voice {
        Voice::Text
    }

    fn begin(&mut self, _columns: &[Column]) -> io::Result<()> {
        self.last.clear();
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        if let Some(Cell::Text(text)) = cells.first() {
            self.last.push(String::from_utf8_lossy(text).into_owned());
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}
