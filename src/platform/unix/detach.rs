//! A process that stays behind when this one ends: it belongs to no terminal, shell or job.
//!
//! It is a copy of this process (`fork`), so that it goes on with the very locks that are held here:
//! they belong to open file descriptions, which both have. The two agree before either goes on: the
//! copy is ready only after it has left everything behind, and it stays only if this process was
//! able to tell of it. Whichever dies in between, the other one sees the end of the connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, chdir, setsid, waitid};

use crate::platform::process;

pub use crate::platform::answers::Reply;

/// How many milliseconds a joined thread may still be listed.
const THREAD_TRIES: u32 = 1_000;

/// What is told is not longer than this.
const LONGEST: u64 = 1 << 20;

/// Where this process takes the locks.
#[derive(Debug)]
pub enum Start {
    /// Here.
    Here(Line),
    /// In another process, which is the one that stays: not on Unix.
    Elsewhere(Keeper),
}

/// What [`split`] needs of the start: nothing on Unix.
#[derive(Debug)]
pub struct Line(());

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Side {
    /// The one that was there before.
    Origin(Keeper),
    /// The one that stays.
    Keeper(Origin),
}

/// The process that stays, as the other one sees it.
#[derive(Debug)]
pub struct Keeper {
    pid: Pid,
    line: UnixStream,
}

/// The process that was there before, as the one that stays sees it.
#[derive(Debug)]
pub struct Origin {
    line: UnixStream,
}

/// Begins, before anything is locked.
///
/// # Errors
/// None on Unix.
///
/// # Platforms
/// On Unix locks can be handed on, so they are taken here.
pub fn start() -> io::Result<Start> {
    Ok(Start::Here(Line(())))
}

/// Makes a copy of this process that has left the session, the working directory, the standard
/// streams and every descriptor that this process inherited. Both return. Whoever started this
/// process may have had any of the signals ignored that are to be `heard`: the copy ignores none.
///
/// # Errors
/// This process has threads, of which a copy would have none; or the system refuses.
///
/// # Platforms
/// Unix.
pub fn split(_line: Line, heard: &[i32]) -> io::Result<Side> {
    demand_one_thread()?;
    let (ours, theirs) = UnixStream::pair()?;
    // SAFETY: there is one thread, so the copy is a whole process: no lock of an allocator or of the
    // standard library is held by a thread that is missing in it.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(ours);
            if leave_everything(heard).is_err() {
                // SAFETY: ends the copy, which has begun nothing yet, without giving back what the
                // other process holds as well; that one sees the end of the connection.
                unsafe { libc::_exit(1) };
            }
            Ok(Side::Keeper(Origin { line: theirs }))
        }
        pid => {
            drop(theirs);
            let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("no pid"))?;
            Ok(Side::Origin(Keeper { pid, line: ours }))
        }
    }
}

impl Keeper {
    /// Waits until the other process is ready to stay, or has ended.
    pub fn until_ready(&mut self) -> Reply {
        let mut told = Vec::new();
        let read = BufReader::new((&self.line).take(LONGEST)).read_until(b'\n', &mut told);
        match read {
            Ok(_) if told.pop() == Some(b'\n') => Reply::Ready(told),
            _ => Reply::Ended,
        }
    }

    /// Tells it to stay.
    ///
    /// # Errors
    /// It has ended.
    pub fn confirm(mut self) -> io::Result<()> {
        self.line.write_all(&[0])
    }

    /// Has it give up, and waits until it has ended.
    pub fn dismiss(self) {
        drop(self.line);
        // There is nothing to do about a child that cannot be waited for.
        let _ = waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED);
    }
}

impl Origin {
    /// Whether the other process has the same locks.
    pub fn has_locks_too(&self) -> bool {
        true
    }

    /// Says that this process is ready and what it has to tell, in one line, and waits for the answer.
    /// `false` if nobody knows of it.
    pub fn is_confirmed(mut self, told: &[u8]) -> bool {
        let line = [told, b"\n"].concat();
        self.line.write_all(&line).is_ok() && self.line.read_exact(&mut [0]).is_ok()
    }
}

/// A thread that was joined is listed for a moment longer.
fn demand_one_thread() -> io::Result<()> {
    let is_alone = || process::threads().is_none_or(|count| count <= 1);
    for _ in 0..THREAD_TRIES {
        if is_alone() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(io::Error::other("a process with threads cannot be copied"))
}

fn leave_everything(heard: &[i32]) -> io::Result<()> {
    setsid()?;
    chdir("/")?;
    let nowhere = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    for number in 0..3 {
        // SAFETY: both are descriptor numbers; what is replaced is a standard stream, which nothing
        // of ours owns.
        if unsafe { libc::dup2(nowhere.as_raw_fd(), number) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    for number in 3..most_descriptors() {
        close_if_inherited(number);
    }
    for signal in heard {
        // SAFETY: SIG_DFL is a valid disposition.
        unsafe { libc::signal(*signal, libc::SIG_DFL) };
    }
    Ok(())
}

/// Closes a descriptor that came through an `execve`. What survives one has no close-on-exec mark,
/// and everything that this process opened has one.
fn close_if_inherited(number: RawFd) {
    // SAFETY: F_GETFD only asks; a number that is not open answers with an error.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags >= 0 && flags & libc::FD_CLOEXEC == 0 {
        // SAFETY: nothing of ours owns it: it was open before this program began.
        unsafe { libc::close(number) };
    }
}

/// Returns a number that no descriptor reaches.
fn most_descriptors() -> RawFd {
    let listed = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let numbers = listed.filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok());
    // Where they are not listed, a number that nearly nobody goes beyond.
    numbers.max().map_or(4096, |highest| highest + 1)
}
