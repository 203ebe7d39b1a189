//! Starting a command, and what becomes of it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::until;
use crate::platform::scratch::Scratch;
use crate::platform::signals::{self, SIGCONT, SIGKILL, SIGSTOP, SIGUSR2, SignalMask, Watch};
use crate::platform::spawn::{Change, Child, Launch};

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// A command without anything of ours.
fn bare<'a>(arguments: &'a [OsString]) -> Launch<'a> {
    Launch {
        program: Path::new("/bin/sh"),
        arguments,
        environment: &[],
        input: None,
        output: None,
        errors: None,
        inherit: &[],
        mask: SignalMask::current(),
    }
}

fn next(child: &Child) -> Change {
    let mut change = None;
    until("something becomes of it", || {
        change = child.try_wait().expect("it is ours to wait for");
        change.is_some()
    });
    change.expect("it is there")
}

#[test]
fn a_command_ends_by_its_code_or_by_a_signal() {
    for code in [0, 7, 255] {
        let arguments = words(&["sh", "-c", &format!("exit {code}")]);
        assert_eq!(
            next(&Child::spawn(&bare(&arguments)).expect("it starts")),
            Change::Exited(code)
        );
    }
    let arguments = words(&["sh", "-c", "kill -KILL $$"]);
    let child = Child::spawn(&bare(&arguments)).expect("it starts");
    assert_eq!(next(&child), Change::Signaled(SIGKILL));
}

#[test]
fn a_command_that_is_stopped_can_go_on() {
    let arguments = words(&["sh", "-c", "kill -STOP $$; exit 3"]);
    let child = Child::spawn(&bare(&arguments)).expect("it starts");
    assert_eq!(next(&child), Change::Stopped(SIGSTOP));
    assert_eq!(child.try_wait().expect("it is ours"), None, "it is told once");
    assert!(signals::send(child.pid(), SIGCONT));
    assert_eq!(next(&child), Change::Exited(3));
}

#[test]
fn a_command_reads_and_writes_where_it_is_told_and_inherits_what_it_is_given() {
    let scratch = Scratch::new("contract-spawn");
    let (mut reader, writer) = io::pipe().expect("a pipe is made");
    scratch.open_writable().write_all(b"given").expect("it can be written");
    let input = File::open(scratch.path()).expect("it opens");
    let given = scratch.open_writable();
    // Which number it gets depends on how many are allowed and taken.
    let script = "read -r line; printf '%s %s' \"$line\" \"$ADDED$HOME\"
        for one in /dev/fd/???; do [ ! \"$one\" -ef \"$GIVEN\" ] || printf X 1<>\"$one\"; done";
    let arguments = words(&["sh", "-c", script]);
    let launch = Launch {
        environment: &[
            ("ADDED", Some("new".into())),
            ("HOME", None),
            ("GIVEN", Some(scratch.path().into())),
        ],
        input: Some(input.as_fd()),
        output: Some(writer.as_fd()),
        inherit: &[given.as_fd()],
        ..bare(&arguments)
    };
    let child = Child::spawn(&launch).expect("it starts");
    assert_eq!(next(&child), Change::Exited(0));
    drop(writer);
    let mut printed = String::new();
    reader.read_to_string(&mut printed).expect("it is text");
    assert_eq!(printed, "given new");
    let mut written = String::new();
    File::open(scratch.path()).expect("it opens").read_to_string(&mut written).expect("text");
    assert_eq!(written, "Xiven");
}

#[test]
fn a_command_has_the_signals_as_they_were_before_a_watch() {
    let watch = Watch::new(&[SIGUSR2]);
    let arguments = words(&["sh", "-c", "kill -USR2 $$; exit 9"]);
    let launch = Launch { mask: watch.mask_before(), ..bare(&arguments) };
    let child = Child::spawn(&launch).expect("it starts");
    assert_eq!(next(&child), Change::Signaled(SIGUSR2));
}

#[test]
fn a_script_without_an_interpreter_is_run_and_what_is_no_program_is_an_error() {
    let scratch = Scratch::new("contract-script");
    let script = scratch.directory().join("script");
    std::fs::write(&script, "exit $(($1 + 1))\n").expect("it can be written");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&script, executable).expect("it is ours");
    let arguments = words(&["script", "4"]);
    // Another test may start a process while the script is open for writing there.
    let mut child = None;
    until("it starts", || {
        let started = Child::spawn(&Launch { program: &script, ..bare(&arguments) });
        child = started.ok();
        child.is_some()
    });
    assert_eq!(next(&child.expect("it has started")), Change::Exited(5));
    let absent = Launch { program: Path::new("/no/such/program"), ..bare(&arguments) };
    let error = Child::spawn(&absent).expect_err("there is none");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let refused = Launch { program: scratch.path(), ..bare(&arguments) };
    let error = Child::spawn(&refused).expect_err("it may not be executed");
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
}
