//! What the tests of `dbguard sql` share: databases, and programs that know nothing of dbguard.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use crate::process::{Ended, Process};
use crate::scene::{Run, Scene, have, skip};

/// Prepares `dbguard sql WORDS`.
pub fn sql(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["sql"]).words(words)
}

/// Runs `dbguard sql WORDS`, which has to succeed, and returns what it printed.
#[track_caller]
pub fn answer(scene: &Scene, words: &[&str]) -> String {
    sql(scene, words).run().expect(0).stdout
}

/// Makes a SQLite database by the sqlite3 shell.
pub fn database(scene: &Scene, file: &str, journal: &str, script: &str) {
    let script = format!("PRAGMA journal_mode={journal}; {script}");
    scene.run("sqlite3", ["-bail", file, &script]).run().expect(0);
}

/// Returns what the sqlite3 shell answers, ends trimmed, with the ends of lines that Unix has.
#[track_caller]
pub fn ask(scene: &Scene, file: &str, query: &str) -> String {
    let words = ["-bail", "-cmd", ".timeout 60000", file, query];
    let answer = scene.run("sqlite3", words).run().expect(0).stdout;
    answer.trim().replace("\r\n", "\n")
}

/// Returns everything that a SQLite database holds, as SQL.
#[track_caller]
pub fn dump(scene: &Scene, file: &str) -> String {
    ask(scene, file, ".dump")
}

/// Proves that a SQLite database is sound and that nothing half-written lies beside it.
#[track_caller]
pub fn assert_sound(scene: &Scene, file: &str) {
    assert_eq!(ask(scene, file, "PRAGMA integrity_check"), "ok", "{}", scene.describe());
    assert!(!scene.path(format!("{file}-journal")).exists(), "{}", scene.describe());
}

/// Returns the document that `--json` printed.
#[track_caller]
pub fn document(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("no JSON: {error}\n{}", ended.describe()))
}

/// Whether the dbguard under test has DuckDB, and the tools that its tests compare it with work
/// here.
pub fn have_duckdb() -> bool {
    static BUILT_IN: OnceLock<bool> = OnceLock::new();
    static MODULE: OnceLock<bool> = OnceLock::new();
    let built_in = *BUILT_IN.get_or_init(|| {
        let scene = Scene::new();
        let ended = sql(&scene, &["--create", "x.duckdb", "select 1"]).run().expect_any(&[0, 69]);
        ended.code == Some(0)
    });
    if !built_in {
        skip("this dbguard was built without DuckDB");
        return false;
    }
    let module = *MODULE.get_or_init(|| {
        let scene = Scene::new();
        have(&["python3"]) && scene.run("python3", ["-c", "import duckdb"]).run().code == Some(0)
    });
    if !module {
        skip("Python has no module `duckdb`");
    }
    module && have(&["duckdb"])
}

/// Returns what the duckdb shell prints as CSV, ends trimmed.
#[track_caller]
pub fn ask_duckdb(scene: &Scene, file: &str, query: &str) -> String {
    let words = ["-bail", "-csv", "-noheader", file, "-c", query];
    scene.run("duckdb", words).run().expect(0).stdout.trim().to_owned()
}

/// Begins a transaction that is too large for the cache, so that its journal has to be whole.
pub const SPILLED: &str = "pragma cache_size=5; begin; with recursive c(i) as (select 1 union all \
    select i + 1 from c where i < 2000) insert into t select hex(zeroblob(450)) from c;";

/// A sqlite3 shell that stays open, with its locks. It has no busy timeout.
pub struct Shell {
    process: Process,
    scene: Scene,
}

impl Shell {
    /// Opens a database.
    pub fn open(scene: &Scene, file: &str) -> Self {
        let process = scene.run("sqlite3", ["-bail", file]).spawn_fed();
        Self { process, scene: scene.clone() }
    }

    /// Opens a database and runs something.
    pub fn doing(scene: &Scene, file: &str, script: &str) -> Self {
        let mut shell = Self::open(scene, file);
        shell.run(script);
        shell
    }

    /// Runs something, and returns once that is done.
    #[track_caller]
    pub fn run(&mut self, script: &str) {
        let done = self.scene.fresh("done");
        let text = format!("{script}\n.shell touch {}\n", done.display());
        self.process.input().write_all(text.as_bytes()).expect("the shell lives");
        self.process.until("the SQL has run", || done.exists());
    }

    /// Returns the process number.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Kills it and returns once it is dead.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Ends it.
    #[track_caller]
    pub fn leave(mut self) {
        self.process.close_input();
        self.process.wait().expect(0);
    }
}

/// A sqlite3 shell that does the same again and again.
pub struct Foreigner {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Ended>,
}

impl Foreigner {
    /// Starts one that waits for others so many milliseconds, goes through some statements in
    /// turns, and pauses after each of them; returns when the first has run.
    pub fn doing(scene: &Scene, file: &str, wait: &str, turn: &[&str], pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let wait = format!(".timeout {wait}");
        let words = ["-cmd", ".changes on", "-cmd", &wait, file];
        let mut process = scene.run("sqlite3", words).spawn_fed();
        // Little of what is so long lies in the pipe when it is to stop.
        let fill = " ".repeat(4000);
        let lines: Vec<String> = turn.iter().map(|line| format!("/*{fill}*/ {line};\n")).collect();
        let begun = scene.fresh("begun");
        let first = format!("{}.shell touch {}\n", lines[0], begun.display());
        process.input().write_all(first.as_bytes()).expect("the shell lives");
        process.until("it has begun", || begun.exists());
        let is_over = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            for line in lines.iter().cycle().skip(1) {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                thread::sleep(pause);
                process.input().write_all(line.as_bytes()).expect("the shell lives");
            }
            process.close_input();
            process.wait()
        });
        Self { stop, thread }
    }

    /// Ends it, and returns how often it had changed something. It met no other error than that
    /// the file was locked.
    #[track_caller]
    pub fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join().expect("it was fed to the end");
        let mut errors = ended.stderr.lines().filter(|line| !line.trim().is_empty());
        assert!(errors.all(|line| line.contains("database is locked")), "{}", ended.describe());
        ended.stdout.lines().filter(|line| line.starts_with("changes:")).count()
    }
}

/// Starts a Python program that knows nothing of dbguard.
pub fn python(scene: &Scene, name: &str, program: &str) -> Process {
    scene.file(name, program);
    scene.run("python3", [name]).spawn()
}
