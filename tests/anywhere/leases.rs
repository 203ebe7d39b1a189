//! `acquire` and `release`: a lock between the steps of a script, kept by a process that nobody
//! started.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::actor;
use crate::scene::{Done, Holder, Scene, until};

/// A lock that `dbguard acquire` took; given back with the value.
pub struct Lease<'a> {
    scene: &'a Scene,
    file: &'a str,
    pub token: String,
    held: String,
    pub keeper: u32,
}

impl<'a> Lease<'a> {
    /// Acquires a file; returns only once `acquire` and everything of it have let go of the outputs.
    #[track_caller]
    pub fn take(scene: &'a Scene, options: &[&str], file: &'a str) -> Self {
        let words = [&["acquire", "--json"], options, &[file]].concat();
        let done = scene.run(&words).is(0);
        assert_eq!(done.errors, "");
        let told: Value = serde_json::from_str(&done.output).expect("a document");
        let text = |name: &str| told[name].as_str().expect("a text").to_owned();
        let keeper = told["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        let keeper = keeper.expect("a process");
        Self { scene, file, token: text("token"), held: text("held"), keeper }
    }

    /// Runs `release` with these options.
    fn release(&self, options: &[&str]) -> Done {
        let token = ["release", self.file, "--token", &self.token];
        self.scene.run(&[&token, options].concat())
    }

    /// Prepares a command that joins the lock.
    fn step(&self, options: &[&str], part: &[&str]) -> Command {
        let mut command = self.scene.dbguard(&[&["exec"], options, &[self.file, "--"]].concat());
        command.args(actor::words()).env(actor::PART, part.join("\n"));
        command.env("DBGUARD_HELD", &self.held);
        command
    }

    fn join(&self, part: &[&str]) -> Done {
        Done::of(self.step(&["-n"], part).output().expect("dbguard starts"))
    }

    /// Starts a command that joins the lock, and stays.
    fn stay(&self) -> Holder {
        Scene::started(self.step(&[], &["hold"]))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.release(&["-w", "0.1"]);
    }
}

fn try_lock(scene: &Scene, file: &str) -> Done {
    scene.play(&["exec", "-n", file], &["exit", "0"])
}

/// Waits until a file is free.
#[track_caller]
fn freed(scene: &Scene, file: &str) {
    scene.play(&["exec", "-w", "60", file], &["exit", "0"]).is(0);
}

/// Ends a process as nobody should.
fn kill(pid: u32) {
    let pid = pid.to_string();
    let words: &[&str] = match cfg!(windows) {
        true => &["taskkill", "/F", "/PID", &pid],
        false => &["kill", "-9", &pid],
    };
    let done = Command::new(words[0]).args(&words[1..]).output().expect("it is there");
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn a_lock_stays_when_acquire_has_returned_and_ends_with_release() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &[], "a.db");
    let refused = try_lock(&scene, "a.db").is(75);
    assert!(refused.errors.contains("held by"), "{refused:?}");
    let done = lease.release(&[]).is(0);
    assert_eq!((done.output.as_str(), done.errors.as_str()), ("", ""));
    try_lock(&scene, "a.db").is(0);
    assert!(lease.release(&[]).is(1).errors.contains("was released already"));
}

#[test]
fn the_plain_answer_is_the_token_and_joins() {
    let scene = Scene::new();
    let done = scene.run(&["acquire", "--ttl", "10m", "a.db"]).is(0);
    let token = done.output.trim().to_owned();
    try_lock(&scene, "a.db").is(75);
    let mut step = scene.dbguard(&["exec", "-n", "a.db", "--"]);
    step.args(actor::words()).env(actor::PART, "exit\n7").env("DBGUARD_HELD", &token);
    Done::of(step.output().expect("dbguard starts")).is(7);
    let mut release = scene.dbguard(&["release", "a.db"]);
    release.env("DBGUARD_TOKEN", &token);
    Done::of(release.output().expect("dbguard starts")).is(0);
    try_lock(&scene, "a.db").is(0);
}

#[test]
fn the_answer_can_be_lines_for_a_shell_or_a_job() {
    let scene = Scene::new();
    let told = scene.run(&["acquire", "--export", "sh", "a.db"]).is(0).output;
    assert!(told.starts_with("export DBGUARD_HELD="), "{told}");
    let token = told.trim_end().rsplit_once("DBGUARD_TOKEN=").expect("it is there").1;
    scene.run(&["release", "a.db", "--token", token.trim_matches('\'')]).is(0);
    let file = scene.path("env");
    fs::write(&file, "OTHER=1\n").expect("written");
    let acquire = || scene.dbguard(&["acquire", "--export", "github", "a.db"]);
    let done = acquire().env("GITHUB_ENV", &file).output().expect("dbguard starts");
    let token = Done::of(done).is(0).output;
    let lines = fs::read_to_string(&file).expect("there");
    assert!(lines.starts_with("OTHER=1\nDBGUARD_HELD="), "{lines}");
    assert!(lines.ends_with(&format!("\nDBGUARD_TOKEN={}\n", token.trim())), "{lines}");
    scene.run(&["release", "a.db", "--token", token.trim()]).is(0);
    let done = acquire().env_remove("GITHUB_ENV").output().expect("dbguard starts");
    assert!(Done::of(done).is(64).errors.contains("GITHUB_ENV"));
    try_lock(&scene, "a.db").is(0);
}

#[test]
fn who_cannot_have_it_at_once_or_in_time_leaves_nothing_behind() {
    let scene = Scene::new();
    let holder = scene.hold(&["exec", "a.db"]);
    let done = scene.run(&["acquire", "-n", "a.db"]).is(75);
    assert!(done.errors.contains("a.db is locked") && done.errors.contains("held by"), "{done:?}");
    assert_eq!(done.output, "");
    scene.run(&["acquire", "-w", "300ms", "a.db"]).is(124);
    scene.run(&["acquire", "-w", "300ms", "-E", "9", "a.db"]).is(9);
    assert_eq!(scene.waiting("a.db"), 0);
    assert_eq!(holder.end(), 0);
    try_lock(&scene, "a.db").is(0);
}

#[test]
fn an_acquire_that_waits_has_its_turn() {
    let scene = Scene::new();
    let holder = scene.hold(&["exec", "a.db"]);
    let mut waiting = scene.dbguard(&["acquire", "-w", "60", "a.db"]);
    let waiting = waiting.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let waiting = waiting.spawn().expect("dbguard starts");
    until("it waits", || scene.waiting("a.db") == 1);
    assert_eq!(holder.end(), 0);
    let done = Done::of(waiting.wait_with_output().expect("it ends")).is(0);
    try_lock(&scene, "a.db").is(75);
    scene.run(&["release", "a.db", "--token", done.output.trim()]).is(0);
    try_lock(&scene, "a.db").is(0);
}

#[test]
fn a_wait_that_nobody_would_hear_of_is_given_up() {
    let scene = Scene::new();
    let holder = scene.hold(&["exec", "a.db"]);
    let mut waiting = scene.dbguard(&["acquire", "-w", "10m", "a.db"]);
    waiting.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut waiting = waiting.spawn().expect("dbguard starts");
    until("it waits", || scene.waiting("a.db") == 1);
    waiting.kill().expect("it runs");
    waiting.wait().expect("it ends");
    // What is killed leaves its claim, which others pass over; what gives up takes it away.
    if cfg!(windows) {
        until("it has given up", || scene.waiting("a.db") == 0);
    }
    assert_eq!(holder.end(), 0);
    freed(&scene, "a.db");
}

#[test]
fn a_token_that_cannot_be_told_locks_nothing() {
    let scene = Scene::new();
    let mut command = scene.dbguard(&["acquire", "a.db"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let holder = scene.hold(&["exec", "a.db"]);
    let mut acquire = command.spawn().expect("dbguard starts");
    drop(acquire.stdout.take());
    until("it waits", || scene.waiting("a.db") == 1);
    assert_eq!(holder.end(), 0);
    let done = Done::of(acquire.wait_with_output().expect("it ends")).is(74);
    assert!(done.errors.contains("cannot tell the token"), "{done:?}");
    try_lock(&scene, "a.db").is(0);
}

#[test]
fn a_lock_ends_when_its_time_is_up() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["--ttl", "300ms"], "a.db");
    freed(&scene, "a.db");
    let done = lease.release(&[]).is(1);
    assert!(done.errors.contains("expired at"), "{done:?}");
}

#[test]
fn a_lock_ends_when_it_was_extended_to() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &[], "a.db");
    let expires = |done: Done| {
        let told: Value = serde_json::from_str(&done.is(0).output).expect("a document");
        told["expires"].as_str().expect("a time").to_owned()
    };
    let holder = &scene.info("a.db")["guard"]["holders"][0];
    let before = holder["expires"].as_str().expect("a time").to_owned();
    let later = expires(lease.release(&["--extend", "2h", "--json"]));
    assert!(later > before, "{later} and {before}");
    // It ends before it can say so, or right after that.
    let done = lease.release(&["--extend", "1ms"]);
    assert!(matches!(done.code, 0 | 1), "{done:?}");
    freed(&scene, "a.db");
}

#[test]
fn a_lock_ends_with_the_process_that_it_was_taken_for() {
    let scene = Scene::new();
    let owner = scene.hold_alone(&["hold"]);
    let pid = owner.child.id().to_string();
    let lease = Lease::take(&scene, &["--for-pid", &pid], "a.db");
    let done = lease.release(&["--extend", "1h"]).is(1);
    assert!(done.errors.contains("no time that could be extended"), "{done:?}");
    try_lock(&scene, "a.db").is(75);
    assert_eq!(owner.end(), 0);
    freed(&scene, "a.db");
    let done = lease.release(&[]).is(1);
    assert!(done.errors.contains("ended with the process"), "{done:?}");
    let done = scene.run(&["acquire", "--for-pid", &pid, "a.db"]).is(64);
    assert!(done.errors.contains(&format!("there is no process {pid}")), "{done:?}");
}

#[test]
fn a_killed_keeper_keeps_nothing_and_those_who_relied_on_it_hear_of_it() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &[], "a.db");
    kill(lease.keeper);
    freed(&scene, "a.db");
    let joined = lease.join(&["exit", "0"]).is(0);
    assert!(joined.errors.contains("its keeper was killed"), "{joined:?}");
    lease.release(&[]).is(1);
}

#[test]
fn steps_join_and_take_turns() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &[], "a.db");
    lease.join(&["exit", "4"]).is(4);
    let first = lease.stay();
    lease.join(&["exit", "0"]).is(75);
    assert_eq!(first.end(), 0);
    lease.join(&["exit", "0"]).is(0);
    try_lock(&scene, "a.db").is(75);
}

#[test]
fn a_release_waits_for_steps_that_still_run() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &[], "a.db");
    let step = lease.stay();
    assert!(lease.release(&["-w", "300ms"]).is(124).errors.contains("still run"));
    try_lock(&scene, "a.db").is(75);
    assert_eq!(step.end(), 0, "a release ends no command");
    freed(&scene, "a.db");
}

#[test]
fn steps_end_with_a_lock_whose_time_is_up() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &[], "a.db");
    let mut step = lease.step(&[], &["hold"]);
    step.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut step = step.spawn().expect("dbguard starts");
    // Open until the end of the test, so that the command does not end by itself.
    let _input = step.stdin.take();
    until("it has joined", || {
        fs::read_dir(scene.path(".dbguard/a.db/held"))
            .is_ok_and(|held| held.flatten().any(|entry| entry.path().join("held").is_dir()))
    });
    let done = lease.release(&["--extend", "1ms"]);
    assert!(matches!(done.code, 0 | 1), "{done:?}");
    let done = Done::of(step.wait_with_output().expect("it ends")).is(76);
    assert!(done.errors.contains("expired"), "{done:?}");
    freed(&scene, "a.db");
}

#[test]
fn several_files_end_together_and_readers_share() {
    let scene = Scene::new();
    let token = scene.run(&["acquire", "a.db", "b.db"]).is(0).output;
    try_lock(&scene, "b.db").is(75);
    scene.run(&["release", "b.db", "--token", token.trim()]).is(0);
    try_lock(&scene, "a.db").is(0);
    let shared = Lease::take(&scene, &["-s"], "a.db");
    scene.play(&["exec", "-n", "-s", "a.db"], &["exit", "0"]).is(0);
    try_lock(&scene, "a.db").is(75);
    shared.release(&[]).is(0);
    try_lock(&scene, "a.db").is(0);
}

#[test]
fn info_names_the_process_that_keeps_the_lock() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["--ttl", "1h"], "a.db");
    let held = scene.info("a.db");
    let holder = &held["guard"]["holders"][0];
    assert_eq!(held["guard"]["state"], "held");
    // Where locks can be handed on, the keeper is the child of the one that took it.
    let pid = if holder["child_pid"].is_null() { &holder["pid"] } else { &holder["child_pid"] };
    assert_eq!((pid, &holder["lease"]), (&lease.keeper.into(), &true.into()));
    assert!(holder["expires"].is_string(), "{holder}");
    let words = scene.run(&["info", "a.db"]).is(0).output;
    assert!(words.contains("dbguard release"), "{words}");
}

/// Whoever may write the claim could otherwise have `release`, run by another user, end any process.
#[test]
fn a_release_ends_no_process_that_only_the_claim_names() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &[], "a.db");
    let mut victim = scene.hold(&["exec", "b.db"]);
    let claim = |file: &str| {
        let held = scene.path(".dbguard").join(file).join("held");
        let mut claims = fs::read_dir(held).expect("there").flatten().map(|entry| entry.path());
        claims.find(|path| path.is_file()).expect("a claim")
    };
    let told = fs::read_to_string(claim("b.db")).expect("claims can be read");
    let mut lines = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_victim = lines.find(|line| line["child"].is_u64()).expect("it is noted");
    let forged = serde_json::json!({
        "child": of_victim["child"],
        "child_start": of_victim["child_start"],
    });
    let mut file = fs::File::options().append(true).open(claim("a.db")).expect("it is ours");
    writeln!(file, "{forged}").expect("written");
    for options in [&["-w", "0.2"][..], &["--extend", "1h"]] {
        let done = lease.release(options).is(77);
        assert!(done.errors.contains("cannot see that process"), "{done:?}");
        assert!(victim.child.try_wait().expect("ours").is_none());
    }
    assert_eq!(victim.end(), 0, "it has nothing to do with the lock");
    kill(lease.keeper);
    freed(&scene, "a.db");
}
