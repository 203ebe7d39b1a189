//! A call inside a call joins its ancestor's lock, and siblings exclude each other (S2).

use std::fs;
use std::time::Duration;

use crate::actor;
use crate::intervals;
use crate::process::{Ended, until};
use crate::scene::{Run, Scene};

/// Runs a script under `exec OPTIONS a.db`, with a holder's part for `$ACTOR`.
fn under(scene: &Scene, options: &[&str], script: &str, part: &str) -> Run {
    let run = scene.dbguard(["exec"]).words(options).words(["a.db", "--", "sh", "-c", script]);
    run.env(actor::PART, part)
}

/// Runs a script whose actors record their holds, and demands `holds` of them without overlap.
#[track_caller]
fn assert_siblings_take_turns(options: &[&str], script: &str, holds: usize) -> Ended {
    let scene = Scene::new();
    let log = scene.fresh("log");
    fs::write(&log, "").expect("make the log");
    let part = actor::holder(&log, "a.db", "x", "-", Duration::from_millis(10));
    let ended = under(&scene, options, script, &part).run().expect(0);
    let found = intervals::assert_exclusive(&fs::read_to_string(&log).expect("the log"));
    assert_eq!(found, holds, "{}", ended.describe());
    scene.assert_free("a.db");
    ended
}

#[test]
fn a_nested_call_does_not_wait_for_its_ancestor() {
    let scene = Scene::new();
    let script = "\"$DBGUARD\" exec -n a.db -- \"$DBGUARD\" exec -n -s a.db -- printf in";
    under(&scene, &[], script, "[]").run().expect(0).answers("in");
    scene.assert_free("a.db");
}

/// S2 (a): the eight recipes of `exec F -- make -j8` take turns.
#[test]
fn s2_eight_siblings_joined_to_one_claim_never_overlap() {
    let actor = actor::shell_words();
    let script =
        format!("for n in 1 2 3 4 5 6 7 8; do \"$DBGUARD\" exec a.db -- {actor} >&2 & done; wait");
    assert_siblings_take_turns(&[], &script, 8);
}

/// S2: the same two levels deep: each level has siblings, and all work is alone.
#[test]
fn s2_siblings_two_levels_deep_never_overlap() {
    let actor = actor::shell_words();
    let inner =
        format!("for m in 1 2 3; do \\\"\\$DBGUARD\\\" exec a.db -- {actor} >&2 & done; wait");
    let script =
        format!("for n in 1 2 3; do \"$DBGUARD\" exec a.db -- sh -c \"{inner}\" & done; wait");
    assert_siblings_take_turns(&[], &script, 9);
}

/// S2: joined readers share, a joined writer does not.
#[test]
fn s2_shared_siblings_run_together() {
    let scene = Scene::new();
    // Each says that it runs, and ends when both do: alone they would wait for ever.
    let meet = ">here.$$; until test $(ls here.* | wc -l) = 2; do :; done";
    let script =
        format!("for n in 1 2; do \"$DBGUARD\" exec -s a.db -- sh -c '{meet}' & done; wait");
    for options in [&["-s"][..], &["-x"][..]] {
        under(&scene, options, &script, "[]").run().expect(0);
        for name in crate::scene::names(&scene.path("")) {
            if name.starts_with("here.") {
                fs::remove_file(scene.path(name)).expect("clean up");
            }
        }
    }
}

/// Exclusive under shared could only wait for itself.
#[test]
fn exclusive_under_shared_is_refused_at_once() {
    let scene = Scene::new();
    let run = under(&scene, &["-s"], "\"$DBGUARD\" exec -w inf -x a.db -- true", "[]");
    run.run().expect(79).says("a.db");
}

/// S2 (b): a joined call that outlives the command keeps the lock: the release waits for it.
#[test]
fn s2_a_joined_call_that_outlives_the_command_keeps_the_lock() {
    let scene = Scene::new();
    let script = "\"$DBGUARD\" exec a.db -- sh -c \
                  'echo up >inner; until test -e go; do :; done' & \
                  until test -s inner; do :; done";
    let mut outer = under(&scene, &[], script, "[]").spawn();
    until("the joined call runs", || !scene.read("inner").is_empty());
    scene.dbguard(["exec", "-w", "0.5", "a.db", "--", "true"]).run().expect(124);
    assert!(outer.runs(), "{}", scene.describe());
    scene.file("go", "");
    outer.wait().expect(0);
    scene.assert_free("a.db");
}

/// S2: a joined call waits for its siblings with its own deadline and codes.
#[test]
fn s2_a_joined_call_has_its_own_deadline() {
    let scene = Scene::new();
    let script = "\"$DBGUARD\" exec a.db -- sh -c \
                  'echo up >inner; until test -e go; do :; done' & \
                  until test -s inner; do :; done; \
                  \"$DBGUARD\" exec -n a.db -- true; echo $?; \
                  \"$DBGUARD\" exec -w 0.1 a.db -- true; echo $?; echo x >done; wait";
    let mut outer = under(&scene, &[], script, "[]").spawn();
    outer.until("both were refused", || !scene.read("done").is_empty());
    scene.file("go", "");
    outer.wait().expect(0).answers("75\n124");
}

/// S2 (c), L8: a forged or stale `DBGUARD_HELD` opens nothing.
#[test]
fn s2_a_forged_or_stale_token_is_never_trusted() {
    let scene = Scene::new();
    let text = under(&scene, &[], "echo \"$DBGUARD_HELD\"", "[]").run().expect(0).stdout;
    let stale = text.trim().to_owned();
    assert!(!stale.is_empty());
    let holder = scene.hold(["a.db"]);
    let claim = scene.held("a.db").first().expect("a claim").clone();
    let forged = forge(&stale, &claim);
    for held in [stale.as_str(), &forged, "", "garbage", "/", "../../x", "\u{1}:\u{2}", "1=2=3;;"] {
        let run = scene.dbguard(["exec", "-n", "a.db", "--", "true"]).env("DBGUARD_HELD", held);
        run.run().expect(75);
    }
    let run = scene.dbguard(["exec", "-w", "0", "b.db", "--", "true"]);
    run.env("DBGUARD_HELD", "garbage").run().expect(0).says("DBGUARD_HELD");
    holder.end().expect(0);
}

/// Names the live claim's process with a token that is not its own.
fn forge(stale: &str, claim: &str) -> String {
    let pid = claim.split('.').next().expect("a claim begins with a number");
    let old = stale.split(|c: char| !c.is_ascii_digit()).find(|part| part.len() > 1);
    old.map_or_else(|| stale.to_owned(), |old| stale.replacen(old, pid, 1))
}

/// The claim whose token was leaked into a long-lived environment is merely gone: no noise.
#[test]
fn l8_a_token_whose_claim_is_gone_is_reported_only_when_verbose() {
    let scene = Scene::new();
    let stale = under(&scene, &[], "echo \"$DBGUARD_HELD\"", "[]").run().expect(0).stdout;
    let again = |options: &[&str]| {
        let run = scene.dbguard(["exec"]).words(options).words(["a.db", "--", "true"]);
        run.env("DBGUARD_HELD", stale.trim()).run().expect(0)
    };
    again(&[]).silent();
    again(&["-v"]).says("DBGUARD_HELD");
}

/// L8: `sudo` and `env -i` drop `DBGUARD_HELD`; the plain self-deadlock is found all the same.
#[test]
fn l8_waiting_for_ones_own_ancestor_is_refused_at_once() {
    let scene = Scene::new();
    let script = "env -i PATH=\"$PATH\" \"$DBGUARD\" exec -w inf a.db -- true";
    under(&scene, &[], script, "[]").run().expect(79).says("DBGUARD_HELD");
}

/// A nested call on another database is nothing special, and knows whose child it is.
#[test]
fn a_nested_call_on_another_database_takes_its_own_lock() {
    let scene = Scene::new();
    let script = "\"$DBGUARD\" exec b.db -- \"$DBGUARD\" exec -n a.db -- printf in";
    under(&scene, &[], script, "[]").run().expect(0).answers("in");
}

/// Nested under a key: the same key joins, another key and the whole database are others' locks.
#[test]
fn nested_calls_join_under_a_key() {
    let scene = Scene::new();
    let script = "\"$DBGUARD\" exec -n --key k a.db -- printf 'k\n'; \
                  \"$DBGUARD\" exec -n --key l a.db -- printf 'l\n'; \
                  \"$DBGUARD\" exec -n -x a.db -- true; echo $?";
    under(&scene, &["--key", "k"], script, "[]").run().expect(0).answers("k\nl\n79");
}

/// The recipes of a real `make -j8`, with its jobserver's descriptors passed through.
#[test]
fn make_j8_under_exec_takes_turns_and_finishes() {
    if !crate::scene::have(&["make"]) {
        return;
    }
    let scene = Scene::new();
    let log = scene.fresh("log");
    fs::write(&log, "").expect("make the log");
    let part = actor::holder(&log, "a.db", "x", "-", Duration::from_millis(5));
    let targets = "all: 1 2 3 4 5 6 7 8\n1 2 3 4 5 6 7 8:\n";
    let recipe = format!("\t+@\"$$DBGUARD\" exec a.db -- {} >&2\n", actor::shell_words());
    scene.file("Makefile", format!("{targets}{recipe}"));
    let run = scene.dbguard(["exec", "a.db", "--", "make", "-j8"]);
    run.env(actor::PART, &part).run().expect(0);
    let log = fs::read_to_string(&log).expect("the log");
    assert_eq!(intervals::assert_exclusive(&log), 8);
}
