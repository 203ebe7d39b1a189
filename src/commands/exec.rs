//! `dbguard exec`: runs a command while holding locks.

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::display::Display;
use super::locking::{Locks, Wish, take};
use super::program::Program;
use super::retry;
use super::status::Status;
use super::voice::{Voice, defect};
use super::{End, native};
use crate::cli::exec_args::{ExecRequest, Keeping, Run, Start, Work};
use crate::cli::lock_args::LockRequest;
use crate::cli::settings::Settings;
use crate::error::Failure;
use crate::lock::{ClaimId, HELD_VARIABLE, Purpose};
use crate::outcome::Outcome;
use crate::platform::signals::{Origin, SignalMask};
use crate::platform::spawn::{Launch, become_command};
use crate::platform::step::step;
use crate::platform::{self, FileId, holders, process};
use crate::supervise::{self, Ending, Limits, Supervisor};

/// Carries out an `exec`.
pub fn exec(
    request: ExecRequest,
    settings: &Settings,
    voice: &Voice,
    id: ClaimId,
) -> Result<End, Failure> {
    match &request.work {
        Work::Run(run) => {
            let program = Program::find(run.program.clone())?;
            let job = Job { request: &request, run, program, settings, voice, id };
            job.carry_out()
        }
        Work::LockDescriptor(descriptor) => {
            let purpose = Purpose::Descriptor(*descriptor);
            let lock = &request.lock;
            let wish =
                Wish { lock, files: &request.files, purpose, program: "dbguard exec --fd", id };
            match take(&wish, settings, voice) {
                Ok(locks) => {
                    locks.abandon();
                    Ok(Outcome::Ok.into())
                }
                Err(failure) => Ok(conflict(failure, lock, voice)),
            }
        }
        Work::UnlockDescriptor(descriptor) => unlock_descriptor(*descriptor),
    }
}

/// Tells a failure to obtain the lock; `-E` has the last word on the exit code.
///
/// With `-E 0` a held lock is no failure, so with `-q` nothing is said: cron stays silent.
pub fn conflict(failure: Failure, lock: &LockRequest, voice: &Voice) -> End {
    let code = lock.exit_code(failure.outcome);
    if code != 0 || !voice.is_quiet() {
        voice.fail(&failure);
    }
    End { code, signal: failure.key }
}

fn unlock_descriptor(descriptor: i32) -> Result<End, Failure> {
    let unlocked = platform::inherited_file(descriptor).and_then(|file| platform::unlock(&file));
    unlocked.map_err(|error| {
        Failure::new(Outcome::IoError, format!("cannot unlock descriptor {descriptor}"))
            .caused_by(error)
    })?;
    Ok(Outcome::Ok.into())
}

/// A command to be run under locks.
struct Job<'a> {
    request: &'a ExecRequest,
    run: &'a Run,
    program: Program,
    settings: &'a Settings,
    voice: &'a Voice,
    id: ClaimId,
}

/// What the runs of a command came to.
struct Outcomes {
    ending: Ending,
    key: Option<i32>,
    retries: u32,
}

impl Job<'_> {
    fn carry_out(&self) -> Result<End, Failure> {
        let begun = Instant::now();
        let name = self.program.name();
        let wish = Wish {
            lock: &self.request.lock,
            files: &self.request.files,
            purpose: Purpose::Hold,
            program: &name,
            id: self.id,
        };
        let locks = match take(&wish, self.settings, self.voice) {
            Ok(locks) => locks,
            Err(failure) => {
                let name = failure.outcome.name();
                let end = conflict(failure, &self.request.lock, self.voice);
                self.write_status(&Status::refused(name, end.code, begun.elapsed()));
                return Ok(end);
            }
        };
        if self.run.start == Start::Replace {
            return Err(self.replace(&locks));
        }
        let waited = begun.elapsed();
        let granted = Instant::now();
        let result = self.supervise(&locks)?;
        self.finish(locks, &result, waited, granted)
    }

    /// Becomes the command. Comes back only with a failure.
    fn replace(&self, locks: &Locks) -> Failure {
        locks.guards.iter().for_each(|guard| guard.record_command(std::process::id()));
        let environment = self.environment(locks);
        let descriptors = self.descriptors(locks);
        let launch = self.launch(&environment, &descriptors, SignalMask::current());
        self.cannot_start(&become_command(&launch))
    }

    fn supervise(&self, locks: &Locks) -> Result<Outcomes, Failure> {
        let limits = Limits {
            max_hold: self.run.max_hold.finite(),
            kill_after: self.run.kill_after.finite(),
            hold_descendants: self.run.keeping == Keeping::Descendants,
        };
        let supervisor = Supervisor::new(limits).map_err(|error| {
            Failure::new(Outcome::OsError, "cannot watch over the command").caused_by(error)
        })?;
        let environment = self.environment(locks);
        let descriptors = self.descriptors(locks);
        let launch = self.launch(&environment, &descriptors, supervisor.mask());
        let mut retries = 0;
        loop {
            let run = supervisor.run(&launch, |pid| {
                step("spawned");
                tracing::info!(pid, "the command runs");
                locks.guards.iter().for_each(|guard| guard.record_command(pid));
            });
            let run = run.map_err(|error| self.cannot_start(&error))?;
            step("ended");
            tracing::info!(ending = ?run.ending, "the command has ended");
            let again =
                matches!(run.ending, Ending::Exited(code) if self.is_retried(code, retries));
            if !again {
                self.say_if_still_busy(run.ending, retries);
                return Ok(Outcomes { ending: run.ending, key: run.key, retries });
            }
            if let Some(run) = self.pause(&supervisor, locks, retries) {
                return Ok(Outcomes { ending: run.ending, key: run.key, retries });
            }
            retries += 1;
        }
    }

    fn say_if_still_busy(&self, ending: Ending, retries: u32) {
        let codes = &self.run.retry.exit_codes;
        let busy = |code| u8::try_from(code).is_ok_and(|code| codes.contains(code));
        if retries > 0 && matches!(ending, Ending::Exited(code) if busy(code)) {
            let name = self.program.name();
            self.voice.warn(&format!("{name} still fails as busy after {retries} retries"));
        }
    }

    fn is_retried(&self, code: i32, retries: u32) -> bool {
        let retry = &self.run.retry;
        retries < retry.limit
            && u8::try_from(code).is_ok_and(|code| retry.exit_codes.contains(code))
    }

    /// Waits before the next try, the lock kept. Returns how it ends if a signal ends it.
    fn pause(
        &self,
        supervisor: &Supervisor,
        locks: &Locks,
        retries: u32,
    ) -> Option<supervise::Run> {
        let pause = retry::pause(&self.run.retry, retries);
        self.voice.detail(|| format!("busy; trying again after {}ms", pause.as_millis()));
        if let Some(arrival) = supervisor.pause(pause) {
            let key = (arrival.origin == Origin::Kernel).then_some(arrival.signal);
            return Some(supervise::Run { ending: Ending::Signaled(arrival.signal), key });
        }
        let display = Display::new(self.voice, self.settings.network);
        let (lock, guards) = (&self.request.lock, &locks.guards);
        let wait =
            native::settle_native(lock, guards, locks.mode, &locks.patience, &display, self.voice);
        match wait.map_err(|failure| (failure.outcome, failure.key)) {
            Err((Outcome::Signaled(signal), key)) => {
                Some(supervise::Run { ending: Ending::Signaled(i32::from(signal)), key })
            }
            // Whether it is still busy the command itself finds out.
            _ => None,
        }
    }

    fn finish(
        &self,
        locks: Locks,
        result: &Outcomes,
        waited: Duration,
        granted: Instant,
    ) -> Result<End, Failure> {
        let held = granted.elapsed();
        let outcome = match result.ending {
            Ending::Exited(code) => Outcome::Exited(u8::try_from(code & 0xff).unwrap_or(u8::MAX)),
            Ending::Signaled(signal) => Outcome::Signaled(u8::try_from(signal).unwrap_or(0)),
            Ending::MaxHold => Outcome::MaxHold,
        };
        let clean =
            matches!(result.ending, Ending::Exited(_)) || self.run.keeping == Keeping::Descendants;
        let lost = if clean { locks.release(self.voice) } else { self.leave(locks) };
        let mut end = self.tell(outcome, &lost);
        end.signal =
            result.key.filter(|key| matches!(result.ending, Ending::Signaled(s) if s == *key));
        let lost_alone = !lost.is_empty() && end.code == Outcome::LockLost.code();
        self.write_status(&Status {
            schema: 1,
            acquired: true,
            waited_ms: waited.as_millis(),
            held_ms: held.as_millis(),
            outcome: if lost_alone { "lock_lost" } else { outcome.name() },
            exit_code: end.code,
            signal: match result.ending {
                Ending::Signaled(signal) => Some(signal),
                _ => None,
            },
            retries: result.retries,
        });
        Ok(end)
    }

    /// The command was ended by force. What it started may work on, so the descriptors are only
    /// closed: whoever has them keeps the lock (S3).
    fn leave(&self, locks: Locks) -> Vec<PathBuf> {
        let files: Vec<_> = locks.guards.iter().filter_map(|guard| guard.lock_id()).collect();
        let shown = self.shown_files();
        locks.abandon();
        let survivors = survivors(&files);
        if !survivors.is_empty() {
            self.voice.warn(&format!(
                "{shown} stays locked by what the command left running: {}",
                survivors.join(", ")
            ));
        }
        Vec::new()
    }

    fn tell(&self, outcome: Outcome, lost: &[PathBuf]) -> End {
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
                end = self.voice.fail(&failure);
            } else {
                self.voice.warn(&message);
            }
        }
        if outcome == Outcome::MaxHold {
            let limit = self.run.max_hold.finite().unwrap_or_default();
            let limit = crate::report::duration(limit);
            let (name, files) = (self.program.name(), self.shown_files());
            let message = format!("{name} was ended: it held {files} for longer than {limit}");
            let failure = Failure::new(Outcome::MaxHold, message);
            return self.voice.fail(&failure.hint("allow more with --max-hold"));
        }
        end
    }

    fn launch<'l>(
        &'l self,
        environment: &'l [(&'l str, Option<OsString>)],
        inherit: &'l [BorrowedFd<'l>],
        mask: SignalMask,
    ) -> Launch<'l> {
        let program = &self.program.file;
        Launch { program, arguments: &self.program.arguments, environment, inherit, mask }
    }

    fn descriptors<'l>(&self, locks: &'l Locks) -> Vec<BorrowedFd<'l>> {
        if self.run.keeping == Keeping::Dbguard && self.run.start == Start::Spawn {
            return Vec::new();
        }
        locks.guards.iter().flat_map(|guard| guard.descriptors()).collect()
    }

    /// What the command sees. A variable of an outer call that is not true here is taken out.
    fn environment(&self, locks: &Locks) -> Vec<(&'static str, Option<OsString>)> {
        let mut files = OsString::new();
        let mut fences = Vec::new();
        for guard in &locks.guards {
            if !files.is_empty() {
                files.push("\n");
            }
            files.push(&guard.resource().path);
            fences.extend(guard.fence().map(|fence| fence.to_string()));
        }
        let fence = (!fences.is_empty()).then(|| fences.join("\n").into());
        vec![
            ("DBGUARD_FILE", Some(files)),
            ("DBGUARD_MODE", Some(locks.mode.word().into())),
            ("DBGUARD_FENCE", fence),
            ("DBGUARD_ID", Some(self.id.to_string().into())),
            (HELD_VARIABLE, Some(locks.held.to_string().into())),
        ]
    }

    fn cannot_start(&self, error: &std::io::Error) -> Failure {
        let name = self.program.file.display();
        let outcome = match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => Outcome::CommandNotFound,
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN) => Outcome::OsError,
            Some(libc::EINVAL) => {
                return defect("the command could not be started").caused_by(error);
            }
            _ => Outcome::NotExecutable,
        };
        Failure::new(outcome, format!("cannot execute `{name}`")).caused_by(error)
    }

    fn shown_files(&self) -> String {
        let files = self.request.files.iter().map(|file| self.voice.shown(file));
        files.collect::<Vec<_>>().join(", ")
    }

    fn write_status(&self, status: &Status) {
        if let Some(path) = &self.run.status_file {
            status.write(path, self.voice);
        }
    }
}

/// Returns the processes that still have a lock on one of the files through an inherited
/// descriptor, in words.
fn survivors(files: &[FileId]) -> Vec<String> {
    let all = process::all().into_iter().map(|(pid, _)| pid);
    let holding = all.filter(|pid| files.iter().any(|file| holders::holds(*pid, *file)));
    holding
        .map(|pid| match process::command_line(pid) {
            Some(words) => format!("{} (pid {pid})", words.join(" ")),
            None => format!("pid {pid}"),
        })
        .collect()
}
