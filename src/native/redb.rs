//! redb: a flock on the whole file, and since 4.4 fcntl ranges at 2^62 as well.
//!
//! Up to 4.3 a writer takes the flock exclusively and a read-only open shares it. 4.4.0 takes both
//! (seen on Linux: `0` to base + 895 and base + 1024 to the end, as open-file-description locks,
//! whose holder the kernel does not name); its experimental API takes only the ranges. So flock is
//! asked about first, because it names the holder, and the ranges second.

use std::path::Path;

use super::{Ask, Question, Want, has_at};

/// The first bytes of a redb file (`MAGICNUMBER` in `header.rs`).
pub const MAGIC: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// The byte that only a writer write-locks in 4.4 (the base of the lock constants in `db.rs`).
pub const WRITER_BYTE: u64 = 1 << 62;

/// Reports whether a file that begins with `head` is a redb database.
pub fn is_redb(head: &[u8]) -> bool {
    has_at(head, 0, MAGIC)
}

/// Reports whether a redb file was not closed. It is so while it is open, too (seen with 4.4.0: 6
/// while open, 5 once closed, 7 after a kill).
pub fn needs_repair(head: &[u8]) -> bool {
    /// Where the file has its flags (`header.rs`), and the one that asks for a repair.
    const FLAGS: (usize, u8) = (9, 0b10);
    head.get(FLAGS.0).is_some_and(|flags| flags & FLAGS.1 != 0)
}

/// Returns what to ask: any lock stops a writer, only a writer's stops a reader.
pub(super) fn questions(path: &Path, want: Want) -> Vec<Question> {
    let file = path.to_path_buf();
    let (write, length, meaning) = match want {
        Want::Shared => (false, 1, "holding the database open for writing"),
        Want::Begin | Want::Exclusive => (true, 0, "holding the database open"),
    };
    let record = Ask::Record { write, start: WRITER_BYTE, length };
    vec![
        Question { file: file.clone(), ask: Ask::Flock { write }, meaning },
        Question { file, ask: record, meaning },
    ]
}

#[cfg(test)]
mod tests {
    use super::super::{Ask, Engine, Want, questions, recognise_file};
    use std::path::Path;

    #[test]
    fn the_magic_is_recognised_whatever_the_god_byte_says() {
        let magic = [0x72, 0x65, 0x64, 0x62, 0x1a, 0x0a, 0xa9, 0x0d, 0x0a];
        for god_byte in [5, 6, 7] {
            assert_eq!(recognise_file(&[&magic[..], &[god_byte]].concat()), Engine::Redb);
        }
        assert_eq!(recognise_file(&magic[..8]), Engine::Unknown);
        let needs = |flags: u8| super::needs_repair(&[&magic[..], &[flags]].concat());
        assert!(!needs(5) && needs(7) && !super::needs_repair(&magic));
    }

    #[test]
    fn the_lock_that_names_its_holder_is_asked_about_first() {
        let base = 4_611_686_018_427_387_904;
        let asked = questions(Engine::Redb, Path::new("/d/a.redb"), Want::Exclusive);
        let asks: Vec<Ask> = asked.into_iter().map(|question| question.ask).collect();
        assert_eq!(
            asks,
            [Ask::Flock { write: true }, Ask::Record { write: true, start: base, length: 0 }]
        );
        let asked = questions(Engine::Redb, Path::new("/d/a.redb"), Want::Shared);
        assert_eq!(asked[1].ask, Ask::Record { write: false, start: base, length: 1 });
    }
}
