//! Who and where we are: user, host, terminal.

use std::io::{self, IsTerminal};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Security::Cryptography::{
    BCRYPT_USE_SYSTEM_PREFERRED_RNG, BCryptGenRandom,
};
use windows_sys::Win32::Security::{
    GetSidSubAuthority, GetSidSubAuthorityCount, GetTokenInformation, TOKEN_QUERY, TOKEN_USER,
    TokenUser,
};
use windows_sys::Win32::System::Console::{CONSOLE_SCREEN_BUFFER_INFO, GetConsoleScreenBufferInfo};
use windows_sys::Win32::System::SystemInformation::{
    ComputerNamePhysicalDnsHostname, GetComputerNameExW,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows_sys::Win32::System::WindowsProgramming::GetUserNameW;

/// Stands for a user who cannot be told: the end of the identifier of "nobody" (`S-1-0-0`) would be
/// 0, which is root's number elsewhere.
const NOBODY: u32 = u32::MAX;

/// Returns our user's number.
///
/// # Platforms
/// The last part of the security identifier on Windows (500 and more, 18 for the system itself).
/// Owners of files are not told apart there: all files are ours, and nobody is root.
pub fn user() -> u32 {
    static USER: OnceLock<u32> = OnceLock::new();
    *USER.get_or_init(|| own_identifier().unwrap_or(NOBODY))
}

/// Returns the last part of the security identifier that this process runs under.
fn own_identifier() -> Option<u32> {
    let mut token = ptr::null_mut();
    // SAFETY: the pseudo-handle of this process needs no closing; the token's place is ours.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) } == 0 {
        return None;
    }
    // SAFETY: the call succeeded, so the token is open and ours.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    let mut buffer = [0_u64; 32];
    let (place, length) = (buffer.as_mut_ptr().cast(), 8 * 32);
    let mut needed = 0;
    let handle = token.as_raw_handle();
    // SAFETY: the buffer is as long as is said and aligned for the structure that is put at its
    // beginning, whose pointer leads into the same buffer.
    unsafe {
        if GetTokenInformation(handle, TokenUser, place, length, &raw mut needed) == 0 {
            return None;
        }
        let user = place.cast::<TOKEN_USER>().read();
        let parts = GetSidSubAuthorityCount(user.User.Sid).read();
        let last = u32::from(parts).checked_sub(1)?;
        Some(GetSidSubAuthority(user.User.Sid, last).read())
    }
}

/// Returns the id of this machine, `None` where there is none that others write into lock files.
pub fn machine_id() -> Option<String> {
    None
}

/// Returns the name of a user: the own one.
pub fn user_name(user: u32) -> String {
    let name = text(|buffer, length| {
        // SAFETY: the buffer is as long as is said.
        unsafe { GetUserNameW(buffer, length) }
    });
    name.filter(|_| user == self::user()).unwrap_or_else(|| user.to_string())
}

/// Whether a shell of MSYS2 or Git Bash has started this.
pub(super) fn is_below_msys() -> bool {
    std::env::var_os("MSYSTEM").is_some()
}

/// How a shell is told from whom a lock is taken for.
pub const OWN_SHELL: &str =
    "the number is one that Windows knows: in Git Bash $$ is none, see the README";

/// What ends a process by its number.
pub const KILL: &str = "taskkill /F /PID";

/// Who may read everything.
pub const SEES_ALL: &str = "an administrator";

/// Returns what to do to run something as somebody who may do more.
pub fn as_root(command: &str) -> String {
    format!("as an administrator, type: {command}")
}

/// Returns the id of this boot as other programs write it into their lock files.
///
/// # Platforms
/// `None` on Windows, where they write none; [`super::process::boot_id`] is the machine's there.
pub fn boot_id() -> Option<String> {
    None
}

/// Returns the host's name.
pub fn host() -> String {
    let name = text(|buffer, length| {
        // SAFETY: the buffer is as long as is said.
        unsafe { GetComputerNameExW(ComputerNamePhysicalDnsHostname, buffer, length) }
    });
    name.unwrap_or_default()
}

/// Asks for a text of at most 256 characters, which ends with a 0.
fn text(ask: impl FnOnce(*mut u16, *mut u32) -> i32) -> Option<String> {
    let mut buffer = [0_u16; 257];
    let mut length = 257;
    let told = ask(buffer.as_mut_ptr(), &raw mut length) != 0;
    let end = buffer.iter().position(|unit| *unit == 0)?;
    (told && end > 0).then(|| String::from_utf16_lossy(&buffer[..end]))
}

/// Keeps threads from getting heaps of their own: on Windows they share one.
pub fn share_one_heap() {}

/// Returns a random number nobody can guess.
pub fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    // SAFETY: eight bytes are written where we own them.
    let status = unsafe {
        BCryptGenRandom(ptr::null_mut(), bytes.as_mut_ptr(), 8, BCRYPT_USE_SYSTEM_PREFERRED_RNG)
    };
    super::nt::check(status)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Whether this process can be stopped and continued with keys.
///
/// # Platforms
/// Windows consoles have no such keys.
pub fn in_foreground() -> bool {
    false
}

/// Whether a process gets the keys of the terminal as we do.
///
/// # Platforms
/// On Windows whatever we started does, for it shares our console.
pub fn shares_process_group(_pid: u32) -> bool {
    true
}

/// Returns the width of the terminal on standard error, if there is one.
pub fn terminal_width() -> Option<usize> {
    let error = io::stderr();
    if !error.is_terminal() {
        return None;
    }
    console_width(error.as_raw_handle())
}

fn console_width(console: RawHandle) -> Option<usize> {
    let mut about = CONSOLE_SCREEN_BUFFER_INFO::default();
    // SAFETY: the handle is that of standard error, and the structure is ours.
    if unsafe { GetConsoleScreenBufferInfo(console, &raw mut about) } == 0 {
        return None;
    }
    let width = i32::from(about.srWindow.Right) - i32::from(about.srWindow.Left) + 1;
    usize::try_from(width).ok().filter(|width| *width > 0)
}

/// Forgets nothing: what was typed at a console before stays there to be read.
pub fn forget_typed() {}
