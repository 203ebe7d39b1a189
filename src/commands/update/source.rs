//! The file whose content is read: which one it is, and whether it still is what was read.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use sha2::Digest;

use super::{Halt, watch};
use crate::cli::update_args::Sha256;
use crate::commands::display::similar_name;
use crate::commands::voice::Voice;
use crate::error::Failure;
use crate::lock::{Resource, Target};
use crate::native::{Engine, Want};
use crate::outcome::Outcome;
use crate::platform::sniff::{Sniffed, open_unnoticed};
use crate::platform::{self, Facts};
use crate::probe::look;
use crate::supervise::Supervisor;

/// What is read at once.
const CHUNK_BYTES: usize = 1 << 18;

/// A file to be replaced, open for reading.
pub(super) struct Source {
    /// The path, symbolic links resolved.
    pub(super) path: PathBuf,
    /// The file; `None` if there is none yet.
    pub(super) file: Option<File>,
    facts: Option<Facts>,
}

impl Source {
    /// Opens the file at `path`, which was called `named`.
    ///
    /// # Errors
    /// It is missing, or it is none that can be replaced.
    pub(super) fn find(
        named: &Path,
        path: PathBuf,
        create: bool,
        voice: &Voice,
    ) -> Result<Self, Failure> {
        refuse_part_of_database(named, &path, voice)?;
        match platform::facts_of_link(&path) {
            Ok(facts) => refuse_kind(&path, &facts, voice)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
                return Ok(Self { path, file: None, facts: None });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(missing(named, &path, voice));
            }
            Err(error) => return Err(failed("look at", &path, error, voice)),
        }
        platform::may_write(&path)
            .map_err(|error| failed("replace", &path, error, voice))
            .map_err(|failure| failure.hint("what may not be written to is not replaced either"))?;
        let file = match open_unnoticed(&path) {
            Ok(Sniffed::File(file)) => file,
            // It was a regular file a moment ago.
            Ok(Sniffed::Directory | Sniffed::Other) => return Err(moving(&path, voice)),
            Err(error) => {
                return Err(failed("read", &path, error, voice)
                    .hint("an update reads the old content first: the file has to be readable"));
            }
        };
        let facts =
            platform::facts(&file).map_err(|error| failed("look at", &path, error, voice))?;
        Ok(Self { path, file: Some(file), facts: Some(facts) })
    }

    /// Demands that the content has a hash; a missing file has that of nothing.
    pub(super) fn demand(
        &self,
        wanted: Sha256,
        supervisor: &Supervisor<'_>,
        voice: &Voice,
    ) -> Result<(), Halt> {
        let mut hasher = sha2::Sha256::new();
        self.each_chunk(supervisor, voice, |bytes| {
            hasher.update(bytes);
            Ok(())
        })?;
        let found = Sha256(hasher.finalize().into());
        if found == wanted {
            return Ok(());
        }
        let message = format!("{} has another content: its SHA-256 is {found}", self.shown(voice));
        Err(Failure::new(Outcome::Negative, message)
            .hint("nothing was run or changed; read the file again and start from what it is now")
            .into())
    }

    /// Calls `each` with the whole content, part by part, and is at its beginning again.
    pub(super) fn each_chunk(
        &self,
        supervisor: &Supervisor<'_>,
        voice: &Voice,
        mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Halt> {
        let Some(mut file) = self.file.as_ref() else { return Ok(()) };
        let unreadable = |error| failed("read", &self.path, error, voice);
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => each(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error).into()),
            }
            watch::demand_silence(supervisor)?;
        }
        file.rewind().map_err(unreadable)?;
        Ok(())
    }

    /// Demands that nobody has changed or replaced the file since it was opened.
    pub(super) fn demand_unchanged(&self, voice: &Voice) -> Result<(), Failure> {
        let now = match platform::facts_of_link(&self.path) {
            Ok(facts) => Some(facts),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("look at", &self.path, error, voice)),
        };
        let content = |facts: Facts| (facts.id, facts.size, facts.modified);
        if now.map(content) != self.facts.map(content) {
            return Err(moving(&self.path, voice));
        }
        match now {
            Some(facts) if facts.links > 1 => Err(several_names(&self.path, &facts, voice)),
            _ => Ok(()),
        }
    }

    fn shown(&self, voice: &Voice) -> String {
        voice.shown(&self.path)
    }
}

/// Returns what a command reads of a file that does not exist.
pub(super) fn nothing() -> Result<File, Failure> {
    File::open(platform::NOWHERE)
        .map_err(|error| Failure::new(Outcome::IoError, "cannot open `/dev/null`").caused_by(error))
}

/// Returns what to tell of an error of the system; what failed is a verb.
pub(super) fn failed(what: &str, path: &Path, error: io::Error, voice: &Voice) -> Failure {
    let outcome = match error.kind() {
        io::ErrorKind::PermissionDenied => Outcome::Permission,
        _ => Outcome::IoError,
    };
    Failure::new(outcome, format!("cannot {what} {}", voice.shown(path))).caused_by(error)
}

fn refuse(message: String) -> Failure {
    Failure::new(Outcome::Usage, message)
}

fn refuse_kind(path: &Path, facts: &Facts, voice: &Voice) -> Result<(), Failure> {
    refuse_database(path, path, voice)?;
    let shown = voice.shown(path);
    if facts.directory {
        return Err(refuse(format!("{shown} is a directory")).hint("name a file in it"));
    }
    if !facts.regular {
        return Err(refuse(format!("{shown} is no regular file"))
            .hint("a device, a FIFO or a socket has no content that could be replaced"));
    }
    match facts.links {
        0 | 1 => Ok(()),
        _ => Err(several_names(path, facts, voice)),
    }
}

/// The new content is another file under this one name; what the other names lead to would stay as
/// it is, and has a lock of its own anyway.
fn several_names(path: &Path, facts: &Facts, voice: &Voice) -> Failure {
    let message = format!(
        "{} has {} names (hard links): the others would keep the old content",
        voice.shown(path),
        facts.links
    );
    refuse(message).hint("make the other names symbolic links, or the file a copy of its own")
}

/// A log or a journal has no magic of its own that is always there: its name says what it is, if
/// there is a database with the rest of it.
fn refuse_part_of_database(named: &Path, path: &Path, voice: &Voice) -> Result<(), Failure> {
    let target = Target { file: named.to_path_buf(), ..Target::default() };
    match Resource::resolve(&target) {
        Ok(Resource { path: database, translated: Some(_), .. }) => {
            refuse_database(&database, path, voice)
        }
        // Whatever is wrong with it, taking the lock tells.
        _ => Ok(()),
    }
}

fn refuse_database(database: &Path, path: &Path, voice: &Voice) -> Result<(), Failure> {
    let engine = look(database, Want::Shared).engine;
    let (what, shown) = (engine.name(), voice.shown(path));
    let hint = match engine {
        Engine::Unknown | Engine::Empty => return Ok(()),
        Engine::Sqlite { .. } | Engine::DuckDb => {
            format!("its engine changes it in one step: dbguard sql {} SQL", voice.shown(database))
        }
        _ => format!(
            "run a program for it under the lock: dbguard exec {} -- COMMAND",
            voice.shown(database)
        ),
    };
    let message = match database == path {
        true => format!("{shown} is a {what} database"),
        false => format!("{shown} is a part of a {what} database, {}", voice.shown(database)),
    };
    Err(refuse(message).hint(hint))
}

fn missing(named: &Path, path: &Path, voice: &Voice) -> Failure {
    let shown = voice.shown(path);
    let failure = Failure::new(Outcome::NoSuchFile, format!("there is no {shown}"));
    let target = Target { file: named.to_path_buf(), ..Target::default() };
    let similar = Resource::resolve(&target).ok().and_then(|resource| similar_name(&resource, &[]));
    failure.hint(match similar {
        Some(similar) => {
            format!("there is {similar}: is that the one? --create makes {shown}")
        }
        None => "to make it, add --create".to_owned(),
    })
}

/// Somebody is at the file without the lock.
fn moving(path: &Path, voice: &Voice) -> Failure {
    let message = format!(
        "{} was changed meanwhile by somebody who does not use dbguard, or by the command itself; \
         it was not replaced",
        voice.shown(path)
    );
    Failure::new(Outcome::IoError, message)
        .hint("let all who write to it use dbguard; the command itself must not touch it")
}
