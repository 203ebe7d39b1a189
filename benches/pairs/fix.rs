//! `dbguard fix` on a tree with stale locks.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::info::{FILES, plant, run};
use crate::stage::Stage;
use crate::tally::{Turn, head, in_turns, median, row, timed};

const ROUNDS: usize = 7;

/// How many locks were left.
const LOCKS: usize = 200;

/// Prints the pair, and what it takes of memory.
pub fn fix(stage: &Stage) {
    println!(
        "  medians of {ROUNDS}, {FILES} files and {LOCKS} stale PID files, made anew each time"
    );
    let root = stage.path("left");
    let mut locks: Vec<PathBuf> = Vec::new();
    plant(&root, 100, |number, path| {
        let is_lock = number % (FILES / LOCKS) == 0;
        if is_lock {
            locks.push(path.with_extension("pid"));
        }
        is_lock
    });
    let dead = dead();
    let leave = || locks.iter().for_each(|lock| fs::write(lock, &dead).expect("a lock"));
    let mut ours = stage.program();
    ours.arg("fix").arg(&root);
    let mut find = Command::new("find");
    find.arg(&root).args(["-type", "f"]);
    leave();
    run(&mut ours);
    assert!(locks.iter().all(|lock| !lock.exists()), "all of them are stale");
    run(&mut find);
    let mut turns: Vec<Turn<'_>> = vec![
        Box::new(|| {
            leave();
            timed(|| run(&mut ours))
        }),
        Box::new(|| timed(|| run(&mut find))),
    ];
    let times = in_turns(ROUNDS, &mut turns);
    head("fix", "find");
    row("a tree with stale locks", median(&times[0]), median(&times[1]), Some(2.0));
    leave();
    match resident(stage, &root) {
        Some(kibibytes) => {
            println!("  {:<42} {:>6} KiB, bound 65536", "resident at most", kibibytes)
        }
        None => println!("  no /usr/bin/time: the memory was not measured"),
    }
    fs::remove_dir_all(&root).expect("the tree goes");
}

/// Returns the number of a process that has ended.
fn dead() -> String {
    let mut child = Command::new("true").spawn().expect("it starts");
    child.wait().expect("it ends");
    format!("{}\n", child.id())
}

/// Returns what one run takes of memory at most, in KiB.
fn resident(stage: &Stage, root: &std::path::Path) -> Option<u64> {
    let program = stage.program();
    let time = Command::new("/usr/bin/time")
        .args(["-f", "%M"])
        .arg(program.get_program())
        .arg("fix")
        .arg(root)
        .stdout(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8_lossy(&time.stderr).trim().lines().last()?.parse().ok()
}
