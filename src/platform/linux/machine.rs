//! What the machine tells of itself on Linux.

use std::fs;
use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// Returns the id that systemd gave this machine, `None` where there is none.
pub fn machine_id() -> Option<String> {
    let id = fs::read_to_string("/etc/machine-id").ok()?.trim().to_owned();
    (!id.is_empty()).then_some(id)
}

/// Returns the name of a user from `/etc/passwd`, or the number if it is not listed there.
///
/// Deliberately not `getpwuid`: in a static binary it may load shared libraries or fail.
pub fn user_name(user: u32) -> String {
    let passwd = fs::read("/etc/passwd").unwrap_or_default();
    let passwd = String::from_utf8_lossy(&passwd);
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| user.to_string())
}

/// Keeps threads from getting heaps of their own: for a helper that hardly allocates, making one
/// costs more than the thread itself.
///
/// # Platforms
/// Only glibc gives threads heaps of their own.
pub fn share_one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only changes a setting of the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Returns a random number nobody can guess.
pub fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(u64::from_ne_bytes(bytes))
}
