//! Defects of `dbguard update` that were found and mended, each with its story, and how `dbguard fix`
//! deals with what a killed update leaves.

use std::fs::{self, File};

use crate::process::{Ended, until};
use crate::scene::{Run, Scene, have_hooks};
use crate::sql_crew::document;
use crate::update::leftovers;
#[cfg(target_os = "linux")]
use {
    crate::scene::{is_root, skip},
    std::fs::Permissions,
    std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
};

fn update(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["update", "-w", "50"]).words(words)
}

fn fix(scene: &Scene) -> Ended {
    scene.dbguard(["fix"]).run()
}

fn scene() -> Scene {
    let scene = Scene::new();
    for file in ["a.json", "d/a.json"] {
        scene.file(file, "old\n");
    }
    scene
}

/// In both ways: the words of an update that replaces `old` in the file.
const WAYS: [&[&str]; 2] = [
    &["a.json", "--", "tr", "old", "new"],
    &["--batch", "a.json", "--", "sh", "-c", "tr old new <\"$0\" >fresh; mv fresh \"$0\""],
];

/// A copy had a name of its own, and tools that go by the name of a file did not know it again; what
/// they made beside it stayed.
#[test]
fn copies_are_called_like_the_files() {
    let scene = scene();
    let script = "for copy; do name=${copy##*/}; echo ${name##*\\\\} >>names; \
                  echo new >\"$copy\"; done; : >\"$1.bak\"";
    let words = ["--batch", "a.json", "d/a.json", "--", "sh", "-c", script, "sh"];
    update(&scene, &words).run().expect(0).silent();
    assert_eq!(scene.read("names"), "a.json\na.json\n");
    assert_eq!((scene.read("a.json"), scene.read("d/a.json")), ("new\n".into(), "new\n".into()));
    for directory in ["", "d"] {
        assert!(leftovers(&scene.path(directory)).is_empty(), "{}", scene.describe());
    }
}

/// Between the look at the copy and its opening, the owner of the directory put a link there: root
/// gave him the file it led to.
#[test]
#[cfg(target_os = "linux")]
fn a_link_in_the_place_of_a_copy_gives_nothing_away() {
    if !have_hooks() {
        return;
    }
    let scene = scene();
    let secret = scene.file("secret", "secret\n");
    if is_root() {
        chown(scene.path("a.json"), Some(1234), Some(1234)).expect("chown");
    }
    let before = fs::metadata(&secret).expect("it is there");
    let run = update(&scene, &["--batch", "a.json", "--", "true"]);
    let mut run = run.env("DBGUARD_TEST_STOP_AT", "update-found").spawn();
    run.until_stopped();
    let home = leftovers(&scene.path("")).pop().expect("the copy is there");
    let copy = scene.path(home).join("a.json");
    fs::remove_file(&copy).expect("it is ours");
    symlink(&secret, &copy).expect("a link");
    run.resume();
    run.wait().expect(74).says("no file of its own");
    let now = fs::metadata(&secret).expect("it is there");
    assert_eq!((now.uid(), now.ctime_nsec()), (before.uid(), before.ctime_nsec()));
    assert_eq!(scene.read("a.json"), "old\n");
    assert!(leftovers(&scene.path("")).is_empty(), "{}", scene.describe());
}

/// A killed update left a file for ever. As long as it runs nobody takes it away.
#[test]
fn what_a_killed_update_leaves_is_cleared() {
    if !have_hooks() {
        return;
    }
    for step in ["staged", "captured", "synced"] {
        for words in WAYS {
            println!("{step} {words:?}");
            let scene = scene();
            let mut run = update(&scene, words).env("DBGUARD_TEST_STOP_AT", step).spawn();
            run.until_stopped();
            fix(&scene).expect(0);
            assert_eq!(leftovers(&scene.path("")).len(), 1, "{}", scene.describe());
            run.kill();
            let would = scene.dbguard(["fix", "--dry-run"]).run().expect(1).stdout;
            assert!(would.contains("would remove .dbguard-update-"), "{would}");
            assert_eq!(leftovers(&scene.path("")).len(), 1, "{}", scene.describe());
            let document = document(&scene.dbguard(["fix", "--json"]).run().expect(0));
            let items = document["items"].as_array().expect("a list");
            let item = items.iter().find(|item| item["kind"] == "unfinished_file");
            assert_eq!(item.expect("it is told")["action"], "removed", "{document:#}");
            assert!(leftovers(&scene.path("")).is_empty(), "{}", scene.describe());
            assert_eq!(scene.read("a.json"), "old\n");
        }
    }
}

/// A command that outlives its dbguard, as on Unix, still has its copy.
#[test]
fn a_copy_stays_while_its_command_runs() {
    let scene = scene();
    let script = "echo \"$0\" >up; until [ -e go ]; do sleep 0.05; done; : >down";
    let mut run = update(&scene, &["--batch", "a.json", "--", "sh", "-c", script]).spawn();
    run.until("its command runs", || scene.read("up").ends_with('\n'));
    let is_there = || fs::exists(scene.read("up").trim()).expect("it can be looked at");
    fix(&scene).expect(0);
    assert!(is_there(), "{}", scene.describe());
    run.kill();
    if cfg!(target_os = "linux") {
        fix(&scene).expect(0);
        assert!(is_there(), "{}", scene.describe());
        scene.file("go", "");
    }
    until("it is cleared", || {
        drop(fix(&scene));
        leftovers(&scene.path("")).is_empty()
    });
    assert_eq!(scene.path("down").exists(), cfg!(target_os = "linux"), "{}", scene.describe());
}

/// `fix` came between the making of a directory and its lock.
#[test]
fn a_copy_that_is_cleared_too_early_is_made_anew() {
    if !have_hooks() {
        return;
    }
    let scene = scene();
    let mut run = update(&scene, WAYS[1]).env("DBGUARD_TEST_STOP_AT", "update-home").spawn();
    run.until_stopped();
    fix(&scene).expect(0);
    assert!(leftovers(&scene.path("")).is_empty(), "{}", scene.describe());
    run.resume();
    run.wait().expect(0).silent();
    assert_eq!(scene.read("a.json"), "new\n");
    assert!(leftovers(&scene.path("")).is_empty(), "{}", scene.describe());
}

/// What `--output` leaves is of the same kind; what is open, or only looks like it, is not touched.
#[test]
fn only_what_is_nobodys_is_cleared() {
    let scene = Scene::new();
    let (left, open) = (".dbguard-output-AbC123", ".dbguard-update-000000");
    let mine = [".dbguard-update-12345", ".dbguard-update-abc.ef", "x.dbguard-update-123456"];
    for name in [left, open].iter().chain(&mine) {
        scene.file(name, "");
    }
    scene.file(".dbguard-update-aaaaaa/deep/er", "");
    #[cfg(target_os = "linux")]
    symlink("x", scene.path(".dbguard-update-bbbbbb")).expect("a link");
    let writer = File::open(scene.path(open)).expect("it is ours");
    let ended = fix(&scene).expect(0);
    assert!(ended.stdout.contains("a command has left something"), "{}", ended.describe());
    assert!(!scene.path(left).exists());
    for name in mine.iter().chain(&[open, ".dbguard-update-aaaaaa/deep/er"]) {
        assert!(scene.path(name).exists(), "{name}");
    }
    #[cfg(target_os = "linux")]
    assert!(scene.path(".dbguard-update-bbbbbb").is_symlink());
    drop(writer);
    fix(&scene).expect(0);
    assert!(!scene.path(open).exists());
}

/// What another user is writing is nothing that could be proved, and no failure.
#[test]
#[cfg(target_os = "linux")]
fn what_others_write_is_left_to_them() {
    if !is_root() || !have_hooks() {
        return skip("needs two users and the hooks");
    }
    for words in WAYS {
        let scene = scene();
        fs::set_permissions(scene.path(""), Permissions::from_mode(0o777)).expect("chmod");
        let mut run = update(&scene, words).env("DBGUARD_TEST_STOP_AT", "captured").spawn();
        run.until_stopped();
        let ended = scene.dbguard(["fix"]).ordinary().run().expect(0);
        assert!(ended.stdout.contains("belongs to somebody else"), "{}", ended.describe());
        run.resume();
        run.wait().expect(0).silent();
    }
}
