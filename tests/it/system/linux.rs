//! Linux: pidfds, process groups and `/proc`.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, kill_process, kill_process_group, pidfd_open,
    pidfd_send_signal, waitid,
};
use rustix::time::{ClockId, clock_gettime};

pub use rustix::process::Signal;

/// The user that stands in for "an ordinary user" when the tests run as root.
const NOBODY: u32 = 65534;

/// A process, and no other one that gets its number later.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Handle {
    /// Opens the process that has this number; nothing if there is none.
    pub fn open(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        Some(Self(pidfd_open(pid, PidfdFlags::empty()).ok()?))
    }

    /// Opens a child that nobody has reaped.
    pub fn of(child: &Child) -> Self {
        Self(pidfd_open(Pid::from_child(child), PidfdFlags::empty()).expect("a pidfd of our child"))
    }

    /// Waits for the end for a while, without reaping; returns whether it came.
    pub fn ends_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).expect("a minute fits");
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&timeout)) {
                Ok(0) => return false,
                Ok(_) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("poll: {error}"),
            }
        }
    }

    /// Sends a signal; `false` if the process has ended.
    pub fn signal(&self, signal: Signal) -> bool {
        pidfd_send_signal(&self.0, signal).is_ok()
    }

    /// Returns another handle of the same process.
    pub fn again(&self) -> Self {
        Self(self.0.try_clone().expect("a descriptor more"))
    }
}

/// Returns the state letter of a process: `R`, `S`, `T`, `Z`, ..; nothing if it is gone.
pub fn process_state(pid: u32) -> Option<char> {
    stat(pid)?.chars().next()
}

/// Returns when a process started, in a unit of the system's; `None` if there is none that lives.
pub fn start_of(pid: u32) -> Option<u64> {
    let stat = stat(pid).filter(|stat| !stat.starts_with(['Z', 'X']))?;
    stat.split(' ').nth(19)?.parse().ok()
}

/// Returns what `/proc` tells of a process, from its state on: what is before it may hold anything.
fn stat(pid: u32) -> Option<String> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(line.rsplit_once(") ")?.1.to_owned())
}

/// Returns whom a process has started.
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

/// Tells whether a process belongs to what a child of ours has started: it is in its group.
pub fn is_of(pid: u32, child: u32) -> bool {
    let group = || {
        let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        line.rsplit_once(") ")?.1.split(' ').nth(2)?.parse().ok()
    };
    group() == Some(child)
}

/// Makes what is started the leader of a process group of its own.
pub fn lead_group(command: &mut Command) {
    command.process_group(0);
}

/// Kills a child and whoever is in its group. The zombie pins the number of the group.
pub fn kill_group(child: &Child) {
    let pid = Pid::from_child(child);
    // ESRCH cannot be (the leader is not reaped); EPERM means that it changed its user,
    // and then it is the one that the tests made an ordinary user: root may kill it.
    let _ = kill_process_group(pid, Signal::KILL);
    // For one that has not become a group leader yet.
    let _ = kill_process(pid, Signal::KILL);
}

/// Returns the exit code and the signal of a child that has ended, without reaping it.
pub fn end_of(child: &Child) -> (Option<i32>, Option<i32>) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(Pid::from_child(child)), options)
        .expect("it is our child")
        .expect("waitid without NOHANG returns a status");
    (status.exit_status(), status.terminating_signal())
}

/// Returns the monotonic clock in nanoseconds, the same for all processes.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).expect("the clock began at zero");
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).expect("below a second")
}

/// Tells whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Lets a command run as an ordinary user.
pub fn be_ordinary(command: &mut Command) {
    command.uid(NOBODY).gid(NOBODY);
}

/// Returns the permissions of a file in octal.
pub fn shown_mode(metadata: &Metadata) -> String {
    format!("{:06o}", metadata.mode())
}

/// What is to stay as it is of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Facts {
    inode: u64,
    mode: u32,
    modified: (i64, i64),
    links: u64,
}

impl Facts {
    /// Picks them.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            links: metadata.nlink(),
        }
    }
}

/// Returns when anything about a file changed last, in a unit of the system's.
pub fn changed(metadata: &Metadata) -> u128 {
    let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
    u128::from(seconds.unsigned_abs()) * 1_000_000_000 + u128::from(nanoseconds.unsigned_abs())
}

/// Sets when a file or a directory was written last.
///
/// # Errors
/// It may not be opened, or is somebody else's.
pub fn set_modified(path: &Path, time: SystemTime) -> io::Result<()> {
    File::open(path)?.set_modified(time)
}

/// Gives back the permissions that a test took from a directory.
///
/// # Errors
/// It is somebody else's.
pub fn open_up(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o755))
}

/// What every program needs in its environment, whatever else a test takes from it.
pub fn needed_variables() -> &'static [&'static str] {
    &[]
}
