//! The document of `dbguard info --json`, and what `--openers` adds.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::info_crew::{CONNECT, Client, info, seen};
use crate::scene::{Scene, have, wine_lacks};
use crate::sql_crew::{Shell, database, document};

/// Proves that an object has these names and no others.
#[track_caller]
fn assert_names(value: &Value, names: &str) {
    let found: BTreeSet<&str> =
        value.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(found, names.split_whitespace().collect(), "{value:#}");
}

const RESOURCE: &str = "path key exists engine engine_version journal_mode page_bytes bytes links \
                        filesystem guard native files blocks hints";

const PARTY: &str = "pid child_pid command user host mode since for_ms process_state via";

#[test]
fn the_document_has_exactly_the_names_that_are_documented() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n);");
    let holder = scene.hold(["-s", "a.db"]);
    let keyed = scene.hold(["-k", "k", "a.db"]);
    let waiter = scene.queue_up("a.db", &[]);
    let client = Shell::doing(&scene, "a.db", "begin immediate; insert into t values(1);");
    let seen = seen(&scene, &["a.db"]);
    assert_names(&seen, RESOURCE);
    assert_names(&seen["filesystem"], "type network");
    assert_names(&seen["guard"], "state mode lock_file holders waiters stale keys");
    assert_names(&seen["guard"]["holders"][0], PARTY);
    assert_names(&seen["guard"]["waiters"][0], &format!("{PARTY} position"));
    assert_names(&seen["guard"]["keys"][0], "key holders waiters");
    assert_names(&seen["native"], "state locks");
    assert_names(&seen["files"][0], "path role bytes meaning safe_to_delete recovery");
    // Windows shows no locks on bytes.
    if cfg!(unix) {
        assert_lock(&seen["native"]["locks"][0], client.pid(), &scene.path("a.db-shm"));
    }
    assert_eq!(seen["path"], scene.path("a.db").to_str().expect("text"));
    assert_eq!(seen["bytes"], std::fs::metadata(scene.path("a.db")).expect("stat").len());
    assert_eq!((&seen["journal_mode"], &seen["page_bytes"]), (&"wal".into(), &4096.into()));
    assert_eq!((&seen["key"], &seen["exists"]), (&Value::Null, &true.into()));
    assert_eq!(seen["links"], 1);
    drop((holder, keyed, waiter));
}

/// Proves what is told of the lock of a writer.
#[track_caller]
fn assert_lock(lock: &Value, pid: u32, file: &Path) {
    let more = "kind file meaning blocks terminal orphaned parents deleted_executable container \
                other_namespace memory_bytes cpu_ms";
    assert_names(lock, &format!("{PARTY} {more}"));
    assert_eq!(lock["pid"], pid);
    assert_eq!((&lock["kind"], &lock["mode"]), (&"posix".into(), &"exclusive".into()));
    assert_eq!(lock["file"], file.to_str().expect("text"));
    let since = lock["since"].as_str().expect("a time");
    assert!(since.len() == 24 && since.ends_with('Z'), "{since}");
    assert!(lock["for_ms"].is_u64(), "{lock:#}");
}

#[test]
fn several_databases_are_several_resources_in_the_order_typed() {
    if !have(&["sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    for name in ["a.db", "b.db"] {
        database(&scene, name, "delete", "CREATE TABLE t(n);");
    }
    let ended = info(&scene, &["--json", "b.db", "a.db"]).run().expect(0).silent();
    let document = document(&ended);
    assert_names(&document, "schema resources");
    for (index, name) in ["b.db", "a.db"].into_iter().enumerate() {
        let path = scene.path(name);
        assert_eq!(document["resources"][index]["path"], path.to_str().expect("text"));
    }
    let failed = info(&scene, &["--json", "c.db"]).run().expect(66);
    assert_eq!(failed.error_document()["code"], "no_such_file", "{}", failed.describe());
}

#[test]
fn openers_are_listed_when_asked_for_also_those_without_a_lock() {
    if wine_lacks("Wine names nobody who has a file open") || !have(&["python3", "sqlite3"]) {
        return;
    }
    let scene = Scene::new();
    database(&scene, "a.db", "wal", "CREATE TABLE t(n);");
    let reader = Client::doing(&scene, &format!("{CONNECT}\ndb.execute('select * from t')"));
    let plain = Client::doing(&scene, "file = open('a.db', 'rb')");
    let told = seen(&scene, &["--openers", "a.db"]);
    assert_names(&told, &format!("{RESOURCE} openers"));
    let openers = told["openers"].as_array().expect("a list").clone();
    assert_names(&openers[0], "pid command file deleted");
    let files = |pid: u32| -> BTreeSet<String> {
        let of = openers.iter().filter(|one| one["pid"] == pid);
        let name = |one: &Value| {
            let path = one["file"].as_str().expect("text");
            path.rsplit('/').next().expect("a name").to_owned()
        };
        of.map(name).collect()
    };
    assert_eq!(files(plain.pid()), BTreeSet::from(["a.db".to_owned()]));
    let all = ["a.db", "a.db-shm", "a.db-wal"].map(str::to_owned);
    assert_eq!(files(reader.pid()), BTreeSet::from(all));
    assert!(openers.iter().all(|one| one["deleted"] == false));
    // Who merely reads the main file is not said to have lost a lock.
    let hints = told["hints"].to_string();
    assert!(!hints.contains("broken"), "{hints}");
    let text = info(&scene, &["--openers", "a.db"]).run().expect(0).stdout;
    assert!(text.contains("\nopen      python3 client.py (pid "), "{text}");
    std::fs::rename(scene.path("a.db"), scene.path("b.db")).expect("rename");
    assert!(seen(&scene, &["b.db"])["openers"].is_null());
}
