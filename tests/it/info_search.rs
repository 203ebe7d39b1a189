//! `dbguard info` on directories and on error messages.

use std::fs;
#[cfg(target_os = "linux")]
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;

use crate::info_crew::{Client, have_foreign_duckdb, info};
use crate::scene::{Scene, have};
use crate::sql_crew::{database, document};

const DUCKDB: &[u8] = b"\0\0\0\0\0\0\0\0DUCK\x40\0\0\0\0\0\0\0";

fn padded(head: &[u8]) -> Vec<u8> {
    let mut content = head.to_vec();
    content.resize(4096, 0);
    content
}

/// Returns the engines that a search finds, by path within the scene.
fn found(scene: &Scene, words: &[&str]) -> Vec<(String, String)> {
    let ended = info(scene, &["--json"]).words(words).run().expect(0);
    let root = scene.path("");
    let resources = document(&ended)["resources"].clone();
    let one = |seen: &Value| {
        let path = seen["path"].as_str().expect("text").to_owned();
        let path = Path::new(&path).strip_prefix(&root).unwrap_or(Path::new(&path));
        let path = path.to_str().expect("text").replace(std::path::MAIN_SEPARATOR, "/");
        (path, seen["engine"].as_str().expect("text").to_owned())
    };
    resources.as_array().expect("a list").iter().map(one).collect()
}

#[test]
fn databases_are_found_by_what_they_contain() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    for directory in ["deep/er", ".hidden", "built", "level", "rocks", "lmdb"] {
        fs::create_dir_all(scene.path(directory)).expect("mkdir");
    }
    for name in ["a.db", "deep/er/notes.txt", ".hidden/b", "built/c.sqlite"] {
        database(&scene, name, "delete", "CREATE TABLE t(n);");
    }
    scene.file(".gitignore", "built/\n*.db\n");
    fs::create_dir(scene.path(".git")).expect("mkdir");
    scene.file("d.bin", padded(DUCKDB));
    scene.file("e", padded(b"redb\x1a\x0a\xa9\x0d\x0a\x05"));
    scene.file("level/CURRENT", "MANIFEST-000002\n");
    scene.file("level/LOCK", "");
    scene.file("rocks/CURRENT", "MANIFEST-000002\n");
    scene.file("rocks/LOCK", "");
    scene.file("rocks/IDENTITY", "x");
    scene.file("lmdb/data.mdb", "");
    scene.file("not.db", "SQLite it is not, whatever its name says".repeat(100));
    scene.file("empty.db", "");
    scene.dbguard(["exec", "a.db", "--", "true"]).run().expect(0);
    database(&scene, ".dbguard/inner", "delete", "CREATE TABLE t(n);");
    let expected = [
        (".hidden/b", "sqlite"),
        ("a.db", "sqlite"),
        ("built/c.sqlite", "sqlite"),
        ("d.bin", "duckdb"),
        ("deep/er/notes.txt", "sqlite"),
        ("e", "redb"),
        ("level", "leveldb"),
        ("lmdb", "lmdb"),
        ("rocks", "rocksdb"),
    ]
    .map(|(path, engine)| (path.to_owned(), engine.to_owned()));
    assert_eq!(found(&scene, &["."]), expected);
    assert_eq!(found(&scene, &[]), expected);
    let table = info(&scene, &[]).run().expect(0).silent().stdout;
    assert!(table.starts_with("FILE ") || table.starts_with(" FILE "), "{table}");
    assert_eq!(table.lines().count(), 1 + expected.len(), "{table}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_link_is_followed_only_where_it_is_named() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    let elsewhere = Scene::new();
    database(&elsewhere, "f.db", "delete", "CREATE TABLE t(n);");
    symlink(elsewhere.path("f.db"), scene.path("f.db")).expect("a link");
    symlink(elsewhere.path(""), scene.path("linked")).expect("a link");
    assert!(found(&scene, &["."]).is_empty());
    assert_eq!(found(&scene, &["linked/f.db"])[0].1, "sqlite");
}

#[test]
fn a_directory_without_databases_is_an_empty_answer() {
    let scene = Scene::new();
    let ended = info(&scene, &[]).run().expect(0).answers("").says("no databases below");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.describe());
    let ended = info(&scene, &["--json"]).run().expect(0);
    assert_eq!(document(&ended), serde_json::json!({ "schema": 1, "resources": [] }));
    info(&scene, &["-q"]).run().expect(0).answers("").silent();
}

#[test]
#[cfg(target_os = "linux")]
fn a_directory_that_may_not_be_read_is_warned_of() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    fs::set_permissions(scene.path(""), fs::Permissions::from_mode(0o755)).expect("chmod");
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    fs::create_dir(scene.path("closed")).expect("mkdir");
    fs::set_permissions(scene.path("closed"), fs::Permissions::from_mode(0o000)).expect("chmod");
    let ended = info(&scene, &[]).ordinary().run().expect(0);
    let ended = ended.says("could not be read");
    assert!(ended.stdout.starts_with("free\n"), "{}", ended.describe());
}

#[test]
#[cfg(target_os = "linux")]
fn a_database_that_may_not_be_read_is_unknown_and_not_free() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "delete", "CREATE TABLE t(n);");
    fs::set_permissions(scene.path("a.db"), fs::Permissions::from_mode(0o000)).expect("chmod");
    let ended = info(&scene, &["a.db"]).ordinary().run().expect(0);
    let line = "unknown: it may not be looked into: Permission denied";
    assert!(ended.stdout.starts_with(line), "{}", ended.describe());
}

#[test]
fn several_paths_are_one_table_and_a_missing_one_is_an_error() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    for name in ["a.db", "b.db"] {
        database(&scene, name, "delete", "CREATE TABLE t(n);");
    }
    let table = info(&scene, &["b.db", "a.db"]).run().expect(0).stdout;
    assert!(table.contains("a.db") && table.contains("b.db"), "{table}");
    info(&scene, &["a.db", "c.db"]).run().expect(66).says("c.db");
}

#[test]
fn the_message_of_a_real_conflict_leads_to_its_file() {
    if !have_foreign_duckdb() {
        return;
    }
    let scene = Scene::new();
    let name = "it's a b.duckdb";
    let open = format!(
        "import duckdb\ndb = duckdb.connect(\"{name}\")\ndb.execute('create table t(n int)')"
    );
    let holder = Client::doing(&scene, &open);
    let pid = format!("(pid {}, user", holder.pid());
    let mut other = Client::new(&scene);
    let python = other.attempt(&open).expect("it is taken");
    let shell = scene.run("duckdb", [name, "-c", "select 1"]).run();
    assert_ne!(shell.code, Some(0), "{}", shell.describe());
    for message in [&python, &shell.stderr] {
        assert!(message.contains("Could not set lock on file"), "{message}");
        for ended in [info(&scene, &["-"]).input(message).run(), info(&scene, &[message]).run()] {
            let ended = ended.expect(0);
            let ok = ended.stdout.starts_with("busy: python3 ") && ended.stdout.contains(&pid);
            assert!(ok, "{}", ended.describe());
        }
    }
}

#[test]
fn the_messages_of_leveldb_and_rocksdb_lead_to_their_directory() {
    // Windows tells nobody who has bytes locked.
    let names_holders = cfg!(unix);
    if names_holders && !have(&["python3"]) {
        return;
    }
    let scene = Scene::new();
    fs::create_dir(scene.path("store")).expect("mkdir");
    scene.file("store/CURRENT", "MANIFEST-000002\n");
    scene.file("store/LOCK", "");
    let lock = "import fcntl\nfile = open('store/LOCK', 'r+b')\nfcntl.lockf(file, fcntl.LOCK_EX)";
    let holder = names_holders.then(|| Client::doing(&scene, lock));
    let path = scene.path("store");
    let path = path.display();
    for message in [
        format!("IO error: lock {path}/LOCK: Resource temporarily unavailable"),
        format!(
            "plyvel._plyvel.IOError: b'IO error: lock {path}/LOCK: Resource temporarily \
                 unavailable'"
        ),
        format!("IO error: While lock file: {path}/LOCK: Resource temporarily unavailable"),
        format!(
            "IO error: lock hold by current process, acquire time 1755600000 acquiring thread \
                 7: {path}/LOCK: No locks available"
        ),
    ] {
        let ended = info(&scene, &["-"]).input(&format!("Traceback\n{message}\n")).run().expect(0);
        assert!(ended.stdout.contains("\nfile      store: leveldb"), "{}", ended.describe());
        let Some(holder) = &holder else { continue };
        let ok = ended.stdout.contains(&format!("(pid {}, user", holder.pid()))
            && ended.stdout.starts_with("busy: python3 c");
        assert!(ok, "{}", ended.describe());
    }
}

#[test]
fn a_message_that_names_nothing_is_said_to_name_nothing() {
    let scene = Scene::new();
    let locked = "sqlite3.OperationalError: database is locked";
    info(&scene, &["-"]).input(locked).run().expect(64).says("the message names no file");
    info(&scene, &[locked]).run().expect(64).says("dbguard info FILE");
    info(&scene, &["-"]).input("").run().expect(64).says("no database in that message");
    let garbage = "\u{1b}[31m\u{0}\u{1}\u{202e}PID 99999999999999999999 \"\"\n".repeat(5000);
    let ended = info(&scene, &["-"]).input(&garbage).run().expect(64);
    assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.describe());
    let gone =
        "Could not set lock on file \"/nowhere/a.duckdb\": Conflicting lock is held in PID 0";
    info(&scene, &[gone]).run().expect(66).says("nowhere");
}
