//! Processes that a test has started: observed by events, killed and reaped on drop.
//!
//! The end of a process is observed without reaping it. The zombie pins the number of its
//! process group, so that the drop can kill whoever is left in that group and nobody else.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, ChildStdin};
use std::thread;
use std::time::{Duration, Instant};

use crate::scene::Scene;
pub use crate::system::process_state;
use crate::system::{self, Handle, Signal, start_of};

/// How long anything may take before a test gives up on it; nothing passes by waiting this long.
pub const PATIENCE: Duration = Duration::from_secs(if cfg!(windows) { 240 } else { 60 });

/// How often a condition is looked at that the kernel gives no event for.
const GLANCE: Duration = Duration::from_millis(2);

/// Waits until `condition` holds; returns false if it did not within [`PATIENCE`].
///
/// This is the only place where the tests poll. It is for what has no file descriptor to wait
/// on: a name that appears in a directory, the state letter in `/proc`.
pub fn comes_true(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(GLANCE);
    }
    true
}

/// Waits until `condition` holds; panics with `what` if it does not.
#[track_caller]
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(comes_true(condition), "waited in vain: {what}");
}

/// Tells whether a process runs, that is, neither is gone nor a zombie.
pub fn lives(pid: u32) -> bool {
    start_of(pid).is_some()
}

/// Tells whether a process runs that started then, and not a later one with its number; see
/// [`start_of`].
pub fn lives_since(pid: u32, start: Option<u64>) -> bool {
    start.is_some() && start_of(pid) == start
}

/// Sends a signal to a process that is not our child, if it is still the one that is meant.
///
/// The number alone could belong to a stranger by now. A handle names one process for good; if
/// `is_meant` holds after it was opened and the process has not ended, the two are the same.
pub fn signal_while(pid: u32, is_meant: impl Fn() -> bool, signal: Signal) -> bool {
    handle_while(pid, is_meant).is_some_and(|handle| handle.signal(signal))
}

/// Returns a handle of a process, if it is the one that is meant; see [`signal_while`].
pub fn handle_while(pid: u32, is_meant: impl Fn() -> bool) -> Option<Handle> {
    let handle = Handle::open(pid)?;
    (is_meant() && !handle.ends_within(Duration::ZERO)).then_some(handle)
}

/// How a process ended, and everything it said.
#[derive(Debug)]
pub struct Ended {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    words: String,
    scene: Scene,
}

impl Ended {
    /// Demands an exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit code {code}\n{}", self.describe());
        self
    }

    /// Demands one of several exit codes, where the contract leaves the choice.
    #[track_caller]
    pub fn expect_any(self, codes: &[i32]) -> Self {
        let found = self.code.is_some_and(|code| codes.contains(&code));
        assert!(found, "expected one of {codes:?}\n{}", self.describe());
        self
    }

    /// Demands that standard error contains a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "expected `{text}` on stderr\n{}", self.describe());
        self
    }

    /// Demands that standard error does not contain a text.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "`{text}` is on stderr\n{}", self.describe());
        self
    }

    /// Demands that nothing was said on standard error.
    #[track_caller]
    pub fn silent(self) -> Self {
        assert!(self.stderr.is_empty(), "expected silence\n{}", self.describe());
        self
    }

    /// Demands the whole of standard output, ends trimmed.
    #[track_caller]
    pub fn answers(self, text: &str) -> Self {
        assert!(self.stdout.trim() == text, "expected stdout `{text}`\n{}", self.describe());
        self
    }

    /// Returns the JSON document on standard error.
    #[track_caller]
    pub fn error_document(&self) -> serde_json::Value {
        let line = self.stderr.lines().rfind(|line| line.starts_with('{'));
        let document = line.and_then(|line| serde_json::from_str(line).ok());
        document
            .or_else(|| serde_json::from_str(&self.stderr).ok())
            .unwrap_or_else(|| panic!("no JSON on stderr\n{}", self.describe()))
    }

    /// Returns the whole scene in words.
    pub fn describe(&self) -> String {
        format!(
            "command: {}\ncode: {:?} signal: {:?}\n--- stdout\n{}\n--- stderr\n{}\n--- scene\n{}",
            self.words,
            self.code,
            self.signal,
            self.stdout,
            self.stderr,
            self.scene.describe()
        )
    }
}

/// A process that runs, or has ended and is not reaped yet.
#[derive(Debug)]
pub struct Process {
    child: Child,
    handle: Handle,
    input: Option<ChildStdin>,
    words: String,
    stdout: PathBuf,
    stderr: PathBuf,
    scene: Scene,
}

impl Process {
    pub(crate) fn new(
        scene: Scene,
        mut child: Child,
        words: String,
        stdout: PathBuf,
        stderr: PathBuf,
    ) -> Self {
        let handle = Handle::of(&child);
        let input = child.stdin.take();
        Self { child, handle, input, words, stdout, stderr, scene }
    }

    /// Returns the process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns what it has written to standard output so far.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stdout).unwrap_or_default()).into_owned()
    }

    /// Returns the file that its standard output goes to.
    pub fn stdout_path(&self) -> PathBuf {
        self.stdout.clone()
    }

    /// Returns what it has written to standard error so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// Returns its input, to write to.
    pub fn input(&mut self) -> &mut ChildStdin {
        self.input.as_mut().expect("started with `spawn_fed`")
    }

    /// Ends its input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// Sends a signal to the process itself.
    pub fn signal(&self, signal: Signal) {
        // One that has ended already hears nothing.
        assert!(self.handle.signal(signal) || !self.runs(), "the signal was refused");
    }

    /// Kills the process itself and returns once it is dead; what it started lives on.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        assert!(self.ends_within(PATIENCE), "a killed process did not end");
    }

    /// Stops the process and returns once it is stopped.
    pub fn stop(&mut self) {
        self.signal(Signal::STOP);
        self.until_stopped();
    }

    /// Waits until the process is stopped.
    #[track_caller]
    pub fn until_stopped(&mut self) {
        let pid = self.pid();
        self.until("stopped", || process_state(pid) == Some('T'));
    }

    /// Lets a stopped process go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Tells whether the process has not ended.
    pub fn runs(&self) -> bool {
        !self.ends_within(Duration::ZERO)
    }

    /// Waits until a condition holds; panics with the scene if the process ends before that.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut condition: impl FnMut() -> bool) {
        let mut met = false;
        let decided = comes_true(|| {
            let over = !self.runs();
            met = condition();
            met || over
        });
        if decided && !met {
            panic!("ended before: {what}\n{}", self.ended().describe());
        }
        assert!(met, "waited in vain: {what}\n{}", self.describe());
    }

    /// Returns what is known of a process that runs.
    fn describe(&self) -> String {
        let (stdout, stderr) = (self.stdout(), self.stderr());
        let (words, scene) = (&self.words, self.scene.describe());
        format!("command: {words}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n--- scene\n{scene}")
    }

    /// Waits for the end.
    #[track_caller]
    pub fn wait(&mut self) -> Ended {
        assert!(self.ends_within(PATIENCE), "did not end\n{}", self.describe());
        self.ended()
    }

    fn ended(&self) -> Ended {
        let (code, signal) = system::end_of(&self.child);
        Ended {
            code,
            signal,
            stdout: self.stdout(),
            stderr: self.stderr(),
            words: self.words.clone(),
            scene: self.scene.clone(),
        }
    }

    /// Waits for the end for a while; returns whether it came.
    pub fn ends_within(&self, patience: Duration) -> bool {
        self.handle.ends_within(patience)
    }

    /// Returns a handle by which another thread can wait for the end.
    pub fn watch(&self) -> Handle {
        self.handle.again()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        system::kill_group(&self.child);
        // A zombie left behind by a failed wait would go with the test process itself.
        let _ = self.child.wait();
    }
}

/// A `dbguard exec` whose command, once it runs, ends when told.
#[derive(Debug)]
pub struct Contender {
    /// The dbguard.
    pub process: Process,
    pub(crate) up: PathBuf,
}

impl Contender {
    /// Tells whether the command has been started.
    pub fn has_started(&self) -> bool {
        fs::read_to_string(&self.up).is_ok_and(|text| text.ends_with('\n'))
    }

    /// Waits until the command runs.
    #[track_caller]
    pub fn until_holding(&mut self) -> &mut Self {
        let up = self.up.clone();
        self.process.until("its command runs", || {
            fs::read_to_string(&up).is_ok_and(|text| text.ends_with('\n'))
        });
        self
    }

    /// Returns the process number of the command.
    pub fn command_pid(&self) -> u32 {
        let text = fs::read_to_string(&self.up).expect("the command runs");
        text.trim().parse().expect("the command wrote its number")
    }

    /// Waits until the claim tells which command runs, so that messages name it.
    pub fn until_recorded(&self, scene: &crate::scene::Scene, resource: &str) {
        let pid = format!("\"child\":{}", self.command_pid());
        until("the claim tells of the command", || {
            let told = |name: &String| scene.read(scene.state(resource, "held").join(name));
            scene.held(resource).iter().any(|name| told(name).contains(&pid))
        });
    }

    /// Tells the command to end, and waits for the end of dbguard.
    #[must_use]
    #[track_caller]
    pub fn end(mut self) -> Ended {
        self.process.close_input();
        self.process.wait()
    }
}
