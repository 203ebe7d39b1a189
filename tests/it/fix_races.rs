//! `dbguard fix` against tools that take their locks meanwhile, against itself, killed and failing
//! at every step: a live lock is never lost, and the next run finds everything as it should be.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::fix_tools::{
    OWNED, Print, assert_item, assert_no_aside, dead_pid, fix, fixed, host, soft_lock,
};
use crate::process::{Process, until};
use crate::scene::{Scene, have, have_hooks, names};

/// Every step of a removal, in order, and whether the name is free there.
const STEPS: [(&str, bool); 5] = [
    ("door-looked", false),
    ("door-placed", false),
    ("door-exchanged", false),
    ("door-compared", false),
    ("door-freed", true),
];

/// What a lock can be.
#[derive(Clone, Copy, Debug)]
enum Shape {
    File,
    Link,
    Directory,
}

const SHAPES: [Shape; 3] = [Shape::File, Shape::Link, Shape::Directory];

impl Shape {
    fn path(self, scene: &Scene) -> PathBuf {
        scene.path(if matches!(self, Self::Link) { "SingletonLock" } else { "a.lock" })
    }

    /// Makes the lock of a process, as its tool does.
    fn make(self, path: &Path, pid: u32) {
        match self {
            Self::File => {
                let mut file = File::create_new(path).expect("the name is free");
                std::io::Write::write_all(&mut file, soft_lock(pid).as_bytes()).expect("write");
            }
            Self::Link => symlink(format!("{}-{pid}", host()), path).expect("the name is free"),
            Self::Directory => {
                fs::create_dir(path).expect("the name is free");
                File::create_new(path.join(format!("{}.{pid}", host()))).expect("it is empty");
            }
        }
    }

    /// Breaks the lock, as somebody does who thinks that it is stale.
    fn break_it(self, path: &Path) {
        match self {
            Self::Directory => fs::remove_dir_all(path),
            _ => fs::remove_file(path),
        }
        .expect("it is there");
    }
}

/// Starts `dbguard fix`, which stops at a step.
fn stopped_at(scene: &Scene, step: &str) -> Process {
    let mut run = fix(scene, &["."]).env("DBGUARD_TEST_STOP_AT", step);
    if step == "door-renamed" {
        run = run.env("DBGUARD_TEST_FAIL_AT", "door-exchange=EINVAL");
    }
    let mut process = run.spawn();
    process.until_stopped();
    process
}

/// Does something while somebody looks all the time whether a name is there.
fn while_it_is_there(path: &Path, act: impl FnOnce()) {
    let over = AtomicBool::new(false);
    let missed = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut missed = 0;
            while !over.load(Ordering::Relaxed) {
                missed += u32::from(path.symlink_metadata().is_err());
            }
            missed
        });
        act();
        over.store(true, Ordering::Relaxed);
        watch.join().expect("it only looks")
    });
    assert_eq!(missed, 0, "its name was free: {}", path.display());
}

/// Lets a stopped `fix` go on to its end.
fn finish(mut process: Process) {
    process.resume();
    process.wait().expect(0);
}

/// Whoever takes the lock at any step keeps it, and his name is never free.
#[test]
fn a_lock_that_is_taken_at_any_step_is_never_removed() {
    if !have_hooks() {
        return;
    }
    for ((step, is_free), shape) in STEPS.into_iter().flat_map(|step| SHAPES.map(|one| (step, one)))
    {
        println!("{shape:?} taken at {step}");
        let scene = Scene::new();
        let path = shape.path(&scene);
        shape.make(&path, dead_pid(&scene));
        let process = stopped_at(&scene, step);
        assert_eq!(path.symlink_metadata().is_err(), is_free, "{}", scene.describe());
        if !is_free {
            shape.break_it(&path);
        }
        shape.make(&path, std::process::id());
        let live = Print::of(&path);
        while_it_is_there(&path, || finish(process));
        assert_eq!(Print::of(&path), live, "{}", scene.describe());
        assert_no_aside(&scene);
        fixed(&scene, &[], 0);
        assert_eq!(Print::of(&path), live, "{}", scene.describe());
    }
}

/// The same by a real tool, which breaks what is stale where it sees that: not the placeholder,
/// whose process lives.
#[test]
fn a_real_tool_takes_its_lock_at_any_step_or_waits() {
    let tool = &OWNED[0];
    if !have_hooks() || !tool.is_there(&Scene::new()) {
        return;
    }
    for (step, _) in STEPS.into_iter().chain([("door-renamed", true)]) {
        println!("{step}");
        let scene = Scene::new();
        tool.leave(&scene, "a");
        let process = stopped_at(&scene, step);
        let path = scene.path("a.lock");
        let waits = matches!(step, "door-exchanged" | "door-compared");
        if waits {
            let placeholder = Print::of(&path);
            assert!(!tool.admits(&scene, "a"), "{}", scene.describe());
            assert_eq!(Print::of(&path), placeholder);
            finish(process);
            assert!(tool.admits(&scene, "a"), "{}", scene.describe());
        } else {
            let mut holder = tool.hold(&scene, "a");
            let live = Print::of(&path);
            while_it_is_there(&path, || finish(process));
            assert_eq!(Print::of(&path), live, "{}", scene.describe());
            assert!(!tool.admits(&scene, "a"), "{}", scene.describe());
            holder.close_input();
            holder.wait().expect(0);
        }
        assert_no_aside(&scene);
        assert!(names(&scene.path("")).is_empty(), "{}", scene.describe());
    }
}

/// Without an exchange, too, a lock that was taken comes back.
#[test]
fn a_file_system_that_cannot_exchange_takes_the_other_way() {
    if !have_hooks() {
        return;
    }
    for (shape, errno) in SHAPES.into_iter().zip(["EINVAL", "ENOSYS", "EOPNOTSUPP"]) {
        println!("{shape:?}, {errno}");
        let scene = Scene::new();
        let path = shape.path(&scene);
        let failing =
            || fix(&scene, &["."]).env("DBGUARD_TEST_FAIL_AT", format!("door-exchange={errno}"));
        shape.make(&path, dead_pid(&scene));
        failing().run().expect(0);
        assert!(names(&scene.path("")).is_empty(), "{}", scene.describe());
        // Taken before it is renamed away, and after.
        for step in ["door-placed", "door-renamed"] {
            shape.make(&path, dead_pid(&scene));
            let mut process = failing().env("DBGUARD_TEST_STOP_AT", step).spawn();
            process.until_stopped();
            if step == "door-placed" {
                shape.break_it(&path);
            }
            shape.make(&path, std::process::id());
            let live = Print::of(&path);
            finish(process);
            assert_eq!(Print::of(&path), live, "{}", scene.describe());
            assert_no_aside(&scene);
            shape.break_it(&path);
        }
    }
}

/// Killed at any step: nothing of it stays after the next run, which does what this one should have
/// done.
#[test]
fn killed_at_any_step_the_next_run_finishes() {
    if !have_hooks() {
        return;
    }
    let steps = STEPS.map(|(step, _)| step).into_iter().chain(["door-renamed"]);
    for (step, shape) in steps.flat_map(|step| SHAPES.map(|one| (step, one))) {
        println!("{shape:?} killed at {step}");
        let scene = Scene::new();
        let path = shape.path(&scene);
        shape.make(&path, dead_pid(&scene));
        let beside = scene.file("b.pid", format!("{}\n", std::process::id()));
        let before = Print::of(&beside);
        let process = stopped_at(&scene, step);
        // Whoever comes while it is stopped leaves its work alone.
        let state = crate::fix_tools::tree(&scene);
        fixed(&scene, &[], 0);
        assert_eq!(crate::fix_tools::tree(&scene), state);
        process.kill();
        let state = crate::fix_tools::tree(&scene);
        let dry = fix(&scene, &["--dry-run"]).run();
        assert_eq!(dry.code, Some(1), "{}", dry.describe());
        assert_eq!(crate::fix_tools::tree(&scene), state);
        fixed(&scene, &[], 0);
        assert_eq!(names(&scene.path("")), ["b.pid".to_owned()].into(), "{}", scene.describe());
        assert_eq!(Print::of(&beside), before);
    }
}

/// Killed at any step, and then somebody takes the lock: he keeps it.
#[test]
fn killed_at_any_step_whoever_comes_next_keeps_the_lock() {
    if !have_hooks() {
        return;
    }
    let steps = STEPS.into_iter().chain([("door-renamed", true)]);
    for ((step, is_free), shape) in steps.flat_map(|step| SHAPES.map(|one| (step, one))) {
        println!("{shape:?} killed at {step}");
        let scene = Scene::new();
        let path = shape.path(&scene);
        shape.make(&path, dead_pid(&scene));
        stopped_at(&scene, step).kill();
        if !is_free {
            shape.break_it(&path);
        }
        shape.make(&path, std::process::id());
        let live = Print::of(&path);
        while_it_is_there(&path, || drop(fixed(&scene, &[], 0)));
        assert_eq!(Print::of(&path), live, "{}", scene.describe());
        assert_no_aside(&scene);
    }
}

/// Killed between the exchange that caught a live lock and the one that puts it back.
#[test]
fn a_live_lock_that_was_caught_by_one_who_was_killed_comes_back() {
    for shape in SHAPES {
        let scene = Scene::new();
        let (path, dead) = (shape.path(&scene), dead_pid(&scene));
        let name = path.file_name().and_then(|name| name.to_str()).expect("it is text");
        shape.make(&path, dead);
        if !matches!(shape, Shape::Link) {
            let mode = if matches!(shape, Shape::File) { 0o1600 } else { 0o1700 };
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("chmod");
        }
        let aside = scene.path(format!("{name}.dbguard-stale.{dead}.0123456789abcdef"));
        shape.make(&aside, std::process::id());
        let live = Print::of(&aside);
        while_it_is_there(&path, || drop(fixed(&scene, &[], 0)));
        assert_eq!(Print::of(&path), live, "{shape:?}: {}", scene.describe());
        assert_no_aside(&scene);
    }
}

/// Every system call that changes something fails: it is said, and the next run finishes.
#[test]
fn what_fails_is_said_and_the_next_run_finishes() {
    if !have_hooks() {
        return;
    }
    let faults = ["door-place", "door-exchange", "door-unlink", "door-clear"];
    let errors = ["EIO", "ENOSPC", "EACCES"];
    for (fault, errno) in faults.iter().flat_map(|fault| errors.map(|errno| (fault, errno))) {
        for shape in SHAPES {
            println!("{shape:?}, {fault}={errno}");
            let scene = Scene::new();
            let path = shape.path(&scene);
            shape.make(&path, dead_pid(&scene));
            let run = fix(&scene, &["."]).env("DBGUARD_TEST_FAIL_AT", format!("{fault}={errno}"));
            let ended = run.run().expect(1);
            let items = crate::sql_crew::document(&ended)["items"].clone();
            assert_item(items.as_array().expect("a list"), &path, "stale", "failed");
            fixed(&scene, &[], 0);
            assert!(names(&scene.path("")).is_empty(), "{}", scene.describe());
        }
    }
}

/// Takes a lock that nobody breaks, again and again, and says if it is not alone or loses it. Now
/// and then a child of it takes the lock and is killed.
const WORKER: &str = r#"
import os, signal, sys, time
def take():
    while True:
        try:
            lock = os.open("hot.lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            if os.path.exists("over"):
                sys.exit(0)
            time.sleep(0.0005)
            continue
        os.write(lock, b"%d\n" % os.getpid())
        return lock
turn = 0
while not os.path.exists("over"):
    turn += 1
    if turn % 5 == 0:
        child = os.fork()
        if child == 0:
            take()
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        continue
    lock = take()
    os.close(os.open("inside", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    time.sleep(0.001)
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
    let pid = dead_pid(&scene);
    for round in 0..ROUNDS {
        for number in 0..50 {
            match number % 3 {
                0 => drop(scene.file(&format!("{number}.lock"), soft_lock(pid))),
                1 => drop(scene.file(&format!("{number}.pid"), format!("{pid}\n"))),
                _ => Shape::Directory.make(&scene.path(format!("{number}.lock")), pid),
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
        removed.retain(|path| !path.contains("hot.lock"));
        let all = removed.len();
        removed.sort();
        removed.dedup();
        assert_eq!((removed.len(), all), (50, 50), "round {round}: {}", scene.describe());
        for worker in &workers {
            assert!(worker.runs(), "round {round}: {}", worker.stderr());
        }
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

/// A live lock is caught for a moment if it was taken after the last look. Whatever its owner does
/// then, he does to its name: he keeps it, he has released it, or the next one has it.
#[test]
fn a_live_lock_that_is_caught_is_given_back_or_was_released() {
    if !have_hooks() {
        return;
    }
    for shape in SHAPES {
        for (released, taken) in [(false, false), (true, false), (true, true)] {
            for (step, killed) in [("door-caught", false), ("door-exchanged", true)] {
                println!("{shape:?}, released {released}, taken {taken}, {step}, killed {killed}");
                let scene = Scene::new();
                let path = shape.path(&scene);
                shape.make(&path, dead_pid(&scene));
                let mut process = stopped_at(&scene, &format!("door-placed,{step}"));
                shape.break_it(&path);
                shape.make(&path, std::process::id());
                let mut live = Print::of(&path);
                process.resume();
                process.until("it has caught it", || Print::of(&path) != live);
                process.until_stopped();
                if released {
                    shape.break_it(&path);
                }
                if taken {
                    shape.make(&path, std::process::id());
                    live = Print::of(&path);
                }
                if killed {
                    process.kill();
                    fixed(&scene, &[], 0);
                } else {
                    finish(process);
                }
                // That it was released nobody knows once who had caught it is dead.
                let is_gone = released && !taken && !killed;
                assert_eq!(Print::of(&path), live.filter(|_| !is_gone), "{}", scene.describe());
                assert_no_aside(&scene);
            }
        }
    }
}

/// The lock of a holder that starts while `fix` looks is his.
#[test]
fn a_holder_that_starts_between_the_list_and_the_look_is_live() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let pid = dead_pid(&scene);
    scene.file("a.lock", soft_lock(pid));
    let b = scene.file("b.lock", soft_lock(pid));
    // It has judged both and is about to take the first.
    let process = stopped_at(&scene, "door-looked");
    fs::remove_file(&b).expect("it is there");
    Shape::File.make(&b, std::process::id());
    let live = Print::of(&b);
    while_it_is_there(&b, || finish(process));
    assert_eq!(Print::of(&b), live);
    until("the first is gone", || !scene.path("a.lock").exists());
}
