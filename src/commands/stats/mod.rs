//! `dbguard stats`: how often locks were had, waited for and missed.

mod print;
mod prometheus;

pub(super) use print::{percent, short};

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::display::similar_name;
use super::output_file::{OutputFile, cannot_write};
use super::voice::Voice;
use super::{End, explain};
use crate::cli::duration::Timeout;
use crate::cli::stats_args::{StatsFormat, StatsRequest};
use crate::error::Failure;
use crate::lock::stats::{Tally, reset, tally};
use crate::lock::{self, LockError, Resource, Target};
use crate::native::{Engine, Want};
use crate::outcome::Outcome;
use crate::platform;
use crate::probe::{locks_below, look};

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
    let output = request.output.as_deref().map(|path| output(path, request)).transpose()?;
    let mut stats = Stats { request, voice, all: Vec::new(), seen: HashSet::new() };
    let mut failed = None;
    for path in &request.paths {
        match stats.count(path) {
            Ok(()) => {}
            // What else was named is told all the same.
            Err(failure) if failed.is_none() => failed = Some(failure),
            Err(failure) => drop(voice.fail(&failure)),
        }
    }
    let is_silent = failed.is_some() && stats.all.is_empty();
    let end = match output {
        _ if is_silent => Outcome::Ok.into(),
        None => super::print(stats.text().as_bytes()),
        Some((file, mut staged)) => {
            let written = staged
                .write_all(stats.text().as_bytes())
                .and_then(|()| platform::put_in_place(staged.into_temp_path(), file.path()));
            written.map_err(|error| cannot_write(file.path(), error))?;
            Outcome::Ok.into()
        }
    };
    failed.map_or(Ok(end), Err)
}

/// Makes the file that takes the output, before anything is forgotten that it could not take.
fn output(
    path: &Path,
    request: &StatsRequest,
) -> Result<(OutputFile, tempfile::NamedTempFile), Failure> {
    let file = OutputFile::find(path)?;
    let targets: Vec<Target> = request.paths.iter().map(|path| target(path, request)).collect();
    file.demand_harmless(&targets)?;
    let staged = file.stage().map_err(|error| cannot_write(path, error))?;
    Ok((file, staged))
}

fn target(path: &Path, request: &StatsRequest) -> Target {
    let (file, lock_dir) = (path.to_path_buf(), request.lock_dir.clone());
    Target { file, lock_dir, ..Target::default() }
}

/// What was counted so far.
struct Stats<'a> {
    request: &'a StatsRequest,
    voice: &'a Voice,
    all: Vec<Counted>,
    /// Each counts once, by whatever names it was found.
    seen: HashSet<PathBuf>,
}

impl Stats<'_> {
    /// Counts what one word of the command line names.
    fn count(&mut self, path: &Path) -> Result<(), Failure> {
        if !path.is_dir() || look(path, Want::Shared).engine != Engine::Unknown {
            return self.one(path);
        }
        let found = self.below(path);
        if found.is_empty() {
            let shown = self.voice.shown(path);
            self.voice.notice(&format!("no locks were taken below {shown}"));
        }
        for path in found {
            // One that may not be read does not hide the others.
            if let Err(failure) = self.one(&path) {
                let why = [&[failure.message][..], &failure.causes].concat().join(": ");
                self.voice.warn(&format!("{} is left out: {why}", self.voice.shown(&path)));
            }
        }
        Ok(())
    }

    /// Returns the files below a directory that have a lock.
    fn below(&self, directory: &Path) -> Vec<PathBuf> {
        let found = locks_below(directory, self.request.lock_dir.as_deref());
        if found.unreadable > 0 {
            self.voice.warn(&explain::unread(found.unreadable));
        }
        found.databases
    }

    fn one(&mut self, path: &Path) -> Result<(), Failure> {
        let files = [path.to_path_buf()];
        let tell =
            |error: LockError| explain::explain(&error, Timeout::NONBLOCK, &files, self.voice);
        let resource = Resource::resolve(&target(path, self.request)).map_err(tell)?;
        if resource.facts.is_none() && !resource.place.directory().exists() {
            let message = format!("there is no `{}`", self.voice.shown(path));
            let hint = match similar_name(&resource, &[]) {
                Some(similar) => format!("there is {similar}: is that the one?"),
                None => "to search a directory, type: dbguard stats DIRECTORY".to_owned(),
            };
            return Err(Failure::new(Outcome::NoSuchFile, message).hint(hint));
        }
        if !self.seen.insert(resource.path.clone()) {
            return Ok(());
        }
        let counted = if self.request.reset { reset(&resource) } else { tally(&resource) };
        let tally = counted.map_err(tell)?;
        let active = lock::view(&resource).ok().flatten().map_or(0, |view| view.holders.len());
        let shown = self.voice.shown(&resource.path);
        self.all.push(Counted { path: resource.path, shown, tally, active });
        Ok(())
    }

    fn text(&self) -> String {
        match self.request.format {
            Some(StatsFormat::Prometheus) => prometheus::text(&self.all),
            Some(StatsFormat::Json) => print::json(&self.all),
            None if self.voice.is_json() => print::json(&self.all),
            Some(StatsFormat::Text) | None => print::text(&self.all),
        }
    }
}
