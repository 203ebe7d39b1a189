//! `dbguard fix` on dbguard's own state: dead claims, locks whose database is gone, and what must
//! never be removed because somebody may rely on it.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::fix_crew::{assert_done, fix, fixed};
use crate::process::until;
use crate::scene::{Scene, have_hooks, is_wine};
use crate::system::set_modified;

/// Makes everything in a directory look as if it had been used so long ago.
fn age(path: &Path, by: Duration) {
    let then = SystemTime::now() - by;
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("list") {
            age(&entry.expect("an entry").path(), by);
        }
    }
    set_modified(path, then).expect("it is ours");
}

const DAYS: Duration = Duration::from_secs(3 * 24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_claims_of_the_dead_go_and_those_of_the_living_stay() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let holder = scene.hold(["a.db"]);
    let waiter = scene.queue_up("a.db", &[]);
    waiter.process.kill();
    let left = scene.queue("a.db");
    assert_eq!(left.len(), 1);
    // Younger than ten seconds it may be about to be locked.
    let (document, _) = fixed(&scene, &[]);
    assert_eq!(document["removed"], 0, "{document:#}");
    age(&scene.state("a.db", "queue"), MINUTE);
    let looked = fixed(&scene, &["--dry-run"]);
    assert_eq!((&looked.0["removed"], looked.1), (&1.into(), Some(1)), "{:#}", looked.0);
    let (document, code) = fixed(&scene, &[]);
    let claim = left.first().expect("one");
    assert_done(&document, claim, "stale", "removed");
    assert_done(&document, "a.db", "live", "kept");
    assert_eq!(code, Some(0));
    assert_eq!((scene.queue("a.db").len(), scene.held("a.db").len()), (0, 1));
    assert!(holder.process.runs());
    drop(holder);
}

/// The command of a killed dbguard holds the lock on; its claim stays.
#[test]
#[cfg(target_os = "linux")]
fn the_claim_of_a_command_that_runs_on_stays() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let holder = scene.hold(["--close", "a.db"]);
    holder.until_recorded(&scene, "a.db");
    let command = holder.command_pid();
    holder.process.kill();
    age(&scene.state("a.db", "held"), MINUTE);
    let (document, _) = fixed(&scene, &[]);
    let claim = scene.held("a.db").first().expect("it stays").clone();
    assert_done(&document, &claim, "live", "kept");
    crate::process::signal_while(command, || true, crate::system::Signal::KILL);
    until("it is dead", || !crate::process::lives(command));
    let (document, _) = fixed(&scene, &[]);
    assert_done(&document, &claim, "stale", "removed");
    assert!(scene.held("a.db").is_empty());
}

/// A plain flock user does not look again whether the file it waited for has still its name.
#[test]
fn the_lock_of_a_database_that_exists_is_never_removed() {
    let scene = Scene::new();
    scene.file("a.db", "");
    scene.make_state("a.db");
    age(&scene.path(".dbguard"), DAYS);
    fix(&scene, &[]).run().expect(0).answers("nothing was left behind");
    assert!(scene.state("a.db", "lock").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn the_lock_of_a_database_that_is_gone_goes_after_a_day() {
    let scene = Scene::new();
    for name in ["gone.db", "mutex", "Big Name.db", "used.db"] {
        scene.make_state(name);
    }
    scene.dbguard(["exec", "-k", "one", "gone.db", "--", "true"]).run().expect(0);
    age(&scene.path(".dbguard"), DAYS);
    // A name that never had a file is a lock, too, for as long as it is used.
    scene.dbguard(["exec", "used.db", "--", "true"]).run().expect(0);
    let (looked, code) = fixed(&scene, &["--dry-run"]);
    assert_done(&looked, "mutex", "stale", "would_remove");
    assert_eq!(code, Some(1));
    let (document, code) = fixed(&scene, &[]);
    for name in ["mutex", "%42ig%20%4Eame.db"] {
        assert_done(&document, name, "stale", "removed");
    }
    assert_eq!(code, Some(0));
    // The key went first, and its directory with the second run.
    fix(&scene, &[]).run().expect(0);
    age(&scene.state("used.db", ""), DAYS);
    age(&scene.path(".dbguard"), DAYS);
    fix(&scene, &[]).run().expect(0);
    assert!(!scene.path(".dbguard").exists(), "{}", scene.describe());
}

/// A directory with an open file in it is not renamed on Windows, so that no lock is removed: its
/// claims go, and it stays. So it does where the system does not tell who has it open.
#[test]
#[cfg(windows)]
fn the_lock_of_a_database_that_is_gone_stays_on_windows() {
    let scene = Scene::new();
    scene.make_state("gone.db");
    let holder = scene.hold(["gone.db"]);
    scene.queue_up("gone.db", &[]).process.kill();
    holder.end().expect(0);
    age(&scene.path(".dbguard"), DAYS);
    let (document, code) = fixed(&scene, &[]);
    assert_done(&document, "gone.db", "live", "kept");
    assert_eq!((code, scene.queue("gone.db").len()), (Some(0), 0));
    assert!(scene.state("gone.db", "lock").exists());
    scene.assert_free("gone.db");
}

/// Whoever has the lock, or merely has it open, keeps it.
#[test]
fn a_lock_that_is_held_or_open_stays() {
    let scene = Scene::new();
    scene.make_state("gone.db");
    let lock = scene.state("gone.db", "lock");
    age(&scene.path(".dbguard"), DAYS);
    let mut holder = scene.plain_flock(&lock);
    fix(&scene, &[]).run().expect(0);
    assert!(lock.exists());
    holder.close_input();
    holder.wait();
    let mut opener = scene.opener(&lock);
    let (document, code) = fixed(&scene, &[]);
    assert_done(&document, "gone.db", "live", "kept");
    assert!(lock.exists() && code == Some(0));
    opener.close_input();
    opener.wait();
    if cfg!(target_os = "linux") {
        fix(&scene, &[]).run().expect(0);
        assert!(!scene.path(".dbguard").exists());
    }
}

/// Somebody opens the lock between the proof and the removal: then everything is put back, or he
/// makes a new one; never do two hold it.
#[test]
#[cfg(target_os = "linux")]
fn whoever_comes_while_a_lock_is_removed_gets_it() {
    if !have_hooks() {
        return;
    }
    for step in ["clean-locked", "clean-leased", "clean-renamed", "clean-file", "clean-ignore"] {
        let scene = Scene::new();
        scene.make_state("gone.db");
        age(&scene.path(".dbguard"), DAYS);
        let mut fixer = fix(&scene, &[]).env("DBGUARD_TEST_STOP_AT", step).spawn();
        fixer.until_stopped();
        let mut comer = scene.contend(["-w", "30", "gone.db"]);
        // Where the lock is still ours, or under a lease, he waits until the fixer goes on.
        if step == "clean-ignore" {
            comer.until_holding();
        }
        fixer.resume();
        fixer.wait().expect(0);
        comer.until_holding();
        scene.dbguard(["exec", "-n", "gone.db", "--", "true"]).run().expect(75);
        assert_eq!(comer.end().code, Some(0), "{step}");
        scene.assert_free("gone.db");
    }
}

/// Killed at any step, or refused by the system: the next run finishes, and the lock works.
#[test]
#[cfg(target_os = "linux")]
fn a_removal_that_is_cut_short_is_finished_by_the_next() {
    if !have_hooks() {
        return;
    }
    for step in ["clean-locked", "clean-leased", "clean-renamed", "clean-file", "clean-ignore"] {
        let scene = Scene::new();
        scene.make_state("gone.db");
        age(&scene.path(".dbguard"), DAYS);
        let mut first = fix(&scene, &[]).env("DBGUARD_TEST_STOP_AT", step).spawn();
        first.until_stopped();
        first.kill();
        fix(&scene, &[]).run().expect(0);
        assert!(!scene.path(".dbguard").exists(), "{step}: {}", scene.describe());
        scene.assert_free("gone.db");
    }
    for fault in ["clean-rename", "clean-file", "clean-state"] {
        let scene = Scene::new();
        scene.make_state("gone.db");
        age(&scene.path(".dbguard"), DAYS);
        let at = format!("{fault}=EIO");
        let first = fix(&scene, &[]).env("DBGUARD_TEST_FAIL_AT", &at).run();
        assert!(first.code == Some(1) || fault == "clean-state", "{}", first.describe());
        fix(&scene, &[]).run().expect(0);
        assert!(!scene.path(".dbguard").exists(), "{fault}: {}", scene.describe());
    }
}

/// Whoever makes a lock where there was just none keeps it: it was taken away with the directory.
#[test]
fn a_lock_that_is_made_meanwhile_stays() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    scene.make_state("gone.db");
    fs::remove_file(scene.state("gone.db", "lock")).expect("it is there");
    age(&scene.path(".dbguard"), DAYS);
    let at = ("DBGUARD_TEST_STOP_AT", "clean-lockless");
    let mut cleaner = fix(&scene, &[]).env(at.0, at.1).spawn();
    cleaner.until_stopped();
    let holder = scene.hold(["gone.db"]);
    cleaner.resume();
    cleaner.wait().expect(0);
    assert!(scene.state("gone.db", "lock").exists(), "{}", scene.describe());
    assert_eq!(holder.end().code, Some(0));
}

/// Many who take turns on names that have no file while several clean up beside them: no turn is
/// lost, and no two hold one lock.
#[test]
fn acquirers_and_cleaners_do_not_meet() {
    let scene = Scene::new();
    scene.file("count", "0\n");
    let turn = "read n <count; echo $((n + 1)) >count";
    // Processes are started a hundred times slower under Wine.
    let turns = if is_wine() { "1 2" } else { "1 2 3 4 5 6 7 8 9 10" };
    let worker = format!(
        "for i in {turns}; do \"$DBGUARD\" exec -w 60 name -- sh -c '{turn}' || exit 1; \
         touch -d '3 days ago' .dbguard/name .dbguard/name/* 2>/dev/null; done; :"
    );
    let cleaner =
        format!("for i in {turns} {turns}; do \"$DBGUARD\" fix -q >/dev/null || exit 1; done");
    let mut all: Vec<_> = (0..6).map(|_| scene.shell(&worker).spawn()).collect();
    all.extend((0..2).map(|_| scene.shell(&cleaner).spawn()));
    for process in &mut all {
        process.wait().expect(0);
    }
    let all = 6 * turns.split(' ').count();
    assert_eq!(scene.read("count").trim(), all.to_string());
}

/// A directory that is not ours, or holds what is not ours, is left alone.
#[test]
fn what_is_not_dbguards_is_left_alone() {
    let scene = Scene::new();
    scene.make_state("gone.db");
    scene.file(".dbguard/gone.db/notes.txt", "mine");
    age(&scene.path(".dbguard"), DAYS);
    let (document, _) = fixed(&scene, &[]);
    assert_done(&document, "gone.db", "live", "kept");
    assert_eq!(scene.read(".dbguard/gone.db/notes.txt"), "mine");
}

#[test]
fn a_missing_path_a_wrong_glob_and_a_young_age_are_errors() {
    let scene = Scene::new();
    fix(&scene, &["missing"]).run().expect(66).says("there is no `missing`");
    fix(&scene, &["--pattern", "a[", "."]).run().expect(64).says("--pattern");
    fix(&scene, &["--assume-stale", "proper-lockfile=5s"]).run().expect(64).says("60 s");
    fix(&scene, &["--assume-stale", "nothing=1h"]).run().expect(64).says("--list-formats");
    let formats = fix(&scene, &["--list-formats"]).run().expect(0).stdout;
    assert!(formats.contains("filelock") && formats.contains("vim-swap"), "{formats}");
    fix(&scene, &[]).run().expect(0).answers("nothing was left behind");
}

#[test]
fn the_state_below_a_lock_directory_is_cleaned_of_claims() {
    let scene = Scene::new();
    scene.file("a.db", "");
    fs::create_dir(scene.path("locks")).expect("mkdir");
    let holder = scene.hold(["--lock-dir", "locks", "a.db"]);
    let waiter = scene.contend(["--lock-dir", "locks", "a.db"]);
    let place =
        fs::read_dir(scene.path("locks")).expect("list").next().expect("one").expect("ok").path();
    let queue = || fs::read_dir(place.join("queue")).expect("list").count();
    until("it waits", || queue() == 1);
    waiter.process.kill();
    age(&place.join("queue"), MINUTE);
    fix(&scene, &["--lock-dir", "locks", "a.db"]).run().expect(0);
    assert_eq!(queue(), 0);
    assert!(place.join("lock").exists());
    drop(holder);
}
