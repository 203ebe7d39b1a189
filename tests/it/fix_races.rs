//! `dbguard fix` against tools that take their locks meanwhile, against itself, killed and failing
//! at every step: a live lock is never lost, and the next run finds everything as it should be.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::fix_tools::{
    Print, assert_item, assert_no_aside, dead_pid, fix, fixed, host, soft_lock,
};
use crate::process::{Process, until};
use crate::scene::{Scene, have_hooks, names};
#[cfg(target_os = "linux")]
use {crate::fix_tools::OWNED, crate::scene::have};

/// Every step of a removal, in order, and whether the name is free there.
const STEPS: [(&str, bool); 3] =
    [("door-looked", false), ("door-leased", false), ("door-renamed", true)];

/// What a lock can be.
#[derive(Clone, Copy, Debug)]
enum Shape {
    File,
    #[cfg(target_os = "linux")]
    Link,
    Directory,
}

#[cfg(target_os = "linux")]
const SHAPES: [Shape; 3] = [Shape::File, Shape::Link, Shape::Directory];
#[cfg(windows)]
const SHAPES: [Shape; 2] = [Shape::File, Shape::Directory];

/// Every step with every shape; only files have leases.
fn stops() -> impl Iterator<Item = (&'static str, bool, Shape)> {
    let all = STEPS.into_iter().flat_map(|(step, free)| SHAPES.map(|one| (step, free, one)));
    all.filter(|(step, _, shape)| *step != "door-leased" || matches!(shape, Shape::File))
}

/// The same without what only a system can do that forgets the name of an open file at once.
fn stops_to_take_at() -> impl Iterator<Item = (&'static str, bool, Shape)> {
    stops().filter(|(step, ..)| *step != "door-leased" || cfg!(target_os = "linux"))
}

impl Shape {
    #[cfg(target_os = "linux")]
    fn path(self, scene: &Scene) -> PathBuf {
        scene.path(if matches!(self, Self::Link) { "SingletonLock" } else { "a.lock" })
    }

    #[cfg(windows)]
    fn path(self, scene: &Scene) -> PathBuf {
        scene.path("a.lock")
    }

    /// Makes the lock of a process, as its tool does.
    fn make(self, path: &Path, pid: u32) {
        match self {
            Self::File => {
                let mut file = File::create_new(path).expect("the name is free");
                std::io::Write::write_all(&mut file, soft_lock(pid).as_bytes()).expect("write");
            }
            #[cfg(target_os = "linux")]
            Self::Link => {
                let owner = format!("{}-{pid}", host());
                std::os::unix::fs::symlink(owner, path).expect("the name is free");
            }
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
    let mut process = fix(scene, &["."]).env("DBGUARD_TEST_STOP_AT", step).spawn();
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
        let acted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        over.store(true, Ordering::Relaxed);
        acted.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        watch.join().expect("it only looks")
    });
    assert_eq!(missed, 0, "its name was free: {}", path.display());
}

/// Lets a stopped `fix` go on to its end.
fn finish(mut process: Process) {
    process.resume();
    process.wait().expect(0);
}

/// Whoever takes the lock at any step keeps it. A file that was replaced before it is under a lease
/// is not even touched.
#[test]
fn a_lock_that_is_taken_at_any_step_is_never_removed() {
    if !have_hooks() {
        return;
    }
    for (step, is_free, shape) in stops_to_take_at() {
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
        let is_untouched = is_free || (step == "door-looked" && matches!(shape, Shape::File));
        match is_untouched {
            true => while_it_is_there(&path, || finish(process)),
            false => finish(process),
        }
        assert_eq!(Print::of(&path), live, "{}", scene.describe());
        assert_no_aside(&scene);
        fixed(&scene, &[], 0);
        assert_eq!(Print::of(&path), live, "{}", scene.describe());
    }
}

/// The same by a real tool, which breaks what is stale by itself.
#[test]
#[cfg(target_os = "linux")]
fn a_real_tool_takes_its_lock_at_any_step() {
    let tool = &OWNED[0];
    if !have_hooks() || !tool.is_there(&Scene::new()) {
        return;
    }
    for (step, _) in STEPS {
        println!("{step}");
        let scene = Scene::new();
        tool.leave(&scene, "a");
        let path = scene.path("a.lock");
        let process = stopped_at(&scene, step);
        if step == "door-leased" {
            // Whoever opens it waits for the lease; nobody is made to wait for one who is stopped.
            finish(process);
            assert!(tool.admits(&scene, "a"), "{}", scene.describe());
        } else {
            let mut holder = tool.hold(&scene, "a");
            let live = Print::of(&path);
            finish(process);
            assert_eq!(Print::of(&path), live, "{}", scene.describe());
            assert!(!tool.admits(&scene, "a"), "{}", scene.describe());
            holder.close_input();
            holder.wait().expect(0);
        }
        assert_no_aside(&scene);
        assert!(names(&scene.path("")).is_empty(), "{}", scene.describe());
    }
}

/// A daemon that opens its old PID file, locks it, and writes to it, at any step: it is never
/// removed under him, and a second one is refused.
#[test]
#[cfg(target_os = "linux")]
fn a_pid_file_that_comes_to_life_in_place_stays() {
    if !have_hooks() || !have(&["python3"]) {
        return;
    }
    for step in ["door-looked", "door-leased", "door-renamed"] {
        println!("{step}");
        let scene = Scene::new();
        let path = scene.path("app.pid");
        fs::write(&path, format!("{}\n", dead_pid(&scene))).expect("write");
        let process = stopped_at(&scene, step);
        // Open, lock, write: as libbsd's pidfile_open does.
        let daemon = "import fcntl, os, sys\nfile = os.open('app.pid', os.O_RDWR | os.O_CREAT, 0o600)\n\
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n\
            os.ftruncate(file, 0)\nos.write(file, b'%d\\n' % os.getpid())\n\
            open('up', 'w')\nsys.stdin.read()";
        let mut first = scene.run("python3", ["-c", daemon]).spawn_fed();
        if step == "door-looked" {
            first.until("it runs", || scene.path("up").exists());
        }
        finish(process);
        first.until("it runs", || scene.path("up").exists());
        fixed(&scene, &[], 0);
        let content = fs::read_to_string(&path).expect("it is there");
        assert_eq!(content, format!("{}\n", first.pid()), "{step}");
        scene.run("python3", ["-c", daemon]).run().expect(1);
        assert_no_aside(&scene);
        first.close_input();
        first.wait().expect(0);
    }
}

/// Names that others plant are not taken for what dbguard put aside.
#[test]
fn what_is_planted_under_our_name_harms_nobody() {
    let scene = Scene::new();
    let kept = ["Cargo.lock", "a.db-wal", "LOCK"];
    for name in kept {
        scene.file(name, "mine");
        scene.file(&format!("{name}.dbguard-stale.0123456789abcdef"), "planted");
    }
    fs::create_dir(scene.path("X")).expect("mkdir");
    scene.file("X/socket", "mine");
    fs::create_dir(scene.path("X.dbguard-stale.0123456789abcdef")).expect("mkdir");
    let links = [("/opt/app-42", "current"), ("/evil", "current.dbguard-stale.0123456789abcdef")];
    plant_links(&scene, &links);
    let _code = fix(&scene, &["."]).run().expect_any(&[0, 1]);
    for name in kept {
        assert_eq!(scene.read(name), "mine");
    }
    assert_eq!(scene.read("X/socket"), "mine");
    if cfg!(target_os = "linux") {
        let link = fs::read_link(scene.path("current")).expect("it stays");
        assert_eq!(link, Path::new("/opt/app-42"));
    }
}

#[cfg(target_os = "linux")]
fn plant_links(scene: &Scene, links: &[(&str, &str)]) {
    for (target, name) in links {
        std::os::unix::fs::symlink(target, scene.path(name)).expect("link");
    }
}

#[cfg(windows)]
fn plant_links(_scene: &Scene, _links: &[(&str, &str)]) {}

/// Killed at any step: nothing of it stays after the next run, which does what this one should have
/// done.
#[test]
fn killed_at_any_step_the_next_run_finishes() {
    if !have_hooks() {
        return;
    }
    for (step, _, shape) in stops() {
        println!("{shape:?} killed at {step}");
        let scene = Scene::new();
        let path = shape.path(&scene);
        shape.make(&path, dead_pid(&scene));
        let beside = scene.file("b.pid", format!("{}\n", std::process::id()));
        let before = Print::of(&beside);
        let process = stopped_at(&scene, step);
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
    for (step, is_free, shape) in stops() {
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

/// Killed between the rename that caught a live lock and the one that puts it back.
#[test]
fn a_live_lock_that_was_caught_by_one_who_was_killed_comes_back() {
    for shape in SHAPES {
        let scene = Scene::new();
        let path = shape.path(&scene);
        let name = path.file_name().and_then(|name| name.to_str()).expect("it is text");
        let aside = scene.path(format!("{name}.dbguard-stale.0123456789abcdef"));
        shape.make(&aside, std::process::id());
        let live = Print::of(&aside);
        fixed(&scene, &[], 0);
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
    let faults = ["door-rename", "door-clear"];
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
