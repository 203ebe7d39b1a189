//! Defects of `dbguard acquire` and `release` that were found and mended, each with its story.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::lease_crew::{Lease, start_of, try_lock};
#[cfg(target_os = "linux")]
use crate::process::process_state;
use crate::process::until;
use crate::scene::{Scene, have_hooks, is_root, skip};
use crate::system::Signal;

/// Whoever may write the claim could have had `release`, run by root, end any process.
#[test]
fn a_release_ends_no_process_that_only_the_claim_names() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let victim = scene.run("cat", [""; 0]).spawn_fed();
    let start = start_of(victim.pid()).expect("it lives");
    let name = scene.held("a.db").pop_first().expect("the claim");
    let claim = scene.state("a.db", "held").join(name);
    let mut claim = fs::File::options().append(true).open(claim).expect("open");
    let line = format!("{{\"child\":{},\"child_start\":{start}}}\n", victim.pid());
    claim.write_all(line.as_bytes()).expect("write");
    for words in [&["-w", "0.2"][..], &["--extend", "1h"]] {
        lease.release().words(words).run().expect(77).says("cannot see that process");
        assert!(victim.runs(), "it has nothing to do with the lock");
    }
    try_lock(&scene).run().expect(75);
}

#[test]
fn another_users_lock_is_not_ours_to_release() {
    if !is_root() {
        return skip("only root can be two users");
    }
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let refused = lease.release().ordinary().run();
    refused.expect(77).says("only the user who acquired the lock, and root, can release it");
    lease.release().run().expect(0);
}

/// It ends the lock by a signal to itself, which a shell can have had ignored.
#[test]
fn an_owner_that_ends_is_heard_of_whatever_signals_are_ignored() {
    let scene = Scene::new();
    let ignored = if cfg!(unix) { "trap '' USR1 USR2 HUP TERM; " } else { "" };
    let script = format!("{ignored}\"$DBGUARD\" acquire --for-pid $$ a.db");
    scene.shell(&script).run().expect(0);
    until("the lock is free", || try_lock(&scene).run().code == Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_stray_signal_is_not_taken_for_the_end_of_the_owner() {
    let scene = Scene::new();
    let owner = scene.run("cat", [""; 0]).spawn_fed();
    let pid = owner.pid().to_string();
    let lease = Lease::take(&scene, &["--for-pid", &pid, "--ttl", "1h", "a.db"]);
    lease.signal(Signal::USR2);
    // Signals are heard in the order of their numbers: this one is heard after the other.
    lease.release().words(["--extend", "1h"]).run().expect(0);
    lease.release().words(["--extend", "1h"]).run().expect(0);
    try_lock(&scene).run().expect(75);
    lease.release().run().expect(0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_stopped_keeper_is_woken_by_what_is_asked_of_it() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let stop = || {
        lease.signal(Signal::STOP);
        until("it is stopped", || process_state(lease.keeper) == Some('T'));
    };
    stop();
    lease.release().words(["--extend", "1h"]).run().expect(0);
    stop();
    lease.release().run().expect(0);
    scene.assert_free("a.db");
}

/// Its last line and our first one became one, and both variables were wrong.
#[test]
fn a_job_file_without_an_end_of_line_is_given_one() {
    let scene = Scene::new();
    let file = scene.file("env", "OTHER=1");
    let acquire = scene.dbguard(["acquire", "--json", "--export", "github", "a.db"]);
    let answer = acquire.env("GITHUB_ENV", &file).run().expect(0).stdout;
    assert!(scene.read("env").starts_with("OTHER=1\nDBGUARD_HELD="), "{}", scene.read("env"));
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("a document");
    assert!(!has_open(&answer["pid"], &file), "the keeper has the file open");
    scene
        .dbguard(["release", "a.db", "--token"])
        .words([answer["token"].as_str()].into_iter().flatten())
        .run()
        .expect(0);
}

/// Whether a process has a file open.
#[cfg(target_os = "linux")]
fn has_open(pid: &serde_json::Value, file: &Path) -> bool {
    let fds = Path::new("/proc").join(pid.to_string()).join("fd");
    let mut open = fs::read_dir(fds).expect("it lives").flatten();
    open.any(|entry| fs::read_link(entry.path()).is_ok_and(|path| path == file))
}

/// Whether anybody has a file open: then nobody is given it alone.
#[cfg(windows)]
fn has_open(_pid: &serde_json::Value, file: &Path) -> bool {
    use std::os::windows::fs::OpenOptionsExt;
    fs::File::options().read(true).share_mode(0).open(file).is_err()
}

/// Each round added an entry, until no command could be started any more.
#[test]
fn a_shell_that_locks_in_a_loop_does_not_fill_its_environment() {
    let scene = Scene::new();
    let script = "for round in 1 2 3; do eval \"$(\"$DBGUARD\" acquire --export sh a.db)\"; \
                  \"$DBGUARD\" release a.db; done; echo \"$DBGUARD_HELD\" | wc -w";
    scene.shell(script).run().expect(0).silent().answers("1");
}

/// Nobody could have joined it, or given it back.
#[test]
fn what_cannot_be_claimed_is_not_acquired() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let acquire = scene.dbguard(["acquire", "a.db"]).env("DBGUARD_TEST_FAIL_AT", "claim=13");
    acquire.run().expect(73).says("nobody could join or release it");
    scene.assert_free("a.db");
}

#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_claimed_on_a_full_disk_is_not_acquired() {
    let scene = Scene::new();
    scene.make_state("a.db");
    // As with a full disk: the claim cannot be written.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$DBGUARD\" acquire a.db";
    // Nor can what is said of it: that goes to a file.
    scene.shell(script).run().expect(71);
    scene.assert_free("a.db");
}

/// Between the grant and the look at what it was granted below, the time was up: the command ran
/// on and on, and nobody told it.
#[test]
fn a_step_is_told_however_early_the_lock_ends() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let command = ["exec", "a.db", "--", "sh", "-c", "while :; do sleep 0.02; done"];
    let mut step = lease.step(command).env("DBGUARD_TEST_STOP_AT", "native").spawn();
    step.until_stopped();
    lease.release().words(["--extend", "0.001"]).run().expect_any(&[0, 1]);
    until("its time is up", || scene.held("a.db").iter().all(|name| !name.ends_with('x')));
    step.resume();
    step.wait().expect(76).says("expired");
    lease.until_ended();
    scene.assert_free("a.db");
}

/// A step that came after the keeper's death was locked anew and did not learn that others may
/// have been there.
#[test]
fn who_comes_after_a_killed_keeper_hears_of_it() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    lease.signal(Signal::KILL);
    lease.until_ended();
    try_lock(&scene).run().expect(0);
    lease.step(["exec", "a.db", "--", "true"]).run().expect(0).says("its keeper was killed");
    lease.release().run().expect(1).says("its keeper was killed");
    scene.assert_free("a.db");
}

/// The keeper gave back what the other process was about to give back, and both counted it.
#[test]
fn what_the_keeper_does_not_take_is_given_back_once() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let acquire = scene.dbguard(["acquire", "a.db"]).env("DBGUARD_TEST_FAIL_AT", "lease=28");
    acquire.run().expect(71).says("ended before it was ready");
    let counted = fs::read_to_string(scene.state("a.db", "stats.log")).expect("it is there");
    assert_eq!(counted.lines().count(), 1, "{counted}");
    scene.assert_free("a.db");
}

/// The system's words for its number are not ours.
#[test]
#[cfg(target_os = "linux")]
fn a_thread_is_no_process_to_take_a_lock_for() {
    let scene = Scene::new();
    let thread = std::thread::spawn(move || {
        let link = fs::read_link("/proc/thread-self").expect("/proc is mounted");
        let number = link.file_name().and_then(|name| name.to_str()).expect("a number").to_owned();
        let ended = scene.dbguard(["acquire", "--for-pid", &number, "a.db"]).run();
        ended.expect(64).says(&format!("there is no process {number}"));
        scene.assert_free("a.db");
    });
    thread.join().expect("it holds");
}

/// It named an ancestor, and a process that had long ended.
#[test]
fn a_writer_below_a_shared_lock_hears_whose_it_is() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["-s", "a.db"]);
    let writer = lease.step(["exec", "a.db", "--", "true"]).run();
    writer.expect(79).says("held shared by the dbguard acquire that this command joined");
    lease.release().run().expect(0);
}
