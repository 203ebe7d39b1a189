//! `dbguard fix` twice at once among processes that take, lose and break locks all the time.

use std::fs::{self, File};
use std::path::Path;

use crate::fix_tools::{assert_no_aside, dead_pid, fix, fixed, host, soft_lock};
use crate::process::Process;
use crate::scene::{Scene, have, names};

/// Makes the lock of a process that is a directory with its number in it.
fn lock_directory(path: &Path, pid: u32) {
    fs::create_dir(path).expect("the name is free");
    File::create_new(path.join(format!("{}.{pid}", host()))).expect("it is empty");
}

/// Takes a lock that nobody breaks, again and again, and says if it is not alone or loses it. Now
/// and then a child of it takes the lock and is killed.
const WORKER: &str = r#"
import os, signal, sys, time
parent = os.getppid()
def over():
    return os.path.exists("over") or os.getppid() != parent
def take():
    while True:
        try:
            lock = os.open("hot.lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            if over():
                sys.exit(0)
            time.sleep(0.0005)
            continue
        os.write(lock, b"%d\n" % os.getpid())
        return lock
turn = 0
while not over():
    turn += 1
    if turn % 10 == 0:
        child = os.fork()
        if child == 0:
            parent = os.getppid()
            take()
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        continue
    lock = take()
    os.close(os.open("inside", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    # Longer than a look takes, and shorter.
    time.sleep(0.05 if turn % 3 == 0 else 0.0005)
    os.unlink("inside")
    kept, here = os.fstat(lock), os.stat("hot.lock")
    assert (kept.st_ino, kept.st_nlink) == (here.st_ino, 1), "the lock was lost"
    os.unlink("hot.lock")
    os.close(lock)
    with open("turns", "a") as turns:
        turns.write("x")
"#;

/// How often two of them run at once.
const ROUNDS: usize = 100;

/// Two at once over fifty stale locks, two hundred runs, while processes take one lock in turn and
/// die with it: never two have it, nobody loses it, and whatever is stale goes once.
#[test]
fn two_at_once_and_live_owners_never_meet() {
    if !have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    let worker = || scene.run("python3", ["-c", WORKER]).spawn();
    let mut workers = [worker(), worker()];
    for round in 0..ROUNDS {
        // Numbers are given again soon on a busy machine.
        let pid = dead_pid(&scene);
        for number in 0..50 {
            match number % 3 {
                0 => drop(scene.file(&format!("{number}.lock"), soft_lock(pid))),
                1 => drop(scene.file(&format!("{number}.pid"), format!("{pid}\n"))),
                _ => lock_directory(&scene.path(format!("{number}.lock")), pid),
            }
        }
        let mut pair = [fix(&scene, &["."]).spawn(), fix(&scene, &["."]).spawn()];
        let mut removed = Vec::new();
        for process in &mut pair {
            let ended = process.wait().expect(0);
            let document = crate::sql_crew::document(&ended);
            let items = document["items"].as_array().expect("a list").clone();
            let gone = items.into_iter().filter(|item| item["action"] == "removed");
            removed.extend(gone.map(|item| item["path"].to_string()));
        }
        // What one has aside for a moment the other may put back.
        removed.retain(|path| !path.contains("hot.lock") && !path.contains("dbguard-stale"));
        let all = removed.len();
        removed.sort();
        removed.dedup();
        assert_eq!((removed.len(), all), (50, 50), "round {round}: {}", scene.describe());
        for worker in &workers {
            assert!(worker.runs(), "round {round}: {}", worker.stderr());
        }
    }
    // How many turns they had meanwhile is the scheduler's affair; locks of the dead need a `fix`.
    while scene.read("turns").len() < ROUNDS && workers.iter().all(Process::runs) {
        fix(&scene, &["."]).run().expect(0);
    }
    scene.file("over", "");
    for worker in &mut workers {
        worker.wait().expect(0);
    }
    fixed(&scene, &[], 0);
    assert_no_aside(&scene);
    let left: Vec<_> = names(&scene.path("")).into_iter().collect();
    assert_eq!(left, ["over", "turns"], "{}", scene.describe());
    assert!(scene.read("turns").len() >= ROUNDS, "{} turns", scene.read("turns").len());
}
