//! What the contract promises on every system: one set of tests for all of them.
//!
//! What a system does not promise is one of its [`Promises`], and the tests ask for what is true
//! there instead. What only one system has is tested beside it.

mod files;
mod handles;
mod locks;
mod meanings;
mod others;
pub mod parts;
mod processes;
mod signals;
mod spawning;

#[cfg(target_os = "linux")]
mod on_linux;
#[cfg(target_os = "linux")]
use on_linux as system;
#[cfg(target_os = "macos")]
mod on_macos;
#[cfg(target_os = "macos")]
use on_macos as system;
#[cfg(unix)]
mod on_unix;
#[cfg(unix)]
use on_unix as tools;
#[cfg(windows)]
mod on_windows;
#[cfg(windows)]
use {on_windows as system, on_windows as tools};

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use system::PROMISES;

/// Far beyond what anything here takes, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// How far a system keeps a promise that not all of them keep.
#[derive(Clone, Copy)]
struct Kept {
    /// The contract says that it does.
    promised: bool,
    /// What is otherwise under Wine, which plays Windows.
    lacking: Option<&'static str>,
}

impl Kept {
    /// Whether the promise is to be tested.
    fn here(self) -> bool {
        self.promised && !self.is_lacking()
    }

    /// Whether the opposite of the promise is to be tested.
    fn is_denied(self) -> bool {
        !self.promised && !self.is_lacking()
    }

    /// Whether an emulator is at fault, and says so.
    #[expect(clippy::print_stdout, reason = "a part that is skipped says why")]
    fn is_lacking(self) -> bool {
        let lacking = self.lacking.filter(|_| is_wine());
        if let Some(reason) = lacking {
            println!("skipped in part: under Wine {reason}");
        }
        lacking.is_some()
    }
}

/// Whether Wine plays Windows here; whoever starts the tests says so.
pub fn is_wine() -> bool {
    env::var_os("DBGUARD_UNDER_WINE").is_some()
}

/// What not every system promises.
struct Promises {
    /// A process gets signals of every kind, and an end by one is told as such.
    signals: Kept,
    /// A process that has ended shows until it is waited for.
    zombies: Kept,
    /// A lock belongs to the open file: whoever inherits or copies the descriptor has it too.
    inherited_locks: Kept,
    /// A lock outlives its process in one that inherited the file.
    lock_heirs: Kept,
    /// What is locked whole is read by others.
    locked_is_read: Kept,
    /// Who holds the lock on a whole file is told.
    lock_holders: Kept,
    /// A process is known by the marks that it has locked.
    shown_marks: Kept,
    /// An exclusive lock on bytes is told.
    byte_locks: Kept,
    /// A shared lock on bytes is told, and which bytes a lock has.
    shared_byte_locks: Kept,
    /// Who has a file open is told.
    openers: Kept,
    /// This process is told as one of them, with its access.
    own_access: Kept,
    /// That nobody else has a file open can be made sure.
    leases: Kept,
    /// That nobody else has a file open is sure of one that is opened to be taken away.
    taking_away: Kept,
    /// Files have permission bits.
    permission_bits: Kept,
    /// What is removed through an open directory is in that one, wherever it was moved.
    moved_directories: Kept,
    /// An open file that is deleted is told to have no name.
    deleted_files: Kept,
    /// Names are told apart by their case, whether there is a file or not.
    cases: Kept,
    /// A name need not be text.
    odd_names: Kept,
    /// A full pipe, and one that nobody reads, are told.
    full_pipes: Kept,
    /// The whole command line of a process is told.
    command_lines: Kept,
    /// Whose a process of others is, and where it works, is told.
    users_and_directories: Kept,
    /// The threads of this process are counted.
    threads: Kept,
    /// A process can become another one, or a copy of itself.
    copies: Kept,
    /// What a command left behind is handed to us.
    adoption: Kept,
}

/// Returns once it is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not so in time: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A process that does nothing, ended when dropped.
struct Idler(Child);

impl Idler {
    fn start() -> Self {
        Self::with_input(Stdio::null())
    }

    fn with_input(input: Stdio) -> Self {
        let words = parts::words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env(parts::PART, "idle").stdin(input).stdout(Stdio::null());
        Self(command.spawn().expect("this very program starts"))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends it, and leaves it as a zombie.
    fn kill(&mut self) {
        self.0.kill().expect("ours to end");
    }

    /// Takes note of its end.
    fn bury(&mut self) {
        self.0.wait().expect("ours to wait for");
    }
}

impl Drop for Idler {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
