//! `dbguard update`: what a command makes of a file takes its place, whole or not at all.
//!
//! # Why nobody sees half a file
//!
//! The command never has the file itself open for writing: it reads the old content, and what it
//! prints goes through a pipe into a temporary file beside it. So dbguard sees every error of a
//! write; a command that goes on after "no space left" would otherwise succeed with half of its
//! output. The output is complete when the pipe has no writer any more, as in `$(...)`.
//!
//! Only then the temporary file gets what the old one carries (mode, owner, attributes), is synced
//! and renamed, and its directory is synced. Before the rename the old file is looked at once more:
//! who wrote to it without the lock must not be overwritten.
//!
//! # Signals
//!
//! From before the temporary file exists until it has gone or has its final name, signals are held
//! off and asked for at each stage; only SIGKILL leaves it behind.

mod output;
mod replacement;
mod source;
mod stage;
mod watch;

use std::ffi::OsString;
use std::time::Instant;

use super::End;
use super::environment::environment;
use super::exec::conflict;
use super::explain::explain;
use super::job::{
    cannot_start, ended_lease, interrupted, lease_ended, leave, tell_lost, watch_over,
};
use super::locking::{Locks, Wish, take};
use super::program::Program;
use super::voice::Voice;
use crate::cli::exec_args::{KILL_AFTER, Program as Wanted};
use crate::cli::settings::Settings;
use crate::cli::update_args::{UpdateRequest, Way};
use crate::error::Failure;
use crate::lock::{ClaimId, Purpose, canonical};
use crate::outcome::Outcome;
use crate::platform::spawn::Launch;
use crate::platform::step::step;
use crate::platform::{Lent, lend};
use crate::report;
use crate::supervise::{self, Ending, Limits, Supervisor};
use output::Output;
use replacement::Replacement;
use source::Source;
use stage::Stage;

/// Carries out an update.
pub fn update(
    request: &UpdateRequest,
    settings: &Settings,
    voice: &Voice,
    id: ClaimId,
) -> Result<End, Failure> {
    let program = Program::find(Wanted::Words(request.command.clone()))?;
    Update { request, program, settings, voice, id }.carry_out()
}

/// An update, and everything that is needed to carry it out.
struct Update<'a> {
    request: &'a UpdateRequest,
    program: Program,
    settings: &'a Settings,
    voice: &'a Voice,
    id: ClaimId,
}

/// Why nothing was replaced.
enum Halt {
    /// Something is wrong.
    Failed(Failure),
    /// The command did not succeed, or a signal came.
    Ended(supervise::Run),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Update<'_> {
    fn carry_out(&self) -> Result<End, Failure> {
        // Once before the lock: nobody wants to learn of it after five minutes in a line.
        drop(self.sources()?);
        let wish = Wish {
            lock: &self.request.lock,
            files: &self.request.files,
            purpose: Purpose::Hold,
            program: &self.program.name(),
            id: self.id,
        };
        match take(&wish, self.settings, self.voice) {
            Ok(locks) => {
                let done = self.under(&locks);
                Ok(self.finish(locks, done))
            }
            Err(failure) => Ok(conflict(failure, &self.request.lock, self.voice)),
        }
    }

    /// Finds the files, in the order in which they were typed.
    fn sources(&self) -> Result<Vec<Source>, Failure> {
        let mut sources: Vec<Source> = Vec::with_capacity(self.request.files.len());
        for file in &self.request.files {
            let path = canonical(file).map_err(|error| {
                let files = std::slice::from_ref(file);
                explain(&error, self.request.lock.timeout, files, self.voice)
            })?;
            if sources.iter().any(|source| source.path == path) {
                let message = format!("{} is named twice", self.voice.shown(&path));
                return Err(Failure::new(Outcome::Usage, message)
                    .hint("name each file once, by one of its names"));
            }
            sources.push(Source::find(file, path, self.request.create, self.voice)?);
        }
        Ok(sources)
    }

    /// Does the work, all locks held. No temporary file is left when it returns.
    fn under(&self, locks: &Locks) -> Result<(), Halt> {
        let granted = Instant::now();
        let sources = self.sources()?;
        let limits = Limits {
            end: self.request.max_hold.finite().and_then(|limit| granted.checked_add(limit)),
            kill_after: KILL_AFTER.finite(),
            hold_descendants: false,
        };
        let mut supervisor = watch_over(locks, limits)?;
        if let Some(wanted) = self.request.if_sha256 {
            sources[0].demand(wanted, &supervisor, self.voice)?;
        }
        let replacements = match self.request.way {
            Way::Filter => vec![self.filter(&sources[0], &mut supervisor, locks)?],
            Way::Copies => self.change_copies(&sources, &mut supervisor, locks)?,
        };
        for (replacement, source) in replacements.iter().zip(&sources) {
            replacement.settle(source, self.voice)?;
        }
        for source in &sources {
            source.demand_unchanged(self.voice)?;
        }
        // Not every system lets a name be taken from a file that is open.
        drop(sources);
        watch::demand_silence(&supervisor)?;
        Ok(replacement::put_all(replacements, self.voice)?)
    }

    /// Runs the command from the old content to the new one.
    fn filter(
        &self,
        source: &Source,
        supervisor: &mut Supervisor<'_>,
        locks: &Locks,
    ) -> Result<Replacement, Halt> {
        let replacement = Replacement::beside(source, Way::Filter, self.voice)?;
        step("staged");
        let (output, writer) = Output::into_file(&replacement, self.voice)?;
        let empty;
        let input = match &source.file {
            Some(file) => lend(file),
            None => {
                empty = source::nothing()?;
                lend(&empty)
            }
        };
        let run = self.run(supervisor, locks, Some(input), Some(lend(&writer)), &[])?;
        // An error of our own comes first: the command may have failed because of it.
        output.demand_no_error(&replacement, self.voice)?;
        drop(writer);
        succeeded(run)?;
        output.until_complete(supervisor, &self.program.name(), &replacement, self.voice)?;
        step("captured");
        Ok(replacement)
    }

    /// Runs the command on copies of the files.
    fn change_copies(
        &self,
        sources: &[Source],
        supervisor: &mut Supervisor<'_>,
        locks: &Locks,
    ) -> Result<Vec<Replacement>, Halt> {
        let mut copies = Vec::with_capacity(sources.len());
        for source in sources {
            let copy = Replacement::beside(source, Way::Copies, self.voice)?;
            copy.fill(source, supervisor, self.voice)?;
            copies.push(copy);
        }
        step("staged");
        let stages: Vec<&Stage> = copies.iter().map(Replacement::stage).collect();
        succeeded(self.run(supervisor, locks, None, None, &stages)?)?;
        step("captured");
        copies.iter_mut().try_for_each(|copy| copy.find_again(&self.program.name(), self.voice))?;
        Ok(copies)
    }

    /// Runs the command with the paths of copies after its own arguments.
    fn run(
        &self,
        supervisor: &mut Supervisor<'_>,
        locks: &Locks,
        input: Option<Lent<'_>>,
        output: Option<Lent<'_>>,
        copies: &[&Stage],
    ) -> Result<supervise::Run, Failure> {
        let environment = environment(locks, self.id);
        let paths = copies.iter().map(|copy| copy.path().as_os_str().to_owned());
        let arguments: Vec<OsString> =
            self.program.arguments.iter().cloned().chain(paths).collect();
        let locks_of_copies = copies.iter().filter_map(|copy| copy.lock());
        let guards = locks.guards.iter();
        let inherit: Vec<_> =
            guards.flat_map(|guard| guard.descriptors()).chain(locks_of_copies).collect();
        let launch = Launch {
            program: &self.program.file,
            arguments: &arguments,
            environment: &environment,
            input,
            output,
            errors: None,
            inherit: &inherit,
            mask: supervisor.mask(),
        };
        let run = supervisor.run(&launch, |pid| {
            step("spawned");
            tracing::info!(pid, "the command runs");
            locks.guards.iter().for_each(|guard| guard.record_command(pid));
        });
        let run = run.map_err(|error| cannot_start(&self.program, &error))?;
        step("ended");
        tracing::info!(ending = ?run.ending, "the command has ended");
        Ok(run)
    }

    /// Gives the locks back and tells how it went.
    fn finish(&self, locks: Locks, done: Result<(), Halt>) -> End {
        let run = match done {
            Ok(()) => return tell_lost(&locks.release(self.voice), Outcome::Ok, self.voice),
            Err(Halt::Failed(failure)) => {
                let lost = locks.release(self.voice);
                tell_lost(&lost, failure.outcome, self.voice);
                return self.voice.fail(&failure);
            }
            Err(Halt::Ended(run)) => run,
        };
        let signal = match run.ending {
            Ending::Exited(code) => {
                let lost = locks.release(self.voice);
                return tell_lost(&lost, Outcome::Exited(code), self.voice);
            }
            Ending::Signaled(signal) => Some(signal),
            Ending::MaxHold | Ending::LeaseEnded => None,
        };
        let lease = ended_lease(&locks, run.ending);
        leave(locks, &self.request.files, self.voice);
        if let Some(how) = lease {
            let files = &self.request.files;
            return self.voice.fail(&lease_ended(&self.program, files, how, self.voice));
        }
        match signal {
            Some(signal) => End {
                code: Outcome::Signaled(u8::try_from(signal).unwrap_or(0)).code(),
                signal: run.key.filter(|key| *key == signal),
            },
            None => self.voice.fail(&self.held_for_too_long()),
        }
    }

    fn held_for_too_long(&self) -> Failure {
        let limit = report::duration(self.request.max_hold.finite().unwrap_or_default());
        let (name, files) = (self.program.name(), self.voice.shown_all(&self.request.files));
        let message = format!("{name} was ended: it held {files} for longer than {limit}");
        Failure::new(Outcome::MaxHold, message).hint("allow more with DBGUARD_MAX_HOLD")
    }
}

fn succeeded(run: supervise::Run) -> Result<(), Halt> {
    match run.ending {
        Ending::Exited(0) => Ok(()),
        _ => Err(Halt::Ended(run)),
    }
}
