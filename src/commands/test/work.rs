//! The workers and the readers of a test, each in a thread that starts one process after another.

use std::ffi::OsString;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::arena::{Arena, Kind};
use super::crew::{Crew, no_thread};
use super::part::{Action, Task};
use super::progress::Progress;
use super::tally::{Reader, Tally, Worker};
use crate::cli::duration::Timeout;
use crate::cli::test_args::{Extent, TestMode, WorkRequest};
use crate::error::Failure;

/// Longer than any test: SQLite counts it in milliseconds, in 31 bits.
const ENDLESS: Duration = Duration::from_secs(24 * 60 * 60);

/// How the same work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Under the lock.
    Dbguard,
    /// As by programs that ask for no timeout.
    Bare,
    /// As by programs that let the engine wait.
    Patient,
}

/// A run of the work.
pub(super) struct Run<'a> {
    pub(super) request: &'a WorkRequest,
    pub(super) mode: TestMode,
    pub(super) way: Way,
    pub(super) arena: &'a Arena,
    pub(super) crew: &'a Crew,
}

/// What the threads of a run share.
struct Board {
    /// What each worker has done so far.
    done: Vec<AtomicU64>,
    working: AtomicU64,
    /// What each had done when the first was ready.
    at_first_end: OnceLock<Vec<u64>>,
    begun: Instant,
    ended: AtomicU64,
    /// How long it took until the last was ready.
    elapsed: OnceLock<Duration>,
}

/// What became of a thread.
enum Part {
    Worker(Worker),
    Reader(Reader),
}

impl Run<'_> {
    /// Does the work, and shows how far it is.
    ///
    /// # Errors
    /// A process or a thread cannot be started.
    pub(super) fn carry_out(&self, progress: &Progress) -> Result<Tally, Failure> {
        let workers = self.request.workers;
        let board = Board {
            done: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            working: AtomicU64::new(u64::from(workers)),
            at_first_end: OnceLock::new(),
            begun: Instant::now(),
            ended: AtomicU64::new(0),
            elapsed: OnceLock::new(),
        };
        type Job<'a> = Box<dyn FnOnce() -> Result<Part, Failure> + Send + 'a>;
        let board_of_all = &board;
        let mut jobs: Vec<Job<'_>> = Vec::new();
        for worker in 1..=workers {
            jobs.push(Box::new(move || self.work(worker, board_of_all).map(Part::Worker)));
        }
        for reader in 0..self.request.readers {
            jobs.push(Box::new(move || self.read(reader, board_of_all).map(Part::Reader)));
        }
        let parts = self.crew.attend(jobs, || progress.show(board.ended(), board.begun.elapsed()));
        let elapsed = board.elapsed.get().copied().unwrap_or(board.begun.elapsed());
        let mut tally = Tally { elapsed, ..Tally::default() };
        for part in parts.map_err(no_thread)? {
            match part? {
                Part::Worker(worker) => tally.workers.push(worker),
                Part::Reader(reader) => tally.readers.push(reader),
            }
        }
        tally.at_first_end = board.at_first_end.into_inner().unwrap_or_default();
        Ok(tally)
    }

    fn work(&self, number: u32, board: &Board) -> Result<Worker, Failure> {
        let mut worker = Worker::default();
        let done = &board.done[number as usize - 1];
        let mut result = Ok(());
        for round in 0_u32.. {
            if self.crew.is_stopped() || self.is_enough(round, board.begun) {
                break;
            }
            let words = self.operation(number, round);
            match self.crew.run(&words, self.arena.environment()) {
                Ok(ended) => worker.note(ended.change, &ended.output, ended.took),
                Err(failure) => {
                    self.crew.stop();
                    result = Err(failure);
                    break;
                }
            }
            done.store(worker.done, Ordering::SeqCst);
            board.ended.fetch_add(1, Ordering::Relaxed);
        }
        board.at_first_end.get_or_init(|| board.counts());
        if board.working.fetch_sub(1, Ordering::SeqCst) == 1 {
            board.elapsed.get_or_init(|| board.begun.elapsed());
        }
        result.map(|()| worker)
    }

    fn is_enough(&self, rounds: u32, begun: Instant) -> bool {
        match self.request.extent {
            Extent::Operations(most) => rounds >= most,
            // One each, however short the time is: without any nothing is proved.
            Extent::Time(limit) => rounds > 0 && begun.elapsed() >= limit,
        }
    }

    fn read(&self, number: u32, board: &Board) -> Result<Reader, Failure> {
        let mut reader = Reader::default();
        let mut least = 0;
        for round in 0_u32.. {
            least = board.counts().iter().sum::<u64>().max(least);
            let ended = self.crew.run(&self.reading(number, round), self.arena.environment());
            let ended = ended.inspect_err(|_| self.crew.stop())?;
            least = reader.note(ended.change, &ended.output, least);
            if self.crew.is_stopped() || board.working.load(Ordering::SeqCst) == 0 {
                break;
            }
        }
        Ok(reader)
    }

    /// Whether it is the turn of `sql`.
    fn is_sql(&self, number: u32, round: u32) -> bool {
        match self.mode {
            TestMode::Sql => true,
            TestMode::Exec => false,
            TestMode::Mixed => number.wrapping_add(round).is_multiple_of(2),
        }
    }

    /// Returns the words of an operation.
    fn operation(&self, worker: u32, round: u32) -> Vec<OsString> {
        let is_sql = self.is_sql(worker, round);
        let action = if is_sql { Action::Add } else { Action::Count };
        let table = &self.arena.table;
        match self.way {
            Way::Dbguard if is_sql => self.sql(&format!(
                "update {table} set n = n + 1 where worker = 0; \
                 update {table} set n = n + 1 where worker = {worker}"
            )),
            Way::Dbguard => self.exec(&[], action, worker),
            Way::Bare | Way::Patient => self.task(action, worker).words(),
        }
    }

    /// Returns the words of a read.
    fn reading(&self, reader: u32, round: u32) -> Vec<OsString> {
        let table = &self.arena.table;
        match self.way {
            Way::Dbguard if self.is_sql(reader, round) => self.sql(&format!(
                "select n from {table} where worker = 0; \
                 select cast(sum(n) as bigint) from {table} where worker > 0"
            )),
            Way::Dbguard => self.exec(&["-s"], Action::Read, 0),
            Way::Bare | Way::Patient => self.task(Action::Read, 0).words(),
        }
    }

    fn sql(&self, sql: &str) -> Vec<OsString> {
        let mut words = self.begin("sql");
        words.extend(["--format", "csv", "--no-header"].map(OsString::from));
        words.extend([self.arena.file.clone().into_os_string(), sql.into()]);
        words
    }

    fn exec(&self, options: &[&str], action: Action, worker: u32) -> Vec<OsString> {
        let mut words = self.begin("exec");
        words.extend(options.iter().map(OsString::from));
        words.extend([self.arena.file.clone().into_os_string(), "--".into()]);
        words.push(self.crew.program().clone().into_os_string());
        words.extend(self.task(action, worker).words());
        words
    }

    /// With `-v` each process tells how long the lock took; in plain words, whatever is set.
    fn begin(&self, verb: &str) -> Vec<OsString> {
        let timeout = self.request.timeout.to_string();
        [verb, "-v", "--color=never", "-w", timeout.as_str()].map(OsString::from).to_vec()
    }

    fn task(&self, action: Action, worker: u32) -> Task {
        // Under the lock, too: two that overlap are to lose an update, and not to be saved by an
        // engine that refuses one of them.
        let patience = match (self.way, self.request.timeout) {
            (Way::Bare, _) => Duration::ZERO,
            (Way::Dbguard | Way::Patient, Timeout::After(limit)) => limit.min(ENDLESS),
            (Way::Dbguard | Way::Patient, Timeout::Never) => ENDLESS,
        };
        let Arena { kind, file, table, .. } = self.arena;
        Task { action, kind: *kind, file: file.clone(), table: table.clone(), worker, patience }
    }
}

impl Board {
    fn counts(&self) -> Vec<u64> {
        self.done.iter().map(|count| count.load(Ordering::SeqCst)).collect()
    }

    fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }
}

impl Way {
    /// Returns what it is called while it goes on.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dbguard => "dbguard",
            Self::Bare => "bare",
            Self::Patient => "timeout",
        }
    }

    /// Returns the ways that make sense for what is counted in.
    pub(super) fn beside(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Sqlite => &[Self::Bare, Self::Patient],
            // There is no timeout to ask for.
            Kind::DuckDb | Kind::Plain => &[Self::Bare],
        }
    }
}
