//! The keys of a console, and the lack of one.

use std::env;
use std::fs;
use std::os::windows::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::OnceLock;

use windows_sys::Win32::System::Console::{
    AllocConsole, CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent, GetConsoleProcessList,
    SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, DETACHED_PROCESS,
};

use crate::actor;
use crate::scene::{Done, Scene, until};
use crate::skipping::wine_lacks;

/// What a process ends with that a key ended.
const ENDED_BY_KEY: i32 = 0xC000_013A_u32.cast_signed();

/// Names the file in which the command that heeds keys says so.
const HEEDED: &str = "ACTOR_HEEDED";

/// What the command ends with that heeds a key.
const ENDED_BY_ITSELF: i32 = 7;

/// Gives this process a console if it has none. `false` if there is none to be had.
fn has_console() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let mut first = 0;
        // SAFETY: there is room for one number, as is said.
        unsafe {
            AllocConsole();
            GetConsoleProcessList(&raw mut first, 1) > 0
        }
    })
}

/// Presses Ctrl-Break for a group of processes.
fn press_break(group: u32) -> bool {
    // SAFETY: no memory is involved.
    unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, group) != 0 }
}

fn skipped() -> bool {
    let is_skipped = !has_console();
    let is_wines_fault = is_skipped && wine_lacks("Wine gives a console only at a terminal");
    assert_eq!(is_skipped, is_wines_fault, "there is a console");
    is_skipped
}

/// Starts dbguard in a group of its own, with a command that this test binary plays.
fn start(scene: &Scene, arguments: &[&str], words: &[String]) -> Child {
    let mut command = scene.dbguard(arguments);
    command.arg("--").args(words).creation_flags(CREATE_NEW_PROCESS_GROUP);
    command.env(HEEDED, scene.path("heeded")).env(actor::PART, "hold");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("dbguard starts")
}

/// Plays the command that does not end by a key, but by itself after it.
#[test]
fn heeds_a_key() {
    let Ok(path) = env::var(HEEDED) else { return };
    unsafe extern "system" fn heard(_: u32) -> i32 {
        std::process::exit(ENDED_BY_ITSELF);
    }
    // SAFETY: the function lives as long as the process.
    unsafe { SetConsoleCtrlHandler(Some(heard), 1) };
    fs::write(path, "ready").expect("written");
    std::thread::sleep(std::time::Duration::from_secs(120));
}

fn heeding() -> Vec<String> {
    let mut words = actor::words();
    words[2] = "windows_console::heeds_a_key".to_owned();
    words
}

#[test]
fn a_key_ends_the_command_and_dbguard_as_any_interrupted_program() {
    if skipped() {
        return;
    }
    let scene = Scene::new();
    let child = start(&scene, &["exec", "a.db"], &actor::words());
    until("it holds", || scene.info("a.db")["guard"]["holders"][0]["child_pid"].is_u64());
    assert!(press_break(child.id()));
    let done = Done::of(child.wait_with_output().expect("it ends"));
    assert_eq!(done.code, ENDED_BY_KEY, "{done:?}");
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(0);
}

#[test]
fn a_command_that_heeds_a_key_has_the_last_word_on_the_exit_code() {
    if skipped() {
        return;
    }
    let scene = Scene::new();
    let child = start(&scene, &["exec", "a.db"], &heeding());
    until("it listens", || scene.path("heeded").exists());
    assert!(press_break(child.id()));
    let done = Done::of(child.wait_with_output().expect("it ends"));
    assert_eq!(done.code, ENDED_BY_ITSELF, "{done:?}");
    scene.play(&["exec", "-n", "a.db"], &["exit", "0"]).is(0);
}

#[test]
fn a_key_ends_a_wait_and_leaves_nothing_in_the_queue() {
    if skipped() {
        return;
    }
    let scene = Scene::new();
    let holder = scene.hold(&["exec", "a.db"]);
    let waiter = start(&scene, &["exec", "-w", "60", "a.db"], &actor::words());
    until("it waits", || scene.waiting("a.db") == 1);
    assert!(press_break(waiter.id()));
    let done = Done::of(waiter.wait_with_output().expect("it ends"));
    assert_eq!(done.code, ENDED_BY_KEY, "{done:?}");
    assert!(done.errors.contains("interrupted"), "{done:?}");
    assert_eq!(scene.waiting("a.db"), 0);
    assert_eq!(holder.end(), 0);
}

#[test]
fn without_a_console_the_log_tells() {
    let scene = Scene::new();
    for flags in [CREATE_NO_WINDOW, DETACHED_PROCESS] {
        let log = scene.path(&format!("log-{flags}"));
        let run = |arguments: &[&str], code: &str| {
            let mut command = scene.dbguard(arguments);
            command.arg("--").args(actor::words()).env(actor::PART, format!("exit\n{code}"));
            command.env("DBGUARD_LOG", "info").env("DBGUARD_LOG_FILE", &log);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.creation_flags(flags).status().expect("dbguard starts").code()
        };
        assert_eq!(run(&["exec", "a.db"], "6"), Some(6));
        let holder = scene.hold(&["exec", "a.db"]);
        assert_eq!(run(&["exec", "-n", "a.db"], "0"), Some(75));
        assert_eq!(holder.end(), 0);
        let told = fs::read_to_string(&log).expect("a log");
        assert!(told.contains("the command has ended"), "{told}");
        assert!(told.contains("a.db is locked"), "{told}");
    }
}
