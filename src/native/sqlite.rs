//! SQLite 3: its header, its lock bytes, and who stands in whose way.
//!
//! In rollback mode all locks are fcntl locks on 512 bytes of the main file that lie at 1 GiB,
//! mostly beyond its end (`os.h`, `unixLock` in `os_unix.c`). In WAL mode every connection keeps a
//! read lock there for as long as it lives, and the traffic moves to single bytes of `-shm`
//! (`walLockExclusive` in `wal.c`, `unixShmLock`). So the same lock means "is reading" in one mode
//! and nothing at all in the other; the header tells which mode it is.
//!
//! The kernel merges neighbouring locks of one process, so a lock is never compared with a range:
//! the question is always whether it touches certain bytes.

use std::path::{Path, PathBuf};

use super::{Ask, Question, Want, beside, has_at};

/// The first bytes of every SQLite 3 file (file format, section 1.2). Encrypted files have none.
pub const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Where the header keeps the version needed to read: 1 is rollback, 2 is WAL. SQLite decides by
/// this one (`lockBtree` in `btree.c`); the version needed to write is the byte before it.
pub const READ_VERSION_OFFSET: usize = 19;
/// The value at [`READ_VERSION_OFFSET`] that asks for the write-ahead log.
pub const VERSION_WAL: u8 = 2;

/// A commit that waits for readers to leave; new readers are turned away (`PENDING_BYTE`).
pub const PENDING_BYTE: u64 = 0x4000_0000;
/// A write transaction is open, nothing is in the file yet (`RESERVED_BYTE`).
pub const RESERVED_BYTE: u64 = PENDING_BYTE + 1;
/// The first of the bytes that readers read-lock and a commit write-locks (`SHARED_FIRST`).
pub const SHARED_FIRST: u64 = PENDING_BYTE + 2;
/// How many bytes those are (`SHARED_SIZE`).
pub const SHARED_BYTES: u64 = 510;
/// How many bytes PENDING, RESERVED and SHARED are together.
pub const ALL_BYTES: u64 = 2 + SHARED_BYTES;

/// The lock byte of `-shm` that the one writer holds (`WAL_WRITE_LOCK` at `UNIX_SHM_BASE`).
pub const SHM_WRITE_BYTE: u64 = 120;
/// The lock byte of `-shm` that a checkpoint holds (`WAL_CKPT_LOCK`).
pub const SHM_CHECKPOINT_BYTE: u64 = 121;
/// The lock byte of `-shm` held while the index is rebuilt after a crash (`WAL_RECOVER_LOCK`).
pub const SHM_RECOVER_BYTE: u64 = 122;

/// Returns the name of the shared-memory file of the database at `path`.
pub fn shm_file(path: &Path) -> PathBuf {
    beside(path, "-shm")
}

/// Returns whether the file is in WAL mode, or `None` if it is no SQLite file.
///
/// A file cut off within its header counts as rollback, which is how it would be opened.
pub fn recognise(head: &[u8]) -> Option<bool> {
    has_at(head, 0, MAGIC).then(|| head.get(READ_VERSION_OFFSET) == Some(&VERSION_WAL))
}

/// Returns what to ask about a database in rollback mode.
///
/// A reader is stopped by write locks on PENDING and SHARED. RESERVED stops only writers, and lies
/// between the two, hence two questions. A writer begins beside readers, whose locks are read locks;
/// his commit is stopped by any lock, also a reader's.
pub(super) fn rollback_questions(path: &Path, want: Want) -> Vec<Question> {
    match want {
        Want::Shared => vec![
            main(path, false, PENDING_BYTE, 1, "committing, and waits for readers to finish"),
            main(path, false, SHARED_FIRST, SHARED_BYTES, "writing the database"),
        ],
        Want::Begin => {
            vec![main(path, false, PENDING_BYTE, ALL_BYTES, "in a write transaction")]
        }
        Want::Exclusive => {
            vec![main(path, true, PENDING_BYTE, ALL_BYTES, "in a transaction on the database")]
        }
    }
}

/// Returns what to ask about a database in WAL mode.
///
/// On the main file only a write lock matters: exclusive mode, or a connection that leaves WAL.
/// On `-shm` nobody but a recovery stops a reader; a writer waits for the writer, a checkpoint and
/// a recovery. All are asked for with a read lock, because the read locks of connections and of
/// open snapshots stop neither.
pub(super) fn wal_questions(path: &Path, want: Want) -> Vec<Question> {
    let exclusive = "keeping the database to itself";
    let on_main = main(path, false, SHARED_FIRST, SHARED_BYTES, exclusive);
    let on_shm = match want {
        Want::Shared => {
            record(shm_file(path), false, SHM_RECOVER_BYTE, 1, "recovering the write-ahead log")
        }
        Want::Begin | Want::Exclusive => record(
            shm_file(path),
            false,
            SHM_WRITE_BYTE,
            SHM_RECOVER_BYTE - SHM_WRITE_BYTE + 1,
            "in a write transaction or a checkpoint",
        ),
    };
    vec![on_main, on_shm]
}

fn main(path: &Path, write: bool, start: u64, length: u64, meaning: &'static str) -> Question {
    record(path.to_path_buf(), write, start, length, meaning)
}

fn record(file: PathBuf, write: bool, start: u64, length: u64, meaning: &'static str) -> Question {
    Question { file, ask: Ask::Record { write, start, length }, meaning }
}

#[cfg(test)]
mod tests {
    use super::super::{Ask, Engine, Want, questions, recognise_file};
    use std::path::Path;

    /// The first 28 bytes of a file that sqlite3 3.40.1 made; `version` as it wrote it.
    fn head(version: u8) -> Vec<u8> {
        let mut head = b"SQLite format 3\0".to_vec();
        head.extend([0x10, 0x00, version, version, 0x00, 0x40, 0x20, 0x20, 0, 0, 0, 1]);
        head
    }

    fn asked(engine: Engine, want: Want) -> Vec<(String, bool, u64, u64)> {
        questions(engine, Path::new("/d/a.db"), want)
            .into_iter()
            .map(|question| match question.ask {
                Ask::Record { write, start, length } => {
                    (question.file.display().to_string(), write, start, length)
                }
                other => panic!("not a record question: {other:?}"),
            })
            .collect()
    }

    #[test]
    fn the_header_tells_rollback_from_wal() {
        assert_eq!(recognise_file(&head(1)), Engine::Sqlite { wal: false });
        assert_eq!(recognise_file(&head(2)), Engine::Sqlite { wal: true });
    }

    #[test]
    fn a_header_cut_short_is_rollback_and_a_magic_cut_short_is_nothing() {
        assert_eq!(recognise_file(&head(2)[..17]), Engine::Sqlite { wal: false });
        assert_eq!(recognise_file(&head(2)[..15]), Engine::Unknown);
    }

    #[test]
    fn a_rollback_reader_does_not_ask_about_reserved() {
        let file = "/d/a.db".to_owned();
        assert_eq!(
            asked(Engine::Sqlite { wal: false }, Want::Shared),
            [(file.clone(), false, 1_073_741_824, 1), (file, false, 1_073_741_826, 510),]
        );
    }

    #[test]
    fn a_rollback_writer_asks_about_every_lock_byte() {
        assert_eq!(
            asked(Engine::Sqlite { wal: false }, Want::Exclusive),
            [("/d/a.db".to_owned(), true, 1_073_741_824, 512)]
        );
        assert_eq!(
            asked(Engine::Sqlite { wal: false }, Want::Begin),
            [("/d/a.db".to_owned(), false, 1_073_741_824, 512)]
        );
    }

    #[test]
    fn in_wal_mode_read_locks_are_never_asked_about() {
        let main = ("/d/a.db".to_owned(), false, 1_073_741_826, 510);
        let shm = "/d/a.db-shm".to_owned();
        assert_eq!(
            asked(Engine::Sqlite { wal: true }, Want::Shared),
            [main.clone(), (shm.clone(), false, 122, 1)]
        );
        assert_eq!(
            asked(Engine::Sqlite { wal: true }, Want::Exclusive),
            [main, (shm, false, 120, 3)]
        );
    }
}
