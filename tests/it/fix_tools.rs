//! The tools whose locks `dbguard fix` knows: real ones, that take a lock, say so, hold it until
//! their input ends, and release it as they always do.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::process::Process;
use crate::scene::{Run, Scene, have, is_root, is_wine, skip};
use crate::system::{Facts, set_modified};

/// What a tool is driven with, and what that has to have.
pub enum Host {
    /// Python and a module of it.
    Python(&'static str),
    /// The distribution's Python, which has modules of its own.
    SystemPython(&'static str),
    /// Node.js and a module of it.
    Node(&'static str),
    /// A shell and a program.
    Shell(&'static str),
    /// Emacs and its Lisp.
    Emacs,
}

/// A tool: what it makes of a name, and how.
pub struct Tool {
    /// The format, as dbguard calls it.
    pub format: &'static str,
    /// The locks that belong to a name, with `@` for the name.
    pub locks: &'static [&'static str],
    /// What it is driven with.
    pub host: Host,
    /// Prepares a name, with the shell; it gets the name.
    pub before: &'static str,
    /// Takes the lock of the name or fails; says so; releases it when its input ends.
    pub script: &'static str,
}

/// Begins every script for Python: `up()` says that the lock is held, and waits.
const PYTHON: &str = r#"
import os, sys
name = sys.argv[1]
def up():
    open(os.environ["UP"], "w").close()
    sys.stdin.read()
"#;

/// The same for Node.js, where `up(release)` does both.
const NODE: &str = r#"
const name = process.argv[1];
function up(release) {
    require("fs").writeFileSync(process.env.UP, "");
    process.stdin.resume();
    process.stdin.on("end", release);
}
"#;

/// Those that name their owner.
pub const OWNED: [Tool; 11] = [
    Tool {
        format: "filelock",
        locks: &["@.lock"],
        host: Host::Python("filelock"),
        before: "",
        script: "import filelock\nlock = filelock.SoftFileLock(name + '.lock')\n\
                 lock.acquire(timeout=0)\nup()\nlock.release()",
    },
    Tool {
        format: "pylockfile-link",
        locks: &["@.lock"],
        host: Host::Python("lockfile"),
        before: "",
        // The hash of the path runs into the process number unless it is negative, and more than
        // one number can be read; one that lives by chance would keep the lock.
        script: "import lockfile.linklockfile as module\n\
                 while hash(name) >= 0: name = './' + name\nlock = module.LinkLockFile(name)\n\
                 lock.acquire(timeout=0)\nup()\nlock.release()",
    },
    Tool {
        format: "pylockfile-mkdir",
        locks: &["@.lock"],
        host: Host::Python("lockfile"),
        before: "",
        // So does the number of a thread where it is short.
        script: "import lockfile.mkdirlockfile as module, threading\n\
                 if threading.get_ident() & 0xf0000000 == 0:\n    \
                     os.execv(sys.executable, sys.orig_argv)\nlock = module.MkdirLockFile(name)\n\
                 lock.acquire(timeout=0)\nup()\nlock.release()",
    },
    Tool {
        format: "pid-file",
        locks: &["@.pid"],
        host: Host::Python("lockfile"),
        before: "",
        script: "import lockfile.pidlockfile as module\n\
                 lock = module.PIDLockFile(name + '.pid')\n\
                 lock.acquire(timeout=0)\nup()\nlock.release()",
    },
    Tool {
        format: "qt-lockfile",
        locks: &["@.lock"],
        host: Host::SystemPython("PyQt5.QtCore"),
        before: "",
        script: "from PyQt5.QtCore import QLockFile\nlock = QLockFile(name + '.lock')\n\
                 lock.setStaleLockTime(0)\nlock.tryLock(0) or sys.exit(1)\nup()\nlock.unlock()",
    },
    Tool {
        format: "dotlockfile",
        locks: &["@.lock"],
        host: Host::Shell("dotlockfile"),
        before: "",
        script: r#"dotlockfile -p -r 0 -l "$1.lock" || exit 1; >"$UP"; cat; dotlockfile -u "$1.lock""#,
    },
    Tool {
        format: "git-gc",
        locks: &["@/.git/gc.pid"],
        host: Host::Shell("git"),
        // Of what it starts, one waits for us.
        before: r#"git init -q "$1"; mkdir "$1.exec"
            echo '#!/bin/sh
            [ "$1" != repack ] || { >"$UP"; cat <&3; }
            unset GIT_EXEC_PATH; exec "$REAL" "$@"' >"$1.exec/git"
            chmod +x "$1.exec/git""#,
        script: r#"exec 3<&0; REAL=$(command -v git); export REAL
            GIT_EXEC_PATH="$PWD/$1.exec" exec git -C "$1" gc --quiet"#,
    },
    Tool {
        format: "mercurial",
        locks: &["@/.hg/wlock", "@/.hg/store/lock"],
        host: Host::Shell("hg"),
        before: r#"hg init "$1""#,
        // What a killed transaction leaves beside its lock is for Mercurial itself to mend.
        script: r#"cd "$1"; hg --config ui.timeout=0 recover -q </dev/null; echo $$ >>a
            exec hg --config ui.timeout=0 --config ui.username=x \
                --config hooks.pretxncommit='>"$UP"; cat >&2' commit -q -A -m x"#,
    },
    Tool {
        format: "emacs",
        locks: &[".#@"],
        host: Host::Emacs,
        before: "",
        script: r#"(progn
            (find-file (getenv "NAME"))
            (insert "y")
            (write-region "" nil (getenv "UP") nil 'quiet)
            (ignore-errors (read-string ""))
            (save-buffer))"#,
    },
    Tool {
        format: "chrome",
        locks: &["@/SingletonLock"],
        host: Host::Shell("ln"),
        before: r#"mkdir "$1""#,
        // As Chrome does it; a real one needs a screen.
        script: r#"ln -s "$(uname -n)-$$" "$1/SingletonLock" || exit 1
            >"$UP"; cat; rm "$1/SingletonLock""#,
    },
    Tool {
        format: "pid-file",
        locks: &["@.pid"],
        host: Host::Shell("sh"),
        before: "",
        // A daemon's start: whoever finds the file does not start.
        script: r#"set -C; echo $$ >"$1.pid" || exit 1; set +C; >"$UP"; cat; rm "$1.pid""#,
    },
];

/// Those of which only the age is known.
#[cfg_attr(windows, expect(dead_code, reason = "none of them is asked about on Windows"))]
pub const AGEING: [Tool; 5] = [
    Tool {
        format: "proper-lockfile",
        locks: &["@.json.lock"],
        host: Host::Node("proper-lockfile"),
        before: r#"echo {} >"$1.json""#,
        script: "up(require('proper-lockfile').lockSync(name + '.json'))",
    },
    Tool {
        format: "npm-lockfile",
        locks: &["@.lock"],
        host: Host::Node("lockfile"),
        before: "",
        script: "const lockfile = require('lockfile')\nlockfile.lockSync(name + '.lock')\n\
                 up(() => lockfile.unlockSync(name + '.lock'))",
    },
    Tool {
        format: "procmail-lockfile",
        locks: &["@.lock"],
        host: Host::Shell("lockfile"),
        before: "",
        script: r#"lockfile -r 0 "$1.lock" || exit 1; >"$UP"; cat; rm -f "$1.lock""#,
    },
    Tool {
        format: "dotlockfile-age",
        locks: &["@.lock"],
        host: Host::Shell("dotlockfile"),
        before: "",
        script: r#"dotlockfile -r 0 -l "$1.lock" || exit 1; >"$UP"; cat; dotlockfile -u "$1.lock""#,
    },
    Tool {
        format: "git-lock",
        locks: &["@/.git/index.lock"],
        host: Host::Shell("git"),
        before: r#"git init -q "$1"; cd "$1"; echo '*.slow filter=slow' >.gitattributes
            git config filter.slow.clean '>"$UP"; cat <&3 >&2; cat'"#,
        script: r#"cd "$1"; echo $$ >a.slow; exec 3<&0; exec git add a.slow"#,
    },
];

impl Tool {
    /// Whether it works here; says so if not.
    pub fn is_there(&self, scene: &Scene) -> bool {
        let (runs, what) = match self.host {
            Host::Python(module) => (imports(scene, "python3", module), module),
            Host::SystemPython(module) => (imports(scene, "/usr/bin/python3", module), module),
            Host::Node(module) => {
                let code = format!("require('{module}')");
                let run = || with_modules(scene.run("node", ["-e", &code])).run();
                let found = have(&["node"]) && run().code == Some(0);
                (found, module)
            }
            Host::Shell(program) => {
                let find = format!("command -v {program}");
                (scene.shell(&find).run().code == Some(0), program)
            }
            Host::Emacs => (have(&["emacs"]), "emacs"),
        };
        if !runs {
            skip(&format!("{}: there is no `{what}`", self.format));
        }
        runs
    }

    /// Makes what the lock is for.
    pub fn prepare(&self, scene: &Scene, name: &str) {
        let run = scene.run("sh", ["-c", self.before, "sh", name]);
        run.env("UP", scene.fresh("up")).run().expect(0);
    }

    /// Prepares to take the lock of a name; `up` appears when it is held.
    pub fn take(&self, scene: &Scene, name: &str, up: &Path) -> Run {
        let run = match self.host {
            Host::Python(_) => scene.run("python3", ["-c", &self.code(PYTHON), name]),
            Host::SystemPython(_) => {
                scene.run("/usr/bin/python3", ["-c", &self.code(PYTHON), name])
            }
            Host::Node(_) => with_modules(scene.run("node", ["-e", &self.code(NODE), name])),
            Host::Shell(_) => scene.run("sh", ["-c", self.script, "sh", name]),
            Host::Emacs => {
                let words = ["-Q", "-nw", "--batch", "--eval", self.script];
                scene.run("emacs", words).env("NAME", name)
            }
        };
        // The hash of a thread's name is a part of a lock's name.
        run.env("UP", up).env("PYTHONHASHSEED", "0")
    }

    fn code(&self, before: &str) -> String {
        format!("{before}{}", self.script)
    }

    /// Takes the lock of a name and holds it until its input ends.
    pub fn hold(&self, scene: &Scene, name: &str) -> Process {
        let up = scene.fresh("up");
        let mut holder = self.take(scene, name, &up).spawn_fed();
        holder.until("it has the lock", || up.exists());
        for lock in self.paths(scene, name) {
            assert!(lock.symlink_metadata().is_ok(), "{}: {}", self.format, scene.describe());
        }
        holder
    }

    /// Lets somebody else try the lock of a name; returns whether he got it, and gave it back.
    pub fn admits(&self, scene: &Scene, name: &str) -> bool {
        let up = scene.fresh("up");
        let ended = self.take(scene, name, &up).run();
        assert_eq!(up.exists(), ended.code == Some(0), "{}: {}", self.format, ended.describe());
        up.exists()
    }

    /// Leaves the lock of a name as a crash does.
    pub fn leave(&self, scene: &Scene, name: &str) {
        let holder = self.hold(scene, name);
        holder.kill();
        // Whatever it had started goes with the handle.
        drop(holder);
        for lock in self.paths(scene, name) {
            assert!(lock.symlink_metadata().is_ok(), "{}: {}", self.format, scene.describe());
        }
    }

    /// Returns the locks that belong to a name.
    pub fn paths(&self, scene: &Scene, name: &str) -> Vec<PathBuf> {
        self.locks.iter().map(|lock| scene.path(lock.replace('@', name))).collect()
    }
}

fn imports(scene: &Scene, python: &str, module: &str) -> bool {
    let find = format!("command -v {python}");
    let code = format!("import {module}");
    scene.shell(&find).run().code == Some(0)
        && scene.run(python, ["-c", &code]).run().code == Some(0)
}

/// Shows a run of Node.js where the modules are.
fn with_modules(run: Run) -> Run {
    match std::env::var_os("NODE_PATH") {
        Some(path) => run.env("NODE_PATH", path),
        None => run,
    }
}

/// The most that is read of a file.
const MOST_BYTES: u64 = 1 << 20;

/// Everything by which a file differs from another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Print {
    bytes: u64,
    facts: Facts,
    content: Vec<u8>,
}

impl Print {
    /// Returns that of an entry, `None` if it is not there. A directory contains its names.
    pub fn of(path: &Path) -> Option<Self> {
        let facts = path.symlink_metadata().ok()?;
        let content = if facts.is_symlink() {
            fs::read_link(path).ok()?.as_os_str().as_encoded_bytes().to_vec()
        } else if facts.is_dir() {
            crate::scene::names(path).into_iter().collect::<Vec<_>>().join("\n").into_bytes()
        } else if facts.is_file() {
            let mut content = Vec::new();
            // Of the largest only the beginning; one that may not be read has none.
            if let Ok(file) = File::open(path) {
                file.take(MOST_BYTES).read_to_end(&mut content).expect("it can be read");
            }
            content
        } else {
            Vec::new()
        };
        Some(Self { bytes: facts.len(), facts: Facts::of(&facts), content })
    }
}

/// What is in a directory, sorted.
pub type Tree = Vec<(PathBuf, Option<Print>)>;

/// Returns everything in the working directory.
pub fn tree(scene: &Scene) -> Tree {
    fn below(directory: &Path, found: &mut Vec<PathBuf>) {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.symlink_metadata().is_ok_and(|facts| facts.is_dir()) {
                below(&path, found);
            }
            found.push(path);
        }
    }
    let mut found = Vec::new();
    below(&scene.path(""), &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), Print::of(&path))).collect()
}

/// Sets when something was written last.
pub fn age(path: &Path, age: Duration) {
    set_modified(path, SystemTime::now() - age).expect("it is ours");
}

/// Prepares `dbguard fix --json`.
pub fn fix(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["fix", "--json"]).words(words)
}

/// Runs `dbguard fix` and returns its items.
#[track_caller]
pub fn fixed(scene: &Scene, words: &[&str], code: i32) -> Vec<Value> {
    let ended = fix(scene, words).run().expect(code);
    let document = crate::sql_crew::document(&ended);
    document["items"].as_array().expect("a list").clone()
}

/// Demands that everything stays as it is, byte by byte, and that what is said of it is one of
/// these; returns what is said.
#[track_caller]
pub fn kept_all(scene: &Scene, words: &[&str], verdicts: &[&str]) -> Vec<Value> {
    let before = tree(scene);
    let items = fixed(scene, words, 0);
    let after = tree(scene);
    let change = before.iter().find(|one| !after.contains(one));
    let change = change.or_else(|| after.iter().find(|one| !before.contains(one)));
    assert!(change.is_none(), "differs: {change:#?}\n{items:#?}");
    for item in &items {
        let verdict = item["verdict"].as_str().is_some_and(|one| verdicts.contains(&one));
        assert!(verdict && item["action"] == "kept", "{item:#}");
    }
    items
}

/// Demands what was found out about a path and done about it.
#[track_caller]
pub fn assert_item(items: &[Value], path: &Path, verdict: &str, action: &str) {
    let path = path.to_str().expect("the temp dir's path is text");
    let item = items.iter().find(|item| item["path"] == path);
    let found = item.map(|item| (item["verdict"].as_str(), item["action"].as_str()));
    assert_eq!(found, Some((Some(verdict), Some(action))), "{path}: {items:#?}");
}

/// Demands that nothing of a removal is left in the working directory.
#[track_caller]
pub fn assert_no_aside(scene: &Scene) {
    let tree = scene.describe();
    assert!(!tree.contains(".dbguard-stale."), "{tree}");
}

/// Returns a number that no process has: that of one which is over and reaped.
pub fn dead_pid(scene: &Scene) -> u32 {
    let process = scene.run("true", [""; 0]).spawn();
    let pid = process.pid();
    drop(process);
    pid
}

/// Writes what Python's filelock writes for a process, with no start.
pub fn soft_lock(pid: u32) -> String {
    format!("{pid}\n{}\n", host())
}

/// Whether everybody who has a file open is seen, others' processes included.
pub fn all_openers_are_seen() -> bool {
    if cfg!(windows) { !is_wine() } else { is_root() }
}

/// Returns the name of this machine.
pub fn host() -> String {
    dbguard::platform::host::host()
}
