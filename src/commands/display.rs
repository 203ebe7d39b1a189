//! Shows a wait: one live line at a terminal, a line now and then in a log.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::voice::{Voice, write};
use crate::cli::settings::NetworkWarning;
use crate::lock::{HELD_VARIABLE, Observer, Resource, WaitReport};
use crate::platform::{file_system, host};
use crate::report;

/// A name is "similar" if so few letters are missing, added, wrong or swapped.
const MOST_TYPOS: usize = 2;

/// In a short name every other name is similar.
const LETTERS_A_TYPO: usize = 5;

/// More names than this are not compared.
const MOST_NAMES: usize = 2_000;

/// When the display speaks.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    first: Duration,
    then: Duration,
}

/// Said quickly, and kept up to date.
const LIVE: Rhythm =
    Rhythm { first: Duration::from_millis(100), then: Duration::from_millis(1000) };

/// Said late and seldom: a log keeps every line.
const LOGGED: Rhythm = Rhythm { first: Duration::from_secs(1), then: Duration::from_secs(30) };

/// The observer of every wait of a command.
pub struct Display<'a> {
    voice: &'a Voice,
    network: NetworkWarning,
    files: &'a [PathBuf],
    live: bool,
    state: Mutex<State>,
}

struct State {
    due: Instant,
    drawn: bool,
}

impl<'a> Display<'a> {
    /// Makes a display for waits for `files` that begin now.
    pub fn new(voice: &'a Voice, network: NetworkWarning, files: &'a [PathBuf]) -> Self {
        let live = voice.is_live();
        let first = if live { LIVE.first } else { LOGGED.first };
        let state = Mutex::new(State { due: Instant::now() + first, drawn: false });
        Self { voice, network, files, live, state }
    }

    /// Removes the live line.
    pub fn finish(&self) {
        let mut state = self.state();
        if std::mem::take(&mut state.drawn) {
            write("\r\x1b[2K");
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, report: &WaitReport) -> String {
        if self.voice.is_json() {
            return report::waiting_in_json(report) + "\n";
        }
        let directory = std::env::current_dir().ok();
        if !self.live {
            let words = report::waiting_in_words(report, directory.as_deref());
            return format!("dbguard: {words}\n");
        }
        let width = host::terminal_width().unwrap_or(80).saturating_sub(1);
        let words = report::waiting_in_width(report, directory.as_deref(), width);
        format!("\r\x1b[2K{words}")
    }
}

impl Observer for Display<'_> {
    fn next_due(&self) -> Option<Instant> {
        (!self.voice.is_quiet()).then(|| self.state().due)
    }

    fn resolved(&self, resource: &Resource) {
        if let Some(why) = resource.translated {
            self.voice.notice(&format!("locking {}: {why}", self.voice.shown(&resource.path)));
        }
        if let Some(similar) = similar_name(resource, self.files) {
            self.voice.warn(&format!(
                "there is no {} yet, but there is {similar}: is that the one?",
                self.voice.shown(&resource.path)
            ));
        }
        if self.network == NetworkWarning::Warn
            && let Some(name) = file_system::network_name(&resource.place.parent)
        {
            self.voice.warn(&format!(
                "{} is on {name}: its locks may not be seen on other machines \
                 (DBGUARD_NETWORK=ok silences this)",
                self.voice.shown(&resource.path)
            ));
        }
    }

    fn waiting(&self, report: &WaitReport) {
        let line = self.line(report);
        let mut state = self.state();
        state.due = Instant::now() + if self.live { LIVE.then } else { LOGGED.then };
        state.drawn = self.live;
        write(&line);
    }

    fn warn(&self, warning: &str) {
        self.finish();
        self.voice.warn(warning);
    }
}

/// Returns a name beside a file that does not exist which differs from it by a typing error.
///
/// Meant as it is: a name that was locked before, one that differs in its numbers only, one whose
/// like was typed too, and whatever is typed under a lock already.
pub fn similar_name(resource: &Resource, files: &[PathBuf]) -> Option<String> {
    if resource.facts.is_some() || std::env::var_os(HELD_VARIABLE).is_some() {
        return None;
    }
    let wanted = resource.path.file_name()?.to_str()?;
    let most = MOST_TYPOS.min(wanted.chars().count() / LETTERS_A_TYPO);
    if most == 0 || resource.place.directory().exists() {
        return None;
    }
    let names = resource.path.parent()?.read_dir().ok()?.take(MOST_NAMES);
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let typed = |name: &str| files.iter().any(|file| file.file_name() == Some(OsStr::new(name)));
    let names = names.filter(|name| !typed(name) && without_digits(name) != without_digits(wanted));
    let close = names.map(|name| (strsim::osa_distance(wanted, &name), name));
    close.filter(|(typos, _)| *typos <= most).min().map(|(_, name)| report::escaped(&name))
}

fn without_digits(name: &str) -> String {
    name.chars().filter(|character| !character.is_ascii_digit()).collect()
}
