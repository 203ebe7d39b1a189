//! The job object of the command that runs: everything it starts is in it.
//!
//! It ends with dbguard (kill-on-close), so that a killed dbguard leaves no command behind that
//! works without the lock: Windows locks are not inherited. Once the command has ended by itself,
//! what it left running is set free.
//!
//! Another kind of job bounds nothing: it has the name of a file and a process, and that process in
//! it. Only who may end a process can put it into a job, so such a job proves that the process itself
//! says that it has the file locked, and nobody who wants to see it ended for that.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(test)]
use windows_sys::Win32::Foundation::DuplicateHandle;
use windows_sys::Win32::Foundation::{ERROR_ALREADY_EXISTS, HANDLE};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectBasicAccountingInformation, JobObjectBasicProcessIdList,
    JobObjectExtendedLimitInformation, OpenJobObjectW, QueryInformationJobObject,
    SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::nt::size_of_u32;
use crate::platform::FileId;

/// More processes than this are not listed.
const MOST: usize = 4096;

/// Jobs lie inside each other, and that of the command in all of them.
const MOST_SIGNED: usize = 8;

/// What [`OpenJobObjectW`] calls the right to ask.
const JOB_OBJECT_QUERY: u32 = 4;

/// The job of the command that was started last.
static CURRENT: Mutex<Option<Arc<Job>>> = Mutex::new(None);

/// A job object.
#[derive(Debug)]
pub(super) struct Job(OwnedHandle);

impl Job {
    /// Makes one that ends with this process, and makes it the current one.
    pub(super) fn start() -> io::Result<Arc<Self>> {
        let job = Arc::new(Self::new()?);
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&job));
        Ok(job)
    }

    /// Makes one whose processes end when its last handle is closed.
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: no pointers are handed over.
        let handle = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so the handle is open and ours.
        let job = Self(unsafe { OwnedHandle::from_raw_handle(handle) });
        job.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)?;
        Ok(job)
    }

    fn limit(&self, flags: u32) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = flags;
        // SAFETY: the handle is open, the structure is as long as is said.
        let set = unsafe {
            SetInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                ptr::from_ref(&limits).cast(),
                size_of_u32::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>(),
            )
        };
        if set == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Returns what a process is started in it by, and with it everything that one starts.
    pub(super) fn handle(&self) -> HANDLE {
        self.0.as_raw_handle()
    }

    /// Puts a process into it that is there already, and with it everything that one will start.
    pub(super) fn admit(&self, process: &OwnedHandle) -> io::Result<()> {
        // SAFETY: both handles are open.
        match unsafe { AssignProcessToJobObject(self.handle(), process.as_raw_handle()) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    /// Gives up the right to put processes into it.
    #[cfg(test)]
    pub(super) fn only_to_ask(self) -> Self {
        let mut handle = ptr::null_mut();
        // SAFETY: the handle is open; both pseudo handles stand for this process; the new one is
        // written to a place of ours.
        let made = unsafe {
            let this = GetCurrentProcess();
            DuplicateHandle(this, self.handle(), this, &raw mut handle, JOB_OBJECT_QUERY, 0, 0)
        };
        assert!(made != 0, "{}", io::Error::last_os_error());
        // SAFETY: the call succeeded, so the handle is open and ours.
        Self(unsafe { OwnedHandle::from_raw_handle(handle) })
    }

    /// What is left in it lives on when this process ends.
    pub(super) fn set_free(&self) -> io::Result<()> {
        self.limit(0)
    }

    /// Returns how many processes in it run.
    pub(super) fn count(&self) -> io::Result<u32> {
        let mut about = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        // SAFETY: the handle is open, the structure is ours and as long as is said.
        let told = unsafe {
            QueryInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectBasicAccountingInformation,
                ptr::from_mut(&mut about).cast(),
                size_of_u32::<JOBOBJECT_BASIC_ACCOUNTING_INFORMATION>(),
                ptr::null_mut(),
            )
        };
        if told == 0 { Err(io::Error::last_os_error()) } else { Ok(about.ActiveProcesses) }
    }

    /// Returns the processes in it that run.
    fn members(&self) -> Vec<u32> {
        // Two counts of 32 bits, then a word for each process.
        let mut buffer = vec![0_usize; MOST + 2];
        let length = u32::try_from(size_of_val(&*buffer)).expect("some kilobytes");
        // SAFETY: the handle is open, the buffer is ours, as long as is said and aligned. A list
        // that does not fit is cut, and an error; what is there counts.
        unsafe {
            QueryInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectBasicProcessIdList,
                buffer.as_mut_ptr().cast(),
                length,
                ptr::null_mut(),
            );
        }
        let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let listed = bytes[4..8].try_into().map_or(0, u32::from_ne_bytes) as usize;
        let pids = buffer.iter().skip(8 / size_of::<usize>()).take(listed);
        pids.filter_map(|pid| u32::try_from(*pid).ok()).collect()
    }
}

/// Returns the job of the command that was started last.
pub(super) fn current() -> Option<Arc<Job>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Returns the processes in that job.
pub(super) fn members() -> Vec<u32> {
    current().map(|job| job.members()).unwrap_or_default()
}

/// Those that were signed, open as long as this process lives: a name lasts as long as a handle.
static SIGNED: Mutex<Vec<Job>> = Mutex::new(Vec::new());

/// Shows that this process has a file locked.
///
/// # Errors
/// It has shown that of too many; or somebody has taken the name.
pub(super) fn sign(file: FileId) -> io::Result<()> {
    let mut signed = SIGNED.lock().unwrap_or_else(PoisonError::into_inner);
    if signed.len() == MOST_SIGNED {
        return Err(io::ErrorKind::QuotaExceeded.into());
    }
    let name = name(std::process::id(), file);
    // SAFETY: the name ends with 0 and outlives the call.
    let handle = unsafe { CreateJobObjectW(ptr::null(), name.as_ptr()) };
    let error = io::Error::last_os_error();
    if handle.is_null() {
        return Err(error);
    }
    // SAFETY: the call succeeded, so the handle is open and ours.
    let job = Job(unsafe { OwnedHandle::from_raw_handle(handle) });
    if error.raw_os_error() == Some(ERROR_ALREADY_EXISTS.cast_signed()) {
        // From an earlier lock on the file; or another's, who could bound us in it.
        let is_ours = job.members().contains(&std::process::id());
        return if is_ours { Ok(()) } else { Err(error) };
    }
    // SAFETY: the job is open; the pseudo-handle of this process needs no closing.
    if unsafe { AssignProcessToJobObject(job.0.as_raw_handle(), GetCurrentProcess()) } == 0 {
        return Err(io::Error::last_os_error());
    }
    signed.push(job);
    Ok(())
}

/// Reports whether a process shows that it has a file locked.
pub(super) fn is_signed(pid: u32, file: FileId) -> bool {
    let name = name(pid, file);
    // SAFETY: the name ends with 0 and outlives the call.
    let handle = unsafe { OpenJobObjectW(JOB_OBJECT_QUERY, 0, name.as_ptr()) };
    if handle.is_null() {
        return false;
    }
    // SAFETY: the call succeeded, so the handle is open and ours.
    let job = Job(unsafe { OwnedHandle::from_raw_handle(handle) });
    job.members().contains(&pid)
}

/// All sessions of the machine share these names.
fn name(pid: u32, file: FileId) -> Vec<u16> {
    let FileId { device, inode } = file;
    let name = format!("Global\\dbguard-{device:x}-{inode:x}-{pid}");
    name.encode_utf16().chain([0]).collect()
}
