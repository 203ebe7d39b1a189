//! What errors mean, what programs are called, and the steps and trials that others ask for.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::platform::programs::{EXTENSIONS_VARIABLE, SHELL_VARIABLE, USUAL_PATH};
use crate::platform::programs::{candidates, shell};
use crate::platform::scratch::Scratch;
use crate::platform::steps::{error_named, nanoseconds};
use crate::platform::trial::LockKind;
use crate::platform::{Shortage, errors, step};

#[test]
fn an_error_is_told_by_what_it_means() {
    assert_eq!(errors::shortage(&error_named("EMFILE")), Some(Shortage::OwnFiles));
    assert!(!errors::MAY_NOT_BE_REPLACED.is_empty());
    assert!(errors::is_out_of_files(&error_named("EMFILE")));
    for name in ["ENOLCK", "EOPNOTSUPP", "ENOSYS"] {
        assert!(errors::is_without_locks(&error_named(name)), "{name}");
    }
    assert!(errors::is_not_understood(&error_named("EINVAL")));
    assert_eq!(error_named("EACCES").kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(error_named("EROFS").kind(), io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(error_named("ENOSPC").kind(), io::ErrorKind::StorageFull);
    let other = error_named("EIO");
    assert_eq!(errors::shortage(&other), None);
    assert!(!errors::is_out_of_files(&other) && !errors::is_without_locks(&other));
    assert!(!errors::is_of_no_process(&other) && !errors::is_not_understood(&other));
    assert!(!errors::is_shut_out(&other) && !errors::is_open_inside(&other));
    assert!(!errors::is_childless(&other));
}

#[test]
fn a_directory_is_renamed_or_something_in_it_is_open() {
    let scratch = Scratch::new("contract-open-inside");
    let (old, new) = (scratch.directory().join("old"), scratch.directory().join("new"));
    fs::create_dir(&old).expect("the scratch directory is writable");
    let _open = fs::File::create(old.join("file")).expect("the scratch directory is writable");
    if let Err(error) = fs::rename(&old, &new) {
        assert!(errors::is_open_inside(&error), "{error}");
    }
}

#[test]
fn a_line_of_shell_is_the_last_word_of_a_command() {
    let words = shell(Some("sh".into()), "a line".into());
    assert_eq!((words.first(), words.last()), (Some(&"sh".into()), Some(&"a line".into())));
    let words = shell(None, "exit 3".into());
    let status = Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).status();
    assert_eq!(status.expect("there is a shell").code(), Some(3));
    assert!(!SHELL_VARIABLE.is_empty() && !EXTENSIONS_VARIABLE.is_empty());
    assert!(std::env::split_paths(USUAL_PATH).all(|directory| directory.is_absolute()));
}

#[test]
fn a_program_is_found_by_its_own_name_at_first() {
    let program = std::env::current_exe().expect("this binary has a path");
    let found = candidates(&program, None);
    assert_eq!(found.first().map(AsRef::as_ref), Some(program.as_path()));
    // What is listed for others than this system's programs is not tried.
    let found = candidates(Path::new("tool"), Some(OsStr::new(".CMD;.PY;.EXE")));
    let suffixes: Vec<OsString> = found.iter().map(|path| path.clone().into_os_string()).collect();
    assert!(!found.is_empty() && suffixes.iter().all(|name| name != "tool.py"), "{suffixes:?}");
}

#[test]
fn each_kind_of_lock_excludes_another_open_file() {
    for kind in LockKind::ALL {
        assert!(!kind.word().is_empty() && !kind.used_by().is_empty());
    }
    assert!(LockKind::ALL[0].used_by().contains("dbguard"), "its own comes first");
    let scratch = Scratch::new("contract-trial");
    let (one, other) = (scratch.open_writable(), scratch.open_writable());
    let ours = LockKind::ALL[0];
    let asked = |file, exclusive| ours.try_lock(file, exclusive).expect("it is known here");
    assert!(asked(&one, false) && asked(&other, false));
    assert!(!asked(&one, true));
}

#[test]
fn a_step_that_nobody_asked_for_does_nothing() {
    step::step("contract");
    step::fault("contract").expect("nobody asked it to fail");
    assert!(!step::without_exclusion() && !step::sees_all());
    let before = nanoseconds();
    assert!(before > 0 && nanoseconds() >= before);
}
