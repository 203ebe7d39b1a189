//! From a file to the processes that hold a kernel lock on it.
//!
//! `/proc/locks` is read first: one file, exact for POSIX locks. What it says about flocks and
//! open-file-description locks is who took them, and such a lock lives as long as any process that
//! inherited the descriptor: "the recorded process is dead" never means "the lock is gone". So
//! where the recorded process is dead, no longer has the lock, or is not named, the descriptors of
//! all processes are searched for the lock.
//!
//! Everything under `/proc` can change or vanish between two reads, and other users' descriptors
//! cannot be read; both leave a holder unnamed and are no errors.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use super::lock_table::{self, KernelLock, LockKind, LockMode};
use super::{descriptors, file_system};
use crate::platform::FileId;

pub use crate::platform::answers::Holder;

/// What `/proc/self/ns/pid` points to in the initial PID namespace (`PROC_PID_INIT_INO` in the
/// kernel's `proc_ns.h`), which is the only one whose lock table leaves nothing out.
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Whether the system lists the locks that others hold.
pub const ARE_LISTED: bool = true;

/// Whether a mutex that processes share has the number of the thread that has it, as futexes do.
pub const MUTEXES_NAME_THREADS: bool = true;

/// Returns the locks held on a file, with the processes that truly hold them.
///
/// `path` is used to find the device under which the kernel lists the file, without opening it.
/// Waiters are left out. A lock that several processes share may be listed once for each.
///
/// Costs one read of the lock table; searching the descriptors, where that is needed, costs some
/// milliseconds for every hundred processes. Does not block: descriptors on a network file system
/// that does not answer are identified from what is cached.
///
/// # Errors
///
/// The lock table cannot be read.
///
/// # Platforms
///
/// In a PID namespace the table leaves out locks taken outside, so all descriptors that can be seen
/// are searched as well; a holder outside is still missed.
pub fn holders_of(file: FileId, path: &Path) -> io::Result<Vec<Holder>> {
    let rows = rows_of(lock_table::read()?, file, path);
    let mut holders = Vec::new();
    let mut unresolved = Vec::new();
    for lock in rows.into_iter().filter(|row| !row.waiting) {
        match current_pid(&lock, file) {
            Some(pid) => holders.push(Holder { pid: Some(pid), lock }),
            None => unresolved.push(lock),
        }
    }
    if unresolved.is_empty() && table_is_complete() {
        return Ok(holders);
    }
    let found = search_descriptors(file);
    unresolved.retain(|lock| !found.iter().any(|holder| same_lock(&holder.lock, lock)));
    for holder in found {
        let known = holders
            .iter()
            .any(|other| other.pid == holder.pid && same_lock(&other.lock, &holder.lock));
        if !known {
            holders.push(holder);
        }
    }
    holders.extend(unresolved.into_iter().map(|lock| Holder { pid: None, lock }));
    Ok(holders)
}

/// Returns a holder whose flock would refuse one, exclusive if `write`, shared otherwise.
///
/// # Errors
///
/// As [`holders_of`].
pub fn flock_conflict(file: FileId, path: &Path, write: bool) -> io::Result<Option<Holder>> {
    let refuses =
        |lock: &KernelLock| lock.kind == LockKind::Flock && (write || lock.mode == LockMode::Write);
    Ok(holders_of(file, path)?.into_iter().find(|holder| refuses(&holder.lock)))
}

/// Reports whether a process has a flock or an open-file-description lock on a file, through any
/// of its descriptors.
///
/// `false` also where the process is gone or its
/// descriptors may not be read.
pub fn holds(pid: u32, file: FileId) -> bool {
    let of_description = |lock: &KernelLock| matches!(lock.kind, LockKind::Flock | LockKind::Ofd);
    descriptor_locks(pid, file).is_ok_and(|locks| locks.iter().any(of_description))
}

/// Returns how a file of ours is flocked through its own open description, if it is.
pub fn held_through(file: &fs::File) -> Option<LockMode> {
    let text = fs::read(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    let locks = lock_table::parse_fdinfo(&String::from_utf8_lossy(&text));
    locks.into_iter().find(|lock| lock.kind == LockKind::Flock).map(|lock| lock.mode)
}

/// Reports whether a process has, through a descriptor it inherited, the flock on a file that the
/// process `taker` took.
pub fn inherited(pid: u32, file: FileId, taker: u32) -> bool {
    let taken = |lock: &KernelLock| {
        lock.kind == LockKind::Flock && lock.raw_pid == i64::from(taker) && !lock.waiting
    };
    descriptor_locks(pid, file).is_ok_and(|locks| locks.iter().any(taken))
}

/// Returns the process that a thread belongs to, or `None` if there is no such thread to be seen.
pub fn process_of_thread(thread: u32) -> Option<u32> {
    // The leader's entry is listed, those of other threads are not, but open all the same.
    let status = fs::read(format!("/proc/{thread}/status")).ok()?;
    field(&String::from_utf8_lossy(&status), "Tgid:").and_then(|pid| u32::try_from(pid).ok())
}

fn device_numbers(file: FileId) -> (u32, u32) {
    (rustix::fs::major(file.device), rustix::fs::minor(file.device))
}

/// Keeps the rows that are about one file.
///
/// stat(2) and the table can disagree about the device: the table has the superblock's, which the
/// mount has too, and stat on btrfs has the subvolume's. Both are numbers of their own, so either
/// will do, and the mount is looked up only when some row has the inode and not the device.
pub(super) fn rows_of(mut rows: Vec<KernelLock>, file: FileId, path: &Path) -> Vec<KernelLock> {
    let device = |row: &KernelLock| (row.device_major, row.device_minor);
    rows.retain(|row| row.inode == file.inode);
    let own = device_numbers(file);
    if rows.iter().any(|row| device(row) != own) {
        let mount = mount_device(path).unwrap_or(own);
        rows.retain(|row| device(row) == own || device(row) == mount);
    }
    rows
}

/// Returns the device of the mount that `path` is on.
fn mount_device(path: &Path) -> Option<(u32, u32)> {
    Some(file_system::mount_of(path)?.device)
}

/// Returns the recorded process if it is the one that holds the lock.
fn current_pid(lock: &KernelLock, file: FileId) -> Option<u32> {
    let pid = lock.pid()?;
    if lock.kind != LockKind::Flock {
        // A POSIX lock ends with its process and is never inherited.
        return Some(pid);
    }
    match descriptor_locks(pid, file) {
        Ok(locks) => locks.iter().any(|held| same_lock(held, lock)).then_some(pid),
        // Another user's process: it lives, and more cannot be known.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Some(pid),
        Err(_) => None,
    }
}

/// Reports whether two rows are the same lock, whoever is recorded for it.
fn same_lock(one: &KernelLock, other: &KernelLock) -> bool {
    let essence = |lock: &KernelLock| (lock.kind, lock.mode, lock.start, lock.end);
    essence(one) == essence(other)
}

/// Reports whether the lock table lists the locks of all processes.
pub fn table_is_complete() -> bool {
    fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link.as_os_str() == INITIAL_PID_NAMESPACE)
}

/// Searches the descriptors of every process for locks on a file.
fn search_descriptors(file: FileId) -> Vec<Holder> {
    let mut found: Vec<Holder> = Vec::new();
    for pid in descriptors::processes() {
        // Gone meanwhile, or another user's.
        let Ok(locks) = descriptor_locks(pid, file) else {
            continue;
        };
        for lock in locks {
            let holder = Holder { pid: Some(pid), lock };
            // A duplicated descriptor shows its lock once more.
            if !found.contains(&holder) {
                found.push(holder);
            }
        }
    }
    found
}

/// Returns the locks that one process holds on a file, found through its descriptors.
///
/// # Errors
///
/// As [`descriptors::of_process`].
fn descriptor_locks(pid: u32, file: FileId) -> io::Result<Vec<KernelLock>> {
    let found = descriptors::locks_through(pid, &[file])?;
    Ok(found.into_iter().map(|(_, lock)| lock).collect())
}

/// Returns the number after `label` in a text of labelled lines.
fn field(text: &str, label: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(label))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::lock_table::{LockKind, LockMode, parse_line};
    use super::rows_of;
    use super::{FileId, flock_conflict, holders_of, holds, mount_device, process_of_thread};
    use crate::platform::facts_at;
    use crate::platform::scratch::Scratch;
    use crate::platform::unix::record_lock::take_ofd_lock;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::path::Path;
    use std::process::{Command, Stdio};

    fn id(scratch: &Scratch) -> FileId {
        facts_at(scratch.path()).expect("the scratch file is there").id
    }

    #[test]
    fn a_flock_is_found_with_its_process() {
        let scratch = Scratch::new("holders-flock");
        let file = scratch.open_writable();
        let id = id(&scratch);
        assert_eq!(holders_of(id, scratch.path()).expect("read"), []);
        file.lock_shared().expect("nobody else locks it");
        let holders = holders_of(id, scratch.path()).expect("read");
        assert_eq!(holders.len(), 1, "{holders:?}");
        assert_eq!(holders[0].pid, Some(std::process::id()));
        assert_eq!(holders[0].lock.kind, LockKind::Flock);
        assert_eq!(holders[0].lock.mode, LockMode::Read);
        assert!(flock_conflict(id, scratch.path(), true).expect("read").is_some());
        assert_eq!(flock_conflict(id, scratch.path(), false).expect("read"), None);
        assert!(holds(std::process::id(), id));
        assert!(!holds(u32::MAX, id), "no such process");
        assert!(!holds(std::process::id(), FileId { inode: 0, ..id }), "no such file");
    }

    #[test]
    fn the_holder_of_a_lock_without_a_process_is_found_by_its_descriptor() {
        let scratch = Scratch::new("holders-ofd");
        let file = scratch.open_writable();
        take_ofd_lock(&file, 1, 7, 3);
        let holders = holders_of(id(&scratch), scratch.path()).expect("read");
        // A process that another test starts has the descriptor, too, until it executes.
        let ours = holders.iter().find(|holder| holder.pid == Some(std::process::id()));
        let lock = &ours.expect("this process holds it").lock;
        assert_eq!((lock.kind, lock.raw_pid), (LockKind::Ofd, -1));
        assert_eq!((lock.start, lock.end), (7, Some(9)));
    }

    /// The process that called flock is gone and its row names it still; a child that inherited
    /// the descriptor holds the lock.
    #[test]
    fn the_heir_of_a_dead_locker_is_the_holder() {
        let scratch = Scratch::new("holders-heir");
        let script = "exec 9<>\"$0\"; flock -x 9; sleep 60 <&- >&- 2>&- & echo $!";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .arg(scratch.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let mut line = String::new();
        let output = shell.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("the shell prints a pid");
        shell.wait().expect("the shell ends");
        let heir: u32 = line.trim().parse().expect("a pid");
        let holders = holders_of(id(&scratch), scratch.path()).expect("read");
        let pid = rustix::process::Pid::from_raw(heir.cast_signed()).expect("not 0");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("ours to end");
        assert_eq!(holders.len(), 1, "{holders:?}");
        assert_eq!(holders[0].pid, Some(heir));
        assert_ne!(holders[0].lock.pid(), Some(heir), "the row names the shell");
    }

    #[test]
    fn a_row_of_another_device_is_another_file() {
        let scratch = Scratch::new("holders-device");
        let id = id(&scratch);
        let (major, minor) = mount_device(scratch.path()).expect("the scratch file has a mount");
        let row = |major: u32, minor: u32| {
            let line = format!("1: FLOCK ADVISORY READ 1 {major:x}:{minor:x}:{} 0 EOF", id.inode);
            parse_line(&line).expect("a lock")
        };
        let rows = vec![row(major, minor), row(0xfff, 0xfffff)];
        assert_eq!(rows_of(rows, id, scratch.path()), [row(major, minor)]);
    }

    #[test]
    fn a_thread_belongs_to_its_process_and_an_absent_one_to_none() {
        let thread = std::thread::spawn(|| {
            let link = fs::read_link("/proc/thread-self").expect("/proc is mounted");
            let name = link.file_name().and_then(|name| name.to_str()).expect("a number");
            let thread: u32 = name.parse().expect("a number");
            (thread, process_of_thread(thread))
        });
        let (thread, process) = thread.join().expect("the thread ends");
        assert_ne!(thread, std::process::id());
        assert_eq!(process, Some(std::process::id()));
        assert_eq!(process_of_thread(u32::MAX), None);
        assert_eq!(mount_device(Path::new("/no/such/file")), None);
    }
}
