//! One process as people want to know it: who it is, since when, from where, at what cost.
//!
//! Every text comes from the process itself and is as hostile as it likes: sizes are capped, and
//! nothing is made fit for a terminal. Knows nothing of locks.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process;
use crate::platform::answers::state_word;
use crate::platform::macos_records::ProcessRecord;

pub use crate::platform::answers::{Ancestor, Container, Executable, Portrait};

/// The kernel cuts the name of a process at this length (`MAXCOMLEN`).
const NAME_BYTES: usize = 16;

/// How many ancestors are told at most; nobody reads more.
const MOST_ANCESTORS: usize = 20;

/// Returns what is known of a process, `None` if there is none, or it ends meanwhile.
///
/// # Platforms
/// Of other users' processes only root sees the command line, the directory, the memory and the
/// time. Whether the executable was deleted or replaced is not told. There are no PID namespaces,
/// and no containers that share this kernel.
pub fn portrait(pid: u32) -> Option<Portrait> {
    let record = process::record(pid)?;
    let task = process::task(pid);
    let executable = executable(pid);
    let portrait = Portrait {
        pid,
        parent: record.parent,
        name: full_name(&record, executable.as_ref()),
        command_line: process::command_line(pid),
        user: Some(record.user),
        started: process::started(record.start),
        age: process::since(record.start),
        state: state_word(process::state_letter(&record)),
        terminal: record.terminal.and_then(terminal_name),
        // Every program with a window is a child of process 1.
        orphaned: record.parent == 1 && !is_app(executable.as_ref()),
        executable,
        other_namespace: Some(false),
        namespace_pids: vec![pid],
        container: None,
        resident_bytes: task.map_or(0, |task| task.pti_resident_size),
        cpu_time: task.map_or(Duration::ZERO, |task| {
            machine_time(task.pti_total_user.saturating_add(task.pti_total_system))
        }),
        directory: directory(pid),
    };
    // Otherwise the number was given to another process in between.
    (process::start_time(pid) == Some(record.start)).then_some(portrait)
}

/// Returns the ancestors of a process, nearest first, up to process 1, and at most twenty.
///
/// Empty if there is no such process. Processes that end meanwhile end the list.
pub fn ancestry(pid: u32) -> Vec<Ancestor> {
    let mut ancestors: Vec<Ancestor> = Vec::new();
    let Some(mut child) = process::record(pid) else { return ancestors };
    while ancestors.len() < MOST_ANCESTORS && child.parent != 0 {
        let Some(record) = process::record(child.parent) else { break };
        // A parent is older than its child; otherwise its number has been given away, or the clock
        // was set. That also ends most loops, which only numbers given away could make.
        if record.start > child.start || ancestors.iter().any(|one| one.pid == record.pid) {
            break;
        }
        let executable = executable(record.pid);
        let name = full_name(&record, executable.as_ref());
        let executable = executable.as_ref().and_then(file_name);
        ancestors.push(Ancestor { pid: record.pid, name, executable });
        child = record;
    }
    ancestors
}

/// Returns the number of a process in each PID namespace, of which there is one; `None` if it is
/// gone.
pub fn namespace_pids(pid: u32) -> Option<Vec<u32>> {
    process::record(pid).map(|record| vec![record.pid])
}

fn executable(pid: u32) -> Option<Executable> {
    let mut path = [0_u8; libc::PROC_PIDPATHINFO_MAXSIZE as usize];
    let size = u32::try_from(path.len()).ok()?;
    let pid = i32::try_from(pid).ok()?;
    // SAFETY: there is room for as many bytes as is said.
    let length = unsafe { libc::proc_pidpath(pid, path.as_mut_ptr().cast(), size) };
    let path = path.get(..usize::try_from(length).ok()?).filter(|path| !path.is_empty())?;
    Some(Executable { path: PathBuf::from(OsStr::from_bytes(path)), deleted: false })
}

/// Whether it lies in what Finder shows as one program.
fn is_app(executable: Option<&Executable>) -> bool {
    let mut parts = executable.into_iter().flat_map(|one| one.path.components());
    parts.any(|part| Path::new(&part).extension().is_some_and(|end| end == "app"))
}

fn file_name(executable: &Executable) -> Option<String> {
    Some(executable.path.file_name()?.to_string_lossy().into_owned())
}

/// Returns the name of the executable where the kernel's is its beginning, cut off.
fn full_name(record: &ProcessRecord, executable: Option<&Executable>) -> String {
    let whole = executable.and_then(file_name);
    let is_cut =
        |whole: &String| record.name.len() >= NAME_BYTES && whole.starts_with(&record.name);
    whole.filter(is_cut).unwrap_or_else(|| record.name.clone())
}

/// Returns the working directory of a process.
fn directory(pid: u32) -> Option<PathBuf> {
    let paths: libc::proc_vnodepathinfo = process::about(pid, libc::PROC_PIDVNODEPATHINFO)?;
    let path = paths.pvi_cdir.vip_path.as_flattened();
    let bytes: Vec<u8> =
        path.iter().map(|one| one.cast_unsigned()).take_while(|byte| *byte != 0).collect();
    (!bytes.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(&bytes)))
}

/// Returns the name of a terminal by its device number.
fn terminal_name(device: i32) -> Option<String> {
    // SAFETY: no preconditions; null or a C string that this thread may read until the next call,
    // which nobody else makes here.
    let name = unsafe {
        let name = libc::devname(device, libc::S_IFCHR);
        if name.is_null() {
            return None;
        }
        CStr::from_ptr(name)
    };
    Some(name.to_string_lossy().into_owned())
}

/// Returns what the kernel counted in units of the machine's own.
#[expect(deprecated, reason = "the crate that libc points to would be for this one call")]
fn machine_time(units: u64) -> Duration {
    let mut scale = libc::mach_timebase_info { numer: 0, denom: 0 };
    // SAFETY: the scale is ours to write.
    unsafe { libc::mach_timebase_info(&raw mut scale) };
    let nanos = u128::from(units) * u128::from(scale.numer) / u128::from(scale.denom.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
