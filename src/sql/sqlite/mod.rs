//! SQLite, by rusqlite.
//!
//! A script is judged on the file opened with `immutable=1`, which takes no lock at all and reads
//! what is there: the schema may be torn, or lack what a `-wal` holds, so what cannot be judged so
//! is judged again under the lock. `BEGIN IMMEDIATE` alone decides who writes (SQLite, "Transaction
//! control"): a read transaction that wants to write later fails without a wait if somebody wrote
//! meanwhile (`SQLITE_BUSY_SNAPSHOT`).

mod errors;
mod judge;
mod statement;

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fallible_iterator::FallibleIterator;
use rusqlite::config::DbConfig;
use rusqlite::{Batch, Connection, OpenFlags};

use super::engine::{Access, Control, Engine, Judged, Missing, Session, Statement, Watch};
use super::error::{SqlError, Trouble};
use errors::{Context, from_sqlite, is_certain};
use judge::{Notes, judge};
use statement::Prepared;

/// How many steps of SQLite's machine pass between two looks at [`Watch`]: some 0.1 ms.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// How long SQLite pauses between two tries of a lock while it may wait by itself.
const PAUSE: Duration = Duration::from_millis(1);

/// SQLite, ready to open files.
pub struct Sqlite {
    watch: Arc<dyn Watch>,
}

impl Sqlite {
    /// Returns the engine; `watch` can interrupt whatever it does.
    pub fn new(watch: Arc<dyn Watch>) -> Self {
        Self { watch }
    }
}

impl Engine for Sqlite {
    fn knows_what_reads(&self) -> bool {
        true
    }

    fn survey(
        &self,
        file: &Path,
        sql: &str,
        visit: &mut dyn FnMut(&dyn Judged) -> Result<(), SqlError>,
    ) -> Result<bool, SqlError> {
        let blank = || Connection::open_in_memory();
        let opened = match fs::metadata(file) {
            Ok(facts) if facts.len() > 0 => open_unlocked(file).or_else(|_| blank()),
            _ => blank(),
        };
        let context = Context { access: Access::Read, script: sql };
        let mut connection = opened.map_err(|error| from_sqlite(&error, context))?;
        let notes = Notes::attach(&mut connection).map_err(|error| from_sqlite(&error, context))?;
        let mut batch = Batch::new(&connection, sql);
        loop {
            notes.clear();
            match batch.next() {
                Ok(Some(statement)) => {
                    let kind = judge(&connection, &statement, &notes);
                    visit(&Prepared::new(&connection, statement, kind, context))?;
                }
                Ok(None) => return Ok(true),
                Err(error) if is_certain(&error) => return Err(from_sqlite(&error, context)),
                Err(_) => return Ok(false),
            }
        }
    }

    fn open(
        &self,
        file: &Path,
        access: Access,
        missing: Missing,
    ) -> Result<Box<dyn Session>, SqlError> {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
            | match (access, missing) {
                (Access::Read, _) => OpenFlags::SQLITE_OPEN_READ_ONLY,
                (Access::Write, Missing::Fails) => OpenFlags::SQLITE_OPEN_READ_WRITE,
                (Access::Write, Missing::IsCreated) => {
                    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
                }
            };
        let opened = Connection::open_with_flags(file, flags)
            .and_then(|connection| Database::new(connection, access, &self.watch));
        let context = Context { access, script: "" };
        opened
            .map(|database| Box::new(database) as Box<dyn Session>)
            .map_err(|error| from_sqlite(&error, context))
    }
}

/// Opens a file so that no lock is taken and nothing is written.
fn open_unlocked(file: &Path) -> rusqlite::Result<Connection> {
    let mut uri = OsString::from("file:");
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                uri.push(char::from(*byte).to_string());
            }
            other => uri.push(format!("%{other:02X}")),
        }
    }
    uri.push("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri, flags)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// An open SQLite file.
struct Database {
    connection: Connection,
    notes: Notes,
    access: Access,
    begun: Instant,
    /// Until when SQLite itself may wait for a lock, in nanoseconds since it was opened.
    patience: Arc<AtomicU64>,
}

impl Database {
    fn new(
        mut connection: Connection,
        access: Access,
        watch: &Arc<dyn Watch>,
    ) -> rusqlite::Result<Self> {
        // The library was built to enforce foreign keys; sqlite3 and SQLite's own default do not.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
        let asked = Arc::clone(watch);
        let look = move || {
            asked.progress(None);
            asked.interrupted()
        };
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(look))?;
        let patience = Arc::new(AtomicU64::new(0));
        let (left, asked) = (Arc::clone(&patience), Arc::clone(watch));
        let begun = Instant::now();
        connection.busy_handler(Some(move |_tries| {
            let waits =
                nanoseconds(begun.elapsed()) < left.load(Ordering::Relaxed) && !asked.interrupted();
            if waits {
                std::thread::sleep(PAUSE);
            }
            waits
        }))?;
        let notes = Notes::attach(&mut connection)?;
        Ok(Self { connection, notes, access, begun, patience })
    }

    fn execute(&self, sql: &str) -> Result<(), SqlError> {
        let context = Context { access: self.access, script: "" };
        self.connection.execute_batch(sql).map_err(|error| from_sqlite(&error, context))
    }

    /// Switches to write-ahead logging. SQLite answers with the mode that is in force then.
    fn use_wal(&self) -> Result<(), SqlError> {
        let context = Context { access: self.access, script: "" };
        let ask = "PRAGMA journal_mode=wal";
        let mode: String = self
            .connection
            .query_row(ask, [], |row| row.get(0))
            .map_err(|error| from_sqlite(&error, context))?;
        if mode.eq_ignore_ascii_case("wal") {
            return Ok(());
        }
        let message = format!("the database stays in journal mode {mode}");
        Err(SqlError::new(Trouble::Statement, message)
            .hint("write-ahead logging needs a local file system with shared memory"))
    }
}

impl Session for Database {
    fn script(
        &self,
        sql: &str,
        visit: &mut dyn FnMut(&mut dyn Statement) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        let context = Context { access: self.access, script: sql };
        let mut batch = Batch::new(&self.connection, sql);
        loop {
            self.notes.clear();
            let next = batch.next().map_err(|error| from_sqlite(&error, context))?;
            let Some(statement) = next else { return Ok(()) };
            let kind = judge(&self.connection, &statement, &self.notes);
            visit(&mut Prepared::new(&self.connection, statement, kind, context))?;
        }
    }

    fn control(&self, control: Control) -> Result<(), SqlError> {
        match control {
            Control::Begin(Access::Read) => self.execute("BEGIN"),
            Control::Begin(Access::Write) => self.execute("BEGIN IMMEDIATE"),
            Control::Commit => self.execute("COMMIT"),
            // Some errors have rolled it back already.
            Control::Rollback if self.is_outside_transaction() => Ok(()),
            Control::Rollback => self.execute("ROLLBACK"),
            Control::UseWal => self.use_wal(),
        }
    }

    fn is_outside_transaction(&self) -> bool {
        self.connection.is_autocommit()
    }

    fn be_patient(&self, limit: Duration) {
        let until = match limit.is_zero() {
            true => 0,
            false => nanoseconds(self.begun.elapsed().saturating_add(limit)),
        };
        self.patience.store(until, Ordering::Relaxed);
    }

    fn close(self: Box<Self>) -> Result<(), SqlError> {
        let context = Context { access: self.access, script: "" };
        self.connection.close().map_err(|(_, error)| from_sqlite(&error, context))
    }
}
