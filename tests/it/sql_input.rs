//! `dbguard sql`: bad files, bad scripts, full disks, missing permissions. Each is a clear error,
//! and nothing is half-written in any of them.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use crate::scene::{Scene, have};
use crate::sql_crew::{answer, assert_sound, database, dump, sql};
#[cfg(target_os = "linux")]
use {
    crate::scene::{is_root, skip},
    crate::sql_crew::ask,
};

/// Makes `a.db` with some thousand rows.
fn table(scene: &Scene, journal: &str) {
    let fill = "create table t (n integer primary key, x text); \
                with recursive r(n) as (select 1 union all select n + 1 from r where n < 3000) \
                insert into t select n, hex(randomblob(20)) from r;";
    database(scene, "a.db", journal, fill);
}

/// Writes over a part of a file.
fn patch(scene: &Scene, file: &str, offset: u64, bytes: &[u8]) {
    let mut file = fs::File::options().write(true).open(scene.path(file)).expect("open");
    file.seek(SeekFrom::Start(offset)).expect("seek");
    file.write_all(bytes).expect("patch");
}

/// Runs a statement that reads and one that writes, which both have to be refused in words that
/// name the file, and leave it as it is.
#[track_caller]
fn refused(scene: &Scene, file: &str, code: i32, says: &[&str]) {
    let before = fs::read(scene.path(file)).ok();
    for statement in ["select count(*) from sqlite_schema", "create table made (a)"] {
        let mut ended = sql(scene, &[file, statement]).run().expect(code).answers("");
        for text in says.iter().chain(&[file]) {
            ended = ended.says(text);
        }
        let json = sql(scene, &["--json", file, statement]).run().expect(code);
        assert_eq!(json.error_document()["exit_code"], code);
    }
    assert_eq!(fs::read(scene.path(file)).ok(), before, "{}", scene.describe());
    for side in ["-journal", "-wal", "-shm"] {
        assert!(!scene.path(format!("{file}{side}")).exists(), "{}", scene.describe());
    }
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let scene = Scene::new();
    scene.file("a.txt", "select 1; -- this is a text, and longer than any header of a database");
    refused(&scene, "a.txt", 65, &["neither a SQLite nor a DuckDB database"]);
    // Encrypted pages look like noise from the first byte on.
    let mut dice = crate::storm_crew::Dice::new(7);
    let noise: Vec<u8> =
        (0..8192).map(|_| u8::try_from(dice.below(256)).expect("a byte")).collect();
    scene.file("secret.db", &noise);
    refused(&scene, "secret.db", 65, &["encrypted"]);
    scene.file("short.db", "SQLi");
    refused(&scene, "short.db", 65, &["neither"]);
    fs::create_dir(scene.path("folder")).expect("mkdir");
    refused(&scene, "folder", 65, &["is a directory"]);
}

#[test]
fn a_damaged_or_newer_sqlite_file_is_refused_and_left_alone() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene, "delete");
    let patch = |name: &str, offset: u64, bytes: &[u8]| {
        fs::copy(scene.path("a.db"), scene.path(name)).expect("a copy");
        self::patch(&scene, name, offset, bytes);
    };
    // File format write and read version; what this SQLite knows ends with 2.
    patch("v9.db", 18, &[9, 9]);
    refused(&scene, "v9.db", 65, &["not a database", "newer"]);
    patch("torn.db", 16, &[0, 3]);
    refused(&scene, "torn.db", 65, &["not a database"]);
    patch("encrypted.db", 16, &[0xa7; 4080]);
    refused(&scene, "encrypted.db", 65, &["encrypted"]);
    // Damage behind the header is met when the page is read.
    patch("damaged.db", 4096, &[0x5a; 8192]);
    let damaged = sql(&scene, &["damaged.db", "select sum(length(x)) from t"]).run();
    damaged.expect(65).says("damaged.db").says("malformed").says(".recover");
}

/// A database that only newer versions may write to can still be read.
#[test]
fn a_file_that_only_a_newer_sqlite_may_write_is_read() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene, "delete");
    patch(&scene, "a.db", 18, &[9]);
    let before = fs::read(scene.path("a.db")).expect("read");
    assert_eq!(answer(&scene, &["--no-header", "a.db", "select count(*) from t"]), "3000\n");
    sql(&scene, &["a.db", "delete from t"]).run().expect_any(&[65, 77]).says("a.db");
    assert!(fs::read(scene.path("a.db")).expect("read") == before);
}

#[test]
fn a_syntax_error_has_its_line_its_column_and_a_caret() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene, "delete");
    let before = dump(&scene, "a.db");
    scene.file("s.sql", "delete from t;\n\n  slect 1;\n");
    let ended = sql(&scene, &["-f", "s.sql", "a.db"]).run().expect(2).answers("");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines[0], "dbguard: a.db: near \"slect\": syntax error (line 3, column 3)");
    assert_eq!(lines[1..3], ["    slect 1;", "    ^"], "{}", ended.describe());
    let json = sql(&scene, &["--json", "-f", "s.sql", "a.db"]).run().expect(2);
    assert_eq!(json.error_document()["code"], "sql_error");
    for (script, says) in [
        ("delete from t; select 'x", "unrecognized token: \"'x\" (line 1, column 23)"),
        ("delete from t; select (1", "incomplete input"),
        (
            "delete from t;\nselect n,\n  nosuch\nfrom t",
            "no such column: nosuch (line 3, column 3)",
        ),
        ("delete from t; select nosuch(1)", "no such function: nosuch"),
        ("delete from t; select * from no.t", "no such table: no.t"),
        ("delete from t; select '\u{e4}\u{f6}', ]", "(line 1, column 29)"),
    ] {
        sql(&scene, &["a.db", script]).run().expect(2).says(says).says("a.db");
        assert_eq!(dump(&scene, "a.db"), before, "{script}");
    }
    assert_sound(&scene, "a.db");
}

#[test]
fn a_script_that_is_no_script_is_refused() {
    let scene = Scene::new();
    scene.file("a.db", "");
    for (name, content, code, says) in [
        (
            "latin1.sql",
            &b"select 1;\nselect '\xe4';"[..],
            64,
            "`latin1.sql` is not UTF-8 in line 2",
        ),
        ("empty.sql", b"", 64, "there is no SQL"),
        ("comments.sql", b"-- one\n/* two */ ;;\n", 64, "only comments"),
        (
            "dots.sql",
            b"create table t (a);\n.tables\n",
            64,
            "`.tables` is a command of the sqlite3",
        ),
        ("mode.sql", b".mode csv\nselect 1;", 64, "--format"),
        (
            "zero.sql",
            b"select 1;\n\0 delete from t;",
            64,
            "`zero.sql` has a NUL character in line 2",
        ),
    ] {
        scene.file(name, content);
        sql(&scene, &["-f", name, "a.db"]).run().expect(code).says(says).answers("");
    }
    sql(&scene, &["-f", "missing.sql", "a.db"]).run().expect(66).says("missing.sql");
    sql(&scene, &["-f", ".", "a.db"]).run().expect(74).says("cannot read `.`");
    sql(&scene, &["a.db"]).run().expect(64).says("there is no SQL");
    sql(&scene, &["a.db", "-"]).input("\u{feff}").run().expect(64).says("there is no SQL");
    sql(&scene, &["a.db"]).run().expect(64);
    assert_eq!(fs::read(scene.path("a.db")).expect("there"), b"", "{}", scene.describe());
}

#[test]
fn a_byte_order_mark_and_windows_lines_do_no_harm() {
    let scene = Scene::new();
    scene.file("s.sql", "\u{feff}create table t (a);\r\ninsert into t values ('\u{e4}');\r\n");
    sql(&scene, &["--create", "-f", "s.sql", "a.db"]).run().expect(0).silent();
    assert_eq!(answer(&scene, &["--no-header", "a.db", "select a from t"]), "\u{e4}\n");
}

/// A statement of a megabyte, and a script of ten thousand.
#[test]
fn long_scripts_run() {
    let scene = Scene::new();
    let mut script = "create table t (a);\n".to_owned();
    for number in 0..10_000 {
        script.push_str(&format!("insert into t values ({number});\n"));
    }
    script.push_str(&format!("select count(*), length('{}') from t;\n", "x".repeat(900_000)));
    scene.file("s.sql", script);
    let words = ["--create", "--no-header", "-f", "s.sql", "a.db"];
    assert_eq!(answer(&scene, &words), "10000,900000\n");
}

/// The limit of a file's size stands in for a full disk: whoever may not grow a file gets an
/// error from the same calls.
#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_full_at_the_commit_loses_nothing() {
    if !have(&["sqlite3"]) {
        return;
    }
    for journal in ["delete", "wal"] {
        let scene = Scene::new();
        table(&scene, journal);
        let before = dump(&scene, "a.db");
        let grow = "with recursive r(n) as (select 1 union all select n + 1 from r where n < 9000) \
                    insert into t (x) select hex(randomblob(200)) from r returning n";
        // Blocks of 512 bytes in dash, of 1024 in bash: above what the file has, below what it
        // would need.
        let script = format!("trap '' XFSZ; ulimit -f 700; exec $DBGUARD sql a.db '{grow}'");
        let ended = scene.shell(&script).run().expect(74).answers("");
        ended.says("a.db").never_says("panicked");
        assert_eq!(dump(&scene, "a.db"), before, "{journal}");
        assert_sound(&scene, "a.db");
        scene.assert_free("a.db");
    }
}

/// The same on a disk that really is full.
#[test]
#[cfg(target_os = "linux")]
fn a_full_file_system_is_told_as_such() {
    if !is_root() {
        return skip("only root mounts a small file system");
    }
    if !have(&["sqlite3", "mount", "umount"]) {
        return;
    }
    let scene = Scene::new();
    fs::create_dir(scene.path("small")).expect("mkdir");
    let mount = ["-t", "tmpfs", "-o", "size=600k", "none", "small"];
    if scene.run("mount", mount).run().code != Some(0) {
        return skip("this root may not mount");
    }
    let _mounted = Mounted(scene.clone());
    database(&scene, "small/a.db", "delete", "create table t (x); insert into t values ('old');");
    let before = dump(&scene, "small/a.db");
    let grow = "with recursive r(n) as (select 1 union all select n + 1 from r where n < 9000) \
                insert into t select hex(randomblob(200)) from r";
    let ended = sql(&scene, &["small/a.db", grow]).run().expect(74);
    ended.says("small/a.db").says("full");
    assert_eq!(dump(&scene, "small/a.db"), before);
    assert_sound(&scene, "small/a.db");
    sql(&scene, &["small/a.db", "insert into t values ('new')"]).run().expect(0);
}

/// A small file system, which goes before the scene does.
#[cfg(target_os = "linux")]
struct Mounted(Scene);

#[cfg(target_os = "linux")]
impl Drop for Mounted {
    fn drop(&mut self) {
        // What is left is visible in the list of mounts.
        let _ = self.0.run("umount", ["-l", "small"]).run();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn without_permission_to_write_reading_still_works() {
    use std::os::unix::fs::PermissionsExt;
    let chmod = |path: &std::path::Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    };
    // A user who owns nothing here.
    let ordinary = |scene: &Scene, words: &[&str]| sql(scene, words).ordinary();
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene, "delete");
    let before = dump(&scene, "a.db");
    fs::create_dir(scene.path("locks")).expect("mkdir");
    chmod(&scene.path("locks"), 0o777);
    let count = ["--no-header", "a.db", "select count(*) from t"];
    let write = ["a.db", "delete from t"];
    // The file may not be written, its directory may.
    chmod(&scene.path("a.db"), 0o444);
    chmod(&scene.path(""), 0o777);
    ordinary(&scene, &count).run().expect(0).answers("3000");
    ordinary(&scene, &write).run().expect(77).says("a.db").says("write");
    // Neither may be written.
    chmod(&scene.path(""), 0o555);
    let elsewhere = |words: &[&str]| ordinary(&scene, words).env("DBGUARD_LOCK_DIR", "locks").run();
    elsewhere(&count).expect(0).answers("3000");
    elsewhere(&write).expect(77).says("a.db").says("write");
    // The file may be written, its directory may not: there is no place for a journal.
    chmod(&scene.path("a.db"), 0o666);
    elsewhere(&count).expect(0).answers("3000");
    elsewhere(&write).expect(77).says("a.db").says("directory");
    // The file may not even be read.
    chmod(&scene.path("a.db"), 0o000);
    elsewhere(&count).expect(77).says("a.db");
    elsewhere(&write).expect(77).says("a.db");
    chmod(&scene.path("a.db"), 0o644);
    chmod(&scene.path(""), 0o755);
    assert_eq!(dump(&scene, "a.db"), before);
    assert_sound(&scene, "a.db");
}

/// Closed standard descriptors: the database must not take their numbers and be written into.
#[test]
#[cfg(target_os = "linux")]
fn closed_standard_descriptors_do_not_harm_the_database() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    table(&scene, "delete");
    for closed in ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"] {
        let script = format!(
            "exec \"$DBGUARD\" sql -v a.db 'update t set x = 1 where n = 1 returning x' {closed}"
        );
        let _ = scene.shell(&script).run();
        assert_sound(&scene, "a.db");
    }
    assert_eq!(ask(&scene, "a.db", "select x from t where n = 1"), "1");
}

/// Names that would mean something else to SQLite, to a URI or to a shell.
#[test]
fn a_database_may_have_any_name() {
    let scene = Scene::new();
    const ANYWHERE: [&str; 4] = ["a b.db", "a%20b.db", "a#b.db", "a'b&c.db"];
    // Names that Windows has no room for.
    const ELSEWHERE: [&str; 4] = ["a?mode=ro.db", "file:a.db", ":memory:", "a'b\".db"];
    let elsewhere = if cfg!(windows) { &[][..] } else { &ELSEWHERE };
    for name in ANYWHERE.iter().chain(elsewhere).copied() {
        let script = "create table t (a); insert into t values (1)";
        sql(&scene, &["-q", "--create", name, script]).run().expect(0).silent();
        assert_eq!(answer(&scene, &["--no-header", name, "select a from t"]), "1\n", "{name}");
        assert!(scene.path(name).exists(), "{name}: {}", scene.describe());
    }
    sql(&scene, &["--create", "./-n.db", "create table t (a)"]).run().expect(0);
    assert!(scene.path("-n.db").exists(), "{}", scene.describe());
}
