//! Round after round: look, compare, clear what the dead left.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::fix::treat;
use super::super::voice::Voice;
use super::Field;
use crate::cli::fix_args::FixRequest;
use crate::cli::settings::Settings;
use crate::cli::watch_args::{Until, WatchRequest};
use crate::fix::{Action, Item};
use crate::lock::{ClaimId, Stage};
use crate::platform::process;
use crate::probe::Sampler;
use crate::watch::{Event, Kind, Sample, events};

/// A claim that is left is not cleared before it is 10 s old: it might be one that is just being
/// made. So it is tried again.
const AGAIN: Duration = Duration::from_secs(2);
const TRIES: u32 = 8;

/// Everything that is watched, and how it was at the last look.
pub(super) struct Rounds<'a> {
    request: &'a WatchRequest,
    settings: &'a Settings,
    id: ClaimId,
    field: Field,
    sampler: Sampler,
    samples: Vec<Option<Sample>>,
    to_fix: Vec<Clearing>,
    /// Whether somebody got one since the look before, who may have given it back by now.
    was_taken: bool,
}

/// A database whose dead are to be cleared away.
struct Clearing {
    path: PathBuf,
    due: Instant,
    tries: u32,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(
        request: &'a WatchRequest,
        settings: &'a Settings,
        id: ClaimId,
        field: Field,
    ) -> Self {
        let (sampler, samples, to_fix) = (Sampler::new(), Vec::new(), Vec::new());
        Self { request, settings, id, field, sampler, samples, to_fix, was_taken: false }
    }

    /// Looks once, and returns what happened since the look before.
    pub(super) fn next(&mut self) -> Vec<Event> {
        let mut told = self.renew();
        for (place, now) in self.sampler.look().into_iter().enumerate() {
            let mut happened = events(self.samples[place].as_ref(), &now);
            happened.iter_mut().for_each(ask_who_is_left);
            if self.request.fix {
                self.note_deaths(&happened);
            }
            told.extend(happened);
            self.samples[place] = Some(now);
        }
        let is_grant = |event: &Event| matches!(event.event, Kind::Acquired | Kind::NativeLocked);
        self.was_taken = told.iter().any(is_grant);
        told.extend(self.clear());
        told
    }

    /// Returns how everything was at the last look.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().flatten()
    }

    /// Whether the last look saw what was waited for. What cannot be seen is not free.
    pub(super) fn is_reached(&self, until: Until) -> bool {
        match until {
            Until::Free => {
                let is_free = |one: &Sample| !one.is_held() && one.error.is_none();
                self.samples().all(is_free) && self.field.unreadable() == 0
            }
            Until::Held => self.was_taken || self.samples().any(Sample::is_held),
        }
    }

    /// Returns how much of the directories cannot be searched.
    pub(super) fn unreadable(&self) -> u64 {
        self.field.unreadable()
    }

    /// Notices databases that have come and gone.
    fn renew(&mut self) -> Vec<Event> {
        let mut told = Vec::new();
        if self.field.search_again() {
            let field = &self.field;
            for place in self.sampler.forget_gone(|path| field.is_named(path)) {
                if let Some(last) = self.samples.remove(place) {
                    self.field.forget(&last.path);
                    told.push(Event::new(Kind::Gone, &last));
                }
            }
        }
        for resource in self.field.take_fresh() {
            self.sampler.add(resource);
            self.samples.push(None);
        }
        told
    }

    fn note_deaths(&mut self, happened: &[Event]) {
        for event in happened.iter().filter(|event| is_death(event)) {
            if self.to_fix.iter().all(|one| one.path != event.path) {
                let path = event.path.clone();
                self.to_fix.push(Clearing { path, due: Instant::now(), tries: 0 });
            }
        }
    }

    /// Applies the proofs of `dbguard fix` where somebody has died.
    fn clear(&mut self) -> Vec<Event> {
        let now = Instant::now();
        let mut told = Vec::new();
        for mut one in std::mem::take(&mut self.to_fix) {
            if one.due > now {
                self.to_fix.push(one);
                continue;
            }
            let sample = self.samples().find(|sample| sample.path == one.path);
            let Some(sample) = sample.cloned() else { continue };
            let items = self.treat(&one.path);
            let is_left = sample.claimants.iter().any(|other| other.stage == Stage::Dead);
            if items.is_empty() && is_left && one.tries < TRIES {
                one.tries += 1;
                one.due = now + AGAIN;
                self.to_fix.push(one);
            } else if !items.is_empty() {
                // An item is plain data, and has JSON.
                let items = serde_json::to_value(items).ok();
                told.push(Event { items, ..Event::new(Kind::Fixed, &sample) });
            }
        }
        told
    }

    /// Returns what was done about what was left of a database.
    fn treat(&self, path: &Path) -> Vec<Item> {
        let request = FixRequest {
            paths: vec![path.to_path_buf()],
            dry_run: false,
            no_recover: false,
            backup: None,
            assume_stale: Vec::new(),
            patterns: Vec::new(),
            cross_file_systems: false,
            strict: false,
            list_formats: false,
            lock_dir: self.request.lock_dir.clone(),
        };
        // A name without a file has only a lock to be cleared.
        let Ok(treated) = treat(&request, self.settings, &Voice::silent(), self.id) else {
            return Vec::new();
        };
        treated.items.into_iter().filter(|item| item.action != Action::Kept).collect()
    }
}

/// Tells of a process whose locks are gone how it stands now: who has just gone was there before.
fn ask_who_is_left(event: &mut Event) {
    if event.event == Kind::NativeReleased
        && let Some(party) = event.party.as_mut().filter(|party| party.pid != 0)
    {
        party.process_state = process::state(party.pid);
    }
}

/// Whether somebody who had the database is dead, or may be.
fn is_death(event: &Event) -> bool {
    let state = event.party.as_ref().map(|party| party.process_state);
    match event.event {
        Kind::Died => true,
        // Of an engine's lock nobody can tell how it ended. If its process is there it was let go.
        Kind::NativeReleased => matches!(state, Some("gone" | "zombie")),
        _ => false,
    }
}
