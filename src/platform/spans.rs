//! From single answers to all locks of a file, where the kernel names only one lock at a time.
//!
//! Pure over the question: the kernel tells of one lock that touches a range, so the parts of the
//! range before it and after it are asked about next.

use std::io;

use super::answers::Conflict;

/// A file with more locks than this is not looked at to the end.
const MOST_LOCKS: usize = 1024;

/// The largest offset.
const LAST: u64 = i64::MAX as u64;

/// Returns the locks on all bytes, by asking what touches a range: its first byte and its length, 0
/// for a range without end.
///
/// Where several locks share bytes, one of them is found.
///
/// # Errors
/// What `ask` fails with.
pub fn everywhere(
    mut ask: impl FnMut(u64, u64) -> io::Result<Option<Conflict>>,
) -> io::Result<Vec<Conflict>> {
    let mut found: Vec<Conflict> = Vec::new();
    let mut ranges = vec![(0, LAST)];
    while let Some((first, last)) = ranges.pop() {
        let length = if last == LAST { 0 } else { last - first + 1 };
        let Some(lock) = ask(first, length)? else { continue };
        // One answer may come for two ranges, of which it covers the bytes between.
        if !found.contains(&lock) {
            found.push(lock);
        }
        if found.len() >= MOST_LOCKS {
            break;
        }
        let end = match lock.length {
            0 => LAST,
            length => lock.start.saturating_add(length - 1).min(LAST),
        };
        // An answer that does not touch the range is none, and would make this endless.
        if lock.start > last || end < first {
            continue;
        }
        if end < last {
            ranges.push((end + 1, last));
        }
        if lock.start > first {
            ranges.push((first, lock.start - 1));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Conflict, MOST_LOCKS, everywhere};
    use proptest::prelude::{any, prop_assert, proptest};
    use std::io;

    fn lock(pid: u32, start: u64, length: u64) -> Conflict {
        Conflict { pid: Some(pid), raw_pid: pid.cast_signed(), write: false, start, length }
    }

    /// Answers as the kernel does, from a table.
    fn first_of(table: &[Conflict], start: u64, length: u64) -> Option<Conflict> {
        let end = |start: u64, length: u64| if length == 0 { u64::MAX } else { start + length - 1 };
        let touches = |lock: &&Conflict| {
            lock.start <= end(start, length) && end(lock.start, lock.length) >= start
        };
        table.iter().find(touches).copied()
    }

    #[test]
    fn every_lock_is_found_however_the_ranges_lie() {
        let table = [lock(1, 100, 1), lock(2, 0, 10), lock(3, 101, 0)];
        let mut found =
            everywhere(|start, length| Ok(first_of(&table, start, length))).expect("nothing fails");
        found.sort_by_key(|lock| lock.start);
        assert_eq!(found, [table[1], table[0], table[2]]);
    }

    #[test]
    fn a_file_without_locks_is_asked_once_and_a_failure_is_told() {
        let mut asked = 0;
        let mut none = |_, _| {
            asked += 1;
            Ok(None)
        };
        assert_eq!(everywhere(&mut none).expect("nothing fails"), []);
        assert_eq!(asked, 1);
        assert!(everywhere(|_, _| Err(io::ErrorKind::Unsupported.into())).is_err());
    }

    #[test]
    fn answers_without_sense_and_without_end_are_survived() {
        let elsewhere = |start, _| Ok((start < 5).then(|| lock(1, 1 << 40, 1)));
        assert!(everywhere(elsewhere).is_ok());
        let odd = |start, _| Ok(Some(lock(1, if start == 0 { 1 << 62 } else { start }, 1)));
        assert_eq!(everywhere(odd).expect("nothing fails").len(), MOST_LOCKS);
    }

    proptest! {
        #[test]
        fn locks_that_share_no_byte_are_all_found(
            parts in proptest::collection::vec((1u64..50, 1u64..50), 0..20), open in any::<bool>(),
        ) {
            let mut at = 0;
            let mut table: Vec<Conflict> = parts.iter().map(|(gap, length)| {
                at += gap + length;
                lock(7, at - length, *length)
            }).collect();
            if open {
                table.push(lock(8, at + 1, 0));
            }
            let found = everywhere(|start, length| Ok(first_of(&table, start, length)))
                .expect("nothing fails");
            prop_assert!(table.iter().all(|lock| found.contains(lock)));
            prop_assert!(found.len() == table.len());
        }
    }
}
