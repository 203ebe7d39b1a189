//! How files are opened on macOS.

use rustix::fs::OFlags;

/// What it takes to open what is inside a directory. One that may not be listed cannot be passed
/// through: there is nothing like Linux's `O_PATH`.
pub const PASSAGE: OFlags = OFlags::RDONLY;

/// Nothing leaves the access time alone.
pub const UNNOTICED: OFlags = OFlags::empty();
