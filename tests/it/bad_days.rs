//! Bad input and bad days: each gets a clear error or recovers, and nothing is lost.

use std::fs;
use std::path::Path;

use crate::scene::{Run, Scene, have_hooks, is_wine};
#[cfg(target_os = "linux")]
use {
    crate::scene::is_root,
    rustix::fs::{FlockOperation, flock},
    std::fs::{File, Permissions},
    std::os::unix::fs::PermissionsExt,
};

/// A run of `exec a.db` that writes `ran` when the command is started.
fn touches(scene: &Scene) -> Run {
    scene.dbguard(["exec", "-w", "20", "a.db", "--", "touch", "ran"])
}

#[test]
fn a_missing_directory_is_named() {
    let scene = Scene::new();
    let run = scene.dbguard(["exec", "no/such/a.db", "--", "true"]).run();
    run.expect(66).says(&Path::new("no").join("such").display().to_string());
    assert!(!scene.path("no").exists());
}

#[test]
fn a_name_that_cannot_be_a_file_is_refused() {
    let scene = Scene::new();
    scene.file("a.db", "");
    scene.dbguard(["exec", "", "--", "true"]).run().expect_any(&[64, 66]);
    scene.dbguard(["exec", "a.db/x", "--", "true"]).run().expect_any(&[66, 73, 74]).says("a.db");
    let long = format!("{}.db", "x".repeat(250));
    scene.dbguard(["exec", &long, "--", "true"]).run().expect(0);
    if is_wine() {
        // Which finds no file of such a name, and no fault with it.
        return;
    }
    let endless = "y".repeat(5_000);
    let run = scene.dbguard(["exec", &endless, "--", "true"]).run();
    run.expect_any(&[64, 66, 73, 74]);
}

/// S9: a read-only directory gets an error that names the way out, which works.
#[test]
#[cfg(target_os = "linux")]
fn s9_a_read_only_directory_names_lock_dir_and_that_works() {
    let scene = Scene::new();
    scene.file("data/a.db", "");
    fs::create_dir(scene.path("locks")).expect("mkdir");
    fs::set_permissions(scene.path("data"), Permissions::from_mode(0o555)).expect("chmod");
    fs::set_permissions(scene.path("locks"), Permissions::from_mode(0o777)).expect("chmod");
    let run = scene.dbguard(["exec", "data/a.db", "--", "true"]).ordinary().run();
    run.expect_any(&[73, 77]).says("--lock-dir");
    let run = scene.dbguard(["exec", "--lock-dir", "locks", "data/a.db", "--", "true"]);
    run.ordinary().run().expect(0);
}

/// A reader without write permission still holds: the bare kernel lock, with one warning.
#[test]
#[cfg(target_os = "linux")]
fn without_permission_to_write_claims_the_bare_lock_is_taken() {
    let scene = Scene::new();
    scene.make_state("a.db");
    for name in ["queue", "held", ""] {
        let folder = scene.state("a.db", name);
        fs::set_permissions(folder, Permissions::from_mode(0o555)).expect("chmod");
    }
    let run = || scene.dbguard(["exec", "-s", "-n", "a.db", "--", "true"]).ordinary().run();
    let ended = run().expect(0);
    assert!(ended.stderr.matches("warning").count() <= 1, "{}", ended.describe());
    let lock = File::open(scene.state("a.db", "lock")).expect("open");
    flock(&lock, FlockOperation::LockExclusive).expect("hold");
    run().expect(75);
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_file_that_may_not_be_read_is_a_clear_error() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let lock = scene.state("a.db", "lock");
    fs::set_permissions(&lock, Permissions::from_mode(0o000)).expect("chmod");
    let run = scene.dbguard(["exec", "a.db", "--", "true"]).ordinary().run();
    run.expect(77).says("lock");
}

/// L11: a full disk costs the claim, not the lock.
#[test]
fn l11_a_full_disk_means_the_bare_kernel_lock() {
    if !have_hooks() {
        return;
    }
    for reason in ["ENOSPC", "EACCES"] {
        let scene = Scene::new();
        let fail = format!("claim={reason}");
        let bare = || scene.dbguard(["exec"]).env("DBGUARD_TEST_FAIL_AT", &fail);
        let mut holder = bare().words(["a.db"]).contend();
        holder.until_holding();
        scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
        let late = bare().words(["-w", "0.3", "a.db", "--", "true"]).run();
        late.expect(124);
        let mut waiter = bare().words(["-w", "inf", "a.db"]).contend();
        let ended = holder.end().expect(0);
        assert_eq!(ended.stderr.matches("warning").count(), 1, "{}", ended.describe());
        waiter.until_holding();
        waiter.end().expect(0);
        scene.assert_free("a.db");
    }
}

/// A count that did not fit under `ulimit -f` ended dbguard with SIGXFSZ, after a command that had
/// done well. The command itself meets the limit as ever.
#[test]
#[cfg(target_os = "linux")]
fn a_limit_on_the_size_of_files_costs_the_count_and_nothing_else() {
    let scene = Scene::new();
    scene.make_state("a.db");
    fs::write(scene.state("a.db", "stats.log"), "-\n".repeat(4000)).expect("it is ours");
    let limited = |command: &str| {
        let script = format!("ulimit -f 4; exec \"$DBGUARD\" exec a.db -- {command}");
        scene.shell(&script).run()
    };
    limited("true").expect(0).silent();
    limited("sh -c 'exec head -c 100000 /dev/zero >big'").expect(153);
    limited("sh -c 'exit 7'").expect(7).silent();
    scene.assert_free("a.db");
}

/// Exclusion itself never degrades: where locks do not work, nothing is run.
#[test]
fn unsupported_locks_are_69_and_never_pretended() {
    if !have_hooks() {
        return;
    }
    for reason in ["ENOLCK", "EOPNOTSUPP"] {
        let scene = Scene::new();
        let run = touches(&scene).env("DBGUARD_TEST_FAIL_AT", format!("lock={reason}"));
        run.run().expect(69).says("a.db");
        assert!(!scene.path("ran").exists());
    }
}

#[test]
fn a_full_descriptor_table_is_71() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let run = touches(&scene).env("DBGUARD_TEST_FAIL_AT", "open=EMFILE");
    run.run().expect(71);
    assert!(!scene.path("ran").exists());
}

/// The real limit: a handful of descriptors is enough, one is not, and nothing in between hangs.
#[test]
#[cfg(target_os = "linux")]
fn any_limit_of_descriptors_runs_or_fails_cleanly() {
    let scene = Scene::new();
    for limit in 3..16 {
        let script = format!("ulimit -n {limit}; exec \"$DBGUARD\" exec a.db -- true");
        let ended = scene.shell(&script).run();
        let started = ended.code == Some(0) || ended.code.is_some_and(|code| code >= 69);
        assert!(started && ended.signal.is_none(), "{limit}: {}", ended.describe());
    }
    scene.assert_free("a.db");
}

/// A fence that cannot be written costs the token, with a warning, not the run.
#[test]
fn a_fence_that_cannot_be_written_does_not_break_exclusion() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let run = touches(&scene).env("DBGUARD_TEST_FAIL_AT", "fence=ENOSPC").run();
    run.expect_any(&[0, 74]).says("fence");
    scene.assert_free("a.db");
}

#[test]
fn a_state_directory_that_cannot_be_made_is_reported() {
    if !have_hooks() {
        return;
    }
    for (reason, codes) in [("ENOSPC", [73, 73]), ("EROFS", [73, 77]), ("EACCES", [73, 77])] {
        let scene = Scene::new();
        let run = touches(&scene).env("DBGUARD_TEST_FAIL_AT", format!("state-dir={reason}"));
        run.run().expect_any(&codes).says(".dbguard");
        assert!(!scene.path("ran").exists());
    }
}

/// Renaming the database file while it is held changes nothing for who holds it.
#[test]
fn a_database_renamed_while_held_keeps_its_lock_to_the_end() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let holder = scene.hold(["a.db"]);
    fs::rename(scene.path("a.db"), scene.path("b.db")).expect("rename");
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    holder.end().expect(0);
}

/// The same as root and as an ordinary user who comes later: root leaves nothing that locks out.
#[test]
#[cfg(target_os = "linux")]
fn root_and_an_ordinary_user_share_a_lock() {
    let scene = Scene::new();
    fs::set_permissions(scene.path(""), Permissions::from_mode(0o777)).expect("chmod");
    let database = scene.file("a.db", "");
    if is_root() {
        std::os::unix::fs::chown(&database, Some(65_534), Some(65_534)).expect("give it away");
    }
    let mut first = scene.dbguard(["exec", "a.db"]).ordinary().contend();
    // The file that says it runs lies outside the scene's open directory: wait by the lock.
    first.process.until("the ordinary user holds", || !scene.held("a.db").is_empty());
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    first.process.close_input();
    first.process.wait();
    scene.assert_free("a.db");
    let run = scene.dbguard(["exec", "-n", "a.db", "--", "true"]).ordinary().run();
    run.expect(0);
}

/// A working directory that is gone, and an environment with nothing in it.
#[test]
#[cfg(target_os = "linux")]
fn a_bare_environment_is_enough() {
    let scene = Scene::new();
    let path = scene.path("a.db");
    let script = format!(
        "mkdir gone; cd gone; rmdir ../gone; exec env -i \"$DBGUARD\" exec \
                          '{}' -- /bin/sh -c 'exit 3'",
        path.display()
    );
    scene.shell(&script).run().expect(3);
    assert!(Path::new(&scene.state("a.db", "lock")).exists());
}

/// Closed standard descriptors: ours must not take their numbers and be written into.
#[test]
#[cfg(target_os = "linux")]
fn closed_standard_descriptors_do_no_harm() {
    let scene = Scene::new();
    for closed in ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"] {
        let script = format!("exec \"$DBGUARD\" exec -v a.db -- sh -c 'exit 3' {closed}");
        scene.shell(&script).run().expect(3);
        let lock = fs::metadata(scene.state("a.db", "lock")).expect("the lock");
        assert_eq!(lock.len(), 0, "{closed}: somebody wrote into the lock");
    }
    scene.assert_free("a.db");
}

#[test]
fn a_bad_variable_is_78_and_named() {
    let scene = Scene::new();
    for (name, value) in [
        ("DBGUARD_TIMEOUT", "soon"),
        ("DBGUARD_NATIVE", "perhaps"),
        ("DBGUARD_MAX_HOLD", "-1"),
        ("DBGUARD_COLOR", "mauve"),
        ("DBGUARD_LOG_FORMAT", "xml"),
    ] {
        let run = scene.dbguard(["exec", "a.db", "--", "true"]).env(name, value).run();
        run.expect(78).says(name);
    }
}
