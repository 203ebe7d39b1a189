//! Which names mean one lock, what keys are, and what on disk may be trusted.

use std::fs::{self, File};

use crate::scene::{Scene, names};

/// Demands that whoever names `other` meets the holder of `one`, or does not.
#[track_caller]
fn assert_meet(scene: &Scene, one: &[&str], other: &[&str], met: bool) {
    let holder = scene.hold(one);
    let code = if met { 75 } else { 0 };
    scene.dbguard(["exec", "-n"]).words(other).words(["--", "true"]).run().expect(code);
    holder.end().expect(0);
}

#[test]
fn every_way_to_write_a_path_is_one_resource() {
    let scene = Scene::new();
    scene.file("sub/a.db", "");
    let absolute = scene.path("sub").join("a.db");
    let absolute = absolute.to_str().expect("text");
    for name in ["./sub/a.db", "sub//a.db", "sub/../sub/a.db", absolute] {
        assert_meet(&scene, &["sub/a.db"], &[name], true);
    }
    assert_meet(&scene, &["sub/a.db"], &["a.db"], false);
}

#[test]
#[cfg(target_os = "linux")]
fn a_link_is_what_it_leads_to() {
    use std::os::unix::fs::symlink;

    let scene = Scene::new();
    scene.file("sub/a.db", "");
    symlink("sub/a.db", scene.path("link.db")).expect("make a link");
    symlink("sub", scene.path("linked-dir")).expect("make a link");
    for name in ["link.db", "linked-dir/a.db"] {
        assert_meet(&scene, &["sub/a.db"], &[name], true);
    }
}

/// Windows tells neither the case of letters apart nor the two kinds of slashes.
#[test]
#[cfg(windows)]
fn what_windows_takes_for_one_path_is_one_resource() {
    let scene = Scene::new();
    scene.file("sub/a.db", "");
    let verbatim = format!(r"\\?\{}", scene.path("sub").join("a.db").display());
    for name in [r"sub\a.db", r".\SUB\A.DB", "Sub/a.Db", &verbatim] {
        assert_meet(&scene, &["sub/a.db"], &[name], true);
    }
}

#[test]
fn the_side_files_of_a_database_mean_the_database_and_dbguard_says_so() {
    let scene = Scene::new();
    scene.file("a.db", "SQLite format 3\0");
    scene.file("d.duckdb", "");
    scene.file("chroma/chroma.sqlite3", "SQLite format 3\0");
    scene.file("lmdb/data.mdb", "");
    scene.file("lmdb/lock.mdb", "");
    let table = [
        ("a.db", "a.db-wal"),
        ("a.db", "a.db-shm"),
        ("a.db", "a.db-journal"),
        ("d.duckdb", "d.duckdb.wal"),
        ("chroma/chroma.sqlite3", "chroma"),
        ("lmdb", "lmdb/data.mdb"),
        ("lmdb", "lmdb/lock.mdb"),
    ];
    for (database, alias) in table {
        scene.file("lmdb/marker", "");
        assert_meet(&scene, &[database], &[alias], true);
        let said = scene.dbguard(["exec", alias, "--", "true"]).run().expect(0);
        let name = database.rsplit('/').next().expect("a name");
        said.says(name);
    }
}

#[test]
fn a_directory_is_a_resource_and_its_state_lies_beside_it() {
    let scene = Scene::new();
    fs::create_dir(scene.path("rocks")).expect("mkdir");
    assert_meet(&scene, &["rocks"], &["rocks/"], true);
    assert!(scene.state("rocks", "lock").exists(), "{}", scene.describe());
    assert!(names(&scene.path("rocks")).is_empty(), "nothing inside: {}", scene.describe());
}

#[test]
fn a_name_without_a_file_is_a_mutex_and_no_file_is_made() {
    let scene = Scene::new();
    assert_meet(&scene, &["nightly"], &["nightly"], true);
    assert!(!scene.path("nightly").exists());
    assert!(scene.read(".dbguard/.gitignore").contains('*'));
}

#[test]
fn a_similar_name_beside_a_missing_file_earns_a_warning() {
    let scene = Scene::new();
    scene.file("analytics.db", "");
    scene.dbguard(["exec", "analytcs.db", "--", "true"]).run().expect(0).says("analytics.db");
    scene.dbguard(["exec", "-q", "analytcs.db", "--", "true"]).run().expect(0).silent();
    scene.dbguard(["exec", "quite-another", "--", "true"]).run().expect(0).silent();
}

#[test]
fn keys_exclude_themselves_and_the_whole_database() {
    let scene = Scene::new();
    let key = ["--key", "k", "a.db"];
    assert_meet(&scene, &key, &["--key", "k", "a.db"], true);
    assert_meet(&scene, &key, &["--key", "l", "a.db"], false);
    assert_meet(&scene, &key, &["-s", "--key", "k", "a.db"], true);
    assert_meet(&scene, &key, &["a.db"], true);
    assert_meet(&scene, &key, &["-s", "a.db"], false);
    assert_meet(&scene, &["a.db"], &key, true);
    assert_meet(&scene, &["-s", "a.db"], &key, false);
    assert_meet(&scene, &["-s", "--key", "k", "a.db"], &["-s", "--key", "k", "a.db"], false);
}

#[rustfmt::skip]
const HOSTILE_KEYS: [&str; 19] = [
    "../../x", "..", ".", "/", "/etc/passwd", "a/b", "a%2fb", "a%2Fb", "A", "a", "%", " ", "-",
    "-k", "\n", "\u{e4}\u{f6}", "K%", "lock", "queue",
];

/// D8: a key is any text. None of it becomes a path, and two keys never become one name.
#[test]
fn d8_hostile_keys_stay_inside_and_apart() {
    let scene = Scene::new();
    let (long, longer) = ("x".repeat(300), "x".repeat(301));
    let keys = HOSTILE_KEYS.into_iter().chain([long.as_str(), &longer]);
    for key in keys {
        let option = format!("--key={key}");
        scene.dbguard(["exec", &option, "a.db", "--", "true"]).run().expect(0);
    }
    let folders = names(&scene.state("a.db", "keys"));
    assert_eq!(folders.len(), HOSTILE_KEYS.len() + 2, "{folders:?}");
    for folder in &folders {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let tidy = folder.bytes().all(|byte| plain(byte) || b"_-.%~ABCDEF".contains(&byte));
        assert!(tidy && folder.len() <= 140 && !folder.starts_with('.'), "{folder}");
    }
    assert_eq!(names(&scene.path("")), [".dbguard".to_owned()].into(), "{}", scene.describe());
    scene.dbguard(["exec", "--key=", "a.db", "--", "true"]).run().expect(64);
}

#[test]
fn hostile_file_names_stay_inside_the_state_directory() {
    let scene = Scene::new();
    let names_of_all = ["a b.db", "%2e%2e", "A.db", "\u{fc}.db", "-rf", ".hidden.db"];
    // Windows has no such name for a file.
    let of_unix = cfg!(unix).then_some("new\nline.db");
    for name in names_of_all.into_iter().chain(of_unix) {
        let path = format!("./{name}");
        scene.dbguard(["exec", &path, "--", "true"]).run().expect(0);
        assert_meet(&scene, &[&path], &[&path], true);
    }
    assert_eq!(names(&scene.path("")), [".dbguard".to_owned()].into(), "{}", scene.describe());
}

/// A file name is bytes, not text.
#[test]
#[cfg(target_os = "linux")]
fn a_name_that_is_not_text_is_a_resource_like_any_other() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let scene = Scene::new();
    let words = |name| [OsStr::new("exec"), OsStr::new("-n"), name, "--".as_ref(), "true".as_ref()];
    let (one, other) = (OsStr::from_bytes(b"\xff.db"), OsStr::from_bytes(b"\xfe.db"));
    let holder = scene.hold([one]);
    scene.dbguard(words(one)).run().expect(75);
    scene.dbguard(words(other)).run().expect(0);
    holder.end().expect(0);
}

/// S9: two databases of one name under one `--lock-dir` are two resources.
#[test]
fn s9_two_databases_of_one_name_do_not_meet_under_one_lock_dir() {
    let scene = Scene::new();
    for name in ["a/x.db", "b/x.db", "locks/keep"] {
        scene.file(name, "");
    }
    let options = ["--lock-dir", "locks"];
    assert_meet(
        &scene,
        &[options[0], options[1], "a/x.db"],
        &[options[0], options[1], "b/x.db"],
        false,
    );
    assert_meet(
        &scene,
        &[options[0], options[1], "a/x.db"],
        &[options[0], options[1], "a/x.db"],
        true,
    );
    let run = scene.dbguard(["exec", "a/x.db", "--", "true"]).env("DBGUARD_LOCK_DIR", "locks");
    run.run().expect(0);
    assert!(!scene.path("a/.dbguard").exists(), "{}", scene.describe());
}

/// S9: users with and without `--lock-dir` would not exclude each other; whoever comes with it
/// while the state beside the file is in use is refused.
#[test]
fn s9_a_lock_dir_is_refused_while_the_state_beside_the_file_is_in_use() {
    let scene = Scene::new();
    scene.file("locks/keep", "");
    let holder = scene.hold(["a.db"]);
    let with = || scene.dbguard(["exec", "--lock-dir", "locks", "a.db", "--", "true"]).run();
    with().expect(78).says(".dbguard");
    holder.end().expect(0);
    with().expect(0);
}

/// `--lock-file`: scripts move over one at a time while others still flock the old file.
#[test]
fn a_foreign_lock_file_is_shared_with_those_who_still_flock_it() {
    let scene = Scene::new();
    let lock = scene.file("job.lock", "");
    let file = File::open(&lock).expect("open");
    file.lock().expect("hold");
    let with = || scene.dbguard(["exec", "-n", "--lock-file", "job.lock", "a.db", "--", "true"]);
    with().run().expect(75);
    drop(file);
    with().run().expect(0);
    assert_eq!(scene.read("job.lock"), "", "it is never written");
}

#[test]
fn a_database_is_refused_as_a_lock_file() {
    let scene = Scene::new();
    scene.file("a.db", "SQLite format 3\0");
    let run = scene.dbguard(["exec", "--lock-file", "a.db", "x", "--", "true"]).run();
    run.expect_any(&[64, 65, 78]).says("a.db");
}

#[test]
fn path_prints_the_lock_file_and_makes_it_unless_told_not_to() {
    let scene = Scene::new();
    scene.dbguard(["path", "--no-create", "a.db"]).run().expect(0);
    assert!(!scene.path(".dbguard").exists(), "{}", scene.describe());
    let lock = scene.state("a.db", "lock");
    let lock = lock.to_str().expect("text");
    scene.dbguard(["path", "a.db"]).run().expect(0).answers(lock).silent();
    assert!(scene.state("a.db", "lock").exists());
}
