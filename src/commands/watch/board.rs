//! What the screen shows, without the screen: rows, their order, what was chosen and typed.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::watch::{Cell, Sample, Strip};

/// What a strip shows.
const SHOWN: Duration = Duration::from_secs(300);

/// A strip has no more moments than this, however often is looked.
const MOST_MOMENTS: usize = 3_000;

/// A filter longer than this is not typed.
const LONGEST_FILTER: usize = 100;

/// One database.
pub(super) struct Entry {
    /// Its name, as it is shown.
    pub(super) shown: String,
    pub(super) sample: Sample,
    pub(super) strip: Strip,
}

/// The order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Name,
    Wait,
    Holder,
}

impl Sort {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Wait => "wait",
            Self::Holder => "holder",
        }
    }
}

/// What a key asks for that the board cannot do itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing, but the screen has changed.
    Redraw,
    /// To look at the processes around the chosen holder, or not any more.
    Kin,
    /// To end.
    Quit,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-Z.
    Suspend,
}

/// Everything that is shown.
pub(super) struct Board {
    pub(super) entries: Vec<Entry>,
    pub(super) sort: Sort,
    pub(super) filter: String,
    /// Whether the filter is being typed.
    pub(super) is_typing: bool,
    /// The processes around the holder of the chosen database.
    pub(super) kin: Option<Vec<String>>,
    /// Something to know, until the next key.
    pub(super) message: Option<String>,
    pub(super) has_colour: bool,
    chosen: Option<PathBuf>,
    moments: usize,
}

impl Board {
    pub(super) fn new(interval: Duration, has_colour: bool) -> Self {
        let moments = SHOWN.as_millis() / interval.as_millis().max(1);
        Self {
            entries: Vec::new(),
            sort: Sort::Name,
            filter: String::new(),
            is_typing: false,
            kin: None,
            message: None,
            has_colour,
            chosen: None,
            moments: usize::try_from(moments).unwrap_or(MOST_MOMENTS).clamp(1, MOST_MOMENTS),
        }
    }

    /// Takes over what the last look saw; `shown` names a path.
    pub(super) fn update<'a>(
        &mut self,
        samples: impl Iterator<Item = &'a Sample>,
        shown: impl Fn(&Path) -> String,
    ) {
        let mut before = std::mem::take(&mut self.entries);
        for sample in samples {
            let known = before.iter().position(|entry| entry.sample.path == sample.path);
            let mut entry = match known {
                Some(place) => before.swap_remove(place),
                None => Entry {
                    shown: shown(&sample.path),
                    sample: Sample::default(),
                    strip: Strip::new(self.moments),
                },
            };
            entry.strip.push(Cell::of(sample));
            entry.sample = sample.clone();
            self.entries.push(entry);
        }
    }

    /// Returns the rows that are shown, in their order.
    pub(super) fn rows(&self) -> Vec<&Entry> {
        let filter = self.filter.to_lowercase();
        let is_shown = |entry: &&Entry| entry.shown.to_lowercase().contains(&filter);
        let mut rows: Vec<&Entry> = self.entries.iter().filter(is_shown).collect();
        rows.sort_by(|one, other| one.shown.cmp(&other.shown));
        match self.sort {
            Sort::Name => {}
            Sort::Wait => rows.sort_by_key(|entry| Reverse(longest_wait(&entry.sample))),
            Sort::Holder => rows.sort_by_key(|entry| Reverse(oldest_hold(&entry.sample))),
        }
        rows
    }

    /// Returns the place of the chosen row among those that are shown.
    pub(super) fn place(&self, rows: &[&Entry]) -> Option<usize> {
        let chosen = self.chosen.as_deref();
        let place = rows.iter().position(|entry| Some(entry.sample.path.as_path()) == chosen);
        place.or((!rows.is_empty()).then_some(0))
    }

    /// Returns the number of the holder that is to be looked at.
    pub(super) fn holder(&self) -> Option<u32> {
        let rows = self.rows();
        let (party, _) = rows[self.place(&rows)?].sample.culprit()?;
        Some(party.child_pid.unwrap_or(party.pid)).filter(|pid| *pid != 0)
    }

    /// Does what a key asks for.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Wish> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        self.message = None;
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Some(Wish::Interrupt),
                KeyCode::Char('z') => Some(Wish::Suspend),
                KeyCode::Char('l') => Some(Wish::Redraw),
                _ => None,
            };
        }
        if self.is_typing {
            return self.type_filter(key.code);
        }
        match key.code {
            KeyCode::Char('q') => return Some(Wish::Quit),
            KeyCode::Char('p') => return Some(Wish::Kin),
            KeyCode::Char('s') => {
                self.sort = match self.sort {
                    Sort::Name => Sort::Wait,
                    Sort::Wait => Sort::Holder,
                    Sort::Holder => Sort::Name,
                }
            }
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Esc => {
                self.filter.clear();
                self.kin = None;
            }
            KeyCode::Down | KeyCode::Char('j') => self.choose(1),
            KeyCode::Up | KeyCode::Char('k') => self.choose(-1),
            _ => return None,
        }
        Some(Wish::Redraw)
    }

    fn type_filter(&mut self, code: KeyCode) -> Option<Wish> {
        match code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(letter) if self.filter.chars().count() < LONGEST_FILTER => {
                self.filter.push(letter);
            }
            _ => return None,
        }
        Some(Wish::Redraw)
    }

    fn choose(&mut self, step: isize) {
        let rows = self.rows();
        let Some(place) = self.place(&rows) else { return };
        let place = place.saturating_add_signed(step).min(rows.len() - 1);
        self.chosen = Some(rows[place].sample.path.clone());
        self.kin = None;
    }
}

/// Returns for how long the one who has waited longest has waited.
fn longest_wait(sample: &Sample) -> Option<u64> {
    sample.waiters().filter_map(|one| one.party.for_ms).max()
}

/// Returns for how long the one who has had it longest has had it.
fn oldest_hold(sample: &Sample) -> Option<u64> {
    let guard = sample.holders().filter_map(|one| one.party.for_ms);
    guard.chain(sample.blockers().filter_map(|lock| lock.party.for_ms)).max()
}
