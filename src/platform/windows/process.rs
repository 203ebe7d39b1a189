//! Facts about processes. What other processes say of themselves is hostile, and any of them can
//! end between two questions.

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use windows_sys::Wdk::System::Threading::{
    NtQueryInformationProcess, ProcessBasicInformation, ProcessCommandLineInformation,
};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, ERROR_INVALID_PARAMETER, FILETIME, UNICODE_STRING,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, KEY_QUERY_VALUE, RRF_RT_REG_SZ, RegCloseKey,
    RegGetValueW, RegOpenKeyExW,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, PROCESS_BASIC_INFORMATION, PROCESS_NAME_WIN32,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE,
    QueryFullProcessImageNameW, TerminateProcess,
};
use windows_sys::core::{PCWSTR, w};

use super::file::time;
use super::signals::{SIGKILL, SIGTERM};
use super::wait::wait_for;
use super::{host, job, nt, programs};
use crate::platform::Liveness;
use crate::platform::answers::state_word;

pub use crate::platform::answers::ProcessStat;

/// A command line longer than this is cut, and of one much longer the program alone is told: it is
/// only shown.
const COMMAND_LINE_UNITS: usize = 4096;

/// Opens a process to ask about it.
pub(super) fn open(pid: u32, access: u32) -> io::Result<OwnedHandle> {
    // SAFETY: no pointers are involved.
    let handle = unsafe { OpenProcess(access, 0, pid) };
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the handle is open and ours.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

const ASK: u32 = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE;

/// Returns what the system says of a process, `None` if there is none or it is hidden.
pub fn stat(pid: u32) -> Option<ProcessStat> {
    let process = open(pid, ASK).ok()?;
    let start = times(&process)?.start;
    let parent = parent_of(&process).unwrap_or(0);
    let is_older = |parent: u32| {
        open(parent, ASK)
            .is_ok_and(|parent| times(&parent).is_some_and(|times| times.start <= start))
    };
    let state = if has_ended(&process) { 'X' } else { 'R' };
    // The parent's number may have been given to another process since.
    let parent = if parent != 0 && is_older(parent) { parent } else { 0 };
    Some(ProcessStat { state, parent, start })
}

fn parent_of(process: &OwnedHandle) -> Option<u32> {
    let mut about = MaybeUninit::<PROCESS_BASIC_INFORMATION>::zeroed();
    // SAFETY: the handle is open, the structure is ours and as long as is said.
    let status = unsafe {
        NtQueryInformationProcess(
            process.as_raw_handle(),
            ProcessBasicInformation,
            about.as_mut_ptr().cast(),
            nt::size_of_u32::<PROCESS_BASIC_INFORMATION>(),
            std::ptr::null_mut(),
        )
    };
    nt::check(status).ok()?;
    // SAFETY: filled by the call; all zeros is a value too.
    u32::try_from(unsafe { about.assume_init() }.InheritedFromUniqueProcessId).ok()
}

/// When a process started and what it used, in 100 ns.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) start: u64,
    pub(super) started: SystemTime,
    pub(super) computed: Duration,
}

/// Returns the times of an open process.
pub(super) fn times(process: &OwnedHandle) -> Option<Times> {
    let mut all = [FILETIME::default(); 4];
    let [start, end, kernel, user] = &mut all;
    // SAFETY: the handle is open, the structures are ours.
    let told = unsafe { GetProcessTimes(process.as_raw_handle(), start, end, kernel, user) };
    let ticks =
        |time: &FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    let computed = ticks(kernel).saturating_add(ticks(user));
    (told != 0).then(|| Times {
        start: ticks(start),
        started: time(*start),
        computed: Duration::from_micros(computed / 10),
    })
}

fn has_ended(process: &OwnedHandle) -> bool {
    wait_for(process, Some(Duration::ZERO)).unwrap_or(false)
}

/// Returns the start time of a process, `None` if there is none or it is hidden.
pub fn start_time(pid: u32) -> Option<u64> {
    Some(times(&open(pid, ASK).ok()?)?.start)
}

/// Returns how long a process has run, `None` if there is none or it is hidden.
pub fn age(pid: u32) -> Option<Duration> {
    let started = times(&open(pid, ASK).ok()?)?.started;
    Some(SystemTime::now().duration_since(started).unwrap_or_default())
}

/// Tells whether the process with this number and start time still runs.
///
/// An ended process whose handle somebody keeps open does not run.
pub fn liveness(pid: u32, start: Option<u64>) -> Liveness {
    let process = match open(pid, ASK) {
        Ok(process) => process,
        Err(error) => return liveness_of_refused(&error),
    };
    match times(&process) {
        _ if has_ended(&process) => Liveness::Gone,
        Some(times) if start.is_some_and(|start| start != times.start) => Liveness::Gone,
        Some(_) if start.is_some() => Liveness::Alive,
        _ => Liveness::Unknown,
    }
}

fn liveness_of_refused(error: &io::Error) -> Liveness {
    match error.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_INVALID_PARAMETER) => Liveness::Gone,
        _ => Liveness::Unknown,
    }
}

/// Returns a word for the state of a process.
///
/// # Platforms
/// Windows does not tell who sleeps and who is suspended.
pub fn state(pid: u32) -> &'static str {
    match open(pid, ASK) {
        Ok(process) if has_ended(&process) => "gone",
        Ok(_) => state_word('R'),
        Err(error) if liveness_of_refused(&error) == Liveness::Gone => "gone",
        Err(_) => "unknown",
    }
}

/// Returns the command line of a living process, its program alone where that is all that is told,
/// `None` where nothing is.
pub fn command_line(pid: u32) -> Option<Vec<String>> {
    let process = open(pid, ASK).ok()?;
    let words = whole_command_line(&process).map(|line| programs::words(&line));
    words.filter(|words| !words.is_empty()).or_else(|| Some(vec![executable(&process)?]))
}

/// Returns the path of the program of an open process.
pub(super) fn executable(process: &OwnedHandle) -> Option<String> {
    let mut buffer = [0_u16; 1024];
    let mut length = 1024;
    // SAFETY: the handle is open, the buffer is as long as is said.
    let told = unsafe {
        QueryFullProcessImageNameW(
            process.as_raw_handle(),
            PROCESS_NAME_WIN32,
            buffer.as_mut_ptr(),
            &raw mut length,
        )
    };
    let path = buffer.get(..length as usize).filter(|path| told != 0 && !path.is_empty())?;
    Some(String::from_utf16_lossy(path))
}

/// Asks for the command line, which Windows tells since 8.1.
fn whole_command_line(process: &OwnedHandle) -> Option<String> {
    // A `UNICODE_STRING` and then what it points to.
    let mut buffer = vec![0_u64; (COMMAND_LINE_UNITS * 2 + 4096) / 8];
    let length = u32::try_from(buffer.len() * 8).expect("some kilobytes");
    // SAFETY: the handle is open, the buffer is as long as is said and aligned.
    let status = unsafe {
        NtQueryInformationProcess(
            process.as_raw_handle(),
            ProcessCommandLineInformation,
            buffer.as_mut_ptr().cast(),
            length,
            std::ptr::null_mut(),
        )
    };
    nt::check(status).ok()?;
    // SAFETY: the call put one at the beginning of the buffer, which is aligned for it.
    let text = unsafe { buffer.as_ptr().cast::<UNICODE_STRING>().read() };
    let units = usize::from(text.Length / 2);
    let skipped = (text.Buffer as usize).checked_sub(buffer.as_ptr() as usize)?;
    let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let text = bytes.get(skipped..skipped + units * 2)?;
    let text = text.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]]));
    let text: Vec<u16> = text.take(COMMAND_LINE_UNITS).collect();
    Some(String::from_utf16_lossy(&text))
}

/// Returns the owner's number of a living process, where we may know it: of our own.
pub fn user_of(pid: u32) -> Option<u32> {
    (pid == std::process::id()).then(host::user)
}

/// Returns what says where a process number and a start time mean something.
///
/// # Platforms
/// The machine on Windows, and not its boot: start times are absolute there.
pub fn boot_id() -> Option<String> {
    static MACHINE: OnceLock<Option<String>> = OnceLock::new();
    MACHINE.get_or_init(machine).clone()
}

fn machine() -> Option<String> {
    let mut buffer = [0_u16; 64];
    let mut bytes = 128;
    // SAFETY: the names are constant strings that end with 0; the buffer is as long as is said.
    let status = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            w!("SOFTWARE\\Microsoft\\Cryptography"),
            w!("MachineGuid"),
            RRF_RT_REG_SZ,
            std::ptr::null_mut(),
            buffer.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    let end = buffer.iter().position(|unit| *unit == 0)?;
    let name = (status == 0 && end > 0).then(|| String::from_utf16_lossy(&buffer[..end]));
    name.or_else(|| Some(host::host()).filter(|name| !name.is_empty()))
}

/// Returns the number of the namespace in which this process's pids mean something.
///
/// # Platforms
/// Windows has no such namespaces.
pub fn pid_namespace() -> Option<u64> {
    None
}

/// Whether start times are told here as they are outside.
pub fn has_plain_clock() -> bool {
    true
}

/// Returns every process with its parent: what can be seen of the tree. What a command of ours left
/// without a parent has us for one.
pub fn all() -> Vec<(u32, ProcessStat)> {
    let mut all = super::snapshot::processes();
    let ours = job::members();
    let me = std::process::id();
    for (pid, stat) in &mut all {
        if stat.parent == 0 && ours.contains(pid) {
            stat.parent = me;
        }
    }
    all
}

/// Whether every process of this machine can be seen, so that one that is not there has ended.
///
/// # Platforms
/// Not where Linux is installed beside Windows (WSL), nor where programs are that have numbers of
/// their own for processes (Cygwin, MSYS2, and with it Git Bash): they say the same host name, and
/// make locks on the drives of Windows.
pub fn all_are_seen() -> bool {
    // The services of WSL's two kinds, and what the installers of the others leave.
    let marks = [
        (HKEY_LOCAL_MACHINE, w!("SYSTEM\\CurrentControlSet\\Services\\WslService")),
        (HKEY_LOCAL_MACHINE, w!("SYSTEM\\CurrentControlSet\\Services\\LxssManager")),
        (HKEY_LOCAL_MACHINE, w!("SOFTWARE\\Cygwin")),
        (HKEY_CURRENT_USER, w!("SOFTWARE\\Cygwin")),
        (HKEY_LOCAL_MACHINE, w!("SOFTWARE\\GitForWindows")),
        (HKEY_CURRENT_USER, w!("SOFTWARE\\GitForWindows")),
    ];
    // MSYS2 installs nothing; its shells say so.
    !marks.into_iter().any(|(root, key)| is_in_registry(root, key)) && !host::is_below_msys()
}

/// Whether there is a key; one that may not be looked at is there.
fn is_in_registry(root: HKEY, name: PCWSTR) -> bool {
    let mut key = std::ptr::null_mut();
    // SAFETY: a constant name that ends with 0; the place for the key is ours.
    let status = unsafe { RegOpenKeyExW(root, name, 0, KEY_QUERY_VALUE, &raw mut key) };
    if status == 0 {
        // SAFETY: opened above, used nowhere else.
        unsafe { RegCloseKey(key) };
    }
    status != ERROR_FILE_NOT_FOUND
}

/// Returns how many threads this process has, `None` where that is not told.
pub fn threads() -> Option<usize> {
    None
}

/// Returns a time that goes on while the machine sleeps, and that nobody can set.
pub fn steady_time() -> Duration {
    // SAFETY: no memory is involved.
    Duration::from_millis(unsafe { GetTickCount64() })
}

/// Orphaned descendants can be named from here on: they are in the job of their command.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

/// Whether a process is gone, without blocking.
pub fn try_reap(pid: u32) -> bool {
    liveness(pid, None) == Liveness::Gone
}

/// A living process, to be waited for. Its number cannot be reused while this is held.
#[derive(Debug)]
pub struct ProcessHandle {
    process: OwnedHandle,
    /// Whether it may be ended.
    is_ours: bool,
}

impl ProcessHandle {
    /// Opens the process with this number.
    pub fn open(pid: u32) -> io::Result<Self> {
        match open(pid, ASK | PROCESS_TERMINATE) {
            Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED.cast_signed()) => {
                open(pid, ASK).map(|process| Self { process, is_ours: false })
            }
            opened => opened.map(|process| Self { process, is_ours: true }),
        }
    }

    /// Opens the process with this number that started then; `None` if it has ended.
    ///
    /// # Errors
    /// It may not be opened.
    pub fn open_started(pid: u32, start: u64) -> io::Result<Option<Self>> {
        match Self::open(pid) {
            Err(error) if liveness_of_refused(&error) == Liveness::Gone => Ok(None),
            opened => {
                let is_it =
                    |one: &Self| times(&one.process).is_some_and(|times| times.start == start);
                Ok(Some(opened?).filter(|one| is_it(one) && !one.has_ended()))
            }
        }
    }

    /// Whether the process has ended.
    pub fn has_ended(&self) -> bool {
        has_ended(&self.process)
    }

    /// Sends a signal to the process; `false` if it has ended.
    ///
    /// # Errors
    /// It is not allowed (`PermissionDenied`).
    ///
    /// # Platforms
    /// On Windows TERM and KILL end it at once, and no other signal does anything.
    pub fn signal(&self, signal: i32) -> io::Result<bool> {
        if self.has_ended() {
            return Ok(false);
        }
        match signal {
            _ if !self.is_ours => Err(io::ErrorKind::PermissionDenied.into()),
            SIGTERM | SIGKILL => terminate(&self.process, signal).map(|()| true),
            _ => Ok(true),
        }
    }

    /// Blocks until the process has ended or the time is up. `true` if it has ended.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        wait_for(&self.process, Some(limit))
    }
}

/// Ends a process, whose exit code then says by what, as a shell would.
pub(super) fn terminate(process: &OwnedHandle, signal: i32) -> io::Result<()> {
    let code = 128 + signal.cast_unsigned();
    // SAFETY: the handle is open.
    match unsafe { TerminateProcess(process.as_raw_handle(), code) } {
        0 if !has_ended(process) => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
