//! `--status-file`: it destroys nothing and is there on every way out. And other paths that an
//! option must not name.

use std::fs;

use crate::scene::{Run, Scene};

fn with(scene: &Scene, path: &str, words: &[&str]) -> Run {
    scene.dbguard(["exec", "--status-file", path]).words(words)
}

/// `--status-file a.db a.db` replaced the database with a few bytes of JSON.
#[test]
fn a_status_file_never_takes_the_place_of_a_database_or_its_parts() {
    let scene = Scene::new();
    scene.file("a.db", "rows");
    scene.file("a.db-wal", "rows");
    fs::hard_link(scene.path("a.db"), scene.path("hard")).expect("hard link");
    scene.make_state("a.db");
    let refused = [
        "a.db",
        "./a.db",
        "hard",
        "a.db-wal",
        "a.db-shm",
        "a.db-journal",
        "a.db.wal",
        ".dbguard/a.db/lock",
        ".dbguard/new",
    ];
    for path in refused {
        with(&scene, path, &["a.db", "--", "touch", "ran"]).run().expect(64).says(path);
    }
    assert!(!scene.path("ran").exists());
    assert_eq!((scene.read("a.db"), scene.read("a.db-wal")), ("rows".into(), "rows".into()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_status_file_through_a_link_is_written_where_the_link_points() {
    use std::os::unix::fs::symlink;

    let scene = Scene::new();
    scene.file("a.db", "rows");
    symlink("a.db", scene.path("database")).expect("symlink");
    with(&scene, "database", &["a.db", "--", "true"]).run().expect(64).says("database");
    assert_eq!(scene.read("a.db"), "rows");
    scene.file("there", "old");
    symlink("there", scene.path("link")).expect("symlink");
    with(&scene, "link", &["a.db", "--", "true"]).run().expect(0);
    assert!(fs::symlink_metadata(scene.path("link")).expect("a link").is_symlink());
    assert!(scene.read("there").contains("\"acquired\":true"), "{}", scene.read("there"));
}

/// As root, a rename replaced the device.
#[test]
#[cfg(target_os = "linux")]
fn a_device_or_a_pipe_is_written_to_and_stays() {
    let scene = Scene::new();
    let run = with(&scene, "/dev/stdout", &["a.db", "--", "echo", "hello"]).run().expect(0);
    assert!(run.stdout.starts_with("hello\n{") && run.stdout.contains("schema"), "{}", run.stdout);
    let script = "mkfifo pipe; exec 8<>pipe; \"$DBGUARD\" exec --status-file pipe a.db -- true; \
                  read line <&8; echo \"$line\"; test -p pipe";
    let run = scene.shell(script).run().expect(0);
    assert!(run.stdout.contains("schema"), "{}", run.stdout);
}

#[test]
fn a_status_file_without_a_directory_is_66_before_anything_is_locked() {
    let scene = Scene::new();
    let run = with(&scene, "no/status", &["a.db", "--", "touch", "ran"]).run();
    run.expect(66).says("no/status");
    assert!(!scene.path("ran").exists() && !scene.path(".dbguard").exists());
}

/// Demands what is written where a command was not found, before the lock was taken or after.
#[track_caller]
fn assert_not_found(scene: &Scene, command: &str, acquired: bool) {
    with(scene, "status", &["a.db", "--", command]).run().expect(127).says("hint:");
    let status: serde_json::Value = serde_json::from_str(&scene.read("status")).expect("JSON");
    assert_eq!(status["outcome"], "not_found", "{status}");
    assert_eq!(status["exit_code"], 127, "{status}");
    assert_eq!(status["acquired"], acquired, "{status}");
}

#[test]
fn the_status_file_is_written_where_the_command_never_ran() {
    assert_not_found(&Scene::new(), "no-such-command", false);
}

#[test]
#[cfg(target_os = "linux")]
fn the_status_file_is_written_where_the_interpreter_is_missing() {
    let scene = Scene::new();
    scene.file("broken", "#!/no/such/interpreter\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(scene.path("broken"), mode).expect("chmod");
    assert_not_found(&scene, "./broken", true);
}

#[test]
fn a_lock_file_that_is_a_database_or_no_file_is_refused() {
    let scene = Scene::new();
    for name in ["a.db", "a.db-wal", "a.db-shm", "b.db", "b.db-journal", "b.db.wal"] {
        scene.file(name, "");
    }
    fs::create_dir(scene.path("folder")).expect("mkdir");
    scene.make_state("a.db");
    let refused = [
        "a.db",
        "a.db-wal",
        "a.db-shm",
        "a.db-journal",
        "b.db-journal",
        "b.db.wal",
        ".dbguard/a.db/lock",
        "folder",
        "/dev/null",
    ];
    for path in refused {
        let run = scene.dbguard(["exec", "--lock-file", path, "a.db", "--", "true"]).run();
        run.expect(64).says(path);
    }
    scene.dbguard(["exec", "--lock-file", "job.lock", "a.db", "--", "true"]).run().expect(0);
}

/// `-u --fd N FILE` let go of whatever the descriptor was open on.
#[test]
#[cfg(target_os = "linux")]
fn unlocking_a_descriptor_of_another_file_is_refused() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let script = "exec 9<>\"$(\"$DBGUARD\" path b.db)\"; \"$DBGUARD\" exec --fd 9 b.db || exit; \
                  \"$DBGUARD\" exec -u --fd 9 a.db; test $? = 74 || exit 1; \
                  \"$DBGUARD\" exec -n b.db -- true; test $? = 75 || exit 2; \
                  \"$DBGUARD\" exec -u --fd 9 b.db || exit 3; \"$DBGUARD\" exec -n b.db -- true";
    scene.shell(script).run().expect(0).says("reopen");
}
