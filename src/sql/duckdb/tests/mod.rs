//! The engine against real files.

mod files;
mod statements;
mod values;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::super::engine::{Access, Engine, Missing, Session, Watch};
use super::super::error::SqlError;
use super::super::parameters::Parameters;
use super::super::value::{Cell, Column, Sink, Voice};
use super::DuckDb;

/// Interrupts once told so.
#[derive(Default)]
struct Told(AtomicBool);

impl Watch for Told {
    fn interrupted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn progress(&self, _percent: Option<f64>) {}
}

/// Keeps what it is given, as text.
struct Kept {
    voice: Voice,
    columns: Vec<String>,
    rows: Vec<String>,
    is_ended: bool,
}

impl Kept {
    fn new(voice: Voice) -> Self {
        Self { voice, columns: Vec::new(), rows: Vec::new(), is_ended: false }
    }
}

impl Sink for Kept {
    fn voice(&self) -> Voice {
        self.voice
    }

    fn begin(&mut self, columns: &[Column]) -> io::Result<()> {
        let type_of = |column: &Column| column.type_name.clone().unwrap_or_default();
        let told = |column: &Column| format!("{} {}", column.name, type_of(column));
        self.columns.extend(columns.iter().map(told));
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let told = cells.iter().map(|cell| match cell {
            Cell::Text(text) => format!("Text({:?})", String::from_utf8_lossy(text)),
            Cell::Nested { text, json } => format!("Nested({text}{json})"),
            cell => format!("{cell:?}"),
        });
        self.rows.push(told.collect::<Vec<_>>().join(" "));
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.is_ended = true;
        Ok(())
    }
}

/// An engine, and a directory for its file.
struct Scene {
    directory: TempDir,
    told: Arc<Told>,
    engine: DuckDb,
}

impl Scene {
    fn new() -> Self {
        let told = Arc::new(Told::default());
        let engine = DuckDb::new(Arc::<Told>::clone(&told)).expect("DuckDB starts");
        Self { directory: TempDir::new().expect("a directory"), told, engine }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("a.duckdb")
    }

    fn try_open(&self, access: Access, missing: Missing) -> Result<Box<dyn Session>, SqlError> {
        self.engine.open(&self.file(), access, missing)
    }

    fn open(&self, access: Access) -> Box<dyn Session> {
        let missing = if access == Access::Write { Missing::IsCreated } else { Missing::Fails };
        self.try_open(access, missing).expect("it opens")
    }

    /// Runs a script in a session of its own.
    fn write(&self, sql: &str) {
        let session = self.open(Access::Write);
        run(&*session, sql).expect("it runs");
        session.close().expect("it closes");
    }
}

fn run_with(
    session: &dyn Session,
    sql: &str,
    parameters: &Parameters,
    sink: &mut dyn Sink,
) -> Result<u64, SqlError> {
    let mut changed = 0;
    session.script(sql, &mut |statement| {
        changed += statement.run(parameters, sink)?;
        Ok(())
    })?;
    Ok(changed)
}

fn run(session: &dyn Session, sql: &str) -> Result<u64, SqlError> {
    run_with(session, sql, &Parameters::default(), &mut Kept::new(Voice::Text))
}

#[track_caller]
fn failure(session: &dyn Session, sql: &str) -> SqlError {
    run(session, sql).expect_err("it fails")
}

#[track_caller]
fn rows(session: &dyn Session, voice: Voice, sql: &str) -> Vec<String> {
    let mut kept = Kept::new(voice);
    run_with(session, sql, &Parameters::default(), &mut kept).expect("it runs");
    kept.rows
}
