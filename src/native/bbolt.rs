//! bbolt and its ancestor bolt: a flock on the database file, for as long as it is open.
//!
//! Exclusive for a read-write open, shared for `ReadOnly` (`flock` in `bolt_unix.go`). bbolt polls
//! without waiting in the kernel, so its waiters are never seen in the lock table. Android builds
//! lock with fcntl instead and are not asked about here.

use std::path::Path;

use super::{Ask, Question, Want, u16_at, u32_at};

/// The number every meta page carries, in the machine's byte order (`Magic` in `types.go`).
pub const MAGIC: u32 = 0xED0C_DAED;
/// Where the first meta page has [`MAGIC`]: right after the page header.
pub const MAGIC_OFFSET: usize = 16;
/// Where a page header has its flags.
pub const PAGE_FLAGS_OFFSET: usize = 8;
/// The flag of a meta page (`MetaPageFlag` in `page.go`).
pub const META_PAGE_FLAG: u16 = 0x04;
/// Where the first meta page has the version of the file format.
pub const VERSION_OFFSET: usize = 20;
/// The only version there has been (`Version` in `types.go`).
pub const VERSION: u32 = 2;

/// Reports whether a file that begins with `head` is a bolt database.
pub fn is_bbolt(head: &[u8]) -> bool {
    u32_at(head, MAGIC_OFFSET) == Some(MAGIC)
        && u32_at(head, VERSION_OFFSET) == Some(VERSION)
        && u16_at(head, PAGE_FLAGS_OFFSET).is_some_and(|flags| flags & META_PAGE_FLAG != 0)
}

/// Returns what to ask. The file itself is never flocked: that would lock bbolt out.
pub(super) fn questions(path: &Path, want: Want) -> Vec<Question> {
    let (write, meaning) = match want {
        Want::Shared => (false, "holding the database open for writing"),
        Want::Begin | Want::Exclusive => (true, "holding the database open"),
    };
    vec![Question { file: path.to_path_buf(), ask: Ask::Flock { write }, meaning }]
}

#[cfg(test)]
mod tests {
    use super::super::{Ask, Engine, Want, questions, recognise_file};
    use std::path::Path;

    /// The first 32 bytes of meta page 0, as bbolt writes them with pages of 4096 bytes.
    fn head() -> Vec<u8> {
        let mut head = vec![0; 8];
        head.extend(4u16.to_ne_bytes());
        head.extend([0; 6]);
        head.extend(0xED0C_DAEDu32.to_ne_bytes());
        head.extend(2u32.to_ne_bytes());
        head.extend(4096u32.to_ne_bytes());
        head.extend([0; 4]);
        head
    }

    #[test]
    fn a_meta_page_is_recognised() {
        assert_eq!(recognise_file(&head()), Engine::Bbolt);
        assert_eq!(recognise_file(&head()[..23]), Engine::Unknown);
        let mut other = head();
        other[8] = 0x02;
        assert_eq!(recognise_file(&other), Engine::Unknown, "a leaf page");
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn the_bytes_on_disk_are_these() {
        assert_eq!(head()[16..20], [0xed, 0xda, 0x0c, 0xed]);
    }

    #[test]
    fn bbolt_is_asked_about_by_flock() {
        let asked = questions(Engine::Bbolt, Path::new("/d/db"), Want::Shared);
        assert_eq!(asked[0].ask, Ask::Flock { write: false });
        let asked = questions(Engine::Bbolt, Path::new("/d/db"), Want::Exclusive);
        assert_eq!(asked[0].ask, Ask::Flock { write: true });
    }
}
