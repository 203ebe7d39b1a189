//! Directories, files, and what they carry.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use super::{PROMISES, tools, until};
use crate::platform::attributes::{Lost, carry_over};
use crate::platform::scratch::Scratch;
use crate::platform::{
    Access, Dir, canonical, errors, facts, facts_at, facts_of_link, file_system, is_executable,
    may_write, names, odd_name, own, settle_owner,
};

fn dir(scratch: &Scratch) -> Dir {
    Dir::open(scratch.directory()).expect("the scratch directory opens")
}

fn entries(dir: &Dir) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    let listed = dir.child_to_list(".").expect("it may be listed");
    listed.each_name(|name, is_dir| names.push((name.to_owned(), is_dir))).expect("it is listed");
    names.sort();
    names
}

/// Makes a symbolic link; `false` where that is not allowed, and says so.
#[expect(clippy::print_stdout, reason = "a part that is skipped says why")]
fn link(target: &str, at: &Path) -> bool {
    let made = tools::link(target, at);
    made.inspect_err(|error| println!("skipped in part: no links can be made ({error})")).is_ok()
}

#[test]
fn a_file_is_made_only_where_none_is() {
    let scratch = Scratch::new("contract-make");
    let dir = dir(&scratch);
    let mut made = dir.make_file("new", 0o600).expect("it is made");
    made.write_all(b"once").expect("it can be written");
    let error = dir.make_file("new", 0o600).expect_err("it is there");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(dir.facts_of("new").expect("there").id, facts(&made).expect("it is open").id);
    if link("nowhere", &scratch.directory().join("link")) {
        let error = dir.make_file("link", 0o600).expect_err("the name is taken");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
    assert_eq!(fs::read(scratch.directory().join("new")).expect("it is there"), b"once");
    let error = dir.facts_of("other").expect_err("nobody made it");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_file_is_read_written_or_added_to_as_it_was_opened() {
    let scratch = Scratch::new("contract-access");
    let dir = dir(&scratch);
    let open = |access| dir.open_file("file", access).expect("it is there");
    open(Access::Append).write_all(b"one").expect("it can be added to");
    open(Access::Append).write_all(b" two").expect("it can be added to");
    open(Access::Write).write_all(b"O").expect("it can be written");
    let mut text = String::new();
    open(Access::Read).read_to_string(&mut text).expect("it can be read");
    assert_eq!(text, "One two");
    assert!(open(Access::Read).write_all(b"x").is_err());
    let error = dir.open_file("other", Access::Write).expect_err("nobody made it");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_name_is_moved_only_to_one_that_is_free() {
    let scratch = Scratch::new("contract-rename");
    let dir = dir(&scratch);
    dir.make_file("one", 0o600).expect("it is made").write_all(b"1").expect("written");
    dir.make_file("two", 0o600).expect("it is made").write_all(b"2").expect("written");
    let (one, two, three) = (OsStr::new("one"), OsStr::new("two"), OsStr::new("three"));
    let error = dir.rename_to_free(one, two).expect_err("it is taken");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(scratch.directory().join("two")).expect("it is there"), b"2");
    dir.rename_to_free(one, three).expect("it is free");
    assert_eq!(fs::read(scratch.directory().join("three")).expect("it is there"), b"1");
    let error = dir.rename_to_free(one, three).expect_err("it is gone");
    assert!([io::ErrorKind::NotFound, io::ErrorKind::AlreadyExists].contains(&error.kind()));
    // The other way replaces.
    dir.rename("three", &dir, "two").expect("it replaces");
    assert_eq!(fs::read(scratch.directory().join("two")).expect("it is there"), b"1");
}

#[test]
fn nothing_is_followed_through_a_link() {
    let scratch = Scratch::new("contract-links");
    let dir = dir(&scratch);
    let at = |name: &str| scratch.directory().join(name);
    assert!(dir.child(".").is_ok());
    assert!(dir.read_link(OsStr::new("file")).is_err());
    if !link("file", &at("to-file")) || !link(".", &at("to-dir")) {
        return;
    }
    for access in [Access::Read, Access::Write, Access::Append] {
        assert!(dir.open_file("file", access).is_ok());
        assert!(dir.open_file("to-file", access).is_err());
    }
    assert!(dir.child("to-dir").is_err());
    assert!(dir.child_to_list("to-dir").is_err());
    assert!(dir.facts_of("to-file").expect("it is there").link);
    assert!(facts_of_link(&at("to-dir")).expect("it is there").link);
    assert!(facts_at(&at("to-dir")).expect("it is there").directory);
    assert_eq!(dir.read_link(OsStr::new("to-file")).expect("it leads somewhere"), "file");
    let real = canonical(&at("to-file")).expect("it is there");
    assert_eq!(real, canonical(scratch.path()).expect("it is there"));
    assert!(link("circle", &at("circle")));
    assert!(canonical(&at("circle")).is_err());
    assert!(!errors::circle_of_links().to_string().is_empty());
}

#[test]
fn a_path_has_one_form_without_detours() {
    let scratch = Scratch::new("contract-canonical");
    let real = canonical(scratch.path()).expect("it is there");
    assert!(real.is_absolute() && !real.to_string_lossy().starts_with(r"\\?\"), "{real:?}");
    let detour = scratch.directory().join(".").join("..");
    let detour = detour.join(scratch.directory().file_name().expect("a name")).join("file");
    assert_eq!(canonical(&detour).expect("it is there"), real);
    let error = canonical(&scratch.directory().join("other")).expect_err("nobody made it");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_name_is_what_the_file_system_takes_it_for() {
    let scratch = Scratch::new("contract-names");
    let directory = canonical(scratch.directory()).expect("it is there");
    let (stored, other) = (directory.join("Mixed.DB"), directory.join("mIXED.db"));
    fs::write(&stored, b"").expect("the scratch directory is writable");
    // By what is found there the file system says whether case counts.
    let expected = if other.exists() { &stored } else { &other };
    assert_eq!(names::as_stored(other.clone()), *expected);
    let absent = directory.join("Absent");
    assert_eq!(names::as_stored(absent.clone()), absent);
    let folded = |name: &str| names::folded(OsStr::new(name)).into_owned();
    let is_one = |one, other| folded(one) == folded(other);
    assert_eq!(is_one("Mixed-\u{e4}", "mIXED-\u{c4}"), PROMISES.cases.is_denied());
    assert!(!is_one("a", "b") && !is_one("a", "\u{e4}"));
    assert_eq!(folded("a.db"), "a.db");
    assert!(names::is_of_file(&stored) && names::is_of_file(&absent));
}

#[test]
fn a_pipe_under_our_name_blocks_nobody_and_is_no_file_of_ours() {
    let scratch = Scratch::new("contract-pipe");
    if !tools::make_pipe(&scratch.directory().join("pipe")) {
        let error = dir(&scratch).open_file("NUL", Access::Read).expect_err("a name as any other");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        return;
    }
    let error = dir(&scratch).open_file("pipe", Access::Read).expect_err("it is no file");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(dir(&scratch).open_file("pipe", Access::Append).is_err());
}

#[test]
fn every_name_is_listed_however_many_there_are() {
    let scratch = Scratch::new("contract-list");
    let dir = dir(&scratch);
    dir.make_child("inside", 0o700, None).expect("it is made");
    assert_eq!(entries(&dir), [("file".to_owned(), false), ("inside".to_owned(), true)]);
    for number in 0..300 {
        dir.make_file(&format!("{number:040}"), 0o600).expect("it is made");
    }
    assert_eq!(entries(&dir).len(), 302);
    let listed = dir.child_to_list(".").expect("it may be listed");
    assert!(!listed.has_other_names().expect("it is listed"));
    if !PROMISES.odd_names.here() {
        return;
    }
    if let Err(error) = File::create(scratch.directory().join(odd_name(b"\xff"))) {
        assert!(tools::refuses_odd_names(&error), "{error}");
        return;
    }
    assert!(listed.has_other_names().expect("it is listed"));
    assert_eq!(entries(&dir).len(), 302, "a name that is no text cannot be ours");
}

#[test]
fn a_directory_stays_itself_when_it_is_moved() {
    let scratch = Scratch::new("contract-moved");
    let outer = dir(&scratch);
    assert_eq!(outer.path(), scratch.directory());
    outer.make_child("old", 0o700, None).expect("it is made");
    let inner = outer.child("old").expect("it opens");
    let before = inner.facts().expect("it is open");
    assert!(before.directory && !before.regular);
    outer.rename("old", &outer, "new").expect("it is moved");
    outer.make_child("old", 0o700, None).expect("it is made");
    inner.make_file("mine", 0o600).expect("it is made");
    assert!(scratch.directory().join("new/mine").exists());
    assert_eq!(outer.facts_of("new").expect("it is there").id, before.id);
    assert_eq!(entries(&outer.child("old").expect("it opens")), []);
    let error = outer.remove_child("new").expect_err("it is not empty");
    assert_eq!(error.kind(), io::ErrorKind::DirectoryNotEmpty);
    if PROMISES.moved_directories.here() {
        inner.remove("mine").expect("it is ours");
    } else {
        outer.child("new").and_then(|inner| inner.remove("mine")).expect("it is ours");
    }
    drop(inner);
    outer.remove_child("new").expect("it is empty");
    assert!(outer.facts_of("new").is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
    assert!(outer.remove_child("file").is_err(), "it is no directory");
    assert!(outer.remove("old").is_err(), "it is a directory");
    assert!(outer.open_file("old", Access::Read).is_err(), "it is a directory");
    assert!(outer.child("file").is_err(), "it is no directory");
}

#[test]
fn a_removed_name_is_gone_although_somebody_has_the_file_open() {
    let scratch = Scratch::new("contract-removed");
    let dir = dir(&scratch);
    let open = dir.open_file("file", Access::Write).expect("it is there");
    dir.remove("file").expect("it is ours");
    if PROMISES.deleted_files.here() {
        assert_eq!(facts(&open).expect("it is open").links, 0);
    }
    let error = dir.open_file("file", Access::Read).expect_err("it is gone");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(entries(&dir), []);
    dir.make_file("file", 0o600).expect("the name is free");
    assert_ne!(dir.facts_of("file").expect("there").id, facts(&open).expect("it is open").id);
}

#[test]
fn one_at_a_time_has_the_lock_that_stands_for_a_directory() {
    let scratch = Scratch::new("contract-turn");
    let dir = dir(&scratch);
    let turn = dir.try_lock().expect("asked").expect("free");
    assert!(dir.try_lock().expect("asked").is_none());
    drop(turn);
    // A process that another test starts has the descriptor, too, until it executes.
    until("it is free", || dir.try_lock().expect("asked").is_some());
}

#[test]
fn permissions_are_as_asked_whatever_the_umask() {
    let scratch = Scratch::new("contract-mode");
    let dir = dir(&scratch);
    dir.make_child("all", 0o777, None).expect("it is made");
    assert_eq!(dir.facts_of("all").expect("it is there").mode, 0o777);
    let made = dir.make_file("made", 0o666).expect("it is made");
    let program = tools::script(scratch.directory());
    assert!(is_executable(&program));
    let path = scratch.directory().join("made");
    assert!(!is_executable(&path));
    settle_owner(&made, 0o626, None).expect("it is ours");
    let asked = |mode| if PROMISES.permission_bits.is_denied() { 0o777 } else { mode };
    assert_eq!(facts(&made).expect("it is open").mode, asked(0o626));
    own(&made, 0o755, None).expect("it is ours");
    assert_eq!(facts(&made).expect("it is open").mode, asked(0o755));
    assert_eq!(is_executable(&path), !PROMISES.permission_bits.is_denied());
    may_write(&path).expect("it is ours");
    assert!(may_write(Path::new("/no/such/file")).is_err());
}

#[test]
fn two_names_of_a_file_are_one_identity() {
    let scratch = Scratch::new("contract-identity");
    let at = |name: &str| scratch.directory().join(name);
    fs::hard_link(scratch.path(), at("second")).expect("a link is made");
    fs::write(at("other"), b"12345").expect("the scratch directory is writable");
    let of = |name: &str| facts_at(&at(name)).expect("it is there");
    assert_eq!(of("file").id, of("second").id);
    assert_eq!(of("file").links, 2);
    assert_ne!(of("file").id, of("other").id);
    assert_eq!(facts(scratch.open_writable()).expect("it is open").id, of("file").id);
    let other = of("other");
    assert_eq!((other.size, other.regular, other.directory), (5, true, false));
    let (pipe, _writer) = io::pipe().expect("a pipe is made");
    assert!(!facts(&pipe).expect("it is open").regular);
    let error = facts_at(&at("third")).expect_err("nobody made it");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
#[expect(clippy::print_stdout, reason = "a part that is skipped says why")]
fn what_a_file_carries_besides_its_content_is_carried_over() {
    let scratch = Scratch::new("contract-carry");
    let dir = dir(&scratch);
    let old = dir.make_file("old", 0o640).expect("it is made");
    let new = dir.make_file("new", 0o600).expect("it is made");
    settle_owner(&old, 0o751, None).expect("it is ours");
    assert!(!PROMISES.permission_bits.is_denied() || !tools::is_marked(&new));
    let marked = tools::mark(&old);
    assert_eq!(carry_over(&old, &new).expect("nothing fails"), Lost::default());
    let mode = |file| facts(file).expect("it is open").mode;
    assert_eq!(mode(&new), mode(&old));
    match marked {
        Ok(()) => assert!(tools::is_marked(&new)),
        Err(error) => println!("skipped in part: no attributes of users here ({error})"),
    }
    [old, new].iter().for_each(tools::unmark);
}

#[test]
fn a_file_that_is_yet_to_come_is_on_the_file_system_of_its_directory() {
    let scratch = Scratch::new("contract-file-system");
    let found = file_system::of(scratch.path()).expect("the scratch file has a mount");
    assert!(!found.type_name.is_empty());
    assert_eq!(file_system::of(&scratch.directory().join("new/er")), Some(found.clone()));
    let device = |path: &Path| facts_at(path).expect("it is there").id.device;
    assert_eq!(device(&found.mount_point), device(scratch.directory()));
    assert!(file_system::of(Path::new("no-such-file")).is_some(), "it would be in this directory");
    assert!(file_system::free_bytes(scratch.directory()).is_some_and(|bytes| bytes > 0));
    if !found.network {
        assert_eq!(file_system::network_name(scratch.path()), None);
    }
    assert!(file_system::overlay_layers().iter().all(|layer| layer.is_absolute()));
}
