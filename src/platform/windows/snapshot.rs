//! All processes, or threads, at one moment.

use std::collections::HashMap;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
    TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Threading::PROCESS_QUERY_LIMITED_INFORMATION;

use super::nt;
use super::process::{ProcessStat, open, times};
use super::running::running;

/// Returns every process with its parent, which is 0 if it has ended. The start is 0 where it may
/// not be known. What waits is asleep (`S`).
pub(super) fn processes() -> Vec<(u32, ProcessStat)> {
    let pairs = pairs();
    let start = |pid: u32| {
        let times = open(pid, PROCESS_QUERY_LIMITED_INFORMATION).ok().and_then(|one| times(&one));
        times.map_or(0, |times| times.start)
    };
    let starts: HashMap<u32, u64> = pairs.iter().map(|(pid, _)| (*pid, start(*pid))).collect();
    let running = running();
    let runs = |pid: u32| running.as_ref().is_none_or(|running| running.contains(&pid));
    let stat = |(pid, parent): (u32, u32)| {
        let start = starts[&pid];
        // A parent is older than its child; otherwise its number has been given away.
        let is_it = starts.get(&parent).is_some_and(|parent| *parent <= start);
        let parent = if is_it && parent != pid { parent } else { 0 };
        let state = if runs(pid) { 'R' } else { 'S' };
        (pid, ProcessStat { state, parent, start })
    };
    pairs.into_iter().map(stat).collect()
}

/// Returns the numbers of all processes and of who started them.
fn pairs() -> Vec<(u32, u32)> {
    let Some(snapshot) = snapshot(TH32CS_SNAPPROCESS) else { return Vec::new() };
    let mut entry =
        PROCESSENTRY32W { dwSize: nt::size_of_u32::<PROCESSENTRY32W>(), ..Default::default() };
    let mut found = Vec::new();
    // SAFETY: the handle is open; the structure is ours and says how long it is.
    let mut more = unsafe { Process32FirstW(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        if entry.th32ProcessID != 0 {
            found.push((entry.th32ProcessID, entry.th32ParentProcessID));
        }
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.as_raw_handle(), &raw mut entry) };
    }
    found
}

/// Returns the numbers of a process's threads.
pub(super) fn threads(pid: u32) -> Vec<u32> {
    let Some(snapshot) = snapshot(TH32CS_SNAPTHREAD) else { return Vec::new() };
    let mut entry =
        THREADENTRY32 { dwSize: nt::size_of_u32::<THREADENTRY32>(), ..Default::default() };
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
