//! LevelDB and RocksDB: directories of one family, with one lock file.
//!
//! Both write-lock the whole of `LOCK` with fcntl when they open, and do not wait (`LockOrUnlock`
//! in LevelDB's `env_posix.cc` and RocksDB's `fs_posix.cc`). `LOCK` is always there and empty; its
//! presence means nothing, and deleting it lets a second process in. Read-only and secondary opens
//! of RocksDB take no lock and cannot be seen (measured); nothing lets a second LevelDB in.

use std::path::Path;

use super::{Ask, Question};

/// The file that is locked.
pub const LOCK_FILE: &str = "LOCK";
/// The file that names the current manifest.
pub const CURRENT_FILE: &str = "CURRENT";
/// How the name of a manifest begins.
pub const MANIFEST_PREFIX: &str = "MANIFEST-";
/// A file that only RocksDB makes.
pub const IDENTITY_FILE: &str = "IDENTITY";
/// How the name of a file begins that only RocksDB makes.
pub const OPTIONS_PREFIX: &str = "OPTIONS-";

/// Which of the two engines made a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// LevelDB.
    LevelDb,
    /// RocksDB.
    RocksDb,
}

/// Returns the engine whose files these are, or `None`.
pub fn recognise(names: &[String]) -> Option<Family> {
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let has_prefix = |prefix: &str| names.iter().any(|name| name.starts_with(prefix));
    if !has(CURRENT_FILE) || !(has(LOCK_FILE) || has_prefix(MANIFEST_PREFIX)) {
        return None;
    }
    let rocks = has(IDENTITY_FILE) || has_prefix(OPTIONS_PREFIX);
    Some(if rocks { Family::RocksDb } else { Family::LevelDb })
}

/// Returns what to ask, the same for reading and writing: there is one process or none.
pub(super) fn questions(directory: &Path) -> Vec<Question> {
    let ask = Ask::Record { write: true, start: 0, length: 0 };
    vec![Question { file: directory.join(LOCK_FILE), ask, meaning: "holding the database open" }]
}

#[cfg(test)]
mod tests {
    use super::super::{Ask, Engine, Want, questions, recognise_directory};
    use std::path::Path;

    fn engine(names: &[&str]) -> Engine {
        recognise_directory(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_leveldb_directory_is_recognised() {
        let names = ["000003.log", "CURRENT", "LOCK", "LOG", "MANIFEST-000002"];
        assert_eq!(engine(&names), Engine::LevelDb);
        assert_eq!(engine(&["CURRENT", "LOCK"]), Engine::LevelDb, "by the markers alone");
    }

    #[test]
    fn a_rocksdb_directory_is_recognised_by_either_of_its_files() {
        let common = ["000004.log", "CURRENT", "LOCK", "LOG", "MANIFEST-000005"];
        assert_eq!(engine(&[&common[..], &["IDENTITY"]].concat()), Engine::RocksDb);
        assert_eq!(engine(&[&common[..], &["OPTIONS-000007"]].concat()), Engine::RocksDb);
    }

    #[test]
    fn a_lock_alone_is_not_a_database() {
        assert_eq!(engine(&["LOCK", "LOG"]), Engine::Unknown);
        assert_eq!(engine(&["CURRENT"]), Engine::Unknown);
    }

    #[test]
    fn readers_and_writers_ask_about_the_lock_file() {
        for want in [Want::Shared, Want::Exclusive] {
            let asked = questions(Engine::RocksDb, Path::new("/d/rocks"), want);
            assert_eq!(asked.len(), 1);
            assert_eq!(asked[0].file, Path::new("/d/rocks/LOCK"));
            assert_eq!(asked[0].ask, Ask::Record { write: true, start: 0, length: 0 });
        }
    }
}
