//! `dbguard watch`: who holds databases and who waits, as it happens.
//!
//! On a terminal a screen, elsewhere lines of JSON; both live from the same rounds: look, compare,
//! clear what the dead left, tell, run the user's command.

mod board;
mod field;
mod hook;
mod kin;
mod lines;
mod rounds;
mod screen;
mod terminal;

use std::io::{self, IsTerminal};
use std::time::Instant;

use super::End;
use super::voice::Voice;
use crate::cli::duration::Timeout;
use crate::cli::settings::Settings;
use crate::cli::watch_args::{Until, WatchRequest};
use crate::error::Failure;
use crate::lock::ClaimId;
use crate::outcome::Outcome;
use field::Field;
use rounds::Rounds;

/// Watches everything that was named, until something ends it.
pub fn watch(
    request: &WatchRequest,
    settings: &Settings,
    voice: &Voice,
    id: ClaimId,
) -> Result<End, Failure> {
    let field = Field::open(request, voice)?;
    let is_screen =
        !voice.is_json() && io::stdout().is_terminal() && anstyle_query::term_supports_ansi_color();
    let rounds = Rounds::new(request, settings, id, field);
    let deadline = deadline(request.timeout);
    match is_screen {
        true => terminal::watch(request, rounds, deadline, voice),
        false => lines::watch(request, rounds, deadline, voice),
    }
}

fn deadline(timeout: Timeout) -> Option<Instant> {
    Some(Instant::now() + timeout.finite()?)
}

/// How the watch goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It does.
    GoOn,
    /// What was waited for has come.
    Reached,
    /// It has not, and the time is up.
    TooLate,
}

/// Returns whether a watch with `--until` is over.
fn verdict(request: &WatchRequest, rounds: &Rounds<'_>, deadline: Option<Instant>) -> Verdict {
    match request.until {
        Some(until) if rounds.is_reached(until) => Verdict::Reached,
        Some(_) if deadline.is_some_and(|end| Instant::now() >= end) => Verdict::TooLate,
        _ => Verdict::GoOn,
    }
}

/// Returns the failure of a watch whose time is up.
fn too_late(request: &WatchRequest, rounds: &Rounds<'_>, voice: &Voice) -> Failure {
    let after = request.timeout;
    let held = rounds.samples().find(|sample| sample.is_held());
    let sample = match (request.until, held) {
        (Some(Until::Free), Some(sample)) => sample,
        (Some(Until::Free), None) => return unseen(rounds, voice),
        _ => {
            let message = format!("nobody has had any of them for {after}");
            return Failure::new(Outcome::Timeout, message)
                .hint("wait longer with -w 10m, or without -w for ever");
        }
    };
    let name = voice.shown(&sample.path);
    let mut failure = Failure::new(Outcome::Timeout, format!("{name} is still held after {after}"));
    if let Some((party, does)) = sample.culprit() {
        failure.details.push(format!("held by {}: {does}", crate::report::described(party)));
        failure.holder = Some(Box::new(party.clone()));
    }
    failure.hint("wait longer with -w 10m, or without -w for ever")
}

/// Returns the failure of a watch that saw nobody, and not everything.
fn unseen(rounds: &Rounds<'_>, voice: &Voice) -> Failure {
    let sight = rounds.samples().find_map(|sample| Some((sample, sample.error.clone()?)));
    let Some((sample, why)) = sight else { return field::hidden(rounds.unreadable()) };
    let message = format!("{} cannot be seen, so it may be held", voice.shown(&sample.path));
    Failure::new(Outcome::Timeout, message).caused_by(why)
}
