//! What the answers of every system consist of.
//!
//! The rooms of each system give these types out under the names of their areas; nothing here asks
//! anybody anything.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{FileId, facts_at};

/// How a lock was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// fcntl `F_SETLK`: belongs to a process.
    Posix,
    /// fcntl `F_OFD_SETLK`: belongs to an open file description.
    Ofd,
    /// flock(2): belongs to an open file description.
    Flock,
    /// A lease or a delegation, as file servers take them; it locks no database.
    Lease,
    /// None: whoever has the file open lets nobody else open it. Only on Windows.
    Open,
    /// Whatever a later kernel has.
    Other,
}

/// Whether a lock excludes everybody or writers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockMode {
    /// Shared.
    Read,
    /// Exclusive.
    Write,
}

/// A lock that the kernel has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KernelLock {
    /// Whether it is waited for instead of held.
    pub waiting: bool,
    /// How it was taken.
    pub kind: LockKind,
    /// What it excludes.
    pub mode: LockMode,
    /// The process as the kernel wrote it: -1 for an open file description, 0 for one outside this
    /// PID namespace. [`KernelLock::pid`] has only those that are processes.
    pub raw_pid: i64,
    /// The major number of the superblock's device.
    pub device_major: u32,
    /// The minor number of the superblock's device.
    pub device_minor: u32,
    /// The inode.
    pub inode: u64,
    /// The first byte.
    pub start: u64,
    /// The last byte; `None` reaches to the end of the offset space.
    pub end: Option<u64>,
}

impl KernelLock {
    /// Returns the process that took the lock, if the kernel named one.
    pub fn pid(&self) -> Option<u32> {
        u32::try_from(self.raw_pid).ok().filter(|pid| *pid != 0)
    }

    /// Reports whether the lock covers any of the bytes from `first` to `last`.
    pub fn touches(&self, first: u64, last: u64) -> bool {
        self.start <= last && self.end.is_none_or(|end| end >= first)
    }
}

/// A lock that stands in the way of the one asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The process that holds it, as this PID namespace numbers it; `None` when the kernel does
    /// not say, see `raw_pid`.
    pub pid: Option<u32>,
    /// What the kernel said: -1 for a lock of an open file description, 0 for a process outside
    /// this PID namespace or on another machine, other negative numbers from some network file
    /// systems.
    pub raw_pid: i32,
    /// Whether it is a write lock.
    pub write: bool,
    /// Its first byte.
    pub start: u64,
    /// How many bytes it covers; 0 reaches to the end of the offset space.
    pub length: u64,
}

/// A lock and who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process that holds the lock; `None` when it is outside this PID namespace or belongs
    /// to a user whose descriptors may not be read.
    pub pid: Option<u32>,
    /// The lock.
    pub lock: KernelLock,
}

/// A file to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedFile<'a> {
    /// Where it is. Used to find its mount, and to recognize deleted files that had this name:
    /// absolute and free of symbolic links.
    pub path: &'a Path,
    /// What is there now; `None` for nothing.
    pub id: Option<FileId>,
}

impl<'a> NamedFile<'a> {
    /// Looks up what is at a path, without opening it; what cannot be looked up is not there.
    pub fn at(path: &'a Path) -> Self {
        Self { path, id: facts_at(path).ok().map(|facts| facts.id) }
    }
}

/// Where the holder of a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Among the processes that can be seen.
    Here,
    /// Outside this PID namespace, or on another machine.
    OtherNamespace,
    /// Nobody can be seen to have it: another user's process, which root would see, or the kernel
    /// itself, as a file server.
    Unseen,
}

/// A lock on one of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLock {
    /// Which of the files: its place in the list that was given.
    pub file: usize,
    /// The lock: kind, mode, range, the process on record, and whether it is only waited for.
    pub lock: KernelLock,
    /// The processes that have it, or wait for it. Empty unless `whereabouts` is `Here`. Where the
    /// process on record has the lock, those that share it with that one are not searched for.
    pub holders: Vec<u32>,
    /// Where they are.
    pub whereabouts: Whereabouts,
}

/// One process that has one of the files open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opener {
    /// The process.
    pub pid: u32,
    /// Which of the files: its place in the list that was given.
    pub file: usize,
    /// Through how many descriptors.
    pub descriptors: usize,
    /// Whether any of them can write; `None` where that cannot be read.
    pub writes: Option<bool>,
    /// What is open has lost its name: it was deleted, or another file took its place.
    pub deleted: bool,
}

/// What a look at all processes found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Openers {
    /// Who has which file open. A process is listed once for each file, and once more for a
    /// deleted one of the same name.
    pub openers: Vec<Opener>,
    /// How many processes could not be looked into, being another user's; root sees all.
    pub unseen: usize,
}

/// The file system a path is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// Its type as the system has it: `ext4`, `nfs4`, `fuse.sshfs`, `apfs`. As hostile as any text from
    /// elsewhere: whoever mounts may name it.
    pub type_name: String,
    /// Whether other machines may have it too, so that locks may end here or be made there. Also
    /// for all of FUSE, which does not tell.
    pub network: bool,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// Whether it lays one directory over another, as containers do: locks taken on the same file
    /// below do not meet those taken here.
    pub is_overlay: bool,
}

/// What the table of processes says of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// The state letter of proc(5): `R`, `S`, `D`, `T`, `t`, `Z`, `X`.
    pub state: char,
    /// The parent's process id; 0 for none.
    pub parent: u32,
    /// When it started. With the boot id it tells a process from a later one with the same
    /// number; it is compared and nothing else: each system counts in its own way.
    pub start: u64,
}

/// What is known of one process. All of it is of the same process, at slightly different moments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portrait {
    /// Its number.
    pub pid: u32,
    /// The number of its parent; 0 for none in this PID namespace.
    pub parent: u32,
    /// What the kernel calls it, or the name of its executable where the kernel cuts that short.
    pub name: String,
    /// Its command line, as `process::command_line`; `None` if it cannot be read.
    pub command_line: Option<Vec<String>>,
    /// The number of its effective user.
    pub user: Option<u32>,
    /// When it started, to some 10 ms and as today's clock has it.
    pub started: SystemTime,
    /// For how long it has run, time asleep with the machine included.
    pub age: Duration,
    /// Its state, in the words of `process::state`.
    pub state: &'static str,
    /// The terminal it belongs to, as `pts/3` or `ttys003`.
    pub terminal: Option<String>,
    /// Whether process 1 is its parent: its own has ended, or it is a service of the system.
    pub orphaned: bool,
    /// The program it runs; `None` for another user's process.
    pub executable: Option<Executable>,
    /// Whether its PID namespace is another than ours; `None` if that cannot be told.
    pub other_namespace: Option<bool>,
    /// Its number in each PID namespace from the outermost that is seen inwards, `pid` first.
    pub namespace_pids: Vec<u32>,
    /// The container it is in, where its control group says so.
    pub container: Option<Container>,
    /// Memory it occupies; 0 for a zombie and for a thread of the kernel.
    pub resident_bytes: u64,
    /// The time it spent computing, all threads together.
    pub cpu_time: Duration,
    /// Its working directory; `None` for another user's process.
    pub directory: Option<PathBuf>,
}

/// The program of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// Where it is, or was.
    pub path: PathBuf,
    /// Whether it has been deleted or replaced since, as by an upgrade.
    pub deleted: bool,
}

/// A container, as far as the name of a control group tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// `docker`, `podman`, `kubernetes`, or `container` for others.
    pub engine: &'static str,
    /// The first twelve digits of its id.
    pub id: String,
}

/// One step from a process towards process 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Its number.
    pub pid: u32,
    /// What the kernel calls it, or the name of its executable where the kernel cuts that short.
    pub name: String,
    /// The file name of its executable; `None` for another user's process.
    pub executable: Option<String>,
}

/// What is at a path.
#[derive(Debug)]
pub enum Sniffed {
    /// A regular file, open for reading.
    File(File),
    /// A directory; nothing was opened.
    Directory,
    /// A FIFO, a device or a socket; nothing was opened.
    Other,
}

/// Returns the word for a state letter.
pub(super) fn state_word(letter: char) -> &'static str {
    match letter {
        'T' | 't' => "stopped",
        'Z' | 'X' => "zombie",
        'R' => "running",
        _ => "sleeping",
    }
}

/// What there is to hear of a process that is to stay behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is ready, and this is what it has to tell.
    Ready(Vec<u8>),
    /// It has told people itself why it does not stay, and has ended with this code. The key at the
    /// console that asked for that, if one did.
    Refused(i32, Option<i32>),
    /// It has ended, and nobody was told why.
    Ended,
}
