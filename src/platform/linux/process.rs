//! Facts about processes, from `/proc`. Everything read here is hostile: processes vanish,
//! command lines lie, and `/proc` may be hidden.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::str::SplitAsciiWhitespace;
use std::time::Duration;

use rustix::event::{self, PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions};
use rustix::time::{ClockId, clock_gettime};

use crate::platform::Liveness;
use crate::platform::answers::state_word;

pub use crate::platform::answers::ProcessStat;

/// A command line longer than this is cut: it is only shown.
const COMMAND_LINE_BYTES: usize = 4096;

/// The length of the kernel's clock tick as user space sees it: `USER_HZ` is 100 on every
/// architecture that Rust has.
const TICK_MILLISECONDS: u64 = 10;

/// More than the fields that are read ever take.
const STAT_BYTES: usize = 512;

/// Returns what the kernel says of a process, `None` if there is none or it is hidden.
pub fn stat(pid: u32) -> Option<ProcessStat> {
    let mut line = [0; STAT_BYTES];
    parse_stat(read_once(&format!("/proc/{pid}/stat"), &mut line)?)
}

/// Reads a short file of the kernel's: three calls, where `fs::read` probes for the size.
pub(super) fn read_once<'a>(path: &str, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let length = fs::File::open(path).ok()?.read(buffer).ok()?;
    buffer.get(..length)
}

/// Splits a `stat` line into the program's name and the fields after it, the state first. The name
/// may hold anything, so fields count from the last `)`.
pub(super) fn split_stat(line: &[u8]) -> Option<(&[u8], SplitAsciiWhitespace<'_>)> {
    let begin = line.iter().position(|byte| *byte == b'(')?;
    let end = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(line.get(end + 1..)?).ok()?;
    Some((line.get(begin + 1..end)?, rest.split_ascii_whitespace()))
}

fn parse_stat(line: &[u8]) -> Option<ProcessStat> {
    let (_, mut fields) = split_stat(line)?;
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some(ProcessStat { state, parent, start })
}

/// Returns the start time of a process, `None` if there is none or it is hidden.
pub fn start_time(pid: u32) -> Option<u64> {
    Some(stat(pid)?.start)
}

/// Returns how long a process has run, `None` if there is none or it is hidden.
pub fn age(pid: u32) -> Option<Duration> {
    Some(since(start_time(pid)?))
}

/// Returns how long ago a start was. Both clocks count from boot and through suspension.
pub(super) fn since(start_ticks: u64) -> Duration {
    steady_time().saturating_sub(ticks(start_ticks))
}

/// Returns what the kernel counted as a time.
pub(super) fn ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(TICK_MILLISECONDS))
}

/// Tells whether the process with this number and start time still runs.
///
/// An ended process that nobody has waited for (a zombie) does not run.
pub fn liveness(pid: u32, start: Option<u64>) -> Liveness {
    match stat(pid) {
        Some(found) if start.is_some_and(|start| start != found.start) => Liveness::Gone,
        Some(found) if matches!(found.state, 'Z' | 'X') && !has_live_thread(pid) => Liveness::Gone,
        Some(_) if start.is_some() => Liveness::Alive,
        Some(_) => Liveness::Unknown,
        None if exists(pid) => Liveness::Unknown,
        None => Liveness::Gone,
    }
}

/// A process whose first thread has ended shows as a zombie although it works on.
fn has_live_thread(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().any(|thread| {
        let stat = fs::read(thread.path().join("stat")).ok();
        stat.and_then(|line| parse_stat(&line)).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
    })
}

fn exists(pid: u32) -> bool {
    let Some(pid) = to_pid(pid) else { return false };
    rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

fn to_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Returns a word for the state of a process.
pub fn state(pid: u32) -> &'static str {
    match stat(pid) {
        Some(stat) => state_word(stat.state),
        None if exists(pid) => "unknown",
        None => "gone",
    }
}

/// Returns the command line of a living process, `None` where it cannot be read or is empty.
pub fn command_line(pid: u32) -> Option<Vec<String>> {
    let mut bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    bytes.truncate(COMMAND_LINE_BYTES);
    let text = String::from_utf8_lossy(&bytes);
    let words: Vec<_> = text.trim_end_matches('\0').split('\0').map(str::to_owned).collect();
    if words.first().is_none_or(String::is_empty) {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        return Some(vec![name.trim_end().to_owned()]);
    }
    Some(words)
}

/// Returns the owner's number of a living process.
pub fn user_of(pid: u32) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    Some(fs::metadata(format!("/proc/{pid}")).ok()?.uid())
}

/// Returns the id of this boot of the machine.
pub fn boot_id() -> Option<String> {
    let mut id = [0; 64];
    let id = read_once("/proc/sys/kernel/random/boot_id", &mut id)?;
    Some(std::str::from_utf8(id).ok()?.trim().to_owned())
}

/// Returns the number of the namespace in which this process's pids mean something.
pub fn pid_namespace() -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    Some(fs::metadata("/proc/self/ns/pid").ok()?.ino())
}

/// Whether start times are told here as they are outside: a time namespace shifts them.
pub fn has_plain_clock() -> bool {
    /// The time namespace that all begin in (`PROC_TIME_INIT_INO` in the kernel's `proc_ns.h`).
    const INITIAL: &str = "time:[4026531834]";
    // Kernels without time namespaces have no such file.
    fs::read_link("/proc/self/ns/time").map_or(true, |link| link.as_os_str() == INITIAL)
}

/// Returns every process with its parent: what can be seen of the tree.
pub fn all() -> Vec<(u32, ProcessStat)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

/// Whether every process of this machine can be seen, so that one that is not there has ended.
///
/// # Platforms
/// Not in a PID namespace; and not on Windows where Linux runs beside it (WSL), whose processes have
/// numbers of their own and the same host name.
pub fn all_are_seen() -> bool {
    super::holders::table_is_complete()
}

/// Returns how many threads this process has, `None` where that is not told.
pub fn threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}

/// Returns a time that goes on while the machine sleeps, and that nobody can set.
pub fn steady_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

/// Orphaned descendants become our children, so that they can be waited for and named.
pub fn adopt_orphans() -> io::Result<()> {
    // The value is only a flag for this option; any pid means "on".
    let me = rustix::process::getpid();
    Ok(rustix::process::set_child_subreaper(Some(me))?)
}

/// Reaps this child if it has ended, without blocking. `true` if it is gone, also where it was no
/// child of ours any more.
pub fn try_reap(pid: u32) -> bool {
    let Some(pid) = to_pid(pid) else { return true };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    !matches!(rustix::process::waitid(WaitId::Pid(pid), options), Ok(None))
}

/// One process, to be waited for and signalled: whoever gets its number later is not meant.
#[derive(Debug)]
pub struct ProcessHandle(OwnedFd);

impl ProcessHandle {
    /// Opens the process with this number.
    pub fn open(pid: u32) -> io::Result<Self> {
        let pid = to_pid(pid).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        Ok(Self(rustix::process::pidfd_open(pid, PidfdFlags::empty())?))
    }

    /// Opens the process with this number that started then; `None` if it has ended.
    ///
    /// The number alone may be another one's by now. The handle comes first: if the start time is
    /// right after that, and the process has not ended yet, both are of the same one.
    ///
    /// # Errors
    /// The kernel has no such handles, or no descriptor is left.
    ///
    /// # Platforms
    /// Linux: a pidfd. Windows: a process handle, which pins the number by itself.
    pub fn open_started(pid: u32, start: u64) -> io::Result<Option<Self>> {
        let handle = match Self::open(pid) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(None),
            handle => handle?,
        };
        let is_it = start_time(pid) == Some(start) && !handle.has_ended();
        Ok(is_it.then_some(handle))
    }

    /// Whether the process has ended; a zombie has.
    pub fn has_ended(&self) -> bool {
        self.wait(Duration::ZERO).unwrap_or(false)
    }

    /// Sends a signal to the process; `false` if it has ended. 0 sends none, and only asks whether
    /// that would be allowed.
    ///
    /// # Errors
    /// It is not allowed (`PermissionDenied`).
    ///
    /// # Platforms
    /// Where there are no signals, `SIGTERM` and `SIGKILL` both end the process at once.
    pub fn signal(&self, signal: i32) -> io::Result<bool> {
        let (none, flags) = (std::ptr::null::<libc::siginfo_t>(), 0_u32);
        let handle = self.0.as_raw_fd();
        // SAFETY: the descriptor is open as long as `self` lives, and the kernel takes a null
        // pointer for what kill(2) would tell of the sender.
        let sent =
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, handle, signal, none, flags) };
        match (sent, io::Error::last_os_error()) {
            (0, _) => Ok(true),
            (_, error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
            (_, error) => Err(error),
        }
    }

    /// Blocks until the process has ended or the time is up. `true` if it has ended.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        let mut polled = [PollFd::new(&self.0, PollFlags::IN)];
        let limit = Timespec::try_from(limit).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match event::poll(&mut polled, Some(&limit)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parse_stat;

    #[test]
    fn a_program_named_like_a_stat_line_is_read_correctly() {
        let line = b"4711 (a) R 1 (b) Z) S 17 1 1 0 -1 0 1 2 3 4 5 6 7 8 9 10 11 0 1234567 0";
        let found = parse_stat(line).expect("well formed");
        assert_eq!((found.state, found.parent, found.start), ('S', 17, 1_234_567));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _result = parse_stat(&line);
        }
    }
}
