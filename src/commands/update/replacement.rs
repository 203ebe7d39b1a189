//! The temporary file that takes the place of the old one.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::Halt;
use super::source::{Source, failed};
use super::stage::Stage;
use crate::cli::update_args::Way;
use crate::commands::voice::Voice;
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::platform::attributes::{Lost, carry_over};
use crate::platform::sniff::{Sniffed, open_to_settle};
use crate::platform::step::{fault, step};
use crate::platform::{self, errors};
use crate::supervise::Supervisor;

/// The permissions of a file that is made, before the umask.
const NEW: u32 = 0o666;

/// Until it is complete nobody else reads the new content.
const PRIVATE: u32 = 0o600;

/// A temporary file beside the one it is for; removed when dropped.
pub(super) struct Replacement {
    /// Closed first: not every system takes the name from a file that is open.
    file: File,
    stage: Stage,
    /// What it is for.
    target: PathBuf,
    /// Whether there is an old file.
    replaces: bool,
    /// The directory of both; `None` if it may not be read.
    directory: Option<File>,
}

impl Replacement {
    /// Makes an empty one: a file that is written to, or a copy that a command is to find.
    pub(super) fn beside(source: &Source, way: Way, voice: &Voice) -> Result<Self, Failure> {
        let target = source.path.clone();
        let directory = target.parent().unwrap_or(Path::new("/"));
        let replaces = source.file.is_some();
        let mode = if replaces { PRIVATE } else { NEW };
        let made = fault("update-stage").and_then(|()| match way {
            Way::Filter => Stage::file(directory, mode),
            Way::Copies => Stage::copy(directory, target.file_name().unwrap_or_default(), mode),
        });
        let (stage, file) = made.map_err(|error| cannot_stage(&target, error, voice))?;
        let directory = platform::open_to_sync(directory).ok();
        Ok(Self { file, stage, target, replaces, directory })
    }

    /// Returns where it is.
    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Returns what the new content is written to.
    pub(super) fn writer(&self, voice: &Voice) -> Result<File, Failure> {
        self.file.try_clone().map_err(|error| failed("write", &self.target, error, voice))
    }

    /// Copies the old content into it.
    pub(super) fn fill(
        &self,
        source: &Source,
        supervisor: &Supervisor<'_>,
        voice: &Voice,
    ) -> Result<(), Halt> {
        source.each_chunk(supervisor, voice, |bytes| {
            fault("update-write")
                .and_then(|()| (&self.file).write_all(bytes))
                .map_err(|error| self.cannot_write(error, voice))
        })
    }

    /// Opens what is under its name now: a command that changes a file often makes a new one.
    pub(super) fn find_again(&mut self, program: &str, voice: &Voice) -> Result<(), Failure> {
        let wrong = |what: &str| {
            let target = voice.shown(&self.target);
            Failure::new(Outcome::IoError, format!("{program} left {what} as copy of {target}"))
                .hint("nothing was replaced; the command has to leave a file under each name")
        };
        let named = match platform::facts_of_link(self.stage.path()) {
            Ok(facts) if facts.regular && facts.links == 1 => facts,
            Ok(_) => return Err(wrong("no file of its own")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(wrong("nothing"));
            }
            Err(error) => return Err(wrong("something unreadable").caused_by(error)),
        };
        step("update-found");
        let file = match open_to_settle(self.stage.path()) {
            Ok(Sniffed::File(file)) => file,
            Ok(Sniffed::Directory | Sniffed::Other) => return Err(wrong("no file of its own")),
            Err(error) => return Err(wrong("something unreadable").caused_by(error)),
        };
        // Whoever owns the directory can put a link there meanwhile: where it leads is not to get
        // another owner.
        match platform::facts(&file) {
            Ok(facts) if facts.id == named.id && facts.links == 1 => self.file = file,
            _ => return Err(wrong("no file of its own")),
        }
        Ok(())
    }

    /// Gives it everything but the name.
    pub(super) fn settle(&self, source: &Source, voice: &Voice) -> Result<(), Failure> {
        if let Some(old) = &source.file {
            let lost = fault("update-keep").and_then(|()| carry_over(old, &self.file));
            let lost = lost.map_err(|error| {
                failed("keep mode, owner and attributes of", &self.target, error, voice)
                    .hint("nothing was replaced")
            })?;
            self.tell_lost(&lost, voice);
        }
        step("kept");
        fault("update-sync")
            .and_then(|()| self.file.sync_all())
            .map_err(|error| self.cannot_write(error, voice))?;
        step("synced");
        Ok(())
    }

    fn tell_lost(&self, lost: &Lost, voice: &Voice) {
        let target = voice.shown(&self.target);
        let what = match (lost.owner, lost.group) {
            (true, true) => Some("owner and group"),
            (true, false) => Some("owner"),
            (false, true) => Some("group"),
            (false, false) => None,
        };
        if let Some(what) = what {
            voice.warn(&format!("{target} is yours now: only root can keep its {what}"));
        }
        for name in &lost.attributes {
            let name = name.to_string_lossy();
            voice.warn(&format!("the attribute {name} of {target} could not be kept"));
        }
    }

    /// Gives it the name.
    fn put(self, voice: &Voice) -> Result<Settled, Failure> {
        let Self { file, stage, target, replaces, directory } = self;
        let put = match fault("update-rename") {
            Ok(()) if replaces => stage.replace(&target),
            // Somebody who made the file meanwhile is not overwritten.
            Ok(()) => stage.place(&target),
            Err(error) => Err(error),
        };
        // Before what is left of the stage: a directory stays where a file in it is open.
        drop(file);
        put.map_err(|error| cannot_put(&target, error, voice))?;
        step("replaced");
        Ok(Settled { target, directory })
    }

    /// Returns what to tell of an error of writing the new content.
    pub(super) fn cannot_write(&self, error: io::Error, voice: &Voice) -> Failure {
        let hint = match error.kind() {
            ErrorKind::StorageFull => "the file is as it was; free some space on its file system",
            ErrorKind::QuotaExceeded => "the file is as it was; its quota is used up",
            ErrorKind::FileTooLarge => {
                "the file is as it was; allow larger files: raise `ulimit -f`"
            }
            _ => "the file is as it was",
        };
        failed("write the new content of", &self.target, error, voice).hint(hint)
    }
}

/// A file under its final name, whose directory is not synced yet.
struct Settled {
    target: PathBuf,
    directory: Option<File>,
}

/// Puts all of them in place and makes that last.
pub(super) fn put_all(replacements: Vec<Replacement>, voice: &Voice) -> Result<(), Failure> {
    let mut settled: Vec<Settled> = Vec::with_capacity(replacements.len());
    for replacement in replacements {
        match replacement.put(voice) {
            Ok(done) => settled.push(done),
            Err(mut failure) => {
                let done: Vec<PathBuf> = settled.into_iter().map(|done| done.target).collect();
                if !done.is_empty() {
                    let done = voice.shown_all(&done);
                    failure.details.push(format!("replaced before that: {done}"));
                }
                return Err(failure);
            }
        }
    }
    settled.iter().try_for_each(|done| done.sync(voice))
}

impl Settled {
    /// Lets the new name survive a power failure.
    fn sync(&self, voice: &Voice) -> Result<(), Failure> {
        let shown = voice.shown(&self.target);
        let Some(directory) = &self.directory else {
            voice.warn(&format!(
                "{shown} is replaced, but its directory may not be read and so not be synced: a \
                 power failure could bring the old content back"
            ));
            return Ok(());
        };
        let synced = fault("update-directory").and_then(|()| platform::sync_directory(directory));
        if let Err(error) = synced {
            let message = format!("{shown} is replaced, but its directory cannot be synced");
            return Err(Failure::new(Outcome::IoError, message)
                .caused_by(error)
                .hint("a power failure could bring the old content back"));
        }
        step("directory-synced");
        Ok(())
    }
}

fn cannot_stage(target: &Path, error: io::Error, voice: &Voice) -> Failure {
    let outcome = match error.kind() {
        io::ErrorKind::PermissionDenied => Outcome::Permission,
        _ => Outcome::CannotCreate,
    };
    let hint = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "the file is as it was; free some space there"
        }
        _ => {
            "the new content is written beside the file and then takes its name: its directory has \
             to be writable"
        }
    };
    let shown = voice.shown(target);
    Failure::new(outcome, format!("cannot make a temporary file beside {shown}"))
        .caused_by(error)
        .hint(hint)
}

fn cannot_put(target: &Path, error: io::Error, voice: &Voice) -> Failure {
    let hint = match error.kind() {
        ErrorKind::ResourceBusy => {
            "a file that is mounted by itself, as into a container, cannot be renamed onto: update \
             it outside, or mount its directory"
        }
        ErrorKind::AlreadyExists => "somebody made it meanwhile; start again",
        ErrorKind::PermissionDenied => errors::MAY_NOT_BE_REPLACED,
        _ => "the file is as it was",
    };
    failed("replace", target, error, voice).hint(hint)
}
