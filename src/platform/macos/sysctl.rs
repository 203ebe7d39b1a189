//! Reading the kernel's variables, sysctl(3).

use std::ptr;

use libc::{c_int, c_void};

/// How often a table is read anew that grew meanwhile.
const TRIES: u32 = 8;

/// More than any of the tables that are read here; the kernel's word for a size is not trusted.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Returns a variable of unknown size, `None` where it cannot be read.
pub fn read(name: &[c_int]) -> Option<Vec<u8>> {
    for _ in 0..TRIES {
        let mut length = 0;
        if !call(name, ptr::null_mut(), &mut length) {
            return None;
        }
        // Room for what is added between the two calls.
        let mut value = vec![0; (length + length / 8 + 1024).min(MOST_BYTES)];
        length = value.len();
        if call(name, value.as_mut_ptr().cast(), &mut length) {
            value.truncate(length);
            return Some(value);
        }
        if std::io::Error::last_os_error().raw_os_error() != Some(libc::ENOMEM) {
            return None;
        }
    }
    None
}

/// Reads a variable that fits the buffer, and returns how long it is.
pub fn read_into(name: &[c_int], buffer: &mut [u8]) -> Option<usize> {
    let mut length = buffer.len();
    call(name, buffer.as_mut_ptr().cast(), &mut length).then_some(length.min(buffer.len()))
}

/// Returns a text by its name, such as `kern.bootsessionuuid`.
pub fn text(name: &std::ffi::CStr) -> Option<String> {
    let mut buffer = [0_u8; 128];
    let mut length = buffer.len();
    // SAFETY: the name is a C string, the buffer is as long as is said, and nothing is set.
    let failed = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            buffer.as_mut_ptr().cast(),
            &raw mut length,
            ptr::null_mut(),
            0,
        )
    };
    let text = buffer.get(..length).filter(|_| failed == 0)?;
    let text = std::str::from_utf8(text.split(|byte| *byte == 0).next()?).ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn call(name: &[c_int], value: *mut c_void, length: &mut usize) -> bool {
    let Ok(count) = libc::c_uint::try_from(name.len()) else { return false };
    // SAFETY: the name is only read, although the declaration has it mutable; the value is null or
    // has as many bytes as `length` says; nothing is set.
    unsafe {
        let name = name.as_ptr().cast_mut();
        libc::sysctl(name, count, value, &raw mut *length, ptr::null_mut(), 0) == 0
    }
}
