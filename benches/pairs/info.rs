//! `dbguard info`: one database, a crowd of locks, a tree.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::actor::LOCKS;
use crate::stage::{Stage, which};
use crate::tally::{Turn, head, in_turns, median, row, shown, timed};

const ROUNDS: usize = 200;
const TREE_ROUNDS: usize = 5;

/// How many processes hold foreign locks, and how many each.
const PROCESSES: usize = 500;
const LOCKS_EACH: usize = 4;

/// How many files a tree has, and how many of them are databases.
pub const FILES: usize = 200_000;
const DATABASES: usize = 50;
const FILES_A_FOLDER: usize = 1_000;

pub fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
}

fn against(stage: &Stage, file: &Path, what: &str, other: &mut Command, rounds: usize, bound: f64) {
    let mut ours = stage.program();
    ours.arg("info").arg(file);
    run(&mut ours);
    run(other);
    let mut turns: Vec<Turn<'_>> =
        vec![Box::new(|| timed(|| run(&mut ours))), Box::new(|| timed(|| run(other)))];
    let times = in_turns(rounds, &mut turns);
    row(what, median(&times[0]), median(&times[1]), Some(bound));
}

/// Prints the pairs of one database.
pub fn info(stage: &Stage) {
    let Some(file) = stage.sqlite("info.db") else {
        return println!("  no sqlite3 shell: skipped");
    };
    println!("  medians of {ROUNDS}, from the spawn to the end");
    head("info", "other");
    match which("lslocks") {
        Some(lslocks) => {
            let mut other = Command::new(lslocks);
            against(stage, &file, "one database, beside lslocks", &mut other, ROUNDS, 1.2);
        }
        None => println!("  no lslocks: skipped"),
    }
    match which("lsof") {
        Some(lsof) => {
            // lsof fails where nobody has the file open.
            let _open = fs::File::open(&file).expect("the database opens");
            let mut other = Command::new(lsof);
            other.arg(&file);
            against(stage, &file, "one database, beside lsof FILE", &mut other, ROUNDS / 4, 0.1);
        }
        None => println!("  no lsof: skipped"),
    }
}

/// A process that says when it is ready, and ends with its input.
pub struct Holder(Child);

impl Holder {
    fn new(command: &mut Command) -> Self {
        Self::told(command, "")
    }

    /// Starts one that is told something first.
    pub fn told(command: &mut Command, words: &str) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut input = child.stdin.as_ref().expect("it is piped");
        input.write_all(words.as_bytes()).expect("it reads");
        let mut output = child.stdout.take().expect("it is piped");
        output.read_exact(&mut [0]).expect("it says that it is ready");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // What it ends with is of no interest.
        let _ = self.0.wait();
    }
}

/// Prints what two thousand locks of five hundred processes cost.
pub fn locks(stage: &Stage) {
    let (Some(database), Some(free)) = (stage.sqlite("held.db"), stage.sqlite("free.db")) else {
        return println!("  no sqlite3 shell: skipped");
    };
    let inherited = stage.file("inherited");
    let words = "begin immediate;\n.system echo\n";
    let _writer = Holder::told(Command::new("sqlite3").arg(&database), words);
    // The process that took the lock is gone, so that its heir has to be searched for.
    let script = "exec 9>>\"$0\"; flock -x 9; echo; read x";
    let _heir = Holder::new(Command::new("sh").args(["-c", script]).arg(&inherited));
    let files = [("nobody has it", free), ("a writer of SQLite", database), ("an heir", inherited)];
    let measure = || {
        files.each_ref().map(|(_, file)| {
            let mut info = stage.program();
            info.arg("info").arg(file);
            let mut turns: Vec<Turn<'_>> = vec![Box::new(|| timed(|| run(&mut info)))];
            median(&in_turns(ROUNDS, &mut turns)[0])
        })
    };
    let quiet = measure();
    let folder = stage.path("locks");
    fs::create_dir_all(&folder).expect("a folder");
    let me = env::current_exe().expect("this binary has a path");
    let crowd: Vec<Holder> = (0..PROCESSES)
        .map(|number| {
            let file = folder.join(number.to_string());
            let each = LOCKS_EACH.to_string();
            Holder::new(Command::new(&me).arg(LOCKS).arg(file).arg(each))
        })
        .collect();
    let crowded = measure();
    drop(crowd);
    let count = PROCESSES * LOCKS_EACH;
    println!("  medians of {ROUNDS}; what {count} locks of {PROCESSES} processes add, bound 5 ms");
    head("crowded", "quiet");
    for ((what, _), (crowded, quiet)) in files.iter().zip(crowded.into_iter().zip(quiet)) {
        row(what, crowded, quiet, None);
        println!("  {:<42} {:>10}", "added", shown(crowded.saturating_sub(quiet)));
    }
}

/// Makes a tree of many files; `file` makes those that are asked for by number instead.
pub fn plant(root: &Path, bytes: usize, mut file: impl FnMut(usize, &Path) -> bool) {
    let content = vec![b'x'; bytes];
    for number in 0..FILES {
        let folder = root.join(format!("{}", number / FILES_A_FOLDER));
        if number % FILES_A_FOLDER == 0 {
            fs::create_dir_all(&folder).expect("a folder");
        }
        let path = folder.join(format!("{number}"));
        if !file(number, &path) {
            fs::write(path, &content).expect("a file");
        }
    }
}

/// Prints the pairs of a tree of many files.
pub fn tree(stage: &Stage) {
    println!("  medians of {TREE_ROUNDS}, {FILES} files with {DATABASES} databases among them");
    let Some(database) = stage.sqlite("tree.db") else {
        return println!("  no sqlite3 shell: skipped");
    };
    head("info", "find");
    for (name, bytes, bound) in [("files of 4 KiB", 4096, 8.0), ("files of 100 bytes", 100, 4.0)] {
        let root = stage.path("tree");
        plant(&root, bytes, |number, path| {
            let is_database = number % (FILES / DATABASES) == 0;
            if is_database {
                fs::copy(&database, path).expect("a copy");
            }
            is_database
        });
        let mut find = Command::new("find");
        find.arg(&root).args(["-type", "f"]);
        against(stage, &root, name, &mut find, TREE_ROUNDS, bound);
        fs::remove_dir_all(&root).expect("the tree goes");
    }
}
