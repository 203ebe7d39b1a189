//! `dbguard info` on the guard lock: holders, waiters, keys, and what the dead leave.

use serde_json::{Value, json};

use crate::info_crew::{assert_check, first, hints, info, seen, shows_locks, told, typed_here};
use crate::scene::Scene;

fn pids(parties: &Value) -> Vec<u32> {
    let pid = |party: &Value| party["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    parties.as_array().expect("a list").iter().filter_map(pid).collect()
}

#[test]
fn a_holder_and_those_who_wait_are_told_in_their_order() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let holder = scene.hold(["a.db"]);
    holder.until_recorded(&scene, "a.db");
    let second = scene.queue_up("a.db", &[]);
    let third = scene.queue_up("a.db", &["-s"]);
    let guard = seen(&scene, &["a.db"])["guard"].clone();
    assert_eq!((&guard["state"], &guard["mode"]), (&json!("held"), &json!("exclusive")));
    assert_eq!(pids(&guard["holders"]), [holder.process.pid()]);
    assert_eq!(guard["holders"][0]["child_pid"], holder.command_pid());
    assert_eq!(guard["holders"][0]["via"], "claim");
    assert_eq!(pids(&guard["waiters"]), [second.process.pid(), third.process.pid()]);
    let positions = guard["waiters"].as_array().expect("a list").iter();
    assert_eq!(positions.map(|one| one["position"].clone()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(guard["waiters"][1]["mode"], "shared");
    assert_eq!(guard["lock_file"], scene.state("a.db", "lock").to_str().expect("text"));
    let text = told(&scene, "a.db");
    let command = if cfg!(windows) { "busy: sh" } else { "busy: sh -c" };
    assert!(text.starts_with(command), "{text}");
    assert!(text.contains(&format!("(pid {}, user", holder.command_pid())), "{text}");
    assert!(text.contains("waits     1. ") && text.contains("waits     2. "), "{text}");
    assert!(text.contains("dbguard wait a.db"), "{text}");
    assert_check(&scene, "a.db", "all");
    drop((second, third));
    holder.end().expect(0);
    assert_check(&scene, "a.db", "none");
}

#[test]
fn readers_with_the_guard_keep_writers_out_only() {
    let scene = Scene::new();
    let holders = [scene.hold(["-s", "a.db"]), scene.hold(["-s", "a.db"])];
    let guard = seen(&scene, &["a.db"])["guard"].clone();
    assert_eq!(guard["mode"], "shared");
    assert_eq!(pids(&guard["holders"]).len(), 2);
    assert!(first(&scene, "a.db").starts_with("readable, not writable: "));
    assert_check(&scene, "a.db", "writers");
    drop(holders);
}

#[test]
fn a_name_that_has_no_file_is_a_lock_like_any_other() {
    let scene = Scene::new();
    info(&scene, &["nightly"]).run().expect(66);
    let holder = scene.hold(["nightly"]);
    let held = seen(&scene, &["nightly"]);
    assert_eq!((&held["exists"], &held["engine"]), (&json!(false), &json!("unknown")));
    assert!(first(&scene, "nightly").starts_with("busy: "));
    holder.end().expect(0);
    assert!(told(&scene, "nightly").starts_with("free\n"));
    assert!(told(&scene, "nightly").contains("there is no such file; its name can be locked"));
}

#[test]
fn the_claims_of_the_dead_are_told_and_are_in_nobodys_way() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let holder = scene.hold(["a.db"]);
    let waiter = scene.queue_up("a.db", &[]);
    waiter.process.kill();
    let stale = |scene: &Scene| seen(scene, &["a.db"])["guard"]["stale"].as_array().map(Vec::len);
    assert_eq!(stale(&scene), Some(1));
    holder.process.kill();
    // The command lives on, and with it the lock; on Windows it ends with dbguard.
    if cfg!(unix) {
        let guard = seen(&scene, &["a.db"])["guard"].clone();
        assert_eq!(guard["state"], "held", "{guard:#}");
        let text = told(&scene, "a.db");
        let command = holder.command_pid().to_string();
        assert!(text.starts_with("busy: ") && text.contains(&command), "{text}");
    }
    drop(holder);
    crate::process::until("the lock is free", || first(&scene, "a.db") == "free");
    assert_eq!(stale(&scene), Some(2));
    assert!(told(&scene, "a.db").contains("left      2 claims of dead processes"));
    let before = (scene.held("a.db"), scene.queue("a.db"));
    assert_eq!(before.0.len() + before.1.len(), 2, "looking removes nothing");
}

#[test]
fn a_plain_flock_on_the_lock_file_is_told_with_its_holder() {
    if !shows_locks() {
        return;
    }
    let scene = Scene::new();
    scene.file("a.db", "");
    scene.make_state("a.db");
    let holder = scene.plain_flock(scene.state("a.db", "lock"));
    let guard = seen(&scene, &["a.db"])["guard"].clone();
    assert_eq!(pids(&guard["holders"]), [holder.pid()], "{guard:#}");
    assert_eq!(guard["holders"][0]["via"], "kernel");
    assert!(told(&scene, "a.db").contains(", through flock"));
    assert_check(&scene, "a.db", "all");
}

#[test]
fn a_key_is_in_the_way_of_itself_and_of_the_whole() {
    let scene = Scene::new();
    let holder = scene.hold(["-k", "north west", "a.db"]);
    let whole = seen(&scene, &["a.db"]);
    assert_eq!(whole["guard"]["keys"].as_array().map(Vec::len), Some(1), "{whole:#}");
    assert_eq!(pids(&whole["guard"]["keys"][0]["holders"]), [holder.process.pid()]);
    assert_check(&scene, "a.db", "writers");
    let check = |key: &str, mode: &str| {
        let words = ["-q", "-k", key, "--check", mode, "a.db"];
        info(&scene, &words).run().expect_any(&[0, 1]).code
    };
    assert_eq!(
        (check("north west", "shared"), check("north west", "exclusive")),
        (Some(1), Some(1))
    );
    assert_eq!((check("south", "shared"), check("south", "exclusive")), (Some(0), Some(0)));
    let held = seen(&scene, &["-k", "north west", "a.db"]);
    assert_eq!((&held["key"], &held["blocks"]), (&json!("north west"), &json!("all")));
    let lock_file = held["guard"]["lock_file"].as_str().expect("text");
    assert!(std::path::Path::new(lock_file).exists(), "{lock_file}");
    assert_eq!(seen(&scene, &["-k", "south", "a.db"])["guard"]["state"], "free");
    // What is said is so.
    let locks = |key: &str| {
        scene
            .dbguard(["exec", "-n", "-k", key, "a.db", "--", "true"])
            .run()
            .expect_any(&[0, 75])
            .code
    };
    assert_eq!((locks("north west"), locks("south")), (Some(75), Some(0)));
    let hint = hints(&scene, &["-k", "north west", "a.db"]);
    assert!(hint.contains(&typed_here("dbguard wait -k 'north west' a.db")), "{hint}");
    holder.end().expect(0);
    let whole = scene.hold(["a.db"]);
    assert_eq!((check("south", "shared"), check("south", "exclusive")), (Some(1), Some(1)));
    whole.end().expect(0);
    let readers = scene.hold(["-s", "a.db"]);
    assert_eq!((check("south", "shared"), check("south", "exclusive")), (Some(0), Some(0)));
    assert_eq!(locks("south"), Some(0));
    readers.end().expect(0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_that_may_not_be_looked_at_is_unknown() {
    let scene = Scene::new();
    scene.file("a.db", "");
    scene.make_state("a.db");
    let state = scene.path(".dbguard");
    match crate::scene::is_root() {
        true => std::os::unix::fs::chown(&state, Some(65534), Some(65534)).expect("root may"),
        false => {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o000);
            std::fs::set_permissions(&state, mode).expect("it is ours");
        }
    }
    let line = first(&scene, "a.db");
    assert!(line.starts_with("unknown: "), "{line}");
    assert!(seen(&scene, &["a.db"])["guard"]["error"].is_string());
}

#[test]
#[cfg(target_os = "linux")]
fn a_stopped_holder_of_the_guard_makes_it_stuck() {
    if !crate::scene::have(&["sleep"]) {
        return;
    }
    let scene = Scene::new();
    scene.file("a.db", "");
    let mut holder = scene.dbguard(["exec", "-F", "a.db", "--", "sleep", "600"]).spawn();
    holder.until("it holds", || scene.held("a.db").len() == 1);
    holder.until("it is the command", || first(&scene, "a.db").starts_with("busy: sleep 600"));
    holder.stop();
    assert!(first(&scene, "a.db").starts_with("stuck: sleep 600"));
    assert!(hints(&scene, &["a.db"]).contains(&format!("kill -CONT {}", holder.pid())));
}
