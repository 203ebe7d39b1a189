//! Ctrl-C and the line that says how far it is, while an engine works.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::commands::voice::write;
use crate::platform::signals::{self, Arrival, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use crate::report;
use crate::sql::Watch;

/// When the line appears.
const FIRST: Duration = Duration::from_secs(1);

/// How often it is redrawn.
const THEN: Duration = Duration::from_millis(200);

/// Fetches the signals that end a batch, and shows progress.
pub(super) struct Watching {
    signals: signals::Watch,
    arrived: Mutex<Option<Arrival>>,
    line: Mutex<Line>,
}

struct Line {
    /// Whether there is a terminal to draw on, and nothing else is printed there.
    live: bool,
    begun: Instant,
    due: Instant,
    drawn: bool,
}

impl Watching {
    /// Holds the signals off in this thread and in those it starts.
    pub(super) fn new(live: bool) -> Self {
        let signals = signals::Watch::new(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT]);
        let begun = Instant::now();
        let line = Line { live, begun, due: begun + FIRST, drawn: false };
        Self { signals, arrived: Mutex::new(None), line: Mutex::new(line) }
    }

    /// Begins anew to count the time of a batch.
    pub(super) fn begin(&self) {
        let mut line = self.line();
        line.begun = Instant::now();
        line.due = line.begun + FIRST;
    }

    /// Draws nothing any more: rows are printed on the same terminal.
    pub(super) fn be_still(&self) {
        self.line().live = false;
    }

    /// Removes the line.
    pub(super) fn finish(&self) {
        if std::mem::take(&mut self.line().drawn) {
            write("\r\x1b[2K");
        }
    }

    /// Lets signals act as they do anywhere: there is nothing left to undo.
    pub(super) fn let_go(&self) {
        self.signals.let_through();
    }

    /// Returns the signal that ended the batch.
    pub(super) fn arrived(&self) -> Option<Arrival> {
        *self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps, unless a signal ends it. `false` if one did.
    pub(super) fn pause(&self, limit: Duration) -> bool {
        self.arrived().is_none() && !self.fetch(limit)
    }

    fn fetch(&self, limit: Duration) -> bool {
        let arrival = self.signals.wait(Some(limit));
        if arrival.is_some() {
            *self.arrived.lock().unwrap_or_else(PoisonError::into_inner) = arrival;
            // An engine may be deaf for long; whoever asks twice is not made to wait for it.
            self.signals.let_through();
        }
        arrival.is_some()
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Watching {
    fn interrupted(&self) -> bool {
        self.arrived().is_some() || self.fetch(Duration::ZERO)
    }

    fn progress(&self, percent: Option<f64>) {
        let mut line = self.line();
        let now = Instant::now();
        if !line.live || now < line.due {
            return;
        }
        line.due = now + THEN;
        line.drawn = true;
        let share = percent.map_or(String::new(), |percent| format!(", {percent:.0}%"));
        let elapsed = report::duration(now - line.begun);
        write(&format!("\r\x1b[2Krunning for {elapsed}{share}; Ctrl-C undoes it"));
    }
}
