//! Starting a command, waiting for it, or becoming it.
//!
//! `posix_spawn`, not `fork`: the cost does not grow with our memory, and the descriptors that
//! the command inherits lose their close-on-exec mark in the child only, so no other thread's
//! child can get them.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use libc::{c_char, c_int};
use rustix::process::{self as rx, Pid, WaitId, WaitIdOptions};

use super::signals::{SignalMask, restored_in_commands};

/// Our descriptors get numbers from here on in the command, out of the way of scripts that
/// count from 3, and of a make jobserver.
const FIRST_NUMBER: RawFd = 200;

/// A command, ready to be started.
pub struct Launch<'a> {
    /// The executable file; no search is made.
    pub program: &'a Path,
    /// `argv`, the program's own name first.
    pub arguments: &'a [OsString],
    /// Changes to our own environment; `None` takes a variable out.
    pub environment: &'a [(&'a str, Option<OsString>)],
    /// Its standard input, if not our own.
    pub input: Option<BorrowedFd<'a>>,
    /// Its standard output, if not our own.
    pub output: Option<BorrowedFd<'a>>,
    /// Its standard error, if not our own.
    pub errors: Option<BorrowedFd<'a>>,
    /// Descriptors the command gets, under numbers of our choice.
    pub inherit: &'a [BorrowedFd<'a>],
    /// The signal mask the command starts with.
    pub mask: SignalMask,
}

impl Launch<'_> {
    /// Returns the descriptors that the command gets, each with its number there. The standard
    /// ones come first: none of the others is below three.
    fn numbered(&self) -> io::Result<Vec<(RawFd, RawFd)>> {
        let input = self.input.map(|file| (file.as_raw_fd(), 0));
        let output = self.output.map(|file| (file.as_raw_fd(), 1));
        let errors = self.errors.map(|file| (file.as_raw_fd(), 2));
        let inherited = self.inherit.iter().map(AsRawFd::as_raw_fd);
        let inherited = inherited.zip(free_numbers(self.inherit.len())?);
        Ok(input.into_iter().chain(output).chain(errors).chain(inherited).collect())
    }
}

/// A process we started and have to wait for.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// This signal stopped it; it can go on.
    Stopped(i32),
}

impl Child {
    /// Starts the command. What dbguard changed about signals for itself is as it was in it.
    ///
    /// A file that the kernel refuses as "no executable format" is given to `/bin/sh`, as
    /// `execvp(3)` does.
    pub fn spawn(launch: &Launch<'_>) -> io::Result<Self> {
        match spawn(launch, launch.program, launch.arguments) {
            Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
                spawn(launch, Path::new("/bin/sh"), &script(launch))
            }
            result => result,
        }
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Returns what happened to it since the last call, without blocking.
    pub fn try_wait(&self) -> io::Result<Option<Change>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        let status = rx::waitid(WaitId::Pid(self.pid), options)?;
        Ok(status.and_then(|status| {
            if let Some(code) = status.exit_status() {
                Some(Change::Exited(code))
            } else if let Some(signal) = status.terminating_signal() {
                Some(Change::Signaled(signal))
            } else {
                status.stopping_signal().map(Change::Stopped)
            }
        }))
    }
}

impl Child {
    /// Waits until it has ended, and reaps it.
    pub fn wait(&self) -> io::Result<Change> {
        loop {
            match rx::waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(status) => {
                    let code = status.as_ref().and_then(|status| status.exit_status());
                    let signal = status.and_then(|status| status.terminating_signal());
                    return Ok(match code {
                        Some(code) => Change::Exited(code),
                        None => Change::Signaled(signal.unwrap_or_default()),
                    });
                }
            }
        }
    }
}

/// Reaps one ended process that was handed to us (see `adopt_orphans`), without blocking.
/// `false` while all of them live; an error (`ECHILD`) once there are none.
pub fn try_reap_any() -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    Ok(rx::waitid(WaitId::All, options)?.is_some())
}

/// Becomes the command. Returns only if that fails.
pub fn become_command(launch: &Launch<'_>) -> io::Error {
    let numbered = match launch.numbered() {
        Ok(numbered) => numbered,
        Err(error) => return error,
    };
    for (descriptor, number) in numbered {
        // SAFETY: both are descriptor numbers; the target was free, or is a standard one that is
        // to be replaced. The copy has no close-on-exec mark and stays with the command.
        if unsafe { libc::dup2(descriptor, number) } < 0 {
            return io::Error::last_os_error();
        }
    }
    // SAFETY: SIG_DFL is a valid disposition; the mask was initialised when it was read.
    unsafe {
        for signal in restored_in_commands() {
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const launch.mask.0, ptr::null_mut());
    }
    let error = execute(launch.program, launch.arguments, launch.environment);
    if error.raw_os_error() == Some(libc::ENOEXEC) {
        return execute(Path::new("/bin/sh"), &script(launch), launch.environment);
    }
    error
}

fn execute(
    program: &Path,
    arguments: &[OsString],
    environment: &[(&str, Option<OsString>)],
) -> io::Error {
    let prepared = (c_string(program.as_os_str()), Strings::arguments(arguments));
    let (Ok(program), Ok(arguments)) = prepared else { return nul() };
    let Ok(environment) = Strings::environment(environment) else { return nul() };
    // SAFETY: the strings and the null-terminated arrays live until the call returns.
    unsafe { libc::execve(program.as_ptr(), arguments.pointer(), environment.pointer()) };
    io::Error::last_os_error()
}

/// `sh FILE ARGUMENTS...`, for a script without an interpreter line.
fn script(launch: &Launch<'_>) -> Vec<OsString> {
    let mut arguments = vec![OsString::from("sh"), launch.program.as_os_str().to_owned()];
    arguments.extend(launch.arguments.iter().skip(1).cloned());
    arguments
}

fn spawn(launch: &Launch<'_>, program: &Path, arguments: &[OsString]) -> io::Result<Child> {
    let program = c_string(program.as_os_str())?;
    let arguments = Strings::arguments(arguments)?;
    let environment = Strings::environment(launch.environment)?;
    let actions = Actions::new(launch)?;
    let attributes = Attributes::new(launch.mask)?;
    let mut pid = 0;
    // SAFETY: every pointer refers to a value that lives until the call returns; the arrays are
    // null-terminated; actions and attributes were initialised by their own functions.
    let failed = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            program.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            arguments.pointer(),
            environment.pointer(),
        )
    };
    check(failed)?;
    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("no pid"))?;
    Ok(Child { pid })
}

/// Returns numbers that are not in use, so that no inherited descriptor is overwritten.
fn free_numbers(count: usize) -> io::Result<Vec<RawFd>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let limit = rx::getrlimit(rx::Resource::Nofile).current.unwrap_or(u64::MAX);
    let limit = RawFd::try_from(limit).unwrap_or(RawFd::MAX);
    let first = FIRST_NUMBER.min(limit / 2).max(3);
    // SAFETY: F_GETFD only asks; a number that is not open answers with an error.
    let is_free = |number: &RawFd| unsafe { libc::fcntl(*number, libc::F_GETFD) } < 0;
    let numbers: Vec<_> = (first..limit).filter(is_free).take(count).collect();
    if numbers.len() < count {
        return Err(io::Error::from_raw_os_error(libc::EMFILE));
    }
    Ok(numbers)
}

struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new(launch: &Launch<'_>) -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: the init function initialises the value it is given, or fails.
        check(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above.
        let mut actions = Self(unsafe { actions.assume_init() });
        for (descriptor, number) in launch.numbered()? {
            // SAFETY: the actions are initialised; dup2 happens in the child and gives the
            // copy no close-on-exec mark there.
            check(unsafe {
                libc::posix_spawn_file_actions_adddup2(&raw mut actions.0, descriptor, number)
            })?;
        }
        Ok(actions)
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new(mask: SignalMask) -> io::Result<Self> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the init function initialises the value it is given, or fails.
        check(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above.
        let mut attributes = Self(unsafe { attributes.assume_init() });
        let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        // SAFETY: the attributes and both sets are initialised and outlive the calls.
        unsafe {
            let mut defaults = MaybeUninit::uninit();
            libc::sigemptyset(defaults.as_mut_ptr());
            for signal in restored_in_commands() {
                libc::sigaddset(defaults.as_mut_ptr(), signal);
            }
            let to = &raw mut attributes.0;
            check(libc::posix_spawnattr_setsigdefault(to, defaults.as_ptr()))?;
            check(libc::posix_spawnattr_setsigmask(to, &raw const mask.0))?;
            check(libc::posix_spawnattr_setflags(to, flags as libc::c_short))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, destroyed once.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

/// A null-terminated array of strings, as `execve` wants it.
struct Strings {
    pointers: Vec<*mut c_char>,
    _owned: Vec<CString>,
}

impl Strings {
    fn arguments(arguments: &[OsString]) -> io::Result<Self> {
        Self::collect(arguments.iter().map(|argument| c_string(argument)))
    }

    fn environment(changes: &[(&str, Option<OsString>)]) -> io::Result<Self> {
        let kept = std::env::vars_os()
            .filter(|(name, _)| !changes.iter().any(|(other, _)| name == other))
            .map(|(name, value)| pair(name.as_bytes(), &value));
        let set = changes.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        Self::collect(kept.chain(set.map(|(name, value)| pair(name.as_bytes(), value))))
    }

    fn collect(strings: impl Iterator<Item = io::Result<CString>>) -> io::Result<Self> {
        let owned: Vec<CString> = strings.collect::<io::Result<_>>()?;
        let mut pointers: Vec<_> = owned.iter().map(|text| text.as_ptr().cast_mut()).collect();
        pointers.push(ptr::null_mut());
        Ok(Self { pointers, _owned: owned })
    }

    fn pointer<P>(&self) -> *const P {
        self.pointers.as_ptr().cast()
    }
}

fn pair(name: &[u8], value: &OsStr) -> io::Result<CString> {
    let mut text = Vec::with_capacity(name.len() + value.len() + 2);
    text.extend_from_slice(name);
    text.push(b'=');
    text.extend_from_slice(value.as_bytes());
    CString::new(text).map_err(|_| nul())
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| nul())
}

fn nul() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a NUL byte in an argument")
}

fn check(failed: c_int) -> io::Result<()> {
    if failed == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(failed)) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsFd;
    use std::path::Path;

    use super::{Change, Child, Launch};
    use crate::platform::scratch::Scratch;
    use crate::platform::signals::SignalMask;

    #[test]
    fn a_command_inherits_the_descriptors_that_it_is_given() {
        let scratch = Scratch::new("spawn-inherit");
        fs::write(scratch.path(), b"given").expect("it can be written");
        let given = scratch.open_writable();
        // Which number it gets depends on how many are allowed and taken.
        let script = "for one in /dev/fd/???; do [ ! \"$one\" -ef \"$GIVEN\" ] || printf X 1<>\"$one\"; done";
        let launch = Launch {
            program: Path::new("/bin/sh"),
            arguments: &["sh".into(), "-c".into(), script.into()],
            environment: &[("GIVEN", Some(scratch.path().into()))],
            input: None,
            output: None,
            errors: None,
            inherit: &[given.as_fd()],
            mask: SignalMask::current(),
        };
        let child = Child::spawn(&launch).expect("it starts");
        assert_eq!(child.wait().expect("it is ours"), Change::Exited(0));
        assert_eq!(fs::read(scratch.path()).expect("it is there"), b"Xiven");
    }
}
