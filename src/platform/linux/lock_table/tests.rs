//! Lines the kernel wrote, lines it never would, and one real lock.

use super::{KernelLock, LockKind, LockMode, parse_fdinfo, parse_line, read};
use crate::platform::scratch::Scratch;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{option, prop_assert_eq};
use std::fs;
use std::os::unix::fs::MetadataExt;

fn posix(raw_pid: i64, start: u64, end: Option<u64>) -> KernelLock {
    KernelLock {
        waiting: false,
        kind: LockKind::Posix,
        mode: LockMode::Write,
        raw_pid,
        device_major: 8,
        device_minor: 0x1f,
        inode: 131_090,
        start,
        end,
    }
}

#[test]
fn a_range_and_a_lock_to_the_end_are_read() {
    let line = "3: POSIX  ADVISORY  WRITE 4711 08:1f:131090 1073741824 1073742335";
    let expected = posix(4711, 1_073_741_824, Some(1_073_742_335));
    assert_eq!(parse_line(line), Some(expected));
    let line = "3: POSIX  ADVISORY  WRITE 4711 08:1f:131090 0 EOF";
    assert_eq!(parse_line(line), Some(posix(4711, 0, None)));
}

#[test]
fn a_waiter_is_read_however_deep_it_is_indented() {
    for line in [
        "1: -> FLOCK  ADVISORY  READ 12 00:1b:7 0 EOF",
        "1:     -> FLOCK  ADVISORY  READ 12 00:1b:7 0 EOF",
    ] {
        let lock = parse_line(line).expect("a lock");
        assert!(lock.waiting);
        assert_eq!((lock.kind, lock.mode), (LockKind::Flock, LockMode::Read));
        assert_eq!((lock.device_major, lock.device_minor, lock.inode), (0, 0x1b, 7));
    }
}

#[test]
fn every_kind_is_told() {
    for (word, kind) in [
        ("OFDLCK ADVISORY ", LockKind::Ofd),
        ("LEASE  ACTIVE   ", LockKind::Lease),
        ("DELEG  BREAKING ", LockKind::Lease),
        ("ACCESS ADVISORY ", LockKind::Other),
    ] {
        let line = format!("9: {word} READ -1 103:05:9 0 EOF");
        let lock = parse_line(&line).expect("a lock");
        assert_eq!((lock.kind, lock.raw_pid, lock.device_major), (kind, -1, 0x103));
    }
}

#[test]
fn a_pid_that_is_no_process_is_none() {
    assert_eq!(posix(4711, 0, None).pid(), Some(4711));
    for raw_pid in [-1, 0, i64::MIN, i64::MAX] {
        assert_eq!(posix(raw_pid, 0, None).pid(), None);
    }
}

#[test]
fn touching_is_inclusive_at_both_ends() {
    let lock = posix(1, 10, Some(20));
    assert!(lock.touches(20, 30) && lock.touches(0, 10) && lock.touches(0, u64::MAX));
    assert!(!lock.touches(21, 30) && !lock.touches(0, 9));
    assert!(posix(1, 10, None).touches(u64::MAX, u64::MAX));
}

#[test]
fn lines_that_are_no_lock_are_left_out() {
    for line in [
        "",
        "->",
        "1:",
        "POSIX  ADVISORY  WRITE 1 08:01:1 0 EOF",
        "1: POSIX  ADVISORY  UNLCK 1 08:01:1 0 EOF",
        "1: POSIX  *NOINODE* WRITE 1 <none>:0 0 EOF",
        "1: POSIX  ADVISORY  WRITE 1 08:01:99999999999999999999999 0 EOF",
        "1: POSIX  ADVISORY  WRITE 1 08:01:1 -5 EOF",
        "1: POSIX  ADVISORY  WRITE 1 08:01:1 0",
        "1: POSIX  ADVISORY  WRITE 1 fffffffff:01:1 0 EOF",
    ] {
        assert_eq!(parse_line(line), None, "{line:?}");
    }
}

#[test]
fn the_lock_lines_of_fdinfo_are_read_and_the_others_are_not() {
    let text = "pos:\t0\nflags:\t02100002\nmnt_id:\t27\nino:\t131090\n\
                lock:\t1: POSIX  ADVISORY  WRITE 4711 08:1f:131090 0 EOF\n\
                lock:\t2: nonsense\n";
    assert_eq!(parse_fdinfo(text), [posix(4711, 0, None)]);
}

#[test]
fn a_flock_of_this_process_is_in_the_table() {
    let scratch = Scratch::new("table");
    let file = scratch.open_writable();
    file.lock().expect("nobody else locks the scratch file");
    let inode = fs::metadata(scratch.path()).expect("it is there").ino();
    let rows = read().expect("/proc/locks is readable");
    let ours = i64::from(std::process::id());
    assert!(
        rows.iter().any(|row| row.inode == inode
            && row.raw_pid == ours
            && (row.kind, row.mode, row.waiting) == (LockKind::Flock, LockMode::Write, false)),
        "{rows:?}"
    );
}

/// Writes a row as `lock_get_status` does.
fn write_line(number: u64, lock: &KernelLock) -> String {
    let arrow = if lock.waiting { "   -> " } else { "" };
    let kind = match lock.kind {
        LockKind::Posix => "POSIX  ADVISORY ",
        LockKind::Ofd => "OFDLCK ADVISORY ",
        LockKind::Flock => "FLOCK  ADVISORY ",
        LockKind::Lease => "LEASE  ACTIVE   ",
        LockKind::Open | LockKind::Other => "UNKNOWN UNKNOWN ",
    };
    let mode = if lock.mode == LockMode::Read { "READ" } else { "WRITE" };
    let end = lock.end.map_or_else(|| "EOF".to_owned(), |end| end.to_string());
    format!(
        "{number}: {arrow}{kind} {mode} {} {:02x}:{:02x}:{} {} {end}",
        lock.raw_pid, lock.device_major, lock.device_minor, lock.inode, lock.start
    )
}

fn any_lock() -> impl Strategy<Value = KernelLock> {
    let kind = prop_oneof![
        Just(LockKind::Posix),
        Just(LockKind::Ofd),
        Just(LockKind::Flock),
        Just(LockKind::Lease),
        Just(LockKind::Other),
    ];
    let mode = prop_oneof![Just(LockMode::Read), Just(LockMode::Write)];
    let file = (any::<u32>(), any::<u32>(), any::<u64>());
    let range = (any::<u64>(), option::of(any::<u64>()));
    (any::<bool>(), kind, mode, any::<i64>(), file, range).prop_map(
        |(waiting, kind, mode, raw_pid, (device_major, device_minor, inode), (start, end))| {
            KernelLock {
                waiting,
                kind,
                mode,
                raw_pid,
                device_major,
                device_minor,
                inode,
                start,
                end,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_the_kernel_writes_is_what_is_read(number: u64, lock in any_lock()) {
        let line = write_line(number, &lock);
        prop_assert_eq!(parse_fdinfo(&format!("pos:\t0\nlock:\t{line}\n")), [lock.clone()]);
        prop_assert_eq!(parse_line(&line), Some(lock));
    }

    #[test]
    fn no_text_panics(text: String) {
        let _lock = parse_line(&text);
        let _locks = parse_fdinfo(&text);
        let _locks = parse_fdinfo(&format!("lock:{text}"));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let text = String::from_utf8_lossy(&bytes);
        let _lock = parse_line(&text);
        let _locks = parse_fdinfo(&text);
    }

    #[test]
    fn no_damaged_line_panics(lock in any_lock(), cut in 0usize..120, noise in "\\PC{0,12}") {
        let line = write_line(1, &lock);
        let head: String = line.chars().take(cut).collect();
        let tail: String = line.chars().skip(cut).collect();
        let _lock = parse_line(&head);
        let _lock = parse_line(&format!("{head}{noise}{tail}"));
    }
}
