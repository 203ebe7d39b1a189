//! Windows: handles of processes, and snapshots of all of them.
//!
//! There are no signals: KILL ends a process by `TerminateProcess`, STOP and CONT suspend and
//! resume its threads. There is nothing else to send.

use std::fs::{File, Metadata};
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, SystemTime};

use windows_sys::Win32::Foundation::{FILETIME, INVALID_HANDLE_VALUE, WAIT_OBJECT_0};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_BACKUP_SEMANTICS, FILE_WRITE_ATTRIBUTES};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
    TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, GetExitCodeProcess, GetProcessId, GetProcessTimes, OpenProcess,
    OpenThread, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE,
    ResumeThread, SuspendThread, THREAD_SUSPEND_RESUME, TerminateProcess, WaitForSingleObject,
};

/// What can be sent to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ends it at once.
    Kill,
    /// Suspends it.
    Stop,
    /// Resumes it.
    Cont,
}

impl Signal {
    pub const KILL: Self = Self::Kill;
    pub const STOP: Self = Self::Stop;
    pub const CONT: Self = Self::Cont;
}

/// The exit code of whoever these tests kill, which no test asks for.
const KILLED: u32 = 0xC0DE_0009;

/// A process, and no other one that gets its number later.
#[derive(Debug)]
pub struct Handle(OwnedHandle);

impl Handle {
    /// Opens the process that has this number; nothing if there is none.
    pub fn open(pid: u32) -> Option<Self> {
        let rights = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE | PROCESS_TERMINATE;
        // SAFETY: no pointers are involved.
        let handle = unsafe { OpenProcess(rights, 0, pid) };
        // SAFETY: the call succeeded, so the handle is open and ours.
        (!handle.is_null()).then(|| Self(unsafe { OwnedHandle::from_raw_handle(handle) }))
    }

    /// Opens a child.
    pub fn of(child: &Child) -> Self {
        Self(child.as_handle().try_clone_to_owned().expect("a handle more"))
    }

    /// Waits for the end for a while; returns whether it came.
    pub fn ends_within(&self, patience: Duration) -> bool {
        let patience = u32::try_from(patience.as_millis()).expect("a minute fits");
        // SAFETY: the handle is open.
        unsafe { WaitForSingleObject(self.0.as_raw_handle(), patience) == WAIT_OBJECT_0 }
    }

    /// Sends a signal; `false` if the process has ended.
    pub fn signal(&self, signal: Signal) -> bool {
        let process = self.0.as_raw_handle();
        match signal {
            // SAFETY: the handle is open.
            Signal::Kill => unsafe { TerminateProcess(process, KILLED) != 0 },
            Signal::Stop => self.each_thread(|thread| {
                // SAFETY: the handle is open.
                unsafe { SuspendThread(thread.as_raw_handle()) };
            }),
            Signal::Cont => self.each_thread(|thread| {
                // SAFETY: the handle is open.
                unsafe { ResumeThread(thread.as_raw_handle()) };
            }),
        }
    }

    fn each_thread(&self, act: impl Fn(&OwnedHandle)) -> bool {
        if self.ends_within(Duration::ZERO) {
            return false;
        }
        // SAFETY: the handle is open.
        let pid = unsafe { GetProcessId(self.0.as_raw_handle()) };
        for thread in threads_of(pid) {
            // SAFETY: no pointers are involved.
            let handle = unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, thread) };
            if !handle.is_null() {
                // SAFETY: the call succeeded, so the handle is open and ours.
                act(&unsafe { OwnedHandle::from_raw_handle(handle) });
            }
        }
        true
    }

    /// Returns another handle of the same process.
    pub fn again(&self) -> Self {
        Self(self.0.try_clone().expect("a handle more"))
    }
}

/// Returns `T` for a process that is stopped, `R` for any other; nothing if it is gone.
pub fn process_state(pid: u32) -> Option<char> {
    let process = Handle::open(pid)?;
    (!process.ends_within(Duration::ZERO)).then(|| if is_suspended(pid) { 'T' } else { 'R' })
}

/// Tells whether a process has threads and all of them are suspended.
fn is_suspended(pid: u32) -> bool {
    let threads = threads_of(pid);
    let suspended = |thread: &u32| {
        // SAFETY: no pointers are involved.
        let handle = unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, *thread) };
        if handle.is_null() {
            return false;
        }
        // SAFETY: the call succeeded, so the handle is open and ours.
        let thread = unsafe { OwnedHandle::from_raw_handle(handle) };
        // Only how often a thread is suspended is told, and only to who changes that.
        // SAFETY: the handle is open.
        let count = unsafe { SuspendThread(thread.as_raw_handle()) };
        // SAFETY: as above.
        unsafe { ResumeThread(thread.as_raw_handle()) };
        count != u32::MAX && count > 0
    };
    !threads.is_empty() && threads.iter().all(suspended)
}

/// Makes what is started the leader of a process group of its own.
pub fn lead_group(command: &mut Command) {
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

/// Kills a child and whoever descends from it, but for what `acquire` left when it ended.
pub fn kill_group(child: &Child) {
    let has_ended = Handle::of(child).ends_within(Duration::ZERO);
    // The open handle pins the number of the child.
    let left = |other: &&Listed| other.parent == child.id() && other.program == "dbguard.exe";
    let listed = listed();
    let left: Vec<u32> =
        listed.iter().filter(|_| has_ended).filter(left).map(|other| other.pid).collect();
    for pid in family(child.id()).into_iter().filter(|pid| !left.contains(pid)) {
        if let Some(process) = Handle::open(pid) {
            process.signal(Signal::KILL);
        }
    }
}

/// Returns a process and who descends from it, as far as their parents still run.
fn family(pid: u32) -> Vec<u32> {
    let listed = listed();
    let mut found = vec![pid];
    let mut looked_at = 0;
    while let Some(parent) = found.get(looked_at).copied() {
        let of = listed.iter().filter(|other| other.parent == parent).map(|other| other.pid);
        let new: Vec<u32> = of.filter(|pid| !found.contains(pid)).collect();
        found.extend(new);
        looked_at += 1;
    }
    found
}

/// Returns whom a process has started.
pub fn children(pid: u32) -> Vec<u32> {
    listed().iter().filter(|other| other.parent == pid).map(|other| other.pid).collect()
}

/// Tells whether a process belongs to what a child of ours has started: it descends from it.
pub fn is_of(pid: u32, child: u32) -> bool {
    family(child).contains(&pid)
}

/// Returns when a process started, in a unit of the system's; `None` if there is none that lives.
pub fn start_of(pid: u32) -> Option<u64> {
    let process = Handle::open(pid)?;
    let mut times = [FILETIME::default(); 4];
    let [start, end, kernel, user] = &mut times;
    // SAFETY: the handle is open; the structures are ours.
    let told = unsafe { GetProcessTimes(process.0.as_raw_handle(), start, end, kernel, user) };
    let start = u64::from(times[0].dwHighDateTime) << 32 | u64::from(times[0].dwLowDateTime);
    (told != 0 && !process.ends_within(Duration::ZERO)).then_some(start)
}

/// Returns the exit code of a child that has ended, or 9 as the signal if these tests killed it.
pub fn end_of(child: &Child) -> (Option<i32>, Option<i32>) {
    let mut code = 0;
    // SAFETY: the handle is open; the number is ours.
    let told = unsafe { GetExitCodeProcess(child.as_raw_handle(), &raw mut code) };
    assert!(told != 0, "{}", io::Error::last_os_error());
    if code == KILLED { (None, Some(9)) } else { (Some(code.cast_signed()), None) }
}

/// Returns a clock in nanoseconds that nobody sets, the same for all processes.
pub fn now() -> u64 {
    let (mut ticks, mut a_second) = (0, 0);
    // SAFETY: the numbers are ours. Neither fails on any Windows since XP.
    unsafe {
        QueryPerformanceFrequency(&raw mut a_second);
        QueryPerformanceCounter(&raw mut ticks);
    }
    let nanoseconds = i128::from(ticks) * 1_000_000_000 / i128::from(a_second);
    u64::try_from(nanoseconds).expect("the machine has not run for 500 years")
}

/// There is no root.
pub fn is_root() -> bool {
    false
}

/// Everybody is an ordinary user already.
pub fn be_ordinary(_command: &mut Command) {}

/// Returns the attributes of a file.
pub fn shown_mode(metadata: &Metadata) -> String {
    format!("{:06x}", metadata.file_attributes())
}

/// What is to stay as it is of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Facts {
    attributes: u32,
    created: u64,
    modified: u64,
}

impl Facts {
    /// Picks them.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            attributes: metadata.file_attributes(),
            created: metadata.creation_time(),
            modified: metadata.last_write_time(),
        }
    }
}

/// Returns when a file was written last, which is all that is known.
pub fn changed(metadata: &Metadata) -> u128 {
    u128::from(metadata.last_write_time())
}

/// Sets when a file or a directory was written last.
///
/// # Errors
/// It may not be opened.
pub fn set_modified(path: &Path, time: SystemTime) -> io::Result<()> {
    let mut how = File::options();
    // Directories are opened with this flag alone.
    how.access_mode(FILE_WRITE_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    how.open(path)?.set_modified(time)
}

/// Nothing is taken from a directory here.
///
/// # Errors
/// None.
#[expect(clippy::unnecessary_wraps, reason = "the same as on Linux")]
pub fn open_up(_directory: &Path) -> io::Result<()> {
    Ok(())
}

/// What every program needs in its environment, whatever else a test takes from it.
pub fn needed_variables() -> &'static [&'static str] {
    &["SystemRoot", "SystemDrive", "windir", "ComSpec", "PATHEXT", "TEMP", "TMP"]
}

/// A process, as a list of all of them names it.
struct Listed {
    pid: u32,
    /// Who started it, and may have ended since.
    parent: u32,
    program: String,
}

/// Returns all processes.
fn listed() -> Vec<Listed> {
    let Some(snapshot) = snapshot(TH32CS_SNAPPROCESS) else { return Vec::new() };
    let mut entry =
        PROCESSENTRY32W { dwSize: size_of_u32::<PROCESSENTRY32W>(), ..Default::default() };
    let mut found = Vec::new();
    // SAFETY: the handle is open; the structure is ours and says how long it is.
    let mut more = unsafe { Process32FirstW(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        let length = entry.szExeFile.iter().position(|unit| *unit == 0).unwrap_or(0);
        found.push(Listed {
            pid: entry.th32ProcessID,
            parent: entry.th32ParentProcessID,
            program: String::from_utf16_lossy(&entry.szExeFile[..length]),
        });
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.as_raw_handle(), &raw mut entry) };
    }
    found
}

/// Returns the numbers of a process's threads.
fn threads_of(pid: u32) -> Vec<u32> {
    let Some(snapshot) = snapshot(TH32CS_SNAPTHREAD) else { return Vec::new() };
    let mut entry = THREADENTRY32 { dwSize: size_of_u32::<THREADENTRY32>(), ..Default::default() };
    let mut found = Vec::new();
    // SAFETY: the handle is open; the structure is ours and says how long it is.
    let mut more = unsafe { Thread32First(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == pid {
            found.push(entry.th32ThreadID);
        }
        // SAFETY: as above.
        more = unsafe { Thread32Next(snapshot.as_raw_handle(), &raw mut entry) };
    }
    found
}

fn snapshot(of: u32) -> Option<OwnedHandle> {
    // SAFETY: no pointers are involved.
    let snapshot = unsafe { CreateToolhelp32Snapshot(of, 0) };
    // SAFETY: the call succeeded, so the handle is open and ours.
    (snapshot != INVALID_HANDLE_VALUE).then(|| unsafe { OwnedHandle::from_raw_handle(snapshot) })
}

fn size_of_u32<T>() -> u32 {
    u32::try_from(size_of::<T>()).expect("a small structure")
}
