//! LMDB: a write lock that is no file lock at all.
//!
//! Readers never wait for a writer. The one writer owns a robust mutex inside the lock file, and
//! the word of that mutex is the number of the owning thread (layout of glibc's mutex, seen with
//! LMDB 0.9.36). The file locks say something else: a read lock on byte 0 means the environment is
//! open, a write lock there that the lock file is being set up (`mdb_env_excl_lock`).
//!
//! A lock file outlives its users, and so does what is written in it: after a power loss the word
//! still names a thread. It counts only while somebody has the environment open.

use std::path::{Path, PathBuf};

use super::{Ask, Question, Want, beside, u16_at, u32_at};

/// The data file of an environment that is a directory.
pub const DATA_FILE: &str = "data.mdb";
/// The lock file of an environment that is a directory.
pub const LOCK_FILE: &str = "lock.mdb";
/// What the lock file of an environment without a directory has after the data file's name.
pub const LOCK_SUFFIX: &str = "-lock";

/// The number in both files, in the machine's byte order (`MDB_MAGIC`).
pub const MAGIC: u32 = 0xBEEF_C0DE;
/// Where the data file has the page flags and [`MAGIC`], written by a 64-bit machine.
pub const DATA_OFFSETS_64: (usize, usize) = (10, 16);
/// The same, written by a 32-bit machine, whose page header is four bytes shorter.
pub const DATA_OFFSETS_32: (usize, usize) = (6, 12);
/// The flag of a meta page (`P_META`).
pub const META_PAGE_FLAG: u16 = 0x08;

/// The byte of the lock file that everybody who has the environment open read-locks.
pub const OPEN_BYTE: u64 = 0;
/// Where the lock file has the first word of the write mutex.
pub const MUTEX_OFFSET: usize = 64;
/// Where glibc repeats the owner of that mutex (`__owner`). Other C libraries do not, and keep the
/// type of the mutex in the first word, which must not be taken for a thread.
pub const MUTEX_OWNER_OFFSET: usize = 72;
/// How many bytes of the lock file [`writer_thread`] needs.
pub const LOCK_HEAD_BYTES: usize = 76;
/// The bits of a robust mutex's word that are the owner (`FUTEX_TID_MASK`); those above say that
/// others wait and that the owner died.
pub const FUTEX_TID_MASK: u32 = 0x3fff_ffff;

/// Reports whether a file that begins with `head` is the data file of an environment.
pub fn is_data_file(head: &[u8]) -> bool {
    [DATA_OFFSETS_64, DATA_OFFSETS_32].into_iter().any(|(flags, magic)| {
        u32_at(head, magic) == Some(MAGIC)
            && u16_at(head, flags).is_some_and(|flags| flags & META_PAGE_FLAG != 0)
    })
}

/// Returns the data file of an environment that is a directory.
pub fn data_file(directory: &Path) -> PathBuf {
    directory.join(DATA_FILE)
}

/// Returns the lock file that belongs to a data file.
///
/// A file called `data.mdb` is taken for that of a directory.
pub fn lock_file(data: &Path) -> PathBuf {
    if data.file_name().is_some_and(|name| name == DATA_FILE) {
        data.with_file_name(LOCK_FILE)
    } else {
        beside(data, LOCK_SUFFIX)
    }
}

/// Returns the thread that owns the write mutex, as the first bytes of a lock file tell it.
///
/// The number is one of the PID namespace the writer lives in. Whether that thread still exists,
/// and whether anybody has the environment open at all, is for the caller to find out.
pub fn writer_thread(lock_head: &[u8]) -> Option<u32> {
    if u32_at(lock_head, 0) != Some(MAGIC) {
        return None;
    }
    let thread = u32_at(lock_head, MUTEX_OFFSET)? & FUTEX_TID_MASK;
    let owner = u32_at(lock_head, MUTEX_OWNER_OFFSET)?;
    (thread != 0 && thread == owner).then_some(thread)
}

/// Returns what to ask: a reader waits only while the lock file is set up, a writer for the writer.
pub(super) fn questions(data: &Path, want: Want) -> Vec<Question> {
    let file = lock_file(data);
    let setup = Ask::Record { write: false, start: OPEN_BYTE, length: 1 };
    let mut asked = vec![Question {
        file: file.clone(),
        ask: setup,
        meaning: "setting up the lock file of the environment",
    }];
    if want != Want::Shared {
        asked.push(Question { file, ask: Ask::LmdbWriter, meaning: "in a write transaction" });
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::super::{Ask, Engine, Want, questions, recognise_directory, recognise_file};
    use super::{LOCK_HEAD_BYTES, MAGIC, lock_file, writer_thread};
    use std::path::Path;

    /// The first bytes of a data file: page header, magic, data version 1.
    fn data_head(header_bytes: usize, flags_offset: usize) -> Vec<u8> {
        let mut head = vec![0; header_bytes];
        head[flags_offset..flags_offset + 2].copy_from_slice(&8u16.to_ne_bytes());
        head.extend(MAGIC.to_ne_bytes());
        head.extend(1u32.to_ne_bytes());
        head
    }

    fn lock_head(word: u32, owner: u32) -> Vec<u8> {
        let mut head = vec![0; LOCK_HEAD_BYTES];
        head[..4].copy_from_slice(&MAGIC.to_ne_bytes());
        head[64..68].copy_from_slice(&word.to_ne_bytes());
        head[72..76].copy_from_slice(&owner.to_ne_bytes());
        head
    }

    #[test]
    fn data_files_of_both_word_sizes_are_recognised() {
        assert_eq!(recognise_file(&data_head(16, 10)), Engine::Lmdb);
        assert_eq!(recognise_file(&data_head(12, 6)), Engine::Lmdb);
        assert_eq!(recognise_file(&data_head(16, 10)[..19]), Engine::Unknown);
    }

    #[test]
    fn an_environment_is_recognised_by_its_data_file() {
        let names = ["data.mdb".to_owned(), "lock.mdb".to_owned()];
        assert_eq!(recognise_directory(&names), Engine::Lmdb);
        assert_eq!(recognise_directory(&names[1..]), Engine::Unknown);
    }

    #[test]
    fn the_lock_file_is_named_after_the_data_file() {
        assert_eq!(lock_file(Path::new("/d/env/data.mdb")), Path::new("/d/env/lock.mdb"));
        assert_eq!(lock_file(Path::new("/d/cache.lmdb")), Path::new("/d/cache.lmdb-lock"));
    }

    #[test]
    fn the_owner_is_read_without_the_flag_bits() {
        assert_eq!(writer_thread(&lock_head(4711, 4711)), Some(4711));
        assert_eq!(writer_thread(&lock_head(4711 | 0x8000_0000, 4711)), Some(4711));
    }

    #[test]
    fn a_free_or_foreign_mutex_has_no_owner() {
        assert_eq!(writer_thread(&lock_head(0, 0)), None);
        assert_eq!(writer_thread(&lock_head(0x4000_0000, 0)), None, "the owner died");
        assert_eq!(writer_thread(&lock_head(132, 0)), None, "a mutex type, not a thread");
        assert_eq!(writer_thread(&lock_head(4711, 4711)[..75]), None);
        assert_eq!(writer_thread(&[0; LOCK_HEAD_BYTES]), None, "no lock file of LMDB's");
    }

    #[test]
    fn only_a_writer_asks_about_the_writer() {
        let data = Path::new("/d/env/data.mdb");
        let asks = |want| -> Vec<Ask> {
            questions(Engine::Lmdb, data, want).into_iter().map(|asked| asked.ask).collect()
        };
        let setup = Ask::Record { write: false, start: 0, length: 1 };
        assert_eq!(asks(Want::Shared), [setup]);
        assert_eq!(asks(Want::Exclusive), [setup, Ask::LmdbWriter]);
    }
}
