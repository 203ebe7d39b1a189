//! The kernel's table of locks, `/proc/locks`, and the same lines in `/proc/<pid>/fdinfo`.
//!
//! A line is, by `lock_get_status` in the kernel's `fs/locks.c`:
//!
//! ```text
//! 12: POSIX  ADVISORY  WRITE 4711 08:01:131090 1073741824 1073742335
//! 12: -> FLOCK  ADVISORY  READ 4712 08:01:131090 0 EOF
//! ```
//!
//! with the device in hexadecimal and everything else in decimal; `->` marks one that waits, and
//! deeper waiters are indented further. Everybody may read the table, and it names the process of
//! every user's locks. Three things make it less than the truth:
//!
//! - The device is that of the superblock, which is not always the `st_dev` that stat(2) gives
//!   (btrfs subvolumes); `holders` joins the two.
//! - The process of a flock is the one that called flock, not one that has it now: children
//!   inherit it. The process of an open-file-description lock is always -1.
//! - Inside a PID namespace, rows whose process is outside are left out, or numbered 0.
//!
//! Nothing here trusts the text: a line that cannot be read is left out.

use std::fs::File;
use std::io::{self, Read};

pub use crate::platform::answers::{KernelLock, LockKind, LockMode};

/// The room for one reading of the table, about 1,000 rows; a longer table is read in steps.
const TABLE_BYTES: usize = 64 * 1024;

/// Returns the lock that a line of `/proc/locks` or of the `lock:` part of fdinfo describes.
///
/// Returns `None` for a line that is none, for a lock without an inode, and for a row that is being
/// unlocked. Never panics, whatever the text.
pub fn parse_line(line: &str) -> Option<KernelLock> {
    let mut words = line.split_ascii_whitespace().peekable();
    words.next()?.strip_suffix(':')?.parse::<u64>().ok()?;
    let waiting = words.next_if_eq(&"->").is_some();
    let kind = parse_kind(words.next()?);
    // ADVISORY, or the state of a lease.
    words.next()?;
    let mode = match words.next()? {
        "READ" => LockMode::Read,
        "WRITE" => LockMode::Write,
        _ => return None,
    };
    let raw_pid = words.next()?.parse().ok()?;
    let (device_major, device_minor, inode) = parse_file(words.next()?)?;
    let start = words.next()?.parse().ok()?;
    let end = match words.next()? {
        "EOF" => None,
        last => Some(last.parse().ok()?),
    };
    Some(KernelLock { waiting, kind, mode, raw_pid, device_major, device_minor, inode, start, end })
}

/// Returns the locks that the text of one `/proc/<pid>/fdinfo/<fd>` lists.
///
/// They are held through that descriptor: flocks and open-file-description locks by every process
/// that shares it, POSIX locks only in the process that owns them. Waiters are not listed.
pub fn parse_fdinfo(text: &str) -> Vec<KernelLock> {
    text.lines().filter_map(|line| parse_line(line.strip_prefix("lock:")?)).collect()
}

/// Reads the whole table.
///
/// Reading holds up every process that takes or releases a lock meanwhile, for 1.5 ms with 2,000
/// rows (measured): once is fine, a tight loop is not. Longer tables are not read in one moment, so
/// rows can be missed while others come and go.
///
/// # Errors
///
/// The table cannot be read, as where `/proc` is not mounted or mounted with `subset=pid`.
pub fn read() -> io::Result<Vec<KernelLock>> {
    let mut table = Vec::with_capacity(TABLE_BYTES);
    File::open("/proc/locks")?.read_to_end(&mut table)?;
    Ok(String::from_utf8_lossy(&table).lines().filter_map(parse_line).collect())
}

fn parse_kind(word: &str) -> LockKind {
    match word {
        "POSIX" => LockKind::Posix,
        "OFDLCK" => LockKind::Ofd,
        "FLOCK" => LockKind::Flock,
        "LEASE" | "DELEG" => LockKind::Lease,
        _ => LockKind::Other,
    }
}

/// Parses `08:01:131090`.
fn parse_file(word: &str) -> Option<(u32, u32, u64)> {
    let (major, rest) = word.split_once(':')?;
    let (minor, inode) = rest.split_once(':')?;
    let hexadecimal = |digits| u32::from_str_radix(digits, 16).ok();
    Some((hexadecimal(major)?, hexadecimal(minor)?, inode.parse().ok()?))
}

#[cfg(test)]
mod tests;
