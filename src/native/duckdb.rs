//! DuckDB: one fcntl lock on the whole file, for as long as the database is open.
//!
//! Opening read-write write-locks the file, opening read-only read-locks it, once and without
//! waiting (`TryAcquireFileLock` in DuckDB's `local_file_system.cpp`). So there is no idle
//! connection: whoever has it open has it locked. `X.wal` is locked too from the first write on,
//! but never by a process that does not hold `X`, so only `X` is asked about.
//!
//! On Windows nothing is locked: opening read-write lets nobody else open the file, and opening
//! read-only lets nobody else open it for writing. A file that nobody can read cannot be told to be
//! DuckDB's, so only readers are asked about here.

use std::path::Path;

use super::{Ask, Question, Want, has_at};

/// The four bytes after the checksum of the header block (`MainHeader` in `storage_info.hpp`).
/// Encrypted databases have them as well.
pub const MAGIC: &[u8; 4] = b"DUCK";
/// Where [`MAGIC`] is.
pub const MAGIC_OFFSET: usize = 8;

/// Reports whether a file that begins with `head` is a DuckDB database.
pub fn is_duckdb(head: &[u8]) -> bool {
    has_at(head, MAGIC_OFFSET, MAGIC)
}

/// Returns what to ask: read-only opens share, a read-write open shares with nobody.
pub(super) fn questions(path: &Path, want: Want) -> Vec<Question> {
    let (write, meaning) = match want {
        Want::Shared => (false, "holding the database open for writing"),
        Want::Begin | Want::Exclusive => (true, "holding the database open"),
    };
    let question = |ask, meaning| Question { file: path.to_path_buf(), ask, meaning };
    let mut asked = vec![question(Ask::Record { write, start: 0, length: 0 }, meaning)];
    if write {
        asked.push(question(Ask::Open { write }, "keeping everybody else from writing it"));
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::super::{Ask, Engine, Want, questions, recognise_file};
    use std::path::Path;

    #[test]
    fn the_magic_follows_the_checksum() {
        // The layout of a header block: checksum, magic, storage version 64.
        let head = *b"\x4f\x1c\x88\x02\x9a\x33\x7e\xd1DUCK\x40\0\0\0\0\0\0\0";
        assert_eq!(recognise_file(&head), Engine::DuckDb);
        assert_eq!(recognise_file(&head[..11]), Engine::Unknown);
        assert_eq!(recognise_file(b"DUCK and cover"), Engine::Unknown);
    }

    #[test]
    fn readers_share_and_writers_do_not() {
        for (want, write) in [(Want::Shared, false), (Want::Exclusive, true)] {
            let asked = questions(Engine::DuckDb, Path::new("/d/a.duckdb"), want);
            let asked: Vec<Ask> = asked.into_iter().map(|question| question.ask).collect();
            let expected = [Ask::Record { write, start: 0, length: 0 }, Ask::Open { write }];
            assert_eq!(asked, expected[..if write { 2 } else { 1 }]);
        }
    }
}
