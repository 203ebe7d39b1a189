//! Starting a command, and what becomes of it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::parts::{self, PART, bare};
use super::{PROMISES, tools, until};
use crate::platform::scratch::Scratch;
use crate::platform::signals::{
    self, SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, SIGUSR2, SignalMask, Watch,
};
use crate::platform::spawn::{Change, Child, Launch};
use crate::platform::{NOWHERE, lend, open_to_append};

fn next(child: &Child) -> Change {
    let mut change = None;
    until("something becomes of it", || {
        change = child.try_wait().expect("it is ours to wait for");
        change.is_some()
    });
    change.expect("it is there")
}

/// Starts this very program to play a part.
fn play(part: &str) -> Child {
    play_with(part, SignalMask::current())
}

fn play_with(part: &str, mask: SignalMask) -> Child {
    let words = parts::words();
    let environment = [(PART, Some(part.into()))];
    // What the harness says is nobody's business.
    let nowhere = open_to_append(Path::new(NOWHERE)).expect("it is there");
    let output = Some(lend(&nowhere));
    let launch = Launch { environment: &environment, output, mask, ..bare(&words) };
    Child::spawn(&launch).expect("this very program starts")
}

/// What an end by a signal is told as.
fn ended_by(signal: i32) -> Change {
    if PROMISES.signals.is_denied() {
        Change::Exited(128 + signal)
    } else {
        Change::Signaled(signal)
    }
}

#[test]
fn a_command_ends_by_its_code_or_by_a_signal() {
    for code in [0, 7, 255] {
        assert_eq!(next(&play(&format!("exit {code}"))), Change::Exited(code));
        assert_eq!(play(&format!("exit {code}")).wait().expect("ours"), Change::Exited(code));
    }
    assert_eq!(next(&play(&format!("signal {SIGKILL}"))), ended_by(SIGKILL));
    assert_eq!(next(&play(&format!("die {SIGTERM}"))), ended_by(SIGTERM));
    let child = play("idle");
    assert_eq!(child.try_wait().expect("it is ours"), None, "it runs");
    assert!(signals::send(child.pid(), SIGKILL));
    assert_eq!(child.wait().expect("it is ours"), ended_by(SIGKILL));
}

#[test]
fn a_process_stops_itself_where_somebody_could_continue_it() {
    let child = play("stop 3");
    let mut change = next(&child);
    // In a process group that no shell watches it goes on at once.
    if change == Change::Stopped(SIGTSTP) {
        assert!(signals::send(child.pid(), SIGCONT));
        change = next(&child);
    }
    assert_eq!(change, Change::Exited(3));
}

#[test]
fn a_command_at_a_step_stays_there_until_it_is_continued_or_ended() {
    let child = play("step 4");
    if PROMISES.signals.here() {
        assert_eq!(next(&child), Change::Stopped(SIGSTOP));
        assert_eq!(child.try_wait().expect("it is ours"), None, "it is told once");
        assert!(signals::send(child.pid(), SIGCONT));
        assert_eq!(next(&child), Change::Exited(4));
    } else {
        assert_eq!(child.try_wait().expect("it is ours"), None);
        assert!(signals::send(child.pid(), SIGKILL));
        assert_eq!(child.wait().expect("it is ours"), ended_by(SIGKILL));
    }
}

#[test]
fn after_the_first_signal_a_second_one_acts_as_it_always_does() {
    assert_eq!(next(&play("second")), ended_by(SIGUSR2));
}

#[test]
fn what_a_process_does_at_its_beginning_is_harmless() {
    // Standard error is no terminal: nobody's width is told.
    let words = parts::words();
    let (mut reader, writer) = io::pipe().expect("a pipe is made");
    let environment = [(PART, Some("begin 6".into()))];
    let errors = Some(lend(&writer));
    let launch = Launch { environment: &environment, errors, ..bare(&words) };
    let child = Child::spawn(&launch).expect("this very program starts");
    drop(writer);
    let mut said = String::new();
    reader.read_to_string(&mut said).expect("text");
    assert_eq!(next(&child), Change::Exited(6), "{said}");
}

#[test]
fn a_command_reads_and_writes_where_it_is_told_and_has_its_environment() {
    let scratch = Scratch::new("contract-spawn");
    fs::write(scratch.path(), b"given").expect("it can be written");
    let (mut reader, writer) = io::pipe().expect("a pipe is made");
    let (mut other_reader, errors) = io::pipe().expect("a pipe is made");
    let input = File::open(scratch.path()).expect("it opens");
    let words = parts::words();
    let environment =
        [(PART, Some("copy 0".into())), ("ADDED", Some("new".into())), ("TAKEN", None)];
    let launch = Launch {
        environment: &environment,
        input: Some(lend(&input)),
        output: Some(lend(&writer)),
        errors: Some(lend(&errors)),
        ..bare(&words)
    };
    let child = Child::spawn(&launch).expect("it starts");
    drop((writer, errors));
    let [mut printed, mut said] = [String::new(), String::new()];
    reader.read_to_string(&mut printed).expect("it is text");
    other_reader.read_to_string(&mut said).expect("it is text");
    assert_eq!(next(&child), Change::Exited(0), "{said}");
    // The harness has its say, too.
    assert!(printed.contains("<given new>"), "{printed}");
    assert!(said.contains("<told>"), "{said}");
}

#[test]
fn a_command_has_the_signals_as_they_were_before_a_watch() {
    let watch = Watch::new(&[SIGUSR2]);
    let child = play_with(&format!("signal {SIGUSR2}"), watch.mask_before());
    if PROMISES.signals.here() {
        assert_eq!(next(&child), Change::Signaled(SIGUSR2));
    } else {
        assert!(signals::send(child.pid(), SIGKILL));
    }
}

#[test]
fn a_process_becomes_a_command_where_it_can() {
    let code = if PROMISES.copies.is_denied() { 42 } else { 9 };
    assert_eq!(next(&play("become 42")), Change::Exited(code));
}

#[test]
fn nobody_is_left_to_be_reaped_once_all_have_ended() {
    assert_eq!(next(&play("reap 5")), Change::Exited(5));
}

#[test]
fn a_script_is_run_and_what_is_no_program_is_an_error() {
    let scratch = Scratch::new("contract-script");
    let script = tools::script(scratch.directory());
    let arguments = ["script", "4"].map(OsString::from);
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
    if PROMISES.permission_bits.here() {
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }
    let nul = ["x", "a\0b"].map(OsString::from);
    let error = Child::spawn(&Launch { program: &script, ..bare(&nul) }).expect_err("no word");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}
