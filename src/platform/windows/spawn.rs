//! Starting a command, waiting for it.
//!
//! The command is in a job object from its first moment, before it is let run: whatever it starts is
//! in the job too, and all of it ends with dbguard if that is killed. A program that Windows puts
//! into a job only later is suspended until it is in it.

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{HANDLE, HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Threading::{
    CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT, CreateProcessW, EXTENDED_STARTUPINFO_PRESENT,
    GetExitCodeProcess, PROCESS_INFORMATION, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, ResumeThread, STARTF_USESTDHANDLES, STARTUPINFOEXW,
    STARTUPINFOW,
};

use super::job::{self, Job};
use super::nt::size_of_u32;
use super::signals::{SignalMask, child_ended};
use super::start_attribute::StartAttribute;
use super::wait::wait_for;
use super::{process, programs};

/// How often it is looked whether what a command left behind has ended.
const LOOK: Duration = Duration::from_millis(50);

/// A command, ready to be started.
pub struct Launch<'a> {
    /// The executable file; no search is made.
    pub program: &'a Path,
    /// `argv`, the program's own name first.
    pub arguments: &'a [OsString],
    /// Changes to our own environment; `None` takes a variable out.
    pub environment: &'a [(&'a str, Option<OsString>)],
    /// Its standard input, if not our own.
    pub input: Option<BorrowedHandle<'a>>,
    /// Its standard output, if not our own.
    pub output: Option<BorrowedHandle<'a>>,
    /// Its standard error, if not our own.
    pub errors: Option<BorrowedHandle<'a>>,
    /// What the command would get to keep locks with. On Windows that keeps nothing, so it gets
    /// none of it.
    pub inherit: &'a [BorrowedHandle<'a>],
    /// The signal mask the command starts with.
    pub mask: SignalMask,
}

/// A process we started and have to wait for.
#[derive(Debug)]
pub struct Child {
    pid: u32,
    process: Arc<OwnedHandle>,
    job: Option<Arc<Job>>,
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It exited with this code.
    Exited(i32),
    /// A signal ended it: not on Windows.
    Signaled(i32),
    /// A signal stopped it: not on Windows.
    Stopped(i32),
}

impl Child {
    /// Starts the command.
    ///
    /// # Errors
    /// It cannot be started; or it is a batch file, and an argument cannot be handed to those.
    pub fn spawn(launch: &Launch<'_>) -> io::Result<Self> {
        Self::spawn_in(launch, Job::start().ok())
    }

    fn spawn_in(launch: &Launch<'_>, mut job: Option<Arc<Job>>) -> io::Result<Self> {
        let made = create(launch, job.as_deref()).or_else(|_| {
            // Some programs are refused a job at their creation, as those of packages, which have
            // one of their own already. Without any job the command outlives a dbguard that is
            // killed; whoever is next then waits for it (its claim names it).
            let made = create(launch, None)?;
            job = job.take().filter(|job| job.admit(&made.0).is_ok());
            Ok::<_, io::Error>(made)
        });
        let (process, main_thread, pid) = made?;
        let child = Self { pid, process: Arc::new(process), job };
        let resumed = child.tell_of_its_end().and_then(|()| {
            // SAFETY: the handle is open.
            match unsafe { ResumeThread(main_thread.as_raw_handle()) } {
                u32::MAX => Err(io::Error::last_os_error()),
                _ => Ok(()),
            }
        });
        if let Err(error) = resumed {
            // It has not run yet.
            drop(process::terminate(&child.process, super::signals::SIGKILL));
            return Err(error);
        }
        Ok(child)
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns what happened to it since the last call, without blocking.
    pub fn try_wait(&self) -> io::Result<Option<Change>> {
        if !wait_for(&self.process, Some(Duration::ZERO))? {
            return Ok(None);
        }
        let mut code = 0;
        // SAFETY: the handle is open, the number is ours.
        if unsafe { GetExitCodeProcess(self.process.as_raw_handle(), &raw mut code) } == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Some(Change::Exited(code.cast_signed())))
    }

    /// Waits until it has ended.
    pub fn wait(&self) -> io::Result<Change> {
        loop {
            wait_for(&self.process, None)?;
            if let Some(change) = self.try_wait()? {
                return Ok(change);
            }
        }
    }

    /// Has the end of the command, and then the end of all that it started, told as signals are.
    fn tell_of_its_end(&self) -> io::Result<()> {
        let (process, job) = (Arc::clone(&self.process), self.job.clone());
        let watch = move || {
            // What cannot be waited for is looked at again and again.
            while !wait_for(&process, None).unwrap_or(false) {
                thread::sleep(LOOK);
                child_ended();
            }
            child_ended();
            let Some(job) = job else { return };
            while job.count().is_ok_and(|count| count > 0) {
                thread::sleep(LOOK);
            }
            child_ended();
        };
        thread::Builder::new().stack_size(64 * 1024).spawn(watch).map(drop)
    }
}

impl Drop for Child {
    /// What a command that has ended left running is not waited for any more, and lives on.
    fn drop(&mut self) {
        let has_ended = wait_for(&self.process, Some(Duration::ZERO)).unwrap_or(false);
        if let Some(job) = self.job.as_ref().filter(|_| has_ended) {
            // At the worst, it ends with us.
            drop(job.set_free());
        }
    }
}

/// Ends a process that is ours to end. `false` if there is none.
pub(super) fn end(pid: u32, signal: i32) -> bool {
    let access = PROCESS_TERMINATE | PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
    let ended = process::open(pid, access).and_then(|one| process::terminate(&one, signal));
    ended.is_ok()
}

/// Whether something has ended of what the command started: `false` while any of it runs.
///
/// # Errors
/// `NotFound` once nothing is left.
pub fn try_reap_any() -> io::Result<bool> {
    match job::current().map(|job| job.count()).transpose()? {
        None | Some(0) => Err(io::ErrorKind::NotFound.into()),
        Some(_) => Ok(false),
    }
}

/// Becomes the command.
///
/// # Platforms
/// Windows cannot: a process cannot hand on its number, nor a lock.
pub fn become_command(_launch: &Launch<'_>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "a process cannot become another one on Windows")
}

/// Creates the process in this job, suspended, and returns it, its main thread and its number.
fn create(launch: &Launch<'_>, job: Option<&Job>) -> io::Result<(OwnedHandle, OwnedHandle, u32)> {
    let mut line = programs::command_line(launch.program, launch.arguments)?;
    let environment = environment(launch.environment)?;
    let _lending = LENDING.lock().unwrap_or_else(PoisonError::into_inner);
    let streams = Streams::of(launch)?;
    let jobs = job.map(|job| [job.handle()]);
    let attribute = jobs.as_ref().map(|jobs| StartAttribute::jobs(jobs)).transpose()?;
    let start = STARTUPINFOW {
        cb: size_of_u32::<STARTUPINFOW>(),
        dwFlags: STARTF_USESTDHANDLES,
        hStdInput: streams.handles[0],
        hStdOutput: streams.handles[1],
        hStdError: streams.handles[2],
        ..Default::default()
    };
    let none = STARTUPINFOEXW { StartupInfo: start, ..Default::default() };
    let start = attribute.as_ref().map_or(none, |attribute| attribute.with(start));
    let extended = if attribute.is_some() { EXTENDED_STARTUPINFO_PRESENT } else { 0 };
    let file = match programs::is_batch(launch.program) {
        true => wide(&programs::interpreter()?),
        false => wide(launch.program),
    };
    let mut made = PROCESS_INFORMATION::default();
    // SAFETY: the strings end with 0 and outlive the call, as do the structures and the attribute;
    // the command line may be written to.
    let created = unsafe {
        CreateProcessW(
            file.as_ptr(),
            line.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            1,
            CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | extended,
            environment.as_ptr().cast(),
            ptr::null(),
            &raw const start.StartupInfo,
            &raw mut made,
        )
    };
    if created == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so both handles are open and ours.
    let own = |handle| unsafe { OwnedHandle::from_raw_handle(handle) };
    Ok((own(made.hProcess), own(made.hThread), made.dwProcessId))
}

/// Held while anything is lent to a command: another one that is started meanwhile would get it too.
static LENDING: Mutex<()> = Mutex::new(());

/// The standard streams of a command. What is lent to it may be inherited while this lives; nothing
/// else of ours may be.
struct Streams {
    handles: [HANDLE; 3],
    lent: Vec<HANDLE>,
}

impl Streams {
    fn of(launch: &Launch<'_>) -> io::Result<Self> {
        // SAFETY: returns what this process was given, which stays open.
        let own = |which| unsafe { GetStdHandle(which) };
        let mut streams = Self {
            handles: [own(STD_INPUT_HANDLE), own(STD_OUTPUT_HANDLE), own(STD_ERROR_HANDLE)],
            lent: Vec::new(),
        };
        for (place, lent) in [launch.input, launch.output, launch.errors].into_iter().enumerate() {
            if let Some(lent) = lent {
                streams.handles[place] = lent.as_raw_handle();
                streams.lend(lent.as_raw_handle())?;
            }
        }
        for place in 0..3 {
            // A standard stream that may not be inherited would be none for the command.
            let handle = streams.handles[place];
            if !handle.is_null() && handle as isize != -1 {
                // One of the console's needs no mark and may refuse it.
                drop(inheritable(handle, true));
            }
        }
        Ok(streams)
    }

    fn lend(&mut self, handle: HANDLE) -> io::Result<()> {
        inheritable(handle, true)?;
        self.lent.push(handle);
        Ok(())
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        for handle in &self.lent {
            // It was set a moment ago, so it can be taken away.
            drop(inheritable(*handle, false));
        }
    }
}

pub(super) fn inheritable(handle: HANDLE, is: bool) -> io::Result<()> {
    let flags = if is { HANDLE_FLAG_INHERIT } else { 0 };
    // SAFETY: the handle is open.
    match unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, flags) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Returns our environment with the changes, sorted as Windows wants it.
pub(super) fn environment(changes: &[(&str, Option<OsString>)]) -> io::Result<Vec<u16>> {
    let is_changed =
        |name: &OsString| changes.iter().any(|(other, _)| name.eq_ignore_ascii_case(other));
    let kept = std::env::vars_os().filter(|(name, _)| !is_changed(name));
    let set =
        changes.iter().filter_map(|(name, value)| Some((OsString::from(name), value.clone()?)));
    let mut all: Vec<(OsString, OsString)> = kept.chain(set).collect();
    all.sort_by_key(|(name, _)| name.to_ascii_uppercase());
    let mut block = Vec::new();
    for (name, value) in all {
        let start = block.len();
        block.extend(name.encode_wide());
        block.push(u16::from(b'='));
        block.extend(value.encode_wide());
        if block[start..].contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a NUL in the environment"));
        }
        block.push(0);
    }
    block.push(0);
    if block.len() == 1 {
        block.push(0);
    }
    Ok(block)
}

pub(super) fn wide(path: &Path) -> Vec<u16> {
    path.as_os_str().encode_wide().chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::tests::parts::{bare, words};
    use crate::platform::{NOWHERE, lend, open_to_append};

    /// Killed between the two calls, dbguard would leave a command that is suspended for good.
    #[test]
    fn a_command_is_in_its_job_before_it_is_let_run() {
        let job = Job::new().expect("it is made");
        let made = create(&bare(&words()), Some(&job));
        let (process, _main_thread, _) = made.expect("it is started");
        assert_eq!(job.count().expect("it is told"), 1);
        drop(job);
        let ended = wait_for(&process, Some(Duration::from_secs(60)));
        assert!(ended.expect("it is told"), "it ends with its job");
    }

    #[test]
    fn a_command_that_may_not_be_in_a_job_runs_without() {
        let (words, job) = (words(), Job::new().expect("it is made").only_to_ask());
        // What the harness says is nobody's business.
        let nowhere = open_to_append(Path::new(NOWHERE)).expect("it is there");
        let launch = Launch { output: Some(lend(&nowhere)), ..bare(&words) };
        assert!(create(&launch, Some(&job)).is_err(), "it may not be joined");
        let child = Child::spawn_in(&launch, Some(Arc::new(job))).expect("it starts");
        assert!(child.job.is_none());
        assert_eq!(child.wait().expect("it is ours"), Change::Exited(0));
    }
}
