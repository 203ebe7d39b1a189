//! The lock on a whole file, and the one on a file that others read meanwhile.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use super::{Idler, PROMISES, tools, until};
use crate::platform::scratch::Scratch;
use crate::platform::signals::{Shield, Sleeper};
use crate::platform::sniff::keeps_others_out;
use crate::platform::{
    errors, lock_exclusive, lock_shared, mark, share_lock, try_lock_exclusive, try_lock_shared,
    unlock,
};

type Try = fn(&File) -> io::Result<bool>;
type Call = fn(&File) -> io::Result<()>;

/// The functions of one kind of lock.
struct Lock {
    try_shared: Try,
    try_exclusive: Try,
    shared: Call,
    exclusive: Call,
    unlock: Call,
}

const WHOLE: Lock = Lock {
    try_shared: try_lock_shared,
    try_exclusive: try_lock_exclusive,
    shared: lock_shared,
    exclusive: lock_exclusive,
    unlock,
};

const MARK: Lock = Lock {
    try_shared: mark::try_lock_shared,
    try_exclusive: mark::try_lock_exclusive,
    shared: mark::lock_shared,
    exclusive: mark::lock_exclusive,
    unlock: mark::unlock,
};

/// Locks are known where scratch files are.
#[track_caller]
fn asked(answer: io::Result<bool>) -> bool {
    answer.expect("locks are known here")
}

#[test]
fn an_exclusive_lock_excludes_everybody_and_shared_ones_share() {
    for lock in [WHOLE, MARK] {
        let scratch = Scratch::new("contract-lock");
        let (one, other) = (scratch.open_writable(), scratch.open_writable());
        assert!(asked((lock.try_exclusive)(&one)));
        assert!(!asked((lock.try_exclusive)(&other)));
        assert!(!asked((lock.try_shared)(&other)));
        (lock.unlock)(&one).expect("it is held");
        assert!(asked((lock.try_shared)(&other)));
        assert!(asked((lock.try_shared)(&one)));
        (lock.unlock)(&one).expect("it is held");
        assert!(!asked((lock.try_exclusive)(&one)));
        drop(other);
        // A process that another test starts has the descriptor, too, until it executes.
        until("the lock is free", || asked((lock.try_exclusive)(&one)));
    }
}

#[test]
fn what_is_marked_is_read_by_everybody_and_what_is_locked_whole_perhaps() {
    let scratch = Scratch::new("contract-lock-read");
    let (mut owner, mut other) = (scratch.open_writable(), scratch.open_writable());
    assert!(asked(mark::try_lock_exclusive(&owner)));
    owner.write_all(b"text").expect("the owner writes");
    let mut text = String::new();
    other.read_to_string(&mut text).expect("everybody reads");
    assert_eq!(text, "text");
    mark::unlock(&owner).expect("it is held");
    if PROMISES.locked_is_read.here() {
        assert!(asked(try_lock_exclusive(&owner)));
        io::Seek::rewind(&mut other).expect("it is a file");
        other.read_to_string(&mut text).expect("everybody reads");
    }
}

#[test]
fn an_exclusive_lock_becomes_a_shared_one() {
    let scratch = Scratch::new("contract-lock-share");
    let (one, other) = (scratch.open_writable(), scratch.open_writable());
    assert!(asked(try_lock_exclusive(&one)));
    assert!(asked(share_lock(&one)));
    assert!(asked(try_lock_shared(&other)));
    assert!(!asked(try_lock_exclusive(&other)));
    unlock(&other).expect("it is held");
    unlock(&one).expect("it is held");
    assert!(asked(try_lock_exclusive(&other)), "both are let go");
}

#[test]
fn a_copy_of_a_descriptor_has_the_same_lock() {
    let scratch = Scratch::new("contract-lock-copy");
    let (one, other) = (scratch.open_writable(), scratch.open_writable());
    let copied = tools::inherited(&one);
    if PROMISES.inherited_locks.is_denied() {
        assert_eq!(copied.expect_err("there are none").kind(), io::ErrorKind::Unsupported);
        return;
    }
    let copy = copied.expect("it is open");
    assert!(asked(try_lock_exclusive(&one)));
    assert!(asked(try_lock_exclusive(&copy)), "it has it already");
    drop(one);
    assert!(!asked(try_lock_shared(&other)), "the copy keeps it");
    unlock(&copy).expect("it is held");
    assert!(asked(try_lock_shared(&other)));
}

#[test]
fn the_lock_of_a_process_ends_with_the_last_that_inherited_it() {
    let scratch = Scratch::new("contract-lock-heir");
    let (ours, other) = (scratch.open_writable(), scratch.open_writable());
    assert!(asked(try_lock_exclusive(&ours)));
    let mut heir = Idler::with_input(Stdio::from(ours));
    if !PROMISES.lock_heirs.is_denied() {
        assert!(!asked(try_lock_exclusive(&other)));
        heir.kill();
    }
    until("the lock is free", || asked(try_lock_exclusive(&other)));
}

#[test]
fn a_blocked_lock_is_granted_and_its_wait_can_be_ended() {
    for lock in [WHOLE, MARK] {
        let scratch = Scratch::new("contract-lock-wait");
        let holder = scratch.open_writable();
        assert!(asked((lock.try_exclusive)(&holder)));
        let (tell, told) = mpsc::channel();
        let (go, gone) = mpsc::channel();
        let path = scratch.path().to_path_buf();
        let waiter = thread::spawn(move || {
            let _shield = Shield::new();
            let file = File::options().read(true).write(true).open(path).expect("it opens");
            tell.send(Sleeper::current()).expect("somebody listens");
            let ended = (lock.exclusive)(&file).expect_err("it is held all the time");
            tell.send(Sleeper::current()).expect("somebody listens");
            gone.recv().expect("somebody says so");
            // A late wake-up may end these as well.
            let patiently = |call: Call| loop {
                match call(&file) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result.is_ok(),
                }
            };
            let shared = patiently(lock.shared);
            tell.send(Sleeper::current()).expect("somebody listens");
            let exclusive = (lock.unlock)(&file).is_ok() && patiently(lock.exclusive);
            (ended.kind(), shared, exclusive)
        });
        let sleeper = told.recv().expect("the thread begins");
        until("the wait is ended", || {
            // Lost if the thread is not in the call yet.
            sleeper.wake();
            told.try_recv().is_ok()
        });
        (lock.unlock)(&holder).expect("it is held");
        assert!(asked((lock.try_exclusive)(&holder)), "what was given up is not granted later");
        go.send(()).expect("somebody listens");
        (lock.unlock)(&holder).expect("it is held");
        told.recv().expect("it is granted");
        let (ended, shared, exclusive) = waiter.join().expect("the thread ends");
        assert_eq!(ended, io::ErrorKind::Interrupted);
        assert!(shared && exclusive);
    }
}

#[test]
fn who_is_kept_from_reading_is_told_so() {
    let scratch = Scratch::new("contract-lock-shut");
    std::fs::write(scratch.path(), b"content").expect("the scratch directory is writable");
    let (owner, mut other) = (scratch.open_writable(), scratch.open_writable());
    assert!(asked(try_lock_exclusive(&owner)));
    // Where reads are not refused there is nothing to be told.
    let read = other.read(&mut [0; 4]);
    if PROMISES.locked_is_read.is_denied() && PROMISES.byte_locks.here() {
        assert!(errors::is_shut_out(&read.expect_err("it is locked")));
    } else {
        assert_eq!(read.expect("everybody reads"), 4);
    }
}

#[test]
fn a_file_that_is_open_as_usual_keeps_nobody_out() {
    let scratch = Scratch::new("contract-lock-open");
    std::fs::write(scratch.path(), b"content").expect("the scratch directory is writable");
    let opened = scratch.open_writable();
    for write in [false, true] {
        assert!(!keeps_others_out(scratch.path(), write));
        assert!(!keeps_others_out(&scratch.directory().join("missing"), write));
    }
    drop(opened);
}
