//! `dbguard watch` on a pipe: what happens is told, in its order, by the right name, of the right
//! process.

use std::fs;

use serde_json::Value;

use crate::info_crew::{CONNECT, Client, shows_locks};
use crate::process::{PATIENCE, until};
use crate::scene::{Scene, have, is_wine};
use crate::sql_crew::database;
use crate::watch_crew::{Watcher, watch};

fn with_file() -> Scene {
    let scene = Scene::new();
    scene.file("a.db", "");
    scene
}

#[test]
fn a_wait_a_grant_and_a_release_are_told_of_the_right_process() {
    let scene = with_file();
    let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
    let holder = scene.hold(["--label", "nightly", "a.db"]);
    let pid = holder.process.pid();
    let acquired = watcher.until_of("acquired", pid);
    assert_eq!(acquired["mode"], "exclusive");
    let child = &acquired["child_pid"];
    // Processes are made slowly under Wine: seen early, it has no command yet.
    let is_early = is_wine() && child.is_null();
    assert!(is_early || *child == holder.command_pid(), "{acquired}");
    assert_eq!((&acquired["initial"], &acquired["schema"]), (&false.into(), &1.into()));
    assert_eq!((&acquired["label"], &acquired["via"]), (&"nightly".into(), &"claim".into()));
    assert_eq!(acquired["key"], Value::Null);
    let waiter = scene.queue_up("a.db", &["-s"]);
    let waits = watcher.until_of("waiting", waiter.process.pid());
    assert_eq!((&waits["mode"], &waits["position"]), (&"shared".into(), &1.into()));
    holder.end().expect(0);
    let released = watcher.until_of("released", pid);
    assert!(released["held_ms"].is_u64(), "{released}");
    let waiting = waiter.process.pid();
    let granted = watcher.until_of("acquired", waiting);
    assert!(granted["waited_ms"].is_u64(), "{granted}");
    waiter.end().expect(0);
    watcher.until_of("released", waiting);
    let names = watcher.names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let expected = ["watching", "acquired", "waiting", "released", "acquired", "released"];
    assert_eq!(names, expected, "{:#?}", watcher.events());
}

#[test]
fn what_was_so_when_the_watch_began_is_told_as_initial() {
    let scene = with_file();
    let holder = scene.hold(["a.db"]);
    let waiter = scene.queue_up("a.db", &[]);
    let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
    watcher.until_of("waiting", waiter.process.pid());
    watcher.until_of("acquired", holder.process.pid());
    let events = watcher.events();
    assert!(events.iter().all(|event| event["initial"] == true), "{events:#?}");
    assert_eq!((&events[0]["event"], &events[0]["state"]), (&"watching".into(), &"held".into()));
    drop((waiter, holder));
}

/// A killed dbguard has not released; its command has the lock until it ends, and only then the
/// holder is dead.
#[test]
#[cfg(target_os = "linux")]
fn a_killed_holder_has_died_when_his_command_has_ended_too() {
    let scene = with_file();
    let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
    let mut holder = scene.hold(["a.db"]);
    let pid = holder.process.pid();
    watcher.until_of("acquired", pid);
    holder.process.kill();
    let next = scene.queue_up("a.db", &[]);
    watcher.until_of("waiting", next.process.pid());
    assert!(!watcher.names().contains(&"died".to_owned()), "its command lives");
    holder.process.close_input();
    let died = watcher.until_of("died", pid);
    assert_eq!((&died["was"], died["held_ms"].is_u64()), (&"holding".into(), true));
    watcher.until_of("acquired", next.process.pid());
    assert!(!watcher.names().contains(&"released".to_owned()), "{:?}", watcher.names());
    next.end().expect(0);
}

/// The next in line clears the claim of a dead holder in the moment in which he gets the lock, so
/// that nobody ever sees it dead. It was told as a release.
#[test]
fn a_holder_whose_claim_is_cleared_at_once_has_died_all_the_same() {
    let scene = with_file();
    // So seldom that the claim is cleared between two looks.
    let words = ["watch", "--interval", "3", "a.db"];
    let mut watcher = scene.dbguard(words).spawn();
    let told = |watcher: &crate::process::Process, text: &str| watcher.stdout().contains(text);
    watcher.until("it watches", || true);
    until("it watches", || told(&watcher, "\"watching\""));
    let mut holder = scene.dbguard(["exec", "--close", "a.db", "--", "cat"]).spawn_fed();
    until("it is seen to hold", || told(&watcher, "\"acquired\""));
    let next = scene.queue_up("a.db", &[]);
    until("the next is seen to wait", || told(&watcher, "\"waiting\""));
    holder.kill();
    holder.close_input();
    until("its end is told", || told(&watcher, "\"died\"") || told(&watcher, "\"released\""));
    let output = watcher.stdout();
    assert!(output.contains("\"died\"") && !output.contains("\"released\""), "{output}");
    next.end().expect(0);
}

#[test]
#[cfg(target_os = "linux")]
fn who_is_told_to_stop_waiting_has_given_up() {
    let scene = with_file();
    let holder = scene.hold(["a.db"]);
    let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
    let mut waiter = scene.queue_up("a.db", &["-w", "inf"]);
    let pid = waiter.process.pid();
    watcher.until_of("waiting", pid);
    waiter.process.signal(crate::system::Signal::TERM);
    waiter.process.wait();
    let gave_up = watcher.until_of("gave_up", pid);
    assert!(gave_up["waited_ms"].is_u64(), "{gave_up}");
    drop(holder);
}

#[test]
fn a_waiter_whose_time_is_up_has_given_up_and_one_who_is_killed_has_died() {
    let scene = with_file();
    let holder = scene.hold(["a.db"]);
    let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
    let mut waiter = scene.queue_up("a.db", &["-w", "10"]);
    let pid = waiter.process.pid();
    watcher.until_of("waiting", pid);
    waiter.process.wait().expect(124);
    let gave_up = watcher.until_of("gave_up", pid);
    assert!(gave_up["waited_ms"].is_u64(), "{gave_up}");
    let waiter = scene.queue_up("a.db", &["-w", "inf"]);
    let pid = waiter.process.pid();
    watcher.until_of("waiting", pid);
    waiter.process.kill();
    assert_eq!(watcher.until_of("died", pid)["was"], "waiting");
    drop(holder);
}

/// A waiter who is stopped is passed over: his claim loses its name, and he waits on.
#[test]
fn a_stopped_waiter_who_is_passed_over_has_not_given_up() {
    let scene = with_file();
    let holder = scene.hold(["a.db"]);
    let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
    let mut stopped = scene.queue_up("a.db", &["-w", "inf"]);
    let pid = stopped.process.pid();
    let next = scene.queue_up("a.db", &["-w", "inf"]);
    watcher.until_of("waiting", next.process.pid());
    stopped.process.stop();
    holder.end().expect(0);
    watcher.until_of("acquired", next.process.pid());
    let of_it = |name: &str| {
        watcher.events().iter().any(|event| event["event"] == name && event["pid"] == pid)
    };
    assert!(!of_it("gave_up") && !of_it("died"), "{:#?}", watcher.events());
    stopped.process.resume();
    next.end().expect(0);
    watcher.until_of("acquired", pid);
    stopped.end().expect(0);
    watcher.until_of("released", pid);
}

#[test]
fn holders_of_keys_are_told_once_and_with_their_key() {
    let scene = with_file();
    let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
    let one = scene.hold(["-k", "tenant-7", "a.db"]);
    let other = scene.hold(["-k", "tenant-8", "a.db"]);
    assert_eq!(watcher.until_of("acquired", one.process.pid())["key"], "tenant-7");
    let pid = other.process.pid();
    assert_eq!(watcher.until_of("acquired", pid)["key"], "tenant-8");
    other.end().expect(0);
    assert_eq!(watcher.until_of("released", pid)["key"], "tenant-8");
    drop(one);
}

#[test]
fn a_plain_flock_user_is_told_by_what_the_kernel_knows() {
    if !shows_locks() {
        return;
    }
    let scene = with_file();
    scene.make_state("a.db");
    let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
    let holder = scene.plain_flock(scene.state("a.db", "lock"));
    let pid = holder.pid();
    assert_eq!(watcher.until_of("acquired", pid)["via"], "kernel");
    drop(holder);
    watcher.until_of("released", pid);
}

#[test]
fn locks_of_sqlite_are_told_while_they_keep_somebody_out() {
    if !shows_locks() || !have(&["python3", "sqlite3"]) {
        return;
    }
    for journal in ["delete", "wal"] {
        let scene = Scene::new();
        database(&scene, "a.db", journal, "CREATE TABLE t(n);");
        let mut client = Client::doing(&scene, CONNECT);
        client.run("db.execute('select * from t').fetchall()");
        let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
        assert_eq!(watcher.until("watching", |_| true)["engine"], "sqlite");
        client.run("db.execute('begin immediate')");
        let locked = watcher.until_of("native_locked", client.pid());
        assert_eq!((&locked["blocks"], &locked["kind"]), (&"writers".into(), &"posix".into()));
        let meaning = locked["meaning"].as_str().expect("text");
        assert!(meaning.contains("write transaction"), "{meaning}");
        client.run("db.execute('commit')");
        let released = watcher.until_of("native_released", client.pid());
        assert!(released["held_ms"].is_u64(), "{released}");
        assert_ne!(released["process_state"], "gone", "{released}");
        let expected = ["watching", "native_locked", "native_released"];
        assert_eq!(watcher.names(), expected, "{:#?}", watcher.events());
    }
}

/// Runs that come and go beside the watch are told by claims alone: in the instant in which a lock
/// is taken it has no claim yet, and nobody else may be told for that.
#[test]
fn a_storm_of_short_runs_is_never_told_as_strangers() {
    let scene = with_file();
    let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
    // Wine starts few processes in a second.
    let runs = if is_wine() { 20 } else { 150 };
    let script = format!(
        "i=0; while test $i -lt {runs}; do i=$((i + 1)); \
         \"$DBGUARD\" exec a.db -- true || exit 1; done"
    );
    scene.shell(&script).run().expect(0);
    let last = scene.hold(["a.db"]);
    watcher.until_of("acquired", last.process.pid());
    let events = watcher.events();
    assert!(events.iter().all(|event| event["via"] != "kernel"), "{events:#?}");
    // Who ended between the look at his claim and the one at his process was told as dead.
    assert!(events.iter().all(|event| event["event"] != "died"), "{events:#?}");
    drop(last);
}

#[test]
fn a_directory_is_searched_and_what_comes_and_goes_is_noticed() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    scene.file("sub/notes.txt", "no database");
    database(&scene, "sub/a.db", "delete", "CREATE TABLE t(n);");
    scene.make_state("sub/mutex");
    let mut watcher = Watcher::of(&scene, &["."], "sub/a.db");
    let output = watcher.process.stdout();
    let quoted = |name: &str| serde_json::json!(scene.path("").join(name)).to_string();
    let mutex = quoted(if cfg!(windows) { r"sub\mutex" } else { "sub/mutex" });
    assert!(output.contains(&mutex) && !output.contains("notes.txt"), "{output}");
    database(&scene, "b.db", "delete", "CREATE TABLE t(n);");
    let found = || fs::read_to_string(watcher.process.stdout_path()).unwrap_or_default();
    until("the new one is found", || found().contains(&quoted("b.db")));
    fs::remove_file(scene.path("sub/a.db")).expect("it is ours");
    watcher.until("gone", |_| true);
}

#[test]
fn until_free_ends_when_nobody_has_any_of_them() {
    let scene = with_file();
    scene.file("b.db", "");
    watch(&scene, &["--until", "free", "a.db", "b.db"]).run().expect(0);
    let holder = scene.hold(["b.db"]);
    let mut watcher = Watcher::of(&scene, &["--until", "free", "a.db", "b.db"], "b.db");
    watcher.until_of("acquired", holder.process.pid());
    assert!(watcher.process.runs());
    holder.end().expect(0);
    watcher.ended().expect(0).silent();
}

#[test]
fn until_free_waits_for_the_engine_too() {
    if !shows_locks() || !have(&["python3", "sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    let mut client = Client::doing(&scene, CONNECT);
    client.run("db.execute('begin immediate')");
    let mut watcher = Watcher::of(&scene, &["--until", "free", "a.db"], "a.db");
    watcher.until_of("native_locked", client.pid());
    assert!(watcher.process.runs());
    client.run("db.execute('commit')");
    watcher.ended().expect(0).silent();
}

#[test]
fn until_held_ends_when_somebody_has_one_of_them() {
    let scene = with_file();
    scene.file("b.db", "");
    let mut watcher = Watcher::of(&scene, &["--until", "held", "a.db", "b.db"], "b.db");
    assert!(watcher.process.runs());
    let holder = scene.hold(["b.db"]);
    watcher.ended().expect(0).silent();
    watch(&scene, &["--until", "held", "b.db"]).run().expect(0);
    holder.end().expect(0);
}

/// Somebody was told to have got it, and the watch went on: he was gone again before the look.
#[test]
fn until_held_ends_with_a_grant_that_is_over_already() {
    let scene = with_file();
    let holder = scene.hold(["a.db"]);
    let mut waiter = scene.queue_up("a.db", &["-w", "inf"]);
    waiter.process.stop();
    holder.end().expect(0);
    // So seldom that he comes and goes between two looks.
    let words = ["watch", "--interval", "3", "--until", "held", "a.db"];
    let mut watcher = scene.dbguard(words).spawn();
    let output = watcher.stdout_path();
    let told = |text: &str| fs::read_to_string(&output).unwrap_or_default().contains(text);
    watcher.until("it is seen to wait", || told("\"waiting\""));
    waiter.process.resume();
    waiter.end().expect(0);
    assert!(watcher.ends_within(PATIENCE), "{}", watcher.stdout());
    let ended = watcher.wait().expect(0);
    assert!(ended.stdout.contains("\"acquired\""), "{}", ended.describe());
}

#[test]
fn until_gives_up_in_time_and_says_who_has_it() {
    let scene = with_file();
    watch(&scene, &["--until", "held", "-w", "0.2", "a.db"])
        .run()
        .expect(124)
        .says("nobody has had");
    let holder = scene.hold(["a.db"]);
    holder.until_recorded(&scene, "a.db");
    let words = ["--until", "free", "-w", "0.2", "a.db"];
    let ended = watch(&scene, &words).run().expect(124).says("a.db is still held after 200ms");
    let ended = ended.says(&format!("(pid {}", holder.command_pid()));
    assert!(ended.stdout.contains("\"acquired\""), "{}", ended.describe());
    let ended = watch(&scene, &["--json"]).words(words).run().expect(124);
    let error = ended.error_document();
    assert_eq!(
        (&error["code"], &error["holder"]["pid"]),
        (&"timeout".into(), &holder.process.pid().into())
    );
    holder.end().expect(0);
}

#[test]
fn only_the_events_that_were_asked_for_are_told() {
    let scene = with_file();
    let holder = scene.hold(["a.db"]);
    let words = ["--until", "free", "--events", "watching,released", "a.db"];
    let mut watcher = Watcher::of(&scene, &words, "a.db");
    let pid = holder.process.pid();
    holder.end().expect(0);
    watcher.ended().expect(0);
    assert_eq!(watcher.names(), ["watching", "released"], "{:#?}", watcher.events());
    assert_eq!(watcher.events()[1]["pid"], pid);
}
