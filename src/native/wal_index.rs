//! What SQLite's `-shm` tells of the write-ahead log: how long it is, how much of it is in the
//! database file already, and where its readers stand; pure.
//!
//! The layout is that of `wal.c`: two copies of a header of 48 bytes, then what a checkpoint and
//! the readers need (`WalCkptInfo`). All numbers are in the byte order of the machine.

use super::u32_at;

/// How many first bytes of a `-shm` [`read`] looks at; its lock bytes come after them.
pub const HEAD_BYTES: usize = 120;
/// The lock byte of the first of the five marks (`WAL_READ_LOCK(0)` at `UNIX_SHM_BASE`).
pub const FIRST_MARK_BYTE: u64 = 123;
/// How many marks there are (`WAL_NREADER`).
pub const MARKS: usize = 5;

/// The version that every header begins with (`WALINDEX_MAX_VERSION`).
const VERSION: u32 = 3_007_000;
/// How long each of the two copies of the header is.
const HEADER_BYTES: usize = 48;
/// Where the header says that it is in use (`isInit`).
const INIT_OFFSET: usize = 12;
/// Where it has the number of the last frame that counts (`mxFrame`).
const LAST_OFFSET: usize = 16;
/// Where the number of frames is that are in the database file (`nBackfill`).
const BACKFILLED_OFFSET: usize = 96;
/// Where the marks are (`aReadMark`).
const MARKS_OFFSET: usize = 100;
/// A mark that nobody uses (`READMARK_NOT_USED`).
const UNUSED: u32 = u32::MAX;

/// The write-ahead log, as its index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalIndex {
    /// The number of the last frame.
    pub last: u32,
    /// How many frames are in the database file already.
    pub backfilled: u32,
    marks: [u32; MARKS],
}

impl WalIndex {
    /// Returns the last frame that a reader of this mark sees.
    pub fn mark(&self, number: usize) -> Option<u32> {
        self.marks.get(number).copied().filter(|mark| *mark != UNUSED)
    }
}

/// Reads the index; `None` while it is being written, and of anything else.
pub fn read(head: &[u8]) -> Option<WalIndex> {
    let first = head.get(..HEADER_BYTES)?;
    let is_sound = head.get(HEADER_BYTES..2 * HEADER_BYTES)? == first
        && u32_at(head, 0)? == VERSION
        && head[INIT_OFFSET] != 0;
    let mut marks = [UNUSED; MARKS];
    for (number, mark) in marks.iter_mut().enumerate() {
        *mark = u32_at(head, MARKS_OFFSET + 4 * number)?;
    }
    let last = u32_at(head, LAST_OFFSET)?;
    let backfilled = u32_at(head, BACKFILLED_OFFSET)?;
    is_sound.then_some(WalIndex { last, backfilled, marks })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::{HEAD_BYTES, WalIndex, read};

    fn index() -> Vec<u8> {
        let mut head = vec![0; HEAD_BYTES];
        for copy in [0, 48] {
            head[copy..copy + 4].copy_from_slice(&3_007_000_u32.to_ne_bytes());
            head[copy + 12] = 1;
            head[copy + 16..copy + 20].copy_from_slice(&10_u32.to_ne_bytes());
        }
        for (offset, number) in [(96, 3), (100, 0), (104, 3), (108, u32::MAX)] {
            head[offset..offset + 4].copy_from_slice(&number.to_ne_bytes());
        }
        head
    }

    #[test]
    fn the_index_tells_its_length_and_its_marks() {
        let index = read(&index()).expect("it is whole");
        assert_eq!((index.last, index.backfilled), (10, 3));
        assert_eq!([0, 1, 2, 5].map(|mark| index.mark(mark)), [Some(0), Some(3), None, None]);
    }

    #[test]
    fn a_torn_or_a_short_index_tells_nothing() {
        let mut torn = index();
        torn[20] ^= 1;
        assert_eq!(read(&torn), None);
        assert_eq!(read(&index()[..119]), None);
        assert_eq!(read(&[0; HEAD_BYTES]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(head: Vec<u8>) {
            let _index: Option<WalIndex> = read(&head);
        }
    }
}
