//! Questions about the locks and the open files of others.

use std::fs::{self, File};
use std::io;
use std::process::Stdio;

use super::{Idler, PROMISES, tools, until};
use crate::platform::ask::{Conflict, record_lock_conflict};
use crate::platform::held_locks::{
    HeldLock, NamedFile, locks_of_everybody, locks_on, may_look_into,
};
use crate::platform::lease::Lease;
use crate::platform::lock_table::{LockKind, LockMode};
use crate::platform::lock_watch::LockWatch;
use crate::platform::openers::Opener;
use crate::platform::scratch::{Scratch, opened_by};
use crate::platform::signals::SIGTERM;
use crate::platform::{
    Dir, facts, facts_at, holders, mark, process, reach, try_lock_exclusive, try_lock_shared,
    unlock,
};

#[test]
fn our_own_lock_is_told_through_its_description() {
    let scratch = Scratch::new("contract-lock-through");
    let (ours, other) = (scratch.open_writable(), scratch.open_writable());
    let id = facts(&ours).expect("it is open").id;
    let conflict = |write| holders::flock_conflict(id, scratch.path(), write);
    assert_eq!(holders::held_through(&ours), None);
    assert!(try_lock_shared(&ours).expect("locks are known here"));
    if PROMISES.lock_holders.is_denied() {
        assert_eq!(holders::held_through(&ours), None);
        assert_eq!(conflict(true).expect_err("not told").kind(), io::ErrorKind::Unsupported);
        return;
    }
    assert_eq!(holders::held_through(&ours), Some(LockMode::Read));
    assert_eq!(holders::held_through(&other), None);
    assert!(try_lock_exclusive(&ours).expect("locks are known here"));
    assert_eq!(holders::held_through(&ours), Some(LockMode::Write));
    assert_eq!(holders::held_through(&other), None);
    let lock = conflict(false).expect("it can be asked").expect("it is held").lock;
    assert_eq!((lock.kind, lock.mode), (LockKind::Flock, LockMode::Write));
    unlock(&ours).expect("it is held");
    assert_eq!(conflict(true).expect("it can be asked"), None);
}

#[test]
fn who_has_locked_a_mark_shows_it_and_is_reached_by_it_and_nobody_else_is_taken_for_it() {
    let scratch = Scratch::new("contract-sign");
    let dir = Dir::open(scratch.directory()).expect("it is there");
    fs::write(scratch.directory().join("other"), "").expect("written");
    let id = |name: &str| facts_at(&scratch.directory().join(name)).expect("it is there").id;
    let (file, other) = (id("file"), id("other"));
    let me = std::process::id();
    let start = process::start_time(me).expect("it runs");
    let is_reached =
        |pid, start, claim| reach::reach(pid, start, claim).expect("it can be asked").is_some();
    let _hearing = reach::hear([file].into_iter(), &[SIGTERM]).expect("it may");
    let ours = scratch.open_writable();
    mark::lock_exclusive(&ours).expect("it is free");
    for _ in 0..2 {
        mark::sign(&dir, "file").expect("it may, and again");
    }
    let idler = Idler::start();
    assert_eq!(holders::holds(me, file), PROMISES.shown_marks.here());
    assert_eq!(is_reached(me, start, file), PROMISES.shown_marks.here());
    assert!(!holders::holds(me, other) && !is_reached(me, start, other));
    assert!(!is_reached(me, start + 1, file));
    assert!(!holders::holds(idler.pid(), file), "it was only started by the one");
}

#[test]
fn who_has_the_lock_on_a_whole_file_is_told_in_each_way() {
    let scratch = Scratch::new("contract-holders");
    let path = scratch.real();
    let ours = scratch.open_writable();
    let id = facts(&ours).expect("it is open").id;
    let mut watch = LockWatch::default();
    let mut look = |path| -> [Vec<HeldLock>; 3] {
        let files = [NamedFile::at(path)];
        let asked = [locks_on(&files), locks_of_everybody(&files), watch.look(&files)];
        asked.map(|told| told.expect("it can be asked"))
    };
    assert!(look(&path).iter().all(Vec::is_empty), "nobody has locked it");
    assert!(try_lock_shared(&ours).expect("locks are known here"));
    let heir = Idler::with_input(Stdio::from(ours));
    let (all, me) = (look(&path), std::process::id());
    let holders = holders::holders_of(id, &path).expect("it can be asked");
    assert!(may_look_into(heir.pid()) && may_look_into(me));
    assert!(!holders::holds(me, id), "it was handed on");
    if PROMISES.lock_holders.is_denied() {
        assert!(all.iter().all(Vec::is_empty) && holders.is_empty());
        assert!(!holders::holds(heir.pid(), id) && !holders::inherited(heir.pid(), id, me));
        return;
    }
    for locks in all {
        assert_eq!(locks.len(), 1, "{locks:?}");
        let lock = &locks[0].lock;
        assert_eq!((lock.kind, lock.mode, lock.waiting), (LockKind::Flock, LockMode::Read, false));
    }
    assert!(
        holders.iter().all(|holder| holder.lock.kind == LockKind::Flock) && !holders.is_empty()
    );
    assert!(holders::inherited(heir.pid(), id, me));
}

#[test]
fn a_thread_belongs_to_its_process_where_that_is_told() {
    let me = std::process::id();
    let told = holders::process_of_thread(me);
    assert_eq!(told, holders::MUTEXES_NAME_THREADS.then_some(me));
    assert_eq!(holders::process_of_thread(u32::MAX), None);
    // Asked without a panic: in a container the answer differs.
    assert_eq!(holders::table_is_complete(), holders::table_is_complete());
}

#[test]
fn nothing_is_in_the_way_on_a_free_file() {
    let scratch = Scratch::new("free");
    let file = File::open(scratch.path()).expect("the scratch file opens");
    assert_eq!(record_lock_conflict(&file, true, 0, 0).expect("asked"), None);
    assert_eq!(record_lock_conflict(&file, true, 1 << 30, 2).expect("asked"), None);
}

#[test]
fn an_exclusive_lock_on_bytes_is_told() {
    let scratch = Scratch::new("ofd");
    let holder = scratch.open_writable();
    tools::lock_bytes(&holder, true, 100, 5);
    let file = File::open(scratch.path()).expect("the scratch file opens");
    let asked = |write, start, length| record_lock_conflict(&file, write, start, length);
    if PROMISES.byte_locks.here() {
        for (write, start, length) in [(false, 104, 1), (true, 0, 0), (true, 0, 101)] {
            let told = asked(write, start, length).expect("asked").expect("it is locked");
            assert!(told.write);
            if PROMISES.shared_byte_locks.here() {
                let lock = Conflict { pid: None, raw_pid: -1, write: true, start: 100, length: 5 };
                assert_eq!(told, lock);
            }
        }
    }
    assert_eq!(asked(true, 0, 100).expect("asked"), None);
    assert_eq!(asked(true, 105, 0).expect("asked"), None);
    tools::unlock_bytes(&holder, 100, 5);
    assert_eq!(asked(true, 0, 0).expect("asked"), None);
}

#[test]
fn a_shared_lock_on_bytes_stands_in_the_way_of_writers_only() {
    let scratch = Scratch::new("shared");
    let holder = scratch.open_writable();
    tools::lock_bytes(&holder, false, 1 << 30, 7);
    let file = File::open(scratch.path()).expect("the scratch file opens");
    assert_eq!(record_lock_conflict(&file, false, 0, 0).expect("asked"), None);
    let told = record_lock_conflict(&file, true, 1 << 30, 1).expect("asked");
    if PROMISES.shared_byte_locks.is_denied() {
        assert_eq!(told, None, "it stops nobody who reads, which is how we ask");
    } else {
        let lock = told.map(|one| (one.write, one.start, one.length));
        assert_eq!(lock, Some((false, 1 << 30, 7)));
    }
}

#[test]
fn a_range_beyond_the_largest_offset_is_an_error() {
    let scratch = Scratch::new("range");
    let file = File::open(scratch.path()).expect("the scratch file opens");
    let error = record_lock_conflict(&file, true, u64::MAX, 1).expect_err("refused");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn what_we_have_open_is_counted_and_its_access_told() {
    let scratch = Scratch::new("openers");
    let path = scratch.real();
    let other = path.with_file_name("other");
    fs::write(&other, b"").expect("the scratch directory is writable");
    let files = [NamedFile::at(&other), NamedFile::at(&path)];
    let pid = std::process::id();
    assert_eq!(opened_by(pid, &files), []);
    let _reading = File::open(&path).expect("it opens");
    if PROMISES.own_access.is_denied() {
        assert_eq!(opened_by(pid, &files), [], "whoever asks has it open, so that says nothing");
        return;
    }
    let opener = Opener { pid, file: 1, descriptors: 1, writes: Some(false), deleted: false };
    assert_eq!(opened_by(pid, &files), [opener]);
    let _writing = scratch.open_writable();
    let both = Opener { descriptors: 2, writes: Some(true), ..opener };
    assert_eq!(opened_by(pid, &files), [both]);
    let _other = File::open(&other).expect("it opens");
    assert_eq!(opened_by(pid, &files), [Opener { file: 0, ..opener }, both]);
}

#[test]
fn another_process_is_found_by_what_it_inherited() {
    let scratch = Scratch::new("openers-child");
    let path = scratch.real();
    let file = File::open(&path).expect("it opens");
    let heir = Idler::with_input(Stdio::from(file));
    let pid = heir.pid();
    if PROMISES.openers.here() {
        let writes = (!PROMISES.own_access.is_denied()).then_some(false);
        let expected = Opener { pid, file: 0, descriptors: 1, writes, deleted: false };
        assert_eq!(opened_by(pid, &[NamedFile::at(&path)]), [expected]);
    }
}

#[test]
fn a_lease_is_had_only_alone() {
    let scratch = Scratch::new("contract-lease");
    let ours = File::open(scratch.path()).expect("it opens");
    if PROMISES.leases.is_denied() {
        let refused = Lease::take(&ours).expect_err("there are none");
        assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
        return;
    }
    if !PROMISES.leases.here() {
        assert!(Lease::take(&ours).is_err(), "what is not told is no proof");
        return;
    }
    let heir = Idler::with_input(Stdio::from(File::open(scratch.path()).expect("it opens")));
    assert!(Lease::take(&ours).expect("leases are known here").is_none());
    drop(heir);
    let mut lease = None;
    // A process that another test starts may have the descriptor, too, until it executes.
    until("nobody has it open", || {
        lease = Lease::take(&ours).expect("leases are known here");
        lease.is_some()
    });
    assert!(lease.expect("it is there").is_unbroken());
}

#[test]
fn a_file_is_taken_away_once_nobody_else_has_it_open() {
    let scratch = Scratch::new("contract-alone");
    let dir = Dir::open(scratch.directory()).expect("the scratch directory opens");
    let other = File::open(scratch.path()).expect("it opens");
    match dir.open_alone("file") {
        Ok(file) => assert!(!matches!(Lease::take(&file), Ok(Some(_))), "somebody has it open"),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
    }
    drop(other);
    if PROMISES.taking_away.is_denied() {
        return;
    }
    // A process that another test starts may have the descriptor, too, until it executes.
    let mut alone = None;
    until("nobody has it open", || {
        alone = dir.open_alone("file").ok();
        alone.as_ref().is_some_and(|file| matches!(Lease::take(file), Ok(Some(_))))
    });
    let file = alone.expect("it is there");
    let lease = Lease::take(&file).expect("asked").expect("nobody has come");
    dir.rename_to_free("file".as_ref(), "aside".as_ref()).expect("it is ours");
    assert!(lease.is_unbroken());
    dir.remove("aside").expect("it is ours");
    drop(lease);
    drop(file);
    assert!(dir.facts_of("aside").is_err() && dir.facts_of("file").is_err());
}
