//! `dbguard sql` interrupted, by a person at a keyboard or by another process, and the line that
//! shows how long it has run.

use crate::system::Signal;

use crate::process::{Process, until};
use crate::pty::Terminal;
use crate::scene::{Scene, have};
use crate::sql_crew::{Shell, answer, ask, assert_sound, database, dump, sql};

const CTRL_C: &str = "\x03";

/// An insert that would take minutes.
const ENDLESS: &str = "with recursive r(n) as (select 1 union all select n + 1 from r \
                       where n < 1000000000) insert into c select n from r";

fn counter(scene: &Scene, journal: &str) {
    database(scene, "a.db", journal, "create table c (n); insert into c values (0);");
    scene.file("endless.sql", format!("update c set n = 7; {ENDLESS};"));
}

/// Waits until the batch has written into the database itself, or into its write-ahead log. Only
/// then a journal is hot.
fn until_writing(scene: &Scene, run: &mut Process, journal: &str) {
    let file = if journal == "wal" { "a.db-wal" } else { "a.db" };
    let size = || scene.path(file).metadata().map_or(0, |file| file.len());
    run.until("it writes", || size() > 100_000);
}

/// Ctrl-C in the middle of one statement: it ends as any interrupted program does, and nothing of
/// the batch has happened.
#[test]
fn ctrl_c_during_a_long_statement_undoes_the_batch() {
    if !have(&["sqlite3"]) {
        return;
    }
    for journal in ["delete", "wal"] {
        let scene = Scene::new();
        counter(&scene, journal);
        let before = dump(&scene, "a.db");
        let script = "$DBGUARD sql -f endless.sql a.db; echo ended=$? =";
        let mut terminal = Terminal::open(&scene, script);
        terminal.until_shown("running for 1s");
        terminal.press(CTRL_C);
        terminal.until_shown("ended=130 =");
        let screen = terminal.screen();
        assert!(screen.contains("interrupted; nothing was changed in a.db"), "{screen}");
        // The line is wiped before the message.
        let last = screen.rfind("running for").expect("it was shown");
        assert!(screen[last..].contains("\r\x1b[2K"), "{screen:?}");
        assert_eq!(dump(&scene, "a.db"), before);
        assert_sound(&scene, "a.db");
        scene.assert_free("a.db");
    }
}

/// A shell's loop stops at Ctrl-C only if the program died by the signal.
#[test]
fn ctrl_c_ends_it_by_the_signal_itself() {
    if !have(&["sqlite3", "python3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "delete");
    let parent = "import os, signal, subprocess\n\
        signal.signal(signal.SIGINT, lambda *_: None)\n\
        words = [os.environ['DBGUARD'], 'sql', '-f', 'endless.sql', 'a.db']\n\
        print('ended=%d =' % subprocess.Popen(words).wait())\n";
    scene.file("parent.py", parent);
    let mut terminal = Terminal::open(&scene, "python3 parent.py");
    terminal.until_shown("running for 1s");
    terminal.press(CTRL_C);
    terminal.until_shown("ended=-2 =");
    assert_sound(&scene, "a.db");
}

#[test]
fn a_signal_from_another_process_undoes_the_batch() {
    if !have(&["sqlite3"]) {
        return;
    }
    for journal in ["delete", "wal"] {
        for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
            let scene = Scene::new();
            counter(&scene, journal);
            let before = dump(&scene, "a.db");
            let mut run = sql(&scene, &["-f", "endless.sql", "a.db"]).spawn();
            until_writing(&scene, &mut run, journal);
            run.signal(signal);
            let ended = run.wait().expect(code).answers("").says("nothing was changed in a.db");
            ended.never_says("running for");
            assert_eq!(dump(&scene, "a.db"), before, "{journal} {signal:?}");
            assert_sound(&scene, "a.db");
            scene.assert_free("a.db");
        }
    }
}

/// SIGKILL leaves what any crash of SQLite leaves: the next one to come recovers it.
#[test]
fn a_batch_that_is_killed_is_undone_by_the_next() {
    if !have(&["sqlite3"]) {
        return;
    }
    for journal in ["delete", "wal"] {
        let scene = Scene::new();
        counter(&scene, journal);
        let mut run = sql(&scene, &["-f", "endless.sql", "a.db"]).spawn();
        until_writing(&scene, &mut run, journal);
        run.kill();
        let count = ["-w", "50", "--no-header", "a.db", "select count(*), max(n) from c"];
        assert_eq!(answer(&scene, &count), "1,0\n", "{journal}");
        assert_sound(&scene, "a.db");
        scene.assert_free("a.db");
    }
}

#[test]
fn what_stands_for_itself_stays_done_after_an_interruption() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "delete");
    let words = ["--no-transaction", "-f", "endless.sql", "a.db"];
    let mut run = sql(&scene, &words).spawn();
    until("the first statement is done", || ask(&scene, "a.db", "select n from c") == "7");
    run.until("the second one writes", || scene.path("a.db-journal").exists());
    run.signal(Signal::TERM);
    run.wait().expect(143).says("the statements before stay done");
    assert_eq!(ask(&scene, "a.db", "select n from c"), "7");
    assert_sound(&scene, "a.db");
}

/// While it waits for the lock, for somebody else's lock, or between two tries.
#[test]
fn a_signal_ends_every_kind_of_wait() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "delete");
    let change = "update c set n = 1";
    let holder = scene.hold(["a.db"]);
    let mut run = sql(&scene, &["-w", "inf", "a.db", change]).spawn();
    run.until("it is in the queue", || scene.queue("a.db").len() == 1);
    run.signal(Signal::TERM);
    run.wait().expect(143);
    holder.end().expect(0);
    let peer = Shell::doing(&scene, "a.db", "begin immediate;");
    for native in ["wait", "ignore"] {
        let words = ["-w", "inf", "--native", native, "a.db", change];
        let mut run = sql(&scene, &words).spawn();
        run.until("it has its turn", || scene.held("a.db").len() == 1);
        run.signal(Signal::TERM);
        run.wait().expect(143).answers("");
        scene.dbguard(["exec", "-n", "--native", "ignore", "a.db", "--", "true"]).run().expect(0);
    }
    peer.leave();
    assert_eq!(ask(&scene, "a.db", "select n from c"), "0");
}

/// On a terminal rows come as a table that fits it; nothing is drawn over them.
#[test]
fn a_terminal_gets_a_table_and_no_progress_over_it() {
    let scene = Scene::new();
    scene.file("a.db", "");
    let query = "select printf(\"%.*c\", 200, \"x\") as wide, char(27) || \"[2J\" as evil";
    let script = format!("$DBGUARD sql a.db '{query}'; echo ended=$? =");
    let terminal = Terminal::open(&scene, &script);
    terminal.until_shown("ended=0 =");
    let screen = terminal.screen();
    assert!(!screen.contains("running") && !screen.contains("\x1b[2J"), "{screen:?}");
    let widest = screen.lines().map(|line| line.trim_end().chars().count()).max();
    assert!(widest.is_some_and(|width| (70..=80).contains(&width)), "{screen}");
}

/// With rows or errors going elsewhere there is no progress, even if it takes long.
#[test]
fn progress_is_only_drawn_for_people() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    counter(&scene, "delete");
    // As many rows as take more than a second.
    let count = if cfg!(debug_assertions) { 3_000_000 } else { 12_000_000 };
    let long = ENDLESS.replace("1000000000", &count.to_string());
    scene.file("long.sql", format!("{long}; delete from c"));
    let quiet = sql(&scene, &["-f", "long.sql", "a.db"]).run().expect(0);
    quiet.silent().answers("");
    let script = "$DBGUARD sql --json -f long.sql a.db; echo ended=$? =";
    let terminal = Terminal::open(&scene, script);
    terminal.until_shown("ended=0 =");
    assert!(!terminal.screen().contains("running for"), "{:?}", terminal.screen());
    let script = "$DBGUARD sql -f long.sql a.db >out; echo ended=$? =";
    let terminal = Terminal::open(&scene, script);
    terminal.until_shown("ended=0 =");
    assert!(terminal.screen().contains("running for"), "{:?}", terminal.screen());
    assert_eq!(scene.read("out"), "");
}
