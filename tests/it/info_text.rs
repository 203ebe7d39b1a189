//! The whole text of `dbguard info` in recorded states, with what differs from run to run masked.

use crate::info_crew::{
    CONNECT, Client, as_told_here, have_foreign_duckdb, info, shows_locks, told, typed_here,
};
use crate::process::until;
use crate::scene::{Scene, have};
use crate::sql_crew::{SPILLED, Shell, database};

/// Joins the lines that were broken to fit, and masks numbers, times, sizes, users and ancestors.
fn masked(text: &str) -> String {
    let mut paragraphs = Vec::new();
    for paragraph in text.trim_end().split("\n\n") {
        let lines = if paragraph.starts_with("hint: ") {
            vec![paragraph.replace('\n', " ")]
        } else {
            let mut lines: Vec<String> = Vec::new();
            for line in paragraph.lines() {
                match (line.strip_prefix("          "), lines.last_mut()) {
                    (Some(rest), Some(last)) if !rest.starts_with("pid ") => {
                        last.push(' ');
                        last.push_str(rest);
                    }
                    _ => lines.push(line.to_owned()),
                }
            }
            lines
        };
        let lines: Vec<String> = lines.iter().map(|line| masked_line(line)).collect();
        paragraphs.push(lines.join("\n"));
    }
    paragraphs.join("\n\n")
}

fn masked_line(line: &str) -> String {
    let line = line.split("; below ").next().unwrap_or(line);
    let line = match line.strip_prefix("file ").and(line.rsplit_once(", ")) {
        Some((rest, _)) => format!("{rest}, FS"),
        None => line.to_owned(),
    };
    let words: Vec<&str> = line.split(' ').collect();
    let mut masked: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let before = index.checked_sub(1).map_or("", |index| words[index]);
        let after = words.get(index + 1).copied().unwrap_or("");
        let core = word.trim_end_matches([',', ';', ':', ')', '`']);
        let tail = &word[core.len()..];
        let is_number = !core.is_empty() && core.bytes().all(|byte| byte.is_ascii_digit());
        let is_size = core.parse::<f64>().is_ok()
            && ["B", "KiB", "MiB"].contains(&after.trim_end_matches([',', ':']));
        let is_version = core.split('.').count() == 3
            && core
                .trim_start_matches('v')
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.');
        let mask = match before {
            "pid" | "(pid" | "-CONT" | "-KILL" | "`kill" if is_number => "N",
            "user" => "U",
            "for" if core.ends_with('s') && core.as_bytes()[0].is_ascii_digit() => "T",
            _ if is_size => "S",
            _ if is_version => "V",
            _ => core,
        };
        masked.push(format!("{mask}{tail}"));
    }
    masked.join(" ")
}

/// Proves that no line is longer than 80 columns but for a command that has to stay whole, and
/// that a pipe gets no escape sequences; returns the text without what differs.
#[track_caller]
fn text(scene: &Scene, words: &[&str]) -> String {
    let text = info(scene, words).run().expect(0).silent().stdout;
    // Neither is the answer broken; a short command line in it is not cut either.
    for line in text.lines().skip(1) {
        let is_whole =
            line.contains('`') || line.starts_with("dbguard ") || line.contains("type: ");
        assert!(line.chars().count() <= 80 || is_whole, "{line}");
    }
    assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text:?}");
    masked(&text)
}

#[track_caller]
fn assert_text(found: &str, expected: &str) {
    let expected = typed_here(expected);
    assert!(found == expected.trim_end(), "--- found\n{found}\n--- expected\n{expected}");
}

fn rollback(tools: &[&str]) -> Option<Scene> {
    if !have(tools) {
        return None;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n); INSERT INTO t VALUES(1);");
    Some(scene)
}

const READ: &str = "db.execute('begin')\ndb.execute('select * from t').fetchall()";

#[test]
fn free() {
    let Some(scene) = rollback(&["sqlite3"]) else { return };
    assert_text(&text(&scene, &["a.db"]), FREE);
}

#[test]
fn reading_reserved_exclusive_and_stopped() {
    if !shows_locks() {
        return;
    }
    let Some(scene) = rollback(&["python3", "sqlite3"]) else { return };
    let reader = Client::doing(&scene, &format!("{CONNECT}\n{READ}"));
    assert_text(&text(&scene, &["a.db"]), READING);
    drop(reader);
    let writer = Client::doing(&scene, &format!("{CONNECT}\ndb.execute('begin immediate')"));
    assert_text(&text(&scene, &["a.db"]), RESERVED);
    drop(writer);
    let mut owner = Client::doing(&scene, &format!("{CONNECT}\ndb.execute('begin exclusive')"));
    assert_text(&text(&scene, &["a.db"]), EXCLUSIVE);
    owner.process().stop();
    assert_text(&text(&scene, &["a.db"]), STOPPED);
}

#[test]
fn a_commit_that_waits() {
    if !shows_locks() {
        return;
    }
    let Some(scene) = rollback(&["python3", "sqlite3"]) else { return };
    let reader = Client::doing(&scene, &format!("{CONNECT}\n{READ}"));
    let mut writer = Client::doing(&scene, CONNECT);
    writer.run("db.execute('begin immediate')\ndb.execute('insert into t values(2)')");
    assert!(writer.attempt("db.execute('commit')").is_some());
    assert_text(&text(&scene, &["a.db"]), PENDING);
    drop(reader);
}

#[test]
fn a_hot_journal() {
    let Some(scene) = rollback(&["sqlite3"]) else { return };
    Shell::doing(&scene, "a.db", SPILLED).kill();
    assert_text(&text(&scene, &["a.db"]), HOT);
}

#[test]
fn a_pinned_reader_beside_a_writer() {
    if !shows_locks() {
        return;
    }
    if !have(&["python3", "sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n);");
    let write = "db.execute('insert into t values(1)')\n";
    let mut reader = Client::doing(&scene, &format!("{CONNECT}\n{write}{READ}"));
    let begin = "db.execute('begin immediate')";
    let mut writer = Client::doing(&scene, &format!("{CONNECT}\n{write}{begin}"));
    // They are listed by number, and numbers start over now and then.
    if reader.process().pid() < writer.process().pid() {
        assert_text(&text(&scene, &["a.db"]), WAL);
    }
}

#[test]
fn the_log_that_is_left() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n);");
    Shell::doing(&scene, "a.db", "insert into t values(1);").kill();
    // Where nobody is told of locks, none that is missed is a broken one.
    let hint = "\n\nhint: if a program does use a.db";
    let expected = if cfg!(windows) { WAL_LEFT.split(hint).next() } else { Some(WAL_LEFT) };
    assert_text(&text(&scene, &["a.db"]), expected.expect("a beginning"));
}

#[test]
fn the_guard_held_and_waited_for() {
    let scene = Scene::new();
    let mut holder = scene.dbguard(["exec", "nightly", "--", "sleep", "600"]).spawn();
    holder.until("it holds", || scene.held("nightly").len() == 1);
    holder.until("it is the command", || told(&scene, "nightly").starts_with("busy: sleep"));
    let waiter = scene.queue_up("nightly", &["-s"]);
    let told = as_told_here(&text(&scene, &["nightly"]), &[]);
    assert_text(&told, &as_told_here(GUARD, &["sleep 600", WAITER]));
    waiter.process.kill();
    // With its command.
    drop(holder);
    let is_dead = || scene.dbguard(["info", "nightly"]).run().stdout.starts_with("free\n");
    until("the lock is free", is_dead);
    assert_text(&text(&scene, &["nightly"]), DEAD);
}

#[test]
fn an_open_duckdb_and_a_plain_file() {
    if !have_foreign_duckdb() {
        return;
    }
    let scene = Scene::new();
    let open = "import duckdb\ndb = duckdb.connect('a.duckdb')\n\
        db.execute('create table t(n int)')\ndb.execute('checkpoint')";
    let holder = Client::doing(&scene, open);
    assert_text(&text(&scene, &["a.duckdb"]), DUCKDB);
    drop(holder);
    scene.file("a.txt", "nothing");
    let lock = "import fcntl\nfile = open('a.txt', 'r+b')\nfcntl.lockf(file, fcntl.LOCK_EX)";
    let holder = Client::doing(&scene, lock);
    assert_text(&text(&scene, &["a.txt"]), PLAIN);
    drop(holder);
}

#[test]
fn hostile_names_and_command_lines_are_escaped() {
    if !shows_locks() {
        return;
    }
    if !have(&["python3", "sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    let name = "a\u{1b}[31m\n\u{202e}b.db";
    database(&scene, name, "delete", "CREATE TABLE t(n);");
    let program = "import sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1], isolation_level=None)\ndb.execute('begin exclusive')\n\
        open('up', 'w')\nsys.stdin.read()";
    scene.file("holder.py", program);
    let words = ["holder.py", name, "\u{1b}]0;title\u{7}\n\thint: rm -rf"];
    let mut holder = scene.run("python3", words).spawn_fed();
    holder.until("it holds", || scene.path("up").exists());
    let plain = |text: &str| {
        let bad = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
        assert!(!text.contains(bad), "{text:?}");
    };
    let ended = info(&scene, &["--openers", name]).run().expect(0).silent();
    plain(&ended.stdout);
    assert!(ended.stdout.starts_with("busy: python3 holder.py"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("\nhint: rm"), "{}", ended.stdout);
    database(&scene, "other.db", "delete", "CREATE TABLE t(n);");
    let table = info(&scene, &[]).run().expect(0).stdout;
    plain(&table);
    assert_eq!(table.lines().count(), 3, "{table}");
    let json = info(&scene, &["--json", name]).run().expect(0).stdout;
    assert_eq!(json.trim_end().lines().count(), 1);
    assert!(!json.contains('\u{1b}'), "{json}");
    holder.close_input();
}

const FREE: &str = "\
    free\n\
    file      a.db: sqlite, V, rollback journal, pages of 4096, S KiB, FS";

const READING: &str = "\
    readable, not writable: python3 client.py (pid N, user U, running for T) is reading (SHARED)\n\
    file      a.db: sqlite, V, rollback journal, pages of 4096, S KiB, FS\n\
    native    python3 client.py (pid N, user U, running for T) is reading (SHARED); blocks writers";

const RESERVED: &str = "\
    readable, not writable: python3 client.py (pid N, user U, running for T) has a write transaction \
    open (RESERVED)\n\
    file      a.db: sqlite, V, rollback journal, pages of 4096, S KiB, FS\n\
    native    python3 client.py (pid N, user U, running for T) has a write transaction open \
    (RESERVED); blocks writers";

const EXCLUSIVE: &str = "\
    busy: python3 client.py (pid N, user U, running for T) is writing the database (EXCLUSIVE)\n\
    file      a.db: sqlite, V, rollback journal, pages of 4096, S KiB, FS\n\
    native    python3 client.py (pid N, user U, running for T) is writing the database (EXCLUSIVE); \
    blocks all";

const STOPPED: &str = "\
    stuck: python3 client.py (pid N, user U, stopped, running for T) is writing the database \
    (EXCLUSIVE), and does nothing until it is woken\n\
    file      a.db: sqlite, V, rollback journal, pages of 4096, S KiB, FS\n\
    native    python3 client.py (pid N, user U, stopped, running for T) is writing the database \
    (EXCLUSIVE); blocks all\n\
    \n\
    hint: pid N is stopped: waiting will not help; continue it with `kill -CONT N` (or `fg`), \
    or end it with `dbguard unlock a.db`; one that is being debugged is for its debugger \
    to continue";

const PENDING: &str = "\
    busy: python3 client.py (pid N, user U, running for T) waits to commit until readers finish \
    (PENDING)\n\
    file      a.db: sqlite, V, rollback journal, pages of 4096, S KiB, FS\n\
    native    python3 client.py (pid N, user U, running for T) waits to commit until readers finish \
    (PENDING); blocks all\n\
    native    python3 client.py (pid N, user U, running for T) is reading (SHARED); blocks writers\n\
    beside    a.db-journal, S KiB: the journal of a transaction that is open or has ended; \
    keep it\n\
    \n\
    hint: the commit of pid N waits for the reader pid N: let that one finish, or end it";

const HOT: &str = "\
    free\n\
    file      a.db: sqlite, V, rollback journal, pages of 4096, S MiB, FS\n\
    beside    a.db-journal, S KiB: the way back from a transaction that a crash cut short; \
    without it the database is damaged; keep it\n\
    \n\
    hint: a.db-journal: the way back from a transaction that a crash cut short; without it \
    the database is damaged; type: dbguard sql a.db 'select 1'";

const WAL: &str = "\
    readable, not writable: python3 client.py (pid N, user U, running for T) has a write transaction \
    open\n\
    file      a.db: sqlite, V, wal journal, pages of 4096, S KiB, FS\n\
    native    python3 client.py (pid N, user U, running for T) has a write transaction open \
    (a.db-shm); blocks writers\n\
    native    python3 client.py (pid N, user U, running for T) is connected (WAL); blocks none\n\
    \x20         pid N also is connected (WAL); blocks none\n\
    \x20         pid N also is reading a snapshot of the write-ahead log (a.db-shm); blocks none\n\
    beside    a.db-wal, S KiB: holds committed transactions that are not in the database file \
    yet; keep it\n\
    beside    a.db-shm, S KiB: an index of the -wal, made anew by whoever opens the database; \
    keep it\n\
    \n\
    hint: pid N is a reader pinned at frame 1 of 2, 0 backfilled: the -wal cannot be emptied \
    until it ends its transaction";

const WAL_LEFT: &str = "\
    free\n\
    file      a.db: sqlite, V, wal journal, pages of 4096, S KiB, FS\n\
    beside    a.db-wal, S KiB: may hold committed transactions that nobody has moved to the \
    database file; deleting it loses them; keep it\n\
    beside    a.db-shm, S KiB: an index of the -wal, made anew by whoever opens the database; \
    keep it\n\
    \n\
    hint: a.db-wal: may hold committed transactions that nobody has moved to the database file; \
    deleting it loses them; type: dbguard sql a.db 'pragma wal_checkpoint(truncate)'\n\
    \n\
    hint: if a program does use a.db, its locks are broken: dbguard info --openers a.db tells";

/// The one who waits in [`GUARD`].
const WAITER: &str = "dbguard exec -s nightly -- sh -c echo $$ >\"$0\"; read code...";

const GUARD: &str = "\
    busy: sleep 600 (pid N, user U) for T, exclusive\n\
    file      nightly: there is no such file; its name can be locked\n\
    held      sleep 600 (pid N, user U) for T, exclusive, through dbguard\n\
    waits     1. dbguard exec -s nightly -- sh -c echo $$ >\"$0\"; read code... (pid N, user \
    U) for T, shared\n\
    \n\
    hint: to go next, type: dbguard wait nightly, or dbguard exec -w 10m nightly -- COMMAND";

const DEAD: &str = "\
    free\n\
    file      nightly: there is no such file; its name can be locked\n\
    left      2 claims of dead processes, in nobody's way";

const DUCKDB: &str = "\
    busy: python3 client.py (pid N, user U, running for T) has the database open for writing\n\
    file      a.duckdb: duckdb, V, storage of 2.0 or later, S KiB, FS\n\
    native    python3 client.py (pid N, user U, running for T) has the database open for writing; \
    blocks all\n\
    \n\
    hint: a.duckdb is locked for as long as that program has it open, not for a query: close \
    it there";

const PLAIN: &str = "\
    busy: python3 client.py (pid N, user U, running for T) has it locked exclusively\n\
    file      a.txt: unknown, S B, FS\n\
    native    python3 client.py (pid N, user U, running for T) has it locked exclusively; blocks all";
