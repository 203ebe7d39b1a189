//! What the kernel locks of one process on one file of a database mean; pure.
//!
//! The kernel merges neighbouring locks of one process that have the same mode, so ranges are never
//! compared: the question is always which bytes a lock covers. A process can have several locks on
//! one file, and only all of them together tell its state (SQLite, `os_unix.c`).

use super::{Engine, redb, sqlite};

/// Whom a lock keeps from the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blocks {
    /// Nobody.
    #[default]
    None,
    /// Those who want to write; of a reader of SQLite's rollback journal, their commit.
    Writers,
    /// Everybody.
    All,
}

impl Blocks {
    /// Returns the word of the documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Writers => "writers",
            Self::All => "all",
        }
    }
}

/// Which file of a database a lock is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The database file itself.
    Main,
    /// SQLite's `-shm`.
    SharedMemory,
    /// DuckDB's `.wal`.
    WriteAheadLog,
    /// The lock file of LMDB, LevelDB or RocksDB.
    LockFile,
}

/// The family of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `F_SETLK`.
    Posix,
    /// `F_OFD_SETLK`.
    Ofd,
    /// flock(2).
    Flock,
    /// A lease of a file server; no lock of a database.
    Lease,
    /// No lock: whoever has the file open lets nobody else open it, on Windows.
    Open,
}

/// One kernel lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// How it was taken.
    pub family: Family,
    /// Whether it excludes everybody; otherwise it is shared.
    pub write: bool,
    /// The first byte.
    pub start: u64,
    /// The last byte; `None` reaches to the end of the offset space.
    pub end: Option<u64>,
}

impl Span {
    /// Whether it covers the byte.
    fn covers(self, byte: u64) -> bool {
        self.start <= byte && self.end.is_none_or(|end| byte <= end)
    }
}

/// What a process does, as its locks on one file tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// As a fragment that follows the name of the process.
    pub text: &'static str,
    /// Whom it keeps out.
    pub blocks: Blocks,
    /// Whether the engine makes such locks.
    pub of_engine: bool,
}

const fn meaning(text: &'static str, blocks: Blocks) -> Meaning {
    Meaning { text, blocks, of_engine: true }
}

/// Of a lock that is somebody's own affair.
const fn other(text: &'static str, blocks: Blocks) -> Meaning {
    Meaning { text, blocks, of_engine: false }
}

/// Returns what the locks of one process on one file mean: all of them, at least one.
pub fn decode(engine: Engine, place: Place, spans: &[Span]) -> Meaning {
    let spans: Vec<Span> =
        spans.iter().copied().filter(|span| span.family != Family::Lease).collect();
    if spans.is_empty() {
        return other("has a lease, which locks no database", Blocks::None);
    }
    if spans.iter().any(|span| span.family == Family::Open) {
        return shut(spans.iter().any(|span| span.write));
    }
    match (engine, place) {
        (Engine::Sqlite { wal }, Place::Main) => sqlite_main(wal, &spans),
        // Whose file it will be is not known, so a flock on it is taken for the lock that it is.
        (Engine::Empty, Place::Main) if spans.iter().all(|span| span.family == Family::Flock) => {
            any_file(&spans)
        }
        (Engine::Empty, Place::Main) => sqlite_main(false, &spans),
        (Engine::Sqlite { .. }, Place::SharedMemory) => sqlite_shm(&spans),
        (Engine::DuckDb, Place::Main) => open_or(&spans, Family::Posix),
        (Engine::DuckDb, Place::WriteAheadLog) => {
            meaning("has written since it opened the database", Blocks::None)
        }
        (Engine::Lmdb, Place::LockFile) => lmdb_lock_file(&spans),
        (Engine::LevelDb | Engine::RocksDb, Place::LockFile) => open_or(&spans, Family::Posix),
        (Engine::Bbolt, Place::Main) => open_or(&spans, Family::Flock),
        (Engine::Redb, Place::Main) => redb_main(&spans),
        _ => any_file(&spans),
    }
}

/// Returns what it means that whoever has a file open lets nobody else read it, or write it.
pub fn shut(for_reading: bool) -> Meaning {
    match for_reading {
        true => meaning("has it open and lets nobody else open it", Blocks::All),
        false => meaning("has it open and lets nobody else write it", Blocks::Writers),
    }
}

fn has(spans: &[Span], write: bool, byte: u64) -> bool {
    spans
        .iter()
        .any(|span| span.family != Family::Flock && span.write == write && span.covers(byte))
}

fn sqlite_main(wal: bool, spans: &[Span]) -> Meaning {
    let write = |byte| has(spans, true, byte);
    let shared = sqlite::SHARED_FIRST;
    let reads_pending = has(spans, false, sqlite::PENDING_BYTE);
    match (write(shared), write(sqlite::PENDING_BYTE), write(sqlite::RESERVED_BYTE)) {
        (true, true, true) => meaning("is writing the database (EXCLUSIVE)", Blocks::All),
        (true, _, _) => {
            meaning("has the database to itself (exclusive mode, or recovery)", Blocks::All)
        }
        (false, true, _) => meaning("waits to commit until readers finish (PENDING)", Blocks::All),
        (false, false, true) => meaning("has a write transaction open (RESERVED)", Blocks::Writers),
        (false, false, false) if !has(spans, false, shared) && reads_pending => {
            meaning("is about to read", Blocks::None)
        }
        (false, false, false) if !has(spans, false, shared) => foreign(spans),
        (false, false, false) if wal => meaning("is connected (WAL)", Blocks::None),
        (false, false, false) => meaning("is reading (SHARED)", Blocks::Writers),
    }
}

fn sqlite_shm(spans: &[Span]) -> Meaning {
    /// The lock byte of the reader that uses only the main file (`WAL_READ_LOCK(0)`).
    const READ_MAIN: u64 = 123;
    /// The lock bytes of readers of the log (`WAL_READ_LOCK(1)` to `(4)`).
    const READ_LOG: std::ops::RangeInclusive<u64> = 124..=127;
    /// Whoever is attached (`UNIX_SHM_DMS`).
    const ATTACHED: u64 = 128;
    let write = |byte| has(spans, true, byte);
    let read = |byte| has(spans, false, byte);
    if write(sqlite::SHM_RECOVER_BYTE) {
        return meaning("is recovering the write-ahead log", Blocks::All);
    }
    if write(ATTACHED) {
        return meaning("is setting up the shared memory", Blocks::All);
    }
    if write(sqlite::SHM_WRITE_BYTE) && write(sqlite::SHM_CHECKPOINT_BYTE) {
        return meaning("is running a checkpoint that keeps writers out", Blocks::Writers);
    }
    if write(sqlite::SHM_WRITE_BYTE) {
        return meaning("has a write transaction open", Blocks::Writers);
    }
    if write(sqlite::SHM_CHECKPOINT_BYTE) {
        return meaning("is running a checkpoint", Blocks::None);
    }
    if READ_LOG.into_iter().any(write) || write(READ_MAIN) {
        return meaning("is moving the marks of readers", Blocks::None);
    }
    if READ_LOG.into_iter().any(read) {
        return meaning("is reading a snapshot of the write-ahead log", Blocks::None);
    }
    if read(READ_MAIN) {
        return meaning("is reading, with nothing in the write-ahead log", Blocks::None);
    }
    match read(ATTACHED) {
        true => meaning("is connected, idle", Blocks::None),
        false => foreign(spans),
    }
}

fn lmdb_lock_file(spans: &[Span]) -> Meaning {
    if has(spans, true, super::lmdb::OPEN_BYTE) {
        return meaning("is setting up the lock file", Blocks::All);
    }
    if spans.iter().all(|span| span.family == Family::Flock) {
        return foreign(spans);
    }
    // A write lock on the byte that has the process's number only says that it lives.
    meaning("has the environment open", Blocks::None)
}

fn redb_main(spans: &[Span]) -> Meaning {
    let writes = has(spans, true, redb::WRITER_BYTE)
        || spans.iter().any(|span| span.family == Family::Flock && span.write);
    if writes {
        meaning("has the database open for writing", Blocks::All)
    } else {
        meaning("has the database open for reading", Blocks::Writers)
    }
}

/// Engines that lock the whole file, once, for as long as it is open.
fn open_or(spans: &[Span], family: Family) -> Meaning {
    let ours = |span: &&Span| (span.family == Family::Flock) == (family == Family::Flock);
    match spans.iter().filter(ours).map(|span| span.write).max() {
        Some(true) => meaning("has the database open for writing", Blocks::All),
        Some(false) => meaning("has the database open for reading", Blocks::Writers),
        None => foreign(spans),
    }
}

/// A lock of another family than the engine's: it keeps its own kind out, and the engine not.
fn foreign(spans: &[Span]) -> Meaning {
    match spans.iter().any(|span| span.family == Family::Flock) {
        true => other("has a flock on it, which the engine does not look at", Blocks::None),
        false => other("has a record lock on it, which the engine does not look at", Blocks::None),
    }
}

/// A file of no engine that is known, or bytes that its engine does not use.
fn any_file(spans: &[Span]) -> Meaning {
    match spans.iter().any(|span| span.write) {
        true => other("has it locked exclusively", Blocks::All),
        false => other("has it locked shared", Blocks::Writers),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::{Blocks, Engine, Family, Meaning, Place, Span, decode};

    const ROLLBACK: Engine = Engine::Sqlite { wal: false };
    const WAL: Engine = Engine::Sqlite { wal: true };

    fn posix(write: bool, start: u64, end: u64) -> Span {
        Span { family: Family::Posix, write, start, end: Some(end) }
    }

    fn whole(family: Family, write: bool) -> Span {
        Span { family, write, start: 0, end: None }
    }

    #[track_caller]
    fn assert_means(found: Meaning, text: &str, blocks: Blocks) {
        assert!(found.text.contains(text), "{found:?}");
        assert_eq!(found.blocks, blocks, "{found:?}");
    }

    /// The ranges are those that the kernel showed of sqlite3 3.40.1, merged as it merges them.
    #[test]
    fn every_state_of_the_rollback_journal() {
        let shared = posix(false, 1_073_741_826, 1_073_742_335);
        let on = |spans: &[Span]| decode(ROLLBACK, Place::Main, spans);
        assert_means(on(&[shared]), "SHARED", Blocks::Writers);
        let reserved = posix(true, 1_073_741_825, 1_073_741_825);
        assert_means(on(&[reserved, shared]), "RESERVED", Blocks::Writers);
        let pending = posix(true, 1_073_741_824, 1_073_741_825);
        assert_means(on(&[pending, shared]), "PENDING", Blocks::All);
        let exclusive = posix(true, 1_073_741_824, 1_073_742_335);
        assert_means(on(&[exclusive]), "EXCLUSIVE", Blocks::All);
        let recovery = posix(true, 1_073_741_826, 1_073_742_335);
        assert_means(on(&[recovery]), "to itself", Blocks::All);
    }

    #[test]
    fn every_state_of_the_write_ahead_log() {
        let connected = posix(false, 1_073_741_826, 1_073_742_335);
        assert_means(decode(WAL, Place::Main, &[connected]), "connected", Blocks::None);
        let attached = posix(false, 128, 128);
        let on = |spans: &[Span]| decode(WAL, Place::SharedMemory, spans);
        assert_means(on(&[attached]), "idle", Blocks::None);
        assert_means(on(&[posix(true, 120, 120), attached]), "write transaction", Blocks::Writers);
        assert_means(on(&[posix(true, 121, 121), attached]), "checkpoint", Blocks::None);
        assert_means(on(&[posix(true, 120, 121), attached]), "checkpoint", Blocks::Writers);
        assert_means(on(&[posix(true, 120, 122), attached]), "recovering", Blocks::All);
        assert_means(on(&[posix(false, 124, 124), attached]), "snapshot", Blocks::None);
        assert_means(on(&[posix(false, 123, 123), attached]), "nothing in", Blocks::None);
        assert_means(on(&[posix(true, 124, 127), attached]), "marks", Blocks::None);
    }

    #[test]
    fn a_lock_that_sqlite_does_not_look_at_keeps_nobody_from_it() {
        for engine in [ROLLBACK, WAL] {
            let flock = [whole(Family::Flock, true)];
            assert_means(decode(engine, Place::Main, &flock), "does not look", Blocks::None);
            assert_means(decode(engine, Place::SharedMemory, &flock), "not look", Blocks::None);
            let elsewhere = [posix(true, 0, 99)];
            assert_means(decode(engine, Place::Main, &elsewhere), "not look", Blocks::None);
            let transit = [posix(false, 1_073_741_824, 1_073_741_824)];
            assert_means(decode(engine, Place::Main, &transit), "about to read", Blocks::None);
        }
    }

    #[test]
    fn engines_that_lock_the_whole_file() {
        for (engine, place, family) in [
            (Engine::DuckDb, Place::Main, Family::Posix),
            (Engine::LevelDb, Place::LockFile, Family::Posix),
            (Engine::RocksDb, Place::LockFile, Family::Posix),
            (Engine::Bbolt, Place::Main, Family::Flock),
            (Engine::Redb, Place::Main, Family::Flock),
        ] {
            let on = |write| decode(engine, place, &[whole(family, write)]);
            assert_means(on(true), "for writing", Blocks::All);
            assert_means(on(false), "for reading", Blocks::Writers);
        }
        let flock = [whole(Family::Flock, true)];
        assert_means(decode(Engine::DuckDb, Place::Main, &flock), "does not look", Blocks::None);
    }

    #[test]
    fn redb_is_read_from_its_ranges_too() {
        const BASE: u64 = 1 << 62;
        let range = |write, start, end| Span { family: Family::Ofd, write, start, end };
        let writer = [range(true, 0, Some(BASE + 895)), range(true, BASE + 1024, None)];
        assert_means(decode(Engine::Redb, Place::Main, &writer), "writing", Blocks::All);
        let reader = [range(false, 0, Some(BASE)), range(false, BASE + 2, Some(BASE + 895))];
        assert_means(decode(Engine::Redb, Place::Main, &reader), "reading", Blocks::Writers);
    }

    #[test]
    fn the_lock_file_of_lmdb_says_who_is_there_and_not_who_writes() {
        let on = |spans: &[Span]| decode(Engine::Lmdb, Place::LockFile, spans);
        assert_means(on(&[posix(false, 0, 0), posix(true, 4711, 4711)]), "open", Blocks::None);
        assert_means(on(&[posix(true, 0, 0)]), "setting up", Blocks::All);
    }

    #[test]
    fn leases_and_unknown_files() {
        let lease = [whole(Family::Lease, true)];
        assert_means(decode(WAL, Place::Main, &lease), "lease", Blocks::None);
        let flock = [whole(Family::Flock, true)];
        assert_means(decode(Engine::Unknown, Place::Main, &flock), "exclusively", Blocks::All);
    }

    proptest! {
        #[test]
        fn any_locks_mean_something(
            spans in vec((0_u8..4, any::<bool>(), any::<u64>(), any::<Option<u64>>()), 0..6),
        ) {
            let families = [Family::Posix, Family::Ofd, Family::Flock, Family::Lease];
            let spans: Vec<Span> = spans
                .into_iter()
                .map(|(family, write, start, end)| {
                    Span { family: families[usize::from(family)], write, start, end }
                })
                .collect();
            for engine in [ROLLBACK, WAL, Engine::DuckDb, Engine::Lmdb, Engine::Redb] {
                for place in [Place::Main, Place::SharedMemory, Place::LockFile] {
                    assert!(!decode(engine, place, &spans).text.is_empty());
                }
            }
        }
    }
}
