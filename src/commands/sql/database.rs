//! Which database is meant, and which engine it belongs to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::identity;
use super::watching::Watching;
use crate::cli::sql_args::{EngineName, SqlRequest};
use crate::commands::display::similar_name;
use crate::commands::explain::explain;
use crate::commands::voice::Voice;
use crate::error::Failure;
use crate::lock::{Resource, Target};
use crate::native::{Engine as Format, Want};
use crate::outcome::Outcome;
use crate::platform::FileId;
use crate::probe::look;
use crate::report;
use crate::sql::{Engine, Missing};

/// What a name ends in that is meant for DuckDB.
const DUCKDB_ENDINGS: [&str; 2] = ["duckdb", "ddb"];

/// The database of a batch, before the lock.
pub(super) struct Database {
    /// The canonical path.
    pub(super) path: PathBuf,
    /// What it is opened with.
    pub(super) engine: Box<dyn Engine>,
    /// Whether it is made if it is missing.
    pub(super) missing: Missing,
    id: Option<FileId>,
}

impl Database {
    /// Finds it and starts its engine. The file is closed again.
    ///
    /// # Errors
    /// It is missing, or it is not for SQL.
    pub(super) fn find(
        request: &SqlRequest,
        voice: &Voice,
        watching: &Arc<Watching>,
    ) -> Result<Self, Failure> {
        let target = Target { file: request.file.clone(), ..Target::default() };
        let resource = Resource::resolve(&target).map_err(|error| {
            explain(&error, request.lock.timeout, std::slice::from_ref(&request.file), voice)
        })?;
        let path = resource.path.clone();
        let name = match resource.facts {
            None => new_engine(request, &resource)?,
            Some(_) => known_engine(&path, request)?,
        };
        let missing = match request.create {
            Some(_) => Missing::IsCreated,
            None => Missing::Fails,
        };
        let id = identity(&path);
        Ok(Self { engine: start(name, watching)?, missing, id, path })
    }

    /// Whether there was no file when it was looked for.
    pub(super) fn is_missing(&self) -> bool {
        self.id.is_none()
    }

    /// Whether the file at `path` is still the one that was found, made since or not.
    pub(super) fn is_still(&self, path: &Path) -> bool {
        self.path == path && self.id == identity(path)
    }
}

/// Returns the engine for a file that does not exist.
fn new_engine(request: &SqlRequest, resource: &Resource) -> Result<EngineName, Failure> {
    let file = report::escaped(&request.file.to_string_lossy());
    match request.create {
        Some(Some(engine)) => Ok(engine),
        Some(None) => Ok(by_ending(&resource.path)),
        None => {
            let failure = Failure::new(Outcome::NoSuchFile, format!("there is no `{file}`"));
            Err(match similar_name(resource, &[]) {
                Some(similar) => failure
                    .hint(format!("there is {similar}: is that the one? --create makes {file}")),
                None => failure.hint("to make it, add --create"),
            })
        }
    }
}

/// Returns the engine of a file that exists, by its first bytes.
fn known_engine(path: &Path, request: &SqlRequest) -> Result<EngineName, Failure> {
    let found = look(path, Want::Shared);
    let file = report::escaped(&request.file.to_string_lossy());
    let bad = |message: String| Failure::new(Outcome::BadDatabase, message);
    match found.engine {
        Format::Sqlite { .. } => Ok(EngineName::Sqlite),
        Format::DuckDb => Ok(EngineName::DuckDb),
        Format::Empty => match request.create.flatten().unwrap_or_else(|| by_ending(path)) {
            EngineName::DuckDb => {
                Err(bad(format!("`{file}` is empty, which DuckDB does not open"))
                    .hint("remove it and make it anew with --create"))
            }
            EngineName::Sqlite => Ok(EngineName::Sqlite),
        },
        Format::Unknown if path.is_dir() => {
            Err(bad(format!("`{file}` is a directory, not a database file")))
        }
        Format::Unknown => Err(match found.impossible {
            Some(why) => {
                let outcome = match why.source.kind() {
                    std::io::ErrorKind::PermissionDenied => Outcome::Permission,
                    _ => Outcome::IoError,
                };
                Failure::new(outcome, format!("cannot read `{file}`")).caused_by(why.source)
            }
            None => bad(format!("`{file}` is neither a SQLite nor a DuckDB database"))
                .hint("an encrypted SQLite file looks like this too; dbguard has no keys"),
        }),
        other => Err(bad(format!("`{file}` is a {} database, which has no SQL", other.name()))
            .hint("run a program for it under the lock: dbguard exec FILE -- COMMAND")),
    }
}

fn by_ending(path: &Path) -> EngineName {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.is_some_and(|ending| DUCKDB_ENDINGS.contains(&ending.as_str())) {
        true => EngineName::DuckDb,
        false => EngineName::Sqlite,
    }
}

fn start(name: EngineName, watching: &Arc<Watching>) -> Result<Box<dyn Engine>, Failure> {
    let watch = Arc::clone(watching) as Arc<dyn crate::sql::Watch>;
    let engine = match name {
        EngineName::Sqlite => crate::sql::start_sqlite(watch),
        EngineName::DuckDb => crate::sql::start_duckdb(watch),
    };
    engine.map_err(|error| {
        let mut failure = Failure::new(Outcome::Unavailable, error.message);
        failure.hint = error.hint;
        failure
    })
}
