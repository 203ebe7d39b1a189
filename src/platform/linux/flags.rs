//! How files are opened on Linux.

use rustix::fs::OFlags;

/// Enough to open what is inside a directory, even where it may not be listed.
pub const PASSAGE: OFlags = OFlags::PATH;

/// Leaves the access time alone; only the owner of a file and root may (open(2)).
pub const UNNOTICED: OFlags = OFlags::NOATIME;
