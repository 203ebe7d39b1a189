//! Opening, closing, and files that are something else.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::super::super::engine::{Access, Control, Engine, Missing};
use super::super::super::error::Trouble;
use super::super::super::value::Voice;
use super::{Scene, failure, rows, run};

/// Where the storage version is in the first block: eight bytes after the checksum and `DUCK`.
const VERSION: std::ops::Range<usize> = 12..20;

fn version_of(file: &Path) -> u64 {
    let bytes = fs::read(file).expect("it can be read");
    u64::from_le_bytes(bytes[VERSION].try_into().expect("eight bytes"))
}

#[test]
fn a_missing_file_is_made_only_when_asked_for() {
    let scene = Scene::new();
    for access in [Access::Read, Access::Write] {
        let error = scene.try_open(access, Missing::Fails).err().expect("nothing to open");
        assert_eq!(error.trouble, Trouble::Io);
    }
    assert!(scene.try_open(Access::Read, Missing::IsCreated).is_err());
    assert!(!scene.file().exists());
    scene.write("CREATE TABLE t (i INT)");
    assert!(scene.try_open(Access::Write, Missing::Fails).is_ok());
}

#[test]
fn what_is_made_can_be_opened_by_duckdb_1_0() {
    let scene = Scene::new();
    scene.write("CREATE TABLE t (i INT)");
    assert_eq!(version_of(&scene.file()), 64);
    scene.write("INSERT INTO t VALUES (1)");
    assert_eq!(version_of(&scene.file()), 64);
}

#[test]
fn a_file_keeps_its_storage_version() {
    let scene = Scene::new();
    let other = scene.directory.path().join("other.duckdb");
    let sql = format!(
        "ATTACH '{}' AS o (STORAGE_VERSION 'v1.2.0'); CREATE TABLE o.t (i INT)",
        other.display()
    );
    scene.write(&sql);
    let version = version_of(&other);
    assert_ne!(version, 64);
    let session = scene.engine.open(&other, Access::Write, Missing::IsCreated).expect("it opens");
    run(&*session, "INSERT INTO t VALUES (1)").expect("it runs");
    session.close().expect("it closes");
    assert_eq!(version_of(&other), version);
}

#[test]
fn nothing_is_left_beside_a_file_that_was_closed() {
    let scene = Scene::new();
    let session = scene.open(Access::Write);
    session.control(Control::Begin(Access::Write)).expect("it begins");
    run(&*session, "CREATE TABLE t AS FROM range(100)").expect("it runs");
    session.control(Control::Commit).expect("it commits");
    session.close().expect("it closes");
    let left = fs::read_dir(scene.directory.path()).expect("a directory").count();
    assert_eq!(left, 1);
    let session = scene.open(Access::Read);
    assert_eq!(rows(&*session, Voice::Text, "SELECT count(*) FROM t"), ["Integer(100)"]);
    assert_eq!(
        rows(&*session, Voice::Text, "SELECT current_setting('temp_directory')"),
        [format!("Text({:?})", scene.directory.path().join("a.duckdb.tmp"))]
    );
}

#[test]
fn what_a_batch_attached_is_closed_with_the_file() {
    let scene = Scene::new();
    let other = scene.directory.path().join("b.duckdb");
    let sql = format!("ATTACH '{}'; CREATE TABLE b.t AS SELECT 1; USE b", other.display());
    scene.write(&sql);
    assert!(!scene.directory.path().join("b.duckdb.wal").exists());
    scene.write(&sql.replace("t AS", "u AS"));
}

#[test]
fn a_file_opened_for_reading_is_not_written() {
    let scene = Scene::new();
    scene.write("CREATE TABLE t (i INT); CREATE SEQUENCE s");
    let session = scene.open(Access::Read);
    session.control(Control::Begin(Access::Read)).expect("it begins");
    for sql in ["INSERT INTO t VALUES (1)", "SELECT nextval('s')", "COPY t FROM '/dev/null'"] {
        assert_eq!(failure(&*session, sql).trouble, Trouble::NeedsWrite, "{sql}");
        session.control(Control::Rollback).expect("it rolls back");
        session.control(Control::Begin(Access::Read)).expect("it begins");
    }
}

#[test]
fn any_name_of_a_file_will_do() {
    let scene = Scene::new();
    let names =
        ["main.db", "temp", "system.duckdb", ":memory:", "sqlite:x.db", "a?b.db", "~x", "..."];
    for name in names {
        let file = scene.directory.path().join(name);
        let opened = scene.engine.open(&file, Access::Write, Missing::IsCreated);
        let session = opened.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        run(&*session, "CREATE TABLE t AS SELECT 1").expect(name);
        session.close().expect(name);
        assert!(file.exists(), "{name}");
    }
}

#[test]
fn a_log_without_its_database_is_not_deleted() {
    let scene = Scene::new();
    let log = scene.directory.path().join("a.duckdb.wal");
    fs::write(&log, "rows").expect("it can be written");
    let error = scene.try_open(Access::Write, Missing::IsCreated).err().expect("no");
    assert_eq!(error.trouble, Trouble::NotADatabase);
    assert!(log.exists() && !scene.file().exists());
}

/// Another process that has the file locked as DuckDB does.
struct Holder(Child);

impl Holder {
    fn new(file: &Path) -> Self {
        let program = "import fcntl, sys\nf = open(sys.argv[1], 'r+b')\nfcntl.lockf(f, fcntl.LOCK_EX)\n\
                       print('locked', flush=True)\nsys.stdin.read()";
        let mut command = Command::new("python3");
        command.args(["-c", program]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 starts");
        let mut line = String::new();
        let said = child.stdout.take().expect("it is piped");
        BufReader::new(said).read_line(&mut line).expect("it says something");
        assert_eq!(line, "locked\n");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It ends when its standard input does, which killing makes sure of.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_lock_of_somebody_else_is_busy() {
    let scene = Scene::new();
    scene.write("CREATE TABLE t (i INT)");
    let other = scene.directory.path().join("b.duckdb");
    let holder = Holder::new(&scene.file());
    for access in [Access::Read, Access::Write] {
        let error = scene.try_open(access, Missing::Fails).err().expect("it is locked");
        assert_eq!(error.trouble, Trouble::Busy);
    }
    let opened = scene.engine.open(&other, Access::Write, Missing::IsCreated);
    let session = opened.expect("it opens");
    let sql = format!("ATTACH '{}'", scene.file().display());
    assert_eq!(failure(&*session, &sql).trouble, Trouble::Busy);
    drop(holder);
    run(&*session, &sql).expect("nobody is in the way any more");
}

#[test]
fn what_is_no_database_is_refused() {
    let scene = Scene::new();
    scene.write("CREATE TABLE t AS SELECT i, 'name ' || i AS s FROM range(100000) AS r(i)");
    let whole = fs::read(scene.file()).expect("it can be read");
    let mut seed = 1_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut spoiled = vec![Vec::new(), b"hello".to_vec(), whole[..5000].to_vec()];
    for _ in 0..12 {
        let mut bytes = whole.clone();
        let start = next(bytes.len());
        let end = (start + next(5000)).min(bytes.len());
        bytes[start..end].iter_mut().for_each(|byte| *byte = next(256) as u8);
        bytes.truncate(if next(2) == 0 { bytes.len() } else { start.max(20) });
        spoiled.push(bytes);
    }
    for (number, bytes) in spoiled.iter().enumerate() {
        let mut file = fs::File::create(scene.file()).expect("it can be written");
        file.write_all(bytes).expect("it can be written");
        drop(file);
        for access in [Access::Read, Access::Write] {
            let opened = scene.try_open(access, Missing::Fails);
            let asked = opened.and_then(|session| run(&*session, "SELECT count(*), max(s) FROM t"));
            match asked {
                Err(error) => {
                    assert_eq!(error.trouble, Trouble::NotADatabase, "{number} {error:?}")
                }
                Ok(_) => assert!(number > 2, "only free space was hit"),
            }
        }
    }
    fs::remove_file(scene.file()).expect("it is there");
    fs::create_dir(scene.file()).expect("its place is free");
    let error = scene.try_open(Access::Read, Missing::Fails).err().expect("no file");
    assert_eq!(error.trouble, Trouble::NotADatabase);
}
