//! What is known about each database engine: how to recognise its files, and which kernel-lock
//! questions tell whether somebody else's lock stands in the way.
//!
//! This room is pure: it is handed bytes and names and returns facts. It opens nothing, asks the
//! kernel nothing, and does not know how a question is answered; `probe` does that.
//!
//! An engine is recognised by the magic bytes of its file, never by an extension, and a directory
//! by the set of names an engine always leaves in it. Chroma is SQLite inside and therefore not an
//! engine of its own.

use std::path::{Path, PathBuf};

pub mod bbolt;
pub mod decode;
pub mod description;
pub mod duckdb;
pub mod leveldb;
pub mod lmdb;
pub mod redb;
pub mod side_file;
pub mod sqlite;
pub mod wal;
pub mod wal_index;

/// How many first bytes of a file [`recognise_file`] needs to be sure.
///
/// The length of SQLite's header, the longest of those looked at; a shorter file is recognised
/// from whatever it has.
pub const HEAD_BYTES: usize = 100;

/// The names whose presence decides [`recognise_directory`], apart from those that carry a number.
///
/// A directory can hold any number of entries, so a look that must be quick asks for these names
/// and lists nothing.
pub const DIRECTORY_MARKERS: [&str; 4] =
    [lmdb::DATA_FILE, leveldb::CURRENT_FILE, leveldb::LOCK_FILE, leveldb::IDENTITY_FILE];

/// The database engine that owns a file or a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// SQLite 3; `wal` when the file's header asks for the write-ahead log.
    Sqlite {
        /// Whether readers and writers meet on `-shm` instead of the main file.
        wal: bool,
    },
    /// A DuckDB database file.
    DuckDb,
    /// A bolt or bbolt file, such as etcd's `member/snap/db`.
    Bbolt,
    /// An LMDB environment: a directory, or a single data file (`MDB_NOSUBDIR`).
    Lmdb,
    /// A LevelDB directory.
    LevelDb,
    /// A RocksDB directory.
    RocksDb,
    /// A redb file.
    Redb,
    /// A file without a single byte: most often a SQLite database that is being created.
    Empty,
    /// Nothing that is known here.
    Unknown,
}

impl Engine {
    /// Returns the engine's name as people and JSON see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::DuckDb => "duckdb",
            Self::Bbolt => "bbolt",
            Self::Lmdb => "lmdb",
            Self::LevelDb => "leveldb",
            Self::RocksDb => "rocksdb",
            Self::Redb => "redb",
            Self::Empty => "empty",
            Self::Unknown => "unknown",
        }
    }
}

/// What the asker wants to do with the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Want {
    /// To read, beside other readers.
    Shared,
    /// To begin to write: readers who are inside only stop the commit. Where an engine tells no
    /// difference, the same as [`Want::Exclusive`].
    Begin,
    /// To write.
    Exclusive,
}

/// One question whose answer "somebody conflicts" means: not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The file the lock lives on. One that is missing carries no lock.
    pub file: PathBuf,
    /// What to ask the kernel about it.
    pub ask: Ask,
    /// What a conflicting lock means, as a fragment that follows "somebody is ...".
    pub meaning: &'static str,
}

/// A question put to the kernel. None of them requests a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Would an fcntl lock on these bytes be refused?
    Record {
        /// Whether to ask for a write lock, which every lock refuses, or for a read lock, which
        /// only write locks refuse.
        write: bool,
        /// The first byte.
        start: u64,
        /// How many bytes; 0 reaches to the end of the offset space.
        length: u64,
    },
    /// Would a flock on the file be refused?
    Flock {
        /// Whether to ask for an exclusive lock or for a shared one.
        write: bool,
    },
    /// Does somebody who has the file open let nobody else open it? Only on Windows.
    Open {
        /// Whether to ask about opening it for writing, or for reading.
        write: bool,
    },
    /// Does a thread own the write mutex inside this LMDB lock file?
    LmdbWriter,
}

/// Returns the engine whose magic the first bytes of a file show.
///
/// `head` is the beginning of the file, [`HEAD_BYTES`] of it or all there is.
pub fn recognise_file(head: &[u8]) -> Engine {
    if head.is_empty() {
        return Engine::Empty;
    }
    if let Some(wal) = sqlite::recognise(head) {
        return Engine::Sqlite { wal };
    }
    let others = [
        (redb::is_redb(head), Engine::Redb),
        (duckdb::is_duckdb(head), Engine::DuckDb),
        (bbolt::is_bbolt(head), Engine::Bbolt),
        (lmdb::is_data_file(head), Engine::Lmdb),
    ];
    others.into_iter().find(|(matches, _)| *matches).map_or(Engine::Unknown, |(_, engine)| engine)
}

/// Returns the engine whose layout the names in a directory show.
///
/// The names may be all of them, or only those that [`DIRECTORY_MARKERS`] lists. A RocksDB that
/// keeps no `IDENTITY` file is told from LevelDB only by its full listing; both lock alike.
pub fn recognise_directory(names: &[String]) -> Engine {
    if names.iter().any(|name| name == lmdb::DATA_FILE) {
        return Engine::Lmdb;
    }
    match leveldb::recognise(names) {
        Some(leveldb::Family::LevelDb) => Engine::LevelDb,
        Some(leveldb::Family::RocksDb) => Engine::RocksDb,
        None => Engine::Unknown,
    }
}

/// Returns the questions that tell whether a foreign lock keeps `want` from the database.
///
/// `path` is the database file with symbolic links resolved, because engines name their side files
/// after the resolved path; for LevelDB and RocksDB it is the directory, and for LMDB the data file
/// (see [`lmdb::data_file`]). No question means that nothing needs to be waited for.
///
/// The questions tell blocking locks from idle ones, so a connection that merely exists does not
/// match where its engine lets others pass. They come in the order in which they should be asked.
pub fn questions(engine: Engine, path: &Path, want: Want) -> Vec<Question> {
    match engine {
        // An engine that creates a database locks the file before it writes the first byte.
        // DuckDB locks it whole, which covers the bytes that SQLite uses.
        Engine::Sqlite { wal: false } | Engine::Empty => sqlite::rollback_questions(path, want),
        Engine::Sqlite { wal: true } => sqlite::wal_questions(path, want),
        Engine::DuckDb => duckdb::questions(path, want),
        Engine::Bbolt => bbolt::questions(path, want),
        Engine::Lmdb => lmdb::questions(path, want),
        Engine::LevelDb | Engine::RocksDb => leveldb::questions(path),
        Engine::Redb => redb::questions(path, want),
        Engine::Unknown => Vec::new(),
    }
}

/// Reports whether `head` has exactly `expected` at `offset`.
fn has_at(head: &[u8], offset: usize, expected: &[u8]) -> bool {
    head.get(offset..).is_some_and(|rest| rest.starts_with(expected))
}

/// Returns the native-endian number at `offset`, as engines that map their files write it.
fn u32_at(head: &[u8], offset: usize) -> Option<u32> {
    let bytes = head.get(offset..)?.first_chunk::<4>()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// Returns the native-endian number at `offset`.
fn u16_at(head: &[u8], offset: usize) -> Option<u16> {
    let bytes = head.get(offset..)?.first_chunk::<2>()?;
    Some(u16::from_ne_bytes(*bytes))
}

/// Returns `path` with `suffix` added to its last component.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::{Engine, HEAD_BYTES, Want, questions, recognise_directory, recognise_file};
    use proptest::prelude::{any, proptest};
    use std::path::Path;

    #[test]
    fn no_bytes_are_empty_and_foreign_bytes_are_unknown() {
        assert_eq!(recognise_file(b""), Engine::Empty);
        assert_eq!(recognise_file(b"#!/bin/sh\n"), Engine::Unknown);
        assert_eq!(recognise_file(&[0; HEAD_BYTES]), Engine::Unknown);
    }

    #[test]
    fn a_directory_of_anything_else_is_unknown() {
        assert_eq!(recognise_directory(&[]), Engine::Unknown);
        assert_eq!(recognise_directory(&["README".to_owned()]), Engine::Unknown);
    }

    #[test]
    fn an_empty_file_is_asked_about_as_a_rollback_database() {
        let path = Path::new("/d/a.db");
        let rollback = Engine::Sqlite { wal: false };
        for want in [Want::Shared, Want::Begin, Want::Exclusive] {
            assert_eq!(
                questions(Engine::Empty, path, want),
                questions(rollback, path, want),
                "{want:?}"
            );
        }
    }

    #[test]
    fn nothing_is_asked_about_an_unknown_file() {
        assert!(questions(Engine::Unknown, Path::new("/d/notes"), Want::Exclusive).is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_recognised_as_something(head: Vec<u8>, offset in 0usize..32) {
            let _engine = recognise_file(&head);
            let mut shifted = vec![0; offset];
            shifted.extend_from_slice(b"DUCK");
            let _engine = recognise_file(&shifted);
        }

        #[test]
        fn any_names_are_recognised_as_something(names in any::<Vec<String>>()) {
            let _engine = recognise_directory(&names);
        }
    }
}
