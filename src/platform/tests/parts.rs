//! The parts that this very test binary plays when it is started as a command.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process;
use std::thread;
use std::time::Duration;

use super::{PATIENCE, PROMISES};
use crate::platform::signals::{self, SIGUSR1, SIGUSR2, SignalMask, Watch};
use crate::platform::spawn::{self, Launch};
use crate::platform::{errors, host, process as processes, steps};

/// Names the part to play: a word, and perhaps a number.
pub const PART: &str = "PLATFORM_PART";

/// Returns the command line that plays the part given in the environment.
pub fn words() -> Vec<OsString> {
    let me = env::current_exe().expect("this binary has a path").into_os_string();
    let this_test = "platform::tests::parts::plays_the_part_in_its_environment";
    let harness = ["--exact", this_test, "--nocapture", "--test-threads=1"];
    std::iter::once(me).chain(harness.map(OsString::from)).collect()
}

/// A command without anything of ours, which is given as `words`.
pub fn bare(words: &[OsString]) -> Launch<'_> {
    Launch {
        program: Path::new(&words[0]),
        arguments: words,
        environment: &[],
        input: None,
        output: None,
        errors: None,
        inherit: &[],
        mask: SignalMask::current(),
    }
}

#[test]
#[expect(clippy::exit, reason = "this is all of the process that plays the part")]
fn plays_the_part_in_its_environment() {
    let Ok(part) = env::var(PART) else { return };
    let (word, number) = part.split_once(' ').unwrap_or((&part, "0"));
    let number: i32 = number.parse().expect("a number");
    match word {
        "idle" => thread::sleep(10 * PATIENCE),
        "exit" => {}
        "signal" => {
            signals::send(process::id(), number);
            thread::sleep(PATIENCE);
        }
        "die" => signals::die_of(number),
        "stop" => signals::stop_self(),
        "step" => steps::stop(),
        "second" => second(),
        "copy" => copy(),
        "become" => become_another(),
        "reap" => reap(number),
        "begin" => begin(),
        _ => panic!("no such part: {part}"),
    }
    process::exit(number);
}

/// After the first signal has been understood, a second one acts as it always does.
fn second() {
    let watch = Watch::new(&[SIGUSR1, SIGUSR2]);
    signals::raise(SIGUSR1);
    assert!(watch.try_take(SIGUSR1));
    watch.let_through();
    signals::raise(SIGUSR2);
    thread::sleep(PATIENCE);
}

/// Says what it reads and what it finds in its environment.
fn copy() {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).expect("text");
    let added = env::var("ADDED").unwrap_or_default();
    let taken = env::var("TAKEN").unwrap_or_default();
    let mut output = io::stdout();
    write!(output, "<{text} {added}{taken}>").and_then(|()| output.flush()).expect("it is read");
    write!(io::stderr(), "<told>").expect("it is read");
}

/// Becomes one that exits with 9; returns where that cannot be.
fn become_another() {
    let words = words();
    let environment = [(PART, Some("exit 9".into()))];
    let error = spawn::become_command(&Launch { environment: &environment, ..bare(&words) });
    assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
}

/// What no other test may do beside others: reaping whatever there is.
fn reap(number: i32) {
    let adopted = processes::adopt_orphans();
    if PROMISES.adoption.is_denied() {
        assert_eq!(adopted.expect_err("not here").kind(), io::ErrorKind::Unsupported);
    } else {
        adopted.expect("it is asked for");
    }
    let nobody = spawn::try_reap_any().expect_err("nobody is there");
    assert!(errors::is_childless(&nobody), "{nobody}");
    let words = words();
    let environment = [(PART, Some(format!("exit {number}").into()))];
    let launch = Launch { environment: &environment, ..bare(&words) };
    let child = spawn::Child::spawn(&launch).expect("it starts");
    assert_eq!(child.wait().expect("it ends"), spawn::Change::Exited(number));
    loop {
        // Where ends are told by a thread, it may see this one a moment later.
        match spawn::try_reap_any() {
            Ok(_) => thread::sleep(Duration::from_millis(1)),
            Err(error) => break assert!(errors::is_childless(&error), "{error}"),
        }
    }
}

/// What is done once, at the beginning of a process.
fn begin() {
    super::tools::forget_what_the_library_did();
    signals::turn_into_errors();
    host::share_one_heap();
    let (reader, mut writer) = io::pipe().expect("a pipe is made");
    drop(reader);
    let error = writer.write_all(b"lost").expect_err("nobody reads it");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    // There is no terminal that these could be about: they are harmless, then.
    host::forget_typed();
    assert_eq!(host::terminal_width(), None);
    // A terminal that controls us has us in a group.
    assert!(!host::in_foreground() || host::shares_process_group(process::id()));
}
