//! One process as people want to know it: who it is, since when, at what cost.

use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use windows_sys::Win32::System::ProcessStatus::{GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::PROCESS_QUERY_LIMITED_INFORMATION;

use super::{nt, process};

pub use crate::platform::answers::{Ancestor, Container, Executable, Portrait};

/// How many ancestors are told at most; nobody reads more.
const MOST_ANCESTORS: usize = 20;

/// Returns what is known of a process, `None` if there is none, it is hidden, or it ends meanwhile.
///
/// # Platforms
/// Windows tells neither the working directory nor the terminal, nor containers.
pub fn portrait(pid: u32) -> Option<Portrait> {
    let stat = process::stat(pid)?;
    let open = process::open(pid, PROCESS_QUERY_LIMITED_INFORMATION).ok()?;
    let times = process::times(&open)?;
    let path = process::executable(&open).map(PathBuf::from);
    let portrait = Portrait {
        pid,
        parent: stat.parent,
        name: path.as_deref().and_then(file_name).unwrap_or_default(),
        command_line: process::command_line(pid),
        user: process::user_of(pid),
        started: times.started,
        age: SystemTime::now().duration_since(times.started).unwrap_or_default(),
        state: process::state(pid),
        terminal: None,
        orphaned: false,
        executable: path.map(|path| Executable { path, deleted: false }),
        other_namespace: Some(false),
        namespace_pids: vec![pid],
        container: None,
        resident_bytes: resident_bytes(&open),
        cpu_time: times.computed,
        directory: None,
    };
    // Otherwise the number was given to another process in between.
    (stat.start == times.start).then_some(portrait)
}

fn resident_bytes(process: &OwnedHandle) -> u64 {
    let mut about = PROCESS_MEMORY_COUNTERS::default();
    let length = nt::size_of_u32::<PROCESS_MEMORY_COUNTERS>();
    // SAFETY: the handle is open; the structure is ours and as long as is said.
    let told = unsafe { GetProcessMemoryInfo(process.as_raw_handle(), &raw mut about, length) };
    if told == 0 { 0 } else { about.WorkingSetSize as u64 }
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// Returns the ancestors of a process, nearest first, and at most twenty.
///
/// Empty if there is no such process. An ancestor that has ended ends the list.
pub fn ancestry(pid: u32) -> Vec<Ancestor> {
    let mut ancestors: Vec<Ancestor> = Vec::new();
    let mut child = pid;
    while let Some(parent) = process::stat(child).map(|stat| stat.parent).filter(|pid| *pid != 0) {
        // Only numbers given away could make a loop.
        if ancestors.len() == MOST_ANCESTORS || ancestors.iter().any(|one| one.pid == parent) {
            break;
        }
        let open = process::open(parent, PROCESS_QUERY_LIMITED_INFORMATION).ok();
        let path = open.and_then(|open| process::executable(&open)).map(PathBuf::from);
        let executable = path.as_deref().and_then(file_name);
        let name = executable.clone().unwrap_or_default();
        ancestors.push(Ancestor { pid: parent, name, executable });
        child = parent;
    }
    ancestors
}

/// Returns the number of a process in each namespace: it has the one.
pub fn namespace_pids(pid: u32) -> Option<Vec<u32>> {
    Some(vec![pid])
}
