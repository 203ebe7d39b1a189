//! Processes, commands and signals, as the contract promises them.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::process::{self, ProcessHandle};
use super::programs::{candidates, has_executable_name, shell};
use super::signals::{self, Origin, SIGKILL, SIGTERM, SIGUSR1, SIGUSR2, SignalMask, Watch};
use super::spawn::{self, Change, Launch};
use super::{holders, mark, portrait, reach, users};
use crate::platform::{Dir, FileId, Liveness, facts_at};

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that waits for its input to end, ended when dropped.
struct Idler(Child);

impl Idler {
    fn start() -> Self {
        let mut command = Command::new("cmd");
        command.args(["/C", "set /P x="]).stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().expect("the command processor starts"))
    }
}

impl Drop for Idler {
    fn drop(&mut self) {
        // It has ended already, where the test was about that.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_process_lives_until_it_ends_and_its_number_alone_proves_nothing() {
    let mut idler = Idler::start();
    let pid = idler.0.id();
    let start = process::start_time(pid).expect("it runs");
    assert_eq!(process::liveness(pid, Some(start)), Liveness::Alive);
    assert_eq!(process::liveness(pid, None), Liveness::Unknown);
    assert_eq!(process::liveness(pid, Some(start + 1)), Liveness::Gone);
    assert_eq!(process::stat(pid).expect("it runs").parent, std::process::id());
    idler.0.kill().expect("ours");
    idler.0.wait().expect("it ends");
    assert_eq!(process::liveness(pid, Some(start)), Liveness::Gone);
}

#[test]
fn a_handle_is_of_the_process_that_started_then_and_of_no_other() {
    let idler = Idler::start();
    let pid = idler.0.id();
    let start = process::start_time(pid).expect("it runs");
    assert!(ProcessHandle::open_started(pid, start + 1).expect("asked").is_none());
    let handle = ProcessHandle::open_started(pid, start).expect("asked").expect("it");
    assert!(!handle.wait(Duration::ZERO).expect("asked"));
    assert!(handle.signal(SIGTERM).expect("ours"));
    assert!(handle.wait(PATIENCE).expect("asked"));
    assert!(!handle.signal(SIGKILL).expect("nobody is there to forbid it"));
}

#[test]
fn a_portrait_is_of_this_very_process() {
    let me = std::process::id();
    let portrait = portrait::portrait(me).expect("it runs");
    assert_eq!((portrait.pid, portrait.state), (me, "running"));
    let program = std::env::current_exe().expect("it has a path");
    let name = program.file_name().expect("of a file").to_string_lossy().into_owned();
    assert!(portrait.name.eq_ignore_ascii_case(&name), "{}", portrait.name);
    assert!(process::all().iter().any(|(pid, _)| *pid == me));
}

fn run(line: &str) -> Change {
    let arguments = shell(None, OsString::from(line));
    let program = std::env::var_os("ComSpec").expect("there is a command processor");
    let launch = Launch {
        program: Path::new(&program),
        arguments: &arguments,
        environment: &[("DBGUARD_UNIT", Some("7".into()))],
        input: None,
        output: None,
        errors: None,
        inherit: &[],
        mask: SignalMask::current(),
    };
    spawn::Child::spawn(&launch).expect("it starts").wait().expect("it ends")
}

#[test]
fn a_command_has_its_environment_and_its_whole_exit_code() {
    assert_eq!(run("exit %DBGUARD_UNIT%"), Change::Exited(7));
    assert_eq!(run("exit 70000"), Change::Exited(70_000));
}

#[test]
fn a_signal_to_ourselves_is_fetched_by_who_watches_for_it() {
    let watch = Watch::new(&[SIGUSR1, SIGUSR2]);
    assert!(!watch.try_take(SIGUSR1));
    signals::raise(SIGUSR1);
    signals::raise(SIGUSR2);
    assert!(watch.try_take(SIGUSR2));
    let arrival = watch.wait(Some(PATIENCE)).expect("it was raised");
    assert_eq!((arrival.signal, arrival.origin), (SIGUSR1, Origin::Process));
    assert!(watch.wait(Some(Duration::from_millis(1))).is_none());
}

#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says why")]
fn a_file_is_used_by_whoever_has_it_open() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    match users::users_of_file(file.as_file()) {
        Err(error) if std::env::var_os("DBGUARD_UNDER_WINE").is_some() => {
            println!("skipped: Wine does not tell who uses a file ({error})");
        }
        users => assert!(users.expect("asked").contains(&std::process::id())),
    }
}

#[test]
fn programs_are_known_by_their_names() {
    assert!(has_executable_name(Path::new("a.EXE")) && !has_executable_name(Path::new("a.txt")));
    let found = candidates(Path::new("tool"), Some(".CMD;.PY;.EXE".as_ref()));
    assert_eq!(found, [Path::new("tool.cmd"), Path::new("tool.exe")]);
    let found = candidates(Path::new("tool.exe"), None);
    assert_eq!(found.first().map(std::path::PathBuf::as_path), Some(Path::new("tool.exe")));
}

#[test]
fn a_process_shows_what_it_has_locked_and_nobody_else_is_taken_for_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let dir = Dir::open(directory.path()).expect("it is there");
    for name in ["one", "other"] {
        std::fs::write(directory.path().join(name), "").expect("written");
    }
    let id = |name: &str| facts_at(&directory.path().join(name)).expect("it is there").id;
    let me = std::process::id();
    assert!(!holders::holds(me, id("one")));
    mark::sign(&dir, "one").expect("it may");
    mark::sign(&dir, "one").expect("it may again");
    let idler = Idler::start();
    assert!(holders::holds(me, id("one")));
    assert!(!holders::holds(me, id("other")));
    assert!(!holders::holds(idler.0.id(), id("one")), "it was only started by the one");
    assert!(mark::sign(&dir, "none").is_err());
}

#[test]
fn only_who_waits_for_it_is_reached_and_by_the_right_claim_alone() {
    let claim = |inode| FileId { device: 0x7e57, inode };
    let me = std::process::id();
    let start = process::start_time(me).expect("it runs");
    let none = |claim| reach::reach(me, start, claim).expect("asked").is_none();
    assert!(none(claim(1)));
    let watch = Watch::new(&[SIGTERM, SIGUSR1]);
    let hearing = reach::hear(&[claim(1), claim(2)], &[SIGTERM, SIGUSR1]).expect("it may");
    assert!(none(claim(3)));
    assert!(reach::reach(me, start + 1, claim(1)).expect("asked").is_none());
    let reached = reach::reach(me, start, claim(2)).expect("asked").expect("it waits");
    for signal in [SIGUSR1, SIGTERM] {
        reached.signal(signal).expect("it is ours");
        let heard = watch.wait(Some(PATIENCE)).expect("it comes");
        assert_eq!((heard.signal, heard.origin), (signal, Origin::Process));
    }
    assert!(reach::hear(&[claim(2)], &[SIGTERM]).is_err(), "the name is taken");
    drop(hearing);
    assert!(none(claim(2)));
    reached.signal(SIGTERM).expect("nobody is there to be told");
    drop(watch);
}
