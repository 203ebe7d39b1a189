//! A directory of its own for each test, and dbguard in it.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::actor;

/// How long anything may take before it has failed: emulators on busy machines are slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory, gone when dropped.
pub struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns dbguard with these arguments, to be run here.
    pub fn dbguard(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dbguard"));
        command.current_dir(self.directory.path()).args(arguments);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("DBGUARD_") {
                command.env_remove(name);
            }
        }
        command.env("DBGUARD_TEST_SEES_ALL", "1");
        command
    }

    /// Runs dbguard to its end.
    pub fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.dbguard(arguments).output().expect("dbguard starts"))
    }

    /// Runs dbguard, `--` and one who plays a part.
    pub fn play(&self, arguments: &[&str], part: &[&str]) -> Done {
        Done::of(self.player(arguments, part).output().expect("dbguard starts"))
    }

    fn player(&self, arguments: &[&str], part: &[&str]) -> Command {
        let mut command = self.dbguard(arguments);
        command.arg("--").args(actor::words()).env(actor::PART, part.join("\n"));
        command
    }

    /// Starts one who holds, and returns once the command runs.
    pub fn hold(&self, arguments: &[&str]) -> Holder {
        Self::started(self.player(arguments, &["hold"]))
    }

    /// Starts one who holds something without dbguard.
    pub fn hold_alone(&self, part: &[&str]) -> Holder {
        let words = actor::words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env(actor::PART, part.join("\n"));
        Self::started(command)
    }

    /// Starts a command that says that it holds, and returns once it has.
    pub fn started(mut command: Command) -> Holder {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("dbguard starts");
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while !line.starts_with("held") {
            line.clear();
            let read = output.read_line(&mut line).expect("text");
            assert!(read > 0, "the command did not run: {:?}", child.wait_with_output());
        }
        Holder { child, input, _output: output }
    }

    /// Starts dbguard with a part to play, and does not wait for it.
    pub fn start(&self, arguments: &[&str], part: &[&str]) -> Child {
        let mut command = self.player(arguments, part);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("dbguard starts")
    }

    /// Returns how many wait for a lock.
    pub fn waiting(&self, name: &str) -> usize {
        let queue = self.path(".dbguard").join(name).join("queue");
        fs::read_dir(queue).map_or(0, Iterator::count)
    }

    /// What `dbguard info --json` says of a file.
    pub fn info(&self, name: &str) -> serde_json::Value {
        let told = self.run(&["info", "--json", name]);
        let document: serde_json::Value = serde_json::from_str(&told.output).expect("JSON");
        document["resources"][0].clone()
    }
}

/// dbguard with a command that ends when its input does.
pub struct Holder {
    pub child: Child,
    input: Option<ChildStdin>,
    _output: BufReader<std::process::ChildStdout>,
}

impl Holder {
    /// Lets the command end, and returns dbguard's exit code.
    pub fn end(mut self) -> i32 {
        drop(self.input.take());
        self.child.wait().expect("it ends").code().expect("a code")
    }

    /// Ends dbguard as nobody should.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.input.take());
        // It has ended already, as a rule.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// How a run of dbguard ended.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub output: String,
    pub errors: String,
}

impl Done {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
        Self {
            code: output.status.code().unwrap_or(-1),
            output: text(output.stdout),
            errors: text(output.stderr),
        }
    }

    #[track_caller]
    pub fn is(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// Waits for something that is to happen.
#[track_caller]
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
