//! What is watched: the databases that were named, and those that are found.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::explain::{explain, unread};
use super::super::voice::Voice;
use crate::cli::duration::Timeout;
use crate::cli::watch_args::{Until, WatchRequest};
use crate::error::Failure;
use crate::lock::{Resource, Target};
use crate::native::{Engine, Want};
use crate::outcome::Outcome;
use crate::probe::{databases_below, locks_below, look};

/// Directories are not searched more often than this.
const PAUSE: Duration = Duration::from_secs(5);

/// Nor so often that it would take more than this share of the time: a tree of 200,000 files takes
/// half a second.
const SHARE: u32 = 500;

/// What was named.
pub(super) struct Field {
    directories: Vec<PathBuf>,
    crosses: bool,
    lock_dir: Option<PathBuf>,
    /// Those that are watched whatever becomes of them.
    named: HashSet<PathBuf>,
    known: HashSet<PathBuf>,
    /// To be watched from the next look on.
    fresh: Vec<Resource>,
    due: Instant,
    /// How much the last search could not read.
    unreadable: u64,
}

impl Field {
    /// Resolves what was named, and searches its directories.
    pub(super) fn open(request: &WatchRequest, voice: &Voice) -> Result<Self, Failure> {
        let mut field = Self {
            directories: Vec::new(),
            crosses: request.cross_file_systems,
            lock_dir: request.lock_dir.clone(),
            named: HashSet::new(),
            known: HashSet::new(),
            fresh: Vec::new(),
            due: Instant::now(),
            unreadable: 0,
        };
        for path in &request.paths {
            if path.is_dir() && look(path, Want::Shared).engine == Engine::Unknown {
                field.directories.push(path.clone());
            } else {
                let resource = field.one(path, voice)?;
                field.named.insert(resource.path.clone());
                field.add(resource);
            }
        }
        field.search();
        match (field.unreadable, request.until) {
            (0, _) => {}
            // It would wait for good, and nobody could tell for what.
            (count, Some(Until::Free)) => return Err(hidden(count)),
            (count, _) => voice.warn(&unread(count)),
        }
        if field.fresh.is_empty() {
            let where_ = voice.shown_all(&field.directories);
            voice.notice(&format!("there are no databases below {where_} yet"));
        }
        Ok(field)
    }

    /// Returns those to be watched from now on.
    pub(super) fn take_fresh(&mut self) -> Vec<Resource> {
        std::mem::take(&mut self.fresh)
    }

    /// Whether one was named, and not found.
    pub(super) fn is_named(&self, path: &Path) -> bool {
        self.named.contains(path)
    }

    /// Forgets one, so that it is new when it is found again.
    pub(super) fn forget(&mut self, path: &Path) {
        self.known.remove(path);
    }

    /// Searches the directories again if it is time; returns whether it was.
    pub(super) fn search_again(&mut self) -> bool {
        let is_due = !self.directories.is_empty() && Instant::now() >= self.due;
        if is_due {
            self.search();
        }
        is_due
    }

    /// Returns how much the last search could not read.
    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Searches the directories.
    fn search(&mut self) {
        let begun = Instant::now();
        let mut unreadable = 0;
        let mut found = BTreeSet::new();
        for directory in &self.directories {
            let databases = databases_below(directory, self.crosses);
            unreadable += databases.unreadable;
            found.extend(databases.databases);
            found.extend(locks_below(directory, self.lock_dir.as_deref()).databases);
        }
        for path in found {
            let lock_dir = self.lock_dir.clone();
            let target = Target { file: path, lock_dir, ..Target::default() };
            // What has gone since it was found, and what is not ours to look at, is left out.
            if let Ok(resource) = Resource::resolve(&target) {
                self.add(resource);
            }
        }
        self.due = begun + PAUSE.max(begun.elapsed() * SHARE);
        self.unreadable = unreadable;
    }

    fn add(&mut self, resource: Resource) {
        if self.known.insert(resource.path.clone()) {
            self.fresh.push(resource);
        }
    }

    fn one(&self, path: &Path, voice: &Voice) -> Result<Resource, Failure> {
        let target = Target {
            file: path.to_path_buf(),
            lock_dir: self.lock_dir.clone(),
            ..Target::default()
        };
        let files = [path.to_path_buf()];
        let resource = Resource::resolve(&target)
            .map_err(|error| explain(&error, Timeout::NONBLOCK, &files, voice))?;
        if let Some(why) = resource.translated {
            voice.notice(&format!("watching {}: {why}", voice.shown(&resource.path)));
        }
        if resource.facts.is_none() && !resource.place.directory().exists() {
            let name = voice.shown(path);
            let failure = Failure::new(Outcome::NoSuchFile, format!("there is no `{name}`"));
            return Err(match super::super::display::similar_name(&resource, &[]) {
                Some(similar) => failure.hint(format!("there is {similar}: is that the one?")),
                None => failure.hint(format!("to make its lock first, type: dbguard path {name}")),
            });
        }
        Ok(resource)
    }
}

/// Returns the failure of a watch that cannot see whether everything is free.
pub(super) fn hidden(count: u64) -> Failure {
    Failure::new(Outcome::Permission, "cannot tell whether all of them are free")
        .caused_by(unread(count))
        .hint("name the databases that count, or run it as a user who may read everything there")
}
