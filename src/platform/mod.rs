//! The only door to the operating system, and the only room with `unsafe`.
//!
//! The contract is the list below; each name exists on every supported system with the same
//! signature, and says under *Platforms* where the promise differs. Unsupported systems do not
//! compile.
//!
//! | area | names |
//! |---|---|
//! | directories and files | [`Dir`], [`Access`], [`Facts`], [`FileId`], [`facts`], [`facts_at`] |
//! | what a file carries besides its content | [`attributes`] |
//! | the whole-file lock | [`try_lock_shared`], [`lock_exclusive`], [`unlock`], ... |
//! | signals | [`signals`] |
//! | processes | [`process`], [`portrait`], [`Liveness`] |
//! | the beginning of the process | [`entry`] |
//! | starting a command | [`spawn`] |
//! | a process that stays behind | [`detach`] |
//! | kernel locks of others | [`ask`], [`lock_table`], [`holders`], [`held_locks`], [`lock_watch`] |
//! | who merely has a file open | [`openers`] |
//! | that nobody has a file open | [`lease`] |
//! | where a file is | [`file_system`] |
//! | a database, opened without a trace | [`sniff`] |
//! | who and where we are | [`host`] |
//! | each kind of lock, tried out on a scratch file | [`trial`] |
//! | steps for crash tests | [`step`] |
//! | DuckDB, which is linked in (feature `duckdb`) | `duckdb` |

mod answers;
#[cfg(feature = "duckdb")]
pub mod duckdb;
#[cfg(test)]
mod scratch;
#[cfg(any(target_os = "macos", test))]
mod spans;
pub mod step;
#[cfg(test)]
mod tests;

// What is pure in it is tested on every system.
#[cfg(any(target_os = "macos", test))]
#[path = "macos/records.rs"]
mod macos_records;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{
    attributes, detach,
    dir::{Access, Dir, own, settle_owner},
    entry,
    file::{
        Facts, FileId, facts, facts_at, facts_of_link, inherited_file, is_executable,
        lock_exclusive, lock_shared, loses_reader, may_write, takes_bytes, try_lock_exclusive,
        try_lock_shared, unlock,
    },
    host, signals, sniff, spawn, trial,
};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;

pub use system::{
    ask, file_system, held_locks, holders, lease, lock_table, lock_watch, openers, portrait,
    process,
};

#[cfg(windows)]
compile_error!("dbguard does not support Windows yet: Linux and macOS only");
#[cfg(target_os = "freebsd")]
compile_error!("dbguard does not support FreeBSD: Linux and macOS only");
#[cfg(target_os = "netbsd")]
compile_error!("dbguard does not support NetBSD: Linux and macOS only");
#[cfg(target_os = "openbsd")]
compile_error!("dbguard does not support OpenBSD: Linux and macOS only");
#[cfg(target_os = "dragonfly")]
compile_error!("dbguard does not support DragonFly BSD: Linux and macOS only");
#[cfg(target_os = "android")]
compile_error!("dbguard does not support Android: Linux and macOS only");
#[cfg(not(any(
    target_os = "linux",
    target_os = "macos",
    windows,
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    target_os = "android",
)))]
compile_error!("dbguard does not support this operating system: Linux and macOS only");

/// Whether a process is known to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs, and it is the one that was meant.
    Alive,
    /// It has ended, or its number belongs to another one now.
    Gone,
    /// Something with that number runs; whether it is the one cannot be seen.
    Unknown,
}
