//! The native look against the real sqlite3 shell, and against locks as other engines take them.
//!
//! The shell runs as a child, because a process's own fcntl locks are not foreign to it. A test
//! that needs it prints why it is skipped where there is none.

use std::fs;
#[cfg(target_os = "linux")]
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use dbguard::native::{Engine, Want};
use dbguard::platform::NOWHERE;
use dbguard::probe::{Busy, look};

use crate::scene::{skip, wine_lacks};

const ROLLBACK: Engine = Engine::Sqlite { wal: false };
const WAL: Engine = Engine::Sqlite { wal: true };

/// A directory of its own, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let unique = format!("dbguard-look-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(unique);
        fs::create_dir_all(&directory).expect("the temporary directory is writable");
        Self(dbguard::platform::canonical(&directory).expect("it was just made"))
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("the scratch directory is writable");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory left in the temporary directory harms no test.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A sqlite3 shell that executes what it is told and keeps its connection.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shell {
    /// Starts a shell on a database, or says why the test is skipped.
    fn open(database: &Path) -> Option<Self> {
        let started = Command::new("sqlite3")
            .args(["-init", NOWHERE])
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => {
                skip(&format!("`sqlite3` is not installed: {error}"));
                return None;
            }
        };
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        Some(Self { child, input, output })
    }

    /// Runs statements, and returns when they are done.
    fn run(&mut self, statements: &str) {
        // The shell buffers what it prints into a pipe; what its own child prints comes at once.
        writeln!(self.input, "{statements}\n.system echo done").expect("the shell reads");
        let mut line = String::new();
        while line.trim_end() != "done" {
            line.clear();
            let count = self.output.read_line(&mut line).expect("the shell prints");
            assert_ne!(count, 0, "the shell ended in `{statements}`");
        }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a database in a journal mode and opens a shell on it that has run nothing yet.
fn database(scratch: &Scratch, journal: &str) -> Option<(PathBuf, Shell)> {
    let path = scratch.0.join("a.db");
    let mut shell = Shell::open(&path)?;
    shell.run(&format!(
        "PRAGMA journal_mode={journal}; CREATE TABLE t(x); INSERT INTO t VALUES(1);"
    ));
    drop(shell);
    let shell = Shell::open(&path)?;
    Some((path, shell))
}

/// Asserts who is in the way, and that the question was answered at all.
fn assert_seen(path: &Path, engine: Engine, want: Want, holder: Option<u32>) -> Option<Busy> {
    let seen = look(path, want);
    assert_eq!(seen.engine, engine);
    assert!(seen.impossible.is_none(), "{seen:?}");
    assert_eq!(seen.busy.as_ref().map(|busy| busy.pid), holder.map(Some), "{want:?}: {seen:?}");
    seen.busy
}

#[test]
fn what_is_missing_or_no_database_is_free() {
    let scratch = Scratch::new("missing");
    assert_seen(&scratch.0.join("absent.db"), Engine::Unknown, Want::Exclusive, None);
    assert_seen(&scratch.0, Engine::Unknown, Want::Exclusive, None);
    assert_seen(Path::new(NOWHERE), Engine::Unknown, Want::Exclusive, None);
    let notes = scratch.file("notes.txt", b"nothing to lock");
    assert_seen(&notes, Engine::Unknown, Want::Exclusive, None);
    let empty = scratch.file("empty.db", b"");
    assert_seen(&empty, Engine::Empty, Want::Exclusive, None);
}

#[test]
fn a_rollback_database_is_free_while_nobody_is_in_a_transaction() {
    let scratch = Scratch::new("rollback-free");
    let Some((path, mut shell)) = database(&scratch, "delete") else {
        return;
    };
    shell.run("SELECT count(*) FROM t;");
    assert_seen(&path, ROLLBACK, Want::Shared, None);
    assert_seen(&path, ROLLBACK, Want::Exclusive, None);
}

#[test]
fn a_rollback_reader_stops_writers_only() {
    let scratch = Scratch::new("rollback-reader");
    let Some((path, mut shell)) = database(&scratch, "delete") else {
        return;
    };
    shell.run("BEGIN; SELECT count(*) FROM t;");
    assert_seen(&path, ROLLBACK, Want::Shared, None);
    // A shared lock shows nowhere on Windows.
    if cfg!(target_os = "linux") {
        let busy = assert_seen(&path, ROLLBACK, Want::Exclusive, Some(shell.pid()));
        assert_eq!(busy.map(|busy| busy.file), Some(path.clone()));
    }
    shell.run("COMMIT;");
    assert_seen(&path, ROLLBACK, Want::Exclusive, None);
}

#[test]
fn a_rollback_writer_stops_writers_and_lets_readers_in() {
    if wine_lacks("reads that a lock on bytes refuses") {
        return;
    }
    let scratch = Scratch::new("rollback-writer");
    let Some((path, mut shell)) = database(&scratch, "delete") else {
        return;
    };
    shell.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(2);");
    assert_seen(&path, ROLLBACK, Want::Shared, None);
    assert_seen(&path, ROLLBACK, Want::Exclusive, Some(shell.pid()));
}

#[test]
fn an_exclusive_rollback_transaction_stops_everybody() {
    if wine_lacks("reads that a lock on bytes refuses") {
        return;
    }
    let scratch = Scratch::new("rollback-exclusive");
    let Some((path, mut shell)) = database(&scratch, "delete") else {
        return;
    };
    shell.run("BEGIN EXCLUSIVE;");
    assert_seen(&path, ROLLBACK, Want::Shared, Some(shell.pid()));
    assert_seen(&path, ROLLBACK, Want::Exclusive, Some(shell.pid()));
}

#[test]
fn a_commit_that_waits_for_a_reader_stops_new_readers() {
    if wine_lacks("reads that a lock on bytes refuses") {
        return;
    }
    let scratch = Scratch::new("rollback-pending");
    let Some((path, mut writer)) = database(&scratch, "delete") else {
        return;
    };
    let Some(mut reader) = Shell::open(&path) else {
        return;
    };
    reader.run("BEGIN; SELECT count(*) FROM t;");
    writer.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(2);");
    assert_seen(&path, ROLLBACK, Want::Shared, None);
    // The commit is refused at once and keeps PENDING.
    writer.run("COMMIT;");
    let busy = assert_seen(&path, ROLLBACK, Want::Shared, Some(writer.pid()));
    let meaning = busy.map(|busy| busy.meaning);
    assert_eq!(meaning, Some("committing, and waits for readers to finish"));
}

#[test]
fn a_database_being_created_is_seen_while_it_is_still_empty() {
    if wine_lacks("reads that a lock on bytes refuses") {
        return;
    }
    let scratch = Scratch::new("creating");
    let path = scratch.file("new.db", b"");
    let Some(mut shell) = Shell::open(&path) else {
        return;
    };
    shell.run("BEGIN IMMEDIATE; CREATE TABLE t(x);");
    assert_seen(&path, Engine::Empty, Want::Exclusive, Some(shell.pid()));
}

#[test]
fn an_idle_wal_connection_stops_nobody() {
    let scratch = Scratch::new("wal-idle");
    let Some((path, mut shell)) = database(&scratch, "wal") else {
        return;
    };
    shell.run("SELECT count(*) FROM t;");
    assert!(scratch.0.join("a.db-shm").exists(), "the connection is attached");
    assert_seen(&path, WAL, Want::Shared, None);
    assert_seen(&path, WAL, Want::Exclusive, None);
}

#[test]
fn a_wal_reader_stops_nobody() {
    let scratch = Scratch::new("wal-reader");
    let Some((path, mut shell)) = database(&scratch, "wal") else {
        return;
    };
    shell.run("BEGIN; SELECT count(*) FROM t;");
    assert_seen(&path, WAL, Want::Shared, None);
    assert_seen(&path, WAL, Want::Exclusive, None);
}

#[test]
fn a_wal_writer_stops_writers_only() {
    if wine_lacks("reads that a lock on bytes refuses") {
        return;
    }
    let scratch = Scratch::new("wal-writer");
    let Some((path, mut shell)) = database(&scratch, "wal") else {
        return;
    };
    shell.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(2);");
    assert_seen(&path, WAL, Want::Shared, None);
    let busy = assert_seen(&path, WAL, Want::Exclusive, Some(shell.pid()));
    assert_eq!(busy.map(|busy| busy.file), Some(scratch.0.join("a.db-shm")));
}

#[test]
fn a_wal_connection_in_exclusive_mode_stops_everybody() {
    if wine_lacks("reads that a lock on bytes refuses") {
        return;
    }
    let scratch = Scratch::new("wal-exclusive");
    let Some((path, mut shell)) = database(&scratch, "wal") else {
        return;
    };
    shell.run("PRAGMA locking_mode=EXCLUSIVE; INSERT INTO t VALUES(2);");
    assert_seen(&path, WAL, Want::Shared, Some(shell.pid()));
    assert_seen(&path, WAL, Want::Exclusive, Some(shell.pid()));
}

/// A look that took a lock, even for an instant, would make an engine beside it fail.
#[test]
fn looking_makes_no_transaction_fail() {
    let scratch = Scratch::new("undisturbed");
    let Some((path, mut shell)) = database(&scratch, "delete") else {
        return;
    };
    let errors = scratch.0.join("count");
    let looked = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for _ in 0..200 {
                shell.run("BEGIN EXCLUSIVE; INSERT INTO t VALUES(3); COMMIT;");
            }
            shell.run(&format!(".output {}\nSELECT count(*) FROM t;\n.output", errors.display()));
        });
        let mut looked = 0u32;
        while !writing.is_finished() {
            let _look = look(&path, Want::Exclusive);
            looked += 1;
        }
        looked
    });
    assert!(looked > 0);
    let count = fs::read_to_string(errors).expect("the shell wrote it");
    assert_eq!(count.trim(), "201", "every transaction went through");
}

#[test]
#[cfg(target_os = "linux")]
fn the_flock_of_bbolt_is_seen_and_readers_share_it() {
    let scratch = Scratch::new("bbolt");
    let mut head = vec![0; 8];
    head.extend(4u16.to_ne_bytes());
    head.extend([0; 6]);
    head.extend(0xED0C_DAEDu32.to_ne_bytes());
    head.extend(2u32.to_ne_bytes());
    let path = scratch.file("a.bolt", &head);
    let ours = Some(std::process::id());
    assert_seen(&path, Engine::Bbolt, Want::Exclusive, None);
    let holder = File::open(&path).expect("it was just written");
    holder.lock_shared().expect("nobody else locks it");
    assert_seen(&path, Engine::Bbolt, Want::Shared, None);
    assert_seen(&path, Engine::Bbolt, Want::Exclusive, ours);
    holder.unlock().expect("it is locked");
    holder.lock().expect("nobody else locks it");
    assert_seen(&path, Engine::Bbolt, Want::Shared, ours);
    // Not by closing: a test that starts a process now could hand it the description.
    holder.unlock().expect("it is locked");
    assert_seen(&path, Engine::Bbolt, Want::Exclusive, None);
}

#[test]
#[cfg(target_os = "linux")]
fn the_flock_of_redb_is_seen() {
    let scratch = Scratch::new("redb");
    let path = scratch.file("a.redb", b"redb\x1a\x0a\xa9\x0d\x0a\x05");
    assert_seen(&path, Engine::Redb, Want::Shared, None);
    let holder = OpenOptions::new().write(true).open(&path).expect("it was just written");
    holder.lock().expect("nobody else locks it");
    assert_seen(&path, Engine::Redb, Want::Shared, Some(std::process::id()));
}

#[test]
fn a_free_database_directory_is_recognised() {
    let scratch = Scratch::new("directories");
    scratch.file("CURRENT", b"MANIFEST-000002\n");
    scratch.file("LOCK", b"");
    assert_seen(&scratch.0, Engine::LevelDb, Want::Exclusive, None);
    scratch.file("OPTIONS-000007", b"");
    assert_seen(&scratch.0, Engine::RocksDb, Want::Exclusive, None);
}

/// Holds an fcntl lock on the whole of a file, as DuckDB, LevelDB and RocksDB do, until it is
/// dropped; `None`, with the reason printed, where there is no python3.
#[cfg(target_os = "linux")]
fn python_holder(path: &Path, operation: &str) -> Option<Shell> {
    let script = format!(
        "import fcntl, sys\nfile = open(sys.argv[1], 'r+b')\n\
         fcntl.lockf(file, fcntl.{operation})\nprint('done', flush=True)\nsys.stdin.read()"
    );
    let started = Command::new("python3")
        .args(["-c", &script])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        skip("`python3` is not installed");
        return None;
    };
    let input = child.stdin.take().expect("it is piped");
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("python3 prints");
    assert_eq!(line.trim_end(), "done");
    Some(Shell { child, input, output })
}

#[test]
#[cfg(target_os = "linux")]
fn an_open_duckdb_is_seen_and_readers_share_it() {
    let scratch = Scratch::new("duckdb");
    let path = scratch.file("a.duckdb", b"\0\0\0\0\0\0\0\0DUCK\x40\0\0\0\0\0\0\0");
    let Some(reader) = python_holder(&path, "LOCK_SH") else {
        return;
    };
    assert_seen(&path, Engine::DuckDb, Want::Shared, None);
    assert_seen(&path, Engine::DuckDb, Want::Exclusive, Some(reader.pid()));
    drop(reader);
    let Some(writer) = python_holder(&path, "LOCK_EX") else {
        return;
    };
    assert_seen(&path, Engine::DuckDb, Want::Shared, Some(writer.pid()));
}

#[test]
#[cfg(target_os = "linux")]
fn an_open_leveldb_is_seen() {
    let scratch = Scratch::new("leveldb");
    scratch.file("CURRENT", b"MANIFEST-000002\n");
    let lock = scratch.file("LOCK", b"");
    let Some(holder) = python_holder(&lock, "LOCK_EX") else {
        return;
    };
    let busy = assert_seen(&scratch.0, Engine::LevelDb, Want::Shared, Some(holder.pid()));
    assert_eq!(busy.map(|busy| busy.file), Some(lock));
}

/// A lock file as LMDB writes it, with `thread` as the owner of the write mutex.
#[cfg(target_os = "linux")]
fn lmdb_lock_file(thread: u32) -> Vec<u8> {
    let mut content = vec![0; 8192];
    content[..4].copy_from_slice(&0xBEEF_C0DEu32.to_ne_bytes());
    content[64..68].copy_from_slice(&thread.to_ne_bytes());
    content[72..76].copy_from_slice(&thread.to_ne_bytes());
    content
}

#[test]
#[cfg(target_os = "linux")]
fn an_lmdb_writer_counts_only_while_the_environment_is_open() {
    let scratch = Scratch::new("lmdb");
    scratch.file("data.mdb", b"");
    let lock = scratch.file("lock.mdb", &lmdb_lock_file(std::process::id()));
    assert_seen(&scratch.0, Engine::Lmdb, Want::Exclusive, None);
    let Some(holder) = python_holder(&lock, "LOCK_SH") else {
        return;
    };
    assert_seen(&scratch.0, Engine::Lmdb, Want::Shared, None);
    // A number that is not of somebody who has the environment open names nobody.
    let seen = look(&scratch.0, Want::Exclusive).busy.expect("there is a writer");
    assert_eq!((seen.pid, seen.raw_pid), (None, 0));
    fs::write(&lock, lmdb_lock_file(holder.pid())).expect("the scratch directory is writable");
    assert_seen(&scratch.0, Engine::Lmdb, Want::Exclusive, Some(holder.pid()));
    fs::write(&lock, lmdb_lock_file(0)).expect("the scratch directory is writable");
    assert_seen(&scratch.0, Engine::Lmdb, Want::Exclusive, None);
    drop(holder);
}
