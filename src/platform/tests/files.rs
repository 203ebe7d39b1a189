//! Directories, files, and what they carry.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::platform::attributes::{Lost, carry_over};
use crate::platform::scratch::Scratch;
use crate::platform::{
    Access, Dir, facts, facts_at, facts_of_link, file_system, is_executable, may_write,
    settle_owner, takes_bytes,
};

fn dir(scratch: &Scratch) -> Dir {
    Dir::open(scratch.directory()).expect("the scratch directory opens")
}

fn names(dir: &Dir) -> Vec<(String, bool)> {
    let mut names = Vec::new();
    let listed = dir.child_to_list(".").expect("it may be listed");
    listed.each_name(|name, is_dir| names.push((name.to_owned(), is_dir))).expect("it is listed");
    names.sort();
    names
}

#[test]
fn a_file_is_made_only_where_none_is() {
    let scratch = Scratch::new("contract-make");
    let dir = dir(&scratch);
    let mut made = dir.make_file("new", 0o600).expect("it is made");
    made.write_all(b"once").expect("it can be written");
    let error = dir.make_file("new", 0o600).expect_err("it is there");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    symlink("nowhere", scratch.directory().join("link")).expect("a link is made");
    let error = dir.make_file("link", 0o600).expect_err("the name is taken");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(scratch.directory().join("new")).expect("it is there"), b"once");
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
    symlink("file", at("to-file")).expect("a link is made");
    symlink(".", at("to-dir")).expect("a link is made");
    for access in [Access::Read, Access::Write, Access::Append] {
        assert!(dir.open_file("file", access).is_ok());
        assert!(dir.open_file("to-file", access).is_err());
    }
    assert!(dir.child(".").is_ok());
    assert!(dir.child("to-dir").is_err());
    assert!(dir.child_to_list("to-dir").is_err());
    assert!(dir.facts_of("to-file").expect("it is there").link);
    assert!(facts_of_link(&at("to-dir")).expect("it is there").link);
    assert!(facts_at(&at("to-dir")).expect("it is there").directory);
    assert_eq!(dir.read_link(OsStr::new("to-file")).expect("it leads somewhere"), "file");
    assert!(dir.read_link(OsStr::new("file")).is_err());
}

#[test]
fn a_pipe_under_our_name_blocks_nobody_and_is_no_file_of_ours() {
    let scratch = Scratch::new("contract-pipe");
    let pipe = scratch.directory().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo starts");
    assert!(made.success());
    let error = dir(&scratch).open_file("pipe", Access::Read).expect_err("it is no file");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(dir(&scratch).open_file("pipe", Access::Append).is_err());
}

#[test]
fn every_name_is_listed_however_many_there_are() {
    let scratch = Scratch::new("contract-list");
    let dir = dir(&scratch);
    dir.make_child("inside", 0o700, None).expect("it is made");
    assert_eq!(names(&dir), [("file".to_owned(), false), ("inside".to_owned(), true)]);
    for number in 0..300 {
        dir.make_file(&format!("{number:040}"), 0o600).expect("it is made");
    }
    assert_eq!(names(&dir).len(), 302);
    let listed = dir.child_to_list(".").expect("it may be listed");
    assert!(!listed.has_other_names().expect("it is listed"));
    let other = OsString::from_vec(b"\xff".to_vec());
    if let Err(error) = File::create(scratch.directory().join(other)) {
        assert_eq!(error.raw_os_error(), Some(libc::EILSEQ), "{error}");
        return;
    }
    assert!(listed.has_other_names().expect("it is listed"));
    assert_eq!(names(&dir).len(), 302, "a name that is no text cannot be ours");
}

#[test]
fn a_directory_stays_itself_when_it_is_moved() {
    let scratch = Scratch::new("contract-moved");
    let outer = dir(&scratch);
    outer.make_child("old", 0o700, None).expect("it is made");
    let inner = outer.child("old").expect("it opens");
    outer.rename("old", &outer, "new").expect("it is moved");
    outer.make_child("old", 0o700, None).expect("it is made");
    inner.make_file("mine", 0o600).expect("it is made");
    assert!(scratch.directory().join("new/mine").exists());
    assert_eq!(names(&outer.child("old").expect("it opens")), []);
    let error = outer.remove_child("new").expect_err("it is not empty");
    assert_eq!(error.kind(), io::ErrorKind::DirectoryNotEmpty);
    inner.remove("mine").expect("it is ours");
    outer.remove_child("new").expect("it is empty");
    assert!(outer.remove_child("file").is_err(), "it is no directory");
    assert!(outer.remove("old").is_err(), "it is a directory");
}

#[test]
fn permissions_are_as_asked_whatever_the_umask() {
    let scratch = Scratch::new("contract-mode");
    let dir = dir(&scratch);
    dir.make_child("all", 0o777, None).expect("it is made");
    assert_eq!(dir.facts_of("all").expect("it is there").mode, 0o777);
    let made = dir.make_file("made", 0o666).expect("it is made");
    settle_owner(&made, 0o626, None).expect("it is ours");
    assert_eq!(facts(&made).expect("it is open").mode, 0o626);
    let script = scratch.directory().join("made");
    assert!(!is_executable(&script));
    settle_owner(&made, 0o755, None).expect("it is ours");
    assert!(is_executable(&script));
    may_write(&script).expect("it is ours");
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
    let open = File::open(at("other")).expect("it opens");
    fs::remove_file(at("other")).expect("it is ours");
    assert_eq!(facts(&open).expect("it is open").links, 0);
}

#[test]
#[expect(clippy::print_stderr, reason = "a part that is skipped says why")]
fn what_a_file_carries_besides_its_content_is_carried_over() {
    use xattr::FileExt;
    let scratch = Scratch::new("contract-carry");
    let dir = dir(&scratch);
    let old = dir.make_file("old", 0o640).expect("it is made");
    let new = dir.make_file("new", 0o600).expect("it is made");
    settle_owner(&old, 0o751, None).expect("it is ours");
    let set = old.set_xattr("user.dbguard", b"kept");
    assert_eq!(carry_over(&old, &new).expect("nothing fails"), Lost::default());
    assert_eq!(facts(&new).expect("it is open").mode, 0o751);
    match set {
        Ok(()) => {
            let there = new.get_xattr("user.dbguard").expect("it can be read");
            assert_eq!(there.as_deref(), Some(&b"kept"[..]));
        }
        Err(error) => eprintln!("skipped: no attributes of users here ({error})"),
    }
}

#[test]
fn a_pipe_takes_bytes_until_it_is_full() {
    let (reader, mut writer) = io::pipe().expect("a pipe is made");
    let at_once = std::time::Duration::ZERO;
    assert!(takes_bytes(&writer, at_once).expect("it can be asked"));
    let block = [0; 4096];
    while takes_bytes(&writer, at_once).expect("it can be asked") {
        writer.write_all(&block).expect("there is room");
    }
    drop(reader);
    assert!(takes_bytes(&writer, at_once).expect("it can be asked"), "the write will fail");
}

#[test]
fn a_file_that_is_yet_to_come_is_on_the_file_system_of_its_directory() {
    let scratch = Scratch::new("contract-file-system");
    let found = file_system::of(scratch.path()).expect("the scratch file has a mount");
    assert!(!found.type_name.is_empty());
    assert_eq!(file_system::of(&scratch.directory().join("new/er")), Some(found.clone()));
    let device = |path: &Path| fs::metadata(path).expect("it is there").dev();
    assert_eq!(device(&found.mount_point), device(scratch.directory()));
    assert!(file_system::of(Path::new("no-such-file")).is_some(), "it would be in this directory");
    assert!(file_system::free_bytes(scratch.directory()).is_some());
}
