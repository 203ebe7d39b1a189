//! The command's life under `exec`: descriptors, signals, limits, retries, the outcome.

use std::fs;
use std::time::{Duration, Instant};

use crate::process::{lives, until};
use crate::scene::Scene;
#[cfg(target_os = "linux")]
use {crate::system::Signal, std::collections::BTreeSet};

/// Runs a shell script under `exec OPTIONS a.db`.
fn under(scene: &Scene, options: &[&str], script: &str) -> crate::scene::Run {
    scene.dbguard(["exec"]).words(options).words(["a.db", "--", "sh", "-c", script])
}

#[test]
fn the_commands_exit_code_is_our_own() {
    let scene = Scene::new();
    for code in [0, 1, 2, 3, 75, 124, 255] {
        under(&scene, &[], &format!("exit {code}")).run().expect(code).silent();
    }
    // Windows has no signals.
    let signals = if cfg!(windows) { &[][..] } else { &[1, 2, 9, 15] };
    for signal in signals {
        under(&scene, &[], &format!("kill -{signal} $$")).run().expect(128 + signal);
    }
}

#[test]
fn input_and_output_are_the_commands() {
    let scene = Scene::new();
    scene.dbguard(["exec", "a.db", "--", "cat"]).input("text\n").run().expect(0).answers("text");
}

#[test]
fn the_command_sees_what_it_holds() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let script = "echo $DBGUARD_MODE; echo $DBGUARD_FILE; test -n \"$DBGUARD_ID\" && echo id; \
                  test \"$DBGUARD_FENCE\" -gt 0 && echo fence";
    let path = scene.path("a.db").display().to_string();
    let expected = format!("exclusive\n{}\nid\nfence", path.trim_start_matches(r"\\?\"));
    under(&scene, &[], script).run().expect(0).answers(&expected);
    under(&scene, &["-s"], "echo $DBGUARD_MODE").run().expect(0).answers("shared");
}

/// The command is looked for before the wait: a typo is not found out after ten minutes.
#[test]
fn a_missing_command_is_reported_before_the_wait() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    scene.file("not-executable", "x");
    let run = |command: &str| scene.dbguard(["exec", "-w", "inf", "a.db", "--", command]).run();
    run("no-such-command").expect(127).says("no-such-command");
    // On Windows the end of a name makes a program.
    let code = if cfg!(windows) { 127 } else { 126 };
    run("./not-executable").expect(code).says("not-executable");
    holder.end().expect(0);
}

/// Returns the descriptors that a shell sees when it is started behind `prefix`.
#[cfg(target_os = "linux")]
fn descriptors(scene: &Scene, prefix: &str) -> BTreeSet<u32> {
    let script = format!("exec 7</dev/null; {prefix} sh -c 'ls /proc/$$/fd; true'");
    let listing = scene.shell(&script).run().expect(0).stdout;
    listing.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Ours are at 200 and above, where no script's own numbers are; what was inherited (a make
/// jobserver's, say) passes untouched; nothing else leaks.
#[test]
#[cfg(target_os = "linux")]
fn the_command_inherits_lock_and_claim_at_high_numbers_and_nothing_else() {
    let scene = Scene::new();
    let bare = descriptors(&scene, "");
    assert!(bare.contains(&7), "{bare:?}");
    let seen = descriptors(&scene, "\"$DBGUARD\" exec a.db --");
    let ours: Vec<_> = seen.difference(&bare).collect();
    assert!(bare.is_subset(&seen), "{seen:?} instead of {bare:?}");
    assert!(ours.len() == 2 && ours.iter().all(|number| **number >= 200), "{seen:?}");
    assert_eq!(descriptors(&scene, "\"$DBGUARD\" exec --close a.db --"), bare);
}

/// Signals 32 and 33 are glibc's own; its `posix_spawn` starts every child with them ignored.
#[cfg(target_os = "linux")]
const OF_THE_C_LIBRARY: u64 = 0b11 << 31;

/// Returns the masks of blocked and ignored signals from a process's status.
#[cfg(target_os = "linux")]
fn signal_masks(status: &str) -> (u64, u64) {
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let digits = line.expect("a mask").trim();
        u64::from_str_radix(digits, 16).expect("hexadecimal") & !OF_THE_C_LIBRARY
    };
    (mask("SigBlk:"), mask("SigIgn:"))
}

/// D5: the command starts with the signals as dbguard found them, whether it waited or not.
#[test]
#[cfg(target_os = "linux")]
fn d5_the_command_starts_with_the_signals_as_they_were() {
    let scene = Scene::new();
    let bare = signal_masks(&scene.run("cat", ["/proc/self/status"]).run().expect(0).stdout);
    for options in [&[][..], &["-F"][..]] {
        for waits in [false, true] {
            let holder = waits.then(|| scene.hold(["a.db"]));
            let run = scene.dbguard(["exec", "-w", "50"]).words(options);
            let mut run = run.words(["a.db", "--", "cat", "/proc/self/status"]).spawn();
            if let Some(holder) = holder {
                scene.until_queue("a.db", 1);
                holder.end().expect(0);
            }
            let masks = signal_masks(&run.wait().expect(0).stdout);
            assert_eq!(masks, bare, "{options:?} {waits}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn signals_are_forwarded_to_the_command() {
    let scene = Scene::new();
    for (name, signal) in [
        ("TERM", Signal::TERM),
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("INT", Signal::INT),
    ] {
        let script = format!(
            "trap 'kill $!; echo got {name}; exit 5' {name}; sleep 600 & \
                     echo up >up.{name}; wait $!; exit 6"
        );
        let mut dbguard = under(&scene, &[], &script).spawn_fed();
        dbguard.until("the trap is set", || !scene.read(format!("up.{name}")).is_empty());
        dbguard.signal(signal);
        dbguard.wait().expect(5).answers(&format!("got {name}"));
    }
    scene.assert_free("a.db");
}

#[test]
#[cfg(target_os = "linux")]
fn a_command_ended_by_a_forwarded_signal_is_128_and_its_number() {
    let scene = Scene::new();
    let mut holder = scene.hold(["a.db"]);
    holder.process.signal(Signal::TERM);
    holder.process.wait().expect(143);
    scene.assert_free("a.db");
}

#[test]
fn hold_descendants_waits_for_all_of_them() {
    let scene = Scene::new();
    let setsid = if cfg!(windows) { "" } else { "setsid" };
    let script = format!(
        "{setsid} sh -c 'echo up >daemon; until test -e go; do sleep 0.05; done' & \
         until test -s daemon; do :; done; exit 4"
    );
    let mut dbguard = under(&scene, &["--hold-descendants"], &script).spawn();
    dbguard.until("the daemon runs", || !scene.read("daemon").is_empty());
    scene.dbguard(["exec", "-w", "0.5", "a.db", "--", "true"]).run().expect(124);
    assert!(dbguard.runs());
    scene.file("go", "");
    dbguard.wait().expect(4);
    scene.assert_free("a.db");
}

#[test]
fn max_hold_ends_the_command_with_123() {
    let scene = Scene::new();
    let mut holder = scene.contend(["--max-hold", "0.3", "a.db"]);
    holder.process.wait().expect(123).says("a.db");
    scene.assert_free("a.db");
}

/// S3: `--max-hold` ends every descendant it can name, those too that ignore TERM.
#[test]
fn s3_max_hold_kills_every_descendant_even_those_that_ignore_term() {
    let scene = Scene::new();
    // Nobody hears TERM on Windows.
    let deaf = if cfg!(windows) { "" } else { "trap '' TERM; " };
    let script = format!(
        "{deaf}sh -c 'echo $$ >worker; while :; do sleep 600; done' & \
         echo $$ >shell; while :; do wait; done"
    );
    let limit = if cfg!(windows) { "15" } else { "2" };
    let options = ["--max-hold", limit, "--kill-after", "0.2"];
    let mut dbguard = under(&scene, &options, &script).spawn();
    let written = |name: &str| scene.read(name).ends_with('\n');
    dbguard.until("both run", || written("shell") && written("worker"));
    dbguard.wait().expect(123);
    let pids = ["shell", "worker"].map(|name| scene.read(name).trim().parse::<u32>());
    until("shell and worker are dead", || pids.iter().flatten().all(|pid| !lives(*pid)));
    scene.assert_free("a.db");
}

#[test]
#[cfg(target_os = "linux")]
fn no_fork_becomes_the_command_and_keeps_the_lock() {
    let scene = Scene::new();
    let mut holder = scene.hold(["-F", "a.db"]);
    assert_eq!(holder.process.pid(), holder.command_pid());
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    let waiter = scene.queue_up("a.db", &["-w", "inf"]);
    holder.process.close_input();
    holder.process.wait().expect(0);
    waiter.end().expect(0);
}

#[test]
fn a_shell_command_is_run_by_c() {
    let scene = Scene::new();
    // A space before `&&` would be an argument in Windows' own shell.
    let run = scene.dbguard(["exec", "a.db", "-c", "echo one&&echo two"]).run().expect(0);
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), ["one", "two"], "{}", run.describe());
}

#[test]
fn a_command_that_fails_busy_is_run_again() {
    let scene = Scene::new();
    let script = "echo x >>tries; test $(wc -l <tries) -ge 3 || exit 5";
    under(&scene, &["--retry", "5", "--retry-exit", "5,6"], script).run().expect(0);
    assert_eq!(scene.read("tries").lines().count(), 3);
    let script = "echo x >>again; exit 5";
    under(&scene, &["--retry", "2", "--retry-exit", "5"], script).run().expect(5);
    assert_eq!(scene.read("again").lines().count(), 3, "one run and two more");
    let script = "echo x >>once; exit 7";
    under(&scene, &["--retry", "2", "--retry-exit", "5"], script).run().expect(7);
    assert_eq!(scene.read("once").lines().count(), 1, "another code is an answer");
}

#[test]
fn the_status_file_says_how_it_went() {
    let scene = Scene::new();
    let status = |words: &[&str], code: i32| -> serde_json::Value {
        let run = scene.dbguard(["exec", "--status-file", "status"]).words(words).run();
        run.expect(code);
        serde_json::from_str(&scene.read("status")).expect("one JSON document")
    };
    let done = status(&["a.db", "--", "sh", "-c", "exit 3"], 3);
    assert_eq!(done["acquired"], true);
    assert_eq!(done["exit_code"], 3);
    assert!(done["waited_ms"].is_u64() && done["held_ms"].is_u64(), "{done}");
    if cfg!(target_os = "linux") {
        let killed = status(&["a.db", "--", "sh", "-c", "kill -9 $$"], 137);
        assert!(!killed["signal"].is_null(), "{killed}");
    }
    let holder = scene.hold(["a.db"]);
    let refused = status(&["-n", "a.db", "--", "true"], 75);
    assert_eq!((&refused["acquired"], &refused["outcome"]), (&false.into(), &"would_block".into()));
    let late = status(&["-w", "0.1", "a.db", "--", "true"], 124);
    assert_eq!(late["outcome"], "timeout");
    holder.end().expect(0);
}

/// D1: `--fd` locks for the calling shell; the claim ends with the grant, the lock with the
/// shell's descriptor.
#[test]
#[cfg(target_os = "linux")]
fn d1_fd_locks_for_the_calling_shell() {
    let scene = Scene::new();
    let script = "exec 9<>\"$(\"$DBGUARD\" path a.db)\"; \"$DBGUARD\" exec --fd 9 a.db || exit; \
                  echo up >up; read word; \"$DBGUARD\" exec -u --fd 9 a.db || exit; \
                  echo free >free; read word";
    let mut shell = scene.shell(script).spawn_fed();
    shell.until("it holds", || !scene.read("up").is_empty());
    assert!(scene.queue("a.db").is_empty() && scene.held("a.db").is_empty());
    let run = scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run();
    run.expect(75).says(&shell.pid().to_string());
    std::io::Write::write_all(shell.input(), b"\n").expect("go on");
    shell.until("it has unlocked", || !scene.read("free").is_empty());
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(0);
    shell.close_input();
    shell.wait();
}

/// D1: a descriptor of another file would lock that.
#[test]
#[cfg(target_os = "linux")]
fn d1_fd_of_another_file_is_refused_and_told_to_reopen() {
    let scene = Scene::new();
    scene.make_state("a.db");
    let script = "exec 9<>other; \"$DBGUARD\" exec --fd 9 a.db";
    scene.shell(script).run().expect(74).says("reopen");
    scene.shell("\"$DBGUARD\" exec --fd 9 a.db").run().expect_any(&[64, 74]);
}

/// D4: command lines carry secrets, and a claim outlives its process in backups and layers.
#[test]
fn d4_a_claim_does_not_hold_the_command_line() {
    let scene = Scene::new();
    let holder = scene.dbguard(["exec", "--label", "nightly", "a.db"]).contend();
    let mut holder = holder;
    holder.until_holding();
    let up = holder.up.clone();
    let secret = up.file_name().expect("a name").to_str().expect("text");
    for name in scene.held("a.db") {
        let claim = fs::read_to_string(scene.state("a.db", "held").join(name)).expect("a claim");
        assert!(!claim.contains(secret), "{claim}");
        assert!(claim.contains("nightly") && claim.contains(&holder.process.pid().to_string()));
        for line in claim.lines() {
            let document: serde_json::Value = serde_json::from_str(line).expect("JSON lines");
            assert!(document.is_object());
        }
    }
    holder.end().expect(0);
}

/// The waiting line on a pipe: once after a second, then rarely; it names the holder.
#[test]
fn a_waiter_says_after_a_second_what_it_waits_for() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    holder.until_recorded(&scene, "a.db");
    let begun = Instant::now();
    let quick = scene.dbguard(["exec", "-w", "0.3", "a.db", "--", "true"]).run().expect(124);
    if begun.elapsed() < Duration::from_secs(1) {
        quick.never_says("waiting");
    }
    let mut waiter = scene.queue_up("a.db", &[]);
    let stderr = |process: &crate::process::Process| process.stderr();
    until("the waiting line", || stderr(&waiter.process).contains("waiting"));
    let line = waiter.process.stderr();
    let pid = holder.command_pid().to_string();
    for part in ["a.db", "exclusive", "held by", &pid, "in line", "gives up in"] {
        assert!(line.contains(part), "`{part}` in {line}");
    }
    assert_eq!(line.lines().count(), 1, "{line}");
    holder.end().expect(0);
    waiter.process.close_input();
    waiter.process.wait().expect(0);
    let quiet = scene.hold(["a.db"]);
    scene
        .dbguard(["exec", "-q", "-w", "1.5", "a.db", "--", "true"])
        .run()
        .expect(124)
        .never_says("waiting");
    quiet.end().expect(0);
}

/// Every line of the log carries the claim's id, and nested calls the parent's.
#[test]
fn logs_carry_the_id_of_the_claim() {
    let scene = Scene::new();
    let script = "echo $DBGUARD_ID; \"$DBGUARD\" exec a.db -- true";
    let run = under(&scene, &[], script).env("DBGUARD_LOG", "debug");
    let run = run.env("DBGUARD_LOG_FORMAT", "json").env("DBGUARD_LOG_FILE", "log").run().expect(0);
    let id = run.stdout.trim().to_owned();
    let log = scene.read("log");
    assert!(!id.is_empty() && log.lines().filter(|line| line.contains(&id)).count() >= 2, "{log}");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON lines");
    }
    let verbose = under(&scene, &["-vv"], "true").run().expect(0);
    assert!(!verbose.stderr.is_empty());
}
