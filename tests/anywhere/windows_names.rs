//! What paths and names are on Windows alone.

use std::fs::{self, File};
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Component, Path, Prefix};

use crate::scene::Scene;

/// Returns the canonical path of a name in the scene, as `\\?\C:\...`.
fn verbatim(scene: &Scene, name: &str) -> String {
    let directory = fs::canonicalize(scene.directory()).expect("there");
    directory.join(name).to_str().expect("text").to_owned()
}

/// Returns a path without its drive, and the letter of that.
fn drive_of(path: &str) -> (char, &str) {
    let path = path.trim_start_matches(r"\\?\");
    let mut components = Path::new(path).components();
    let Some(Component::Prefix(prefix)) = components.next() else { panic!("no drive in {path}") };
    let Prefix::Disk(letter) = prefix.kind() else { panic!("no drive in {path}") };
    (char::from(letter), &path[2..])
}

#[test]
fn every_spelling_of_a_path_is_one_lock() {
    let scene = Scene::new();
    for exists in [true, false] {
        let name = if exists { "long name.db" } else { "no file.db" };
        if exists {
            fs::write(scene.path(name), "").expect("written");
        }
        let whole = verbatim(&scene, name);
        let (drive, rooted) = drive_of(&whole);
        let mut spellings = vec![
            whole.clone(),
            format!("{drive}:{name}"),
            rooted.to_owned(),
            format!("{drive}:{}", rooted.replace('\\', "/")),
            name.to_uppercase(),
            format!("{name}."),
            format!("{name}. ."),
        ];
        let shared = format!(r"\\localhost\{drive}${rooted}");
        match fs::metadata(Path::new(&shared).parent().expect("a directory")) {
            Ok(_) => spellings.push(shared),
            Err(error) => println!("skipped in part: drives are not shared here ({error})"),
        }
        let holder = scene.hold(&["exec", name]);
        for spelling in spellings {
            let done = scene.play(&["exec", "-n", &spelling], &["exit", "0"]);
            assert_eq!(done.code, 75, "{spelling}: {done:?}");
        }
        assert_eq!(holder.end(), 0);
    }
    assert_eq!(fs::read_dir(scene.path(".dbguard")).expect("there").count(), 3, "two and a note");
}

#[test]
fn a_part_of_a_database_is_one_in_every_case() {
    let scene = Scene::new();
    scene.run(&["sql", "--create", "a.db", "CREATE TABLE t(n)"]).is(0);
    let _holder = scene.hold(&["exec", "A.db"]);
    for name in ["a.db", "a.db-wal", "A.DB-WAL", "a.DB-Journal"] {
        scene.play(&["exec", "-n", name], &["exit", "0"]).is(75);
    }
    let told = scene.run(&["info", "--json", "."]);
    let told: serde_json::Value = serde_json::from_str(&told.output).expect("JSON");
    assert_eq!(told["resources"].as_array().expect("a list").len(), 1, "{told}");
    let state = scene.run(&["exec", "-n", r".DBGUARD\x", "--", "cmd", "/C", "exit"]);
    assert_eq!(state.code, 64, "{state:?}");
}

#[test]
fn names_of_devices_and_streams_are_refused_and_block_nobody() {
    let scene = Scene::new();
    fs::write(scene.path("a.db"), "").expect("written");
    let refused = |verb: &[&str]| {
        let done = scene.run(verb);
        assert_eq!(done.code, 66, "{verb:?}: {done:?}");
        assert!(done.errors.contains("a device or a part of a file"), "{verb:?}: {done:?}");
    };
    for name in ["CON", "nul", "COM1", r"\\.\pipe\dbguard", "a.db:x", "a.db::$DATA"] {
        refused(&["exec", "-n", name, "--", "cmd", "/C", "exit"]);
    }
    refused(&["sql", "-n", "COM1", "SELECT 1"]);
    refused(&["wait", "-n", "NUL"]);
    refused(&["path", "CON"]);
    let info = scene.run(&["info", "COM1"]);
    assert!([0, 66].contains(&info.code), "{info:?}");
    assert!(!scene.path(".dbguard").exists());
}

#[test]
fn what_somebody_keeps_shut_is_tried_for_a_second_and_then_named() {
    let scene = Scene::new();
    scene.play(&["exec", "a.db"], &["exit", "0"]).is(0);
    let lock = scene.path(".dbguard").join("a.db").join("lock");
    let shut = File::options().read(true).share_mode(0).open(&lock).expect("nobody has it");
    let begun = std::time::Instant::now();
    let done = scene.play(&["exec", "-n", "a.db"], &["exit", "0"]);
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1), "{done:?}");
    assert_eq!(done.code, 74, "{done:?}");
    assert!(done.errors.contains("keeps it from being opened"), "{done:?}");
    // One that lets go meanwhile is not noticed.
    let waiter = scene.start(&["exec", "-n", "a.db"], &["exit", "5"]);
    // Nothing tells that it has met the shut file: it makes nothing and says nothing while it tries.
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(shut);
    let done = crate::scene::Done::of(waiter.wait_with_output().expect("it ends"));
    assert_eq!(done.code, 5, "{done:?}");
}
