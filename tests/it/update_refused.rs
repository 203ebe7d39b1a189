//! Files that `dbguard update` does not take, and what it says of permissions.

use std::fs;

use crate::scene::{Run, Scene, wine_lacks};
use crate::update::leftovers;
#[cfg(target_os = "linux")]
use {
    crate::scene::{have, is_root, skip},
    std::fs::Permissions,
    std::os::unix::fs::{MetadataExt, PermissionsExt},
};

fn update(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["update"]).words(words)
}

/// Runs an update that must not run its command, in words and as JSON.
#[track_caller]
fn refused(scene: &Scene, words: &[&str], code: i32, says: &[&str]) {
    let run = |more: &[&str]| update(scene, more).words(words).words(["--", "touch", "ran"]).run();
    let mut ended = run(&[]).expect(code).answers("");
    for text in says {
        ended = ended.says(text);
    }
    assert!(ended.stderr.contains("hint: "), "{}", ended.describe());
    assert_eq!(run(&["--json"]).expect(code).error_document()["exit_code"], code);
    assert!(!scene.path("ran").exists(), "{}", ended.describe());
    assert!(leftovers(&scene.path("")).is_empty(), "{}", ended.describe());
}

#[test]
fn what_has_no_content_to_replace_is_refused() {
    let scene = Scene::new();
    fs::create_dir(scene.path("folder")).expect("mkdir");
    refused(&scene, &["folder"], 64, &["folder is a directory"]);
    #[cfg(target_os = "linux")]
    {
        refused(&scene, &["/dev/null"], 64, &["/dev/null is no regular file"]);
        scene.run("mkfifo", ["pipe"]).run().expect(0);
        refused(&scene, &["pipe"], 64, &["pipe is no regular file"]);
    }
    refused(&scene, &["missing"], 66, &["there is no missing", "--create"]);
    let such = if cfg!(windows) { r"no\such" } else { "no/such" };
    refused(&scene, &["no/such/file"], 66, &[such]);
    refused(&scene, &["--create", "no/such/file"], 66, &[such]);
    assert!(!scene.path(".dbguard").exists(), "{}", scene.describe());
    scene.file("state.json", "{}");
    refused(&scene, &["stat.json"], 66, &["there is state.json"]);
    let lock = scene.state("state.json", "lock");
    scene.make_state("state.json");
    refused(&scene, &[lock.to_str().expect("a plain path")], 64, &["dbguard's own state"]);
}

/// A rename gives one name a new file; the other names would keep the old one.
#[test]
fn a_file_with_several_names_is_refused() {
    let scene = Scene::new();
    scene.file("a", "old\n");
    fs::hard_link(scene.path("a"), scene.path("b")).expect("a hard link");
    for name in ["a", "b"] {
        refused(&scene, &[name], 64, &["has 2 names (hard links)", "keep the old content"]);
    }
    fs::remove_file(scene.path("b")).expect("it is ours");
    update(&scene, &["a", "--", "printf", "new\\n"]).run().expect(0).silent();
}

#[test]
fn a_database_is_refused_by_its_content() {
    let scene = Scene::new();
    scene.dbguard(["sql", "--create", "a.txt", "create table t (x)"]).run().expect(0);
    let before = fs::read(scene.path("a.txt")).expect("it is there");
    refused(&scene, &["a.txt"], 64, &["a.txt is a sqlite database", "dbguard sql a.txt"]);
    for suffix in ["-wal", "-journal", "-shm"] {
        let part = format!("a.txt{suffix}");
        scene.file(&part, "");
        refused(&scene, &[&part], 64, &["part of a sqlite database, a.txt"]);
        fs::remove_file(scene.path(&part)).expect("it is ours");
    }
    let mut duckdb = vec![0; 8192];
    duckdb[8..12].copy_from_slice(b"DUCK");
    scene.file("b.txt", duckdb);
    refused(&scene, &["b.txt"], 64, &["b.txt is a duckdb database", "dbguard sql b.txt"]);
    refused(&scene, &["--batch", "a.txt", "b.txt"], 64, &["database"]);
    scene.file("redb/x", b"redb\x1a\x0a\xa9\x0d\x0a rest");
    refused(&scene, &["redb/x"], 64, &["dbguard exec"]);
    assert_eq!(fs::read(scene.path("a.txt")).expect("it is there"), before);
    // What only looks like a part of one is a file like any other.
    scene.file("notes", "text");
    scene.file("notes-wal", "old\n");
    update(&scene, &["-q", "notes-wal", "--", "printf", "new\\n"]).run().expect(0);
    assert_eq!((scene.read("notes"), scene.read("notes-wal")), ("text".into(), "new\n".into()));
}

#[test]
fn a_file_is_named_once_in_a_batch() {
    let scene = Scene::new();
    scene.file("a", "old\n");
    refused(&scene, &["--batch", "a", "./a"], 64, &["a is named twice"]);
    #[cfg(target_os = "linux")]
    {
        std::os::unix::fs::symlink("a", scene.path("link")).expect("a link");
        refused(&scene, &["--batch", "link", "a"], 64, &["a is named twice"]);
    }
    if cfg!(windows) {
        refused(&scene, &["--batch", "a", "A"], 64, &["is named twice"]);
    }
    refused(&scene, &["--batch", "a", "missing"], 66, &["there is no missing"]);
    let script = "echo new | tee \"$0\" >\"$1\"";
    let words = ["--batch", "--create", "a", "made", "--", "sh", "-c", script];
    update(&scene, &words).run().expect(0).silent();
    assert_eq!((scene.read("a"), scene.read("made")), ("new\n".into(), "new\n".into()));
}

/// A command has to leave a file of its own where it found a copy.
#[test]
fn a_batch_that_leaves_no_copy_replaces_nothing() {
    if wine_lacks("a name that is free as soon as an open file is removed") {
        return;
    }
    let scene = Scene::new();
    for file in ["a", "b"] {
        scene.file(file, "old\n");
    }
    let cases = [
        ("echo new >\"$0\"; rm \"$1\"", "left nothing as copy of b"),
        ("echo new >\"$0\"; ln -f \"$0\" \"$1\"", "no file of its own"),
        ("rm \"$0\"; mkdir \"$0\"", "left no file of its own as copy of a"),
        ("echo new >\"$0\"; ln -sf /etc/passwd \"$1\"", "no file of its own"),
        ("rm \"$0\"; mkfifo \"$0\"", "left no file of its own as copy of a"),
    ];
    // What is not everywhere comes last.
    let count = if cfg!(windows) { 3 } else { 5 };
    for (script, says) in &cases[..count] {
        let ended = update(&scene, &["--batch", "a", "b", "--", "sh", "-c", script]).run();
        let ended = ended.expect(74).says(says);
        assert_eq!((scene.read("a"), scene.read("b")), ("old\n".into(), "old\n".into()));
        assert!(leftovers(&scene.path("")).is_empty(), "{}", ended.describe());
    }
}

/// Makes a directory that others may write to, with a file of root's.
#[cfg(target_os = "linux")]
fn shared(scene: &Scene, directory_mode: u32, mode: u32, group: u32) {
    scene.file("data/a", "old\n");
    fs::create_dir_all(scene.path("locks")).expect("mkdir");
    for (path, mode) in [("data", directory_mode), ("locks", 0o777), ("data/a", mode)] {
        fs::set_permissions(scene.path(path), Permissions::from_mode(mode)).expect("chmod");
    }
    if is_root() {
        std::os::unix::fs::chown(scene.path("data/a"), Some(0), Some(group)).expect("chown");
        fs::set_permissions(scene.path("data/a"), Permissions::from_mode(mode)).expect("chmod");
    }
}

/// As an ordinary user, with the lock elsewhere.
#[cfg(target_os = "linux")]
fn ordinary(scene: &Scene, words: &[&str]) -> crate::process::Ended {
    update(scene, &["--lock-dir", "locks"]).words(words).ordinary().run()
}

/// What may not be written to is not replaced, though the directory would allow it.
#[test]
#[cfg(target_os = "linux")]
fn permissions_of_file_and_directory_are_told() {
    for mode in [0o444, 0o200] {
        let scene = Scene::new();
        shared(&scene, 0o777, mode, 0);
        let ended = ordinary(&scene, &["data/a", "--", "printf", "new\\n"]).expect(77);
        ended.says("data/a").says("hint: ");
        fs::set_permissions(scene.path("data/a"), Permissions::from_mode(0o644)).expect("chmod");
        assert_eq!(scene.read("data/a"), "old\n");
    }
    let scene = Scene::new();
    shared(&scene, 0o555, 0o666, 0);
    let ended = ordinary(&scene, &["data/a", "--", "printf", "new\\n"]).expect(77);
    ended.says("cannot make a temporary file beside data/a").says("has to be writable");
    let ended = ordinary(&scene, &["--create", "data/b", "--", "printf", "new\\n"]).expect(77);
    ended.says("beside data/b");
    assert_eq!(scene.read("data/a"), "old\n");
}

/// Who cannot keep the owner or the group says so, and no permission grows by it.
#[test]
#[cfg(target_os = "linux")]
fn what_an_ordinary_user_cannot_keep_is_told() {
    if !is_root() {
        return skip("needs a file of another user");
    }
    for (mode, group, kept, says) in [
        (0o664, 65534, 0o664, "only root can keep its owner"),
        (0o4666, 65534, 0o666, "only root can keep its owner"),
        (0o646, 0, 0o666, "only root can keep its owner and group"),
        (0o2676, 0, 0o666, "only root can keep its owner and group"),
    ] {
        let scene = Scene::new();
        shared(&scene, 0o777, mode, group);
        let ended = ordinary(&scene, &["data/a", "--", "printf", "new\\n"]).expect(0).says(says);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.describe());
        let now = fs::metadata(scene.path("data/a")).expect("it is there");
        assert_eq!((now.mode() & 0o7777, now.uid(), now.gid()), (kept, 65534, 65534));
        assert_eq!(scene.read("data/a"), "new\n");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_rename_that_is_forbidden_is_explained() {
    if !is_root() {
        return skip("needs a file of another user");
    }
    let scene = Scene::new();
    shared(&scene, 0o1777, 0o666, 0);
    let ended = ordinary(&scene, &["data/a", "--", "printf", "new\\n"]).expect(77);
    let ended = ended.says("cannot replace data/a").says("sticky");
    assert!(leftovers(&scene.path("data")).is_empty(), "{}", ended.describe());
    assert_eq!(scene.read("data/a"), "old\n");
    // A directory that may be written to and not be read.
    shared(&scene, 0o733, 0o666, 0);
    let ended = ordinary(&scene, &["data/a", "--", "printf", "new\\n"]).expect(0);
    ended.says("its directory may not be read");
    assert_eq!(scene.read("data/a"), "new\n");
}

/// A file that is mounted by itself, as into a container, cannot be renamed onto.
#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_a_mount_point_is_explained() {
    if !is_root() || !have(&["unshare", "mount"]) {
        return skip("only root mounts");
    }
    let scene = Scene::new();
    scene.file("outside", "old\n");
    scene.file("a", "");
    let script = "mount --bind outside a || exit 99; exec \"$DBGUARD\" update a -- echo new";
    let ended = scene.run("unshare", ["-m", "sh", "-c", script]).run();
    if matches!(ended.code, Some(99)) || ended.stderr.contains("unshare failed") {
        return skip("this root may not mount");
    }
    ended.expect(74).says("cannot replace a").says("mounted by itself");
    assert_eq!(scene.read("outside"), "old\n");
    assert!(leftovers(&scene.path("")).is_empty(), "{}", scene.describe());
}
