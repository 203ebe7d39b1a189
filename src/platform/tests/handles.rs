//! Open files on their way to others, and files that are opened for a stranger.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use super::{PROMISES, tools};
use crate::platform::scratch::Scratch;
use crate::platform::sniff::{Sniffed, open_to_settle, open_unnoticed};
use crate::platform::{
    NOWHERE, errors, facts, inherited_file, lend, loses_reader, make_new, make_temporary,
    make_temporary_directory, open_to_append, open_to_sync, put_in_place, put_where_free, replace,
    sync_directory, takes_bytes,
};

const AT_ONCE: Duration = Duration::ZERO;

#[test]
fn what_is_temporary_is_made_under_a_name_of_its_own_and_goes() {
    let scratch = Scratch::new("contract-temporary");
    let file = make_temporary("one-", 0o600, scratch.directory()).expect("it is made");
    let other = make_temporary("one-", 0o600, scratch.directory()).expect("it is made");
    let directory = make_temporary_directory("two-", 0o700, scratch.directory());
    let directory = directory.expect("it is made");
    assert_ne!(file.path(), other.path());
    fs::write(directory.path().join("inside"), b"").expect("it is writable");
    for (path, prefix) in [(file.path(), "one-"), (directory.path(), "two-")] {
        assert!(path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
    }
    if PROMISES.permission_bits.here() {
        assert_eq!(facts(file.as_file()).expect("it is open").mode, 0o600);
    }
    let paths = [file.path().to_path_buf(), directory.path().to_path_buf()];
    drop((file, directory));
    assert!(paths.iter().all(|path| !path.exists()), "{paths:?}");
}

#[test]
fn a_new_file_is_made_once_and_added_to() {
    let scratch = Scratch::new("contract-new");
    let path = scratch.directory().join("new");
    make_new(&path, 0o600).expect("it is new").write_all(b"one").expect("it can be written");
    let error = make_new(&path, 0o600).expect_err("it is there");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    open_to_append(&path).expect("it is there").write_all(b" two").expect("it can be added to");
    assert_eq!(fs::read(&path).expect("it is there"), b"one two");
    assert!(open_to_append(&scratch.directory().join("other")).is_err(), "nobody made it");
    let directory = open_to_sync(scratch.directory()).expect("it is there");
    sync_directory(&directory).expect("it is synced");
}

#[test]
fn a_file_is_put_in_the_place_of_another_or_only_where_none_is() {
    let scratch = Scratch::new("contract-replace");
    let target = scratch.directory().join("target");
    let made = |text: &str| {
        let mut made = make_temporary("new-", 0o600, scratch.directory()).expect("it is made");
        made.write_all(text.as_bytes()).expect("it can be written");
        made.into_temp_path()
    };
    let read = || fs::read_to_string(&target).expect("it is there");
    put_where_free(made("one"), &target).expect("it is free");
    let error = put_where_free(made("two"), &target).expect_err("it is taken");
    assert_eq!((error.kind(), read()), (io::ErrorKind::AlreadyExists, "one".to_owned()));
    put_in_place(made("three"), &target).expect("it replaces");
    assert_eq!(read(), "three");
    fs::write(scratch.path(), b"four").expect("the scratch directory is writable");
    replace(scratch.path(), &target).expect("it replaces");
    assert_eq!(read(), "four");
    let left = fs::read_dir(scratch.directory()).expect("it is there").count();
    assert_eq!(left, 1, "what was refused is gone, too");
}

#[test]
fn nowhere_takes_everything_and_gives_nothing() {
    open_to_append(Path::new(NOWHERE)).expect("it is there").write_all(b"gone").expect("it takes");
    let mut text = String::new();
    File::open(NOWHERE).expect("it is there").read_to_string(&mut text).expect("it ends");
    assert_eq!(text, "");
}

#[test]
fn what_is_lent_is_the_file_itself() {
    let scratch = Scratch::new("contract-lend");
    let file = scratch.open_writable();
    let ours = facts(&file).expect("it is open").id;
    assert_eq!(facts(lend(&file)).expect("it is open").id, ours);
}

#[test]
fn a_descriptor_that_nobody_handed_on_is_no_file() {
    for number in [-1, 1_000_000] {
        assert!(inherited_file(number).is_err());
    }
}

#[test]
fn a_pipe_takes_bytes_until_it_is_full() {
    let (reader, mut writer) = io::pipe().expect("a pipe is made");
    assert!(takes_bytes(&writer, AT_ONCE).expect("it can be asked"));
    if PROMISES.full_pipes.here() {
        let block = [0; 4096];
        while takes_bytes(&writer, AT_ONCE).expect("it can be asked") {
            writer.write_all(&block).expect("there is room");
        }
    }
    assert!(!loses_reader(&writer, AT_ONCE).expect("it can be asked"), "it is read");
    drop(reader);
    assert!(takes_bytes(&writer, AT_ONCE).expect("it can be asked"), "the write will fail");
    let is_told = !PROMISES.full_pipes.is_denied();
    assert_eq!(loses_reader(&writer, AT_ONCE).expect("it can be asked"), is_told);
}

#[test]
fn a_regular_file_is_opened_and_nothing_else() {
    let scratch = Scratch::new("contract-sniff");
    fs::write(scratch.path(), b"content").expect("the scratch directory is writable");
    let Ok(Sniffed::File(mut file)) = open_unnoticed(scratch.path()) else {
        panic!("it is a regular file");
    };
    let mut text = String::new();
    file.read_to_string(&mut text).expect("it can be read");
    assert_eq!(text, "content");
    assert!(file.write_all(b"x").is_err());
    let Ok(Sniffed::File(file)) = open_to_settle(scratch.path()) else {
        panic!("it is a regular file");
    };
    file.sync_all().expect("it may be synced");
    let error = open_unnoticed(&scratch.directory().join("absent")).expect_err("missing");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(!errors::is_shut_out(&error));
    assert!(matches!(open_unnoticed(scratch.directory()), Ok(Sniffed::Directory)));
    assert!(matches!(open_unnoticed(Path::new(NOWHERE)), Ok(Sniffed::Other)));
    let pipe = scratch.directory().join("pipe");
    if tools::make_pipe(&pipe) {
        assert!(matches!(open_unnoticed(&pipe), Ok(Sniffed::Other)));
    }
}
