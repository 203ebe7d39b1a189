//! `dbguard stats`: how often locks were had, waited for and missed.

mod print;
mod prometheus;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use super::voice::Voice;
use super::{End, explain};
use crate::cli::duration::Timeout;
use crate::cli::stats_args::{StatsFormat, StatsRequest};
use crate::error::Failure;
use crate::lock::stats::{Tally, reset, tally};
use crate::lock::{self, Resource, Target};
use crate::native::{Engine, Want};
use crate::outcome::Outcome;
use crate::probe::{Candidate, Search, leftovers_below, look};

/// What was counted of one database.
pub(super) struct Counted {
    pub(super) path: PathBuf,
    /// How it is called in front of people.
    pub(super) shown: String,
    pub(super) tally: Tally,
    /// How many hold it now.
    pub(super) active: usize,
}

/// Prints what was counted of everything that was named.
pub fn stats(request: &StatsRequest, voice: &Voice) -> Result<End, Failure> {
    let mut all = Vec::new();
    for path in &request.paths {
        if path.is_dir() && look(path, Want::Shared).engine == Engine::Unknown {
            let found = below(path);
            if found.is_empty() {
                voice.notice(&format!("no locks were taken below {}", voice.shown(path)));
            }
            for path in found {
                all.push(one(&path, request, voice)?);
            }
        } else {
            let counted = one(path, request, voice)?;
            all.push(counted);
        }
    }
    let format = match request.format {
        Some(format) => format,
        None if voice.is_json() => StatsFormat::Json,
        None => StatsFormat::Text,
    };
    let text = match format {
        StatsFormat::Text => print::text(&all),
        StatsFormat::Json => print::json(&all),
        StatsFormat::Prometheus => prometheus::text(&all),
    };
    match &request.output {
        None => Ok(super::print(text.as_bytes())),
        Some(file) => {
            replace(file, text.as_bytes()).map(|()| Outcome::Ok.into()).map_err(|error| {
                Failure::new(Outcome::CannotCreate, format!("cannot write `{}`", file.display()))
                    .caused_by(error)
            })
        }
    }
}

/// Returns the files below a directory that have a lock.
pub(super) fn below(directory: &Path) -> Vec<PathBuf> {
    let seen = AtomicU64::new(0);
    let search = Search { crosses: false, is_pid_file: &|_| false, seen: &seen };
    let found = leftovers_below(directory, &search).candidates.into_iter();
    let states = found.filter_map(|candidate| match candidate {
        Candidate::State(parent) => Some(parent),
        _ => None,
    });
    states.flat_map(|parent| lock::named_in(&parent)).collect()
}

fn one(path: &Path, request: &StatsRequest, voice: &Voice) -> Result<Counted, Failure> {
    let target = Target {
        file: path.to_path_buf(),
        lock_dir: request.lock_dir.clone(),
        ..Target::default()
    };
    let files = [path.to_path_buf()];
    let tell = |error: &lock::LockError| explain::explain(error, Timeout::NONBLOCK, &files, voice);
    let resource = Resource::resolve(&target).map_err(|error| tell(&error))?;
    if resource.facts.is_none() && !resource.place.directory().exists() {
        let message = format!("there is no `{}`", voice.shown(path));
        return Err(Failure::new(Outcome::NoSuchFile, message)
            .hint("to search a directory, type: dbguard stats DIRECTORY"));
    }
    let counted = tally(&resource).map_err(|error| tell(&error))?;
    if request.reset {
        reset(&resource).map_err(|error| tell(&error))?;
    }
    let active = lock::view(&resource).ok().flatten().map_or(0, |view| view.holders.len());
    let shown = voice.shown(&resource.path);
    Ok(Counted { path: resource.path, shown, tally: counted, active })
}

/// Puts a file in place at once or not at all.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    // Whoever collects the metrics is another user.
    let mut made = tempfile::Builder::new()
        .prefix(".dbguard-stats-")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(parent.unwrap_or(Path::new(".")))?;
    made.write_all(content)?;
    made.persist(file).map(drop).map_err(|error| error.error)
}
