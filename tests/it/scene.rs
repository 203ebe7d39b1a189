//! A hermetic scene: a directory of its own, a clean environment, and the binary under test.
//!
//! Everything a test starts runs in the scene's working directory, writes its output into files
//! beside it (a pipe would be kept open by whoever outlives the process under test), and is
//! killed and reaped when its handle is dropped. The directory goes with the last handle.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::process::{Contender, Ended, Process, until};
pub use crate::skipping::{is_wine, skip, wine_lacks};
use crate::system;
pub use crate::system::is_root;

/// What a contender's command does: say that it runs, wait for our word, exit with its number.
const ON_STAGE: &str = r#"echo $$ >"$0"; read code; exit "${code:-0}""#;

/// A scene; clones share the one directory.
#[derive(Clone, Debug)]
pub struct Scene(Arc<Stage>);

#[derive(Debug)]
struct Stage {
    root: PathBuf,
    counter: AtomicUsize,
}

impl Drop for Stage {
    fn drop(&mut self) {
        make_removable(&self.root);
        // A panic in here would hide the test's own; what is left is visible in the temp dir.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Gives back the write permission that a test took from a directory.
fn make_removable(directory: &Path) {
    let Ok(metadata) = fs::symlink_metadata(directory) else {
        return;
    };
    if !metadata.is_dir() {
        return;
    }
    // Failure shows as a directory left behind.
    let _ = system::open_up(directory);
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        make_removable(&entry.path());
    }
}

impl Scene {
    /// Returns a scene with an empty working directory.
    pub fn new() -> Self {
        static SCENES: AtomicUsize = AtomicUsize::new(0);
        // In the form in which dbguard tells paths.
        let base =
            dbguard::platform::canonical(&std::env::temp_dir()).expect("the temp dir exists");
        let root = loop {
            let number = SCENES.fetch_add(1, Ordering::Relaxed);
            let root = base.join(format!("dbguard-it-{}-{number}", std::process::id()));
            match fs::create_dir(&root) {
                // Left by a run that was killed, of a process of this number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => break made.map(|()| root).expect("the temp dir is writable"),
            }
        };
        for part in ["work", "out", "home"] {
            fs::create_dir(root.join(part)).expect("the scene is ours");
        }
        Self(Arc::new(Stage { root, counter: AtomicUsize::new(0) }))
    }

    /// Returns the path of `name` in the working directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.root.join("work").join(name)
    }

    /// Returns a path that nothing else in the scene uses, outside the working directory.
    pub fn fresh(&self, stem: &str) -> PathBuf {
        let number = self.0.counter.fetch_add(1, Ordering::Relaxed);
        self.0.root.join("out").join(format!("{stem}.{number}"))
    }

    /// Writes a file in the working directory, making its directories.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("mkdir");
        fs::write(&path, content).expect("write a file of the scene");
        path
    }

    /// Returns the content of a file in the working directory, empty if there is none.
    pub fn read(&self, name: impl AsRef<Path>) -> String {
        let content = fs::read(self.path(name)).unwrap_or_default();
        String::from_utf8_lossy(&content).into_owned()
    }

    /// Returns a file of the resource's state: `state("a.db", "lock")`.
    pub fn state(&self, resource: &str, name: &str) -> PathBuf {
        let resource = Path::new(resource);
        let directory = resource.parent().unwrap_or(Path::new(""));
        let base = resource.file_name().expect("a resource has a name");
        self.path(directory).join(".dbguard").join(base).join(name)
    }

    /// Returns the names of the waiting claims, in the order of their tickets.
    pub fn queue(&self, resource: &str) -> BTreeSet<String> {
        names(&self.state(resource, "queue"))
    }

    /// Returns the names of the holding claims.
    pub fn held(&self, resource: &str) -> BTreeSet<String> {
        names(&self.state(resource, "held"))
    }

    /// Makes the state directory of a resource, as the first use does.
    pub fn make_state(&self, resource: &str) {
        self.dbguard(["path", resource]).run().expect(0);
        for folder in ["queue", "held"] {
            fs::create_dir_all(self.state(resource, folder)).expect("mkdir");
        }
    }

    /// Prepares a run of dbguard.
    pub fn dbguard<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Run {
        self.run(env!("CARGO_BIN_EXE_dbguard"), words)
    }

    /// Prepares a run of a program.
    pub fn run<W: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        words: impl IntoIterator<Item = W>,
    ) -> Run {
        let mut command = Command::new(program);
        command.args(words).env_clear().current_dir(self.path(""));
        for name in system::needed_variables() {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("PATH", std::env::var_os("PATH").unwrap_or("/usr/bin:/bin".into()));
        command.env("HOME", self.0.root.join("home")).env("LC_ALL", "C").env("USER", "ana");
        command.env("DBGUARD", env!("CARGO_BIN_EXE_dbguard")).env("DBGUARD_TEST_SEES_ALL", "1");
        Run { scene: self.clone(), command, input: Input::Nothing, leads: Leads::Group }
    }

    /// Prepares a shell script; it finds the binary under test in `$DBGUARD`.
    pub fn shell(&self, script: &str) -> Run {
        self.run("sh", ["-c", script])
    }

    /// Starts `dbguard exec WORDS -- ..` with a command that ends when told.
    pub fn contend<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Contender {
        self.dbguard(["exec"]).words(words).contend()
    }

    /// Starts a contender and returns once its command runs.
    pub fn hold<W: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Contender {
        let mut holder = self.contend(words);
        holder.until_holding();
        holder
    }

    /// Starts somebody who is no ancestor of what the tests run and holds a plain flock on a file
    /// until his input is closed.
    pub fn plain_flock(&self, path: impl AsRef<Path>) -> Process {
        self.play("it holds the plain lock", |ready| crate::actor::plain(path.as_ref(), ready))
    }

    /// Starts somebody who has a file open, without any lock, until his input is closed.
    pub fn opener(&self, path: impl AsRef<Path>) -> Process {
        self.play("it has the file open", |ready| crate::actor::opener(path.as_ref(), ready))
    }

    /// Starts this very binary in a part that ends with its input, and returns once it has made the
    /// file that the part is given.
    fn play(&self, what: &str, part: impl FnOnce(&Path) -> String) -> Process {
        let ready = self.fresh("ready");
        let words = crate::actor::words();
        let run = self.run(&words[0], &words[1..]).env(crate::actor::PART, part(&ready));
        let mut process = run.spawn_fed();
        process.until(what, || ready.exists());
        process
    }

    /// Starts a contender for `resource` and returns once its claim is in the queue and locked, which
    /// it is before anything is written into it.
    pub fn queue_up(&self, resource: &str, options: &[&str]) -> Contender {
        let before = self.queue(resource);
        let mut waiter = self.contend(options.iter().copied().chain([resource]));
        let queue = self.state(resource, "queue");
        let is_written = |name: String| {
            let claim = fs::metadata(queue.join(&name));
            !before.contains(&name) && claim.is_ok_and(|claim| claim.len() > 0)
        };
        let is_queued = || self.queue(resource).into_iter().any(is_written);
        waiter.process.until("queued", is_queued);
        waiter
    }

    /// Waits until the resource's queue has `count` claims.
    pub fn until_queue(&self, resource: &str, count: usize) {
        until("the length of the queue", || self.queue(resource).len() == count);
    }

    /// Proves that nothing is left that stands in anybody's way.
    pub fn assert_free(&self, resource: &str) {
        self.dbguard(["exec", "-w", "20", resource, "--", "true"]).run().expect(0);
        assert!(self.queue(resource).is_empty(), "{}", self.describe());
        assert!(self.held(resource).is_empty(), "{}", self.describe());
    }

    /// Returns the working directory's tree, one line a file.
    pub fn describe(&self) -> String {
        let mut listing = format!("cwd: {}\n", self.path("").display());
        list(&self.path(""), &mut listing);
        listing
    }
}

/// Returns the names in a directory; nothing if there is none.
pub fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn list(directory: &Path, listing: &mut String) {
    let mut entries: Vec<_> = fs::read_dir(directory).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::path);
    for path in entries.iter().map(fs::DirEntry::path) {
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        let mode = system::shown_mode(&metadata);
        let size = metadata.len();
        writeln!(listing, "  {mode} {size:>8} {}", path.display()).expect("a string grows");
        if metadata.is_dir() {
            list(&path, listing);
        }
    }
}

/// What the process leads: a process group of its own, or by its own doing a session.
enum Leads {
    Group,
    #[cfg(target_os = "linux")]
    Session,
}

enum Input {
    Nothing,
    Text(String),
    Pipe,
}

/// A run being prepared.
#[must_use]
pub struct Run {
    scene: Scene,
    command: Command,
    input: Input,
    leads: Leads,
}

impl Run {
    /// Adds words to the command line.
    pub fn words<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.command.args(words);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Leaves it to the process to make a session; a group leader could not.
    #[cfg(target_os = "linux")]
    pub fn own_session(mut self) -> Self {
        self.leads = Leads::Session;
        self
    }

    /// Feeds a text to the process.
    pub fn input(mut self, text: &str) -> Self {
        self.input = Input::Text(text.to_owned());
        self
    }

    /// Runs as an ordinary user even when the tests run as root.
    ///
    /// The binary is copied into the scene: the build directory need not be open to others.
    pub fn ordinary(mut self) -> Self {
        if !is_root() {
            return self;
        }
        let copy = self.scene.0.root.join("home").join("dbguard");
        if !copy.exists() {
            let original = env!("CARGO_BIN_EXE_dbguard");
            fs::hard_link(original, &copy)
                .or_else(|_| fs::copy(original, &copy).map(|_| ()))
                .expect("copy the binary");
        }
        let mut command = Command::new(&copy);
        command.args(self.command.get_args()).env_clear().env("DBGUARD", &copy);
        for (name, value) in self.command.get_envs() {
            if let Some(value) = value.filter(|_| name != "DBGUARD") {
                command.env(name, value);
            }
        }
        command.current_dir(self.command.get_current_dir().expect("set by the scene"));
        system::be_ordinary(&mut command);
        self.command = command;
        self
    }

    /// Starts the process with a pipe for its input.
    pub fn spawn_fed(mut self) -> Process {
        self.input = Input::Pipe;
        self.spawn()
    }

    /// Starts the process.
    pub fn spawn(mut self) -> Process {
        let stdout = self.scene.fresh("stdout");
        let stderr = self.scene.fresh("stderr");
        self.command.stdout(File::create(&stdout).expect("a file for stdout"));
        self.command.stderr(File::create(&stderr).expect("a file for stderr"));
        match &self.input {
            Input::Nothing => self.command.stdin(Stdio::null()),
            Input::Pipe => self.command.stdin(Stdio::piped()),
            Input::Text(text) => {
                let path = self.scene.fresh("stdin");
                fs::write(&path, text).expect("write the input");
                self.command.stdin(File::open(&path).expect("open the input"))
            }
        };
        if matches!(self.leads, Leads::Group) {
            system::lead_group(&mut self.command);
        }
        let words = format!("{:?}", self.command);
        let child = spawn(&mut self.command).unwrap_or_else(|error| panic!("{words}: {error}"));
        Process::new(self.scene, child, words, stdout, stderr)
    }

    /// Runs the process to its end.
    #[must_use]
    pub fn run(self) -> Ended {
        self.spawn().wait()
    }

    /// Completes `dbguard exec ..` with a command that ends when told, and starts it.
    pub fn contend(self) -> Contender {
        let up = self.scene.fresh("up");
        let tail: [OsString; 5] =
            ["--".into(), "sh".into(), "-c".into(), ON_STAGE.into(), up.clone().into()];
        Contender { process: self.words(tail).spawn_fed(), up }
    }
}

/// Spawns, also when the program has just been copied: a child that another thread is about to
/// start may still have the copy open for writing ("text file busy"). One of some thousands of
/// processes does not get started by Wine, which then calls that an internal error.
fn spawn(command: &mut Command) -> io::Result<Child> {
    const ERROR_INTERNAL_ERROR: i32 = 1359;
    let mut result = command.spawn();
    until("the program is not being written", || {
        let busy = |error: &io::Error| {
            error.kind() == io::ErrorKind::ExecutableFileBusy
                || is_wine() && error.raw_os_error() == Some(ERROR_INTERNAL_ERROR)
        };
        let again = result.as_ref().is_err_and(busy);
        if again {
            result = command.spawn();
        }
        !again
    });
    result
}

/// Returns whether every one of the tools works here, and says which does not.
pub fn have(tools: &[&str]) -> bool {
    let scene = Scene::new();
    tools.iter().all(|tool| {
        let words: &[&str] = if *tool == "python3" { &["-c", ""] } else { &["--version"] };
        let found = Command::new(tool)
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", scene.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !found {
            skip(&format!("`{tool}` is not installed"));
        }
        found
    })
}

/// Returns whether the binary was built with the hooks, and says so if not.
pub fn have_hooks() -> bool {
    let built_in = cfg!(feature = "test-hooks");
    if !built_in {
        skip("needs `--features test-hooks`");
    }
    built_in
}

/// Returns whether PID namespaces can be made here, and says so if not.
#[cfg(target_os = "linux")]
pub fn have_namespaces() -> bool {
    let works = is_root() && have(&["unshare"]) && {
        let words = ["-pf", "--mount-proc", "true"];
        Scene::new().run("unshare", words).run().code == Some(0)
    };
    if !works {
        skip("PID namespaces cannot be made here");
    }
    works
}
