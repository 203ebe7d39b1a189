//! Processes: whether they live, who they are, how they end; the machine they are on.

use std::os::unix::process::parent_id;
use std::time::Duration;

use super::{Idler, PATIENCE, until};
use crate::platform::portrait::{ancestry, namespace_pids, portrait};
use crate::platform::process::{self, ProcessHandle};
use crate::platform::signals::{self, SIGCONT, SIGSTOP, SIGTERM};
use crate::platform::{Liveness, detach, host};

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
    assert!(process::stat(pid).is_some_and(|stat| stat.parent == parent_id()));
}

#[test]
fn a_zombie_does_not_live() {
    let mut idler = Idler::start();
    let pid = idler.pid();
    let start = process::start_time(pid).expect("it lives");
    assert_eq!(process::liveness(pid, Some(start)), Liveness::Alive);
    idler.kill();
    until("it has ended", || process::liveness(pid, Some(start)) == Liveness::Gone);
    assert_eq!(process::state(pid), "zombie");
    idler.bury();
    assert_eq!(process::state(pid), "gone");
    assert_eq!(process::liveness(pid, None), Liveness::Gone);
    assert!(process::try_reap(pid), "it is no child of ours any more");
}

#[test]
fn a_stopped_process_shows_as_stopped_until_it_is_continued() {
    let idler = Idler::start();
    assert!(signals::send(idler.pid(), SIGSTOP));
    until("it is stopped", || process::state(idler.pid()) == "stopped");
    assert!(signals::send(idler.pid(), SIGCONT));
    until("it goes on", || ["sleeping", "running"].contains(&process::state(idler.pid())));
    assert!(!process::try_reap(idler.pid()), "it lives");
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
    assert!(handle.signal(SIGTERM).expect("ours"));
    assert!(handle.wait(PATIENCE).expect("it can be waited for"));
    assert!(handle.wait(Duration::ZERO).expect("it can be waited for"), "it stays dead");
    idler.bury();
    assert!(!handle.signal(SIGTERM).expect("nobody is there to forbid it"));
    assert!(ProcessHandle::open_started(pid, start).is_ok_and(|none| none.is_none()));
    let error = ProcessHandle::open(NOBODY).expect_err("there is none");
    assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
}

#[test]
fn a_child_is_among_all_processes_with_its_command_and_its_user() {
    let idler = Idler::start();
    let all = process::all();
    let child = all.iter().find(|(pid, _)| *pid == idler.pid()).expect("it lives");
    assert_eq!(child.1.parent, std::process::id());
    assert_eq!(Some(child.1.start), process::start_time(idler.pid()));
    // Until it executes it has our command line.
    let command = || process::command_line(idler.pid());
    until("it sleeps", || command() == Some(vec!["sleep".to_owned(), "600".to_owned()]));
    assert_eq!(process::user_of(idler.pid()), Some(host::user()));
    assert!(process::age(idler.pid()).is_some_and(|age| age < PATIENCE));
    assert!(host::shares_process_group(idler.pid()));
    assert_eq!(process::command_line(NOBODY), None);
    assert_eq!(process::age(NOBODY), None);
}

#[test]
fn a_portrait_is_of_the_process_that_is_asked_about() {
    let pid = std::process::id();
    let ours = portrait(pid).expect("we live");
    assert_eq!((ours.pid, ours.parent), (pid, parent_id()));
    assert_eq!(ours.user, Some(host::user()));
    assert_eq!(ours.other_namespace, Some(false));
    let program = std::env::current_exe().expect("it is known");
    assert_eq!(ours.executable.expect("our own may be read").path, program);
    let here = std::env::current_dir().expect("there is one");
    assert_eq!(ours.directory.expect("our own may be read"), here);
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
    let before = process::steady_time();
    assert!(before > Duration::ZERO);
    assert!(process::steady_time() >= before);
    assert!(process::threads().is_some_and(|count| count > 0));
}

#[test]
fn the_machine_and_its_users_have_names() {
    assert_eq!(host::user_name(0), "root");
    assert_eq!(host::user_name(u32::MAX - 7), (u32::MAX - 7).to_string());
    assert!(!host::host().is_empty());
    assert!(host::machine_id().is_none_or(|id| !id.is_empty()));
    let numbers = [host::random(), host::random()].map(|number| number.expect("there is chance"));
    assert_ne!(numbers[0], numbers[1]);
}

#[test]
fn a_process_with_threads_is_not_copied() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || held.recv());
    let Ok(detach::Start::Here(line)) = detach::start() else { panic!("it begins here") };
    assert!(detach::split(line, &[]).is_err());
    drop(hold);
    assert!(thread.join().expect("the thread ends").is_err());
}
