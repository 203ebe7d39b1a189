//! Each end of a lock that `dbguard acquire` took, and what those hear who joined it.

use std::fs;
#[cfg(target_os = "linux")]
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::lease_crew::{Lease, start_of, try_lock};
use crate::process::{Process, handle_while, lives_since, process_state, signal_while, until};
use crate::scene::{Scene, have_hooks};
use crate::system::{Signal, children};

/// A time limit that is soon up, and not before a command has started, which takes long under Wine.
const SOON: &str = if cfg!(windows) { "15" } else { "0.3" };

#[test]
fn a_lock_whose_time_is_up_is_free_and_everybody_hears_why() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["--ttl", "0.2", "a.db"]);
    scene.dbguard(["exec", "a.db", "--", "true"]).run().expect(0);
    lease.until_ended();
    lease.release().run().expect(1).says("expired at");
    let step = lease.step(["exec", "a.db", "--", "printf", "anew"]).run();
    step.expect(0).says("expired at").answers("anew");
    scene.assert_free("a.db");
}

/// The command is told by TERM, and whoever waits gets the lock only when it has ended: a lock is
/// never given to two.
#[test]
#[cfg(target_os = "linux")]
fn a_step_that_outlives_the_lock_is_ended_before_anybody_gets_it() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["--ttl", "1s", "a.db"]);
    let script = "trap 'echo told >>log; while [ ! -e go ]; do sleep 0.02; done; echo over >>log; \
                  exit 0' TERM; echo begun >>log; while :; do sleep 0.02; done";
    let mut step =
        lease.step(["exec", "--kill-after", "inf", "a.db", "--", "sh", "-c", script]).spawn();
    step.until("it runs", || scene.read("log").contains("begun"));
    let stranger = ["exec", "-w", "inf", "a.db", "--", "sh", "-c", "echo stranger >>log"];
    let mut stranger = scene.dbguard(stranger).spawn();
    step.until("it is told", || scene.read("log").contains("told"));
    scene.dbguard(["exec", "-w", "0.1", "a.db", "--", "true"]).run().expect(124);
    scene.file("go", "");
    step.wait().expect(76).says("was ended: the lock of a.db that dbguard acquire took expired");
    stranger.wait().expect(0);
    assert_eq!(scene.read("log"), "begun\ntold\nover\nstranger\n");
}

#[test]
fn a_step_that_takes_no_notice_is_killed() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["--ttl", SOON, "a.db"]);
    let script = "trap '' TERM; while :; do sleep 0.02; done";
    let words =
        ["exec", "--kill-after", "0.1", "--status-file", "s", "a.db", "--", "sh", "-c", script];
    lease.step(words).run().expect(76);
    assert!(scene.read("s").contains("\"lock_lost\""), "{}", scene.read("s"));
    lease.until_ended();
    scene.assert_free("a.db");
}

#[test]
fn an_update_that_outlives_the_lock_changes_nothing() {
    let scene = Scene::new();
    scene.file("a.db", "old\n");
    let lease = Lease::take(&scene, &["--ttl", SOON, "a.db"]);
    let command = ["update", "a.db", "--", "sh", "-c", "echo new; while :; do sleep 0.02; done"];
    lease.step(command).run().expect(76).says("expired");
    assert_eq!(scene.read("a.db"), "old\n");
    lease.until_ended();
}

#[test]
fn more_time_can_be_asked_for() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["--ttl", "3s", "a.db"]);
    let ended = lease.release().words(["--json", "--extend", "1h"]).run().expect(0).silent();
    assert!(ended.stdout.contains("\"expires\""), "{}", ended.describe());
    let info = scene.dbguard(["info", "--json", "a.db"]).run().expect(0);
    let document: Value = serde_json::from_str(&info.stdout).expect("a document");
    let holder = &document["resources"][0]["guard"]["holders"][0];
    assert!(holder["expires_in_ms"].as_u64() > Some(3_000_000), "{holder:#}");
    assert_eq!(holder["lease"], true);
    // The same way back: it ends sooner than it would have.
    // It may have ended before whoever asked looks at it again.
    lease.release().words(["--extend", "0.1"]).run().expect_any(&[0, 1]);
    lease.until_ended();
    lease.release().words(["--extend", "1h"]).run().expect(1).says("expired at");
}

#[test]
fn a_lock_taken_for_a_process_ends_with_it() {
    let scene = Scene::new();
    let mut owner = scene.run("cat", [""; 0]).spawn_fed();
    let pid = owner.pid().to_string();
    let lease = Lease::take(&scene, &["--for-pid", &pid, "a.db"]);
    lease
        .release()
        .words(["--extend", "1h"])
        .run()
        .expect(1)
        .says("no time that could be extended");
    let mut step = lease.step(["exec", "a.db"]).contend();
    step.until_holding();
    owner.kill();
    owner.wait();
    step.process.wait().expect(76).says("ended with the process that it was taken for");
    lease.until_ended();
    lease.release().run().expect(1).says("ended with the process");
    scene.assert_free("a.db");
    let gone = ["acquire", "--for-pid", &pid, "a.db"];
    scene.dbguard(gone).run().expect(64).says(&format!("there is no process {pid}"));
    scene.assert_free("a.db");
}

#[test]
fn nothing_is_locked_without_an_end() {
    let scene = Scene::new();
    scene.dbguard(["acquire", "--ttl", "inf", "a.db"]).run().expect(64).says("--for-pid");
    scene.dbguard(["acquire", "--ttl", "0", "a.db"]).run().expect(64);
    scene.dbguard(["acquire", "a.db", "--", "true"]).run().expect(64).says("runs no command");
    assert!(!scene.path(".dbguard").exists());
}

#[test]
fn a_killed_keeper_leaves_the_lock_to_the_next() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let mut step = lease.step(["exec", "a.db"]).contend();
    step.until_holding();
    lease.signal(Signal::KILL);
    lease.until_ended();
    lease.release().run().expect(1).says("was killed");
    // The step that joined it still keeps everybody out.
    try_lock(&scene).run().expect(75);
    assert_eq!(step.end().code, Some(0));
    scene.assert_free("a.db");
    lease.release().run().expect(1).says("its keeper was killed");
}

/// Between the copy of the process and the printed token nobody knows of the lock.
#[test]
fn a_lock_that_nobody_was_told_of_is_given_back() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let (mut acquire, keeper) = acquire_with_stopped_keeper(&scene);
    acquire.kill();
    acquire.wait();
    try_lock(&scene).run().expect(75);
    let start = start_of(keeper);
    assert!(signal_while(keeper, || lives_since(keeper, start), Signal::CONT));
    until("it has ended", || !lives_since(keeper, start));
    scene.assert_free("a.db");
}

/// Killed before it is ready, the keeper leaves everything to the one that was there before.
#[test]
fn a_keeper_that_dies_at_once_is_an_error() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let (mut acquire, keeper) = acquire_with_stopped_keeper(&scene);
    let end = handle_while(keeper, || process_state(keeper) == Some('T')).expect("it is stopped");
    assert!(end.signal(Signal::KILL), "it is ours");
    acquire.wait().expect(71).says("cannot leave a process behind");
    scene.assert_free("a.db");
}

/// Starts an `acquire` whose keeper stops before it is ready; returns both.
fn acquire_with_stopped_keeper(scene: &Scene) -> (Process, u32) {
    let run = scene.dbguard(["acquire", "a.db"]).env("DBGUARD_TEST_STOP_AT", "lease-recorded");
    let mut acquire = run.spawn();
    let mut keeper = 0;
    let pid = acquire.pid();
    acquire.until("the keeper is stopped", || {
        keeper = children(pid).first().copied().unwrap_or(0);
        // On Windows it is stopped when it is made, too.
        keeper != 0 && scene.held("a.db").len() == 1 && process_state(keeper) == Some('T')
    });
    (acquire, keeper)
}

/// What stands where the ends of leases are noted costs the reason, and nothing else.
#[test]
#[cfg(target_os = "linux")]
fn a_hostile_list_of_ends_is_survived() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let list = scene.state("a.db", "leases.log");
    let target = scene.file("target", "untouched");
    let plant: [&dyn Fn(); 5] = [
        &|| symlink(&target, &list).expect("symlink"),
        &|| fs::hard_link(&target, &list).expect("link"),
        &|| fs::create_dir(&list).expect("mkdir"),
        &|| {
            rustix::fs::mknodat(
                rustix::fs::CWD,
                &list,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::RWXU,
                0,
            )
            .expect("mkfifo")
        },
        &|| fs::write(&list, "{\"id\":7}\n\0garbage".repeat(5_000)).expect("write"),
    ];
    for plant in plant {
        plant();
        let lease = Lease::take(&scene, &["a.db"]);
        lease.release().run().expect(0).silent();
        lease.release().run().expect(1);
        scene.assert_free("a.db");
        assert_eq!(scene.read("target"), "untouched");
        let is_dir = fs::symlink_metadata(&list).expect("it is there").is_dir();
        if is_dir { fs::remove_dir(&list) } else { fs::remove_file(&list) }.expect("remove");
    }
}

#[test]
fn the_list_of_ends_stays_short() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let list = scene.state("a.db", "leases.log");
    fs::write(&list, "x".repeat(17_000)).expect("write");
    let lease = Lease::take(&scene, &["a.db"]);
    lease.release().run().expect(0);
    assert!(fs::metadata(&list).expect("it is there").len() < 1_000);
    lease.release().run().expect(1).says("was released already");
}

/// Who has lost the token can still end it, and is told of the gentler way.
#[test]
fn unlock_ends_a_lock_whose_token_is_lost() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let asked = scene.dbguard(["unlock", "a.db"]).run().expect(64);
    let asked = asked.says("dbguard release a.db --token TOKEN");
    if cfg!(target_os = "linux") {
        asked.says("(dbguard acquire --json a.db, user");
    }
    try_lock(&scene).run().expect(75);
    scene.dbguard(["unlock", "--yes", "a.db"]).run().expect(0);
    lease.until_ended();
    // There is no asking on Windows.
    let how = if cfg!(windows) { "was killed" } else { "was released already" };
    lease.release().run().expect(1).says(how);
    scene.assert_free("a.db");
}
