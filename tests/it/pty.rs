//! A pseudo-terminal with a job-controlling shell on it, and what a person does at its keyboard.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::system::Signal;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::actor;
use crate::process::{Process, comes_true, signal_while};
use crate::scene::Scene;

/// A terminal and the shell that leads its session.
pub struct Terminal {
    /// `None` once it hung up.
    keyboard: Option<File>,
    screen: Arc<Mutex<Vec<u8>>>,
    /// Dropped to end the reader, who has the terminal open too.
    reader: Option<OwnedFd>,
    /// The shell; its children are in process groups of their own.
    pub shell: Process,
    /// Kept open so that the reader does not take the time before the shell for the end.
    _other_end: OwnedFd,
}

impl Terminal {
    /// Runs `script` with job control on a new terminal.
    ///
    /// The shell itself survives Ctrl-C (its children do not inherit the trap), so that the
    /// script can go on and say how its job ended.
    pub fn open(scene: &Scene, script: &str) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a pseudo-terminal");
        grantpt(&master).expect("grantpt");
        unlockpt(&master).expect("unlockpt");
        let name = ptsname(&master, Vec::new()).expect("ptsname");
        let path = PathBuf::from(name.to_str().expect("a terminal's path is text"));
        let keyboard = File::from(master);
        resize(&keyboard, 24, 80);
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let other_end = rustix::fs::open(&path, flags, Mode::empty()).expect("open the tty");
        let script = format!("trap : INT; {script}");
        let part = actor::session(&path, &["sh", "-m", "-c", &script]);
        let words = actor::words();
        let shell = scene
            .run(&words[0], &words[1..])
            .env(actor::PART, part)
            .env("TERM", "xterm")
            .own_session()
            .spawn();
        let screen = Arc::default();
        let (stop, reader) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        record(keyboard.try_clone().expect("a descriptor more"), stop, Arc::clone(&screen));
        Self {
            keyboard: Some(keyboard),
            screen,
            reader: Some(reader),
            shell,
            _other_end: other_end,
        }
    }

    /// Presses keys: `"\x03"` is Ctrl-C, `"\x1a"` Ctrl-Z.
    pub fn press(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().expect("it did not hang up");
        keyboard.write_all(keys.as_bytes()).expect("the terminal is open");
    }

    /// Changes the size of the window.
    pub fn resize(&self, rows: u16, columns: u16) {
        resize(self.keyboard.as_ref().expect("it did not hang up"), rows, columns);
    }

    /// Hangs up, as a closed window or a broken connection does.
    pub fn hang_up(&mut self) {
        self.keyboard = None;
        self.reader = None;
    }

    /// Returns all that was shown so far.
    pub fn screen(&self) -> String {
        let shown = self.screen.lock().expect("the reader does not panic");
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Waits until a text was shown.
    #[track_caller]
    pub fn until_shown(&self, text: &str) {
        let shown = comes_true(|| self.screen().contains(text));
        assert!(shown, "never shown: `{text}`\n--- screen\n{}", self.screen());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The jobs have groups of their own, which the drop of the shell does not reach. They
        // are found as the members of its session, which the shell, unreaped, pins.
        for pid in session_members(self.shell.pid()) {
            signal_while(pid, || session_of(pid) == Some(self.shell.pid()), Signal::KILL);
        }
    }
}

/// Returns the processes of a session.
fn session_members(session: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| session_of(*pid) == Some(session)).collect()
}

fn session_of(pid: u32) -> Option<u32> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    line.rsplit_once(") ")?.1.split(' ').nth(3)?.parse().ok()
}

fn resize(terminal: &File, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("set the window size");
}

/// Collects what is shown, until the last process on the terminal is gone or `stop` is closed.
fn record(mut master: File, stop: OwnedFd, screen: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let mut polled =
                [PollFd::new(&master, PollFlags::IN), PollFd::new(&stop, PollFlags::IN)];
            match poll(&mut polled, None) {
                Err(rustix::io::Errno::INTR) => continue,
                result => drop(result.expect("poll")),
            }
            if !polled[1].revents().is_empty() {
                return;
            }
            // EIO is how a master says that nobody has the terminal open any more.
            let Ok(count @ 1..) = master.read(&mut buffer) else { return };
            let mut shown = screen.lock().expect("no test panics while it looks");
            shown.extend_from_slice(&buffer[..count]);
        }
    });
}
