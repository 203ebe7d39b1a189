//! What `fix` clears of other tools, and what it leaves alone.

use std::fs::{self, File};

use crate::scene::{Done, Scene};

/// Returns the name of this machine, as dbguard has it.
fn host(scene: &Scene) -> String {
    let holder = scene.hold(&["exec", "a.db"]);
    let host = scene.info("a.db")["guard"]["holders"][0]["host"].clone();
    assert_eq!(holder.end(), 0);
    host.as_str().expect("a name").to_owned()
}

/// Writes a lock file as Python's filelock does.
fn lock_of(scene: &Scene, name: &str, pid: u32) -> std::path::PathBuf {
    let path = scene.path(name);
    fs::write(&path, format!("{pid}\n{}\n", host(scene))).expect("written");
    path
}

/// Returns the number of a process that has ended.
fn dead(scene: &Scene) -> u32 {
    let mut holder = scene.hold_alone(&["hold"]);
    let pid = holder.child.id();
    holder.kill();
    pid
}

fn fix(scene: &Scene) -> Done {
    scene.run(&["fix", "."])
}

#[test]
fn a_dead_processs_lock_is_cleared_and_a_live_ones_never() {
    let scene = Scene::new();
    let mut holder = scene.hold_alone(&["hold"]);
    let path = lock_of(&scene, "job.lock", holder.child.id());
    let told = fix(&scene);
    assert!(path.exists(), "{told:?}");
    holder.kill();
    let told = scene.run(&["fix", "--dry-run", "."]);
    assert!(path.exists() && told.output.contains("is dead"), "{told:?}");
    let told = fix(&scene).is(0);
    assert!(!path.exists(), "{told:?}");
}

#[test]
fn a_file_that_somebody_has_open_is_never_removed() {
    let scene = Scene::new();
    let path = lock_of(&scene, "job.lock", dead(&scene));
    let open = File::open(&path).expect("there");
    let told = fix(&scene);
    assert!(path.exists(), "{told:?}");
    assert!(told.output.contains("somebody has it open"), "{told:?}");
    drop(open);
    let told = fix(&scene).is(0);
    assert!(!path.exists(), "{told:?}");
}

#[test]
fn a_claim_of_the_dead_is_cleared_and_one_of_the_living_stays() {
    let scene = Scene::new();
    let holder = scene.hold(&["exec", "a.db"]);
    let mut waiter = scene.start(&["exec", "-w", "60", "a.db"], &["exit", "0"]);
    crate::scene::until("it waits", || scene.waiting("a.db") == 1);
    fix(&scene);
    assert_eq!(scene.waiting("a.db"), 1, "it lives");
    waiter.kill().expect("it runs");
    waiter.wait().expect("it ends");
    // A claim that is younger may not be locked yet.
    let queue = scene.path(".dbguard").join("a.db").join("queue");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    for entry in fs::read_dir(queue).expect("there") {
        let claim = File::options().write(true).open(entry.expect("there").path()).expect("there");
        claim.set_modified(old).expect("ours");
    }
    let told = fix(&scene);
    assert_eq!(scene.waiting("a.db"), 0, "{told:?}");
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(75);
    assert_eq!(holder.end(), 0);
}
