//! Where the process begins.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

/// Defines the C `main`, which calls a function with the arguments after the program's name and
/// exits with what it returns.
#[macro_export]
macro_rules! c_main {
    ($run:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn main(
            count: ::std::ffi::c_int,
            arguments: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            $crate::platform::entry::fill_standard_descriptors();
            // SAFETY: these are the two values that the C runtime calls `main` with.
            let arguments = unsafe { $crate::platform::entry::arguments(count, arguments) };
            ::std::ffi::c_int::from($run(arguments))
        }
    };
}

/// Returns the arguments without the program's name.
///
/// Not `std::env::args_os`: without Rust's own `main` it is empty where the C library does not
/// hand the arguments to initialisers (musl).
///
/// # Safety
/// The two values must be those of the C `main`.
pub unsafe fn arguments(count: c_int, arguments: *const *const c_char) -> Vec<OsString> {
    let count = usize::try_from(count).unwrap_or(0);
    let argument = |place| {
        // SAFETY: by contract there are `count` pointers to strings that live as long as the
        // process, and `place` is below `count`.
        let text = unsafe { CStr::from_ptr(*arguments.add(place)) };
        OsStr::from_bytes(text.to_bytes()).to_owned()
    };
    (1..count).map(argument).collect()
}

/// Opens `/dev/null` in the place of closed standard descriptors: a lock file that got the
/// number of standard error would be written into.
pub fn fill_standard_descriptors() {
    for number in 0..3 {
        // SAFETY: F_GETFD only asks; a number that is not open answers with an error.
        if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
            // SAFETY: the path is a C string. The lowest free number is the closed one; where
            // there is no /dev/null nothing better can be done.
            unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        }
    }
}
