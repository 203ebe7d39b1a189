//! Where the pairs are run: a directory that goes away, the programs, a plain environment.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The first argument of a run whose environment has been cleaned.
pub const CLEAN: &str = "@clean";

/// The search path of an ordinary login. A developer's own is longer, and each directory in
/// front of `true` costs flock a failed `execve`: that would flatter dbguard.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The program under test, built with the release settings.
const DBGUARD: &str = env!("CARGO_BIN_EXE_dbguard");

/// Runs this program again without what Cargo put into its environment.
///
/// `LD_LIBRARY_PATH` above all: the loader would look for libc in Cargo's directories, once for
/// a dynamic `flock` and once for `true`. Children must inherit the environment as it is (a
/// `Command` with changes builds a new one at each spawn), hence a new process.
pub fn start_over_in_a_clean_environment(words: &[String]) -> ! {
    let mut command = Command::new(env::current_exe().expect("this program has a path"));
    command.arg(CLEAN).args(words).env("PATH", PATH);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text == "LD_LIBRARY_PATH"
            || ["CARGO", "DBGUARD_", "RUST"].iter().any(|start| text.starts_with(start))
        {
            command.env_remove(&name);
        }
    }
    // A user has a locale, and flock reads it at start.
    if env::var_os("LANG").is_none() {
        command.env("LANG", "C.UTF-8");
    }
    panic!("start over: {}", command.exec());
}

/// Whose lock is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `dbguard exec FILE -- ...`
    Dbguard,
    /// `dbguard exec -q FILE -- ...`, which says nothing while it waits.
    Quiet,
    /// `flock FILE ...`
    Flock,
}

/// A directory of our own, and the programs.
#[derive(Debug)]
pub struct Stage {
    root: PathBuf,
    flock: PathBuf,
    /// `true`, by its path.
    pub nothing: PathBuf,
    /// This program, for its parts.
    pub myself: PathBuf,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left is below `target`, and visible there.
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Stage {
    /// Makes the directory; returns `None` where a program is missing.
    ///
    /// It lies below `target` and not in `/tmp`, which may be in memory: a database is not.
    pub fn new() -> Option<Self> {
        let (flock, nothing) = (which("flock")?, which("true")?);
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}", std::process::id()));
        fs::create_dir_all(&root).expect("make the directory");
        let myself = env::current_exe().expect("this program has a path");
        Some(Self { root, flock, nothing, myself })
    }

    /// Prints what the figures depend on.
    pub fn describe(&self) {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.unwrap_or("unknown").trim_start_matches([':', '\t', ' ']);
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        println!("cpu     {model}, {count} usable");
        println!("kernel  {}", read("/proc/sys/kernel/osrelease").trim());
        println!("load    {}", read("/proc/loadavg").trim());
        println!("locale  LANG={}", env::var("LANG").unwrap_or_default());
        let version = Command::new(&self.flock).arg("--version").output().expect("ask flock");
        println!("against {}", String::from_utf8_lossy(&version.stdout).trim());
    }

    /// Returns a path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Makes a file that looks like no database, and returns its path.
    pub fn file(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, "").expect("make a file");
        path
    }

    /// Makes a SQLite database and returns its path; `None` without the sqlite3 shell.
    pub fn sqlite(&self, name: &str) -> Option<PathBuf> {
        let path = self.path(name);
        let mut shell = Command::new(which("sqlite3")?);
        shell.arg(&path).arg("PRAGMA journal_mode=wal; CREATE TABLE t(n);").stdout(Stdio::null());
        shell.status().is_ok_and(|status| status.success()).then_some(path)
    }

    /// Builds one of the small C programs; `None` without a compiler or a static libc.
    pub fn compiled(&self, name: &str, options: &[&str]) -> Option<PathBuf> {
        let program = self.path(name);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pairs/floor.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O2", "-static"]).args(options).arg("-o").arg(&program).arg(source);
        compiler.stderr(Stdio::null());
        compiler.status().is_ok_and(|status| status.success()).then_some(program)
    }

    /// Returns dbguard without a verb, to be completed.
    pub fn program(&self) -> Command {
        Command::new(DBGUARD)
    }

    /// Returns dbguard's own command line, to be completed.
    pub fn dbguard(&self) -> Command {
        let mut command = self.program();
        command.arg("exec");
        command
    }

    /// Returns flock's own command line, to be completed.
    pub fn flock(&self) -> Command {
        Command::new(&self.flock)
    }

    /// Returns the command that plays one of this program's parts under the lock of `file`.
    pub fn locked(&self, side: Side, file: &Path, part: &[&str]) -> Command {
        let mut command = match side {
            Side::Dbguard | Side::Quiet => self.dbguard(),
            Side::Flock => self.flock(),
        };
        if side == Side::Quiet {
            command.arg("-q");
        }
        command.arg(file);
        if side != Side::Flock {
            command.arg("--");
        }
        command.arg(&self.myself).args(part);
        command
    }

    /// The same with dbguard, under a key of `file`.
    pub fn keyed(&self, file: &Path, key: &str, part: &[&str]) -> Command {
        let mut command = self.dbguard();
        command.args(["-k", key]).arg(file).arg("--").arg(&self.myself).args(part);
        command
    }

    /// Returns the directory that lists who waits for `file`, or for one of its keys.
    pub fn queue(&self, file: &Path, key: Option<&str>) -> PathBuf {
        let name = file.file_name().expect("a file of the stage");
        let mut lock = self.root.join(".dbguard").join(name);
        if let Some(key) = key {
            lock = lock.join("keys").join(key);
        }
        lock.join("queue")
    }
}

/// Returns a program of the search path.
pub fn which(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
