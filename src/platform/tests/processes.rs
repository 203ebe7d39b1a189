//! Processes: whether they live, who they are, how they end; the machine they are on.

use std::time::Duration;

use super::{Idler, PATIENCE, PROMISES, parts, tools, until};
use crate::platform::portrait::{ancestry, namespace_pids, portrait};
use crate::platform::process::{self, ProcessHandle};
use crate::platform::signals::{self, SIGCONT, SIGKILL, SIGSTOP, SIGTERM};
use crate::platform::{Liveness, detach, errors, host};

/// No system has as many processes.
const NOBODY: u32 = i32::MAX.unsigned_abs();

#[test]
fn a_process_is_told_from_a_later_one_of_its_number() {
    let pid = std::process::id();
    let start = process::start_time(pid).expect("we live");
    assert_eq!(process::start_time(pid), Some(start));
    assert_eq!(process::liveness(pid, Some(start)), Liveness::Alive);
    assert_eq!(process::liveness(pid, Some(start + 1)), Liveness::Gone);
    assert_eq!(process::liveness(pid, None), Liveness::Unknown);
    assert_eq!(process::liveness(NOBODY, None), Liveness::Gone);
    assert_eq!(process::start_time(NOBODY), None);
    assert_eq!(process::stat(NOBODY), None);
    let idler = Idler::start();
    let child = process::stat(idler.pid()).expect("it lives");
    assert_eq!((child.parent, Some(child.start)), (pid, process::start_time(idler.pid())));
}

#[test]
fn a_process_that_has_ended_does_not_live() {
    let mut idler = Idler::start();
    let pid = idler.pid();
    let start = process::start_time(pid).expect("it lives");
    assert_eq!(process::liveness(pid, Some(start)), Liveness::Alive);
    assert!(!process::try_reap(pid), "it lives");
    idler.kill();
    until("it has ended", || process::liveness(pid, Some(start)) == Liveness::Gone);
    assert_eq!(process::state(pid), if PROMISES.zombies.is_denied() { "gone" } else { "zombie" });
    idler.bury();
    assert_eq!(process::state(pid), "gone");
    assert_eq!(process::liveness(pid, None), Liveness::Gone);
    assert!(process::try_reap(pid), "it is no child of ours any more");
}

#[test]
fn a_stopped_process_shows_as_stopped_until_it_is_continued() {
    let idler = Idler::start();
    let pid = idler.pid();
    assert!(signals::send(pid, SIGSTOP), "it is there");
    if PROMISES.signals.here() {
        until("it is stopped", || process::state(pid) == "stopped");
    }
    assert!(signals::send(pid, SIGCONT), "it is there");
    until("it goes on", || ["sleeping", "running"].contains(&process::state(pid)));
    assert!(!process::try_reap(pid), "it lives");
}

#[test]
fn the_end_of_a_process_is_waited_for() {
    let mut idler = Idler::start();
    let pid = idler.pid();
    let start = process::start_time(pid).expect("it lives");
    let opened = ProcessHandle::open_started(pid, start).expect("it can be opened");
    let handle = opened.expect("it lives");
    assert!(ProcessHandle::open_started(pid, start + 1).is_ok_and(|other| other.is_none()));
    assert!(!handle.wait(Duration::ZERO).expect("it can be waited for"));
    assert!(handle.signal(0).expect("ours") && !handle.has_ended(), "that sends none");
    assert!(handle.signal(SIGTERM).expect("ours"));
    assert!(handle.wait(PATIENCE).expect("it can be waited for"));
    assert!(handle.wait(Duration::ZERO).expect("it can be waited for"), "it stays dead");
    assert!(handle.has_ended(), "a zombie has");
    idler.bury();
    assert!(!handle.signal(SIGKILL).expect("nobody is there to forbid it"));
    assert!(ProcessHandle::open_started(pid, start).is_ok_and(|none| none.is_none()));
    let error = ProcessHandle::open(NOBODY).expect_err("there is none");
    assert!(errors::is_of_no_process(&error), "{error}");
}

#[test]
fn a_child_is_among_all_processes_with_its_command_and_its_user() {
    let idler = Idler::start();
    let all = process::all();
    let child = all.iter().find(|(pid, _)| *pid == idler.pid()).expect("it lives");
    assert_eq!(child.1.parent, std::process::id());
    assert_eq!(Some(child.1.start), process::start_time(idler.pid()));
    let words: Vec<String> =
        parts::words().into_iter().map(|word| word.into_string().expect("text")).collect();
    let command = || process::command_line(idler.pid());
    if PROMISES.command_lines.here() {
        // Until it executes it has our command line.
        until("it executes", || command().as_deref() == Some(&words));
    } else {
        assert!(command().is_some_and(|words| !words.is_empty()));
    }
    let ours = Some(host::user());
    assert_eq!(process::user_of(std::process::id()), ours);
    let hidden = PROMISES.users_and_directories.is_denied();
    assert_eq!(process::user_of(idler.pid()), ours.filter(|_| !hidden));
    assert!(process::age(idler.pid()).is_some_and(|age| age < PATIENCE));
    assert!(host::shares_process_group(idler.pid()));
    assert_eq!(process::command_line(NOBODY), None);
    assert_eq!(process::age(NOBODY), None);
}

#[test]
fn a_portrait_is_of_the_process_that_is_asked_about() {
    let pid = std::process::id();
    let ours = portrait(pid).expect("we live");
    let parent = process::stat(pid).expect("we live").parent;
    assert_eq!((ours.pid, ours.parent), (pid, parent));
    assert_eq!(ours.user, Some(host::user()));
    assert_eq!(ours.other_namespace, Some(false));
    let program = std::env::current_exe().expect("it is known");
    let told = ours.executable.expect("our own may be read").path;
    assert!(told.as_os_str().eq_ignore_ascii_case(&program), "{told:?}");
    let here = std::env::current_dir().expect("there is one");
    let hidden = PROMISES.users_and_directories.is_denied();
    assert_eq!(ours.directory, Some(here).filter(|_| !hidden));
    assert!(ours.resident_bytes > 0);
    assert!(ours.started.elapsed().is_ok());
    assert!(namespace_pids(pid).is_some_and(|pids| pids.contains(&pid)));
    let idler = Idler::start();
    assert_eq!(ancestry(idler.pid()).first().expect("it has a parent").pid, pid);
    assert_eq!(portrait(NOBODY), None);
    assert_eq!(ancestry(NOBODY), []);
}

#[test]
fn the_boot_and_the_clock_stay() {
    assert!(process::boot_id().is_some_and(|id| !id.is_empty()));
    assert_eq!(process::boot_id(), process::boot_id());
    assert_eq!(process::pid_namespace(), process::pid_namespace());
    assert_eq!(process::has_plain_clock(), process::has_plain_clock());
    assert_eq!(process::all_are_seen(), process::all_are_seen());
    assert!(host::boot_id().is_none_or(|id| Some(id) == process::boot_id()));
    let before = process::steady_time();
    assert!(before > Duration::ZERO);
    assert!(process::steady_time() >= before);
    assert_eq!(process::threads().is_none(), PROMISES.threads.is_denied());
    assert!(process::threads().is_none_or(|count| count > 0));
}

#[test]
fn the_machine_and_its_users_have_names() {
    assert_eq!(host::user_name(0), tools::FIRST_USER);
    assert_eq!(host::user_name(u32::MAX - 7), (u32::MAX - 7).to_string());
    assert!(!host::user_name(host::user()).is_empty());
    assert!(!host::host().is_empty());
    assert!(!host::SEES_ALL.is_empty() && host::OWN_SHELL.contains("$$"));
    assert!(host::KILL.contains("kill"));
    assert!(host::as_root("dbguard unlock a.db").ends_with("dbguard unlock a.db"));
    assert!(host::machine_id().is_none_or(|id| !id.is_empty()));
    let numbers = [host::random(), host::random()].map(|number| number.expect("there is chance"));
    assert_ne!(numbers[0], numbers[1]);
}

#[test]
fn a_process_with_threads_is_not_copied() {
    if !PROMISES.copies.here() {
        return;
    }
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || held.recv());
    let Ok(detach::Start::Here(line)) = detach::start() else { panic!("it begins here") };
    assert!(detach::split(line, &[]).is_err());
    drop(hold);
    assert!(thread.join().expect("the thread ends").is_err());
}
