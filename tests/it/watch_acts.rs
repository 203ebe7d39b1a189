//! `dbguard watch` acts: `--exec`, `--fix`; and what it does about readers and bad inputs.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::info_quiet::traced;
use crate::process::until;
#[cfg(target_os = "linux")]
use crate::scene::is_root;
use crate::scene::{Scene, have, wine_lacks};
use crate::sql_crew::{SPILLED, Shell, assert_sound, database};
use crate::system::Signal;
use crate::watch_crew::{Watcher, watch};

/// What ends a watch.
#[cfg(target_os = "linux")]
const END: Signal = Signal::TERM;
#[cfg(windows)]
const END: Signal = Signal::KILL;

fn with_file() -> Scene {
    let scene = Scene::new();
    scene.file("a.db", "");
    scene
}

/// What the command noted of each event, one a line.
fn noted(scene: &Scene) -> Vec<String> {
    scene.read("noted").lines().map(str::to_owned).collect()
}

#[test]
fn the_command_is_run_for_each_event_in_order_with_the_event_on_its_input() {
    let scene = with_file();
    let holder = scene.hold(["a.db"]);
    let note = "cat >>lines; echo said; echo \"$DBGUARD_EVENT $DBGUARD_PID $DBGUARD_FILE\" >>noted";
    scene.file("note.sh", note);
    let mut watcher = Watcher::of(&scene, &["--exec", "sh note.sh", "a.db"], "a.db");
    let pid = holder.command_pid();
    holder.end().expect(0);
    until("the command has run", || noted(&scene).len() == 1);
    for _ in 0..2 {
        let next = scene.hold(["-s", "a.db"]);
        watcher.until_of("acquired", next.process.pid());
        let pid = next.process.pid();
        next.end().expect(0);
        watcher.until_of("released", pid);
    }
    until("the command has run", || noted(&scene).len() == 5);
    let noted = noted(&scene);
    let path = scene.path("a.db");
    assert_eq!(noted[0], format!("released {pid} {}", path.display()), "not what was there before");
    let names: Vec<&str> = noted.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["released", "acquired", "released", "acquired", "released"]);
    let lines = scene.read("lines");
    let first: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["event"], &first["child_pid"]), (&"released".into(), &pid.into()));
    assert_eq!(lines.lines().count(), 5);
    assert!(!watcher.process.stdout().contains("said"), "the lines of JSON stay whole");
    assert!(watcher.process.stderr().contains("said"));
}

#[test]
fn a_command_that_fails_is_a_warning_and_one_that_reads_nothing_is_no_error() {
    let scene = with_file();
    let words = ["--exec", "exit 3", "--until", "held", "a.db"];
    let mut watcher = Watcher::of(&scene, &words, "a.db");
    let holder = scene.hold(["a.db"]);
    watcher.ended().expect(0).says("--exec: the command exited with 3");
    drop(holder);
}

#[test]
#[cfg(target_os = "linux")]
fn a_command_that_a_signal_ends_is_a_warning() {
    let scene = with_file();
    let words = ["--exec", "kill -9 $$", "--until", "held", "a.db"];
    let mut watcher = Watcher::of(&scene, &words, "a.db");
    let holder = scene.hold(["a.db"]);
    watcher.ended().expect(0).says("signal 9 ended the command");
    drop(holder);
}

/// The end waits for the command: a script that goes on after `--until` finds its work done.
#[test]
fn the_end_waits_for_the_command() {
    let scene = with_file();
    scene.file("slow.sh", "until test -e gate; do :; done; echo done >>noted");
    let words = ["--exec", "sh slow.sh", "--until", "held", "a.db"];
    let mut watcher = Watcher::of(&scene, &words, "a.db");
    let holder = scene.hold(["a.db"]);
    watcher.until_of("acquired", holder.process.pid());
    assert!(noted(&scene).is_empty());
    let said = "waiting for the command of --exec to end";
    until("it says so", || watcher.process.stderr().contains(said));
    scene.file("gate", "");
    watcher.ended().expect(0);
    assert_eq!(noted(&scene), ["done"]);
    drop(holder);
}

#[test]
fn a_shell_that_is_missing_is_told_at_once() {
    let scene = with_file();
    let shell = if cfg!(windows) { "ComSpec" } else { "SHELL" };
    let run = watch(&scene, &["--exec", "true", "a.db"]).env(shell, "/no/such/shell");
    run.run().expect(127).says("command not found");
}

/// Ages a claim, as if its holder had died long ago: `fix` leaves fresh ones alone.
fn age(scene: &Scene) {
    for name in scene.held("a.db") {
        let path = scene.state("a.db", "held").join(name);
        let claim = fs::File::options().write(true).open(path).expect("it is there");
        let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
        claim.set_modified(an_hour_ago).expect("it is ours");
    }
}

#[test]
fn what_a_dead_holder_left_is_cleared_and_told() {
    if wine_lacks("a name that is free as soon as an open file is removed") {
        return;
    }
    let scene = with_file();
    let mut watcher = Watcher::of(&scene, &["--fix", "a.db"], "a.db");
    let mut holder = scene.hold(["a.db"]);
    let pid = holder.process.pid();
    watcher.until_of("acquired", pid);
    age(&scene);
    holder.process.kill();
    holder.process.close_input();
    watcher.until_of("died", pid);
    let fixed = watcher.until("fixed", |_| true);
    let items = fixed["items"].as_array().expect("a list");
    assert_eq!((&items[0]["kind"], &items[0]["action"]), (&"claim".into(), &"removed".into()));
    assert!(scene.held("a.db").is_empty(), "{}", scene.describe());
}

/// The path was passed on as text, with replacement characters: nothing was cleared, and the
/// command was given the name of a file that is not there.
#[test]
#[cfg(target_os = "linux")]
fn a_name_that_is_no_text_is_cleared_and_passed_on_as_it_is() {
    use std::os::unix::ffi::OsStrExt;

    let scene = Scene::new();
    let name = std::ffi::OsStr::from_bytes(b"a\xff.db");
    fs::write(scene.path(name), "").expect("write");
    let note = "ls -d \"$DBGUARD_FILE\" && echo \"$DBGUARD_EVENT\" >>noted";
    let words = ["watch", "--interval", "0.05", "--fix", "--exec", note];
    let mut watcher = scene.dbguard(words).words([name]).spawn();
    let output = watcher.stdout_path();
    let told = |text: &str| fs::read_to_string(&output).unwrap_or_default().contains(text);
    watcher.until("it watches", || told("\"watching\""));
    let mut holder = scene.dbguard(["exec"]).words([name]).words(["--", "cat"]).spawn_fed();
    watcher.until("it is acquired", || told("\"acquired\""));
    let aged = "find .dbguard -path '*/held/*' -exec touch -d '1 hour ago' {} +";
    scene.shell(aged).run().expect(0);
    holder.kill();
    holder.close_input();
    watcher.until("it is cleared", || told("\"fixed\""));
    until("the command has run", || noted(&scene) == ["acquired", "died", "fixed"]);
}

/// Without `--fix` nothing is cleared, whoever dies.
#[test]
fn without_fix_nothing_is_touched() {
    let scene = with_file();
    let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
    let mut holder = scene.hold(["a.db"]);
    let pid = holder.process.pid();
    watcher.until_of("acquired", pid);
    age(&scene);
    holder.process.kill();
    holder.process.close_input();
    watcher.until_of("died", pid);
    let before = traced(&scene);
    watcher.process.signal(END);
    watcher.process.wait();
    assert!(traced(&scene) == before, "{}", scene.describe());
}

#[test]
fn a_hot_journal_of_a_killed_writer_is_rolled_back() {
    if wine_lacks("reads that a lock on bytes refuses") || !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n); INSERT INTO t VALUES (1);");
    let mut watcher = Watcher::of(&scene, &["--fix", "a.db"], "a.db");
    let client = Shell::doing(&scene, "a.db", SPILLED);
    // Windows shows no locks on bytes.
    if cfg!(unix) {
        watcher.until_of("native_locked", client.pid());
    }
    client.kill();
    let fixed = watcher.until("fixed", |_| true);
    assert_eq!(fixed["items"][0]["action"], "recovered", "{fixed}");
    let names = watcher.names();
    assert!(names.contains(&"native_released".to_owned()) || cfg!(windows), "{names:?}");
    assert_sound(&scene, "a.db");
}

/// A reader that goes away ends the watch, although nothing happens that could be written.
#[test]
#[cfg(target_os = "linux")]
fn a_reader_that_goes_away_ends_it_quietly() {
    let scene = with_file();
    let script =
        "{ \"$DBGUARD\" watch --interval 600 --json a.db; echo $? >code; } | head -1 >first";
    let mut shell = scene.shell(script).spawn();
    shell.wait().expect(0).silent();
    until("it has ended", || scene.read("code").ends_with('\n'));
    assert_eq!(scene.read("code"), "0\n");
    assert!(scene.read("first").contains("\"watching\""));
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_ends_it_by_that_signal() {
    let scene = with_file();
    for (signal, number) in [(Signal::INT, 2), (Signal::TERM, 15)] {
        let mut watcher = Watcher::of(&scene, &["a.db"], "a.db");
        watcher.process.signal(signal);
        let ended = watcher.process.wait();
        assert_eq!(ended.signal, Some(number), "{}", ended.describe());
    }
}

#[test]
fn looking_changes_nothing() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n);");
    let holder = scene.hold(["--native", "ignore", "a.db"]);
    let waiter = scene.queue_up("a.db", &["-k", "k"]);
    holder.until_recorded(&scene, "a.db");
    let says = |name: &String| scene.read(scene.state("a.db", "queue").join(name)).ends_with('\n');
    until("the waiter's claim is written", || scene.queue("a.db").iter().all(says));
    let before = traced(&scene);
    let mut watcher = Watcher::of(&scene, &["."], "a.db");
    watcher.until_of("acquired", holder.process.pid());
    drop(watcher);
    assert!(traced(&scene) == before, "{}", scene.describe());
    drop((waiter, holder));
}

#[test]
fn bad_inputs_are_refused_with_a_reason() {
    let scene = with_file();
    let refused = |words: &[&str], code: i32, says: &str| {
        scene.dbguard(["watch"]).words(words).run().expect(code).says(says).answers("");
    };
    refused(&["none.db"], 66, "there is no `none.db`");
    refused(&["no/such/none.db"], 66, if cfg!(windows) { r"no\such" } else { "no/such" });
    refused(&["--interval", "0", "a.db"], 64, "shorter than 50ms");
    refused(&["--interval", "soon", "a.db"], 64, "soon");
    refused(&["--until", "busy", "a.db"], 64, "free, held");
    refused(&["-w", "1", "a.db"], 64, "--until");
    refused(&["--events", "died,nothing", "a.db"], 64, "native_locked");
    refused(&[".dbguard/a.db/lock"], 66, "");
    scene.make_state("a.db");
    let _own = scene.dbguard(["watch", ".dbguard/a.db/lock"]).run().expect_any(&[64, 66, 77]);
}

/// State that a stranger owns is not believed; what cannot be seen is not free.
#[test]
#[cfg(target_os = "linux")]
fn state_that_cannot_be_read_is_not_free() {
    if is_root() {
        crate::scene::skip("root reads everything");
        return;
    }
    let scene = with_file();
    scene.make_state("a.db");
    let state = scene.path(".dbguard");
    let hide = |mode| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&state, fs::Permissions::from_mode(mode)).expect("chmod");
    };
    hide(0o000);
    let ended = watch(&scene, &["--until", "free", "-w", "0.3", "a.db"]).run();
    hide(0o755);
    ended.expect(124).says("a.db cannot be seen").says("caused by");
}

/// It was told as free: of a directory that may not be searched nothing was found that is held.
#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_searched_is_not_free() {
    let scene = Scene::new();
    scene.file("deep/a.db", "");
    let hide = |mode| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(scene.path("deep"), fs::Permissions::from_mode(mode)).expect("chmod");
    };
    hide(0o000);
    let run = || watch(&scene, &["--until", "free", "-w", "0.3", "."]).run();
    let ended = if is_root() { None } else { Some(run()) };
    hide(0o755);
    match ended {
        Some(ended) => drop(ended.expect(77).says("cannot tell whether").answers("")),
        None => crate::scene::skip("root reads everything"),
    }
}
