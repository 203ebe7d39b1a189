//! Defects of `dbguard stats` that were found and mended, each with its story.

use std::ffi::OsStr;
use std::fs;

use crate::process::Ended;
use crate::scene::{Run, Scene, have, have_hooks, names, wine_lacks};
use crate::sql_crew::document;
#[cfg(target_os = "linux")]
use {
    crate::scene::{is_root, skip},
    rustix::fs::{Mode, OFlags, open},
    std::fs::Permissions,
    std::os::unix::ffi::OsStrExt,
    std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink},
    std::path::Path,
};

fn stats(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["stats"]).words(words)
}

fn exec(scene: &Scene, file: &str) -> Run {
    scene.dbguard(["exec", file, "--", "true"])
}

/// Returns the exclusive grants in the document of `--json`.
#[track_caller]
fn grants(ended: &Ended) -> Vec<u64> {
    let document = document(ended);
    let all = document["resources"].as_array().expect("a list");
    all.iter().map(|one| one["acquisitions"]["exclusive"].as_u64().expect("a count")).collect()
}

#[track_caller]
fn count(scene: &Scene, file: &str) -> u64 {
    grants(&stats(scene, &["--json", file]).run().expect(0).silent())[0]
}

/// A scene with a database that was locked so often.
fn scene(often: usize) -> Scene {
    let scene = Scene::new();
    scene.file("a.db", "");
    for _ in 0..often {
        exec(&scene, "a.db").run().expect(0).silent();
    }
    scene
}

/// Lines of others, so many that whoever comes next folds.
fn fill(scene: &Scene) {
    let log = scene.state("a.db", "stats.log");
    let mut file = fs::File::options().append(true).create(true).open(log).expect("it is ours");
    std::io::Write::write_all(&mut file, "a x 0 5 5 5\n".repeat(5000).as_bytes()).expect("write");
}

/// `--output` took the place of whatever it named: a database, a device, a symbolic link.
#[test]
fn the_output_takes_the_place_of_a_plain_file_only() {
    let scene = scene(1);
    if have(&["sqlite3"]) {
        scene.dbguard(["sql", "--create", "b.db", "create table t (x)"]).run().expect(0);
        let before = fs::read(scene.path("b.db")).expect("it is there");
        for words in [["--output", "b.db", "a.db"], ["--output", "b.db", "b.db"]] {
            stats(&scene, &words).run().expect(64).says("b.db").says("hint: ").answers("");
        }
        assert_eq!(fs::read(scene.path("b.db")).expect("it is there"), before);
    }
    stats(&scene, &["--output", "a.db", "a.db"]).run().expect(64).says("to be locked");
    let lock = scene.state("a.db", "lock");
    let words = ["--output", lock.to_str().expect("plain"), "a.db"];
    stats(&scene, &words).run().expect(64).says("own state");
    fs::create_dir(scene.path("folder")).expect("mkdir");
    let no_file = |name: &str| {
        let ended = stats(&scene, &["--output", name, "a.db"]).run();
        ended.expect(64).says("no regular file")
    };
    no_file("folder");
    scene.file("real.prom", "old");
    #[cfg(target_os = "linux")]
    {
        scene.run("mkfifo", ["pipe"]).run().expect(0);
        no_file("pipe");
        no_file("/dev/null");
        assert!(fs::metadata(scene.path("pipe")).expect("it is there").file_type().is_fifo());
        // A link is followed, and the permissions of what is there stay.
        fs::set_permissions(scene.path("real.prom"), Permissions::from_mode(0o640)).expect("chmod");
        symlink("real.prom", scene.path("link.prom")).expect("a link");
        stats(&scene, &["--output", "link.prom", "a.db"]).run().expect(0).silent().answers("");
        assert_eq!(fs::read_link(scene.path("link.prom")).expect("a link"), Path::new("real.prom"));
        let mode = fs::metadata(scene.path("real.prom")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
    #[cfg(windows)]
    {
        no_file("NUL");
        stats(&scene, &["--output", "real.prom", "a.db"]).run().expect(0).silent().answers("");
    }
    assert!(scene.read("real.prom").contains("acquisitions   1"), "{}", scene.describe());
    let said = stats(&scene, &["--output", "-", "a.db"]).run().expect(0).stdout;
    assert!(said.contains("acquisitions   1"), "{said}");
    assert!(!names(&scene.path("")).iter().any(|name| name.starts_with(".dbguard-")));
}

/// Counts were forgotten, and then the file was found that could not be written.
#[test]
fn nothing_is_forgotten_that_could_not_be_told() {
    let scene = scene(2);
    stats(&scene, &["--reset", "--output", "missing/x", "a.db"]).run().expect(66).answers("");
    assert_eq!(count(&scene, "a.db"), 2);
    // What was forgotten is told, though something else is missing.
    let ended = stats(&scene, &["--json", "--reset", "a.db", "no.db"]).run().expect(66);
    assert_eq!(grants(&ended), [2]);
    ended.says("there is no `no.db`");
    assert_eq!(count(&scene, "a.db"), 0);
}

/// One who was folding wrote the counts back that a reset had removed; and who appended between the
/// last look and the removal was counted nowhere.
#[test]
fn resets_and_grants_at_once_count_each_grant_once() {
    const PROCESSES: usize = 8;
    const EACH: u64 = if cfg!(windows) { 5 } else { 40 };
    let scene = scene(0);
    scene.make_state("a.db");
    let script = format!(
        "i=0; while [ $i -lt {EACH} ]; do \"$DBGUARD\" exec -q -w inf a.db -- true || exit 1; \
         i=$((i + 1)); done"
    );
    let mut crowd: Vec<_> = (0..PROCESSES).map(|_| scene.shell(&script).spawn()).collect();
    let mut sum = 0;
    let take = || grants(&stats(&scene, &["--json", "--reset", "a.db"]).run().expect(0))[0];
    while crowd.iter().any(crate::process::Process::runs) {
        sum += take();
    }
    for process in &mut crowd {
        process.wait().expect(0);
    }
    assert_eq!(sum + take(), PROCESSES as u64 * EACH);
    assert_eq!(count(&scene, "a.db"), 0);
}

/// A reset during a fold; see above.
#[test]
fn a_reset_waits_for_one_who_folds() {
    if !have_hooks() {
        return;
    }
    let scene = scene(1);
    fill(&scene);
    let mut folder = exec(&scene, "a.db").env("DBGUARD_TEST_STOP_AT", "stats-summed").spawn();
    folder.until_stopped();
    stats(&scene, &["--reset", "a.db"]).run().expect(74).says("cannot reset");
    folder.resume();
    folder.wait().expect(0);
    assert_eq!(count(&scene, "a.db"), 5002);
    stats(&scene, &["--reset", "a.db"]).run().expect(0);
    assert_eq!(count(&scene, "a.db"), 0);
}

/// One who had found the log before it was renamed away could open it after it was read, and write
/// what nobody would read: the kernel has time between the two.
#[test]
fn a_log_that_is_being_added_is_not_written_to() {
    if !have_hooks() || wine_lacks("a name that is free as soon as an open file is removed") {
        return;
    }
    let scene = scene(1);
    fill(&scene);
    let mut folder = exec(&scene, "a.db").env("DBGUARD_TEST_STOP_AT", "stats-summed").spawn();
    folder.until_stopped();
    #[cfg(target_os = "linux")]
    {
        let state = scene.state("a.db", "");
        let fold = names(&state).into_iter().find(|name| name.contains("fold")).expect("it folds");
        let how = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK;
        let late = open(state.join(fold), how, Mode::empty());
        assert_eq!(late.err(), Some(rustix::io::Errno::AGAIN));
    }
    folder.resume();
    folder.wait().expect(0);
    // The same one, a moment later: what it opened has no name any more.
    let mut late = exec(&scene, "a.db").env("DBGUARD_TEST_STOP_AT", "stats-opened").spawn();
    late.until_stopped();
    fs::remove_file(scene.state("a.db", "stats.log")).expect("it is there");
    late.resume();
    late.wait().expect(0);
    assert_eq!(count(&scene, "a.db"), 5003);
}

/// Nothing was counted any more while something else stood in the place of a file, and one FIFO
/// among the logs that were renamed away kept all others from being added.
#[test]
fn what_is_no_file_of_ours_is_replaced() {
    let scene = scene(1);
    let (log, mine) = (scene.state("a.db", "stats.log"), scene.file("mine.txt", "mine"));
    #[cfg(target_os = "linux")]
    let fifo = |path: &Path| drop(scene.run("mkfifo", [path]).run().expect(0));
    let plants: &[(&str, &dyn Fn())] = &[
        ("a second name", &|| fs::hard_link(&mine, &log).expect("plant")),
        ("a directory", &|| fs::create_dir(&log).expect("plant")),
        #[cfg(target_os = "linux")]
        ("a link", &|| symlink(&mine, &log).expect("plant")),
        #[cfg(target_os = "linux")]
        ("a FIFO", &|| fifo(&log)),
    ];
    for (what, plant) in plants {
        fs::remove_file(&log).expect("it is there");
        plant();
        for _ in 0..2 {
            exec(&scene, "a.db").run().expect(0).silent();
        }
        assert_eq!(count(&scene, "a.db"), 2, "{what}: {}", scene.describe());
        assert_eq!(scene.read("mine.txt"), "mine", "{what}");
    }
    fs::create_dir(scene.state("a.db", "stats.sum")).expect("plant");
    fs::create_dir(scene.state("a.db", "stats.new")).expect("plant");
    #[cfg(target_os = "linux")]
    fifo(&scene.state("a.db", "stats.fold-0000000000000000"));
    fill(&scene);
    exec(&scene, "a.db").run().expect(0).silent();
    assert!(fs::metadata(scene.state("a.db", "stats.sum")).expect("a sum").is_file());
    assert_eq!(count(&scene, "a.db"), 5003, "{}", scene.describe());
}

/// One database that may not be read hid all others of its directory.
#[test]
#[cfg(target_os = "linux")]
fn one_that_is_hidden_hides_no_other() {
    if !is_root() {
        return skip("needs two users");
    }
    let scene = Scene::new();
    for file in ["d/open.db", "d/hidden.db"] {
        scene.file(file, "");
        exec(&scene, file).run().expect(0);
    }
    let hidden = scene.state("d/hidden.db", "stats.log");
    fs::set_permissions(hidden, Permissions::from_mode(0o600)).expect("chmod");
    let ended = stats(&scene, &["--json", "d"]).ordinary().run().expect(0);
    assert_eq!(grants(&ended), [1]);
    ended.says("d/hidden.db is left out: cannot read").says("Permission denied");
    stats(&scene, &["d/hidden.db"]).ordinary().run().expect(77).says("cannot read");
}

/// Prometheus refuses a page with one series twice: a database that was named twice, and names
/// that differ in bytes that are no text.
#[test]
fn each_database_is_one_series() {
    let scene = scene(1);
    #[cfg(target_os = "linux")]
    let (odd, words, ends) = {
        symlink("a.db", scene.path("link.db")).expect("a link");
        let odd: [&[u8]; 4] = [b"n/\xff", b"n/\xfe", b"n/a\rb", b"n/a\x1b[2J\nb"];
        let ends = [r"n/\\xff", r"n/\\xfe", r"n/a\\rb", r"n/a\\u{1b}[2J\nb"];
        (odd.map(OsStr::from_bytes), ["a.db", "./a.db", "link.db", ".", "n"], ends)
    };
    #[cfg(windows)]
    let (odd, words, ends) = {
        let ends = [r"n\\a b", r"n\\a'b", r"n\\a&b", r"n\\a%PATH%b"];
        let odd = [r"n\a b", r"n\a'b", r"n\a&b", r"n\a%PATH%b"].map(OsStr::new);
        (odd, ["a.db", "./a.db", r".\a.db", ".", "n"], ends)
    };
    for name in odd {
        let path = scene.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("mkdir");
        fs::write(&path, "").expect("write");
        let words = [OsStr::new("exec"), path.as_os_str(), OsStr::new("--"), OsStr::new("true")];
        scene.dbguard(words).run().expect(0);
    }
    let words = [&["--format", "prometheus"][..], &words].concat();
    let page = stats(&scene, &words).run().expect(0).silent().stdout;
    let series: Vec<&str> = page.lines().filter(|line| line.contains("contended_total{")).collect();
    let mut each = series.clone();
    each.sort_unstable();
    each.dedup();
    assert_eq!((series.len(), each.len()), (5, 5), "{series:#?}");
    assert!(!page.contains(['\r', '\x1b']), "a terminal obeys it: {page:?}");
    for end in ends {
        assert!(series.iter().any(|line| line.contains(&format!("{end}\""))), "{series:#?}");
    }
}

/// Where the locks are elsewhere, a directory was said to have none.
#[test]
fn a_directory_is_searched_in_the_lock_dir_too() {
    let scene = Scene::new();
    fs::create_dir(scene.path("locks")).expect("mkdir");
    for file in ["d/a.db", "d/e/b.db", "other.db"] {
        scene.file(file, "");
        let words = ["exec", "--lock-dir", "locks", file, "--", "true"];
        scene.dbguard(words).run().expect(0);
    }
    let words = ["exec", "--lock-dir", "locks", "d/No File", "--", "true"];
    scene.dbguard(words).run().expect(0);
    let ended = stats(&scene, &["--json", "d"]).env("DBGUARD_LOCK_DIR", "locks").run().expect(0);
    assert_eq!(grants(&ended), [1, 1, 1]);
    let text = stats(&scene, &["--lock-dir", "locks"]).run().expect(0).silent().stdout;
    // On Windows a name is the same in capitals.
    let unnamed = if cfg!(windows) { "d\\no file\n" } else { "d/No File\n" };
    assert!(text.contains(unnamed) && text.contains("all 4\n"), "{text}");
}
