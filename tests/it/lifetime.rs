//! How long a lock is held and whose processes count: descendants, limits, survivors.

use crate::process::lives;
#[cfg(target_os = "linux")]
use crate::process::until;
use crate::scene::{Run, Scene};

/// Runs a shell script that becomes `exec OPTIONS a.db` after `before`; on Windows, where nothing
/// becomes another program, it runs it.
fn behind(scene: &Scene, before: &str, options: &str, script: &str) -> Run {
    let becomes = if cfg!(windows) { "" } else { "exec" };
    let call = format!("\"$DBGUARD\" exec {options} a.db -- sh -c '{script}'");
    scene.shell(&format!("{before} {becomes} {call}"))
}

/// Starts somebody with a child of his own, whose number is then in `stranger`.
const STRANGER: &str = "sh -c 'echo $$ >stranger; sleep 600' & until test -s stranger; do :; done;";

/// A shell's process substitutions are children of the dbguard that it becomes; they wait for
/// the end of its output, so waiting for them never ended.
#[test]
fn hold_descendants_does_not_wait_for_what_was_there_before() {
    let scene = Scene::new();
    // Its handle kills the whole group when it goes.
    let mut dbguard = behind(&scene, STRANGER, "--hold-descendants", "exit 4").spawn();
    dbguard.wait().expect(4);
    let stranger = scene.read("stranger").trim().parse().expect("a number");
    assert!(lives(stranger));
}

#[test]
fn max_hold_spares_what_was_there_before() {
    let scene = Scene::new();
    let mut dbguard = behind(&scene, STRANGER, "--max-hold 0.2s", "sleep 600").spawn();
    dbguard.wait().expect(123);
    let stranger = scene.read("stranger").trim().parse().expect("a number");
    assert!(lives(stranger));
    scene.assert_free("a.db");
}

/// With strangers around, the descendants of the command are still waited for.
#[test]
fn strangers_do_not_hide_descendants() {
    let scene = Scene::new();
    let script = "sh -c \"echo up >daemon; until test -e go; do read w <tick; done\" & \
                  until test -s daemon; do :; done; exit 4";
    scene.file("tick", "\n");
    let mut dbguard = behind(&scene, "sleep 600 &", "--hold-descendants", script).spawn();
    dbguard.until("the daemon runs", || !scene.read("daemon").is_empty());
    scene.dbguard(["exec", "-w", "0.3", "a.db", "--", "true"]).run().expect(124);
    assert!(dbguard.runs());
    scene.file("go", "");
    dbguard.wait().expect(4);
}

/// The command is reaped, so its number may be somebody else's: the living get the signal.
#[test]
#[cfg(target_os = "linux")]
fn a_signal_reaches_the_descendants_when_the_command_is_gone() {
    let scene = Scene::new();
    let script = "sh -c \"trap \\\"echo term >terms; exit\\\" TERM; echo up >daemon; \
                  while :; do read w <tick; done\" & echo $$ >shell; exit 4";
    scene.file("tick", "\n");
    let mut dbguard = behind(&scene, "", "--hold-descendants", script).spawn();
    let both = || !scene.read("daemon").is_empty() && scene.read("shell").ends_with('\n');
    dbguard.until("shell and daemon run", both);
    let shell = scene.read("shell").trim().parse().expect("a number");
    until("the command is reaped", || crate::process::process_state(shell).is_none());
    dbguard.signal(crate::system::Signal::TERM);
    dbguard.wait().expect(4);
    assert_eq!(scene.read("terms"), "term\n");
}

/// Each run once had the whole limit for itself, and the pauses were free.
#[test]
fn max_hold_counts_over_all_retries_and_pauses() {
    let scene = Scene::new();
    let run = scene.dbguard(["exec", "--max-hold", "0.4", "--retry", "1000", "a.db", "--"]);
    let run = run.env("DBGUARD_RETRY_DELAY", "20ms").env("DBGUARD_RETRY_MAX_DELAY", "50ms");
    run.words(["sh", "-c", "exit 5"]).run().expect(123).says("longer than 0.4s");
    let run = scene.dbguard(["exec", "--max-hold", "0.4", "--retry", "3", "a.db", "--"]);
    let run = run.env("DBGUARD_RETRY_DELAY", "1h").env("DBGUARD_RETRY_MAX_DELAY", "1h");
    run.words(["sh", "-c", "exit 5"]).run().expect(123);
    scene.assert_free("a.db");
}

/// The next in line was taken for what the command left running.
#[test]
#[cfg(target_os = "linux")]
fn a_waiter_is_no_survivor() {
    let scene = Scene::new();
    let mut holder = scene.hold(["a.db"]);
    let waiter = scene.queue_up("a.db", &["-w", "inf"]);
    holder.process.signal(crate::system::Signal::TERM);
    holder.process.wait().expect(143).never_says("stays locked");
    waiter.end().expect(0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_survivor_is_named_and_a_reader_beside_it_is_not() {
    let scene = Scene::new();
    let reader = scene.hold(["-s", "a.db"]);
    let script = "sleep 600 & echo $! >sleeper; kill -9 $$";
    let run = scene.dbguard(["exec", "-s", "a.db", "--", "sh", "-c", script]).run().expect(137);
    let sleeper = scene.read("sleeper");
    let run = run.says("stays locked").says(&format!("pid {}", sleeper.trim()));
    run.never_says(&reader.command_pid().to_string());
    reader.end().expect(0);
}

#[test]
fn files_and_fences_come_in_the_order_they_were_typed() {
    let scene = Scene::new();
    let names = ["c.db", "a.db", "b.db"];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let files = order.map(|place| names[place]);
        let run = scene.dbguard(["exec"]).words(files);
        let run = run.words(["--", "sh", "-c", "echo \"$DBGUARD_FILE\"; echo \"$DBGUARD_FENCE\""]);
        let stdout = run.run().expect(0).stdout;
        let lines: Vec<_> = stdout.lines().collect();
        let paths = files.map(|name| scene.path(name).display().to_string());
        assert_eq!(lines[..3], paths);
        let fence = |name| scene.read(scene.state(name, "fence")).trim().to_owned();
        let fences = files.map(|name| fence(name).trim_start_matches('0').to_owned());
        assert_eq!(lines[3..], fences);
    }
}
