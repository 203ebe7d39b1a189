//! What the harness asks of the operating system, under the same names on each of them.
//!
//! A system that lacks something says so where it is asked for it; what tests ask for that only
//! Linux has is told by the table of README.md, which `elsewhere` prints there.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub use linux::*;
#[cfg(windows)]
pub use windows::*;
