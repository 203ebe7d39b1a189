//! Real locks of this process and of others.

use super::super::lock_table::{KernelLock, LockKind, LockMode};
use super::{HeldLock, NamedFile, Search, Whereabouts, locks_on, whereabouts};
use crate::platform::FileId;
use crate::platform::scratch::Scratch;
use crate::platform::unix::record_lock::take_ofd_lock;
use rustix::fs::{FlockOperation, fcntl_lock};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn locks(paths: &[&Path]) -> Vec<HeldLock> {
    let files: Vec<NamedFile<'_>> = paths.iter().map(|path| NamedFile::at(path)).collect();
    locks_on(&files).expect("the lock table is readable")
}

fn row(raw_pid: i64) -> KernelLock {
    KernelLock {
        waiting: false,
        kind: LockKind::Flock,
        mode: LockMode::Write,
        raw_pid,
        device_major: 0,
        device_minor: 1,
        inode: 7,
        start: 0,
        end: None,
    }
}

/// A shell that has a file locked, and says so, until it is killed.
fn locking_shell(path: &Path) -> Child {
    let mut shell = Command::new("sh")
        .args(["-c", "exec 9<>\"$0\"; flock -x 9; echo locked; exec sleep 60"])
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh starts");
    let mut line = String::new();
    let output = shell.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut line).expect("the shell says when");
    assert_eq!(line, "locked\n");
    shell
}

fn end(mut child: Child) {
    child.kill().expect("ours to end");
    child.wait().expect("it ends");
}

#[test]
fn the_locks_of_several_files_are_told_apart() {
    let scratch = Scratch::new("held-several");
    let other = scratch.directory().join("other");
    let absent = scratch.directory().join("absent");
    let (flocked, posix) = (scratch.open_writable(), File::create(&other).expect("it is made"));
    let paths = [scratch.path(), &absent, &other];
    assert_eq!(locks(&paths), []);
    flocked.lock_shared().expect("nobody else locks it");
    fcntl_lock(&posix, FlockOperation::NonBlockingLockExclusive).expect("nobody else locks it");
    let found = locks(&paths);
    let told: Vec<_> = found.iter().map(|one| (one.file, one.lock.kind, one.lock.mode)).collect();
    let expected = [(0, LockKind::Flock, LockMode::Read), (2, LockKind::Posix, LockMode::Write)];
    assert_eq!(told, expected);
    for lock in found {
        assert_eq!(lock.holders, [std::process::id()]);
        assert_eq!((lock.whereabouts, lock.lock.waiting), (Whereabouts::Here, false));
    }
}

#[test]
fn a_lock_without_a_process_is_found_by_its_descriptor() {
    let scratch = Scratch::new("held-ofd");
    let file = scratch.open_writable();
    take_ofd_lock(&file, 1, 7, 3);
    let found = locks(&[scratch.path()]);
    assert_eq!(found.len(), 1, "{found:?}");
    // A process that another test starts has the descriptor, too, until it executes.
    assert!(found[0].holders.contains(&std::process::id()), "{found:?}");
    assert_eq!((found[0].lock.kind, found[0].lock.raw_pid), (LockKind::Ofd, -1));
    assert_eq!((found[0].lock.start, found[0].lock.end), (7, Some(9)));
    assert_eq!(found[0].whereabouts, Whereabouts::Here);
}

/// The shell that called flock is gone and the row names it still; the child that inherited the
/// descriptor holds the lock.
#[test]
fn the_heir_of_a_dead_locker_is_the_holder() {
    let scratch = Scratch::new("held-heir");
    let script = "exec 9<>\"$0\"; flock -x 9; sleep 60 <&- >&- 2>&- & echo $!";
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", script]).arg(scratch.path());
    let output = shell.output().expect("sh starts").stdout;
    let heir: u32 = String::from_utf8_lossy(&output).trim().parse().expect("a pid");
    let found = locks(&[scratch.path()]);
    let pid = rustix::process::Pid::from_raw(heir.cast_signed()).expect("not 0");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("ours to end");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].holders.as_slice(), found[0].whereabouts),
        (&[heir][..], Whereabouts::Here)
    );
    assert_ne!(found[0].lock.pid(), Some(heir), "the row names the shell");
}

#[test]
fn who_waits_is_told_beside_who_holds() {
    let scratch = Scratch::new("held-waiting");
    let holder = locking_shell(scratch.path());
    let waiter = Command::new("flock").arg(scratch.path()).arg("true").spawn().expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut found = locks(&[scratch.path()]);
    while found.len() < 2 && Instant::now() < deadline {
        std::thread::yield_now();
        found = locks(&[scratch.path()]);
    }
    let pids = [holder.id(), waiter.id()];
    end(waiter);
    end(holder);
    let told: Vec<_> = found.iter().map(|one| (one.lock.waiting, one.holders.clone())).collect();
    assert_eq!(told, [(false, vec![pids[0]]), (true, vec![pids[1]])]);
}

#[test]
fn a_released_lock_and_a_missing_file_have_no_holders() {
    let scratch = Scratch::new("held-released");
    end(locking_shell(scratch.path()));
    assert_eq!(locks(&[scratch.path()]), []);
    fs::remove_file(scratch.path()).expect("it is ours");
    assert_eq!(NamedFile::at(scratch.path()).id, None);
    assert_eq!(locks(&[scratch.path()]), []);
    assert_eq!(locks(&[]), []);
}

#[test]
fn a_holder_that_cannot_be_seen_is_placed_by_what_the_kernel_says() {
    assert_eq!(whereabouts(&row(0), &[], true), Whereabouts::OtherNamespace);
    assert_eq!(whereabouts(&row(-4711), &[], true), Whereabouts::OtherNamespace);
    assert_eq!(whereabouts(&row(-1), &[], true), Whereabouts::Unseen);
    assert_eq!(whereabouts(&row(4711), &[], true), Whereabouts::Unseen);
    assert_eq!(whereabouts(&row(-1), &[], false), Whereabouts::OtherNamespace);
    assert_eq!(whereabouts(&row(0), &[1], true), Whereabouts::Here, "an heir is seen");
}

/// Inside a PID namespace the table leaves rows out that the descriptors show.
#[test]
fn what_only_the_descriptors_show_is_added_and_what_is_settled_stays() {
    let id = FileId { device: 1, inode: 7 };
    let found = vec![(id, row(0), 20), (id, row(0), 20), (id, row(0), 21), (id, row(30), 31)];
    let search = Search { found, forbidden: false };
    let held = |file, lock, holders: &[u32], whereabouts| HeldLock {
        file,
        lock,
        holders: holders.to_vec(),
        whereabouts,
    };
    let file = |id| NamedFile { path: Path::new("/no/such/file"), id };
    let mut locks = vec![
        held(1, row(30), &[30], Whereabouts::Here),
        held(1, row(40), &[], Whereabouts::Unseen),
    ];
    let table = locks.clone();
    search.settle(&mut locks, &[file(None), file(Some(id))], true);
    assert_eq!(locks, table, "a complete table leaves nothing out");
    search.settle(&mut locks, &[file(None), file(Some(id))], false);
    let expected = [
        held(1, row(30), &[30], Whereabouts::Here),
        held(1, row(40), &[], Whereabouts::OtherNamespace),
        held(1, row(0), &[20, 21], Whereabouts::Here),
    ];
    assert_eq!(locks, expected);
}
