//! DuckDB.
//!
//! The engine begins as an instance without a database file: it parses, and so judges, without a
//! catalog and without a lock. [`Engine::open`] attaches the file to that instance, and closing
//! the session throws the instance away, so that nothing of an attempt (settings, attached
//! databases) is left for the next one.
//!
//! Nothing is loaded from elsewhere: extensions are neither installed nor loaded by themselves.
//! Local files can be read and written, as in DuckDB's shell.

mod cells;
mod failure;
mod form;
mod json;
mod kind;
mod name;
mod parameters;
mod running;
mod session;
#[cfg(test)]
mod tests;
mod watcher;

use std::cell::RefCell;
use std::ffi::{CString, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::platform::duckdb::{Connection, Environment, Instance, Refusal};
use crate::platform::{self, FileId};

use super::engine::{Access, Engine, Judged, Kind, Missing, Session, Watch};
use super::error::{SqlError, Trouble};
use failure::sorted;
use session::Open;

/// What every instance is made with.
const OPTIONS: [(&str, &str); 2] =
    [("autoinstall_known_extensions", "false"), ("autoload_known_extensions", "false")];

/// What is set on every connection: errors say where they are, and progress is counted, but
/// not printed.
const SETTINGS: [(&str, &str); 3] = [
    ("errors_as_json", "true"),
    ("enable_progress_bar", "true"),
    ("enable_progress_bar_print", "false"),
];

/// The oldest storage version that this DuckDB writes: what is made can be opened by 1.0 and
/// everything since.
const STORAGE_VERSION: &str = "v1.0.0";

/// DuckDB, ready to judge scripts and to open files.
pub struct DuckDb {
    environment: Environment,
    /// An instance without a file, for the next script that is judged or the next file.
    spare: RefCell<Option<Instance>>,
    watch: Arc<dyn Watch>,
}

impl DuckDb {
    /// Makes DuckDB ready; its work will be watched.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn new(watch: Arc<dyn Watch>) -> Result<Self, SqlError> {
        let environment = Environment::new().map_err(|refusal| sorted(&refusal))?;
        Ok(Self { environment, spare: RefCell::new(None), watch })
    }

    /// Returns an instance without a file.
    fn instance(&self) -> Result<Instance, Refusal> {
        let spare = self.spare.borrow_mut().take();
        spare.map_or_else(|| self.environment.instance(&OPTIONS), Ok)
    }
}

impl Engine for DuckDb {
    fn knows_what_reads(&self) -> bool {
        false
    }

    fn survey(
        &self,
        _file: &Path,
        sql: &str,
        visit: &mut dyn FnMut(&dyn Judged) -> Result<(), SqlError>,
    ) -> Result<bool, SqlError> {
        let instance = self.instance().map_err(|refusal| sorted(&refusal))?;
        let judged = connect(&instance).and_then(|connection| survey(&connection, sql, visit));
        *self.spare.borrow_mut() = Some(instance);
        judged.map(|()| true)
    }

    fn open(
        &self,
        file: &Path,
        access: Access,
        missing: Missing,
    ) -> Result<Box<dyn Session>, SqlError> {
        let instance = self.instance().map_err(|refusal| sorted(&refusal))?;
        if file.to_str().is_none() {
            let message = "DuckDB opens no file whose name is not UTF-8";
            return Err(SqlError::new(Trouble::Usage, message).hint("rename it"));
        }
        let name = name::of(file);
        attach(&instance, &name, file, access, missing)?;
        let connection = connect(&instance)?;
        Ok(Box::new(Open::new(instance, connection, name, access, Arc::clone(&self.watch))))
    }
}

/// Opens a connection as every one of ours is.
fn connect(instance: &Instance) -> Result<Connection, SqlError> {
    let connection = instance.connect().map_err(|refusal| sorted(&refusal))?;
    for (option, setting) in SETTINGS {
        connection.set(option, setting).map_err(|refusal| sorted(&refusal))?;
    }
    Ok(connection)
}

/// Judges every statement.
fn survey(
    connection: &Connection,
    sql: &str,
    visit: &mut dyn FnMut(&dyn Judged) -> Result<(), SqlError>,
) -> Result<(), SqlError> {
    let text = text_of(sql)?;
    let mut script = connection.parse(&text).map_err(|refusal| sorted(&refusal))?;
    while let Some(parsed) = script.parse_next().map_err(|refusal| sorted(&refusal))? {
        visit(&Surveyed {
            kind: kind::of(connection, &parsed).map_err(|refusal| sorted(&refusal))?,
            parameters: parameters::names(&parsed).map_err(|refusal| sorted(&refusal))?,
            files: kind::files(connection, &parsed).map_err(|refusal| sorted(&refusal))?,
        })?;
    }
    Ok(())
}

/// DuckDB's parser takes a C string.
fn text_of(sql: &str) -> Result<CString, SqlError> {
    CString::new(sql).map_err(|error| {
        let at = Some(error.nul_position());
        SqlError::new(Trouble::Statement, "a NUL byte in the SQL").at(at)
    })
}

/// A statement that was judged without a database.
struct Surveyed {
    kind: Kind,
    parameters: Vec<Option<String>>,
    files: Vec<PathBuf>,
}

impl Judged for Surveyed {
    fn kind(&self) -> Kind {
        self.kind.clone()
    }

    fn parameters(&self) -> Vec<Option<String>> {
        self.parameters.clone()
    }

    fn named_files(&self) -> Vec<PathBuf> {
        self.files.clone()
    }
}

/// Attaches the file. It is looked at by `stat` alone: closing a descriptor of it would drop
/// DuckDB's lock.
fn attach(
    instance: &Instance,
    name: &str,
    file: &Path,
    access: Access,
    missing: Missing,
) -> Result<(), SqlError> {
    let before = identity(file)?;
    let makes = before.is_none();
    if makes && (access, missing) != (Access::Write, Missing::IsCreated) {
        return Err(gone(file));
    }
    if makes && beside(file, ".wal").exists() {
        return Err(stray_log(file));
    }
    let directory = beside(file, ".tmp");
    instance.set("temp_directory", directory.as_os_str()).map_err(|refusal| sorted(&refusal))?;
    let mut options = vec![("TYPE", "duckdb")];
    match access {
        Access::Read => options.push(("READ_ONLY", "true")),
        Access::Write if makes => options.push(("STORAGE_VERSION", STORAGE_VERSION)),
        Access::Write => {}
    }
    // A path that begins with a slash or a dot is never taken for `:memory:`, a home directory
    // or another machine.
    let path = Path::new(".").join(file);
    instance.attach(name, &path, &options).map_err(|refusal| failure::of_opening(&refusal))?;
    // DuckDB itself would make a file that vanished since it was looked for.
    if !makes && identity(file)? != before { Err(gone(file)) } else { Ok(()) }
}

/// Returns what distinguishes the file from every other one, unless it is missing.
fn identity(file: &Path) -> Result<Option<FileId>, SqlError> {
    match platform::facts_at(file) {
        Ok(facts) if facts.regular => Ok(Some(facts.id)),
        // DuckDB would wait for a writer if it were a pipe.
        Ok(_) => {
            let message = format!("`{}` is not a file", file.display());
            Err(SqlError::new(Trouble::NotADatabase, message))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let trouble = match error.kind() {
                io::ErrorKind::PermissionDenied => Trouble::Permission,
                _ => Trouble::Io,
            };
            Err(SqlError::new(trouble, format!("cannot look at `{}`: {error}", file.display())))
        }
    }
}

fn gone(file: &Path) -> SqlError {
    SqlError::new(Trouble::Io, format!("`{}` is missing", file.display()))
}

/// DuckDB would delete the log.
fn stray_log(file: &Path) -> SqlError {
    let log = beside(file, ".wal");
    let message =
        format!("`{}` is there, but the database it belongs to is missing", log.display());
    SqlError::new(Trouble::NotADatabase, message)
        .hint("put the database back, or move the log away")
}

/// Returns the path of a side file.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(suffix);
    PathBuf::from(path)
}
