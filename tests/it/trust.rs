//! What on disk may be trusted (S11): owners, modes, planted links and special files.

use std::fs;

use crate::scene::Scene;
#[cfg(target_os = "linux")]
use {
    crate::scene::{is_root, names, skip},
    rustix::fs::{CWD, FileType, Mode, mknodat},
    std::fs::Permissions,
    std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    std::path::Path,
};

/// Somebody who owns nothing here.
#[cfg(target_os = "linux")]
const STRANGER: u32 = 12_345;

/// S11: a `.dbguard` of somebody untrusted could be swapped under our feet; refused, and the
/// way out is named.
#[test]
#[cfg(target_os = "linux")]
fn s11_a_state_directory_of_an_untrusted_owner_is_refused() {
    if !is_root() {
        return skip("needs root, to give a directory to somebody else");
    }
    let scene = Scene::new();
    scene.make_state("a.db");
    for name in [".dbguard", ".dbguard/a.db"] {
        chown(scene.path(name), Some(STRANGER), None).expect("chown");
        let run = scene.dbguard(["exec", "a.db", "--", "true"]).run();
        run.expect(77).says("--lock-dir");
        chown(scene.path(name), Some(0), None).expect("chown back");
    }
    scene.assert_free("a.db");
}

/// S11: root's state is the database owner's, or the owner would be locked out by it.
#[test]
#[cfg(target_os = "linux")]
fn s11_state_made_by_root_belongs_to_the_databases_owner() {
    if !is_root() {
        return skip("needs root");
    }
    let scene = Scene::new();
    let database = scene.file("data/a.db", "");
    for path in [scene.path("data"), database] {
        chown(path, Some(65534), Some(65534)).expect("chown");
    }
    scene.dbguard(["exec", "data/a.db", "--", "true"]).run().expect(0);
    for name in ["", "lock", "queue", "held"] {
        let owner = fs::metadata(scene.state("data/a.db", name)).expect("made").uid();
        assert_eq!(owner, 65534, "{name}: {}", scene.describe());
    }
    scene.dbguard(["exec", "data/a.db", "--", "true"]).ordinary().run().expect(0);
}

/// S11: new state copies the mode of the directory, so whoever may use the database may queue.
#[test]
#[cfg(target_os = "linux")]
fn s11_new_state_copies_the_mode_of_the_directory() {
    let scene = Scene::new();
    scene.file("data/a.db", "");
    fs::set_permissions(scene.path("data"), Permissions::from_mode(0o770)).expect("chmod");
    scene.dbguard(["exec", "data/a.db", "--", "true"]).run().expect(0);
    let mode = fs::metadata(scene.path("data/.dbguard")).expect("made").mode() & 0o777;
    assert_eq!(mode, 0o770, "{}", scene.describe());
}

/// S11: nothing inside `.dbguard` is followed through a symbolic link.
#[test]
#[cfg(target_os = "linux")]
fn s11_planted_symlinks_are_not_followed() {
    for name in ["lock", "queue", "held", "fence", ""] {
        let scene = Scene::new();
        scene.make_state("a.db");
        let inside = scene.path(Path::new(".dbguard/a.db").join(name).components().as_path());
        let victim = scene.file("elsewhere/victim", "precious");
        if inside.is_dir() {
            fs::remove_dir_all(&inside).expect("make room");
            symlink(scene.path("elsewhere"), &inside).expect("plant");
        } else {
            // The fence need not exist yet.
            let _ = fs::remove_file(&inside);
            symlink(&victim, &inside).expect("plant");
        }
        let ended = scene.dbguard(["exec", "a.db", "--", "true"]).run();
        if name != "fence" && name != "queue" && name != "held" {
            ended.expect_any(&[73, 74, 77]).says("a.db");
        }
        assert_eq!(scene.read("elsewhere/victim"), "precious", "{name}");
        assert_eq!(names(&scene.path("elsewhere")).len(), 1, "{name}: {}", scene.describe());
    }
}

/// S11: `.dbguard` itself planted as a link.
#[test]
#[cfg(target_os = "linux")]
fn s11_a_state_directory_that_is_a_symlink_is_refused() {
    let scene = Scene::new();
    fs::create_dir(scene.path("elsewhere")).expect("mkdir");
    symlink("elsewhere", scene.path(".dbguard")).expect("plant");
    scene.dbguard(["exec", "a.db", "--", "true"]).run().expect_any(&[73, 74, 77]);
    assert!(names(&scene.path("elsewhere")).is_empty(), "{}", scene.describe());
}

/// S11: a FIFO for a lock file must not block the open, nor be locked.
#[test]
#[cfg(target_os = "linux")]
fn s11_a_fifo_for_a_lock_file_is_refused_at_once() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let lock = scene.state("a.db", "lock");
    fs::remove_file(&lock).expect("make room");
    mknodat(CWD, &lock, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("mkfifo");
    scene.dbguard(["exec", "a.db", "--", "true"]).run().expect_any(&[73, 74, 77]);
}

/// S11: a hard link planted under the fence's name would have us write into a stranger's file.
#[test]
fn s11_a_file_with_a_second_link_is_not_written() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let victim = scene.file("victim", "precious");
    for name in ["fence", "ticket", "stats.log"] {
        let inside = scene.state("a.db", name);
        // It need not exist yet.
        let _ = fs::remove_file(&inside);
        fs::hard_link(&victim, &inside).expect("plant");
    }
    let holder = scene.contend(["a.db"]);
    let ended = holder.end();
    assert_eq!(scene.read("victim"), "precious", "{}", ended.describe());
}
