//! The only door to the operating system, and the only room with `unsafe`.
//!
//! The contract is the list below; each name exists on every supported system with the same
//! signature, and says under *Platforms* where the promise differs. Unsupported systems do not
//! compile.
//!
//! | area | names |
//! |---|---|
//! | directories and files | [`Dir`], [`Access`], [`Facts`], [`FileId`], [`facts`], [`facts_at`], [`canonical`] |
//! | what a file carries besides its content | [`attributes`] |
//! | open files for others | [`Lent`], [`lend`], [`make_temporary`], ... |
//! | what an error means | [`errors`], [`Shortage`] |
//! | the whole-file lock | [`try_lock_shared`], [`lock_exclusive`], [`unlock`], ... |
//! | the lock on a file that others read meanwhile | [`mark`] |
//! | signals | [`signals`] |
//! | processes | [`process`], [`portrait`], [`Liveness`] |
//! | the beginning of the process | [`entry`] |
//! | starting a command | [`programs`], [`spawn`] |
//! | a process that stays behind | [`detach`], [`reach`] |
//! | kernel locks of others | [`ask`], [`lock_table`], [`holders`], [`held_locks`], [`lock_watch`] |
//! | who merely has a file open | [`openers`] |
//! | that nobody has a file open | [`lease`] |
//! | where a file is, and which names are the same there | [`file_system`], [`names`] |
//! | a database, opened without a trace | [`sniff`] |
//! | who and where we are | [`host`] |
//! | each kind of lock, tried out on a scratch file | [`trial`] |
//! | steps for crash tests | [`step`], [`steps`] |
//! | DuckDB, which is linked in (feature `duckdb`) | `duckdb` |

mod answers;
#[cfg(feature = "duckdb")]
pub mod duckdb;
#[cfg(test)]
mod scratch;
#[cfg(any(target_os = "macos", all(unix, test)))]
mod spans;
pub mod step;
#[cfg(test)]
mod tests;

// What is pure in it is tested on every Unix.
#[cfg(any(target_os = "macos", all(unix, test)))]
#[path = "macos/records.rs"]
mod macos_records;

#[cfg(unix)]
mod unix;
#[cfg(all(unix, test))]
pub use unix::handles::odd_name;
#[cfg(unix)]
pub use unix::{
    attributes, detach,
    dir::{Access, Dir, own, settle_owner},
    entry, errors,
    file::{
        Facts, FileId, canonical, facts, facts_at, facts_of_link, inherited_file, is_executable,
        lock_exclusive, lock_shared, loses_reader, may_write, share_lock, takes_bytes,
        try_lock_exclusive, try_lock_shared, unlock,
    },
    handles::{
        Lent, NOWHERE, lend, make_new, make_temporary, make_temporary_directory, open_to_append,
        open_to_sync, put_in_place, put_where_free, replace, sync_directory,
    },
    host, mark, programs, reach, signals, sniff, spawn, steps, trial,
};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;

#[cfg(unix)]
pub use system::{
    ask, file_system, held_locks, holders, lease, lock_table, lock_watch, names, openers, portrait,
    process,
};

#[cfg(windows)]
mod windows;
#[cfg(all(windows, test))]
pub use windows::handles::odd_name;
#[cfg(windows)]
pub use windows::{
    ask, attributes, detach,
    dir::{Access, Dir, own, settle_owner},
    entry, errors,
    file::{
        Facts, FileId, canonical, facts, facts_at, facts_of_link, inherited_file, is_executable,
        lock_exclusive, lock_shared, loses_reader, may_write, share_lock, takes_bytes,
        try_lock_exclusive, try_lock_shared, unlock,
    },
    file_system,
    handles::{
        Lent, NOWHERE, lend, make_new, make_temporary, make_temporary_directory, open_to_append,
        open_to_sync, put_in_place, put_where_free, replace, sync_directory,
    },
    held_locks, holders, host, lease, lock_table, lock_watch, mark, names, openers, portrait,
    process, programs, reach, signals, sniff, spawn, steps, trial,
};

#[cfg(target_os = "freebsd")]
compile_error!("dbguard does not support FreeBSD: Linux, macOS and Windows only");
#[cfg(target_os = "netbsd")]
compile_error!("dbguard does not support NetBSD: Linux, macOS and Windows only");
#[cfg(target_os = "openbsd")]
compile_error!("dbguard does not support OpenBSD: Linux, macOS and Windows only");
#[cfg(target_os = "dragonfly")]
compile_error!("dbguard does not support DragonFly BSD: Linux, macOS and Windows only");
#[cfg(target_os = "android")]
compile_error!("dbguard does not support Android: Linux, macOS and Windows only");
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
compile_error!("dbguard does not support this operating system: Linux, macOS and Windows only");

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

/// What a system has run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// Open files of this process.
    OwnFiles,
    /// Processes of this user.
    Processes,
    /// Memory, or something else of the whole system.
    System,
}
