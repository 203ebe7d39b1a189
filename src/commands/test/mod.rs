//! `dbguard test`: proves that concurrent access loses nothing, and says how fast it is.
//!
//! The work is done by real processes, each started as a user would: this process only starts
//! them, reads what they say, and adds up. It opens no database itself, so that closing a file
//! cannot take an engine's locks away. Whatever is made is removed before it ends; only SIGKILL
//! leaves something behind, which the manual tells how to remove.

mod arena;
mod crew;
mod locks;
mod part;
mod print;
mod progress;
mod tally;
mod work;

use super::voice::Voice;
use super::{End, print as print_answer};
use crate::cli::settings::{NetworkWarning, Settings};
use crate::cli::test_args::{Beside, TestMode, TestRequest, WorkRequest};
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::platform::file_system::network_name;
use arena::{Arena, Kind, Site};
use crew::Crew;
use print::{Report, interrupted};
use progress::Progress;
use tally::{Tally, Verdict};
use work::{Run, Way};

pub use part::play;

/// Proves what is asked for.
pub fn test(request: &TestRequest, settings: &Settings, voice: &Voice) -> Result<End, Failure> {
    let done = match request {
        TestRequest::Locks(directory) => locks::try_out(directory, voice),
        TestRequest::Work(request) => prove(request, settings, voice),
    };
    match done {
        Err(failure) if failure.key.is_some() => {
            let End { code, .. } = voice.fail(&failure);
            Ok(End { code, signal: failure.key })
        }
        other => other,
    }
}

fn prove(request: &WorkRequest, settings: &Settings, voice: &Voice) -> Result<End, Failure> {
    let site = Site::find(request, voice)?;
    let mode = mode(request, &site)?;
    if settings.network == NetworkWarning::Warn
        && let Some(name) = network_name(&site.directory)
    {
        voice.warn(&format!(
            "{} is on {name}: this proves nothing about other machines",
            voice.shown(&site.directory)
        ));
    }
    let crew = Crew::new()?;
    let mut ways = vec![Way::Dbguard];
    if request.beside == Beside::Bare {
        ways.extend(Way::beside(site.kind));
    }
    let mut runs = Vec::new();
    for way in ways {
        runs.push((way, run(way, mode, request, &site, &crew, voice)?));
    }
    let report = Report { request, site: &site, mode, runs: &runs };
    let text = if voice.is_json() { report.document() } else { report.text(voice) };
    let printed = print_answer(text.as_bytes());
    let is_proved = runs.first().is_some_and(|(_, tally)| tally.verdict() == Verdict::Ok);
    Ok(match is_proved {
        _ if printed.code != 0 => printed,
        true => Outcome::Ok.into(),
        false => Outcome::Negative.into(),
    })
}

/// Returns what the operations are.
fn mode(request: &WorkRequest, site: &Site) -> Result<TestMode, Failure> {
    match (request.mode, site.kind) {
        (None, Kind::Plain) => Ok(TestMode::Exec),
        (None, _) => Ok(TestMode::Mixed),
        (Some(mode @ (TestMode::Sql | TestMode::Mixed)), Kind::Plain) => {
            let message = format!("`--mode {}` needs a database for SQL", mode.word());
            Err(Failure::new(Outcome::BadDatabase, message)
                .hint("name a SQLite or DuckDB file, or leave --mode out"))
        }
        (Some(mode), _) => Ok(mode),
    }
}

/// Does the work in one way, on ground of its own that is cleared again whatever happens.
fn run(
    way: Way,
    mode: TestMode,
    request: &WorkRequest,
    site: &Site,
    crew: &Crew,
    voice: &Voice,
) -> Result<Tally, Failure> {
    let arena = Arena::make(site, request, voice)?;
    let counted = {
        let run = Run { request, mode, way, arena: &arena, crew };
        let progress = Progress::new(request, way.name(), voice);
        crew.attend_one(|| arena.fill(request.workers, crew)).and_then(|()| {
            let mut tally = run.carry_out(&progress)?;
            if crew.arrived().is_none() {
                tally.numbers = crew.attend_one(|| arena.numbers(request.workers, crew))?;
            }
            Ok(tally)
        })
    };
    let left = match arena.clear(crew, voice) {
        true => "nothing of the test is left behind",
        false => "what is left is said above",
    };
    match crew.arrived() {
        Some(arrival) => Err(interrupted(arrival, left)),
        None => counted,
    }
}
