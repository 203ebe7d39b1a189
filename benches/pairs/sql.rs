//! SQL: one statement, a crowd of updates, a million rows; beside the engines' own shells.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::stage::{Stage, which};
use crate::tally::{Turn, head, in_turns, median, row, timed};

const ROUNDS: usize = 300;
const WARM_UP: usize = 5;

/// How many processes update at a time, how often each in a round, and how many rounds there are:
/// the sides take turns, so that a busy disk meets all of them.
const CROWD: usize = 100;
const UPDATES: usize = 10;
const CROWD_ROUNDS: usize = 5;

const MILLION_ROUNDS: usize = 5;

/// The shell of SQLite, or of DuckDB, and the endings of their files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Engine {
    Sqlite,
    DuckDb,
}

impl Engine {
    fn ending(self) -> &'static str {
        if self == Self::Sqlite { "db" } else { "duckdb" }
    }

    /// Returns the shell. `BENCH_DUCKDB` names DuckDB's: what PyPI's duckdb-cli puts into the path
    /// is a program in Python that starts it.
    fn shell(self) -> Option<PathBuf> {
        match self {
            Self::Sqlite => which("sqlite3"),
            Self::DuckDb => {
                std::env::var_os("BENCH_DUCKDB").map(PathBuf::from).or_else(|| which("duckdb"))
            }
        }
    }

    fn query(self, shell: &Path, file: &Path, sql: &str) -> Command {
        let mut command = Command::new(shell);
        command.arg(file);
        if self == Self::DuckDb {
            command.arg("-c");
        }
        command.arg(sql);
        command
    }
}

/// Returns `dbguard sql`, to be completed; the file is made by dbguard itself.
fn sql(stage: &Stage, file: &Path, words: &[&str]) -> Command {
    let mut command = stage.program();
    command.arg("sql").arg(file).args(words);
    command
}

/// Makes a database, or returns `None` where the engine is not built in.
fn make(stage: &Stage, engine: Engine, name: &str, script: &str) -> Option<PathBuf> {
    let file = stage.path(&format!("{name}.{}", engine.ending()));
    let mut command = sql(stage, &file, &[script]);
    command.arg("--create").stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success()).then_some(file)
}

fn both(what: &str, mut pair: impl FnMut(Engine, &Path)) {
    for engine in [Engine::Sqlite, Engine::DuckDb] {
        match engine.shell() {
            Some(shell) => pair(engine, &shell),
            None => println!("  no shell for .{} files: {what} is skipped", engine.ending()),
        }
    }
}

fn run(mut command: Command) {
    let status = command.stdout(Stdio::null()).status().expect("run a command");
    assert!(status.success(), "{command:?}: {status}");
}

/// Prints the pairs of one `select 1`.
pub fn select(stage: &Stage) {
    println!("  medians of {ROUNDS}, from the spawn to the end");
    head("this", "shell");
    both("select 1", |engine, shell| {
        let Some(file) = make(stage, engine, "one", "create table t (n int)") else {
            return println!("  .{} files: this build has no engine", engine.ending());
        };
        let ours = || run(sql(stage, &file, &["select 1"]));
        let theirs = || run(engine.query(shell, &file, "select 1"));
        for _ in 0..WARM_UP {
            ours();
            theirs();
        }
        let mut turns: Vec<Turn<'_>> = vec![Box::new(|| timed(ours)), Box::new(|| timed(theirs))];
        let times = in_turns(ROUNDS, &mut turns);
        let bound = if engine == Engine::Sqlite { 1.0 } else { 0.5 };
        let what = format!("select 1 from a .{} file", engine.ending());
        row(&what, median(&times[0]), median(&times[1]), Some(bound));
    });
}

/// Prints the pairs of a million rows as CSV.
pub fn rows(stage: &Stage) {
    println!("  medians of {MILLION_ROUNDS}, a million rows to a file");
    head("this", "shell");
    let fill = "create table t as with recursive c(n) as (select 1 union all select n + 1 from c \
                where n < 1000000) select n, n * 1.5 as x, 'row ' || n as name from c";
    let fill_duckdb = "create table t as select n, n * 1.5::double as x, 'row ' || n as name from \
                       range(1000000) as r(n)";
    both("a million rows", |engine, shell| {
        let script = if engine == Engine::Sqlite { fill } else { fill_duckdb };
        let Some(file) = make(stage, engine, "million", script) else { return };
        let to_file = |mut command: Command| {
            command.stdout(File::create(stage.path("rows.csv")).expect("a file"));
            assert!(command.status().expect("run a command").success(), "{command:?}");
        };
        let ours = || to_file(sql(stage, &file, &["select * from t", "--format", "csv"]));
        let theirs = || {
            let mut command = Command::new(shell);
            command.arg("-csv").arg(&file);
            if engine == Engine::DuckDb {
                command.arg("-c");
            }
            command.arg("select * from t");
            to_file(command);
        };
        ours();
        theirs();
        let mut turns: Vec<Turn<'_>> = vec![Box::new(|| timed(ours)), Box::new(|| timed(theirs))];
        let times = in_turns(MILLION_ROUNDS, &mut turns);
        let what = format!("a million rows of a .{} file", engine.ending());
        row(&what, median(&times[0]), median(&times[1]), Some(1.0));
    });
}

/// Prints the pairs of a hundred processes that count.
pub fn updates(stage: &Stage) {
    let (Some(shell), Some(flock)) = (which("sqlite3"), which("flock")) else {
        return println!("  no sqlite3 shell: skipped");
    };
    let update = "update c set n = n + 1";
    let make = |name: &str| {
        let script = "create table c (n int); insert into c values (0)";
        self::make(stage, Engine::Sqlite, name, script).expect("make a database")
    };
    let (a, b, c) = (make("ours"), make("timeout"), make("flocked"));
    let ours = || sql(stage, &a, &["-q", "-w", "inf", update]);
    let timeout = || {
        let mut command = Command::new(&shell);
        command.args(["-cmd", ".timeout 120000"]).arg(&b).arg(update);
        command
    };
    let flocked = || {
        let mut command = Command::new(&flock);
        command.arg(stage.path("flocked.lock")).arg(&shell).arg(&c).arg(update);
        command
    };
    let mut times = [Times::default(); 3];
    for _ in 0..CROWD_ROUNDS {
        times[0].add(crowd(ours));
        times[1].add(crowd(timeout));
        times[2].add(crowd(flocked));
    }
    let [ours, timeout, flocked] = times;
    for file in [&a, &b, &c] {
        let mut count = sql(stage, file, &["select n from c", "--no-header"]);
        let count = count.output().expect("count").stdout;
        println!("  {}: {}", file.display(), String::from_utf8_lossy(&count).trim());
    }
    println!("  {CROWD} processes x {} updates", UPDATES * CROWD_ROUNDS);
    head("this", "other");
    row("all, beside .timeout 120000", ours.all, timeout.all, Some(0.5));
    row("all, beside flock sqlite3", ours.all, flocked.all, Some(0.65));
    row("the slowest, beside .timeout 120000", ours.slowest, timeout.slowest, Some(0.2));
    row("the slowest, beside flock sqlite3", ours.slowest, flocked.slowest, Some(1.0));
    // The files are of this run.
    for file in [a, b, c] {
        drop(fs::remove_file(file));
    }
}

/// How long a crowd took.
#[derive(Clone, Copy, Default)]
struct Times {
    all: Duration,
    slowest: Duration,
}

impl Times {
    fn add(&mut self, round: Self) {
        self.all += round.all;
        self.slowest = self.slowest.max(round.slowest);
    }
}

fn crowd(command: impl Fn() -> Command + Sync) -> Times {
    let mut slowest = Duration::ZERO;
    let all = timed(|| {
        slowest = thread::scope(|scope| {
            let worker = || (0..UPDATES).map(|_| timed(|| run(command()))).max();
            let workers: Vec<_> = (0..CROWD).map(|_| scope.spawn(worker)).collect();
            let ends = workers.into_iter().map(|worker| worker.join().expect("a worker ends"));
            ends.flatten().max().unwrap_or_default()
        });
    });
    Times { all, slowest }
}
