//! What was seen of one database. The names are those of the JSON document.

use serde::Serialize;

use crate::error::Party;
use crate::native::decode::Blocks;

/// One database, as it was seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seen {
    /// The canonical path.
    pub path: String,
    /// How it was typed, or how it is shown to people.
    #[serde(skip)]
    pub shown: String,
    /// The same as a word that a shell understands.
    #[serde(skip)]
    pub typed: String,
    /// The key that was asked about.
    pub key: Option<String>,
    /// Whether there is such a file.
    pub exists: bool,
    /// The engine, by content.
    pub engine: &'static str,
    /// The version of the engine or of the format.
    pub engine_version: Option<String>,
    /// `rollback` or `wal`; of SQLite.
    pub journal_mode: Option<&'static str>,
    /// The size of a page.
    pub page_bytes: Option<u32>,
    /// How long the file is.
    pub bytes: Option<u64>,
    /// How many names it has.
    pub links: Option<u64>,
    /// Where it lies.
    pub filesystem: FileSystem,
    /// dbguard's own lock.
    pub guard: Guard,
    /// The locks of the engine.
    pub native: Native,
    /// What lies beside it.
    pub files: Vec<SideFile>,
    /// Those who merely have it open; only if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openers: Option<Vec<Opener>>,
    /// How many processes could not be looked into for who has it open.
    #[serde(skip_serializing_if = "is_none")]
    pub openers_unseen: usize,
    /// The lock directory that was given, as it is typed: whoever goes on has to name it too.
    #[serde(skip)]
    pub lock_dir: Option<String>,
    /// Who of the others can be seen.
    #[serde(skip)]
    pub sight: Sight,
    /// Whether it was not closed, and its engine repairs it when it opens it next; of redb.
    #[serde(skip)]
    pub needs_repair: bool,
    /// Readers that keep SQLite's log from being emptied.
    #[serde(skip)]
    pub pinned: Vec<Pinned>,
    /// Processes that use the database and have lost their locks.
    #[serde(skip)]
    pub broken: Vec<Broken>,
    /// Whom all the locks together keep out.
    #[serde(serialize_with = "as_word")]
    pub blocks: Blocks,
    /// What to know and what to do, most urgent first.
    pub hints: Vec<String>,
}

/// Who of the others whoever asks can see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// An ordinary user: root sees more.
    #[default]
    Part,
    /// Root: everybody there is to be seen.
    Everybody,
    /// The system tells nobody who has a file locked, but everybody who has it open.
    Openers,
}

/// A file system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileSystem {
    /// Its type, as the kernel names it.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// Whether it lies on another machine, or may.
    pub network: bool,
}

/// dbguard's own lock.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Guard {
    /// `free`, `held`, or `unknown` if it could not be seen.
    pub state: &'static str,
    /// `shared` or `exclusive`, while it is held.
    pub mode: Option<&'static str>,
    /// The file that is locked.
    pub lock_file: Option<String>,
    /// Those who hold it.
    pub holders: Vec<Party>,
    /// Those who wait, the next one first.
    pub waiters: Vec<Party>,
    /// What the dead left; in nobody's way.
    pub stale: Vec<String>,
    /// Keys that are held or waited for.
    pub keys: Vec<Key>,
    /// Why it could not be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A part of a database that is locked by itself.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Key {
    /// Its name, as it is on disk.
    pub key: String,
    /// Those who hold it.
    pub holders: Vec<Party>,
    /// Those who wait.
    pub waiters: Vec<Party>,
}

/// The locks of the engine.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Native {
    /// `free`, `idle` (only locks that block nobody), `held` or `unknown`.
    pub state: NativeState,
    /// One for each process and file.
    pub locks: Vec<NativeLock>,
    /// Why they could not be seen, or what they mean cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How the engine's locks stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NativeState {
    /// There is none.
    #[default]
    Free,
    /// Those that there are block nobody.
    Idle,
    /// Somebody is kept out.
    Held,
    /// They could not be seen.
    Unknown,
}

/// The locks of one process on one file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NativeLock {
    /// The process; its number is 0 where nobody can be named. Its lock is no older than itself.
    #[serde(flatten)]
    pub who: Party,
    /// What the kernel said instead of a number: -1 or 0.
    #[serde(skip)]
    pub raw_pid: i64,
    /// `posix`, `ofd` or `flock`.
    pub kind: &'static str,
    /// The file.
    pub file: String,
    /// What it does, as a fragment that follows its name.
    pub meaning: &'static str,
    /// Whom it keeps out.
    #[serde(serialize_with = "as_word")]
    pub blocks: Blocks,
    /// Whether the engine makes such locks; others may lock the file for reasons of their own.
    #[serde(skip)]
    pub of_engine: bool,
    /// The terminal that controls it.
    pub terminal: Option<String>,
    /// Whether its parent has ended.
    pub orphaned: bool,
    /// Its ancestors, nearest first.
    pub parents: Vec<String>,
    /// Whether its program was replaced or removed since it started.
    pub deleted_executable: bool,
    /// The container it runs in, if it is another one than ours.
    pub container: Option<String>,
    /// Whether it runs in another PID namespace than ours.
    pub other_namespace: bool,
    /// Its memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The CPU time that it has used, in milliseconds.
    pub cpu_ms: Option<u64>,
}

/// A file beside the database.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SideFile {
    /// Where it is.
    pub path: String,
    /// What it is.
    pub role: &'static str,
    /// How long it is.
    pub bytes: u64,
    /// What it means that it is there.
    pub meaning: String,
    /// Whether deleting it would lose nothing.
    pub safe_to_delete: bool,
    /// A command that deals with it.
    pub recovery: Option<String>,
    /// Whether its meaning is worth a warning, although nothing here deals with it.
    #[serde(skip)]
    pub warns: bool,
}

/// A reader of SQLite's write-ahead log that does not see the end of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pinned {
    /// The process.
    pub pid: u32,
    /// The last frame that it sees.
    pub frame: u32,
    /// The last frame that there is.
    pub last: u32,
    /// How many frames are in the database file already.
    pub backfilled: u32,
}

/// A process that uses a database without the locks that go with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broken {
    /// The process.
    pub pid: u32,
    /// The file that it has open.
    pub file: String,
    /// Whether that file has lost its name; otherwise the lock on it is missing.
    pub deleted: bool,
}

/// A process that has the database open.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Opener {
    /// The process.
    pub pid: u32,
    /// Its command line.
    pub command: Option<Vec<String>>,
    /// The file.
    pub file: String,
    /// Whether what it has open is not the file of that name any more.
    pub deleted: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn as_word<S: serde::Serializer>(blocks: &Blocks, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(blocks.word())
}
