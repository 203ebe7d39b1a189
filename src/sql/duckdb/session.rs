//! An open file.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use crate::platform::duckdb::{Connection, Instance, Parsed, Refusal};

use super::super::engine::{Access, Control, Judged, Kind, Session, Statement, Watch};
use super::super::error::{SqlError, Trouble};
use super::super::parameters::Parameters;
use super::super::value::Sink;
use super::failure::sorted;
use super::watcher::Watcher;
use super::{kind, parameters, running, text_of};

/// An open file. The fields are dropped in this order: what uses the connection first.
pub(super) struct Open {
    watcher: Watcher,
    connection: Connection,
    instance: Instance,
    name: String,
    access: Access,
    watch: Arc<dyn Watch>,
    /// Whether a transaction was begun, by [`Session::control`] or by a statement. DuckDB itself
    /// cannot be asked.
    is_inside: Cell<bool>,
}

impl Open {
    pub(super) fn new(
        instance: Instance,
        connection: Connection,
        name: String,
        access: Access,
        watch: Arc<dyn Watch>,
    ) -> Self {
        let watcher = Watcher::new(connection.interrupter(), Arc::clone(&watch));
        let is_inside = Cell::new(false);
        Self { watcher, connection, instance, name, access, watch, is_inside }
    }

    /// Sorts an error as it is meant in this session.
    fn error(&self, refusal: &Refusal) -> SqlError {
        let error = sorted(refusal);
        match error.trouble {
            // DuckDB's own limit of time looks the same.
            Trouble::Interrupted if !self.watch.interrupted() => {
                SqlError { trouble: Trouble::Statement, ..error }
            }
            // Another attached database may be read-only for good.
            Trouble::NeedsWrite if self.access == Access::Write => {
                SqlError { trouble: Trouble::Statement, ..error }
            }
            _ => error,
        }
    }

    /// Returns what is attached, the file itself last.
    fn databases(&self) -> Result<Vec<String>, Refusal> {
        let listed = "SELECT database_name FROM duckdb_databases() WHERE NOT internal";
        let mut names = running::texts(&self.connection, listed)?;
        names.sort_by_key(|name| *name == self.name);
        Ok(names)
    }
}

/// Runs a statement of our own, which yields nothing.
pub(super) fn command(connection: &Connection, sql: &str) -> Result<(), Refusal> {
    let text = std::ffi::CString::new(sql).expect("our own statements have no NUL");
    let mut script = connection.parse(&text)?;
    while let Some(parsed) = script.parse_next()? {
        connection.execute(&parsed, &[])?.drain()?;
    }
    Ok(())
}

impl Session for Open {
    fn script(
        &self,
        sql: &str,
        visit: &mut dyn FnMut(&mut dyn Statement) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        let text = text_of(sql)?;
        let mut script = self.connection.parse(&text).map_err(|refusal| self.error(&refusal))?;
        while let Some(parsed) = script.parse_next().map_err(|refusal| self.error(&refusal))? {
            let kind = kind::of(&self.connection, &parsed);
            let kind = kind.map_err(|refusal| self.error(&refusal))?;
            visit(&mut Offered { session: self, parsed, kind })?;
        }
        Ok(())
    }

    fn control(&self, control: Control) -> Result<(), SqlError> {
        let sql = match control {
            Control::Begin(Access::Read) => "BEGIN TRANSACTION READ ONLY",
            Control::Begin(Access::Write) => "BEGIN TRANSACTION",
            Control::Commit => "COMMIT",
            Control::Rollback => "ROLLBACK",
            Control::UseWal => {
                let message =
                    "`--wal` is for SQLite: a DuckDB file has its write-ahead log already";
                return Err(SqlError::new(Trouble::Usage, message));
            }
        };
        let done = command(&self.connection, sql);
        // A transaction that could not be committed is rolled back.
        self.is_inside.set(matches!(control, Control::Begin(_)) && done.is_ok());
        done.map_err(|refusal| self.error(&refusal))
    }

    fn is_outside_transaction(&self) -> bool {
        !self.is_inside.get()
    }

    /// DuckDB never waits for a lock.
    fn be_patient(&self, _limit: Duration) {}

    fn close(self: Box<Self>) -> Result<(), SqlError> {
        let names = self.databases().map_err(|refusal| self.error(&refusal))?;
        let Self { watcher, connection, instance, .. } = *self;
        drop(watcher);
        drop(connection);
        for name in names {
            instance.detach(&name).map_err(|refusal| sorted(&refusal))?;
        }
        Ok(())
    }
}

/// A statement whose turn has come.
struct Offered<'s> {
    session: &'s Open,
    parsed: Parsed,
    kind: Kind,
}

impl Judged for Offered<'_> {
    fn kind(&self) -> Kind {
        self.kind.clone()
    }

    fn parameters(&self) -> Vec<Option<String>> {
        // Only a lack of memory makes this fail, and then running the statement tells it.
        parameters::names(&self.parsed).unwrap_or_default()
    }
}

impl Statement for Offered<'_> {
    fn run(&mut self, parameters: &Parameters, sink: &mut dyn Sink) -> Result<u64, SqlError> {
        let session = self.session;
        let bound = parameters::bind(&session.connection, &self.parsed, parameters)?;
        let _watched = session.watcher.watch();
        let ran = running::run(&session.connection, &self.parsed, &bound, sink, &|refusal| {
            session.error(refusal)
        });
        if self.kind == Kind::Transaction {
            let begins = kind::begins(&session.connection, &self.parsed);
            session
                .is_inside
                .set(begins.map_err(|refusal| session.error(&refusal))? && ran.is_ok());
        }
        ran
    }
}
