//! The descriptors of processes, as libproc shows them: the one walk that everybody shares who
//! looks for a file in other processes.
//!
//! Opens none of the files. Knows nothing of databases.

use std::io;
use std::mem::MaybeUninit;

use crate::platform::FileId;
use crate::platform::macos_records::{OPEN_FILE_BYTES, OpenFile};

/// `PROX_FDTYPE_VNODE` of `sys/proc_info.h`: a file or a directory.
const FILE: u32 = 1;

/// `PROC_PIDFDVNODEPATHINFO` of `sys/proc_info.h`.
const FILE_AND_PATH: libc::c_int = 2;

/// More descriptors than that no process may have.
const MOST_DESCRIPTORS: usize = 1 << 20;

/// How many processes or descriptors may come between the question for their number and that for
/// the list.
const SLACK: usize = 64;

const _: () = assert!(size_of::<libc::vnode_info_path>() + 24 == OPEN_FILE_BYTES);

/// Whether a descriptor leads to a file.
pub(super) fn is_of(open: &OpenFile, file: FileId) -> bool {
    // The same number, once as `dev_t` of stat(2), which has a sign, and once without.
    (u64::from(open.device), open.inode) == (file.device & u64::from(u32::MAX), file.inode)
}

/// Returns the numbers of all processes.
pub(super) fn processes() -> Vec<u32> {
    // SAFETY: a null buffer asks for the number of processes.
    let count = unsafe { libc::proc_listallpids(std::ptr::null_mut(), 0) };
    let mut pids = vec![0_i32; usize::try_from(count).unwrap_or(0) + SLACK];
    let Ok(size) = i32::try_from(size_of_val(&pids[..])) else { return Vec::new() };
    // SAFETY: there is room for as many bytes as is said.
    let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), size) };
    pids.truncate(usize::try_from(count).unwrap_or(0));
    pids.into_iter().filter_map(|pid| u32::try_from(pid).ok()).collect()
}

/// Returns what the descriptors of a process lead to, as far as they are files.
///
/// # Errors
/// The process is gone (`NotFound`), or its descriptors may not be read (`PermissionDenied`).
pub(super) fn of_process(pid: u32) -> io::Result<Vec<OpenFile>> {
    let pid = i32::try_from(pid).map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
    let files = list(pid)?.into_iter().filter(|one| one.proc_fdtype == FILE);
    Ok(files.filter_map(|one| look(pid, one.proc_fd)).collect())
}

/// Returns what one descriptor of a process leads to.
pub(super) fn look(pid: i32, descriptor: i32) -> Option<OpenFile> {
    let mut bytes = [0_u8; OPEN_FILE_BYTES];
    let size = i32::try_from(OPEN_FILE_BYTES).ok()?;
    let buffer = bytes.as_mut_ptr().cast();
    // SAFETY: there is room for as many bytes as is said.
    let length = unsafe { libc::proc_pidfdinfo(pid, descriptor, FILE_AND_PATH, buffer, size) };
    OpenFile::parse(bytes.get(..usize::try_from(length).ok()?)?)
}

fn list(pid: i32) -> io::Result<Vec<libc::proc_fdinfo>> {
    let one = size_of::<libc::proc_fdinfo>();
    let needed = ask(pid, std::ptr::null_mut(), 0)?;
    let room = (needed / one + SLACK).min(MOST_DESCRIPTORS);
    let mut all: Vec<MaybeUninit<libc::proc_fdinfo>> = Vec::with_capacity(room);
    let length = ask(pid, all.as_mut_ptr().cast(), room * one)?;
    // SAFETY: there is room for `room` records, and the kernel has written so many bytes of them.
    unsafe {
        all.set_len((length / one).min(room));
        Ok(all.into_iter().map(|record| record.assume_init()).collect())
    }
}

/// Asks for the list of descriptors, and returns its size in bytes.
fn ask(pid: i32, buffer: *mut libc::c_void, size: usize) -> io::Result<usize> {
    let size = i32::try_from(size).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // libproc returns 0 for a failure, and for a process without descriptors.
    // SAFETY: the place of this thread's error number is always valid.
    unsafe { *libc::__error() = 0 };
    // SAFETY: the buffer is null, or has room for as many bytes as is said.
    let length = unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDLISTFDS, 0, buffer, size) };
    let error = io::Error::last_os_error();
    match (usize::try_from(length), error.raw_os_error()) {
        (Ok(1..), _) | (Ok(0), Some(0)) => Ok(usize::try_from(length).unwrap_or(0)),
        (_, Some(libc::ESRCH)) => Err(io::ErrorKind::NotFound.into()),
        _ => Err(error),
    }
}
