//! The parts that this very program plays in a test, as a command under the lock or without one.
//!
//! They stand for programs that know nothing of dbguard, and are written to lose updates wherever
//! two of them overlap: the database is closed between reading and writing. The
//! word that calls for them is in no help and no completion, and is of no use to anybody: without
//! a lock they count as badly as any program would.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::arena::Kind;
use super::locks;
use crate::commands::voice::write;
use crate::commands::{End, print};
use crate::outcome::Outcome;
use crate::report::escaped;
use crate::sql::{
    Access, Batch, Cell, Column, Engine, Grace, Missing, Parameters, Sink, SqlError, Trouble,
    Voice, Watch, start_duckdb, start_sqlite,
};

/// What calls for a part.
pub(super) const PART: &str = "__play";

/// Between reading a plain file and writing it: without the pause two would hardly ever overlap.
const PAUSE: Duration = Duration::from_millis(1);

/// What a part does with the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Reads them, and writes them back one higher: two transactions.
    Count,
    /// Adds one in one transaction.
    Add,
    /// Prints the number of all, and then the sum of the workers' own: two transactions.
    Read,
}

impl Action {
    const ALL: [Self; 3] = [Self::Count, Self::Add, Self::Read];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Add => "add",
            Self::Read => "read",
        }
    }
}

/// Where a part counts, and as whom.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) action: Action,
    pub(super) kind: Kind,
    pub(super) file: PathBuf,
    pub(super) table: String,
    /// Counts from 1; 0 is everybody.
    pub(super) worker: u32,
    /// How long the engine may wait for its own locks.
    pub(super) patience: Duration,
}

impl Task {
    /// Returns the words that make this program do it.
    pub(super) fn words(&self) -> Vec<OsString> {
        let millis = self.patience.as_millis().to_string();
        let worker = self.worker.to_string();
        let words: [&OsStr; 7] = [
            PART.as_ref(),
            self.action.word().as_ref(),
            self.kind.word().as_ref(),
            self.file.as_os_str(),
            self.table.as_ref(),
            worker.as_ref(),
            millis.as_ref(),
        ];
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn parse(words: &[OsString]) -> Option<Self> {
        let [action, kind, file, table, worker, patience] = words else { return None };
        let table = table.to_str().filter(|name| name.bytes().all(is_plain))?;
        Some(Self {
            action: Action::ALL.into_iter().find(|known| action == known.word())?,
            kind: Kind::ALL.into_iter().find(|known| kind == known.word())?,
            file: PathBuf::from(file),
            table: table.to_owned(),
            worker: worker.to_str()?.parse().ok()?,
            patience: Duration::from_millis(patience.to_str()?.parse().ok()?),
        })
    }

    fn carry_out(&self) -> Result<(), Trip> {
        match (self.kind, self.action) {
            (Kind::Plain, Action::Read) => show(&numbers(&self.file)?),
            (Kind::Plain, _) => self.count_in_file(),
            (_, Action::Read) => self.read(),
            (_, Action::Count) => self.count(),
            (_, Action::Add) => self.add(),
        }
    }

    fn count_in_file(&self) -> Result<(), Trip> {
        let mut numbers = numbers(&self.file)?;
        thread::sleep(PAUSE);
        for place in [0, self.place()?] {
            let number = numbers.get_mut(place).ok_or_else(|| Trip::bad("half a file"))?;
            *number = number.saturating_add(1);
        }
        let lines: String = numbers.iter().map(|number| format!("{number}\n")).collect();
        Ok(fs::write(&self.file, lines)?)
    }

    fn place(&self) -> Result<usize, Trip> {
        usize::try_from(self.worker).map_err(|_| Trip::bad("no such worker"))
    }

    fn read(&self) -> Result<(), Trip> {
        let all = self.ask(&self.of(0))?;
        let table = &self.table;
        let sum = self.ask(&format!("select cast(sum(n) as bigint) from {table} where worker > 0"));
        show(&[all, sum?])
    }

    fn count(&self) -> Result<(), Trip> {
        let (all, own) = (self.ask(&self.of(0))?, self.ask(&self.of(self.worker))?);
        let set = |worker, number: i64| {
            format!("update {} set n = {} where worker = {worker}", self.table, number + 1)
        };
        self.write(&set(0, all), &set(self.worker, own))
    }

    fn add(&self) -> Result<(), Trip> {
        let set = |worker| format!("update {} set n = n + 1 where worker = {worker}", self.table);
        self.write(&set(0), &set(self.worker))
    }

    fn of(&self, worker: u32) -> String {
        format!("select n from {} where worker = {worker}", self.table)
    }

    fn ask(&self, sql: &str) -> Result<i64, Trip> {
        let answer = self.run(sql, Access::Read)?;
        answer.first().copied().ok_or_else(|| Trip::bad("a row is missing"))
    }

    fn write(&self, first: &str, second: &str) -> Result<(), Trip> {
        let begin = if self.kind == Kind::Sqlite { "begin immediate" } else { "begin" };
        self.run(&format!("{begin}; {first}; {second}; commit"), Access::Write).map(drop)
    }

    /// Opens the database, runs statements, and closes it.
    fn run(&self, sql: &str, access: Access) -> Result<Vec<i64>, Trip> {
        let engine: Box<dyn Engine> = match self.kind {
            Kind::DuckDb => start_duckdb(Arc::new(Undisturbed))?,
            Kind::Sqlite | Kind::Plain => start_sqlite(Arc::new(Undisturbed))?,
        };
        let parameters = Parameters::default();
        let batch =
            Batch { sql, condition: None, parameters: &parameters, loose: true, wal: false };
        let session = engine.open(&self.file, access, Missing::Fails)?;
        let grace = Grace { commit: self.patience, loose: self.patience };
        let mut numbers = Numbers::default();
        batch.attempt(&*session, access, grace, &mut numbers)?;
        session.close()?;
        Ok(numbers.0)
    }
}

/// Plays a part, if the words after the program's name call for one.
pub fn play(words: &[OsString]) -> Option<End> {
    let words = match words {
        [first, words @ ..] if first == PART => words,
        _ => return None,
    };
    if let Some(end) = locks::play(words) {
        return Some(end);
    }
    let done = match Task::parse(words) {
        Some(task) => task.carry_out(),
        None => Err(Trip::bad("no part of a test")),
    };
    let outcome = match done {
        Ok(()) => Outcome::Ok,
        Err(trip) => {
            write(&format!("dbguard: {}\n", escaped(&trip.message)));
            trip.outcome
        }
    };
    Some(outcome.into())
}

/// Why a part failed.
struct Trip {
    outcome: Outcome,
    message: String,
}

impl Trip {
    fn bad(message: &str) -> Self {
        Self { outcome: Outcome::IoError, message: message.to_owned() }
    }
}

impl From<SqlError> for Trip {
    fn from(error: SqlError) -> Self {
        let outcome = match error.trouble {
            Trouble::Busy => Outcome::WouldBlock,
            Trouble::Statement | Trouble::Usage | Trouble::NeedsWrite => Outcome::SqlError,
            Trouble::NotADatabase => Outcome::BadDatabase,
            Trouble::Permission => Outcome::Permission,
            _ => Outcome::IoError,
        };
        Self { outcome, message: error.message }
    }
}

impl From<io::Error> for Trip {
    fn from(error: io::Error) -> Self {
        Self { outcome: Outcome::IoError, message: error.to_string() }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn show(numbers: &[i64]) -> Result<(), Trip> {
    // In a plain file the first line is of everybody, and the others are the workers' own.
    let (all, own) = numbers.split_first().ok_or_else(|| Trip::bad("half a file"))?;
    print(format!("{all}\n{}\n", own.iter().sum::<i64>()).as_bytes());
    Ok(())
}

fn numbers(file: &Path) -> Result<Vec<i64>, Trip> {
    let text = fs::read_to_string(file)?;
    let numbers: Option<Vec<i64>> = text.lines().map(|line| line.parse().ok()).collect();
    numbers.ok_or_else(|| Trip::bad("half a file"))
}

/// Keeps every number of every result.
#[derive(Default)]
struct Numbers(Vec<i64>);

impl Sink for Numbers {
    fn voice(&self) -> Voice {
        Voice::Text
    }

    fn begin(&mut self, _columns: &[Column]) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        if let [Cell::Integer(number)] = cells {
            self.0.push(*number);
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Signals act on a part as on any program.
struct Undisturbed;

impl Watch for Undisturbed {
    fn interrupted(&self) -> bool {
        false
    }

    fn progress(&self, _percent: Option<f64>) {}
}
