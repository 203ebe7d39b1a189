//! `dbguard acquire` and `dbguard release`: a lock between the steps of a script.

use std::fs;

use serde_json::Value;

use crate::lease_crew::{Lease, try_lock};
use crate::process::lives;
use crate::scene::{Scene, is_wine};
#[cfg(target_os = "linux")]
use {crate::lease_crew::start_of, crate::process::until, crate::system::Signal, std::path::Path};

#[test]
fn a_lock_stays_when_acquire_has_returned_and_ends_with_release() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let ended = try_lock(&scene).run().expect(75);
    if !is_wine() {
        ended.says("dbguard acquire");
    }
    let late = scene.dbguard(["exec", "-w", "0.1", "a.db", "--", "true"]).run().expect(124);
    late.says("ends in").says("dbguard release a.db --token TOKEN");
    lease.release().run().expect(0).silent();
    assert!(!lives(lease.keeper), "release returns when it is over");
    scene.assert_free("a.db");
}

#[test]
fn the_plain_answer_is_the_token_and_joins() {
    let scene = Scene::new();
    let script = "token=$(\"$DBGUARD\" acquire a.db) && DBGUARD_HELD=$token \"$DBGUARD\" exec -n a.db \
                  -- printf joined && \"$DBGUARD\" release a.db --token \"$token\"";
    scene.shell(script).run().expect(0).silent().answers("joined");
    scene.assert_free("a.db");
}

#[test]
fn the_exported_variables_join_and_release() {
    let scene = Scene::new();
    scene.file("it's a.db", "");
    let script = "eval \"$(\"$DBGUARD\" acquire --export sh \"it's a.db\")\" && \
                  \"$DBGUARD\" exec -n \"it's a.db\" -- printf 'one\\n' && \
                  \"$DBGUARD\" exec -n \"it's a.db\" -- printf 'two\\n' && \
                  \"$DBGUARD\" release \"it's a.db\" && \"$DBGUARD\" exec -n \"it's a.db\" -- printf three";
    scene.shell(script).run().expect(0).answers("one\ntwo\nthree");
}

#[test]
fn the_steps_of_a_job_find_the_variables_in_its_file() {
    let scene = Scene::new();
    let file = scene.fresh("env");
    fs::write(&file, "OTHER=1\n").expect("write");
    let acquire = scene.dbguard(["acquire", "--export", "github", "a.db"]);
    let token = acquire.env("GITHUB_ENV", &file).run().expect(0).stdout;
    let lines = fs::read_to_string(&file).expect("read");
    let value = |name: &str| {
        let line = lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.expect("the variable").to_owned()
    };
    assert_eq!((value("OTHER").as_str(), value("DBGUARD_TOKEN").as_str()), ("1", token.trim()));
    let step = scene.dbguard(["exec", "-n", "a.db", "--", "true"]);
    step.env("DBGUARD_HELD", value("DBGUARD_HELD")).run().expect(0);
    scene.dbguard(["release", "a.db"]).env("DBGUARD_TOKEN", token.trim()).run().expect(0);
    scene.assert_free("a.db");
    scene.dbguard(["acquire", "--export", "github", "a.db"]).run().expect(64).says("GITHUB_ENV");
    scene.assert_free("a.db");
}

#[test]
fn steps_that_join_take_turns() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let mut first = lease.step(["exec", "a.db"]).contend();
    first.until_holding();
    lease.step(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    assert_eq!(first.end().code, Some(0));
    lease.step(["exec", "-n", "a.db", "--", "true"]).run().expect(0);
    lease.release().run().expect(0);
}

#[test]
fn a_release_waits_for_steps_that_still_run() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["a.db"]);
    let mut step = lease.step(["exec", "a.db"]).contend();
    step.until_holding();
    lease.release().words(["-w", "0.1"]).run().expect(124).says("still run");
    try_lock(&scene).run().expect(75);
    let mut waiting = lease.release().spawn();
    waiting
        .until("it has been told", || scene.held("a.db").iter().all(|name| !name.ends_with('x')));
    assert_eq!(step.end().code, Some(0), "a release ends no command");
    // The keeper may end between the two looks of the second call.
    waiting.wait().expect_any(&[0, 1]);
    lease.until_ended();
    scene.assert_free("a.db");
}

#[test]
fn a_reader_shares_a_shared_lock_and_a_writer_does_not() {
    let scene = Scene::new();
    let lease = Lease::take(&scene, &["-s", "a.db"]);
    scene.dbguard(["exec", "-ns", "a.db", "--", "true"]).run().expect(0);
    try_lock(&scene).run().expect(75);
    lease.release().run().expect(0);
    scene.assert_free("a.db");
}

#[test]
fn several_files_and_keys_end_together() {
    let scene = Scene::new();
    let both = Lease::take(&scene, &["a.db", "b.db"]);
    scene.dbguard(["exec", "-n", "b.db", "--", "true"]).run().expect(75);
    both.step(["exec", "-n", "a.db", "b.db", "--", "true"]).run().expect(0);
    scene.dbguard(["release", "b.db", "--token", &both.token]).run().expect(0);
    scene.assert_free("a.db");
    scene.assert_free("b.db");
    let key = Lease::take(&scene, &["-k", "one", "a.db"]);
    scene.dbguard(["exec", "-n", "-k", "two", "a.db", "--", "true"]).run().expect(0);
    scene.dbguard(["exec", "-n", "-k", "one", "a.db", "--", "true"]).run().expect(75);
    key.release().run().expect(0);
    scene.dbguard(["exec", "-n", "-k", "one", "a.db", "--", "true"]).run().expect(0);
}

#[test]
fn a_lock_inside_a_lock_is_released_by_its_own_token() {
    let scene = Scene::new();
    let outer = Lease::take(&scene, &["a.db"]);
    let ended = outer.step(["acquire", "--json", "a.db"]).run().expect(0);
    let inner: Value = serde_json::from_str(&ended.stdout).expect("a document");
    let token = inner["token"].as_str().expect("a token");
    outer.step(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    scene.dbguard(["release", "a.db", "--token", token]).run().expect(0).silent();
    outer.step(["exec", "-n", "a.db", "--", "true"]).run().expect(0);
    outer.release().run().expect(0);
    scene.assert_free("a.db");
}

#[test]
fn every_reason_for_nothing_to_release_has_its_own_message() {
    let scene = Scene::new();
    scene.file("b.db", "");
    let release = |token: &str| scene.dbguard(["release", "a.db", "--token", token]).run();
    let unknown = "1.00000000000000ab";
    release(unknown).expect(1).says("no lock of a.db with this token");
    let lease = Lease::take(&scene, &["a.db"]);
    release(unknown).expect(1).says("no lock of a.db with this token");
    let elsewhere = ["release", "b.db", "--token", &lease.token];
    scene.dbguard(elsewhere).run().expect(1).says("no lock of b.db with this token");
    for nonsense in ["x", "1.2@/tmp", "12"] {
        release(nonsense).expect(64).says("not a token");
    }
    scene.dbguard(["release", "a.db"]).run().expect(64).says("no token was given");
    try_lock(&scene).run().expect(75);
    lease.release().run().expect(0);
    lease.release().run().expect(1).says("was released already");
    let id = lease.token.split('@').next().expect("an id");
    release(id).expect(1).says("was released already");
    let script = "\"$DBGUARD\" release a.db --token \"$DBGUARD_HELD\"";
    let under = scene.dbguard(["exec", "a.db", "--", "sh", "-c", script]).run();
    under.expect(1).says("was not taken by dbguard acquire: it is held by");
    scene.assert_free("a.db");
}

/// Nothing that ends a job or a session reaches the keeper, and nothing of it is kept busy.
#[test]
#[cfg(target_os = "linux")]
fn the_keeper_belongs_to_nobody() {
    let scene = Scene::new();
    let script = "trap '' TERM; exec 7>>other; \"$DBGUARD\" acquire a.db >token";
    let mut shell = scene.shell(script).spawn();
    shell.wait().expect(0).silent();
    let token = scene.read("token").trim().to_owned();
    let info = scene.dbguard(["info", "--json", "a.db"]).run().expect(0);
    let document: Value = serde_json::from_str(&info.stdout).expect("a document");
    let pid = &document["resources"][0]["guard"]["holders"][0]["child_pid"];
    let keeper = pid.as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a process");
    let start = start_of(keeper);
    let lease = Lease { scene: scene.clone(), held: token.clone(), token, keeper, start };
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::USR1, Signal::USR2] {
        lease.signal(signal);
    }
    let proc = |name: &str| Path::new("/proc").join(keeper.to_string()).join(name);
    assert_eq!(fs::read_link(proc("cwd")).expect("ours"), Path::new("/"));
    let state = fs::canonicalize(scene.path(".dbguard")).expect("it is there");
    let foreign = || -> Vec<_> {
        let open = fs::read_dir(proc("fd")).expect("ours").flatten();
        let files = open.map(|entry| fs::read_link(entry.path()).unwrap_or_default());
        let is_ours = |file: &Path| file.starts_with(&state) || state.parent() == Some(file);
        files.filter(|file| !is_ours(file) && file != Path::new("/dev/null")).collect()
    };
    until("nothing but the files of the lock is open", || foreign().is_empty());
    let stat = fs::read_to_string(proc("stat")).expect("ours");
    let fields: Vec<_> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
    assert_eq!((fields[3], fields[4]), (keeper.to_string().as_str(), "0"), "session and terminal");
    try_lock(&scene).run().expect(75);
    lease.release().run().expect(0);
    scene.assert_free("a.db");
}

#[test]
#[cfg(target_os = "linux")]
fn a_token_that_cannot_be_told_locks_nothing() {
    let scene = Scene::new();
    scene
        .shell("\"$DBGUARD\" acquire a.db >/dev/full")
        .run()
        .expect(74)
        .says("cannot tell the token");
    scene.assert_free("a.db");
}

#[test]
#[cfg(target_os = "linux")]
fn an_acquire_that_waits_is_interrupted_as_exec_is() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    let before = scene.queue("a.db");
    let mut waiting = scene.dbguard(["acquire", "a.db"]).spawn();
    waiting.until("it waits", || scene.queue("a.db") != before);
    waiting.signal(Signal::INT);
    waiting.wait().expect(130);
    assert_eq!(holder.end().code, Some(0));
    scene.assert_free("a.db");
}

#[test]
fn an_acquire_that_waits_gives_up_as_exec_does() {
    let scene = Scene::new();
    let holder = scene.hold(["a.db"]);
    scene.dbguard(["acquire", "-n", "a.db"]).run().expect(75);
    scene.dbguard(["acquire", "-w", "0.1", "-E", "9", "a.db"]).run().expect(9);
    let before = scene.queue("a.db");
    let mut waiting = scene.dbguard(["acquire", "a.db"]).spawn();
    waiting.until("it waits", || scene.queue("a.db") != before);
    assert_eq!(holder.end().code, Some(0));
    let token = waiting.wait().expect(0).stdout;
    try_lock(&scene).run().expect(75);
    scene.dbguard(["release", "a.db", "--token", token.trim()]).run().expect(0);
    scene.assert_free("a.db");
}
