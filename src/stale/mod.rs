//! Lock files of other tools: whose they are, and whether their owner is provably dead; pure.
//!
//! A format reads what was seen of a file and states what it says ([`Statement`]); [`judge()`] holds
//! an owner against the processes of this machine. Only a [`Verdict::Stale`] is ever acted on, and
//! it is a proof: who cannot be seen, is on another machine or in another PID namespace, or is
//! merely old, is unknown, and unknown means hands off.
//!
//! A new format is one file in `formats`, one line in its list, and a test with the bytes that the
//! real tool writes.

mod formats;
mod judge;
mod never;

use std::path::PathBuf;
use std::time::Duration;

pub use formats::{ALL, find, named};
pub use judge::{Here, Presence, Verdict, judge};
pub use never::never_touched;

/// The most that is read of a file, and the longest file that can be a lock.
pub const CONTENT_BYTES: usize = 4096;

/// The most names that are read of a directory.
pub const MOST_ENTRIES: usize = 16;

/// What a file system entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    #[default]
    File,
    /// A directory.
    Directory,
    /// A symbolic link, followed nowhere.
    Link,
}

/// What was seen of something that may be a lock, without touching it.
#[derive(Clone, Debug, Default)]
pub struct Sighting {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// The content of a file, at most [`CONTENT_BYTES`]; the target of a link.
    pub content: Vec<u8>,
    /// How long the file is.
    pub bytes: u64,
    /// How many names it has.
    pub links: u64,
    /// How long ago it was written; `None` if that lies in the future.
    pub age: Option<Duration>,
    /// The names in a directory, at most [`MOST_ENTRIES`] and one that stands for all that are not
    /// UTF-8; those of directories end with a slash.
    pub entries: Vec<String>,
    /// What stands beside it and was asked for with [`Format::beside`].
    pub beside: Vec<Neighbour>,
}

/// Something beside what may be a lock.
#[derive(Clone, Debug, Default)]
pub struct Neighbour {
    /// Its name.
    pub name: String,
    /// The beginning of what it contains.
    pub content: Vec<u8>,
    /// Whether it is another name of the same file.
    pub is_same: bool,
}

impl Sighting {
    /// Returns its name, empty where that is not UTF-8: no format has such names.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Returns the content as text, `None` where it is none or there is more of it.
    pub fn text(&self) -> Option<&str> {
        let whole = usize::try_from(self.bytes).is_ok_and(|bytes| bytes <= CONTENT_BYTES);
        std::str::from_utf8(&self.content).ok().filter(|_| whole)
    }

    /// Returns what stands in the file beside it that has this name.
    pub fn content_beside(&self, name: &str) -> Option<&[u8]> {
        self.beside.iter().find(|other| other.name == name).map(|other| &other.content[..])
    }
}

/// A kind of lock file.
#[derive(Debug)]
pub struct Format {
    /// What it is called on the command line and in documents.
    pub name: &'static str,
    /// Who makes it.
    pub tool: &'static str,
    /// What the files are called, for people.
    pub files: &'static str,
    /// What is done about it, for people.
    pub rule: Rule,
    /// Whether it is spoken of only if the user names the format: most of what looks like it is no
    /// leftover.
    pub is_quiet: bool,
    /// Whether an entry of this name and kind can be one; decides what is looked at at all, so it
    /// must be quick. `name` is the last part of the path.
    pub is_named: fn(name: &str, kind: Kind) -> bool,
    /// Whether a name beside `name` is wanted in [`Sighting::beside`].
    pub beside: Option<fn(name: &str, other: &str) -> bool>,
    /// Reads one.
    pub read: fn(&Sighting) -> Statement,
}

/// What can be done about a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It names its owner: removed when that process is provably dead.
    Owner,
    /// Only its age is known: reported, and removed with `--assume-stale`.
    Age,
    /// Reported, never removed.
    Report,
}

impl Rule {
    /// Returns the words of the list of formats.
    pub fn words(self) -> &'static str {
        match self {
            Self::Owner => "removed when its process is provably dead",
            Self::Age => "reported; removed with --assume-stale",
            Self::Report => "reported, never removed",
        }
    }
}

/// What a lock file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// It is none of this format.
    Foreign,
    /// Its owner is this one.
    Owner(Owner),
    /// Its owner is one of these, where a number runs into what follows it: stale only if each of
    /// them would be.
    OneOf(Vec<Owner>),
    /// It names nobody. Its tool takes it for stale when it is older than this, if it does at all.
    Ageing(Option<Duration>),
    /// It is being written, or was cut short.
    Unfinished,
    /// It is of this format and not to be removed; the reason, and what to do instead.
    Kept(String),
}

impl Statement {
    /// Returns who may be the owner; the lock is stale only if it would be with each of them.
    pub fn owners(&self) -> &[Owner] {
        match self {
            Self::Owner(owner) => std::slice::from_ref(owner),
            Self::OneOf(owners) => owners,
            Self::Foreign | Self::Ageing(_) | Self::Unfinished | Self::Kept(_) => &[],
        }
    }
}

/// Who made a lock file, as the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The process.
    pub pid: u32,
    /// The machine, by name.
    pub host: Option<String>,
    /// The machine, by systemd's machine id.
    pub machine: Option<String>,
    /// The boot of the machine, by the kernel's boot id.
    pub boot: Option<String>,
    /// When the process started, in ticks of 10 ms since the boot.
    pub start: Option<u64>,
    /// The PID namespace, by its number.
    pub namespace: Option<u64>,
    /// What the program can be called: one of these is part of its name, of its executable's, or of
    /// a word of its command line. Empty if any program can make such a lock.
    pub programs: Vec<String>,
}
