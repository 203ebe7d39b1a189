//! The file that `--output` names: put in place at once, or left as it was.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::reserved::reserved;
use crate::error::Failure;
use crate::lock::Target;
use crate::native::{Engine, Want};
use crate::outcome::Outcome;
use crate::platform;
use crate::probe::{OUTPUT, look};

/// Permissions of a new file, before the umask.
const NEW: u32 = 0o666;

/// A file that is to be written, or written anew.
#[derive(Clone, Debug)]
pub(super) struct OutputFile {
    path: PathBuf,
    mode: u32,
}

impl OutputFile {
    /// Finds the file behind a path, through symbolic links, and the permissions it gets: those
    /// that it has, or those of any new file.
    ///
    /// # Errors
    /// Its directory does not exist, or it is something that a file must not take the place of.
    pub(super) fn find(path: &Path) -> Result<Self, Failure> {
        match platform::canonical(path) {
            Ok(found) => {
                let facts =
                    platform::facts_at(&found).map_err(|error| cannot_write(path, error))?;
                if !facts.regular {
                    let message = format!("`{}` is no regular file", path.display());
                    return Err(Failure::new(Outcome::Usage, message)
                        .hint("leave --output out and redirect standard output"));
                }
                Ok(Self { path: found, mode: facts.mode & 0o777 })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                let directory = platform::canonical(parent.unwrap_or(Path::new(".")))
                    .map_err(|error| cannot_write(path, error))?;
                let name = path.file_name().ok_or_else(|| cannot_write(path, error))?;
                Ok(Self { path: directory.join(name), mode: NEW })
            }
            Err(error) => Err(cannot_write(path, error)),
        }
    }

    /// Refuses a file that the output must not replace: a part of dbguard's own state, one of
    /// `files` or what lies beside it, or any database.
    pub(super) fn demand_harmless(&self, files: &[Target]) -> Result<(), Failure> {
        let what =
            reserved(&self.path, files).or_else(|| match look(&self.path, Want::Shared).engine {
                Engine::Unknown | Engine::Empty => None,
                engine => Some(format!("a {} database", engine.name())),
            });
        let Some(what) = what else { return Ok(()) };
        let message = format!("the output cannot go to `{}`: it is {what}", self.path.display());
        Err(Failure::new(Outcome::Usage, message).hint("name another file"))
    }

    /// Makes the file beside its place in which the output is collected.
    pub(super) fn stage(&self) -> io::Result<NamedTempFile> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        platform::make_temporary(OUTPUT, self.mode, directory)
    }

    /// Returns where it goes.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Returns what to tell of an error of writing a file that was named.
pub(super) fn cannot_write(path: &Path, error: io::Error) -> Failure {
    let outcome = match error.kind() {
        io::ErrorKind::NotFound => Outcome::NoSuchFile,
        io::ErrorKind::PermissionDenied => Outcome::Permission,
        _ => Outcome::CannotCreate,
    };
    Failure::new(outcome, format!("cannot write `{}`", path.display())).caused_by(error)
}
