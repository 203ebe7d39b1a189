//! A process that stays behind when this one ends: it belongs to no console or shell.
//!
//! # Platforms
//! Windows makes no copies of processes, and its locks belong to one process. So the one that will
//! stay is started before anything is locked, with our own arguments. It takes the locks itself, and
//! speaks on our standard error until it has them. We wait for what it has to tell; it stays only if
//! we were able to tell of it. Whichever dies in between, the other one sees the end of the
//! connection, which is its standard input and output.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::windows::io::{AsRawHandle, FromRawHandle, IntoRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Console::{
    FreeConsole, GetConsoleCP, GetStdHandle, STD_ERROR_HANDLE, STD_HANDLE, STD_INPUT_HANDLE,
    STD_OUTPUT_HANDLE, SetStdHandle,
};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_UNICODE_ENVIRONMENT,
    CreateProcessW, DETACHED_PROCESS, EXTENDED_STARTUPINFO_PRESENT, GetExitCodeProcess,
    PROCESS_INFORMATION, STARTF_USESTDHANDLES, STARTUPINFOW,
};

use super::handles::NOWHERE;
use super::signals::{
    self, Arrival, Origin as Sender, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, Watch,
};
use super::start_attribute::StartAttribute;
use super::wait::wait_for;
use super::{programs, spawn};

pub use crate::platform::answers::Reply;

/// Tells a process that it is the one to stay.
const MARK: &str = "DBGUARD_KEEPER";

/// What is told is not longer than this.
const LONGEST: u64 = 1 << 20;

/// The answer that has a process stay. Any other is a signal by which it is to end.
const STAY: u8 = 0;

/// Where this process takes the locks.
#[derive(Debug)]
pub enum Start {
    /// Here.
    Here(Line),
    /// In another process, which is the one that stays.
    Elsewhere(Keeper),
}

/// What [`split`] needs of the start: the connection to the process that was there before.
#[derive(Debug)]
pub struct Line {
    to: File,
    answer: Receiver<bool>,
    is_split: Arc<AtomicBool>,
}

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Side {
    /// The one that was there before: not on Windows, see [`start`].
    Origin(Keeper),
    /// The one that stays.
    Keeper(Origin),
}

/// The process that stays, as the other one sees it.
#[derive(Debug)]
pub struct Keeper {
    process: OwnedHandle,
    to: io::PipeWriter,
    from: Option<io::PipeReader>,
}

/// The process that was there before, as the one that stays sees it.
#[derive(Debug)]
pub struct Origin(Line);

/// Begins, before anything is locked.
///
/// # Errors
/// No process can be started.
///
/// # Platforms
/// On Windows locks cannot be handed on: another process is started that takes them. In that one
/// this returns [`Start::Here`], and ends it if the first one ends before [`split`].
pub fn start() -> io::Result<Start> {
    match std::env::var_os(MARK) {
        Some(_) => Line::open().map(Start::Here),
        None => Keeper::start().map(Start::Elsewhere),
    }
}

/// Leaves the console, the working directory and the standard streams.
///
/// # Errors
/// The system refuses, or the other process has ended.
///
/// # Platforms
/// On Windows this is the process that stays, from the beginning.
pub fn split(line: Line, _heard: &[i32]) -> io::Result<Side> {
    line.is_split.store(true, Ordering::SeqCst);
    // From here on nothing can be said to people.
    (&line.to).write_all(b"\n")?;
    drop(replace(STD_ERROR_HANDLE)?);
    // SAFETY: no memory is involved. Without a console there is nothing to leave.
    unsafe { FreeConsole() };
    std::env::set_current_dir(root())?;
    Ok(Side::Keeper(Origin(line)))
}

impl Line {
    fn open() -> io::Result<Self> {
        let no_line = || io::Error::other(format!("{MARK} is set, and nobody is connected"));
        let to = File::from(replace(STD_OUTPUT_HANDLE)?.ok_or_else(no_line)?);
        let from = File::from(replace(STD_INPUT_HANDLE)?.ok_or_else(no_line)?);
        let (sender, answer) = channel();
        let is_split = Arc::new(AtomicBool::new(false));
        let is_late = Arc::clone(&is_split);
        let listen = move || {
            let mut told = [STAY];
            let signal = match (&from).read_exact(&mut told) {
                Ok(()) => i32::from(told[0]),
                Err(_) => SIGHUP,
            };
            // Nobody may be there to hear it any more.
            let _ = sender.send(signal == i32::from(STAY));
            if signal != i32::from(STAY) && !is_late.load(Ordering::SeqCst) {
                signals::raise(signal);
            }
        };
        thread::Builder::new().name("origin".to_owned()).spawn(listen)?;
        Ok(Self { to, answer, is_split })
    }
}

impl Keeper {
    fn start() -> io::Result<Self> {
        let (input, to) = io::pipe()?;
        let (from, output) = io::pipe()?;
        let process = create(&input, &output)?;
        Ok(Self { process, to, from: Some(from) })
    }

    /// Waits until the other process is ready to stay, or has ended. A key at the console has it end.
    pub fn until_ready(&mut self) -> Reply {
        let Some(from) = self.from.take() else { return Reply::Ended };
        let watch = Watch::new(&[SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGCHLD]);
        let (sender, told) = channel();
        let listen = move || {
            // Whoever does not wait for it any more needs it no more.
            drop(sender.send(listen_to(from)));
            signals::child_ended();
        };
        if thread::Builder::new().name("keeper".to_owned()).spawn(listen).is_err() {
            return Reply::Ended;
        }
        loop {
            match told.try_recv() {
                Ok(Told { line: Some(line), .. }) => return Reply::Ready(line),
                Ok(Told { has_left: false, .. }) => return self.refusal(None),
                Ok(_) | Err(TryRecvError::Disconnected) => return Reply::Ended,
                Err(TryRecvError::Empty) => {}
            }
            match watch.wait(None) {
                None | Some(Arrival { signal: SIGCHLD, .. }) => {}
                Some(arrival) => return self.have_it_end(arrival, &watch),
            }
        }
    }

    /// Tells it to stay.
    ///
    /// # Errors
    /// It has ended.
    pub fn confirm(mut self) -> io::Result<()> {
        self.to.write_all(&[STAY])
    }

    /// Has it give up, and waits until it has ended.
    pub fn dismiss(self) {
        let Self { process, to, .. } = self;
        drop(to);
        // There is nothing to do about a process that cannot be waited for.
        drop(wait_for(&process, None));
    }

    /// Hands a signal on, and waits for the end. A second one ends us at once, and it all the same.
    fn have_it_end(&mut self, arrival: Arrival, watch: &Watch) -> Reply {
        let signal = arrival.signal;
        // One that has ended needs none.
        drop(self.to.write_all(&[u8::try_from(signal).unwrap_or(STAY + 1)]));
        watch.let_through();
        let key = (arrival.origin == Sender::Kernel).then_some(signal);
        match self.refusal(key) {
            // It was about to stay, and has said nothing.
            Reply::Refused(0, key) => Reply::Refused(128 + signal, key),
            reply => reply,
        }
    }

    fn refusal(&self, key: Option<i32>) -> Reply {
        let mut code = 0;
        // SAFETY: the handle is open, the number is ours.
        let told = wait_for(&self.process, None).is_ok()
            && unsafe { GetExitCodeProcess(self.process.as_raw_handle(), &raw mut code) } != 0;
        if told { Reply::Refused(code.cast_signed(), key) } else { Reply::Ended }
    }
}

impl Origin {
    /// Whether the other process has the same locks.
    pub fn has_locks_too(&self) -> bool {
        false
    }

    /// Says that this process is ready and what it has to tell, in one line, and waits for the answer.
    /// `false` if nobody knows of it.
    pub fn is_confirmed(self, told: &[u8]) -> bool {
        let line = [told, b"\n"].concat();
        (&self.0.to).write_all(&line).is_ok() && self.0.answer.recv().unwrap_or(false)
    }
}

/// What was heard of the process that is to stay, until it ended or was ready.
struct Told {
    has_left: bool,
    line: Option<Vec<u8>>,
}

fn listen_to(from: io::PipeReader) -> Told {
    let mut reader = BufReader::new(from.take(LONGEST));
    let mut line = || {
        let mut line = Vec::new();
        let read = reader.read_until(b'\n', &mut line);
        (read.is_ok() && line.pop() == Some(b'\n')).then_some(line)
    };
    match line() {
        None => Told { has_left: false, line: None },
        Some(_) => Told { has_left: true, line: line() },
    }
}

/// Puts nothing in the place of a standard stream, and returns what was there.
fn replace(which: STD_HANDLE) -> io::Result<Option<OwnedHandle>> {
    let nothing = File::options().read(true).write(true).open(NOWHERE)?;
    // SAFETY: asks for what this process was given.
    let before = unsafe { GetStdHandle(which) };
    // SAFETY: the handle is open, and stays so, as nobody owns it any more.
    if unsafe { SetStdHandle(which, nothing.into_raw_handle()) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a standard stream is nobody else's; nobody finds it by its place any more.
    Ok(is_open(before).then(|| unsafe { OwnedHandle::from_raw_handle(before) }))
}

fn is_open(handle: HANDLE) -> bool {
    !handle.is_null() && handle != INVALID_HANDLE_VALUE
}

/// Returns the directory that is always there: the root of the system's volume.
fn root() -> PathBuf {
    let mut root = std::env::var_os("SystemDrive").unwrap_or_else(|| OsString::from("C:"));
    root.push("\\");
    PathBuf::from(root)
}

/// Starts this program with these arguments, outside of the job if it may leave it.
fn create(input: &io::PipeReader, output: &io::PipeWriter) -> io::Result<OwnedHandle> {
    match create_once(input, output, CREATE_BREAKAWAY_FROM_JOB) {
        Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED.cast_signed()) => {
            create_once(input, output, 0)
        }
        created => created,
    }
}

fn create_once(
    input: &io::PipeReader,
    output: &io::PipeWriter,
    more: u32,
) -> io::Result<OwnedHandle> {
    let program = std::env::current_exe()?;
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let mut line = programs::command_line(&program, &arguments)?;
    let environment = spawn::environment(&[(MARK, Some(OsString::from("1")))])?;
    // SAFETY: returns what this process was given, which stays open.
    let errors = unsafe { GetStdHandle(STD_ERROR_HANDLE) };
    let nothing = File::options().write(true).open(NOWHERE)?;
    // One that cannot be inherited is of no use to it.
    let has_errors = is_open(errors) && spawn::inheritable(errors, true).is_ok();
    let errors = if has_errors { errors } else { nothing.as_raw_handle() };
    let lent = [input.as_raw_handle(), output.as_raw_handle(), errors];
    lent.iter().try_for_each(|handle| spawn::inheritable(*handle, true))?;
    let heirlooms = StartAttribute::heirlooms(&lent)?;
    let start = heirlooms.with(STARTUPINFOW {
        dwFlags: STARTF_USESTDHANDLES,
        hStdInput: lent[0],
        hStdOutput: lent[1],
        hStdError: lent[2],
        ..Default::default()
    });
    // SAFETY: no memory is involved.
    let has_console = unsafe { GetConsoleCP() } != 0;
    // Without one of ours, a console would be made for it, window and all.
    let detached = if has_console { 0 } else { DETACHED_PROCESS };
    let mut made = PROCESS_INFORMATION::default();
    // SAFETY: the strings end with 0 and outlive the call, as do the structures and the list; the
    // command line may be written to.
    let created = unsafe {
        CreateProcessW(
            spawn::wide(&program).as_ptr(),
            line.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            1,
            CREATE_UNICODE_ENVIRONMENT
                | EXTENDED_STARTUPINFO_PRESENT
                | CREATE_NEW_PROCESS_GROUP
                | detached
                | more,
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
    drop(own(made.hThread));
    Ok(own(made.hProcess))
}
