//! Everything that can be seen of one database from outside, put together.
//!
//! Read-only: no byte and no modification time changes, no access time that the kernel lets us
//! leave alone, and no lock is taken but the shared probes on dbguard's own claims. Files are opened before any of their locks is asked for and closed at
//! once; nothing here may run while an engine in this process has the database open.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::guard_look::guard;
use super::native_look::{Busy, look, recognise_directory};
use super::symptoms::{confirm, grouped, half_locked, lockless, pinned};
use crate::error::Party;
use crate::escape::escaped;
use crate::info::{
    self, FileSystem, Native, NativeLock, NativeState, Opener, Seen, SideFile, Sight,
};
use crate::lock::{Resource, rfc3339};
use crate::native::decode::{Blocks, Family, Place, Span, decode, shut};
use crate::native::description::describe;
use crate::native::side_file::{self, Role};
use crate::native::{self, Ask, Engine, Want};
use crate::platform::held_locks::{HeldLock, NamedFile, locks_on};
use crate::platform::holders::{self, table_is_complete};
use crate::platform::lock_table::{LockKind, LockMode};
use crate::platform::portrait::{Portrait, ancestry, portrait};
use crate::platform::sniff::{Sniffed, open_unnoticed};
use crate::platform::{errors, file_system, host, openers, sniff};

/// How often a database is looked at that seems to be left.
const LOOKS: u32 = 3;

/// More processes than this are not described; the rest still counts.
const MOST_DESCRIBED: usize = 64;

const CONFINED: &str = "this is a PID namespace, as containers have, and a flock that is held \
                        outside cannot be seen in it; run dbguard info on the host";

/// Ancestors that are of no interest: every process has them.
const EVERYWHERE: [&str; 4] = ["systemd", "launchd", "init", "login"];

/// What is to be looked at besides the locks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    /// Those who merely have the files open.
    pub openers: bool,
    /// The part of the database that is asked about.
    pub key: Option<&'a str>,
    /// Where the lock's files are, if that was given.
    pub lock_dir: Option<&'a Path>,
}

/// Looks at the database of a resource; `shown` is how it is called in front of people.
pub fn survey(resource: &Resource, shown: &str, wish: Wish<'_>) -> Seen {
    let path = &resource.path;
    let (engine, head, error) = recognise(path);
    let description = describe(engine, &head);
    let mut seen = Seen {
        path: path.to_string_lossy().into_owned(),
        shown: shown.to_owned(),
        typed: typed(path, shown),
        exists: resource.facts.is_some(),
        engine: engine.name(),
        engine_version: description.version,
        journal_mode: description.journal_mode,
        page_bytes: description.page_bytes,
        needs_repair: description.needs_repair,
        bytes: resource.facts.and_then(|_| bytes(path)),
        links: resource.facts.filter(|facts| facts.regular).map(|facts| facts.links),
        filesystem: filesystem(path),
        guard: guard(resource, wish.key),
        lock_dir: wish
            .lock_dir
            .map(|directory| info::typed(directory.as_os_str().as_encoded_bytes())),
        sight: match host::user() {
            _ if !holders::ARE_LISTED => Sight::Openers,
            0 => Sight::Everybody,
            _ => Sight::Part,
        },
        key: wish.key.map(str::to_owned),
        ..Seen::default()
    };
    // What seems to be left may be somebody's who came between the look at the locks and this one.
    for _ in 0..LOOKS {
        locks_and_files(engine, path, error.as_ref(), &mut seen);
        let is_left = seen.files.iter().any(|file| file.recovery.is_some());
        if !is_left || seen.native.state != NativeState::Free {
            break;
        }
    }
    if wish.openers {
        let beside = beside(engine, path).into_iter().map(|(_, path)| path);
        let files: Vec<PathBuf> = std::iter::once(path.clone()).chain(beside).collect();
        (seen.openers, seen.openers_unseen) = who_has_it_open(&files);
        let mut lockless = lockless(&seen);
        confirm(&mut lockless, &files);
        seen.broken.extend(lockless);
    }
    seen.blocks = blocks(&seen);
    seen.hints = info::hints(&seen);
    seen
}

/// Fills in the locks of the engine and what lies beside the database.
fn locks_and_files(engine: Engine, path: &Path, error: Option<&io::Error>, seen: &mut Seen) {
    seen.native = Native::default();
    native(engine, &files(engine, path), seen);
    unlisted(engine, path, seen);
    // Who keeps it from being read is seen.
    let is_told = |error: &&io::Error| !errors::is_shut_out(error) || seen.native.locks.is_empty();
    if let Some(error) = error.filter(is_told) {
        cannot_tell(seen, &format!("it may not be looked into: {error}"));
    }
    seen.files = side_files(engine, path, seen);
}

/// Returns how the database is typed at a shell; `shown` is for eyes and may have escapes.
fn typed(path: &Path, shown: &str) -> String {
    let is_plain = path.to_str().is_some_and(|whole| escaped(whole) == whole);
    match is_plain {
        true => info::typed(shown),
        false => info::typed(path.as_os_str().as_encoded_bytes()),
    }
}

/// Returns the engine and the first bytes of a database, or why they cannot be read.
pub(super) fn recognise(path: &Path) -> (Engine, Vec<u8>, Option<io::Error>) {
    match open_unnoticed(path) {
        Ok(Sniffed::File(mut file)) => {
            let mut head = vec![0; native::HEAD_BYTES];
            match file.read(&mut head) {
                Ok(length) => {
                    head.truncate(length);
                    (native::recognise_file(&head), head, None)
                }
                Err(error) => (Engine::Unknown, Vec::new(), Some(error)),
            }
        }
        Ok(Sniffed::Directory) => match recognise_directory(path) {
            Ok(engine) => (engine, Vec::new(), None),
            Err(error) => (Engine::Unknown, Vec::new(), Some(error)),
        },
        Ok(Sniffed::Other) => (Engine::Unknown, Vec::new(), None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (Engine::Unknown, Vec::new(), None)
        }
        Err(error) => (Engine::Unknown, Vec::new(), Some(error)),
    }
}

/// Returns how long a file is, or the files of a directory together.
fn bytes(path: &Path) -> Option<u64> {
    let facts = fs::metadata(path).ok()?;
    if !facts.is_dir() {
        return Some(facts.len());
    }
    let files = fs::read_dir(path).ok()?.filter_map(|entry| entry.ok()?.metadata().ok());
    Some(files.filter(fs::Metadata::is_file).map(|facts| facts.len()).sum())
}

/// What a file is decides what a lock on it means: where that cannot be read, no lock means
/// anything, and none is no yes.
fn cannot_tell(seen: &mut Seen, why: &str) {
    seen.native.state = NativeState::Unknown;
    seen.native.error = Some(why.to_owned());
    for lock in &mut seen.native.locks {
        lock.meaning = "has a lock on it, which cannot be understood";
        lock.blocks = Blocks::None;
    }
}

fn filesystem(path: &Path) -> FileSystem {
    let of = file_system::of(path).or_else(|| file_system::of(path.parent()?));
    of.map_or_else(FileSystem::default, |found| FileSystem {
        type_name: Some(found.type_name),
        network: found.network,
    })
}

/// Returns the files of a database that engines lock.
pub(super) fn files(engine: Engine, path: &Path) -> Vec<(Place, PathBuf)> {
    let mut files = vec![(Place::Main, path.to_path_buf())];
    for (role, path) in beside(engine, path) {
        let place = match role {
            Role::SqliteShm => Place::SharedMemory,
            Role::DuckDbWal => Place::WriteAheadLog,
            Role::LmdbLock | Role::LevelDbLock => Place::LockFile,
            _ => continue,
        };
        files.push((place, path));
    }
    files
}

/// Returns the files that may lie beside a database.
fn beside(engine: Engine, path: &Path) -> Vec<(Role, PathBuf)> {
    match engine {
        Engine::Lmdb if path.is_dir() => {
            side_file::candidates(engine, &native::lmdb::data_file(path))
        }
        _ => side_file::candidates(engine, path),
    }
}

/// Fills in the locks of the engine.
fn native(engine: Engine, files: &[(Place, PathBuf)], seen: &mut Seen) {
    let named: Vec<NamedFile<'_>> = files.iter().map(|(_, path)| NamedFile::at(path)).collect();
    let Ok(found) = locks_on(&named) else {
        seen.native.state = NativeState::Unknown;
        return;
    };
    let groups = grouped(&found);
    seen.broken = half_locked(engine, files, &groups);
    if !seen.broken.is_empty() {
        // The table is read piece by piece, so a connection that is just being made or closed can
        // be seen in half.
        let again = locks_on(&named).unwrap_or_default();
        let still = half_locked(engine, files, &grouped(&again));
        seen.broken.retain(|one| still.contains(one));
    }
    seen.pinned = pinned(engine, files, &groups);
    for ((file, pid, raw), locks) in groups {
        let (place, path) = &files[file];
        let spans: Vec<Span> = locks.iter().map(|held| span(held)).collect();
        let meaning = decode(engine, *place, &spans);
        let write = locks.iter().any(|held| held.lock.mode == LockMode::Write);
        let lock = NativeLock {
            raw_pid: raw,
            kind: kind(locks[0].lock.kind),
            file: path.to_string_lossy().into_owned(),
            meaning: meaning.text,
            blocks: meaning.blocks,
            of_engine: meaning.of_engine,
            ..described(pid, write, seen.native.locks.len() < MOST_DESCRIBED)
        };
        seen.native.locks.push(lock);
    }
    seen.native.locks.sort_by_key(|lock| std::cmp::Reverse(lock.blocks));
    seen.native.state = match seen.native.locks.first().map(|lock| lock.blocks) {
        None => NativeState::Free,
        Some(Blocks::None) => NativeState::Idle,
        Some(_) => NativeState::Held,
    };
}

/// Adds what the lock table does not show and the kernel tells whoever asks: LMDB's writer, who
/// has no file lock, and what is held outside this PID namespace.
fn unlisted(engine: Engine, path: &Path, seen: &mut Seen) {
    let is_held = !matches!(seen.native.state, NativeState::Free | NativeState::Idle);
    if is_held && engine != Engine::Lmdb {
        return;
    }
    let looked = look(path, Want::Exclusive);
    let Some(busy) = looked.busy else {
        if let Some(impossible) = looked.impossible {
            let file = impossible.file.to_string_lossy();
            let why = format!("{} may not be looked into: {}", escaped(&file), impossible.source);
            cannot_tell(seen, &why);
        } else if !table_is_complete() && locked_by_flock(engine) && seen.exists {
            cannot_tell(seen, CONFINED);
        }
        return;
    };
    if let Some(lock) = asked(busy, path, is_held) {
        seen.native.locks.insert(0, lock);
        seen.native.state = NativeState::Held;
    }
}

/// Returns the lock that a question met, unless the lock table has it; `is_held` is whether that
/// has any that keep somebody out.
pub(super) fn asked(busy: Busy, path: &Path, is_held: bool) -> Option<NativeLock> {
    let (kind, meaning, blocks) = match (busy.ask, busy.pid) {
        (Ask::LmdbWriter, _) => ("futex", "has a write transaction open", Blocks::Writers),
        (Ask::Open { write }, _) if !is_held => {
            let meaning = shut(!write);
            ("open", meaning.text, meaning.blocks)
        }
        (_, pid) if !is_held && (pid.is_none() || !holders::ARE_LISTED) => {
            let kind = match busy.raw_pid {
                _ if !holders::ARE_LISTED => "range",
                -1 => "ofd",
                _ => "posix",
            };
            let keeps_out_readers =
                look(path, Want::Shared).busy.is_some_and(|busy| busy.pid == pid);
            match keeps_out_readers {
                true => (kind, "keeps everybody out", Blocks::All),
                false => (kind, "keeps writers out", Blocks::Writers),
            }
        }
        // The lock table has it.
        _ => return None,
    };
    let is_exclusive = kind == "futex" || blocks == Blocks::All;
    Some(NativeLock {
        raw_pid: if busy.pid.is_some() { 0 } else { busy.raw_pid.into() },
        kind,
        file: busy.file.to_string_lossy().into_owned(),
        meaning,
        blocks,
        of_engine: true,
        ..described(busy.pid.unwrap_or(0), is_exclusive, busy.pid.is_some())
    })
}

/// Whether flocks count on such a file: nobody is told of those outside his PID namespace.
fn locked_by_flock(engine: Engine) -> bool {
    matches!(engine, Engine::Bbolt | Engine::Redb | Engine::Unknown)
}

pub(super) fn span(held: &HeldLock) -> Span {
    let family = match held.lock.kind {
        LockKind::Flock => Family::Flock,
        LockKind::Ofd => Family::Ofd,
        LockKind::Lease => Family::Lease,
        LockKind::Open => Family::Open,
        LockKind::Posix | LockKind::Other => Family::Posix,
    };
    let write = held.lock.mode == LockMode::Write;
    Span { family, write, start: held.lock.start, end: held.lock.end }
}

pub(super) fn kind(kind: LockKind) -> &'static str {
    match kind {
        LockKind::Posix => "posix",
        LockKind::Ofd => "ofd",
        LockKind::Flock => "flock",
        LockKind::Lease => "lease",
        LockKind::Open => "open",
        LockKind::Other => "other",
    }
}

/// Describes a process; with `wholly` its ancestors too.
pub(super) fn described(pid: u32, write: bool, wholly: bool) -> NativeLock {
    let mode = if write { "exclusive" } else { "shared" };
    let Some(seen) = portrait(pid).filter(|_| pid != 0) else {
        let who = Party { pid, mode, process_state: "unknown", via: "kernel", ..Party::default() };
        return NativeLock { who, ..NativeLock::default() };
    };
    let container = seen.container.as_ref().filter(|_| seen.other_namespace != Some(false));
    NativeLock {
        terminal: seen.terminal.clone(),
        orphaned: seen.orphaned,
        parents: if wholly { parents(pid) } else { Vec::new() },
        deleted_executable: seen.executable.as_ref().is_some_and(|one| one.deleted),
        other_namespace: seen.other_namespace == Some(true),
        container: container.map(|one| format!("{} {}", one.engine, one.id)),
        memory_bytes: Some(seen.resident_bytes),
        cpu_ms: u64::try_from(seen.cpu_time.as_millis()).ok(),
        who: party(seen, mode),
        ..NativeLock::default()
    }
}

fn party(seen: Portrait, mode: &'static str) -> Party {
    // Before 1970 no process was started, whatever a clock says.
    let started = seen.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Party {
        pid: seen.pid,
        command: seen.command_line,
        program: seen.name,
        user: seen.user.map(host::user_name),
        host: Some(host::host()),
        mode,
        since: u64::try_from(started.as_millis()).ok().map(rfc3339),
        for_ms: u64::try_from(seen.age.as_millis()).ok(),
        process_state: seen.state,
        via: "kernel",
        ..Party::default()
    }
}

/// Returns the ancestors worth knowing: not those of everybody.
fn parents(pid: u32) -> Vec<String> {
    let names = ancestry(pid).into_iter().map(|one| one.executable.unwrap_or(one.name));
    names.filter(|name| !EVERYWHERE.contains(&name.as_str())).map(|name| escaped(&name)).collect()
}

fn side_files(engine: Engine, path: &Path, seen: &Seen) -> Vec<SideFile> {
    let in_use = seen.native.locks.iter().any(|lock| lock.of_engine)
        || seen.sight == Sight::Openers
            && !openers::openers(&[NamedFile::at(path)]).openers.is_empty();
    let mut files = Vec::new();
    let database = match &seen.lock_dir {
        Some(directory) => format!("--lock-dir {directory} {}", seen.typed),
        None => seen.typed.clone(),
    };
    for (role, path) in beside(engine, path) {
        let Ok(facts) = fs::symlink_metadata(&path) else { continue };
        if facts.is_dir() != role.is_directory() {
            continue;
        }
        let mut head = [0; 16];
        let is_telling = role.has_telling_head() && !(in_use && sniff::DELAYS_OTHERS);
        let length = match is_telling.then(|| open_unnoticed(&path)) {
            Some(Ok(Sniffed::File(mut file))) => file.read(&mut head).ok(),
            _ => None,
        };
        let bytes = if facts.is_file() { facts.len() } else { 0 };
        let is_database_empty = engine == Engine::Empty;
        let head = length.map(|length| &head[..length]);
        let state = side_file::Seen { bytes, head, in_use, is_database_empty };
        let told = side_file::tell(role, state, &database);
        files.push(SideFile {
            path: path.to_string_lossy().into_owned(),
            role: role.word(),
            bytes,
            meaning: told.meaning.to_owned(),
            safe_to_delete: told.safe_to_delete,
            recovery: told.recovery,
            warns: told.warns,
        });
    }
    files
}

/// Returns who has the files open, and how many may have them open unseen.
fn who_has_it_open(files: &[PathBuf]) -> (Option<Vec<Opener>>, usize) {
    let named: Vec<NamedFile<'_>> = files.iter().map(|path| NamedFile::at(path)).collect();
    let found = openers::openers(&named);
    let opener = |one: openers::Opener| Opener {
        pid: one.pid,
        command: crate::platform::process::command_line(one.pid),
        file: files[one.file].to_string_lossy().into_owned(),
        deleted: one.deleted,
    };
    (Some(found.openers.into_iter().map(opener).collect()), found.unseen)
}

/// Returns whom the guard lock and the engine's locks together keep out. Whoever comes waits for
/// those who wait already, unless they are stopped: then they are passed over.
fn blocks(seen: &Seen) -> Blocks {
    let waiters = seen.guard.waiters.iter().filter(|party| party.process_state != "stopped");
    let waiting = waiters.map(|party| party.mode);
    let guard = seen.guard.mode.into_iter().chain(waiting).map(|mode| match mode {
        "exclusive" => Blocks::All,
        _ => Blocks::Writers,
    });
    let guard = guard.max().unwrap_or_default();
    let native = seen.native.locks.iter().map(|lock| lock.blocks).max().unwrap_or_default();
    guard.max(native)
}
