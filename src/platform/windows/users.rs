//! Which processes use a file, asked in two ways.
//!
//! The file system is asked first: it knows of every handle, its own user's or not, and answers
//! within microseconds. Where it does not know the question, the Restart Manager is asked, which
//! installers use; it is a library of its own, loaded only then.

use std::io;
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::Path;

use windows_sys::Wdk::Storage::FileSystem::{
    FileProcessIdsUsingFileInformation, NtQueryInformationFile,
};
use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, ERROR_SUCCESS, STATUS_INFO_LENGTH_MISMATCH};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;
use windows_sys::Win32::System::RestartManager::{
    CCH_RM_SESSION_KEY, RM_PROCESS_INFO, RM_UNIQUE_PROCESS,
};

use super::file::open_to_ask;
use super::nt;
use super::restart_manager::RestartManager;

/// More users than this of one file are not listed.
const MOST: usize = 8192;

/// Returns the processes that have the file at a path open, this one left out.
///
/// # Errors
/// There is no such file, or the system does not tell.
pub(super) fn users_of(path: &Path) -> io::Result<Vec<u32>> {
    let users = match users_of_file(&open_to_ask(path)?) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => managed_users(path),
        asked => asked,
    };
    let me = std::process::id();
    Ok(users?.into_iter().filter(|pid| *pid != me).collect())
}

/// Whether the file system says that nobody but this process has an open file open.
pub(super) fn is_ours_alone(file: &impl AsHandle) -> io::Result<bool> {
    let me = std::process::id();
    Ok(users_of_file(file)?.into_iter().all(|pid| pid == me))
}

/// Returns the one process that has a file open besides this one. If there are several, nothing tells
/// which of them keeps others out.
pub(super) fn sole_user(users: io::Result<Vec<u32>>) -> Option<u32> {
    let me = std::process::id();
    let mut others = users.ok()?.into_iter().filter(|pid| *pid != me);
    others.next().filter(|_| others.next().is_none())
}

/// Returns the processes that have an open file open, this one included.
///
/// # Errors
/// The file system does not tell.
pub(super) fn users_of_file(file: &impl AsHandle) -> io::Result<Vec<u32>> {
    // A count, padded to a word, and then a word for each.
    let mut words = 64;
    loop {
        let mut buffer = vec![0_usize; words + 1];
        let mut block = MaybeUninit::<IO_STATUS_BLOCK>::zeroed();
        let length = u32::try_from(buffer.len() * size_of::<usize>()).expect("some kilobytes");
        // SAFETY: the handle is open; the buffer is as long as is said and aligned.
        let status = unsafe {
            NtQueryInformationFile(
                file.as_handle().as_raw_handle(),
                block.as_mut_ptr(),
                buffer.as_mut_ptr().cast(),
                length,
                FileProcessIdsUsingFileInformation,
            )
        };
        if status == STATUS_INFO_LENGTH_MISMATCH && words < MOST {
            words *= 4;
            continue;
        }
        nt::check(status)?;
        let count = buffer[0].to_ne_bytes()[..4].try_into().map_or(0, u32::from_ne_bytes);
        let pids = buffer.iter().skip(1).take(count as usize);
        return Ok(pids.filter_map(|pid| u32::try_from(*pid).ok()).collect());
    }
}

/// Asks the Restart Manager. Fails for directories.
fn managed_users(path: &Path) -> io::Result<Vec<u32>> {
    let manager = RestartManager::load()?;
    let mut session = 0;
    let mut key = [0_u16; CCH_RM_SESSION_KEY as usize + 1];
    // SAFETY: number and key are ours, and the key is as long as it has to be.
    checked(unsafe { (manager.start)(&raw mut session, 0, key.as_mut_ptr()) })?;
    let asked = ask_session(&manager, session, path);
    // SAFETY: the session was started above. Users have few of them, so it is always ended.
    let ended = unsafe { (manager.end)(session) };
    let users = asked?;
    checked(ended)?;
    Ok(users)
}

fn ask_session(manager: &RestartManager, session: u32, path: &Path) -> io::Result<Vec<u32>> {
    let wide: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let names = [wide.as_ptr()];
    let nothing: *const RM_UNIQUE_PROCESS = std::ptr::null();
    // SAFETY: one name, which ends with 0 and outlives the call; nothing else is handed over.
    checked(unsafe {
        (manager.register)(session, 1, names.as_ptr(), 0, nothing, 0, std::ptr::null())
    })?;
    let mut room = 0;
    loop {
        let mut found = vec![RM_PROCESS_INFO::default(); room as usize];
        let (mut needed, mut count, mut reasons) = (0, room, 0);
        // SAFETY: the list has as much room as is said; the numbers are ours.
        let status = unsafe {
            (manager.list)(
                session,
                &raw mut needed,
                &raw mut count,
                found.as_mut_ptr(),
                &raw mut reasons,
            )
        };
        if status == ERROR_MORE_DATA && (needed as usize) < MOST {
            room = needed + 4;
            continue;
        }
        checked(status)?;
        found.truncate(count as usize);
        return Ok(found.iter().map(|one| one.Process.dwProcessId).collect());
    }
}

fn checked(status: u32) -> io::Result<()> {
    match status {
        ERROR_SUCCESS => Ok(()),
        code => Err(io::Error::from_raw_os_error(code.cast_signed())),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::sole_user;

    #[test]
    fn of_several_users_nobody_is_named() {
        let me = std::process::id();
        assert_eq!(sole_user(Ok(vec![me, 4])), Some(4));
        assert_eq!(sole_user(Ok(vec![4])), Some(4));
        assert_eq!(sole_user(Ok(vec![4, me, 8])), None);
        assert_eq!(sole_user(Ok(vec![me])), None);
        assert_eq!(sole_user(Err(io::ErrorKind::Unsupported.into())), None);
    }
}
