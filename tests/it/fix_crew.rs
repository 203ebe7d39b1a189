//! What the tests of `dbguard fix` share.

use std::path::Path;

use serde_json::Value;

use crate::process::Ended;
use crate::scene::{Run, Scene};
use crate::sql_crew::{Shell, database, document};

/// Prepares `dbguard fix WORDS`.
pub fn fix(scene: &Scene, words: &[&str]) -> Run {
    scene.dbguard(["fix"]).words(words)
}

/// Runs it, and returns the document with the exit code.
#[track_caller]
pub fn fixed(scene: &Scene, words: &[&str]) -> (Value, Option<i32>) {
    let ended = fix(scene, &["--json"]).words(words).run().expect_any(&[0, 1]);
    let document = document(&ended);
    assert_eq!(document["schema"], 1);
    (document, ended.code)
}

/// Returns the item about a file of this name.
#[track_caller]
pub fn item(document: &Value, name: &str) -> Value {
    let items = document["items"].as_array().expect("a list");
    let is_it =
        |item: &&Value| item["path"].as_str().is_some_and(|path| Path::new(path).ends_with(name));
    items.iter().find(is_it).unwrap_or_else(|| panic!("{name}: {document:#}")).clone()
}

/// Proves what was done about a file of this name.
#[track_caller]
pub fn assert_done(document: &Value, name: &str, verdict: &str, action: &str) {
    let item = item(document, name);
    assert_eq!((&item["verdict"], &item["action"]), (&verdict.into(), &action.into()), "{item:#}");
}

/// Leaves a hot journal beside `a.db`, which has one row and an index on it.
pub fn leave_journal(scene: &Scene) {
    database(
        scene,
        "a.db",
        "delete",
        "CREATE TABLE t(n); CREATE INDEX i ON t(n); INSERT INTO t VALUES(1);",
    );
    let rows = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 2000) \
                INSERT INTO t SELECT printf('%.900c', 'x') FROM r;";
    Shell::doing(scene, "a.db", &format!("PRAGMA cache_size=5; BEGIN; {rows}")).kill();
    assert!(scene.path("a.db-journal").exists());
}

/// Leaves a write-ahead log with all that `a.db` holds: a table and 100 rows.
pub fn leave_log(scene: &Scene) {
    let rows: String = (0..100).map(|n| format!("INSERT INTO t VALUES({n});")).collect();
    let script =
        format!("PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(n); {rows}");
    Shell::doing(scene, "a.db", &script).kill();
    assert!(scene.path("a.db-wal").exists());
}

/// Returns the last line that was printed.
pub fn last(ended: &Ended) -> &str {
    ended.stdout.lines().last().unwrap_or_default()
}
