//! `dbguard stats`: every grant is counted exactly once, and counting is never a reason to fail.

use std::fs;
#[cfg(target_os = "linux")]
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::scene::{Run, Scene, have, skip};
use crate::sql_crew::document;

fn stats(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["stats"]).words(words)
}

/// Returns what was counted of one database.
#[track_caller]
fn counted(scene: &Scene, file: &str) -> Value {
    let ended = stats(scene, &["--json", file]).run().expect(0).silent();
    let document = document(&ended);
    assert_eq!(document["schema"], 1);
    document["resources"][0].clone()
}

/// Two thousand grants of forty processes at once, folded meanwhile.
#[test]
fn the_sum_of_a_crowd_is_exact() {
    const PROCESSES: u64 = if cfg!(windows) { 20 } else { 40 };
    const EACH: u64 = if cfg!(windows) { 4 } else { 50 };
    let scene = Scene::new();
    scene.file("a.db", "");
    let script = format!(
        "i=0; while [ $i -lt {EACH} ]; do \"$DBGUARD\" exec -q -w inf a.db -- true || exit 1; \
         i=$((i + 1)); done"
    );
    let mut crowd: Vec<_> = (0..PROCESSES).map(|_| scene.shell(&script).spawn()).collect();
    for process in &mut crowd {
        process.wait().expect(0);
    }
    let seen = counted(&scene, "a.db");
    assert_eq!(seen["acquisitions"]["exclusive"], PROCESSES * EACH, "{seen:#}");
    let is_folded = scene.state("a.db", "stats.sum").exists();
    assert_eq!(is_folded, PROCESSES * EACH > 1000, "{}", scene.describe());
    assert!(!scene.state("a.db", "stats.new").exists());
}

#[test]
fn what_is_counted_has_its_names() {
    let scene = Scene::new();
    scene.file("a.db", "");
    scene.dbguard(["exec", "-s", "a.db", "--", "true"]).run().expect(0);
    let holder = scene.hold(["a.db"]);
    scene.dbguard(["exec", "-n", "a.db", "--", "true"]).run().expect(75);
    scene.dbguard(["exec", "-w", "0.05", "a.db", "--", "true"]).run().expect(124);
    assert_eq!(counted(&scene, "a.db")["active"], 1);
    assert_eq!(holder.end().code, Some(0));
    let words = ["exec", "--max-hold", "0.05", "a.db", "--", "sleep", "600"];
    scene.dbguard(words).run().expect(123);
    scene.dbguard(["wait", "a.db"]).run().expect(0);
    let seen = counted(&scene, "a.db");
    assert_eq!(seen["acquisitions"], serde_json::json!({ "shared": 1, "exclusive": 2 }));
    let failures = &seen["failures"];
    for (name, count) in [("would_block", 1), ("timeout", 1), ("max_hold", 1), ("deadlock", 0)] {
        assert_eq!(failures[name], count, "{name}: {seen:#}");
    }
    assert!(seen["hold_ms"]["max"].as_u64().is_some_and(|max| max >= 50), "{seen:#}");
    assert!(seen["last_acquired"].as_str().is_some_and(|at| at.ends_with('Z')));
    let text = stats(&scene, &["a.db"]).run().expect(0).silent().stdout;
    let names: Vec<&str> =
        text.lines().skip(1).take(8).map(|line| line[2..16].trim_end()).collect();
    let expected = [
        "acquisitions",
        "failed",
        "average wait",
        "longest wait",
        "active now",
        "last",
        "contention",
        "SQL errors",
    ];
    assert_eq!(names, expected, "{text}");
}

#[test]
fn batches_of_sql_are_counted_with_their_errors() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    scene.dbguard(["sql", "--create", "a.db", "create table t(n unique)"]).run().expect(0);
    let twice = "insert into t values(1), (1)";
    scene.dbguard(["sql", "a.db", twice]).run().expect(2);
    let sql = &counted(&scene, "a.db")["sql"];
    assert_eq!((&sql["batches"], &sql["errors"]["sql"]), (&2.into(), &1.into()), "{sql:#}");
}

/// One who is stopped between opening the log and writing to it is waited for by nobody, and counted
/// when he goes on; and nothing is lost or counted twice when one who folds is killed.
#[test]
fn nobody_who_is_stopped_or_killed_costs_a_count() {
    if !crate::scene::have_hooks() {
        return;
    }
    let scene = Scene::new();
    scene.file("a.db", "");
    let one = || scene.dbguard(["exec", "a.db", "--", "true"]);
    one().run().expect(0);
    let log = scene.state("a.db", "stats.log");
    let line = fs::read_to_string(&log).expect("it is there");
    // Thousands of lines of others, so that whoever comes next folds.
    let fill = || {
        let mut file =
            fs::File::options().append(true).create(true).open(&log).expect("it is ours");
        std::io::Write::write_all(&mut file, line.repeat(2000).as_bytes()).expect("write");
    };
    let count = || counted(&scene, "a.db")["acquisitions"]["exclusive"].clone();
    fill();
    let mut slow = one().env("DBGUARD_TEST_STOP_AT", "stats-opened").spawn();
    slow.until_stopped();
    let mut folder = one().env("DBGUARD_TEST_STOP_AT", "stats-renamed").spawn();
    folder.until_stopped();
    folder.kill();
    assert_eq!(count(), 2002);
    fill();
    // The log that somebody has open is left, the other one is added.
    let mut folder = one().env("DBGUARD_TEST_STOP_AT", "stats-summed").spawn();
    folder.until_stopped();
    folder.kill();
    assert_eq!(count(), 4003);
    slow.resume();
    slow.wait().expect(0);
    assert_eq!(count(), 4004);
    fill();
    one().run().expect(0);
    assert_eq!(count(), 6005);
    let left = fs::read_dir(scene.state("a.db", "")).expect("list").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().contains("fold")).count();
    assert_eq!(left, 0, "{}", scene.describe());
}

/// A call below another is part of it, and a dead holder's leavings are counted where they are found.
#[test]
fn nested_calls_count_once_and_the_dead_are_counted() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let nested = "\"$DBGUARD\" exec a.db -- true && \"$DBGUARD\" exec a.db -- true";
    scene.dbguard(["exec", "a.db", "--", "sh", "-c", nested]).run().expect(0);
    assert_eq!(counted(&scene, "a.db")["acquisitions"]["exclusive"], 1);
    if cfg!(windows) {
        scene.hold(["a.db"]).process.kill();
    } else {
        scene.dbguard(["exec", "-F", "a.db", "--", "true"]).run().expect(0);
    }
    scene.dbguard(["exec", "a.db", "--", "true"]).run().expect(0);
    let seen = counted(&scene, "a.db");
    assert_eq!(seen["recovered_holders"], 1, "{seen:#}");
}

#[test]
fn a_directory_sums_its_databases_and_names_without_a_file_count() {
    let scene = Scene::new();
    for name in ["a.db", "sub/b.db"] {
        scene.file(name, "");
        scene.dbguard(["exec", name, "--", "true"]).run().expect(0);
    }
    scene.dbguard(["exec", "Some Mutex", "--", "true"]).run().expect(0);
    let document = document(&stats(&scene, &["--json"]).run().expect(0));
    assert_eq!(document["resources"].as_array().map(Vec::len), Some(3), "{document:#}");
    let text = stats(&scene, &[]).run().expect(0).stdout;
    // On Windows a name is the same in capitals.
    let mutex = if cfg!(windows) { "some mutex\n" } else { "Some Mutex\n" };
    assert!(text.contains(mutex) && text.contains("all 3\n  acquisitions   3\n"), "{text}");
    stats(&scene, &["missing.db"]).run().expect(66).says("there is no `missing.db`");
    scene.file("metrics.db", "");
    stats(&scene, &["metric.db"]).run().expect(66).says("there is metrics.db");
}

#[test]
fn what_is_reset_is_forgotten() {
    let scene = Scene::new();
    scene.file("a.db", "");
    scene.dbguard(["exec", "a.db", "--", "true"]).run().expect(0);
    let last = stats(&scene, &["--reset", "a.db"]).run().expect(0).stdout;
    assert!(last.contains("acquisitions   1"), "{last}");
    assert_eq!(counted(&scene, "a.db")["acquisitions"]["exclusive"], 0);
}

/// Torn, foreign and hostile files: never trusted, never a reason to fail, never written through.
#[test]
fn nothing_that_stands_in_its_place_does_any_harm() {
    let scene = Scene::new();
    scene.file("a.db", "");
    scene.make_state("a.db");
    let log = scene.state("a.db", "stats.log");
    let mine = scene.file("mine.txt", "mine");
    let run = || scene.dbguard(["exec", "a.db", "--", "true"]).run().expect(0).silent();
    let plants: &[(&str, &dyn Fn())] = &[
        ("garbage", &|| fs::write(&log, b"\xff\x00= {\nhello").expect("plant")),
        #[cfg(target_os = "linux")]
        ("a link", &|| symlink(&mine, &log).expect("plant")),
        ("a second name", &|| fs::hard_link(&mine, &log).expect("plant")),
        ("a directory", &|| fs::create_dir(&log).expect("plant")),
        ("a sum that is none", &|| {
            fs::write(scene.state("a.db", "stats.sum"), "{\"exclusive\":-5}").expect("plant");
        }),
    ];
    for (what, plant) in plants {
        plant();
        run();
        let seen = counted(&scene, "a.db");
        assert!(seen["acquisitions"]["exclusive"].as_u64() <= Some(1), "{what}: {seen:#}");
        let _gone = fs::remove_file(&log).or_else(|_| fs::remove_dir(&log));
    }
    assert_eq!(scene.read("mine.txt"), "mine");
    run();
    assert_eq!(counted(&scene, "a.db")["acquisitions"]["exclusive"], 1);
}

/// The official parser reads it, and finds the same numbers.
#[test]
fn prometheus_reads_it() {
    let scene = Scene::new();
    let has_parser = have(&["python3"])
        && scene.run("python3", ["-c", "import prometheus_client"]).run().code == Some(0);
    if !has_parser {
        skip("Python has no module `prometheus_client`");
        return;
    }
    let name = "a \"b\"\\c.db";
    scene.file(name, "");
    for _ in 0..3 {
        scene.dbguard(["exec", name, "--", "true"]).run().expect(0);
    }
    let words = ["--format", "prometheus", "--output", "metrics.prom", name];
    stats(&scene, &words).run().expect(0).answers("").silent();
    let program = "from prometheus_client.parser import text_string_to_metric_families as parse\n\
        found = {}\n\
        for family in parse(open('metrics.prom').read()):\n\
        \x20   for sample in family.samples:\n\
        \x20       found.setdefault(sample.name, []).append((sample.labels, sample.value))\n\
        grants = [v for l, v in found['dbguard_acquisitions_total'] if l['mode'] == 'exclusive']\n\
        assert grants == [3.0], found\n\
        assert found['dbguard_wait_seconds_count'][0][1] == 3.0\n\
        ends = [v for l, v in found['dbguard_wait_seconds_bucket']]\n\
        assert ends == sorted(ends) and ends[-1] == 3.0\n\
        print(found['dbguard_active'][0][0]['path'].rsplit('/', 1)[1])";
    scene.run("python3", ["-c", program]).run().expect(0).answers(name);
    // What cannot be written is an error, and the old file stays.
    let words = ["--format", "prometheus", "--output", "missing/metrics.prom", name];
    stats(&scene, &words).run().expect(66);
}

/// What was counted is added up by whoever clears up, not only by a thousandth writer.
#[test]
fn fix_folds_what_was_counted_and_loses_nothing() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let one = || scene.dbguard(["exec", "a.db", "--", "true"]);
    let count = || counted(&scene, "a.db")["acquisitions"]["exclusive"].clone();
    let [log, sum] = ["stats.log", "stats.sum"].map(|name| scene.state("a.db", name));
    (0..3).for_each(|_| drop(one().run().expect(0)));
    scene.dbguard(["fix", "--dry-run"]).run().expect(0);
    assert!(log.exists() && !sum.exists(), "{}", scene.describe());
    for words in [&["fix"][..], &["fix", "a.db"]] {
        scene.dbguard(words).run().expect(0).answers("nothing was left behind").silent();
        assert!(!log.exists() && sum.exists(), "{}", scene.describe());
        one().run().expect(0);
    }
    assert_eq!(count(), 5);
    if !crate::scene::have_hooks() {
        return;
    }
    // A line that is being written while it is folded is added the next time.
    let mut slow = one().env("DBGUARD_TEST_STOP_AT", "stats-opened").spawn();
    slow.until_stopped();
    scene.dbguard(["fix"]).run().expect(0);
    assert_eq!(count(), 5);
    slow.resume();
    slow.wait().expect(0);
    assert_eq!(count(), 6);
    scene.dbguard(["fix"]).run().expect(0);
    let left = crate::scene::names(&scene.state("a.db", ""));
    assert!(!left.iter().any(|name| name.contains("fold")), "{}", scene.describe());
    assert_eq!(count(), 6);
}
