//! What hands that know flock(1) type, and one test for each difference from it.

use std::fs::File;
use std::path::Path;

use crate::scene::Scene;
#[cfg(target_os = "linux")]
use crate::scene::have;

/// A holder of `a.db` and a run that meets it.
fn refused(words: &[&str], code: i32) {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    scene.dbguard(["exec"]).words(words).words(["a.db", "--", "true"]).run().expect(code);
    holder.end().expect(0);
}

#[test]
fn short_options_mean_what_they_mean_in_flock() {
    for words in [&["-n"][..], &["-x", "-n"], &["-s", "-n"], &["-e", "-n"], &["-w", "0"], &["-nx"]]
    {
        refused(words, 75);
    }
    for words in [&["-w", "0.1"][..], &["-w", ".1"], &["-w0.05"], &["-xw", "0.1"]] {
        refused(words, 124);
    }
    let scene = Scene::new();
    // Refused on Windows, with the reason.
    let fork = if cfg!(windows) { "-o" } else { "-F" };
    for words in [&["-o"][..], &[fork], &["-s"], &["-x"], &["-w", "1"], &["-n"], &["-sn"]] {
        scene.dbguard(["exec"]).words(words).words(["a.db", "--", "true"]).run().expect(0);
    }
}

#[test]
fn long_options_of_flock_are_understood() {
    for words in [&["--nonblock"][..], &["--nb"], &["--exclusive", "--timeout", "0"]] {
        refused(words, 75);
    }
    refused(&["--shared", "--wait", "0.1"], 124);
    refused(&["--conflict-exit-code", "9", "--nonblock"], 9);
}

#[test]
fn a_conflict_exit_code_replaces_both_75_and_124() {
    refused(&["-n", "-E", "1"], 1);
    refused(&["-w", "0.1", "-E", "1"], 1);
    refused(&["-n", "-E", "0"], 0);
    refused(&["-n", "-E", "255"], 255);
    refused(&["-n", "-E", "256"], 64);
}

#[test]
fn the_command_can_be_one_string_for_the_shell() {
    let scene = Scene::new();
    scene.dbguard(["exec", "a.db", "-c", "exit 7"]).run().expect(7);
    scene.dbguard(["exec", "-n", "a.db", "-c", "echo $0 $#"]).run().expect(0);
}

#[test]
#[cfg(target_os = "linux")]
fn close_does_not_hand_the_lock_to_the_commands_children() {
    let scene = Scene::new();
    let script = "exec 3<&0; sh -c 'echo up >daemon; read word <&3' & \
                  until test -s daemon; do :; done; kill -9 $$";
    let run = scene.dbguard(["exec", "-o", "a.db", "--", "sh", "-c", script]);
    let mut dbguard = run.spawn_fed();
    dbguard.wait().expect(137);
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(0);
    dbguard.close_input();
}

#[test]
#[cfg(target_os = "linux")]
fn a_descriptor_is_unlocked_with_u() {
    if !have(&["flock"]) {
        return;
    }
    let scene = Scene::new();
    let script = "lock=$(\"$DBGUARD\" path a.db); exec 9<>\"$lock\"; \
                  \"$DBGUARD\" exec --fd 9 a.db || exit 90; \
                  flock -n \"$lock\" true && exit 91; \
                  \"$DBGUARD\" exec -u --fd 9 a.db || exit 92; \
                  flock -n \"$lock\" true || exit 93";
    scene.shell(script).run().expect(0);
}

/// Difference: the command follows `--`; without it dbguard says what to type.
#[test]
fn difference_the_double_dash() {
    let scene = Scene::new();
    scene.dbguard(["exec", "a.db", "true"]).run().expect(64).says("dbguard exec a.db -- true");
    scene.dbguard(["exec", "-n", "a.db", "sh", "-c", "exit 3"]).run().expect(64).says(" -- ");
    scene.dbguard(["a.db"]).run().expect(64).says("dbguard exec a.db -- ");
    scene.dbguard(["exec", "a.db"]).run().expect(64).says("--");
}

/// Difference: a wait ends after 30 s unless `-w inf` says otherwise; flock waits for ever.
#[test]
fn difference_the_default_deadline() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let mut waiter = scene.queue_up("a.db", &[]);
    let process = &mut waiter.process;
    crate::process::until("the waiting line", || process.stderr().contains("gives up in"));
    let line = process.stderr();
    let left = line.split("gives up in ").nth(1).and_then(|rest| {
        rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse::<u32>().ok()
    });
    assert!(left.is_some_and(|seconds| (1..=30).contains(&seconds)), "{line}");
    let refused = scene.dbguard(["exec", "a.db", "--", "true"]).env("DBGUARD_TIMEOUT", "0.1").run();
    refused.expect(124);
    let other = scene.dbguard(["exec", "-w", "100ms", "a.db", "--", "true"]).run();
    other.expect(124);
    holder.end().expect(0);
    waiter.end().expect(0);
}

/// Difference: 75 and 124 instead of flock's 1 for both.
#[test]
fn difference_the_exit_codes() {
    refused(&["-n"], 75);
    refused(&["-w", "0.1"], 124);
}

/// Difference: flock is silent when it fails; dbguard says on standard error who is in the way.
#[test]
fn difference_messages_on_standard_error() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    holder.until_recorded(&scene, "a.db");
    let run = scene.dbguard(["exec", "-n", "a.db", "--", "printf", "x"]).run().expect(75);
    run.answers("").says("dbguard: a.db").says(&holder.command_pid().to_string());
    let quiet = scene.dbguard(["exec", "-q", "-n", "a.db", "--", "true"]).run().expect(75);
    assert_eq!(quiet.stderr.lines().count(), 1, "{}", quiet.describe());
    holder.end().expect(0);
}

/// Difference: the lock file is not the file itself but lies in `.dbguard` beside it, so that a
/// database engine never meets it; flock cooperates through `dbguard path`.
#[test]
fn difference_the_place_of_the_lock_file() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let holder = scene.hold(["a.db"]);
    let is_free = |path: &Path| File::open(path).expect("it is there").try_lock().is_ok();
    assert!(is_free(&scene.path("a.db")));
    let told = scene.dbguard(["path", "a.db"]).run().expect(0).stdout;
    let lock = Path::new(told.trim());
    assert!(!is_free(lock));
    holder.end().expect(0);
    assert!(is_free(lock));
    let mut other = scene.plain_flock(lock);
    scene.dbguard(["wait", "-w", "0", "a.db"]).run().expect(75);
    other.close_input();
    other.wait().expect(0);
    cooperates_with_flock(&scene);
}

#[cfg(windows)]
fn cooperates_with_flock(_scene: &Scene) {}

#[cfg(target_os = "linux")]
fn cooperates_with_flock(scene: &Scene) {
    if !have(&["flock"]) {
        return;
    }
    let holder = scene.hold(["a.db"]);
    scene.run("flock", ["-n", "a.db", "true"]).run().expect(0);
    let cooperates = "flock -n -E 9 \"$(\"$DBGUARD\" path a.db)\" true";
    scene.shell(cooperates).run().expect(9);
    holder.end().expect(0);
    scene.shell(cooperates).run().expect(0);
    let script = "flock \"$(\"$DBGUARD\" path a.db)\" \"$DBGUARD\" exec -n b.db -- \
                  \"$DBGUARD\" wait -w 0 a.db";
    scene.shell(script).run().expect(75);
}

/// Difference: first come, first served. Several readers in a row do not keep a writer out.
#[test]
fn difference_fairness() {
    let scene = Scene::new();
    let reader = scene.hold(["-s", "a.db"]);
    let writer = scene.queue_up("a.db", &[]);
    scene.dbguard(["exec", "-s", "-n", "a.db", "--", "true"]).run().expect(75);
    reader.end().expect(0);
    writer.end().expect(0);
}

/// Difference: a name is enough; the file need not exist and is not created, and side files and
/// links mean their database.
#[test]
fn difference_names() {
    let scene = Scene::new();
    scene.dbguard(["exec", "nightly", "--", "true"]).run().expect(0);
    assert!(!scene.path("nightly").exists());
    scene.file("a.db", "");
    let holder = scene.hold(["a.db"]);
    scene.dbguard(["exec", "-n", "a.db-wal", "--", "true"]).run().expect(75);
    holder.end().expect(0);
}

/// Difference: a daemon that a command leaves behind does not keep the lock.
#[test]
fn difference_daemons() {
    let scene = Scene::new();
    // It outlives this test only until its group is killed.
    let script = "sh -c 'echo $$ >daemon; sleep 600' & until test -s daemon; do :; done";
    let mut dbguard = scene.dbguard(["exec", "a.db", "--", "sh", "-c", script]).spawn();
    dbguard.wait().expect(0);
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(0);
    let daemon = scene.read("daemon").trim().parse().expect("a number");
    assert!(crate::process::lives(daemon));
    crate::process::signal_while(daemon, || true, crate::system::Signal::KILL);
}

/// A plain flock user who holds the lock has no claim; the kernel's table names it.
#[test]
#[cfg(target_os = "linux")]
fn a_plain_flock_holder_is_named() {
    if !have(&["flock"]) {
        return;
    }
    let scene = Scene::new();
    scene.make_state("a.db");
    let lock = scene.state("a.db", "lock");
    let script = "echo up >up; read word; exit 0";
    let mut plain = scene.run("flock", [lock.as_path()]).words(["sh", "-c", script]).spawn_fed();
    plain.until("it holds", || !scene.read("up").is_empty());
    let run = scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run();
    run.expect(75).says(&plain.pid().to_string());
    plain.close_input();
    plain.wait().expect(0);
}

/// `wait` asks only: 0 when the lock could be had, and nothing is held afterwards.
#[test]
fn wait_returns_when_the_lock_could_be_had() {
    let scene = Scene::new();
    scene.dbguard(["wait", "a.db"]).run().expect(0);
    let holder = scene.hold(["-s", "a.db"]);
    scene.dbguard(["wait", "-n", "a.db"]).run().expect(75);
    scene.dbguard(["wait", "-w", "0.1", "a.db"]).run().expect(124);
    scene.dbguard(["wait", "-s", "-n", "a.db"]).run().expect(0);
    let mut waiting = scene.dbguard(["wait", "-w", "inf", "a.db"]).spawn();
    scene.until_queue("a.db", 1);
    assert!(waiting.runs());
    holder.end().expect(0);
    waiting.wait().expect(0);
    scene.assert_free("a.db");
}
