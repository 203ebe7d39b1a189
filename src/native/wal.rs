//! What a write-ahead log of SQLite holds, checked as SQLite checks it; pure over a reader.
//!
//! A frame counts if it has the salts of the header and its checksum goes on from the one before;
//! what follows the last frame that ends a transaction is not committed (SQLite, "WAL File Format").

use std::io::{self, Read};

/// The header of the file, and that of each frame.
const HEADER_BYTES: usize = 32;
const FRAME_BYTES: usize = 24;

/// The beginning of every log; its last bit tells the order of the bytes in the checksums.
const MAGIC: u32 = 0x377f_0682;

/// What is in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The size of its pages.
    pub page_bytes: u32,
    /// How many frames are committed.
    pub frames: u64,
    /// How many pages the database has after the last commit.
    pub pages_after: u32,
    /// Whether a frame that does not count is followed by a commit of the same log: something in
    /// the middle is damaged, and SQLite would pass over all that follows.
    pub is_damaged: bool,
}

/// Reads a log to its end; `None` if it is none.
///
/// # Errors
/// What the reader says.
pub fn read(mut file: impl Read) -> io::Result<Option<Log>> {
    let mut header = [0; HEADER_BYTES];
    if fill(&mut file, &mut header)? < HEADER_BYTES {
        return Ok(None);
    }
    let word = |place: usize| be(&header, place);
    let (magic, page_bytes) = (word(0), word(8));
    let is_size = (512..=65_536).contains(&page_bytes) && page_bytes.is_power_of_two();
    if magic & !1 != MAGIC || !is_size {
        return Ok(None);
    }
    let is_big = magic & 1 == 1;
    let salts = &header[16..24];
    let mut sum = checksum((0, 0), &header[..24], is_big);
    let mut log = Log { page_bytes, ..Log::default() };
    if sum != (word(24), word(28)) {
        return Ok(Some(log));
    }
    let mut frame = vec![0; FRAME_BYTES + page_bytes as usize];
    let (mut number, mut counts) = (0_u64, true);
    while fill(&mut file, &mut frame)? == frame.len() {
        number += 1;
        let (head, page) = frame.split_at(FRAME_BYTES);
        let is_of_log = head[8..16] == *salts;
        let after = be(head, 4);
        if counts {
            let next = checksum(checksum(sum, &head[..8], is_big), page, is_big);
            counts = is_of_log && next == (be(head, 16), be(head, 20));
            sum = next;
        }
        match (counts, after > 0) {
            (true, true) => (log.frames, log.pages_after) = (number, after),
            // A frame of an earlier round has other salts.
            (false, true) if is_of_log => log.is_damaged = true,
            _ => {}
        }
    }
    Ok(Some(log))
}

fn be(bytes: &[u8], place: usize) -> u32 {
    bytes
        .get(place..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |word| u32::from_be_bytes(*word))
}

fn checksum(start: (u32, u32), bytes: &[u8], is_big: bool) -> (u32, u32) {
    let word = |chunk: &[u8; 4]| match is_big {
        true => u32::from_be_bytes(*chunk),
        false => u32::from_le_bytes(*chunk),
    };
    bytes.as_chunks::<8>().0.iter().fold(start, |(one, two), pair| {
        let (first, second) =
            (pair.first_chunk().map_or(0, word), pair.last_chunk().map_or(0, word));
        let one = one.wrapping_add(first).wrapping_add(two);
        (one, two.wrapping_add(second).wrapping_add(one))
    })
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::{Log, checksum, read};
    use proptest::prelude::{any, proptest};

    /// A log of pages of 512 bytes; each frame is the size of the database after it, 0 if it ends
    /// no transaction.
    fn log(frames: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [0x377f_0682_u32, 3_007_000, 512, 0, 7, 8] {
            bytes.extend(word.to_be_bytes());
        }
        let mut sum = checksum((0, 0), &bytes, false);
        bytes.extend(sum.0.to_be_bytes());
        bytes.extend(sum.1.to_be_bytes());
        for (number, after) in (1_u32..).zip(frames) {
            let head = [number.to_be_bytes(), after.to_be_bytes()].concat();
            let page = [number as u8; 512];
            sum = checksum(checksum(sum, &head, false), &page, false);
            bytes.extend(head);
            for word in [7, 8, sum.0, sum.1] {
                bytes.extend(word.to_be_bytes());
            }
            bytes.extend(page);
        }
        bytes
    }

    fn found(bytes: &[u8]) -> Log {
        read(bytes).expect("memory").expect("a log")
    }

    #[test]
    fn frames_count_up_to_the_last_commit() {
        let seen = found(&log(&[0, 2, 0, 3, 0]));
        assert_eq!((seen.frames, seen.pages_after, seen.is_damaged), (4, 3, false));
        assert_eq!(found(&log(&[0, 0])).frames, 0, "nothing was committed");
        let mut torn = log(&[1, 2]);
        torn.truncate(torn.len() - 100);
        assert_eq!((found(&torn).frames, found(&torn).is_damaged), (1, false));
        assert_eq!(read(&b"hello"[..]).expect("memory"), None);
    }

    #[test]
    fn damage_before_a_commit_is_told_from_a_torn_end() {
        let mut bytes = log(&[1, 1, 1]);
        bytes[32 + 536 + 100] ^= 1;
        assert_eq!((found(&bytes).frames, found(&bytes).is_damaged), (1, true));
        let mut last = log(&[1, 1, 0]);
        let end = last.len() - 1;
        last[end] ^= 1;
        assert_eq!((found(&last).frames, found(&last).is_damaged), (2, false));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _log = read(&bytes[..]);
            let mut beginning = log(&[1]);
            beginning.extend(bytes);
            let _log = read(&beginning[..]);
        }
    }
}
