//! What the machine tells of itself on macOS.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// Room for the texts of an entry of the user database.
const ENTRY_BYTES: usize = 16 * 1024;

/// Returns the id of the hardware, as the system writes it; `None` where there is none.
pub fn machine_id() -> Option<String> {
    let mut id = [0_u8; 16];
    let at_once = libc::timespec { tv_sec: 1, tv_nsec: 0 };
    // SAFETY: the id has the sixteen bytes that are written, and the time outlives the call.
    if unsafe { libc::gethostuuid(id.as_mut_ptr(), &raw const at_once) } != 0 {
        return None;
    }
    let digits: String = id.iter().map(|byte| format!("{byte:02X}")).collect();
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Some(parts.join("-"))
}

/// Returns the name of a user, or the number if there is no such user.
///
/// # Platforms
/// By getpwuid_r(3): `/etc/passwd` has the users of the system only.
pub fn user_name(user: u32) -> String {
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut texts = vec![0; ENTRY_BYTES];
    let mut found = ptr::null_mut();
    // SAFETY: the entry and the result are ours to write, and the texts are as long as is said.
    let failed = unsafe {
        libc::getpwuid_r(user, entry.as_mut_ptr(), texts.as_mut_ptr(), texts.len(), &raw mut found)
    };
    if failed != 0 || found.is_null() {
        return user.to_string();
    }
    // SAFETY: the entry was found, so it is initialised, and its name is a C string in `texts`.
    let name = unsafe { CStr::from_ptr((*found).pw_name) };
    name.to_string_lossy().into_owned()
}

/// Keeps threads from getting heaps of their own: nothing to do.
///
/// # Platforms
/// Only glibc gives threads heaps of their own.
pub fn share_one_heap() {}

/// Returns a random number nobody can guess.
pub fn random() -> io::Result<u64> {
    let mut bytes = [0_u8; 8];
    // SAFETY: the buffer is as long as is said.
    match unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) } {
        0 => Ok(u64::from_ne_bytes(bytes)),
        _ => Err(io::Error::last_os_error()),
    }
}
