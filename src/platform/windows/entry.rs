//! Where the process begins.

use std::ffi::OsString;

/// Defines the C `main`, which calls a function with the arguments after the program's name and
/// exits with what it returns.
#[macro_export]
macro_rules! c_main {
    ($run:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn main(
            _count: ::std::ffi::c_int,
            _arguments: *const *const ::std::ffi::c_char,
        ) -> ::std::ffi::c_int {
            ::std::ffi::c_int::from($run($crate::platform::entry::arguments()))
        }
    };
}

/// Returns the arguments without the program's name, from the command line: those of the C `main`
/// have lost what is not in the code page.
pub fn arguments() -> Vec<OsString> {
    std::env::args_os().skip(1).collect()
}
