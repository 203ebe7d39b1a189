//! Who and where we are: user, host, terminal.

use std::fs;
use std::io::IsTerminal;

use rustix::process::{Pid, getpgid, getpgrp, getuid};
use rustix::termios;

use crate::platform::system::process;

pub use crate::platform::system::machine::{machine_id, random, share_one_heap, user_name};

/// Returns our user's number.
pub fn user() -> u32 {
    getuid().as_raw()
}

/// How a shell is told from whom a lock is taken for.
pub const OWN_SHELL: &str = "--for-pid $$ means the shell that runs dbguard";

/// What ends a process by its number.
pub const KILL: &str = "kill";

/// Who may read everything.
pub const SEES_ALL: &str = "root";

/// Returns what to do to run something as somebody who may do more.
pub fn as_root(command: &str) -> String {
    format!("type: sudo {command}")
}

/// Returns the id of this boot as other programs write it into their lock files.
///
/// # Platforms
/// `None` on Windows, where they write none; [`process::boot_id`] is the machine's there.
pub fn boot_id() -> Option<String> {
    process::boot_id()
}

/// Returns the host's name.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Whether this process is in the foreground of its controlling terminal, so that a person can
/// stop and continue it with keys.
pub fn in_foreground() -> bool {
    let Ok(terminal) = fs::File::open("/dev/tty") else { return false };
    termios::tcgetpgrp(&terminal).is_ok_and(|foreground| foreground == getpgrp())
}

/// Whether a process is in our process group, and so gets the keys of the terminal as we do.
pub fn shares_process_group(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| getpgid(Some(pid)).is_ok_and(|group| group == getpgrp()))
}

/// Returns the width of the terminal on standard error, if there is one.
pub fn terminal_width() -> Option<usize> {
    let error = std::io::stderr();
    if !error.is_terminal() {
        return None;
    }
    termios::tcgetwinsize(&error).ok().map(|size| usize::from(size.ws_col)).filter(|w| *w > 0)
}

/// Forgets what was typed at the terminal of standard input and not read yet; nothing if it is none.
pub fn forget_typed() {
    // Where it cannot be forgotten it is read, as everywhere else.
    let _ = termios::tcflush(std::io::stdin(), termios::QueueSelector::IFlush);
}
