//! Locks: the whole-file lock, questions about those of others, and who has a file open.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use super::{Idler, until};
use crate::platform::ask::{Conflict, record_lock_conflict};
use crate::platform::held_locks::NamedFile;
use crate::platform::lock_table::{LockKind, LockMode};
use crate::platform::openers::{Opener, openers};
use crate::platform::scratch::{Scratch, take_ofd_lock};
use crate::platform::signals::{Shield, Sleeper};
use crate::platform::unix::record_lock::short;
use crate::platform::{
    facts, holders, inherited_file, lock_exclusive, lock_shared, try_lock_exclusive,
    try_lock_shared, unlock,
};

#[test]
fn an_exclusive_lock_excludes_everybody_and_shared_ones_share() {
    let scratch = Scratch::new("contract-lock");
    let (one, other) = (scratch.open_writable(), scratch.open_writable());
    assert!(try_lock_exclusive(&one).expect("locks are known here"));
    assert!(!try_lock_exclusive(&other).expect("locks are known here"));
    assert!(!try_lock_shared(&other).expect("locks are known here"));
    unlock(&one).expect("it is held");
    assert!(try_lock_shared(&other).expect("locks are known here"));
    assert!(try_lock_shared(&one).expect("locks are known here"));
    unlock(&one).expect("it is held");
    assert!(!try_lock_exclusive(&one).expect("locks are known here"));
    drop(other);
    // A process that another test starts has the descriptor, too, until it executes.
    until("the lock is free", || try_lock_exclusive(&one).expect("locks are known here"));
}

#[test]
fn a_copy_of_a_descriptor_has_the_same_lock() {
    let scratch = Scratch::new("contract-lock-copy");
    let (one, other) = (scratch.open_writable(), scratch.open_writable());
    let copy = inherited_file(one.as_raw_fd()).expect("it is open");
    assert!(try_lock_exclusive(&one).expect("locks are known here"));
    assert!(try_lock_exclusive(&copy).expect("locks are known here"), "it has it already");
    drop(one);
    assert!(!try_lock_shared(&other).expect("locks are known here"), "the copy keeps it");
    unlock(&copy).expect("it is held");
    assert!(try_lock_shared(&other).expect("locks are known here"));
    assert!(inherited_file(-1).is_err());
    assert!(inherited_file(1_000_000).is_err());
}

#[test]
fn the_lock_of_a_process_ends_with_the_last_that_inherited_it() {
    let scratch = Scratch::new("contract-lock-heir");
    let (ours, other) = (scratch.open_writable(), scratch.open_writable());
    assert!(try_lock_exclusive(&ours).expect("locks are known here"));
    let mut heir = Idler::with_input(Stdio::from(ours));
    assert!(!try_lock_exclusive(&other).expect("locks are known here"));
    heir.kill();
    until("the lock is free", || try_lock_exclusive(&other).expect("locks are known here"));
}

#[test]
fn a_blocked_lock_is_granted_and_its_wait_can_be_ended() {
    let scratch = Scratch::new("contract-lock-wait");
    let holder = scratch.open_writable();
    assert!(try_lock_exclusive(&holder).expect("locks are known here"));
    let (tell, told) = mpsc::channel();
    let path = scratch.path().to_path_buf();
    let waiter = thread::spawn(move || {
        let _shield = Shield::new();
        let file = File::open(path).expect("the scratch file opens");
        tell.send(Sleeper::current()).expect("somebody listens");
        let ended = lock_exclusive(&file).expect_err("it is held all the time");
        tell.send(Sleeper::current()).expect("somebody listens");
        // A late wake-up may end this one as well.
        let granted = loop {
            match lock_shared(&file) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result.is_ok(),
            }
        };
        (ended.kind(), granted)
    });
    let sleeper = told.recv().expect("the thread begins");
    until("the wait is ended", || {
        // Lost if the thread is not in the call yet.
        sleeper.wake();
        told.try_recv().is_ok()
    });
    unlock(&holder).expect("it is held");
    let (ended, granted) = waiter.join().expect("the thread ends");
    assert_eq!(ended, io::ErrorKind::Interrupted);
    assert!(granted);
}

#[test]
fn our_own_lock_is_told_through_its_description() {
    let scratch = Scratch::new("contract-lock-through");
    let (ours, other) = (scratch.open_writable(), scratch.open_writable());
    assert_eq!(holders::held_through(&ours), None);
    assert!(try_lock_shared(&ours).expect("locks are known here"));
    assert_eq!(holders::held_through(&ours), Some(LockMode::Read));
    assert_eq!(holders::held_through(&other), None);
    assert!(try_lock_exclusive(&ours).expect("locks are known here"));
    assert_eq!(holders::held_through(&ours), Some(LockMode::Write));
    assert_eq!(holders::held_through(&other), None);
    let id = facts(&ours).expect("it is open").id;
    let conflict = holders::flock_conflict(id, scratch.path(), false).expect("it can be asked");
    let lock = conflict.expect("it is held").lock;
    assert_eq!((lock.kind, lock.mode), (LockKind::Flock, LockMode::Write));
    unlock(&ours).expect("it is held");
    assert_eq!(holders::flock_conflict(id, scratch.path(), true).expect("it can be asked"), None);
}

#[test]
fn nothing_is_in_the_way_on_a_free_file() {
    let scratch = Scratch::new("free");
    let file = File::open(scratch.path()).expect("the scratch file opens");
    assert_eq!(record_lock_conflict(&file, true, 0, 0).expect("asked"), None);
}

#[test]
fn a_lock_of_another_description_is_reported_without_its_owner() {
    let scratch = Scratch::new("ofd");
    let holder = scratch.open_writable();
    take_ofd_lock(&holder, short(libc::F_WRLCK), 100, 5);
    let file = File::open(scratch.path()).expect("the scratch file opens");
    let expected = Conflict { pid: None, raw_pid: -1, write: true, start: 100, length: 5 };
    for (write, start, length) in [(false, 104, 1), (true, 0, 0), (true, 0, 101)] {
        assert_eq!(
            record_lock_conflict(&file, write, start, length).expect("asked"),
            Some(expected)
        );
    }
    assert_eq!(record_lock_conflict(&file, true, 0, 100).expect("asked"), None);
    assert_eq!(record_lock_conflict(&file, true, 105, 0).expect("asked"), None);
    // Not by closing: a test that starts a process now could hand it the description.
    take_ofd_lock(&holder, short(libc::F_UNLCK), 0, 0);
    assert_eq!(record_lock_conflict(&file, true, 0, 0).expect("asked"), None);
}

#[test]
fn a_read_lock_stands_in_the_way_of_writers_only() {
    let scratch = Scratch::new("shared");
    let holder = scratch.open_writable();
    take_ofd_lock(&holder, short(libc::F_RDLCK), 1 << 62, 0);
    let file = File::open(scratch.path()).expect("the scratch file opens");
    assert_eq!(record_lock_conflict(&file, false, 0, 0).expect("asked"), None);
    let conflict = record_lock_conflict(&file, true, 0, 0).expect("asked").expect("refused");
    assert_eq!((conflict.write, conflict.start, conflict.length), (false, 1 << 62, 0));
}

#[test]
fn a_range_beyond_the_largest_offset_is_an_error() {
    let scratch = Scratch::new("range");
    let file = File::open(scratch.path()).expect("the scratch file opens");
    let error = record_lock_conflict(&file, true, u64::MAX, 1).expect_err("refused");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

/// What `pid` has open, files in order.
fn of(pid: u32, files: &[NamedFile<'_>]) -> Vec<Opener> {
    let mut found = openers(files).openers;
    found.retain(|opener| opener.pid == pid);
    found.sort_by_key(|opener| (opener.file, opener.deleted));
    found
}

fn real(scratch: &Scratch) -> PathBuf {
    fs::canonicalize(scratch.path()).expect("the scratch file is there")
}

#[test]
fn what_we_have_open_is_counted_and_its_access_told() {
    let scratch = Scratch::new("openers");
    let path = real(&scratch);
    let other = path.with_file_name("other");
    fs::write(&other, b"").expect("the scratch directory is writable");
    let files = [NamedFile::at(&other), NamedFile::at(&path)];
    let pid = std::process::id();
    assert_eq!(of(pid, &files), []);
    let _reading = File::open(&path).expect("it opens");
    let opener = Opener { pid, file: 1, descriptors: 1, writes: Some(false), deleted: false };
    assert_eq!(of(pid, &files), [opener]);
    let _writing = scratch.open_writable();
    let both = Opener { descriptors: 2, writes: Some(true), ..opener };
    assert_eq!(of(pid, &files), [both]);
    let _other = File::open(&other).expect("it opens");
    assert_eq!(of(pid, &files), [Opener { file: 0, ..opener }, both]);
}

#[test]
fn another_process_is_found_by_what_it_inherited() {
    let scratch = Scratch::new("openers-child");
    let path = real(&scratch);
    let file = File::open(&path).expect("it opens");
    let heir = Idler::with_input(Stdio::from(file));
    let pid = heir.pid();
    let found = of(pid, &[NamedFile::at(&path)]);
    let expected = Opener { pid, file: 0, descriptors: 1, writes: Some(false), deleted: false };
    assert_eq!(found, [expected]);
}
