//! Events as lines of JSON, for programs.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::hook::Hook;
use super::rounds::Rounds;
use super::{Verdict, too_late, verdict};
use crate::cli::watch_args::{Wanted, WatchRequest};
use crate::commands::End;
use crate::commands::voice::Voice;
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::platform::loses_reader;
use crate::platform::signals::SignalMask;
use crate::watch::Event;

/// Prints events until the end that was asked for, or until nobody reads them.
pub(super) fn watch(
    request: &WatchRequest,
    mut rounds: Rounds<'_>,
    deadline: Option<Instant>,
    voice: &Voice,
) -> Result<End, Failure> {
    let command = request.exec.clone();
    let hook = command.map(|command| Hook::new(command, SignalMask::current(), false));
    let mut hook = hook.transpose()?;
    let filter = Filter::new(&request.events);
    let mut due = Instant::now();
    let end = loop {
        let events = rounds.next();
        let wanted: Vec<&Event> = events.iter().filter(|event| filter.lets(event)).collect();
        if let Some(hook) = &mut hook {
            wanted.iter().for_each(|event| hook.tell(event));
            hook.news().iter().for_each(|problem| voice.warn(problem));
        }
        if !printed(&wanted)? {
            break Ok(Outcome::Ok.into());
        }
        match verdict(request, &rounds, deadline) {
            Verdict::GoOn => {}
            Verdict::Reached => break Ok(Outcome::Ok.into()),
            Verdict::TooLate => break Err(too_late(request, &rounds, voice)),
        }
        due = next_due(due, request.interval);
        let until = deadline.map_or(due, |deadline| due.min(deadline));
        if reader_left(until) {
            break Ok(Outcome::Ok.into());
        }
    };
    if let Some(hook) = hook {
        hook.finish(voice);
    }
    end
}

/// Returns when to look next: an interval after it was due, or where that is over already, after
/// now: a machine that slept, or a reader that was slow, is not caught up with.
pub(super) fn next_due(due: Instant, interval: Duration) -> Instant {
    let now = Instant::now();
    if due + interval > now { due + interval } else { now + interval }
}

/// Prints each event at once; `false` if nobody reads them any more.
fn printed(events: &[&Event]) -> Result<bool, Failure> {
    let mut output = io::stdout().lock();
    for event in events {
        let line = event.line() + "\n";
        match output.write_all(line.as_bytes()).and_then(|()| output.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(false),
            Err(error) => {
                let failure = Failure::new(Outcome::IoError, "cannot write to standard output");
                return Err(failure.caused_by(error));
            }
        }
    }
    Ok(true)
}

/// Waits until a moment; returns early, with `true`, when nobody reads any more.
fn reader_left(until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        match loses_reader(io::stdout(), left) {
            Ok(true) => return true,
            Ok(false) => {}
            // It cannot be asked; the next write will tell.
            Err(_) => std::thread::sleep(left),
        }
    }
}

/// The events that are wanted.
pub(super) struct Filter(Vec<String>);

impl Filter {
    pub(super) fn new(wanted: &[Wanted]) -> Self {
        Self(wanted.iter().map(|one| one.word()).collect())
    }

    pub(super) fn lets(&self, event: &Event) -> bool {
        self.0.is_empty() || self.0.iter().any(|word| word == event.event.word())
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::{Filter, Wanted};
    use crate::watch::{Event, Kind, Sample};

    #[test]
    fn each_event_can_be_asked_for_by_its_name() {
        let kinds = [
            Kind::Watching,
            Kind::Gone,
            Kind::Waiting,
            Kind::Acquired,
            Kind::Released,
            Kind::GaveUp,
            Kind::Died,
            Kind::NativeLocked,
            Kind::NativeReleased,
            Kind::Fixed,
        ];
        let events = kinds.map(|kind| Event::new(kind, &Sample::default()));
        for (wanted, event) in Wanted::value_variants().iter().zip(&events) {
            let filter = Filter::new(&[*wanted]);
            assert!(filter.lets(event), "{wanted:?}");
            assert_eq!(events.iter().filter(|event| filter.lets(event)).count(), 1);
            assert!(event.line().contains(&format!("\"event\":\"{}\"", wanted.word())));
        }
        assert_eq!(Wanted::value_variants().len(), kinds.len());
    }
}
