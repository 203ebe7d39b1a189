//! One look at a database: does a foreign native lock keep me from it?
//!
//! The look asks and never requests: engines fail on a lock they meet, however short it was. It is
//! a snapshot, good enough to wait politely and no guarantee of anything; a client that knows
//! nothing of dbguard can start right after it.
//!
//! It lies on the path of every `exec`. A free SQLite file costs stat, open, read, one or two
//! fcntl, close; holders are searched only for engines that use flock.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::native::{self, Ask, Engine, Question, Want, leveldb, lmdb};
use crate::platform::ask::record_lock_conflict;
use crate::platform::held_locks::NamedFile;
use crate::platform::holders::{
    MUTEXES_NAME_THREADS, flock_conflict, holders_of, process_of_thread,
};
use crate::platform::openers::openers;
use crate::platform::portrait::namespace_pids;
use crate::platform::sniff::{Sniffed, open_unnoticed};
use crate::platform::{errors, sniff};

/// What one look saw.
#[derive(Debug)]
pub struct Look {
    /// The engine that the path belongs to; [`Engine::Unknown`] where nothing is there.
    pub engine: Engine,
    /// Who is in the way; `None` if nobody is seen to be.
    pub busy: Option<Busy>,
    /// Why some question could not be asked; it is then not waited for.
    pub impossible: Option<Impossible>,
}

/// A foreign lock that is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// The process that holds it; `None` where the kernel does not tell.
    pub pid: Option<u32>,
    /// What the kernel said instead: -1 for an open file description, 0 for a process outside
    /// this PID namespace or on another machine.
    pub raw_pid: i32,
    /// The file the lock is on: the database or one of its side files.
    pub file: PathBuf,
    /// What the holder is doing, as a fragment.
    pub meaning: &'static str,
    /// The question that its lock answered.
    pub ask: Ask,
}

/// A question that could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot look for native locks on `{}`", file.display())]
pub struct Impossible {
    /// The file it was about.
    pub file: PathBuf,
    /// Why not.
    pub source: io::Error,
}

/// Who answers for a lock: the process if known, and what the kernel said.
struct Owner {
    pid: Option<u32>,
    raw_pid: i32,
}

/// Looks whether a foreign native lock keeps `want` from the database at `path`.
///
/// `path` is a file or a directory with symbolic links resolved: engines name their side files
/// after the resolved path. A missing one is free. A FIFO, a device or a socket is not opened and
/// is free. Does not block, takes no lock, and has everything closed when it returns.
///
/// Must not be called while an engine in this process has the database open: closing the
/// descriptors of the look would drop that engine's locks.
///
/// The answer covers fcntl locks, flocks where the engine uses them, and LMDB's write mutex. Locks
/// that stop nobody, such as those of idle connections in WAL mode, are not reported. What cannot
/// be asked is told in [`Look::impossible`] and does not count as busy.
pub fn look(path: &Path, want: Want) -> Look {
    match open_unnoticed(path) {
        Ok(Sniffed::File(file)) => look_at_file(path, &file, want),
        Ok(Sniffed::Directory) => look_at_directory(path, want),
        Ok(Sniffed::Other) => free(Engine::Unknown),
        Err(error) if error.kind() == io::ErrorKind::NotFound => free(Engine::Unknown),
        Err(error) if errors::is_shut_out(&error) => shut_out(path),
        Err(source) => cannot(path, source),
    }
}

/// Tells of a file that nobody else can read. So nothing tells which engine it is of.
fn shut_out(path: &Path) -> Look {
    let Owner { pid, raw_pid } = owner(opener(path));
    let busy = Busy {
        pid,
        raw_pid,
        file: path.to_path_buf(),
        meaning: "keeping everybody else from opening it",
        ask: Ask::Open { write: false },
    };
    Look { engine: Engine::Unknown, busy: Some(busy), impossible: None }
}

/// Returns the one process that has a file open. Of several nothing tells which keeps others out.
fn opener(path: &Path) -> Option<u32> {
    let found = openers(&[NamedFile::at(path)]);
    match found.openers.as_slice() {
        [only] if found.unseen == 0 => Some(only.pid),
        _ => None,
    }
}

/// Returns a process of this machine as an owner.
fn owner(pid: Option<u32>) -> Owner {
    Owner { pid, raw_pid: pid.and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0) }
}

fn free(engine: Engine) -> Look {
    Look { engine, busy: None, impossible: None }
}

fn cannot(path: &Path, source: io::Error) -> Look {
    let impossible = Impossible { file: path.to_path_buf(), source };
    Look { engine: Engine::Unknown, busy: None, impossible: Some(impossible) }
}

fn look_at_file(path: &Path, file: &File, want: Want) -> Look {
    let mut head = [0; native::HEAD_BYTES];
    match read_head(file, &mut head) {
        Ok(length) => {
            let engine = native::recognise_file(&head[..length]);
            put(engine, native::questions(engine, path, want), Some((path, file)))
        }
        Err(error) if errors::is_shut_out(&error) => shut_out(path),
        Err(source) => cannot(path, source),
    }
}

fn look_at_directory(path: &Path, want: Want) -> Look {
    match recognise_directory(path) {
        Ok(Engine::Lmdb) => {
            let data = lmdb::data_file(path);
            put(Engine::Lmdb, native::questions(Engine::Lmdb, &data, want), None)
        }
        Ok(engine) => put(engine, native::questions(engine, path, want), None),
        Err(source) => cannot(path, source),
    }
}

/// Recognises a directory without listing it, unless it may be a LevelDB: its lock file may have
/// been deleted, and its listing tells whether it is a RocksDB.
pub(super) fn recognise_directory(path: &Path) -> io::Result<Engine> {
    let mut names = Vec::new();
    for name in native::DIRECTORY_MARKERS {
        if fs::exists(path.join(name))? {
            names.push(name.to_owned());
        }
    }
    let engine = native::recognise_directory(&names);
    let may_be_level = names.iter().any(|name| name == leveldb::CURRENT_FILE);
    if !may_be_level || matches!(engine, Engine::Lmdb | Engine::RocksDb) {
        return Ok(engine);
    }
    let tells = |name: &String| {
        name.starts_with(leveldb::OPTIONS_PREFIX) || name.starts_with(leveldb::MANIFEST_PREFIX)
    };
    let listed = fs::read_dir(path)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.extend(listed.filter(tells));
    Ok(native::recognise_directory(&names))
}

/// Puts the questions one after the other, until one is answered by a lock.
///
/// `opened` is the database file if it is open already: every open saved counts here.
fn put(engine: Engine, questions: Vec<Question>, opened: Option<(&Path, &File)>) -> Look {
    let mut look = free(engine);
    let mut side: Option<(PathBuf, Option<File>)> = None;
    for question in questions {
        let answered = match opened {
            Some((path, file)) if path == question.file => answer(&question, file),
            _ => answer_beside(&question, &mut side),
        };
        match answered {
            Ok(None) => {}
            Ok(Some(Owner { pid, raw_pid })) => {
                let Question { file, meaning, ask } = question;
                look.busy = Some(Busy { pid, raw_pid, file, meaning, ask });
                return look;
            }
            Err(source) => {
                let impossible = Impossible { file: question.file, source };
                look.impossible.get_or_insert(impossible);
            }
        }
    }
    look
}

/// Puts a question about a side file, which stays open in `side` for the next one.
fn answer_beside(
    question: &Question,
    side: &mut Option<(PathBuf, Option<File>)>,
) -> io::Result<Option<Owner>> {
    if side.as_ref().is_none_or(|(path, _)| *path != question.file) {
        *side = Some((question.file.clone(), open_side(&question.file)?));
    }
    match side {
        Some((_, Some(file))) => answer(question, file),
        _ => Ok(None),
    }
}

/// Opens a side file; `None` where there is none, or nothing that an engine could have locked.
fn open_side(path: &Path) -> io::Result<Option<File>> {
    match open_unnoticed(path) {
        Ok(Sniffed::File(file)) => Ok(Some(file)),
        Ok(Sniffed::Directory | Sniffed::Other) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn answer(question: &Question, file: &File) -> io::Result<Option<Owner>> {
    match question.ask {
        Ask::Record { write, start, length } => {
            let conflict = record_lock_conflict(file, write, start, length)?;
            Ok(conflict.map(|lock| Owner { pid: lock.pid, raw_pid: lock.raw_pid }))
        }
        Ask::Flock { write } => {
            let id = crate::platform::facts(file)?.id;
            let holder = flock_conflict(id, &question.file, write)?;
            Ok(holder.map(|holder| Owner {
                pid: holder.pid,
                raw_pid: i32::try_from(holder.lock.raw_pid).unwrap_or(0),
            }))
        }
        Ask::Open { write } => {
            Ok(sniff::keeps_others_out(&question.file, write)
                .then(|| owner(opener(&question.file))))
        }
        Ask::LmdbWriter => lmdb_writer(file, &question.file),
    }
}

/// Returns who is in a write transaction.
///
/// The word in the lock file means nothing when nobody has the environment open: it survives a
/// power loss. It is the number of a thread in the PID namespace of the writer, so it is believed
/// only of a process that has the lock file locked, as everybody does who has the environment
/// open; otherwise nobody is named.
fn lmdb_writer(lock_file: &File, path: &Path) -> io::Result<Option<Owner>> {
    // Elsewhere the writers of LMDB share a semaphore, and nobody tells who has it.
    if !MUTEXES_NAME_THREADS || record_lock_conflict(lock_file, true, lmdb::OPEN_BYTE, 1)?.is_none()
    {
        return Ok(None);
    }
    let mut head = [0; lmdb::LOCK_HEAD_BYTES];
    let length = read_head(lock_file, &mut head)?;
    let Some(thread) = lmdb::writer_thread(&head[..length]) else { return Ok(None) };
    let id = crate::platform::facts(lock_file)?.id;
    let users: Vec<u32> = holders_of(id, path)?.into_iter().filter_map(|user| user.pid).collect();
    let of_here = process_of_thread(thread).filter(|pid| users.contains(pid));
    // Its first thread has the number of the process there, which is the last that is listed here.
    let pid = of_here.or_else(|| {
        let is_it =
            |pid: &u32| namespace_pids(*pid).is_some_and(|pids| pids.last() == Some(&thread));
        users.into_iter().find(is_it)
    });
    Ok(Some(owner(pid)))
}

/// Reads the beginning of a file and returns how much there was.
fn read_head(mut file: &File, head: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < head.len() {
        match file.read(&mut head[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
