//! What the tests of `dbguard info` share: its answers, and clients that know nothing of dbguard.

use std::fs;
use std::io::Write;
use std::sync::OnceLock;

use serde_json::Value;

use crate::process::Process;
use crate::scene::{Run, Scene, have, is_wine, skip};
#[cfg(target_os = "linux")]
use crate::sql_crew::database;
use crate::sql_crew::document;

/// Executes what it is told, a JSON list of code and of the file to answer in, line by line.
const CLIENT: &str = r"
import json, os, sys
names = {}
for line in sys.stdin:
    code, answer = json.loads(line)
    try:
        exec(code, names)
        text = ''
    except Exception as error:
        text = f'{type(error).__name__}: {error}'
    with open(answer + '.part', 'w') as file:
        file.write(text)
    os.rename(answer + '.part', answer)
";

/// Opens a SQLite database as `db`, in autocommit mode and without a busy timeout.
pub const CONNECT: &str = "import sqlite3\n\
    db = sqlite3.connect('a.db', isolation_level=None, timeout=0)";

/// Prepares `dbguard info WORDS`.
pub fn info(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["info"]).words(words)
}

/// Returns what `dbguard info` says of a file, which it has to find.
#[track_caller]
pub fn told(scene: &Scene, file: &str) -> String {
    info(scene, &[file]).run().expect(0).silent().stdout
}

/// Returns the answer, the first line.
#[track_caller]
pub fn first(scene: &Scene, file: &str) -> String {
    told(scene, file).lines().next().expect("there is an answer").to_owned()
}

/// Returns the document of one database.
#[track_caller]
pub fn seen(scene: &Scene, words: &[&str]) -> Value {
    let ended = info(scene, &["--json"]).words(words).run().expect(0);
    let document = document(&ended);
    assert_eq!(document["schema"], 1);
    assert_eq!(document["resources"].as_array().map(Vec::len), Some(1), "{}", ended.describe());
    document["resources"][0].clone()
}

/// Returns the hints about a file, one a line.
#[track_caller]
pub fn hints(scene: &Scene, words: &[&str]) -> String {
    let seen = seen(scene, words);
    let hints = seen["hints"].as_array().expect("a list");
    hints.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

/// Returns the locks that a document lists of a process: what it does, and whom that keeps out.
pub fn locks_of(seen: &Value, pid: u32) -> Vec<(String, String)> {
    let locks = seen["native"]["locks"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let of = locks.filter(|lock| lock["pid"] == pid);
    of.map(|lock| (text(&lock["meaning"]), text(&lock["blocks"]))).collect()
}

/// Proves that one lock of a process means this, and blocks these.
#[track_caller]
pub fn assert_does(seen: &Value, pid: u32, meaning: &str, blocks: &str) {
    let locks = locks_of(seen, pid);
    let is = |(text, whom): &(String, String)| text.contains(meaning) && whom == blocks;
    assert!(locks.iter().any(is), "{pid} {meaning} {blocks}: {seen:#}");
}

/// Proves what `--check` answers, by what is blocked.
#[track_caller]
pub fn assert_check(scene: &Scene, file: &str, blocks: &str) {
    let codes = match blocks {
        "none" => [0, 0],
        "writers" => [0, 1],
        "all" => [1, 1],
        _ => panic!("no such word: {blocks}"),
    };
    for (mode, code) in ["shared", "exclusive"].into_iter().zip(codes) {
        info(scene, &["-q", "--check", mode, file]).run().expect(code).answers("").silent();
    }
}

/// A Python that does what it is told and keeps what it has open.
pub struct Client {
    process: Process,
    scene: Scene,
}

impl Client {
    /// Starts one.
    pub fn new(scene: &Scene) -> Self {
        scene.file("client.py", CLIENT);
        let process = scene.run("python3", ["client.py"]).spawn_fed();
        Self { process, scene: scene.clone() }
    }

    /// Starts one that has run something without an error.
    #[track_caller]
    pub fn doing(scene: &Scene, code: &str) -> Self {
        let mut client = Self::new(scene);
        client.run(code);
        client
    }

    /// Begins to run something; the file that is returned appears when it is done.
    pub fn begin(&mut self, code: &str) -> std::path::PathBuf {
        let answer = self.scene.fresh("answer");
        let line = serde_json::json!([code, answer.to_str().expect("text")]);
        writeln!(self.process.input(), "{line}").expect("the client lives");
        answer
    }

    /// Runs something, and returns the error that it ends with.
    #[track_caller]
    pub fn attempt(&mut self, code: &str) -> Option<String> {
        let answer = self.begin(code);
        self.process.until("it is done", || answer.exists());
        let text = fs::read_to_string(answer).expect("it was just written");
        (!text.is_empty()).then_some(text)
    }

    /// Runs something that has to succeed.
    #[track_caller]
    pub fn run(&mut self, code: &str) {
        assert_eq!(self.attempt(code), None, "{code}");
    }

    /// Returns the process number.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Returns the process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Whether Python has DuckDB and there is DuckDB's shell.
pub fn have_foreign_duckdb() -> bool {
    static MODULE: OnceLock<bool> = OnceLock::new();
    let has = *MODULE.get_or_init(|| {
        let scene = Scene::new();
        have(&["python3"]) && scene.run("python3", ["-c", "import duckdb"]).run().code == Some(0)
    });
    if !has {
        skip("Python has no module `duckdb`");
    }
    has && have(&["duckdb"])
}

/// Whether it is told here who has bytes of a file locked; says so if not.
pub fn shows_locks() -> bool {
    if cfg!(windows) {
        skip("Windows tells nobody who has bytes of a file locked");
    }
    cfg!(unix)
}

/// Puts into double quotes what is to be typed where that is so: what stands after a blank.
pub fn typed_here(text: &str) -> String {
    let quoted = |line: &str| match line.split_once(" '").filter(|_| cfg!(windows)) {
        Some((before, quoted)) => format!("{before} \"{}", quoted.replace('\'', "\"")),
        None => line.to_owned(),
    };
    text.split('\n').map(quoted).collect::<Vec<_>>().join("\n")
}

/// Leaves of what is told of commands what is told here: Windows calls programs by the names of
/// their files, and Wine tells no arguments. `commands` are those that the text may name.
pub fn as_told_here(text: &str, commands: &[&str]) -> String {
    let mut text = text.replace(".exe", "");
    for command in commands.iter().filter(|_| is_wine()) {
        let program = command.split(' ').next().unwrap_or(command);
        text = text.replace(command, program);
    }
    text
}

/// Starts a program in a PID namespace of its own that has `a.db`, which it makes, alone until its
/// input ends; returns once it has it.
#[cfg(target_os = "linux")]
pub fn holder_in_a_namespace(scene: &Scene) -> Process {
    database(scene, "a.db", "delete", "CREATE TABLE t(n);");
    let program = format!(
        "{CONNECT}\ndb.execute('begin exclusive')\nopen('up', 'w')\nimport sys\nsys.stdin.read()"
    );
    scene.file("holder.py", program);
    let words = ["-pf", "--mount-proc", "--kill-child", "python3", "holder.py"];
    let mut holder = scene.run("unshare", words).spawn_fed();
    holder.until("it holds", || scene.path("up").exists());
    holder
}
