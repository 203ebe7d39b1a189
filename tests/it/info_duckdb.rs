//! `dbguard info` on DuckDB: open read-write, open read-only, and what a crash leaves.

use crate::info_crew::{
    Client, assert_check, assert_does, first, have_foreign_duckdb, hints, seen,
};
use crate::scene::Scene;

const MAKE: &str = "import duckdb\ndb = duckdb.connect('a.duckdb')\n\
    db.execute('create table t(n int)')\ndb.execute('checkpoint')";

fn made(scene: &Scene) {
    let mut client = Client::doing(scene, MAKE);
    client.run("db.close()");
}

/// Proves that DuckDB's own client is kept out exactly as far as `blocks` says.
#[track_caller]
fn assert_second_client(scene: &Scene, blocks: &str) {
    let mut second = Client::doing(scene, "import duckdb");
    let mut opens = |read_only: &str| {
        let code = format!("duckdb.connect('a.duckdb', read_only={read_only}).close()");
        second.attempt(&code).is_none()
    };
    assert_eq!(opens("True"), blocks != "all", "read-only where {blocks}");
    assert_eq!(opens("False"), blocks == "none", "read-write where {blocks}");
}

#[test]
fn whoever_has_it_open_has_it_locked() {
    if !have_foreign_duckdb() {
        return;
    }
    let scene = Scene::new();
    made(&scene);
    assert_eq!(first(&scene, "a.duckdb"), "free");
    for (read_only, meaning, blocks) in [
        ("False", "has the database open for writing", "all"),
        ("True", "has the database open for reading", "writers"),
    ] {
        let open = format!("import duckdb\ndb = duckdb.connect('a.duckdb', read_only={read_only})");
        let holder = Client::doing(&scene, &open);
        let seen = seen(&scene, &["a.duckdb"]);
        assert_does(&seen, holder.pid(), meaning, blocks);
        assert_eq!((&seen["engine"], &seen["blocks"]), (&"duckdb".into(), &blocks.into()));
        assert!(seen["engine_version"].as_str().is_some_and(|text| text.starts_with('v')));
        assert_check(&scene, "a.duckdb", blocks);
        assert_second_client(&scene, blocks);
    }
    assert_second_client(&scene, "none");
}

#[test]
fn the_shell_is_named_and_two_readers_are_two() {
    if !have_foreign_duckdb() {
        return;
    }
    let scene = Scene::new();
    scene.run("duckdb", ["a.duckdb", "-c", "create table t(n int)"]).run().expect(0);
    let mut readers = Vec::new();
    for number in 0..2 {
        let mut shell = scene.run("duckdb", ["-readonly", "a.duckdb"]).spawn_fed();
        let code = format!("select 1;\n.shell touch up{number}\n");
        std::io::Write::write_all(shell.input(), code.as_bytes()).expect("the shell reads");
        shell.until("it is open", || scene.path(format!("up{number}")).exists());
        readers.push(shell);
    }
    let told = seen(&scene, &["a.duckdb"]);
    // The command may be a script that starts the shell.
    let locks = told["native"]["locks"].as_array().expect("a list");
    assert_eq!(locks.len(), 2, "{told:#}");
    assert_ne!(locks[0]["pid"], locks[1]["pid"]);
    assert!(locks.iter().all(|lock| lock["blocks"] == "writers"), "{told:#}");
    assert!(first(&scene, "a.duckdb").starts_with("readable, not writable: duckdb "));
    let hint = "a.duckdb is open for reading: others can open it read-only";
    assert!(hints(&scene, &["a.duckdb"]).contains(hint));
    drop(readers);
}

#[test]
fn a_log_that_a_crash_left_has_a_command() {
    if !have_foreign_duckdb() {
        return;
    }
    let scene = Scene::new();
    let mut client = Client::doing(&scene, MAKE);
    client.run("db.execute('insert into t values (1)')");
    let open = seen(&scene, &["a.duckdb"]);
    assert_does(&open, client.pid(), "has written since it opened the database", "none");
    assert!(open["files"][0]["recovery"].is_null(), "{open:#}");
    client.process().kill();
    let left = seen(&scene, &["a.duckdb"]);
    let wal = &left["files"][0];
    assert_eq!((&wal["role"], &wal["safe_to_delete"]), (&"wal".into(), &false.into()));
    assert_eq!(wal["recovery"], "dbguard sql a.duckdb checkpoint", "{left:#}");
    assert_eq!(first(&scene, "a.duckdb"), "free");
    if crate::sql_crew::have_duckdb() {
        scene.dbguard(["sql", "a.duckdb", "checkpoint"]).run().expect(0);
        assert_eq!(seen(&scene, &["a.duckdb"])["files"], serde_json::json!([]));
    }
}

#[test]
fn a_notebook_is_recognised_by_its_command() {
    if !have_foreign_duckdb() {
        return;
    }
    let scene = Scene::new();
    scene.file(
        "ipykernel_launcher.py",
        format!("{MAKE}\nopen('up', 'w')\nimport sys\nsys.stdin.read()"),
    );
    let mut kernel = scene.run("python3", ["-m", "ipykernel_launcher"]).spawn_fed();
    kernel.until("it has the database open", || scene.path("up").exists());
    let told = hints(&scene, &["a.duckdb"]);
    assert!(told.contains("shut the notebook's kernel down"), "{told}");
}
