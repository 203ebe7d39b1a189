//! `dbguard test`: it proves what it says, and it can fail.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::process::Ended;
use crate::scene::{Run, Scene, have_hooks, names, wine_lacks};
use crate::sql_crew::{answer, document};

/// The kinds of lock that there are, dbguard's own first.
#[cfg(target_os = "linux")]
const KINDS: [&str; 3] = ["flock", "fcntl", "ofd"];
#[cfg(windows)]
const KINDS: [&str; 1] = ["LockFileEx"];

/// How the names of directories begin that are removed in the end.
pub const SCRATCH: &str = ".dbguard-test-";

/// Prepares `dbguard test WORDS`.
pub fn prove(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["test"]).words(words)
}

/// Returns the document of a test that has to find nothing wrong.
#[track_caller]
fn proved(scene: &Scene, words: &[&str]) -> Value {
    let ended = prove(scene, words).words(["--json"]).run().expect(0).silent();
    let document = document(&ended);
    assert_eq!(document["verdict"], "ok", "{document}");
    assert_clear(scene);
    document
}

/// Makes a SQLite database with something in it.
pub fn app(scene: &Scene) {
    answer(scene, &["--create", "app.db", "create table kept (a); insert into kept values (7)"]);
}

/// Returns the tables of the database, those of a test included.
#[track_caller]
pub fn tables(scene: &Scene) -> String {
    let query = "select name from sqlite_schema order by name";
    answer(scene, &["--no-header", "--format", "csv", "app.db", query])
}

/// Returns what a test has in the working directory.
pub fn scratch(directory: &Path) -> Vec<String> {
    names(directory).into_iter().filter(|name| name.starts_with(SCRATCH)).collect()
}

/// Demands that nothing of a test is left in the working directory.
#[track_caller]
pub fn assert_clear(scene: &Scene) {
    assert!(scratch(&scene.path("")).is_empty(), "{}", scene.describe());
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn every_operation_is_accounted_for_in_each_mode() {
    let scene = Scene::new();
    app(&scene);
    let before = fs::read(scene.path("app.db")).expect("it is there");
    let left = names(&scene.path(""));
    for mode in ["sql", "exec", "mixed"] {
        let words = ["--workers", "4", "--ops", "6", "--mode", mode, "app.db"];
        let document = proved(&scene, &words);
        let run = &document["dbguard"];
        assert_eq!(document["schema"], 1);
        assert_eq!(document["engine"], "sqlite");
        assert_eq!(document["mode"], mode);
        for (field, expected) in
            [("begun", 24), ("done", 24), ("failed", 0), ("lost_updates", 0), ("extra_updates", 0)]
        {
            assert_eq!(run[field], expected, "{field} in {document}");
        }
        for times in [&run["wait_ms"], &run["took_ms"]] {
            let time = |name: &str| times[name].as_f64().expect("it was measured");
            assert!(time("p50") <= time("p90") && time("p90") <= time("p99"), "{document}");
            assert!(time("p99") <= time("max"), "{document}");
        }
        assert!(run["wait_ms"]["max"].as_f64() < run["took_ms"]["max"].as_f64(), "{document}");
        assert!(run["per_second"].as_f64() > Some(0.0), "{document}");
        assert!(run["largest_share"].as_f64() >= run["even_share"].as_f64(), "{document}");
        assert!(document["bare"].is_null() && document["engine_timeout"].is_null());
    }
    assert_eq!(fs::read(scene.path("app.db")).expect("it is there"), before);
    assert_eq!(names(&scene.path("")), left, "{}", scene.describe());
}

#[test]
fn without_a_file_the_current_directory_is_tested() {
    let scene = Scene::new();
    let ended = prove(&scene, &["--ops", "3"]).run().expect(0).silent();
    for text in ["4 workers, 3 operations each", "done           12 of 12", "nothing was lost\n"] {
        assert!(ended.stdout.contains(text), "{text}\n{}", ended.describe());
    }
    assert!(ended.stdout.lines().all(|line| line.len() <= 80), "{}", ended.describe());
    assert!(names(&scene.path("")).is_empty(), "{}", scene.describe());
}

/// It was tested beside the directory, which can be on another file system.
#[test]
fn a_directory_is_tested_in_itself_and_not_beside_it() {
    let scene = Scene::new();
    fs::create_dir(scene.path("deep")).expect("mkdir");
    let document = proved(&scene, &["--ops", "2", "deep"]);
    let place = dbguard::platform::canonical(&scene.path("deep")).expect("it is there");
    assert_eq!(document["directory"], place.to_str().expect("text"));
    assert!(names(&scene.path("deep")).is_empty(), "{}", scene.describe());
    prove(&scene, &["--in-place", "deep"]).run().expect(65).says("is a directory");
}

/// It said that nothing was proved because 0 processes failed.
#[test]
fn however_short_the_time_each_worker_does_something() {
    let scene = Scene::new();
    let document = proved(&scene, &["--workers", "2", "--duration", "0"]);
    assert_eq!(document["dbguard"]["done"], 2, "{document}");
}

/// A table that could not be made was said to be left behind.
#[test]
fn a_table_that_was_never_made_is_not_said_to_be_left() {
    let scene = Scene::new();
    app(&scene);
    // No directory for the locks can be made where a file is.
    scene.file("locks", "");
    let run = prove(&scene, &["--in-place", "--lock-dir", "locks/deep", "app.db"]).run();
    assert!(run.stderr.contains("cannot make a table"), "{}", run.describe());
    assert!(!run.stderr.contains("is left"), "{}", run.describe());
}

/// A file of another kind, and a name without one, are tested by `exec` on a plain file.
#[test]
fn what_is_no_database_is_tested_with_a_plain_file() {
    let scene = Scene::new();
    scene.file("state.json", "{}");
    for file in ["state.json", "mutex"] {
        let document = proved(&scene, &["--ops", "5", "--readers", "1", file]);
        assert_eq!(document["engine"], "plain");
        assert_eq!(document["mode"], "exec");
        assert_eq!(document["dbguard"]["done"], 20);
    }
    assert_eq!(scene.read("state.json"), "{}");
    prove(&scene, &["--mode", "sql", "mutex"]).run().expect(65).says("needs a database for SQL");
}

/// The prover can fail: it proves nothing otherwise.
#[test]
fn without_the_kernel_lock_updates_are_lost() {
    if !have_hooks() || wine_lacks("processes that start fast enough to meet") {
        return;
    }
    let scene = Scene::new();
    for words in [["--mode", "mixed", "new.db"], ["--mode", "exec", "new.db"], ["--ops", "30", "x"]]
    {
        let run = prove(&scene, &["--json", "--workers", "8", "--readers", "1"]).words(words);
        let ended = run.env("DBGUARD_TEST_NO_KERNEL_LOCK", "1").run().expect(1);
        let document = document(&ended);
        println!("without the kernel lock: {}", document["dbguard"]);
        assert_eq!(document["verdict"], "lost", "{document}");
        assert!(number(&document["dbguard"]["lost_updates"]) > 0, "{document}");
        assert!(number(&document["dbguard"]["wrong_reads"]) > 0, "{document}");
        assert_clear(&scene);
    }
    let run = prove(&scene, &["--workers", "8", "--mode", "exec", "new.db"]);
    let ended = run.env("DBGUARD_TEST_NO_KERNEL_LOCK", "1").run().expect(1);
    assert!(ended.stdout.contains("LOST: "), "{}", ended.describe());
}

/// An operation that failed proves nothing, so the answer is no.
#[test]
fn an_operation_that_fails_is_told_and_not_counted_as_lost() {
    let scene = Scene::new();
    app(&scene);
    let holder = scene.hold(["app.db"]);
    let run = prove(&scene, &["--in-place", "--json", "app.db"]).env("DBGUARD_TIMEOUT", "0");
    let ended = run.run().expect(75).says("cannot make a table").says("locked");
    assert_eq!(ended.error_document()["code"], "would_block");
    holder.end().expect(0);
    assert_eq!(tables(&scene), "kept\n");
    // Nobody waits, so all but one of those who come together fail.
    let run = prove(&scene, &["-w", "0", "--json", "--workers", "8", "--ops", "20", "app.db"]);
    let document = document(&run.run().expect(1));
    let run = &document["dbguard"];
    assert_eq!(document["verdict"], "failed", "{document}");
    assert_eq!(run["lost_updates"], 0, "{document}");
    assert_eq!(run["failures"]["would_block"], run["lock_errors"], "{document}");
    assert!(number(&run["lock_errors"]) > 0, "{document}");
    assert_eq!(number(&run["done"]) + number(&run["failed"]), 160, "{document}");
    assert!(run["first_failure"].as_str().expect("a text").contains("locked"), "{document}");
    assert_clear(&scene);
}

#[test]
fn readers_see_what_was_done_and_nothing_half_done() {
    let scene = Scene::new();
    app(&scene);
    let document = proved(&scene, &["--readers", "3", "--ops", "10", "app.db"]);
    let run = &document["dbguard"];
    assert!(number(&run["reads"]) >= 3, "{document}");
    assert_eq!((number(&run["wrong_reads"]), number(&run["failed_reads"])), (0, 0), "{document}");
}

#[test]
fn a_duration_bounds_the_work_instead_of_a_number() {
    let scene = Scene::new();
    let document = proved(&scene, &["--duration", "300ms", "--workers", "2", "new.db"]);
    assert!(document["ops"].is_null());
    assert_eq!(document["duration_ms"], 300);
    assert!(number(&document["dbguard"]["elapsed_ms"]) >= 300, "{document}");
    prove(&scene, &["--duration", "1s", "--ops", "3"]).run().expect(64).says("--duration");
}

/// The promise is for 50 operations each, which takes as long as the disk needs for 20,000 syncs:
/// `benches/README.md` has that. Here they do what they can in a few seconds.
#[test]
fn a_hundred_workers_lose_nothing() {
    let scene = Scene::new();
    let document = proved(&scene, &["--workers", "100", "--duration", "4s", "new.db"]);
    println!("{document}");
    let run = &document["dbguard"];
    assert!(number(&run["done"]) >= 100, "{document}");
    assert_eq!(run["done"], run["begun"], "{document}");
}

/// SQLite by programs that ask for no timeout: most of them are refused, and that is seen.
#[test]
fn compared_with_it_the_bare_work_fails() {
    let scene = Scene::new();
    app(&scene);
    let document = proved(&scene, &["--compare", "--ops", "25", "app.db"]);
    println!("{document}");
    let (bare, patient) = (&document["bare"], &document["engine_timeout"]);
    assert!(number(&bare["lock_errors"]) > 0, "{document}");
    assert!(number(&bare["done"]) < 100, "{document}");
    assert_eq!(number(&bare["begun"]), 100, "{document}");
    assert!(number(&patient["done"]) > number(&bare["done"]), "{document}");
    assert_eq!(document["dbguard"]["done"], 100, "{document}");
    let ended = prove(&scene, &["--compare", "--ops", "2", "app.db"]).run().expect(0);
    for text in ["dbguard", "bare", "timeout 10m", "lock errors", "took, longest"] {
        assert!(ended.stdout.contains(text), "{text}\n{}", ended.describe());
    }
    assert!(ended.stdout.lines().all(|line| line.len() <= 80), "{}", ended.describe());
    let plain = prove(&scene, &["--compare", "--ops", "2", "mutex"]).run().expect(0);
    assert!(plain.stdout.contains("has no timeout of its own"), "{}", plain.describe());
}

/// What stands in the database stays, and the table goes.
#[test]
fn in_place_only_the_table_comes_and_goes() {
    let scene = Scene::new();
    app(&scene);
    let query = ["--no-header", "--format", "csv", "app.db", "select * from kept"];
    for journal in ["delete", "wal"] {
        if journal == "wal" {
            answer(&scene, &["--wal", "app.db", "insert into kept values (8)"]);
        }
        let before = answer(&scene, &query);
        let document = proved(&scene, &["--in-place", "--ops", "4", "--readers", "1", "app.db"]);
        assert_eq!(document["in_place"], true);
        assert_eq!(document["dbguard"]["done"], 16);
        assert_eq!(answer(&scene, &query), before);
        assert_eq!(tables(&scene), "kept\n");
    }
    // Under the lock that the operations take: they join it, and take turns.
    let words = ["app.db", "--", env!("CARGO_BIN_EXE_dbguard"), "test", "--in-place", "--ops", "4"];
    scene.dbguard(["exec"]).words(words).words(["app.db"]).run().expect(0);
    assert_eq!(tables(&scene), "kept\n");
}

/// Where the locks' files are elsewhere, that is what is tested, and nothing stays there.
#[test]
fn the_directory_of_locks_is_tested_and_left_empty() {
    let scene = Scene::new();
    app(&scene);
    fs::create_dir(scene.path("locks")).expect("mkdir");
    proved(&scene, &["--ops", "3", "--lock-dir", "locks", "app.db"]);
    assert!(names(&scene.path("locks")).is_empty(), "{}", scene.describe());
    prove(&scene, &["--lock-dir", "none", "app.db"]).run().expect(66).says("none");
    assert_clear(&scene);
}

/// Refused in words and as JSON, with nothing left behind.
#[track_caller]
fn refused(scene: &Scene, words: &[&str], code: i32, says: &str) {
    let ended = prove(scene, words).run().expect(code).says(says).answers("");
    assert!(ended.stderr.contains("hint: "), "{}", ended.describe());
    let ended = prove(scene, words).words(["--json"]).run().expect(code);
    assert_eq!(ended.error_document()["exit_code"], code);
    assert_clear(scene);
}

#[test]
fn what_cannot_be_tested_is_refused() {
    let scene = Scene::new();
    scene.file("notes.txt", "nothing");
    refused(&scene, &["no/such/app.db"], 66, "there is no directory for `no/such/app.db`");
    refused(&scene, &["--workers", "0"], 64, "a whole number from 1 to 400");
    refused(&scene, &["--workers", "1000000"], 64, "a whole number from 1 to 400");
    refused(&scene, &["--ops", "0"], 64, "a whole number of at least 1");
    refused(&scene, &["--ops", "-3"], 64, "a whole number of at least 1");
    refused(&scene, &["--readers", "many"], 64, "a whole number from 0 to 400");
    refused(&scene, &["--mode", "fast"], 64, "expected one of sql, exec, mixed");
    refused(&scene, &["--in-place"], 64, "no FILE was given");
    refused(&scene, &["--in-place", "missing.db"], 66, "there is no `missing.db`");
    refused(&scene, &["--in-place", "notes.txt"], 65, "neither SQLite nor DuckDB");
    refused(&scene, &["--in-place", "."], 65, "a directory");
    refused(&scene, &["--in-place", "--compare", "a.db"], 64, "--compare");
    refused(&scene, &["--fs", ".", "a.db"], 64, "--fs");
    refused(&scene, &["--fs", "notes.txt"], 64, "notes.txt is no directory");
    let ended = prove(&scene, &["--fs", "no/such"]).run().expect(66);
    assert!(ended.stderr.contains("no/such"), "{}", ended.describe());
}

#[test]
#[cfg(target_os = "linux")]
fn what_may_not_be_written_is_refused() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    let scene = Scene::new();
    app(&scene);
    let allow = |path: &str, mode| {
        fs::set_permissions(scene.path(path), Permissions::from_mode(mode)).expect("chmod");
    };
    allow("", 0o555);
    let says = "cannot make a scratch directory";
    prove(&scene, &["app.db"]).ordinary().run().expect(77).says(says).says("hint: ");
    prove(&scene, &["--fs", "."]).ordinary().run().expect(77).says(says);
    allow("app.db", 0o444);
    allow("", 0o777);
    let ended = prove(&scene, &["--in-place", "app.db"]).ordinary().run().expect(77);
    ended.says("cannot make a table in").says("readonly");
    assert_eq!(tables(&scene), "kept\n");
}

#[test]
fn locks_of_a_directory_are_tried_out_between_processes() {
    let scene = Scene::new();
    let ended = prove(&scene, &["--fs", "."]).run().expect(0).silent();
    for kind in KINDS {
        let works = format!("{kind:<7} works");
        assert!(ended.stdout.contains(&works), "{works}\n{}", ended.describe());
    }
    assert!(ended.stdout.lines().all(|line| line.len() <= 80), "{}", ended.describe());
    let document = proved(&scene, &["--fs", "."]);
    let locks = document["locks"].as_array().expect("a list");
    assert_eq!(locks.len(), KINDS.len(), "{document}");
    for lock in locks {
        for field in ["supported", "excludes", "shares", "released"] {
            assert_eq!(lock[field], true, "{field} in {document}");
        }
    }
    assert!(names(&scene.path("")).is_empty(), "{}", scene.describe());
}

#[test]
fn locks_that_do_not_exclude_or_are_missing_are_found_out() {
    if !have_hooks() {
        return;
    }
    let scene = Scene::new();
    let broken = |name: &str, value: &str, code| -> Ended {
        let ended = prove(&scene, &["--fs", "."]).env(name, value).run().expect(code);
        assert_clear(&scene);
        ended
    };
    let ended = broken("DBGUARD_TEST_NO_KERNEL_LOCK", "1", 1);
    let own = format!("{:<7}", KINDS[0]);
    let says = |ended: &Ended, what: &str| {
        assert!(ended.stdout.contains(&format!("{own} {what}")), "{}", ended.describe());
    };
    says(&ended, "does not exclude");
    for error in ["ENOLCK", "ENOSYS", "EOPNOTSUPP"] {
        let ended = broken("DBGUARD_TEST_FAIL_AT", &format!("trial={error}"), 69);
        says(&ended, "not supported: ");
    }
}

/// The parts that the program plays itself are nobody's business.
#[test]
fn the_parts_of_a_test_are_in_no_help() {
    let scene = Scene::new();
    for words in [&["--help"][..], &["test", "--help"], &["completions", "bash"], &["man", "test"]]
    {
        let ended = scene.dbguard(words).run().expect(0);
        assert!(!ended.stdout.contains("__play"), "{}", ended.describe());
    }
    scene.dbguard(["__play", "count"]).run().expect(74).says("no part of a test");
}
