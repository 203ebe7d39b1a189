//! Locks that real tools left when they were killed: `dbguard fix` takes them away, and the live
//! one beside each is untouched and still does its work.

use std::time::Duration;

use crate::fix_tools::{
    Host, OWNED, Print, Tool, age, all_openers_are_seen, assert_item, assert_no_aside, dead_pid,
    fixed, soft_lock, tree,
};
use crate::scene::Scene;
#[cfg(target_os = "linux")]
use {
    crate::fix_tools::AGEING,
    crate::scene::{have, is_root, skip},
    std::fs,
};

/// Proves for one tool what the whole is about.
fn clears(tool: &Tool) {
    let scene = Scene::new();
    if !tool.is_there(&scene) {
        return;
    }
    println!("{}", tool.format);
    for name in ["dead", "live"] {
        tool.prepare(&scene, name);
    }
    let mut live = tool.hold(&scene, "live");
    tool.leave(&scene, "dead");
    assert!(!tool.admits(&scene, "live"), "{}", scene.describe());
    let prints = |name: &str| -> Vec<_> {
        tool.paths(&scene, name).iter().map(|path| Print::of(path)).collect()
    };
    let (dead, before) = (prints("dead"), prints("live"));
    // A look changes nothing.
    fixed(&scene, &["--dry-run"], 1);
    assert_eq!((prints("dead"), prints("live")), (dead, before.clone()));
    let items = fixed(&scene, &[], 0);
    for path in tool.paths(&scene, "dead") {
        assert_item(&items, &path, "stale", "removed");
        assert!(path.symlink_metadata().is_err(), "{}", scene.describe());
    }
    for path in tool.paths(&scene, "live") {
        let item = items.iter().find(|item| item["path"] == path.to_str().expect("text"));
        let item = item.unwrap_or_else(|| panic!("{items:#?}"));
        assert_eq!((&item["action"], &item["format"]), (&"kept".into(), &tool.format.into()));
        assert_ne!(item["verdict"], "stale", "{items:#?}");
    }
    assert_eq!(prints("live"), before, "{}", scene.describe());
    assert!(tool.admits(&scene, "dead"), "{}", scene.describe());
    assert!(!tool.admits(&scene, "live"), "{}", scene.describe());
    live.close_input();
    live.wait().expect(0);
    assert!(prints("live").iter().all(Option::is_none), "{}", scene.describe());
    assert!(tool.admits(&scene, "live"), "{}", scene.describe());
    assert_no_aside(&scene);
    assert_eq!(fixed(&scene, &["--strict"], 0), [] as [serde_json::Value; 0]);
}

/// The tools of a format, which are the words of the tests' names. On Windows the shell is one.
fn clears_all(format: &str) {
    let is_of_here =
        |tool: &&Tool| cfg!(target_os = "linux") || matches!(tool.host, Host::Shell("sh"));
    OWNED.iter().filter(|tool| tool.format == format).filter(is_of_here).for_each(clears);
}

#[test]
#[cfg(target_os = "linux")]
fn a_soft_lock_of_pythons_filelock_is_cleared() {
    clears_all("filelock");
}

#[test]
#[cfg(target_os = "linux")]
fn the_locks_of_pythons_lockfile_are_cleared() {
    clears_all("pylockfile-link");
    clears_all("pylockfile-mkdir");
}

#[test]
fn pid_files_are_cleared() {
    clears_all("pid-file");
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_of_qt_is_cleared() {
    clears_all("qt-lockfile");
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_of_dotlockfile_is_cleared() {
    clears_all("dotlockfile");
}

#[test]
#[cfg(target_os = "linux")]
fn the_lock_of_git_gc_is_cleared() {
    clears_all("git-gc");
}

/// What the transaction left is then mended by Mercurial, which its dead lock does not stop.
#[test]
#[cfg(target_os = "linux")]
fn the_locks_of_mercurial_are_cleared() {
    clears_all("mercurial");
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_of_emacs_is_cleared() {
    clears_all("emacs");
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_of_chrome_is_cleared() {
    clears_all("chrome");
}

/// A process that has ended and that nobody has waited for is dead.
#[test]
#[cfg(target_os = "linux")]
fn a_lock_of_a_zombie_is_cleared() {
    let tool = OWNED.iter().rfind(|tool| tool.format == "pid-file").expect("in the list");
    let scene = Scene::new();
    let holder = tool.hold(&scene, "a");
    holder.kill();
    assert_item(&fixed(&scene, &[], 0), &scene.path("a.pid"), "stale", "removed");
    drop(holder);
}

/// The kinds of filelock that nobody may break: the strict one, and the hard one, whose file is only
/// the place for the kernel's lock and stays when everybody has gone.
#[test]
#[cfg(target_os = "linux")]
fn strict_and_hard_locks_of_pythons_filelock_stay() {
    let scene = Scene::new();
    let hold = |class: &str, name: &str| {
        let script = format!(
            "import filelock, os, sys\nlock = filelock.{class}('{class}-{name}.lock')\n\
             lock.acquire(timeout=0)\nopen('{name}.up', 'w')\nsys.stdin.read()\nlock.release()"
        );
        scene.run("python3", ["-c", &script])
    };
    if !OWNED[0].is_there(&scene) {
        return;
    }
    for class in ["FileLock", "StrictSoftFileLock"] {
        if hold(class, "probe").run().code != Some(0) {
            skip(&format!("this filelock has no {class}"));
            continue;
        }
        let [mut live, dead] = ["live", "dead"].map(|name| {
            let mut holder = hold(class, name).spawn_fed();
            holder.until("it has the lock", || scene.path(format!("{name}.up")).exists());
            holder
        });
        dead.kill();
        let before = tree(&scene);
        // Empty locks of this name are what the age of is given here; a young one stays.
        for words in [&[][..], &["--assume-stale=npm-lockfile=60s"]] {
            let items = fixed(&scene, words, 0);
            assert!(items.iter().all(|item| item["action"] == "kept"), "{items:#?}");
            assert_eq!(tree(&scene), before);
        }
        assert_ne!(hold(class, "live").run().code, Some(0), "{}", scene.describe());
        live.close_input();
        live.wait().expect(0);
        assert_eq!(hold(class, "live").run().code, Some(0), "{}", scene.describe());
        for name in ["live.up", "dead.up"] {
            fs::remove_file(scene.path(name)).expect("it is there");
        }
    }
}

/// A hard lock that is held is not removed either where the user says that empty locks are stale.
#[test]
fn a_hard_lock_that_is_held_stays_whatever_its_age() {
    let scene = Scene::new();
    let path = scene.file("a.lock", "");
    age(&path, HOURS);
    let holder = scene.plain_flock(&path);
    let before = Print::of(&path);
    let items = fixed(&scene, &["--assume-stale=npm-lockfile=60s"], 0);
    // On Windows that it is open is seen, on Linux nothing proves it.
    let verdict = if cfg!(windows) { "live" } else { "unknown" };
    assert_item(&items, &path, verdict, "kept");
    assert_eq!(Print::of(&path), before);
    drop(holder);
    fixed(&scene, &["--assume-stale=npm-lockfile=60s"], 0);
    // Who opens it alone on Windows has the proof.
    assert_ne!(path.exists(), cfg!(windows) || all_openers_are_seen());
}

/// The text that was not saved is in no other place.
#[test]
#[cfg(target_os = "linux")]
fn a_swap_file_of_vim_stays_and_can_be_recovered() {
    let scene = Scene::new();
    if !have(&["vim.tiny"]) {
        return;
    }
    let words = ["-es", "-c", "e notes.txt", "-c", "normal ihello", "-c", "preserve", "-c"];
    let mut editor = scene.run("vim.tiny", words).words(["sleep 600"]).spawn();
    let swap = scene.path(".notes.txt.swp");
    editor.until("the text is kept", || {
        fs::read(&swap).is_ok_and(|content| content.windows(5).any(|word| word == b"hello"))
    });
    let looks = |state: &str| {
        let before = Print::of(&swap);
        let items = fixed(&scene, &["."], 0);
        assert_item(&items, &swap, "reported", "kept");
        assert!(items[0]["reason"].to_string().contains("vim -r"), "{state}: {items:#?}");
        fixed(&scene, &[".notes.txt.swp"], 0);
        fixed(&scene, &["--pattern=*.swp"], 0);
        assert_eq!(Print::of(&swap), before, "{state}");
    };
    looks("the editor runs");
    editor.kill();
    looks("the editor was killed");
    drop(editor);
    looks("the editor is gone");
    let words = ["-es", "-r", "notes.txt", "-c", "wq"];
    drop(scene.run("vim.tiny", words).run());
    assert_eq!(scene.read("notes.txt"), "hello\n", "{}", scene.describe());
}

/// A PID file of any name, if the user says which files are some.
#[test]
fn what_the_user_calls_a_pid_file_is_cleared_like_one() {
    let scene = Scene::new();
    let live = scene.plain_flock(scene.file("live.txt", ""));
    let (dead, live_pid) = (dead_pid(&scene), live.pid());
    for name in ["run/app.state", "run/other.state", "run/app.txt"] {
        scene.file(name, format!("{dead}\n"));
    }
    scene.file("run/live.state", format!("{live_pid}\n"));
    scene.file("run/text.state", "a text\n");
    let before = tree(&scene);
    assert_eq!(fixed(&scene, &[], 0), [] as [serde_json::Value; 0]);
    assert_eq!(tree(&scene), before);
    let items = fixed(&scene, &["--pattern=app.*", "--pattern", "**/run/*.state"], 0);
    for name in ["app.state", "other.state", "app.txt"] {
        assert_item(&items, &scene.path("run").join(name), "stale", "removed");
    }
    assert_item(&items, &scene.path("run").join("live.state"), "unknown", "kept");
    assert_eq!(crate::scene::names(&scene.path("run")), names(["live.state", "text.state"]));
    // What is never touched is no PID file, whatever the user says.
    let manifest = scene.file("Cargo.lock", format!("{dead}\n"));
    let log = scene.file("a.db-wal", format!("{dead}\n"));
    fixed(&scene, &["--no-recover", "--pattern=*"], 0);
    assert!(manifest.exists() && log.exists(), "{}", scene.describe());
}

fn names<const N: usize>(names: [&str; N]) -> std::collections::BTreeSet<String> {
    names.map(str::to_owned).into()
}

/// A single file works as well as a tree, a link too that leads nowhere.
#[test]
fn a_lock_that_is_named_is_cleared_alone() {
    let scene = Scene::new();
    let host = soft_lock(dead_pid(&scene));
    for name in ["a.lock", "b.lock"] {
        scene.file(name, &host);
    }
    clears_a_link(&scene, host.lines().nth(1).expect("it names us"));
    assert_item(&fixed(&scene, &["a.lock"], 0), &scene.path("a.lock"), "stale", "removed");
    assert!(scene.path("b.lock").exists(), "{}", scene.describe());
    fixed(&scene, &["b.lock"], 0);
    assert_eq!(crate::scene::names(&scene.path("")), names([]));
}

#[cfg(windows)]
fn clears_a_link(_scene: &Scene, _host: &str) {}

#[cfg(target_os = "linux")]
fn clears_a_link(scene: &Scene, host: &str) {
    let target = format!("ana@{host}.{}:1", dead_pid(scene));
    std::os::unix::fs::symlink(target, scene.path(".#c")).expect("link");
    assert_item(&fixed(scene, &[".#c"], 0), &scene.path(".#c"), "stale", "removed");
    assert!(scene.path("a.lock").exists(), "{}", scene.describe());
}

const HOURS: Duration = Duration::from_secs(7200);

/// Whether the tool itself takes over what is old, seconds or minutes.
#[cfg(target_os = "linux")]
fn takes_over(tool: &Tool) -> bool {
    matches!(tool.format, "proper-lockfile" | "dotlockfile-age")
}

/// Nobody is named, so nothing is removed unless the user gives an age; then what is older goes,
/// and the live and young one stays. Only root sees that nobody has such a lock open.
#[test]
#[cfg(target_os = "linux")]
fn what_names_nobody_is_cleared_at_the_age_that_is_given() {
    let scene = Scene::new();
    let mut lives = Vec::new();
    for tool in AGEING.iter().filter(|tool| tool.is_there(&scene)) {
        let folder = |kind: &str| format!("{}-{kind}", tool.format);
        let (dead, young, live) = (folder("dead"), folder("young"), folder("live"));
        for name in [&dead, &young, &live] {
            tool.prepare(&scene, name);
        }
        lives.push((tool, live.clone(), tool.hold(&scene, &live)));
        tool.leave(&scene, &dead);
        tool.leave(&scene, &young);
        tool.paths(&scene, &dead).iter().for_each(|path| age(path, HOURS));
        assert!(!tool.admits(&scene, &live), "{}", scene.describe());
        if !takes_over(tool) {
            assert!(!tool.admits(&scene, &dead), "{}", scene.describe());
        }
    }
    let before = tree(&scene);
    let items = fixed(&scene, &[], 0);
    assert_eq!(tree(&scene), before, "nothing was given");
    let told = items.iter().filter(|item| item["command"].is_string()).count();
    let quiet = lives.iter().filter(|(tool, ..)| tool.format == "npm-lockfile").count();
    assert_eq!(told, (lives.len() - quiet) * 3, "{items:#?}");
    fixed(&scene, &["--strict"], i32::from(told > 0));
    // Older than what was left.
    let given = |age: &str| -> Vec<String> {
        let one = |(tool, ..): &(&Tool, _, _)| format!("--assume-stale={}={age}", tool.format);
        lives.iter().map(one).collect()
    };
    let words = |given: &[String]| -> Vec<serde_json::Value> {
        fixed(&scene, &given.iter().map(String::as_str).collect::<Vec<_>>(), 0)
    };
    words(&given("3h"));
    assert_eq!(tree(&scene), before, "older was given");
    let items = words(&given("1h"));
    let action = if is_root() { ("stale", "removed") } else { ("unknown", "kept") };
    for (tool, live, mut holder) in lives {
        let name = |kind: &str| format!("{}-{kind}", tool.format);
        for path in tool.paths(&scene, &name("dead")) {
            assert_item(&items, &path, action.0, action.1);
        }
        for path in [name("young"), live.clone()].iter().flat_map(|name| tool.paths(&scene, name)) {
            assert_item(&items, &path, "unknown", "kept");
        }
        let admits = is_root() || takes_over(tool);
        assert_eq!(tool.admits(&scene, &name("dead")), admits, "{}", scene.describe());
        assert!(!tool.admits(&scene, &live), "{}", scene.describe());
        holder.close_input();
        holder.wait().expect(0);
        assert!(tool.admits(&scene, &live), "{}", scene.describe());
    }
    assert_no_aside(&scene);
}
