//! `dbguard info`: one database, a crowd of locks, a tree.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::stage::{Stage, which};
use crate::tally::{Turn, head, in_turns, median, row, timed};

const ROUNDS: usize = 200;
const TREE_ROUNDS: usize = 5;

/// How many files a tree has, and how many of them are databases.
const FILES: usize = 200_000;
const DATABASES: usize = 50;
const FILES_A_FOLDER: usize = 1_000;

fn run(command: &mut Command) {
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

/// Prints the pairs of a tree of many files.
pub fn tree(stage: &Stage) {
    println!("  medians of {TREE_ROUNDS}, {FILES} files with {DATABASES} databases among them");
    head("info", "find");
    for (name, bytes, bound) in [("files of 4 KiB", 4096, 8.0), ("files of 100 bytes", 100, 4.0)] {
        let Some(database) = stage.sqlite("tree.db") else {
            return println!("  no sqlite3 shell: skipped");
        };
        let root = stage.path("tree");
        let content = vec![b'x'; bytes];
        for number in 0..FILES {
            let folder = root.join(format!("{}", number / FILES_A_FOLDER));
            if number % FILES_A_FOLDER == 0 {
                fs::create_dir_all(&folder).expect("a folder");
            }
            let file = folder.join(format!("{number}"));
            if number % (FILES / DATABASES) == 0 {
                fs::copy(&database, file).expect("a copy");
            } else {
                fs::write(file, &content).expect("a file");
            }
        }
        let mut find = Command::new("find");
        find.arg(&root).args(["-type", "f"]);
        against(stage, &root, name, &mut find, TREE_ROUNDS, bound);
        fs::remove_dir_all(&root).expect("the tree goes");
    }
}
