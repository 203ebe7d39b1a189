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
                      pragma wal_checkpoint(truncate); pragma quick_check(10);";

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

/// Opens a database alone, lets its engine recover it, checks it where the engine can, and closes
/// it. Returns what the check found wrong.
///
/// The guard lock is held, and nothing in this process has the file open. Never waits for a native
/// lock.
///
/// # Errors
/// [`super::Trouble::Busy`] if somebody has the database; otherwise what the engine says.
pub fn recover(engine: &dyn Engine, which: Recovers, file: &Path) -> Result<Vec<String>, SqlError> {
    let parameters = Parameters::default();
    let sql = match which {
        Recovers::Sqlite => SQLITE,
        Recovers::DuckDb => DUCKDB,
    };
    let batch = Batch { sql, condition: None, parameters: &parameters, loose: true, wal: false };
    let session = engine.open(file, Access::Write, Missing::Fails)?;
    let grace = Grace { commit: Duration::ZERO, loose: Duration::ZERO };
    let mut answers = Answers::default();
    let ran = batch.attempt(&*session, Access::Write, grace, &mut answers);
    let closed = session.close();
    ran?;
    closed?;
    if which == Recovers::Sqlite {
        tidy(engine, file);
    }
    let problems = match which {
        Recovers::Sqlite => answers.last.into_iter().filter(|answer| answer != SOUND).collect(),
        Recovers::DuckDb => Vec::new(),
    };
    Ok(problems)
}

/// Lets SQLite remove the index that a crash left: in exclusive mode it leaves it where it is. Only
/// a comfort, so failing is silent.
fn tidy(engine: &dyn Engine, file: &Path) {
    let parameters = Parameters::default();
    let sql = "select count(*) from sqlite_master";
    let batch = Batch { sql, condition: None, parameters: &parameters, loose: true, wal: false };
    let grace = Grace { commit: Duration::ZERO, loose: Duration::ZERO };
    if let Ok(session) = engine.open(file, Access::Write, Missing::Fails) {
        drop(batch.attempt(&*session, Access::Read, grace, &mut Answers::default()));
        drop(session.close());
    }
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
