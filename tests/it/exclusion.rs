//! Two conflicting holders never run together, whatever happens to names, files and processes.

use std::fs::{self, File};
use std::path::Path;

use dbguard::platform::{FileId, facts_at};

use crate::process::{lives, until};
use crate::scene::{Scene, wine_lacks};
use crate::system::Signal;
#[cfg(target_os = "linux")]
use {
    crate::scene::have,
    rustix::fs::{FlockOperation, flock},
    std::os::unix::fs::{MetadataExt, symlink},
};

/// Returns which file it is.
fn id(path: &Path) -> FileId {
    facts_at(path).expect("it exists").id
}

/// S1: `lock`, `fence` and their folder are permanent: no run replaces or removes them.
#[test]
fn s1_lock_and_fence_are_permanent() {
    let scene = Scene::new();
    scene.dbguard(["exec", "a.db", "--", "true"]).run().expect(0);
    let before = ["lock", "fence"].map(|name| id(&scene.state("a.db", name)));
    for options in [["-x", "-w1"], ["-s", "-w1"]] {
        scene.dbguard(["exec"]).words(options).words(["a.db", "--", "true"]).run().expect(0);
    }
    if cfg!(target_os = "linux") {
        scene.dbguard(["exec", "-F", "a.db", "--", "true"]).run().expect(0);
        scene.dbguard(["exec", "a.db", "--", "sh", "-c", "kill -9 $$"]).run().expect(137);
    }
    scene.hold(["a.db"]).process.kill();
    scene.assert_free("a.db");
    let after = ["lock", "fence"].map(|name| id(&scene.state("a.db", name)));
    assert_eq!(before, after);
    assert_eq!(fs::metadata(scene.state("a.db", "lock")).expect("lock").len(), 0);
}

/// S1: a waiter that is granted a lock file which is no longer the one at the path has nothing.
/// Somebody removed `lock` and made a new one, and holds that: the waiter waits for it.
#[test]
#[cfg(target_os = "linux")]
fn s1_an_unlinked_lock_file_is_not_trusted() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let lock = scene.state("a.db", "lock");
    let orphan = scene.plain_flock(&lock);
    let mut waiter = scene.queue_up("a.db", &["-w", "inf"]);
    fs::remove_file(&lock).expect("remove it");
    let number = format!(
        ":{} ",
        File::create(&lock).expect("make a new one").metadata().expect("stat").ino()
    );
    let current = scene.plain_flock(&lock);
    drop(orphan);
    // The proof that the waiter has been granted the orphan and has looked again: it blocks in
    // the kernel on the new inode.
    waiter.process.until("it waits for the new file", || {
        let table = fs::read_to_string("/proc/locks").expect("/proc/locks");
        table.lines().any(|line| line.contains("->") && line.contains(&number))
    });
    assert!(!waiter.has_started(), "{}", scene.describe());
    drop(current);
    waiter.until_holding();
    waiter.end().expect(0);
}

/// S3: `sh -c 'worker & wait'`, the shell killed: the worker that lives on keeps the lock, and
/// dbguard names it.
#[test]
#[cfg(target_os = "linux")]
fn s3_survivors_of_a_signalled_command_keep_the_lock() {
    for signal in [Signal::TERM, Signal::KILL] {
        let scene = Scene::new();
        // The worker ends when our end of the pipe closes; a background job of a shell would
        // otherwise read /dev/null.
        let script = "exec 3<&0; sh -c 'echo $$ >worker; read word <&3' & echo $$ >shell; wait";
        let run = scene.dbguard(["exec", "a.db", "--", "sh", "-c", script]);
        let mut dbguard = run.spawn_fed();
        dbguard.until("the worker runs", || {
            scene.read("worker").ends_with('\n') && scene.read("shell").ends_with('\n')
        });
        let worker = scene.read("worker").trim().to_owned();
        let shell: u32 = scene.read("shell").trim().parse().expect("a number");
        assert!(crate::process::signal_while(shell, || lives(shell), signal));
        let code = 128 + signal.as_raw();
        dbguard.wait().expect(code).says(&worker);
        scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
        assert_eq!(scene.held("a.db").len(), 1, "the claim lives on: {}", scene.describe());
        dbguard.close_input();
        scene.assert_free("a.db");
    }
}

/// S3, the other side: a command that exited by itself gives the lock back although it left a
/// daemon behind.
#[test]
fn s3_a_daemon_left_by_a_command_that_exited_does_not_keep_the_lock() {
    let scene = Scene::new();
    // A regular file: reading it returns at once. The daemon looks for `go` in between.
    scene.file("tick", "\n");
    let daemon = "echo up >daemon; until test -e go; do read word <tick; done; echo bye >bye";
    let script = format!("sh -c '{daemon}' & until test -s daemon; do :; done");
    let mut dbguard = scene.dbguard(["exec", "a.db", "--", "sh", "-c", &script]).spawn();
    dbguard.wait().expect(0);
    scene.assert_free("a.db");
    assert_eq!(scene.read("bye"), "", "the daemon still runs");
    scene.file("go", "");
    until("the daemon ends", || !scene.read("bye").is_empty());
}

/// dbguard killed: the lock lives exactly as long as the command, which on Windows ends with it.
#[test]
fn the_lock_lives_as_long_as_the_command_of_a_killed_dbguard() {
    let scene = Scene::new();
    let mut holder = scene.hold(["a.db"]);
    let command = holder.command_pid();
    if cfg!(windows) {
        let waiter = scene.queue_up("a.db", &["-w", "inf"]);
        holder.process.kill();
        waiter.end().expect(0);
        assert!(!lives(command), "the command has ended");
        return;
    }
    holder.process.kill();
    assert!(lives(command));
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    let mut waiter = scene.queue_up("a.db", &["-w", "inf"]);
    assert!(!waiter.has_started());
    holder.process.close_input();
    waiter.until_holding();
    assert!(!lives(command), "the command has ended");
    waiter.end().expect(0);
}

/// S7: with `--close` the command has no descriptor of ours. When dbguard is killed the kernel
/// frees the lock although the command works on; the claim names it, and it is waited for.
#[test]
#[cfg(target_os = "linux")]
fn s7_the_child_of_a_dead_holder_is_waited_for() {
    let scene = Scene::new();
    let mut holder = scene.hold(["--close", "a.db"]);
    let command = holder.command_pid();
    let claim = scene.held("a.db").first().expect("a claim").clone();
    let recorded = || scene_claim(&scene, &claim).contains(&command.to_string());
    until("the claim names the command", recorded);
    holder.process.kill();
    let mut waiter = scene.contend(["-w", "inf", "a.db"]);
    let reader = scene.dbguard(["exec", "-s", "-w", "1", "a.db", "--", "true"]).run();
    reader.expect(124);
    assert!(!waiter.has_started() && lives(command), "{}", scene.describe());
    holder.process.close_input();
    waiter.until_holding();
    waiter.end().expect(0);
    scene.assert_free("a.db");
}

#[cfg(target_os = "linux")]
fn scene_claim(scene: &Scene, name: &str) -> String {
    fs::read_to_string(scene.state("a.db", "held").join(name)).unwrap_or_default()
}

/// S7: a command that closes inherited descriptors (Python's subprocess, a shell's `exec`) is
/// the same case without any option.
#[test]
#[cfg(target_os = "linux")]
fn s7_a_command_that_closed_our_descriptors_is_waited_for() {
    if !have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    let script = "import os, sys\nos.closerange(3, 4096)\n\
                  open('up', 'w').write('up\\n')\nsys.stdin.readline()\n";
    let run = scene.dbguard(["exec", "a.db", "--", "python3", "-c", script]);
    let mut dbguard = run.spawn_fed();
    dbguard.until("python runs", || scene.read("up").ends_with('\n'));
    dbguard.kill();
    scene.dbguard(["exec", "-w", "1", "a.db", "--", "true"]).run().expect(124);
    dbguard.close_input();
    scene.assert_free("a.db");
}

/// S4: `current.db -> v1.db` is re-pointed to v2 during the wait. The command will open v2, so
/// v2 is what it must hold.
#[test]
#[cfg(target_os = "linux")]
fn s4_a_symlink_repointed_during_the_wait_locks_its_new_target() {
    let scene = Scene::new();
    for name in ["v1.db", "v2.db"] {
        scene.file(name, "");
    }
    symlink("v1.db", scene.path("current.db")).expect("make the link");
    let first = scene.hold(["v1.db"]);
    let before = scene.queue("v1.db");
    let mut waiter = scene.contend(["-w", "inf", "current.db"]);
    waiter.process.until("queued", || scene.queue("v1.db") != before);
    let second = scene.hold(["v2.db"]);
    symlink("v2.db", scene.path("new")).expect("make the new link");
    fs::rename(scene.path("new"), scene.path("current.db")).expect("re-point");
    first.end().expect(0);
    waiter.process.until("it queues for v2", || !scene.queue("v2.db").is_empty());
    assert!(!waiter.has_started(), "{}", scene.describe());
    scene.assert_free("v1.db");
    second.end().expect(0);
    waiter.until_holding();
    scene.dbguard(["exec", "-n", "v2.db", "--", "true"]).run().expect(75);
    waiter.end().expect(0);
}

/// S4: a dangling link is locked under its target's name, where everybody else will look once
/// the target exists.
#[test]
#[cfg(target_os = "linux")]
fn s4_a_dangling_symlink_is_its_target() {
    let scene = Scene::new();
    symlink("later.db", scene.path("current.db")).expect("make the link");
    let holder = scene.hold(["current.db"]);
    scene.dbguard(["exec", "-n", "later.db", "--", "true"]).run().expect(75);
    scene.file("later.db", "");
    scene.dbguard(["exec", "-n", "later.db", "--", "true"]).run().expect(75);
    holder.end().expect(0);
    assert!(!scene.state("current.db", "").exists(), "{}", scene.describe());
}

/// S5: `mv data old; mv new data` while held: the release leaves the new tree alone.
#[test]
#[cfg(target_os = "linux")]
fn s5_a_release_never_touches_a_tree_that_took_the_old_ones_place() {
    let scene = Scene::new();
    scene.file("data/a.db", "");
    let holder = scene.hold(["data/a.db"]);
    let claim = scene.held("data/a.db").first().expect("a claim").clone();
    fs::rename(scene.path("data"), scene.path("old")).expect("move away");
    scene.file("data/a.db", "");
    scene.make_state("data/a.db");
    let planted = scene.state("data/a.db", "held").join(&claim);
    let alive = File::create(&planted).expect("a claim of the same name");
    flock(&alive, FlockOperation::LockExclusive).expect("make it live");
    holder.end().expect(76);
    assert!(planted.exists(), "{}", scene.describe());
}

/// S8: `.dbguard` removed while held cannot be prevented. It is noticed: warning, outcome, 76.
#[test]
fn s8_a_state_directory_removed_while_held_is_reported() {
    if wine_lacks("a name that is free as soon as an open file is removed") {
        return;
    }
    let scene = Scene::new();
    let holder = scene.hold(["--status-file", "status", "a.db"]);
    fs::remove_dir_all(scene.path(".dbguard")).expect("remove it");
    holder.end().expect(76).says(".dbguard");
    let status: serde_json::Value =
        serde_json::from_str(&scene.read("status")).expect("a status document");
    assert_eq!(status["outcome"], "lock_lost");
}

/// S8: replaced is as bad as removed; the command's own failure is not covered up.
#[test]
fn s8_a_lock_file_replaced_while_held_is_reported_and_the_commands_code_stays() {
    if wine_lacks("a name that is free as soon as an open file is removed") {
        return;
    }
    let scene = Scene::new();
    for (word, code) in [("", 76), ("3\n", 3)] {
        let mut holder = scene.hold(["a.db"]);
        let lock = scene.state("a.db", "lock");
        fs::remove_file(&lock).expect("remove it");
        File::create(&lock).expect("put another in its place");
        let input = holder.process.input();
        std::io::Write::write_all(input, word.as_bytes()).expect("tell the command its code");
        holder.end().expect(code).says("lock");
    }
}

/// S6: the fencing token rises with every exclusive grant, and survives the loss of its file.
#[test]
fn s6_the_fence_rises_with_every_exclusive_grant() {
    let scene = Scene::new();
    let mut last = 0;
    for loss in ["", "rm", "garbage", "ahead", ""] {
        let fence = scene.state("a.db", "fence");
        match loss {
            "rm" => fs::remove_file(&fence).expect("remove the fence"),
            "garbage" => fs::write(&fence, "\u{0}\u{1}nonsense").expect("spoil the fence"),
            // As if the clock had been set back: the stored number counts.
            "ahead" => fs::write(&fence, format!("{}\n", last + 1_000_000_000_000)).expect("write"),
            _ => {}
        }
        let run = scene.dbguard(["exec", "a.db", "--", "sh", "-c", "echo $DBGUARD_FENCE"]);
        let token: u64 = run.run().expect(0).stdout.trim().parse().expect("a number");
        let floor = if loss == "ahead" { last + 1_000_000_000_000 } else { last };
        assert!(token > floor, "{token} after {floor} ({loss})");
        last = token;
    }
}

/// S10: a wait that was given up is never granted later, neither by deadline nor by signal.
#[test]
fn s10_an_abandoned_wait_leaves_nothing_behind() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    scene.dbguard(["exec", "-w", "0.2", "a.db", "--", "true"]).run().expect(124);
    assert!(scene.queue("a.db").is_empty(), "{}", scene.describe());
    for (signal, number) in ENDS {
        let mut waiter = scene.queue_up("a.db", &["-w", "inf"]);
        waiter.process.signal(signal);
        let ended = waiter.process.wait();
        let by_signal = ended.signal == Some(number);
        assert!(by_signal || ended.code == Some(128 + number), "{}", ended.describe());
        assert!(!waiter.has_started());
        // One that is killed leaves its claim to whoever is next.
        assert!(signal == Signal::KILL || scene.queue("a.db").is_empty(), "{}", scene.describe());
    }
    holder.end().expect(0);
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(0);
    scene.assert_free("a.db");
}

/// What ends a waiter, with its number.
#[cfg(target_os = "linux")]
const ENDS: [(Signal, i32); 4] =
    [(Signal::INT, 2), (Signal::TERM, 15), (Signal::HUP, 1), (Signal::KILL, 9)];
#[cfg(windows)]
const ENDS: [(Signal, i32); 1] = [(Signal::KILL, 9)];

/// Several files are taken in one canonical order, so two calls that name them in opposite
/// orders never wait for each other in a circle.
#[test]
fn files_named_in_opposite_orders_never_deadlock() {
    let scene = Scene::new();
    let script = "for n in 1 2 3 4 5 6 7 8 9 10; do \
                  \"$DBGUARD\" exec -w 50 $0 $1 -- true || exit 1; done";
    let mut one = scene.shell(script).words(["a.db", "b.db"]).spawn();
    let mut other = scene.shell(script).words(["b.db", "a.db"]).spawn();
    one.wait().expect(0);
    other.wait().expect(0);
}

/// One deadline covers all files of a call, and what was taken is given back when it passes.
#[test]
fn one_deadline_for_all_files_and_nothing_kept_when_it_passes() {
    let scene = Scene::new();
    let holder = scene.hold(["b.db"]);
    scene.dbguard(["exec", "-w", "0.3", "a.db", "b.db", "--", "true"]).run().expect(124);
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(0);
    let both = scene.dbguard(["exec", "-n", "a.db", "b.db", "--", "true"]).run();
    both.expect(75).says("b.db");
    holder.end().expect(0);
    let mut both = scene.hold(["a.db", "b.db"]);
    for name in ["a.db", "b.db"] {
        scene.dbguard(["exec", "-n", name, "--", "true"]).run().expect(75);
    }
    both.process.close_input();
    both.process.wait().expect(0);
}
