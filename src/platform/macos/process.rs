//! Facts about processes, from sysctl(3) and libproc. Everything read here is hostile: processes
//! vanish, and command lines lie.

use std::io;
use std::mem::MaybeUninit;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, WaitId, WaitIdOptions};

use super::queue::{Event, Queue};
use super::sysctl;
use crate::platform::Liveness;
use crate::platform::answers::state_word;
use crate::platform::macos_records::{PROCESS_BYTES, ProcessRecord, State, parse_arguments};

pub use crate::platform::answers::ProcessStat;

/// What macOS allows, `ARG_MAX`.
const LARGEST_ARGUMENTS: usize = 1024 * 1024;

/// Returns what the kernel says of a process, `None` if there is none.
///
/// # Platforms
/// `start` is in microseconds since 1970, as the clock was when the process started. Of a process
/// that runs, only its user and root are told whether it sleeps; others see it running.
pub fn stat(pid: u32) -> Option<ProcessStat> {
    Some(stat_of(&record(pid)?))
}

fn stat_of(record: &ProcessRecord) -> ProcessStat {
    ProcessStat { state: state_letter(record), parent: record.parent, start: record.start }
}

/// Returns the record of a process, a zombie's too.
pub(super) fn record(pid: u32) -> Option<ProcessRecord> {
    let mut bytes = [0; PROCESS_BYTES];
    let name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, i32::try_from(pid).ok()?];
    let length = sysctl::read_into(&name, &mut bytes)?;
    ProcessRecord::parse(bytes.get(..length)?).filter(|record| record.pid == pid)
}

/// Returns the letter that Linux has for a state.
pub(super) fn state_letter(record: &ProcessRecord) -> char {
    match record.state {
        State::Stopped => 'T',
        State::Zombie => 'Z',
        State::Running if task(record.pid).is_some_and(|task| task.pti_numrunning == 0) => 'S',
        State::Running => 'R',
    }
}

/// Returns what libproc tells of the work of a process; `None` for another user's.
pub(super) fn task(pid: u32) -> Option<libc::proc_taskinfo> {
    about(pid, libc::PROC_PIDTASKINFO)
}

/// Asks libproc for a record of a process.
pub(super) fn about<T>(pid: u32, flavor: libc::c_int) -> Option<T> {
    let mut record = MaybeUninit::<T>::uninit();
    let size = i32::try_from(size_of::<T>()).ok()?;
    let pid = i32::try_from(pid).ok()?;
    // SAFETY: there is room for as many bytes as is said.
    let length = unsafe { libc::proc_pidinfo(pid, flavor, 0, record.as_mut_ptr().cast(), size) };
    // SAFETY: the kernel has written all of it, and the records that are asked for consist of
    // integers.
    (length == size).then(|| unsafe { record.assume_init() })
}

/// Returns the start time of a process, `None` if there is none.
pub fn start_time(pid: u32) -> Option<u64> {
    Some(record(pid)?.start)
}

/// Returns how long a process has run, `None` if there is none.
///
/// # Platforms
/// By the clock, which may have been set since.
pub fn age(pid: u32) -> Option<Duration> {
    Some(since(start_time(pid)?))
}

/// Returns how long ago a start was.
pub(super) fn since(start: u64) -> Duration {
    SystemTime::now().duration_since(started(start)).unwrap_or_default()
}

/// Returns when a start was.
pub(super) fn started(start: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_micros(start)).unwrap_or(UNIX_EPOCH)
}

/// Tells whether the process with this number and start time still runs.
///
/// An ended process that nobody has waited for (a zombie) does not run.
pub fn liveness(pid: u32, start: Option<u64>) -> Liveness {
    match record(pid) {
        Some(found) if start.is_some_and(|start| start != found.start) => Liveness::Gone,
        Some(found) if found.state == State::Zombie => Liveness::Gone,
        Some(_) if start.is_some() => Liveness::Alive,
        Some(_) => Liveness::Unknown,
        None if exists(pid) => Liveness::Unknown,
        None => Liveness::Gone,
    }
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
///
/// # Platforms
/// Of another user's process only root sees more than its name.
pub fn command_line(pid: u32) -> Option<Vec<String>> {
    let name = [libc::CTL_KERN, libc::KERN_PROCARGS2, i32::try_from(pid).ok()?];
    // Of a buffer that is too small the kernel fills in the end (`sysctl_procargsx` in
    // `bsd/kern/kern_sysctl.c`), so it has the largest size there is.
    let mut bytes = vec![0; most_argument_bytes()];
    let words = sysctl::read_into(&name, &mut bytes)
        .and_then(|length| parse_arguments(bytes.get(..length)?));
    words.or_else(|| Some(vec![record(pid)?.name]))
}

/// Returns how long the arguments and the environment of a process can be.
fn most_argument_bytes() -> usize {
    let mut bytes = [0; 4];
    let length = sysctl::read_into(&[libc::CTL_KERN, libc::KERN_ARGMAX], &mut bytes);
    let most = length.and_then(|_| usize::try_from(i32::from_ne_bytes(bytes)).ok());
    most.unwrap_or(LARGEST_ARGUMENTS).min(LARGEST_ARGUMENTS)
}

/// Returns the owner's number of a living process.
pub fn user_of(pid: u32) -> Option<u32> {
    Some(record(pid)?.user)
}

/// Returns the id of this boot of the machine.
pub fn boot_id() -> Option<String> {
    sysctl::text(c"kern.bootsessionuuid")
}

/// Returns the number of the namespace in which this process's pids mean something: none, for they
/// mean the same everywhere on the machine.
pub fn pid_namespace() -> Option<u64> {
    None
}

/// Whether start times are told here as they are outside.
pub fn has_plain_clock() -> bool {
    true
}

/// Returns every process with its parent.
pub fn all() -> Vec<(u32, ProcessStat)> {
    let table = sysctl::read(&[libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_ALL]);
    let records = ProcessRecord::parse_all(&table.unwrap_or_default());
    records.iter().map(|record| (record.pid, stat_of(record))).collect()
}

/// Whether every process of this machine can be seen, so that one that is not there has ended.
pub fn all_are_seen() -> bool {
    true
}

/// Returns how many threads this process has, `None` where that is not told.
pub fn threads() -> Option<usize> {
    usize::try_from(task(std::process::id())?.pti_threadnum).ok()
}

/// Returns a time that goes on while the machine sleeps, and that nobody can set.
pub fn steady_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is ours to write.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &raw mut now) };
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Orphaned descendants become our children, so that they can be waited for and named.
///
/// # Errors
/// Always, as `Unsupported`: on macOS they become children of process 1, and nothing tells whose
/// they were.
pub fn adopt_orphans() -> io::Result<()> {
    let reason = "macOS does not hand over the descendants of a process that has ended";
    Err(io::Error::new(io::ErrorKind::Unsupported, reason))
}

/// Reaps this child if it has ended, without blocking. `true` if it is gone, also where it was no
/// child of ours any more.
pub fn try_reap(pid: u32) -> bool {
    let Some(pid) = to_pid(pid) else { return true };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    !matches!(rustix::process::waitid(WaitId::Pid(pid), options), Ok(None))
}

/// A living process, to be waited for.
///
/// # Platforms
/// Nothing is open as long as nobody waits: a queue of events does not survive fork(2), and a number
/// in its place might be another file's. So the number of the process can be reused while this is
/// held. Its start is compared before it is signalled; in the moment between the two, the number may
/// still become another one's.
#[derive(Debug)]
pub struct ProcessHandle {
    pid: u32,
    start: u64,
}

impl ProcessHandle {
    /// Opens the process with this number.
    pub fn open(pid: u32) -> io::Result<Self> {
        let start = start_time(pid).ok_or_else(no_such_process)?;
        Ok(Self { pid, start })
    }

    /// Opens the process with this number that started then; `None` if it has ended.
    pub fn open_started(pid: u32, start: u64) -> io::Result<Option<Self>> {
        let handle = Self { pid, start };
        Ok((!handle.has_ended()).then_some(handle))
    }

    /// Whether the process has ended; a zombie has.
    pub fn has_ended(&self) -> bool {
        liveness(self.pid, Some(self.start)) == Liveness::Gone
    }

    /// Sends a signal to the process; `false` if it has ended. 0 sends none, and only asks whether
    /// that would be allowed.
    ///
    /// # Errors
    /// It is not allowed (`PermissionDenied`).
    pub fn signal(&self, signal: i32) -> io::Result<bool> {
        let Some(pid) = to_pid(self.pid).filter(|_| !self.has_ended()) else { return Ok(false) };
        // SAFETY: kill has no memory preconditions.
        if unsafe { libc::kill(pid.as_raw_nonzero().get(), signal) } == 0 {
            return Ok(true);
        }
        match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
            error => Err(error),
        }
    }

    /// Blocks until the process has ended or the time is up. `true` if it has ended.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        let queue = Queue::new()?;
        let event = Event { ident: self.pid as usize, filter: libc::EVFILT_PROC };
        match queue.change(event, libc::EV_ADD, libc::NOTE_EXIT) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(true),
            changed => changed?,
        }
        // From here on the queue tells of its end, if the number is still its own.
        if self.has_ended() {
            return Ok(true);
        }
        match queue.fetch(Some(limit)) {
            Ok(events) => Ok(!events.is_empty()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn no_such_process() -> io::Error {
    io::Error::from_raw_os_error(libc::ESRCH)
}
