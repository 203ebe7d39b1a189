//! Claims: small files that say who holds a lock or waits for it.
//!
//! A claim is live exactly as long as the kernel holds a lock on the claim file. What it says
//! is for people, for the search for deadlocks, and for finding the command of a dead holder;
//! exclusion never depends on it.
//!
//! A claim is a few lines of JSON, one object each; later lines add to earlier ones. Content
//! that cannot be understood is a claim that says nothing: its name and its lock still count.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::mode::Mode;
use crate::platform::step::step;
use crate::platform::{self, Access, Dir, Facts, host, mark, process};

/// A claim longer than this is not ours; reading stops here.
const LARGEST_BYTES: u64 = 64 * 1024;

/// How long, in milliseconds, a claim is tried to be locked although a prober holds it.
const LOCK_TRIES: u32 = 50;

/// Names one claim among all that ever were: the claimant's process id and a random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimId {
    /// The process that made the claim.
    pub pid: u32,
    token: u64,
}

impl ClaimId {
    /// Makes an id for this process.
    pub fn new() -> io::Result<Self> {
        Ok(Self { pid: std::process::id(), token: host::random()? })
    }

    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (pid, token) = text.split_once('.')?;
        if token.len() != 16 || pid.starts_with('+') || token.starts_with('+') {
            return None;
        }
        Some(Self { pid: pid.parse().ok()?, token: u64::from_str_radix(token, 16).ok()? })
    }
}

impl fmt::Display for ClaimId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:016x}", self.pid, self.token)
    }
}

/// Returns the name of a holder's claim in `held/`.
pub fn held_name(id: ClaimId, mode: Mode) -> String {
    format!("{id}.{}", mode.letter())
}

/// Reads the name of a holder's claim.
pub fn parse_held_name(name: &str) -> Option<(ClaimId, Mode)> {
    let (id, letter) = name.rsplit_once('.')?;
    Some((ClaimId::parse(id)?, Mode::from_letter(letter)?))
}

/// Returns the name of the directory in which nested calls below a claim exclude each other.
pub fn inner_name(id: ClaimId) -> String {
    format!("{id}.in")
}

/// Reads the name of such a directory.
pub fn parse_inner_name(name: &str) -> Option<ClaimId> {
    ClaimId::parse(name.strip_suffix(".in")?)
}

/// Returns the name of a waiter's claim in `queue/`.
pub fn queue_name(number: u64, mode: Mode) -> String {
    format!("{number:020}.{}", mode.letter())
}

/// Reads the name of a waiter's claim.
pub fn parse_queue_name(name: &str) -> Option<(u64, Mode)> {
    let (number, letter) = name.split_once('.')?;
    if number.len() != 20 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((number.parse().ok()?, Mode::from_letter(letter)?))
}

/// A claim that somebody is under: it is held by an ancestor, or by the same call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Under {
    /// The claim's id.
    pub id: String,
    /// The directory of the lock it holds.
    pub at: String,
}

/// What the claimant says of itself. Every field may be missing or wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The claim's id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The host the claimant runs on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// The claimant's user, as a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
    /// The program it runs or will run; never its arguments, which may hold secrets.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub program: String,
    /// What `--label` said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When the claim was made, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// When the lock was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acquired_ms: Option<u64>,
    /// The claims it is under, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub under: Vec<Under>,
    /// The claimant's start time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<u64>,
    /// The boot in which the pids and start times mean something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// The pid namespace in which they mean something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<u64>,
    /// The command that was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<u32>,
    /// The command's start time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child_start: Option<u64>,
    /// Whether `dbguard acquire` made it; the command is then the process that keeps it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lease: bool,
    /// When a lease ends by itself, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// What somebody asks of whoever keeps a lease; the keeper takes it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extend: Option<Extension>,
    /// The last of those that was carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended: Option<u64>,
    /// The claims of dead holders that were cleared before this one was granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<String>,
}

/// The wish that a lease should end later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// A number nobody else uses, so that whoever asked sees that it was heard.
    pub number: u64,
    /// In how many milliseconds the lease is to end.
    pub in_ms: u64,
}

impl Record {
    /// Reads a claim's content. Lines that are not understood are passed over.
    pub fn parse(content: &[u8]) -> Self {
        let mut whole = Self::default();
        for line in content.split(|byte| *byte == b'\n') {
            if let Ok(line) = serde_json::from_slice::<Self>(line) {
                whole.add(line);
            }
        }
        whole
    }

    fn add(&mut self, later: Self) {
        fn keep<T>(old: &mut Option<T>, new: Option<T>) {
            if new.is_some() {
                *old = new;
            }
        }
        if self.id.is_empty() {
            (self.id, self.host, self.program) = (later.id, later.host, later.program);
            (self.label, self.under) = (later.label, later.under);
        }
        keep(&mut self.user, later.user);
        keep(&mut self.since_ms, later.since_ms);
        keep(&mut self.acquired_ms, later.acquired_ms);
        keep(&mut self.start, later.start);
        keep(&mut self.boot, later.boot);
        keep(&mut self.namespace, later.namespace);
        keep(&mut self.child, later.child);
        keep(&mut self.child_start, later.child_start);
        keep(&mut self.expires_ms, later.expires_ms);
        keep(&mut self.extend, later.extend);
        keep(&mut self.extended, later.extended);
        self.lease |= later.lease;
        self.cleared.extend(later.cleared);
    }

    /// Whether its process numbers mean something here: same boot, same pid namespace.
    pub fn is_of_here(&self) -> bool {
        self.boot.is_some()
            && self.boot == process::boot_id()
            && self.namespace == process::pid_namespace()
    }
}

/// Our own claim: open, and locked as long as this lives.
#[derive(Debug)]
pub struct Claim {
    file: File,
    /// Where the last line begins.
    head: Cell<Option<u64>>,
}

impl Claim {
    /// Makes a claim under a new name and locks it. `None` if somebody removed or locked it
    /// before we could, which costs the place and nothing else.
    pub fn make(
        dir: &Dir,
        name: &str,
        mode: u32,
        owner: Option<(u32, u32)>,
    ) -> io::Result<Option<Self>> {
        let file = dir.make_file(name, mode)?;
        // Root's claims belong to the database's owner, and the umask may have hidden a claim
        // from those who may lock. One that stays hidden costs them the order and the name.
        drop(platform::settle_owner(&file, mode, owner));
        step("claim-made");
        for _ in 0..LOCK_TRIES {
            if mark::try_lock_exclusive(&file)? {
                let claim = Self { file, head: Cell::new(None) };
                // Whoever found it unlocked took it for a dead one's, and its name away: nobody would
                // see us wait, and readers that come and go would keep a writer out for good.
                return Ok((!claim.is_removed()).then_some(claim));
            }
            // A prober holds it for an instant.
            thread::sleep(Duration::from_millis(1));
        }
        // The name says nothing without the lock, and others remove what is unlocked.
        drop(dir.remove(name));
        Ok(None)
    }

    /// Appends a line. Failing costs others a name in a message, so the caller may go on.
    pub fn write(&self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        (&self.file).write_all(&line)
    }

    /// Writes the last line, over the one it wrote before: a command that is run again and again
    /// must not make the claim grow beyond what is read of it.
    pub fn write_last(&self, record: &Record) -> io::Result<()> {
        let mut file = &self.file;
        let head = match self.head.get() {
            Some(head) => file.seek(SeekFrom::Start(head))?,
            None => file.stream_position()?,
        };
        self.head.set(Some(head));
        self.write(record)?;
        let end = file.stream_position()?;
        self.file.set_len(end)
    }

    /// Returns the descriptor, to be inherited by the command.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Whether its name is gone: somebody passed us over.
    pub fn is_removed(&self) -> bool {
        platform::facts(&self.file).is_ok_and(|facts| facts.links == 0)
    }
}

/// Somebody's claim, seen by its name.
#[derive(Debug)]
pub struct Seen {
    file: File,
}

/// Returns the live claim of a holder with its mode, if it is in `held/`.
pub fn find_live(held: &Dir, id: ClaimId) -> Option<(Mode, Seen)> {
    [Mode::Exclusive, Mode::Shared].into_iter().find_map(|mode| {
        match Seen::look(held, &held_name(id, mode)) {
            Look::Live(seen) => Some((mode, seen)),
            Look::Gone | Look::Dead(_) | Look::Hidden => None,
        }
    })
}

/// What a look at a claim's name found.
#[derive(Debug)]
pub enum Look {
    /// There is no such claim any more.
    Gone,
    /// Nobody holds it.
    Dead(Seen),
    /// Somebody holds it.
    Live(Seen),
    /// It may not be opened; nothing is known.
    Hidden,
}

impl Seen {
    /// Looks at a claim. Never blocks, and disturbs nobody: the probe is shared, so that two
    /// probers do not take each other for life.
    pub fn look(dir: &Dir, name: &str) -> Look {
        let file = match dir.open_file(name, Access::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Look::Gone,
            Err(_) => return Look::Hidden,
        };
        match mark::try_lock_shared(&file) {
            Ok(true) => Look::Dead(Self { file }),
            Ok(false) => Look::Live(Self { file }),
            Err(_) => Look::Hidden,
        }
    }

    /// Returns the open file, to wait on.
    pub fn into_file(self) -> File {
        self.file
    }

    /// Whether somebody holds it still; where that cannot be told, somebody does. Of the look
    /// nothing stays locked, however long the file is kept open.
    pub fn is_live(&self) -> bool {
        match mark::try_lock_shared(&self.file) {
            // A lock that is not given back here would be taken for life by the next prober.
            Ok(true) => mark::unlock(&self.file).is_err(),
            Ok(false) | Err(_) => true,
        }
    }

    /// Returns what is known of the file.
    pub fn facts(&self) -> io::Result<Facts> {
        platform::facts(&self.file)
    }

    /// Reads what the claimant says of itself.
    pub fn record(&self) -> Record {
        Record::parse(&self.content())
    }

    /// Whether the claim may name one of these processes as its command. Cheaper than
    /// [`Seen::record`], and sure only if it says no.
    pub fn mentions(&self, pids: impl Iterator<Item = u32>) -> bool {
        let content = self.content();
        let content = String::from_utf8_lossy(&content);
        pids.into_iter().any(|pid| content.contains(&format!("\"child\":{pid}")))
    }

    fn content(&self) -> Vec<u8> {
        let mut content = Vec::new();
        // What was read before an error is as good as anything a claim says.
        drop((&self.file).seek(SeekFrom::Start(0)));
        drop((&self.file).take(LARGEST_BYTES).read_to_end(&mut content));
        content
    }
}

/// Returns the time now in milliseconds since 1970; 0 before that.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the line a claim begins with.
pub fn identity(
    id: ClaimId,
    since_ms: u64,
    program: &str,
    label: Option<&str>,
    under: &[Under],
) -> Record {
    Record {
        id: id.to_string(),
        host: host::host(),
        user: Some(host::user()),
        program: program.to_owned(),
        label: label.map(str::to_owned),
        since_ms: Some(since_ms),
        under: under.to_vec(),
        ..Record::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ClaimId, Mode, Record, held_name, parse_held_name, parse_queue_name, queue_name};

    #[test]
    fn names_are_read_back() {
        let id = ClaimId::new().expect("random numbers");
        let name = held_name(id, Mode::Exclusive);
        assert_eq!(parse_held_name(&name), Some((id, Mode::Exclusive)));
        assert_eq!(parse_queue_name(&queue_name(42, Mode::Shared)), Some((42, Mode::Shared)));
    }

    #[test]
    fn names_that_are_not_ours_are_refused() {
        for name in ["1.x", "0000000000000000004x.s", "+0000000000000000042.s", "x", "", "1.2.x"] {
            assert_eq!(parse_queue_name(name), None);
            assert_eq!(parse_held_name(name), None);
        }
    }

    #[test]
    fn later_lines_add_to_earlier_ones() {
        let content =
            b"{\"id\":\"1.0\",\"program\":\"a\"}\ngarbage\n{\"child\":7,\"child_start\":9}\n";
        let record = Record::parse(content);
        assert_eq!((record.program.as_str(), record.child), ("a", Some(7)));
    }

    proptest! {
        #[test]
        fn any_content_is_survived(content in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _record = Record::parse(&content);
        }

        #[test]
        fn any_name_is_survived(name in "\\PC{0,60}") {
            let _names = (parse_held_name(&name), parse_queue_name(&name));
        }

        #[test]
        fn a_record_is_read_back(program in "\\PC{0,20}", child in any::<Option<u32>>()) {
            let record = Record { id: "1.0".into(), program, child, ..Record::default() };
            let line = serde_json::to_vec(&record).expect("plain data");
            prop_assert_eq!(Record::parse(&line), record);
        }
    }
}
