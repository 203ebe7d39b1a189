//! `dbguard test` interrupted, at a terminal or by another process, and killed: what stays behind.

use std::fs;

use crate::process::{Process, until};
use crate::prove::{SCRATCH, app, prove, scratch};
use crate::scene::{Scene, names};
use crate::system::children;
#[cfg(target_os = "linux")]
use {
    crate::prove::{assert_clear, tables},
    crate::pty::Terminal,
    crate::system::Signal,
};

#[cfg(target_os = "linux")]
const CTRL_C: &str = "\x03";

/// How the names of tables begin that are dropped in the end.
const TABLE: &str = "dbguard_test_";

/// More operations than anybody waits for.
const ENDLESS: &str = "1000000";

/// Returns the processes whose command line names the scene.
#[cfg(target_os = "linux")]
fn processes_of(scene: &Scene) -> Vec<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).into_owned())
    });
    let here = scene.path("").to_string_lossy().into_owned();
    lines.filter(|line| line.contains(&here)).collect()
}

/// Starts an endless test and returns once it counts.
fn counting(scene: &Scene, words: &[&str], resource: impl Fn() -> Option<String>) -> Process {
    let mut process = prove(scene, &["--ops", ENDLESS]).words(words).spawn();
    process.until("it counts", || {
        let log = resource().map(|name| scene.state(&name, "stats.log"));
        log.is_some_and(|log| fs::metadata(log).is_ok_and(|log| log.len() > 500))
    });
    process
}

fn scratch_database(scene: &Scene) -> Option<String> {
    scratch(&scene.path("")).first().map(|directory| format!("{directory}/count.db"))
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_ends_every_process_and_clears_up() {
    let scene = Scene::new();
    app(&scene);
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut process =
            counting(&scene, &["--readers", "2", "app.db"], || scratch_database(&scene));
        process.signal(signal);
        let ended = process.wait().expect(128 + signal.as_raw()).answers("");
        ended.says("interrupted; nothing of the test is left behind");
        assert_eq!(processes_of(&scene), Vec::<String>::new());
        assert_clear(&scene);
    }
    let mut process = counting(&scene, &["--in-place", "app.db"], || Some("app.db".to_owned()));
    assert!(tables(&scene).contains(TABLE), "the table is there while it counts");
    process.signal(Signal::TERM);
    process.wait().expect(143);
    assert_eq!(tables(&scene), "kept\n");
    scene.assert_free("app.db");
}

/// Somebody holds the database, so the table cannot be dropped yet: whoever asks twice is not made
/// to wait, and is told what is left.
#[test]
#[cfg(target_os = "linux")]
fn asked_twice_it_does_not_wait_to_drop_its_table() {
    let scene = Scene::new();
    app(&scene);
    let words = ["-w", "inf", "--in-place", "app.db"];
    let mut process = counting(&scene, &words, || Some("app.db".to_owned()));
    let holder = scene.hold(["app.db"]);
    process.signal(Signal::TERM);
    until("it drops", || process.stderr().contains("dropping the table"));
    process.signal(Signal::TERM);
    let ended = process.wait().expect(143).says("interrupted; what is left is said above");
    let (_, rest) = ended.stderr.split_once("dbguard: warning: the table ").expect("a warning");
    let name = rest.split(' ').next().expect("a name").to_owned();
    assert!(name.starts_with(TABLE), "{}", ended.describe());
    holder.end().expect(0);
    assert_eq!(tables(&scene), format!("{name}\nkept\n"));
    assert_eq!(processes_of(&scene), Vec::<String>::new());
}

/// Ctrl-C reaches the test and all of its processes at once; the shell's loop stops, too.
#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_at_a_terminal_clears_up() {
    let scene = Scene::new();
    app(&scene);
    for place in ["", "--in-place "] {
        let command = format!("$DBGUARD test --ops {ENDLESS} {place}app.db");
        let mut terminal = Terminal::open(&scene, &format!("{command}; echo ended=$? ="));
        terminal.until_shown("dbguard [");
        terminal.until_shown("of 4000000");
        terminal.press(CTRL_C);
        terminal.until_shown("ended=130 =");
        let screen = terminal.screen();
        assert!(screen.contains("interrupted; nothing of the test is left behind"), "{screen}");
        assert_clear(&scene);
        assert_eq!(tables(&scene), "kept\n");
    }
}

/// Only a program that dies by the signal ends a loop of the shell.
#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_it_by_the_signal_itself() {
    if !crate::scene::have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    let program = "import os, subprocess, sys\n\
                   child = subprocess.Popen([os.environ['DBGUARD'], 'test', '--ops', '1000000'])\n\
                   try: child.wait()\n\
                   except KeyboardInterrupt: child.wait()\n\
                   print('code =', child.returncode, '=')\n";
    scene.file("run.py", program);
    let mut terminal = Terminal::open(&scene, "python3 run.py");
    terminal.until_shown("of 4000000");
    terminal.press(CTRL_C);
    terminal.until_shown("code = -2 =");
    assert_clear(&scene);
}

/// The one end that leaves something: what, the manual says.
#[test]
fn killed_it_leaves_its_directory_and_no_process() {
    let scene = Scene::new();
    app(&scene);
    let before = names(&scene.path(""));
    let process = counting(&scene, &["app.db"], || scratch_database(&scene));
    let workers = || children(process.pid());
    assert!(!workers().is_empty(), "{}", scene.describe());
    process.kill();
    // Windows goes on telling who was a dead one's child, however late it was started.
    #[cfg(windows)]
    until("the last operations have ended", || !workers().into_iter().any(crate::process::lives));
    #[cfg(target_os = "linux")]
    until("the last operations have ended", || processes_of(&scene).is_empty());
    let left = scratch(&scene.path(""));
    assert_eq!(left.len(), 1, "{}", scene.describe());
    let after = names(&scene.path(""));
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), [&left[0]], "{}", scene.describe());
    let man = scene.dbguard(["man", "test"]).run().expect(0).stdout;
    for name in [SCRATCH, TABLE] {
        assert!(man.replace("\\-", "-").contains(name), "{name} is not in the manual");
    }
}
