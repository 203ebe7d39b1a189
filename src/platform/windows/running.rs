//! Which processes run at this moment, or would if a processor were free.

use std::collections::HashSet;

use windows_sys::Wdk::System::SystemInformation::{
    NtQuerySystemInformation, SystemProcessInformation,
};
use windows_sys::Win32::Foundation::STATUS_INFO_LENGTH_MISMATCH;
use windows_sys::Win32::System::WindowsProgramming::{
    SYSTEM_PROCESS_INFORMATION, SYSTEM_THREAD_INFORMATION,
};

use super::nt;

/// The room for the answer, in words, is this at first and at most.
const ROOM: usize = 64 * 1024;
const MOST_ROOM: usize = 8 * 1024 * 1024;

/// States of a thread: ready, running, about to, between two, and ready on one processor. In all
/// others it waits, or is over.
const BUSY: [u32; 5] = [1, 2, 3, 6, 7];

/// Returns the processes of which a thread runs or is ready to, `None` if that is not told.
pub(super) fn running() -> Option<HashSet<u32>> {
    let answer = ask()?;
    let mut found = HashSet::new();
    let mut at = 0;
    loop {
        // SAFETY: it consists of numbers and pointers, which are not followed.
        let process: SYSTEM_PROCESS_INFORMATION = unsafe { read(&answer, at) }?;
        for index in 0..process.NumberOfThreads as usize {
            let place = size_of::<SYSTEM_PROCESS_INFORMATION>()
                + index * size_of::<SYSTEM_THREAD_INFORMATION>();
            // SAFETY: as above.
            let thread: SYSTEM_THREAD_INFORMATION = unsafe { read(&answer, at + place) }?;
            if BUSY.contains(&thread.ThreadState) {
                found.extend(u32::try_from(process.UniqueProcessId as usize));
            }
        }
        match process.NextEntryOffset {
            0 => return Some(found),
            next => at += next as usize,
        }
    }
}

fn ask() -> Option<Vec<u64>> {
    let mut room = ROOM;
    loop {
        let mut answer = vec![0_u64; room];
        let length = u32::try_from(size_of_val(&*answer)).ok()?;
        // SAFETY: the buffer is ours, as long as is said and aligned.
        let status = unsafe {
            NtQuerySystemInformation(
                SystemProcessInformation,
                answer.as_mut_ptr().cast(),
                length,
                std::ptr::null_mut(),
            )
        };
        if status == STATUS_INFO_LENGTH_MISMATCH && room < MOST_ROOM {
            room *= 2;
            continue;
        }
        return nt::check(status).ok().map(|()| answer);
    }
}

/// Reads a structure at an offset in bytes; `None` if it does not lie inside.
///
/// # Safety
/// Whatever bytes there are have to be a value of it.
unsafe fn read<T>(answer: &[u64], at: usize) -> Option<T> {
    let end = at.checked_add(size_of::<T>())?;
    if end > size_of_val(answer) {
        return None;
    }
    // SAFETY: all of it is inside the buffer, and the caller vouches for the bytes.
    Some(unsafe { answer.as_ptr().cast::<u8>().add(at).cast::<T>().read_unaligned() })
}
