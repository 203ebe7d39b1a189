//! How far a test is, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::test_args::{Extent, WorkRequest};
use crate::commands::voice::Voice;

/// What the bar looks like: in ASCII, and within 80 columns.
const TEMPLATE: &str = "{prefix} [{bar:30}] {percent}% {msg}";

/// A bar, removed when dropped; nothing where nobody watches.
pub(super) struct Progress {
    bar: ProgressBar,
    extent: Extent,
}

impl Progress {
    /// Begins a bar for a run.
    pub(super) fn new(request: &WorkRequest, name: &str, voice: &Voice) -> Self {
        let target = match voice.is_live() && !voice.is_quiet() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let length = match request.extent {
            Extent::Operations(each) => u64::from(each) * u64::from(request.workers),
            Extent::Time(limit) => millis(limit),
        };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is well formed");
        bar.set_style(style.progress_chars("#>-"));
        bar.set_prefix(name.to_owned());
        Self { bar, extent: request.extent }
    }

    /// Shows how far it is: so many operations, in so much time.
    pub(super) fn show(&self, ended: u64, elapsed: Duration) {
        self.bar.set_message(match self.extent {
            Extent::Operations(_) => format!("{ended} of {}", self.bar.length().unwrap_or(ended)),
            Extent::Time(_) => format!("{ended} operations"),
        });
        self.bar.set_position(match self.extent {
            Extent::Operations(_) => ended,
            Extent::Time(_) => millis(elapsed),
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
