//! Where the work of a test is done: a scratch database, or a table in the user's own.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::ops::BitAnd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::crew::{Crew, Ended};
use crate::cli::test_args::{Ground, WorkRequest};
use crate::commands::voice::Voice;
use crate::error::Failure;
use crate::native::{Engine, Want};
use crate::outcome::Outcome;
use crate::platform::spawn::Change;
use crate::platform::{Dir, host};
use crate::probe::look;
use crate::report;
use crate::{lock, sql};

/// How the names of directories begin that are removed in the end.
const DIRECTORY: &str = ".dbguard-test-";

/// How the names of tables begin that are dropped in the end.
const TABLE: &str = "dbguard_test_";

/// How often something is removed again that a process puts back before it ends.
const TRIES: u32 = 50;

/// Between two of those.
const PAUSE: Duration = Duration::from_millis(20);

/// What is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    DuckDb,
    /// A file of numbers.
    Plain,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Sqlite, Self::DuckDb, Self::Plain];

    /// Returns the word for programs.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::DuckDb => "duckdb",
            Self::Plain => "plain",
        }
    }

    /// Returns the name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::DuckDb => "DuckDB",
            Self::Plain => "a plain file",
        }
    }

    /// Whether this dbguard can count in it.
    pub(super) fn is_built_in(self) -> bool {
        match self {
            Self::Sqlite => sql::HAS_SQLITE,
            Self::DuckDb => sql::HAS_DUCKDB,
            Self::Plain => true,
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Sqlite => "count.db",
            Self::DuckDb => "count.duckdb",
            Self::Plain => "count.txt",
        }
    }
}

/// What was named, looked at.
pub(super) struct Site {
    /// The database for `--in-place`; its directory is where a scratch database goes.
    pub(super) file: Option<PathBuf>,
    pub(super) directory: PathBuf,
    pub(super) kind: Kind,
}

impl Site {
    /// Looks at what was named. The file is closed again before any process is started.
    pub(super) fn find(request: &WorkRequest, voice: &Voice) -> Result<Self, Failure> {
        let Some(named) = &request.file else { return Ok(Self::within(PathBuf::from("."))) };
        let shown = report::escaped(&named.to_string_lossy());
        let file = lock::canonical(named).map_err(|error| {
            Failure::new(Outcome::NoSuchFile, format!("there is no directory for `{shown}`"))
                .caused_by(error)
                .hint("FILE need not exist, but the directory in which the test is made must")
        })?;
        let kind = match look(&file, Want::Shared).engine {
            Engine::Sqlite { .. } => Kind::Sqlite,
            Engine::DuckDb => Kind::DuckDb,
            _ if request.ground == Ground::InPlace => return Err(not_in_place(&file, &shown)),
            // Beside it would be another directory than the one that is meant.
            Engine::Unknown if file.is_dir() => return Ok(Self::within(file)),
            Engine::Unknown | Engine::Empty => by_ending(&file),
            _ => Kind::Plain,
        };
        let directory = file.parent().unwrap_or(Path::new("/")).to_path_buf();
        let kind = Self::possible(kind, request, voice)?;
        Ok(Self { file: Some(file), directory, kind })
    }

    /// Returns the site in a directory, where nothing says which engine is meant.
    fn within(directory: PathBuf) -> Self {
        let kind = Kind::ALL.into_iter().find(|kind| kind.is_built_in());
        Self { file: None, directory, kind: kind.unwrap_or(Kind::Plain) }
    }

    /// Counts in a plain file where the engine is not built in and is not insisted on.
    fn possible(kind: Kind, request: &WorkRequest, voice: &Voice) -> Result<Kind, Failure> {
        if kind.is_built_in() {
            return Ok(kind);
        }
        let name = kind.name();
        let wants_sql = request.mode.is_some_and(|mode| mode.word() != "exec");
        if wants_sql || request.ground == Ground::InPlace {
            let message = format!("this dbguard was built without {name}");
            return Err(Failure::new(Outcome::Unavailable, message)
                .hint("to test with a plain file instead: dbguard test --mode exec FILE"));
        }
        voice.notice(&format!("built without {name}: counting in a plain file instead"));
        Ok(Kind::Plain)
    }
}

fn not_in_place(file: &Path, shown: &str) -> Failure {
    let Ok(facts) = fs::metadata(file) else {
        return Failure::new(Outcome::NoSuchFile, format!("there is no `{shown}`"))
            .hint("without --in-place a scratch database is made beside it");
    };
    let what = if facts.is_dir() { "a directory" } else { "neither SQLite nor DuckDB" };
    Failure::new(Outcome::BadDatabase, format!("`{shown}` is {what}: no table can be made in it"))
        .hint("without --in-place a scratch file is made beside it")
}

/// Returns what a name is meant for that has no content yet, or none that tells.
fn by_ending(file: &Path) -> Kind {
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let is_new = fs::metadata(file).map_or(true, |facts| facts.is_file() && facts.len() == 0);
    match ending.as_deref() {
        Some("duckdb" | "ddb") if is_new => Kind::DuckDb,
        Some("db" | "db3" | "sqlite" | "sqlite3") if is_new => Kind::Sqlite,
        _ => Kind::Plain,
    }
}

/// A directory of our own.
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes it; nobody can know its name before, and nobody else may enter it.
    pub(super) fn make(parent: &Path, voice: &Voice) -> Result<Self, Failure> {
        let cannot = |error: io::Error| {
            let outcome = match error.kind() {
                io::ErrorKind::PermissionDenied => Outcome::Permission,
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Outcome::NoSuchFile,
                _ => Outcome::CannotCreate,
            };
            let message = format!("cannot make a scratch directory in {}", voice.shown(parent));
            Failure::new(outcome, message)
                .caused_by(error)
                .hint("name a FILE whose directory can be written to, on the same file system")
        };
        let name = format!("{DIRECTORY}{:016x}", host::random().map_err(cannot)?);
        Dir::open(parent).and_then(|dir| dir.make_child(&name, 0o700, None)).map_err(cannot)?;
        Ok(Self { path: parent.join(name) })
    }

    /// Returns the path of a name in it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes it and what is in it; the children of a killed process may still be at it.
    fn remove(&self) -> io::Result<()> {
        let mut tries = 0;
        loop {
            match fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) if tries >= TRIES => return Err(error),
                Err(_) => tries += 1,
                Ok(()) => return Ok(()),
            }
            thread::sleep(PAUSE);
        }
    }

    /// Removes it; `false`, after a warning, if that fails.
    pub(super) fn clear(self, voice: &Voice) -> bool {
        let removed = self.remove();
        if let Err(error) = &removed {
            let path = voice.shown(&self.path);
            voice.warn(&format!("cannot remove {path} ({error}): remove it by hand"));
        }
        std::mem::forget(self);
        removed.is_ok()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // On the way of an error that is told instead.
        drop(self.remove());
    }
}

/// A table to count in.
pub(super) struct Arena {
    pub(super) kind: Kind,
    pub(super) file: PathBuf,
    pub(super) table: String,
    /// Whether it may have been made.
    has_table: AtomicBool,
    /// What is removed in the end: the database's directory, and that of its locks' files.
    scratch: Vec<Scratch>,
    environment: Vec<(&'static str, Option<OsString>)>,
}

impl Arena {
    /// Makes the directories; [`Self::fill`] makes the table.
    pub(super) fn make(site: &Site, request: &WorkRequest, voice: &Voice) -> Result<Self, Failure> {
        let random = host::random().map_err(|error| {
            Failure::new(Outcome::OsError, "cannot get random numbers").caused_by(error)
        })?;
        let (file, mut scratch) = match (&site.file, request.ground) {
            (Some(file), Ground::InPlace) => (file.clone(), Vec::new()),
            _ => {
                let scratch = Scratch::make(&site.directory, voice)?;
                (scratch.join(site.kind.file_name()), vec![scratch])
            }
        };
        let lock_dir = match (&request.lock_dir, request.ground) {
            (Some(directory), Ground::Scratch) => {
                let own = Scratch::make(directory, voice)?;
                let path = own.join("");
                scratch.push(own);
                Some(path)
            }
            (directory, _) => directory.clone(),
        };
        Ok(Self {
            kind: site.kind,
            file,
            table: format!("{TABLE}{random:016x}"),
            has_table: AtomicBool::new(true),
            scratch,
            environment: vec![("DBGUARD_LOCK_DIR", lock_dir.map(PathBuf::into_os_string))],
        })
    }

    /// Returns what the processes find in their environment.
    pub(super) fn environment(&self) -> &[(&'static str, Option<OsString>)] {
        &self.environment
    }

    /// Makes the table, with a row for everybody and one for each worker.
    pub(super) fn fill(&self, workers: u32, crew: &Crew) -> Result<(), Failure> {
        let cannot = || format!("cannot make a table in {}", self.shown());
        if self.kind == Kind::Plain {
            let zeros = "0\n".repeat(workers as usize + 1);
            return fs::write(&self.file, zeros)
                .map_err(|error| Failure::new(Outcome::CannotCreate, cannot()).caused_by(error));
        }
        let table = &self.table;
        let rows: Vec<_> = (0..=workers).map(|worker| format!("({worker}, 0)")).collect();
        let sql = format!(
            "create table {table} (worker integer not null, n bigint not null); \
             insert into {table} values {}",
            rows.join(", ")
        );
        let create = format!("--create={}", self.kind.word());
        let mut options = vec!["--json"];
        if !self.scratch.is_empty() {
            options.push(&create);
        }
        let ended = self.sql(&options, &sql, crew)?;
        // A process that tells that it failed has rolled back what it did.
        let has_failed = matches!(ended.change, Change::Exited(1..128));
        self.has_table.store(!has_failed, Ordering::SeqCst);
        succeeded(&ended, cannot).map(drop)
    }

    /// Returns what the database says in the end: the number of everybody, and each worker's.
    pub(super) fn numbers(&self, workers: u32, crew: &Crew) -> Result<Vec<u64>, Failure> {
        let cannot = || format!("cannot read the result in {}", self.shown());
        let bad = || Failure::new(Outcome::IoError, cannot());
        let text = match self.kind {
            Kind::Plain => {
                fs::read_to_string(&self.file).map_err(|error| bad().caused_by(error))?
            }
            Kind::Sqlite | Kind::DuckDb => {
                let sql = format!("select n from {} order by worker", self.table);
                let options = ["--format", "csv", "--no-header"];
                succeeded(&self.sql(&options, &sql, crew)?, cannot)?
            }
        };
        let lines = text.lines().filter_map(|line| line.trim().parse().ok());
        let numbers: Vec<u64> = lines.collect();
        match numbers.len() == workers as usize + 1 {
            true => Ok(numbers),
            false => Err(bad().caused_by("rows are missing")),
        }
    }

    /// Removes everything that was made; `false`, after a warning, if something is left.
    pub(super) fn clear(self, crew: &Crew, voice: &Voice) -> bool {
        crew.clear_up(|| {
            if self.scratch.is_empty() {
                return self.drop_table(crew, voice);
            }
            self.scratch.into_iter().map(|scratch| scratch.clear(voice)).fold(true, BitAnd::bitand)
        })
    }

    /// Drops the table; again if a key of the terminal ended that as well.
    fn drop_table(&self, crew: &Crew, voice: &Voice) -> bool {
        if crew.arrived().is_some() {
            let table = &self.table;
            voice.notice(&format!("dropping the table {table}; interrupt again to leave it"));
        }
        let sql = format!("drop table if exists {}", self.table);
        let mut reason = String::new();
        for _ in 0..TRIES {
            let dropped = crew.attend_one(|| self.sql(&["--json"], &sql, crew));
            let ended = match dropped {
                Ok(ended) => ended,
                Err(failure) => {
                    reason = failure.message;
                    break;
                }
            };
            match ended.change {
                Change::Exited(0) => return true,
                Change::Exited(code) if code < 128 => {
                    reason = failure_of(&ended, String::new).causes.join(", ");
                    break;
                }
                _ => reason = "interrupted".to_owned(),
            }
            if crew.is_urgent() {
                break;
            }
        }
        if !self.has_table.load(Ordering::SeqCst) {
            return true;
        }
        let (file, table) = (self.shown(), &self.table);
        voice.warn(&format!(
            "the table {table} is left in {file} ({reason}): \
             dbguard sql {file} 'drop table {table}' removes it"
        ));
        false
    }

    fn sql(&self, options: &[&str], sql: &str, crew: &Crew) -> Result<Ended, Failure> {
        let mut words: Vec<OsString> = vec!["sql".into(), "-q".into()];
        words.extend(options.iter().map(OsString::from));
        words.extend(["--".into(), self.file.clone().into_os_string(), sql.into()]);
        crew.run(&words, &self.environment)
    }

    fn shown(&self) -> String {
        report::escaped(&self.file.to_string_lossy())
    }
}

/// Returns what a process printed that succeeded.
fn succeeded(ended: &Ended, cannot: impl Fn() -> String) -> Result<String, Failure> {
    match ended.change {
        Change::Exited(0) => Ok(ended.output.clone()),
        _ => Err(failure_of(ended, cannot)),
    }
}

/// Passes on why a process failed.
fn failure_of(ended: &Ended, cannot: impl Fn() -> String) -> Failure {
    let lines = ended.output.lines().rev();
    let told = lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let told = told.into_iter().find(|line| line["exit_code"].is_u64()).unwrap_or_default();
    let code = told["exit_code"].as_u64();
    let outcome = Outcome::ALL.into_iter().find(|one| u64::try_from(one.code()).ok() == code);
    let failure = Failure::new(outcome.unwrap_or(Outcome::OsError), cannot());
    let in_words = ended.output.lines().find_map(|line| line.strip_prefix("dbguard: "));
    let message = told["message"].as_str().or(in_words);
    let failure = failure.caused_by(message.unwrap_or("the process was ended"));
    match told["hint"].as_str() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
