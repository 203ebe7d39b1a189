//! `dbguard update` killed at every step, interrupted, on full disks, beside foreign writers: the
//! file has its old content or its new one, and never a mixture.

use crate::process::{Ended, Process, until};
use crate::scene::{Run, Scene, have_hooks, wine_lacks};
use crate::update::leftovers;
#[cfg(target_os = "linux")]
use {
    crate::scene::{have, is_root, skip},
    crate::system::Signal,
};

/// Longer than what a pipe or a buffer holds, so that a part of it would show.
const LINES: usize = 40_000;

fn content(word: &str) -> String {
    format!("{word}\n").repeat(LINES)
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.file("a", content("old"));
    scene
}

fn update(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["update", "-w", "50"]).words(words)
}

/// An update from old to new.
fn renew(scene: &Scene) -> Run {
    update(scene, &["a", "--", "tr", "old", "new"])
}

/// Makes new ones of its arguments, each by another file that takes the name.
const RENEW: &str = "for copy; do tr old new <\"$copy\" >fresh; mv fresh \"$copy\"; done";

/// Demands that the file has its old content, and that nothing is left.
#[track_caller]
fn assert_old(scene: &Scene, ended: &Ended) {
    assert!(scene.read("a") == content("old"), "{}", ended.describe());
    assert!(leftovers(&scene.path("")).is_empty(), "{}", ended.describe());
}

/// The steps, and whether a temporary file and the new content are there.
const STEPS: [(&str, bool, bool); 13] = [
    ("opened", false, false),
    ("granted", false, false),
    ("held", false, false),
    ("native", false, false),
    ("staged", true, false),
    ("spawned", true, false),
    ("ended", true, false),
    ("captured", true, false),
    ("kept", true, false),
    ("synced", true, false),
    ("replaced", false, true),
    ("directory-synced", false, true),
    ("released", false, true),
];

#[test]
fn killed_at_any_step_it_leaves_the_old_content_or_the_new() {
    if !have_hooks() {
        return;
    }
    for (step, leaves, is_new) in STEPS {
        for batch in [false, true] {
            println!("killed at {step}, batch: {batch}");
            let scene = scene();
            let run = match batch {
                false => renew(&scene),
                true => update(&scene, &["--batch", "a", "--", "sh", "-c", RENEW, "sh"]),
            };
            let mut run = run.env("DBGUARD_TEST_STOP_AT", step).spawn();
            run.until_stopped();
            run.kill();
            let wanted = content(if is_new { "new" } else { "old" });
            assert!(scene.read("a") == wanted, "{step}: {}", scene.describe());
            let left = leftovers(&scene.path(""));
            assert_eq!(left.len(), usize::from(leaves), "{step}: {left:?}");
            // What is left is in nobody's way.
            update(&scene, &["a", "--", "tr", "oldnew", "zipzip"]).run().expect(0).silent();
            assert!(scene.read("a") == content("zip"), "{step}");
            assert_eq!(leftovers(&scene.path("")).len(), left.len(), "{step}");
            scene.assert_free("a");
        }
    }
}

/// What is not promised of a batch, and said so: a crash between two renames.
#[test]
fn a_batch_killed_between_its_renames_leaves_each_file_whole() {
    if !have_hooks() {
        return;
    }
    let scene = scene();
    scene.file("b", content("old"));
    let words = ["--batch", "a", "b", "--", "sh", "-c", RENEW, "sh"];
    let mut run = update(&scene, &words).env("DBGUARD_TEST_STOP_AT", "replaced").spawn();
    run.until_stopped();
    run.kill();
    assert!(scene.read("a") == content("new") && scene.read("b") == content("old"));
    assert_eq!(leftovers(&scene.path("")).len(), 1);
    update(&scene, &words).run().expect(0).silent();
    assert!(scene.read("b") == content("new"));
}

/// A signal that ends dbguard takes the temporary file along.
#[test]
#[cfg(target_os = "linux")]
fn interrupted_at_any_step_it_leaves_nothing() {
    if !have_hooks() {
        return;
    }
    for (step, signal) in [
        ("captured", Signal::TERM),
        ("captured", Signal::INT),
        ("kept", Signal::HUP),
        ("synced", Signal::TERM),
    ] {
        println!("{signal:?} at {step}");
        let scene = scene();
        let mut run = renew(&scene).env("DBGUARD_TEST_STOP_AT", step).spawn();
        run.until_stopped();
        run.signal(signal);
        run.resume();
        let ended = run.wait().expect(128 + signal.as_raw());
        assert_old(&scene, &ended);
        scene.assert_free("a");
    }
    // The new content has its name already: it stays.
    let scene = scene();
    let mut run = renew(&scene).env("DBGUARD_TEST_STOP_AT", "replaced").spawn();
    run.until_stopped();
    run.signal(Signal::TERM);
    run.resume();
    let ended = run.wait();
    assert!(scene.read("a") == content("new"), "{}", ended.describe());
    assert!(leftovers(&scene.path("")).is_empty(), "{}", ended.describe());
    scene.assert_free("a");
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_reaches_the_command_and_nothing_is_replaced() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        for batch in [&[][..], &["--batch"]] {
            let scene = scene();
            let script = "echo half; echo up >up; exec sleep 600";
            let words = [batch, &["a", "--", "sh", "-c", script]].concat();
            let mut run = update(&scene, &words).spawn();
            run.until("its command runs", || !scene.read("up").is_empty());
            assert_eq!(leftovers(&scene.path("")).len(), 1);
            run.signal(signal);
            let ended = run.wait().expect(128 + signal.as_raw());
            assert_old(&scene, &ended);
            scene.assert_free("a");
        }
    }
}

/// What the command left running may still have something to say, as in `$(...)`.
#[test]
fn the_output_is_complete_when_the_last_writer_has_gone() {
    let late = |scene: &Scene| {
        let script = "until [ -e go ]; do sleep 0.05; done; echo two";
        let words = crate::actor::words();
        let run = update(scene, &["a", "--"]).words(words);
        let run = run.env(crate::actor::PART, crate::actor::leaving(&["sh", "-c", script])).spawn();
        let told = |run: &Process| run.stderr().contains("has ended, but something it started can");
        until("it says what it waits for", || told(&run));
        assert!(scene.read("a") == content("old") && run.runs());
        run
    };
    let scene = scene();
    let mut run = late(&scene);
    scene.file("go", "");
    run.wait().expect(0);
    assert!(scene.read("a").ends_with("two\n"), "{}", scene.describe());
    // Meanwhile it can be interrupted.
    #[cfg(target_os = "linux")]
    {
        let scene = self::scene();
        let mut run = late(&scene);
        run.signal(Signal::TERM);
        let ended = run.wait().expect(143);
        assert_old(&scene, &ended);
        assert!(ended.stderr.contains("stays locked by"), "{}", ended.describe());
        scene.file("go", "");
        scene.assert_free("a");
    }
}

/// A command that goes on after an error of a write, and one that stops.
const CARELESS: &str = "cat; echo and more; true";

#[test]
fn what_cannot_be_written_replaces_nothing() {
    if !have_hooks() {
        return;
    }
    for (fail, code, says) in [
        ("update-stage=ENOSPC", 73, "cannot make a temporary file beside a"),
        ("update-stage=EROFS", 73, "has to be writable"),
        ("update-stage=EACCES", 77, "cannot make a temporary file beside a"),
        ("update-write=ENOSPC", 74, "cannot write the new content of a"),
        ("update-write=EDQUOT", 74, "quota"),
        ("update-keep=EIO", 74, "cannot keep mode, owner and attributes of a"),
        ("update-sync=EIO", 74, "cannot write the new content of a"),
        ("update-rename=EIO", 74, "cannot replace a"),
    ] {
        for batch in [false, true] {
            let scene = scene();
            let words: &[&str] = match batch {
                false => &["a", "--", "sh", "-c", CARELESS],
                true => &["--batch", "a", "--", "sh", "-c", RENEW, "sh"],
            };
            let ended = update(&scene, words).env("DBGUARD_TEST_FAIL_AT", fail).run();
            let ended = ended.expect(code).says(says).says("hint: ");
            assert_old(&scene, &ended);
            scene.assert_free("a");
        }
    }
    // Too late to undo: told, and nothing is claimed that is not so.
    let scene = scene();
    let ended = renew(&scene).env("DBGUARD_TEST_FAIL_AT", "update-directory=EIO").run().expect(74);
    let ended = ended.says("a is replaced, but its directory cannot be synced");
    assert!(scene.read("a") == content("new"), "{}", ended.describe());
}

/// The same on a disk that really is full: a careless command does not get half of its output in.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_keeps_the_old_content() {
    if !is_root() || !have(&["unshare", "mount"]) {
        return skip("only root mounts a small file system");
    }
    let scene = Scene::new();
    std::fs::create_dir(scene.path("small")).expect("mkdir");
    // 300 KiB are used; the new content does not fit beside them.
    let script = "mount -t tmpfs -o size=500k none small || exit 99
        yes old | head -c 300000 >small/a
        for command in 'cat; cat /dev/zero | head -c 300000; true' 'yes new | head -c 300000'; do
            \"$DBGUARD\" update small/a -- sh -c \"$command\"; echo code $?
        done
        \"$DBGUARD\" update --batch small/a -- true; echo code $?
        yes old | head -c 300000 | cmp - small/a && ls -A small
        \"$DBGUARD\" update small/a -- echo new; cat small/a";
    let ended = scene.run("unshare", ["-m", "sh", "-c", script]).run();
    if ended.code == Some(99) || ended.stderr.contains("unshare failed") {
        return skip("this root may not mount");
    }
    let ended = ended.expect(0).says("cannot write the new content of small/a");
    let ended = ended.says("No space left on device").says("free some space");
    ended.answers("code 74\ncode 74\ncode 74\n.dbguard\na\nnew");
}

/// A limit on the size of files is an error of a write, not the end of dbguard.
#[test]
#[cfg(target_os = "linux")]
fn a_limit_on_the_size_of_files_is_told() {
    let scene = scene();
    for words in ["a -- sh -c 'cat; true'", "--batch a -- true"] {
        let script = format!("ulimit -f 100; exec \"$DBGUARD\" update {words}");
        let ended = scene.run("sh", ["-c", &script]).run().expect(74).says("ulimit -f");
        assert_old(&scene, &ended);
    }
}

/// Who writes without dbguard while the command runs is not overwritten.
#[test]
fn a_foreign_change_is_not_overwritten() {
    if wine_lacks("a file that is put in the place of an open one") {
        return;
    }
    for (change, left) in [
        ("echo theirs >>a", content("old") + "theirs\n"),
        ("echo theirs >b; mv b a", "theirs\n".to_owned()),
        ("rm a", String::new()),
        ("tr old zip <a >b; cat b >a; rm b", content("zip")),
    ] {
        for batch in [&[][..], &["--batch"]] {
            let scene = scene();
            let words = [batch, &["a", "--", "sh", "-c", change]].concat();
            let ended = update(&scene, &words).run().expect(74).says("a was changed meanwhile");
            assert!(scene.read("a") == left, "{}", ended.describe());
            assert!(leftovers(&scene.path("")).is_empty(), "{}", ended.describe());
        }
    }
    let scene = scene();
    let words = ["--create", "made", "--", "sh", "-c", "echo theirs >made; echo ours"];
    update(&scene, &words).run().expect(74).says("made was changed meanwhile");
    assert_eq!(scene.read("made"), "theirs\n");
}

/// An update inside an update of the same file joins its lock; the outer one sees that.
#[test]
fn an_update_inside_an_update_is_not_overwritten() {
    if wine_lacks("a file that is put in the place of an open one") {
        return;
    }
    let scene = scene();
    let inner = "\"$DBGUARD\" update a -- printf 'inner\\n'; echo outer";
    let ended = update(&scene, &["a", "--", "sh", "-c", inner]).run().expect(74);
    ended.says("or by the command itself");
    assert_eq!(scene.read("a"), "inner\n");
    scene.assert_free("a");
}

/// Readers without any lock see one content or the other while fifty updates run.
#[test]
fn a_reader_without_a_lock_never_sees_a_mixture() {
    if wine_lacks("no file is put in the place of one that somebody has open") {
        return;
    }
    let scene = scene();
    let toggle = ["-q", "a", "--", "tr", "oldnew", "newold"];
    let count = if cfg!(windows) { 8 } else { 20 };
    let mut writers: Vec<_> = (0..count).map(|_| update(&scene, &toggle).spawn()).collect();
    let mut looks = 0;
    while writers.iter().any(Process::runs) {
        let seen = scene.read("a");
        assert!(seen == content("old") || seen == content("new"), "a mixture after {looks} looks");
        looks += 1;
    }
    for writer in &mut writers {
        writer.wait().expect(0).silent();
    }
    assert!(looks > 1 && scene.read("a") == content("old"));
}

/// `DBGUARD_MAX_HOLD` ends a command here as under `exec`.
#[test]
fn a_command_that_holds_for_too_long_is_ended() {
    let scene = scene();
    let run = update(&scene, &["a", "--", "sh", "-c", "echo half; while :; do sleep 0.02; done"]);
    let ended = run.env("DBGUARD_MAX_HOLD", "0.3").run().expect(123);
    let ended = ended.says("it held a for longer than 0.3s").says("DBGUARD_MAX_HOLD");
    assert_old(&scene, &ended);
}
