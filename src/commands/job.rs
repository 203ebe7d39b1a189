//! A command's whole life under its locks: taken, run, run again, given back, told.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Instant;

use super::display::Display;
use super::environment::environment;
use super::locking::{Locks, Wish, take};
use super::program::Program;
use super::status::Status;
use super::survivors::survivors;
use super::voice::{Voice, defect};
use super::{End, exec, explain, native, retry};
use crate::cli::exec_args::{ExecRequest, Keeping, Run, Start};
use crate::cli::settings::Settings;
use crate::error::Failure;
use crate::lock::stats::{Event, Failure as Miss};
use crate::lock::{ClaimId, LeaseEnd, Patience, Purpose};
use crate::outcome::Outcome;
use crate::platform::signals::{Arrival, Origin, SignalMask};
use crate::platform::spawn::{Launch, become_command};
use crate::platform::step::step;
use crate::platform::{Lent, errors};
use crate::report;
use crate::supervise::{self, Cut, Ending, LeaseWatch, Limits, Supervisor};

/// A command to be run under locks.
pub struct Job<'a> {
    /// What was asked for.
    pub request: &'a ExecRequest,
    /// The part of it that is about the command.
    pub run: &'a Run,
    /// The command.
    pub program: Program,
    /// The variables.
    pub settings: &'a Settings,
    /// Who tells.
    pub voice: &'a Voice,
    /// The id of its claims.
    pub id: ClaimId,
}

impl Job<'_> {
    /// Does everything and notes in `status` how it went, but for the exit code.
    pub fn carry_out(&self, status: &mut Status) -> Result<End, Failure> {
        let begun = Instant::now();
        let name = self.program.name();
        let wish = Wish {
            lock: &self.request.lock,
            files: &self.request.files,
            purpose: Purpose::Hold,
            program: &name,
            id: self.id,
        };
        let taken = take(&wish, self.settings, self.voice);
        status.waited_ms = begun.elapsed().as_millis();
        let locks = match taken {
            Ok(locks) => locks,
            Err(failure) => {
                status.ended(failure.outcome);
                return Ok(exec::conflict(failure, &self.request.lock, self.voice));
            }
        };
        status.acquired = true;
        if self.run.start == Start::Replace {
            return Err(self.replace(&locks));
        }
        let granted = Instant::now();
        let run = self.supervise(&locks, granted, status);
        status.held_ms = granted.elapsed().as_millis();
        Ok(self.finish(locks, run?, status))
    }

    /// Becomes the command. Comes back only with a failure.
    fn replace(&self, locks: &Locks) -> Failure {
        locks.guards.iter().for_each(|guard| guard.record_command(std::process::id()));
        let environment = environment(locks, self.id);
        let descriptors = self.descriptors(locks);
        let launch = self.launch(&environment, &descriptors, SignalMask::current());
        tracing::debug!("becoming the command");
        cannot_start(&self.program, &become_command(&launch))
    }

    /// Runs the command, again if it fails busy; the limit counts for all of it.
    fn supervise(
        &self,
        locks: &Locks,
        granted: Instant,
        status: &mut Status,
    ) -> Result<supervise::Run, Failure> {
        let limits = Limits {
            // A limit beyond what the clock can say is none.
            end: self.run.max_hold.finite().and_then(|limit| granted.checked_add(limit)),
            kill_after: self.run.kill_after.finite(),
            hold_descendants: self.run.keeping == Keeping::Descendants,
        };
        let mut supervisor = watch_over(locks, limits)?;
        let environment = environment(locks, self.id);
        let descriptors = self.descriptors(locks);
        let launch = self.launch(&environment, &descriptors, supervisor.mask());
        loop {
            let run = supervisor.run(&launch, |pid| {
                step("spawned");
                tracing::info!(pid, "the command runs");
                locks.guards.iter().for_each(|guard| guard.record_command(pid));
            });
            let run = run.map_err(|error| cannot_start(&self.program, &error))?;
            step("ended");
            tracing::info!(ending = ?run.ending, "the command has ended");
            if !self.is_retried(run.ending, status.retries) {
                self.say_if_still_busy(run.ending, status.retries);
                return Ok(run);
            }
            if let Some(run) = self.pause(&supervisor, limits, locks, status.retries) {
                return Ok(run);
            }
            status.retries += 1;
        }
    }

    fn is_busy(&self, ending: Ending) -> bool {
        let codes = &self.run.retry.exit_codes;
        let busy = |code| u8::try_from(code).is_ok_and(|code| codes.contains(code));
        matches!(ending, Ending::Exited(code) if busy(code))
    }

    fn is_retried(&self, ending: Ending, retries: u32) -> bool {
        retries < self.run.retry.limit && self.is_busy(ending)
    }

    fn say_if_still_busy(&self, ending: Ending, retries: u32) {
        if retries > 0 && self.is_busy(ending) {
            let name = self.program.name();
            self.voice.warn(&format!("{name} still fails as busy after {retries} retries"));
        }
    }

    /// Waits before the next try, the lock kept. Returns how it ends if there is no next try.
    fn pause(
        &self,
        supervisor: &Supervisor<'_>,
        limits: Limits,
        locks: &Locks,
        retries: u32,
    ) -> Option<supervise::Run> {
        let retry = &self.run.retry;
        let backoff = retry::Backoff { delay: retry.delay, max_delay: retry.max_delay };
        let pause = retry::pause(backoff, retries);
        self.voice.detail(|| format!("busy; trying again after {}ms", pause.as_millis()));
        let over = |ending| supervise::Run { ending, key: None };
        match supervisor.pause(pause) {
            Some(Cut::Signal(arrival)) => return Some(interrupted(arrival)),
            Some(Cut::End(ending)) => return Some(over(ending)),
            None => {}
        }
        let display = Display::new(self.voice, self.settings.network, &self.request.files);
        let lock = &self.request.lock;
        let deadline = locks.patience.deadline.into_iter().chain(limits.end).min();
        let patience = Patience { deadline, ..locks.patience };
        let wait = native::settle_native(
            lock,
            &locks.guards,
            native::want(locks.mode),
            &patience,
            None,
            &display,
            self.voice,
        );
        if let Err(Failure { outcome: Outcome::Signaled(signal), key, .. }) = wait {
            return Some(supervise::Run { ending: Ending::Signaled(i32::from(signal)), key });
        }
        // Whether it is still busy the command itself finds out.
        supervisor.is_over().map(over)
    }

    fn finish(&self, mut locks: Locks, run: supervise::Run, status: &mut Status) -> End {
        if run.ending == Ending::MaxHold {
            locks.count(Event::Failed(Miss::MaxHold));
        }
        let outcome = match run.ending {
            Ending::Exited(code) => Outcome::Exited(code),
            Ending::Signaled(signal) => Outcome::Signaled(u8::try_from(signal).unwrap_or(0)),
            Ending::MaxHold => Outcome::MaxHold,
            Ending::LeaseEnded => Outcome::LockLost,
        };
        let lease = ended_lease(&locks, run.ending);
        let clean =
            matches!(run.ending, Ending::Exited(_)) || self.run.keeping == Keeping::Descendants;
        let lost = if clean {
            locks.release(self.voice)
        } else {
            leave(locks, &self.request.files, self.voice);
            Vec::new()
        };
        tracing::debug!(clean, lost = lost.len(), "the locks are given back");
        let mut end = match lease {
            Some(how) => {
                self.voice.fail(&lease_ended(&self.program, &self.request.files, how, self.voice))
            }
            None => self.tell(outcome, &lost),
        };
        end.signal = run.key.filter(|key| matches!(run.ending, Ending::Signaled(s) if s == *key));
        let lost_alone = !lost.is_empty() && end.code == Outcome::LockLost.code();
        status.ended(if lost_alone { Outcome::LockLost } else { outcome });
        end
    }

    fn tell(&self, outcome: Outcome, lost: &[PathBuf]) -> End {
        let end = tell_lost(lost, outcome, self.voice);
        if outcome == Outcome::MaxHold {
            let limit = self.run.max_hold.finite().unwrap_or_default();
            let limit = report::duration(limit);
            let (name, files) = (self.program.name(), self.voice.shown_all(&self.request.files));
            let message = format!("{name} was ended: it held {files} for longer than {limit}");
            let failure = Failure::new(Outcome::MaxHold, message);
            return self.voice.fail(&failure.hint("allow more with --max-hold"));
        }
        end
    }

    fn launch<'l>(
        &'l self,
        environment: &'l [(&'l str, Option<OsString>)],
        inherit: &'l [Lent<'l>],
        mask: SignalMask,
    ) -> Launch<'l> {
        let program = &self.program.file;
        Launch {
            program,
            arguments: &self.program.arguments,
            environment,
            input: None,
            output: None,
            errors: None,
            inherit,
            mask,
        }
    }

    fn descriptors<'l>(&self, locks: &'l Locks) -> Vec<Lent<'l>> {
        if self.run.keeping == Keeping::Dbguard && self.run.start == Start::Spawn {
            return Vec::new();
        }
        locks.guards.iter().flat_map(|guard| guard.descriptors()).collect()
    }
}

/// The command was ended by force. What it started may work on, so the descriptors are only
/// closed: whoever has them keeps the lock (S3).
pub fn leave(locks: Locks, files: &[PathBuf], voice: &Voice) {
    let survivors = survivors(&locks);
    locks.abandon();
    if !survivors.is_empty() {
        voice.warn(&format!(
            "{} stays locked by what the command left running: {}",
            voice.shown_all(files),
            survivors.join(", ")
        ));
    }
}

/// Returns what to tell of a command that did not start.
pub fn cannot_start(program: &Program, error: &std::io::Error) -> Failure {
    let name = program.file.display();
    let outcome = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Outcome::CommandNotFound,
        _ if explain::is_exhausted(error) => Outcome::OsError,
        _ if errors::is_not_understood(error) => {
            return defect("the command could not be started").caused_by(error);
        }
        _ => Outcome::NotExecutable,
    };
    let failure = Failure::new(outcome, format!("cannot execute `{name}`")).caused_by(error);
    match outcome {
        Outcome::OsError => failure.hint(explain::relief(error)),
        _ => failure.hint("is it, and the interpreter its first line names, a program here?"),
    }
}

/// Tells which locks were lost while they were held, and returns how to end.
pub fn tell_lost(lost: &[PathBuf], outcome: Outcome, voice: &Voice) -> End {
    let mut end: End = outcome.into();
    for path in lost {
        let folder = path.parent().unwrap_or(path).display();
        let message = format!(
            "the lock was lost: `{folder}` was removed or replaced while it was held; \
             another job may have run at the same time"
        );
        if end.code == 0 {
            let failure = Failure::new(Outcome::LockLost, message)
                .hint("never remove .dbguard while jobs run");
            end = voice.fail(&failure);
        } else {
            voice.warn(&message);
        }
    }
    end
}

/// Begins to watch over what runs under locks; if one of them is joined to a lease, its end is theirs.
pub fn watch_over(locks: &Locks, limits: Limits) -> Result<Supervisor<'_>, Failure> {
    let lost = || locks.lost_lease().is_some();
    let lease = locks.is_leased().then(|| -> LeaseWatch<'_> { Box::new(lost) });
    Supervisor::new(limits, lease).map_err(|error| {
        Failure::new(Outcome::OsError, "cannot watch over the command").caused_by(error)
    })
}

/// Returns how the lease ended that a command ran under, if that is what ended the command.
pub fn ended_lease(locks: &Locks, ending: Ending) -> Option<LeaseEnd> {
    (ending == Ending::LeaseEnded).then(|| locks.lost_lease()).flatten()
}

/// Returns what to tell of a command that was ended because its lease was.
pub fn lease_ended(program: &Program, files: &[PathBuf], how: LeaseEnd, voice: &Voice) -> Failure {
    let (name, files) = (program.name(), voice.shown_all(files));
    let message =
        format!("{name} was ended: the lock of {files} that dbguard acquire took {}", how.words());
    Failure::new(Outcome::LockLost, message)
        .hint("take it for longer with --ttl, or extend it with dbguard release --extend")
}

/// Returns the end of a run that a signal cut short while no command ran.
pub fn interrupted(arrival: Arrival) -> supervise::Run {
    let key = (arrival.origin == Origin::Kernel).then_some(arrival.signal);
    supervise::Run { ending: Ending::Signaled(arrival.signal), key }
}
