//! What a command is given, and what its end comes to.

use std::fs;

use crate::actor;
use crate::scene::{Done, Scene};

#[test]
fn the_exit_code_is_the_commands_own() {
    let scene = Scene::new();
    for code in [0, 1, 42, 255] {
        scene.play(&["exec", "a.db"], &["exit", &code.to_string()]).is(code);
    }
}

#[test]
fn a_command_that_is_not_there_is_found_out_before_anything_is_locked() {
    let scene = Scene::new();
    scene.run(&["exec", "a.db", "--", "no-such-program"]).is(127);
    assert!(!scene.path(".dbguard").exists());
}

#[test]
fn arguments_arrive_as_they_were_given() {
    let scene = Scene::new();
    let odd =
        ["a b", "", "\"", "a\\", "\\\"x y\\\\", "c:\\d\\", "tab\tbed", "%PATH%", "&|<>^", "\u{e4}"];
    let file = scene.path("arguments");
    let mut command = scene.dbguard(&["exec", "a.db", "--"]);
    command.args(actor::words()).args(odd);
    command.env(actor::PART, format!("arguments\n{}", file.to_str().expect("text")));
    // The harness takes what it is given for names of tests.
    let done = Done::of(command.output().expect("dbguard starts"));
    done.is(0);
    assert_eq!(fs::read_to_string(file).expect("written"), odd.join("\n"));
}

#[test]
fn the_command_is_told_what_is_locked() {
    let scene = Scene::new();
    let tell = |name| scene.play(&["exec", "a.db"], &["tell", name]).is(0).output;
    assert!(tell("DBGUARD_MODE").contains("exclusive"));
    assert!(tell("DBGUARD_FILE").contains("a.db"));
    let fence = |text: String| {
        text.lines().find_map(|line| line.trim().parse::<u64>().ok()).expect("a number")
    };
    assert!(fence(tell("DBGUARD_FENCE")) < fence(tell("DBGUARD_FENCE")));
}

#[test]
fn a_line_of_shell_is_run_by_the_shell() {
    let scene = Scene::new();
    let done = scene.run(&["exec", "-c", "echo one&& exit 3", "a.db"]).is(3);
    assert_eq!(done.output.trim(), "one");
}

#[test]
fn a_command_that_takes_too_long_is_ended() {
    let scene = Scene::new();
    let mut command = scene.dbguard(&["exec", "--max-hold", "500ms", "a.db", "--"]);
    command.args(actor::words()).env(actor::PART, "hold");
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("dbguard starts");
    // Open until the end of the test, so that the command does not end by itself.
    let _input = child.stdin.take();
    let done = Done::of(child.wait_with_output().expect("it ends")).is(123);
    assert!(done.errors.contains("longer than"), "{done:?}");
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(0);
}

#[test]
fn a_command_that_fails_busy_is_run_again() {
    let scene = Scene::new();
    let retry = ["exec", "--retry", "2", "--retry-exit", "5", "a.db"];
    let log = scene.path("log");
    scene.play(&retry, &["note-and-exit", log.to_str().expect("text"), "x", "5"]).is(5);
    assert_eq!(fs::read_to_string(log).expect("a log"), "xxx");
}

#[test]
fn the_outcome_is_written_where_that_is_asked_for() {
    let scene = Scene::new();
    let status = scene.path("status.json");
    let status = status.to_str().expect("text");
    scene.play(&["exec", "--status-file", status, "a.db"], &["exit", "7"]).is(7);
    let told: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(status).expect("written")).expect("JSON");
    assert_eq!((&told["acquired"], &told["exit_code"]), (&true.into(), &7.into()));
}
