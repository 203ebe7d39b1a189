//! `dbguard exec`: runs a command while holding locks.

use super::End;
use super::explain::explain;
use super::job::Job;
use super::locking::{Wish, take, targets};
use super::program::Program;
use super::status::{Status, StatusFile};
use super::voice::Voice;
use crate::cli::exec_args::{ExecRequest, Run, Work};
use crate::cli::lock_args::LockRequest;
use crate::cli::settings::Settings;
use crate::error::Failure;
use crate::lock::{ClaimId, LockError, Purpose, lock_path};
use crate::outcome::Outcome;
use crate::platform;

/// Carries out an `exec`.
pub fn exec(
    request: ExecRequest,
    settings: &Settings,
    voice: &Voice,
    id: ClaimId,
) -> Result<End, Failure> {
    match &request.work {
        Work::Run(run) => run_command(&request, run, settings, voice, id),
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
        Work::UnlockDescriptor(descriptor) => unlock_descriptor(*descriptor, &request, voice),
    }
}

/// Runs a command and writes the status file, whatever comes.
fn run_command(
    request: &ExecRequest,
    run: &Run,
    settings: &Settings,
    voice: &Voice,
    id: ClaimId,
) -> Result<End, Failure> {
    let prepare = |path| StatusFile::prepare(path, &targets(&request.lock, &request.files));
    let file = run.status_file.as_deref().map(prepare).transpose()?;
    let mut status = Status::default();
    let end = Program::find(run.program.clone()).and_then(|program| {
        tracing::debug!(program = %program.file.display(), "the command is found");
        Job { request, run, program, settings, voice, id }.carry_out(&mut status)
    });
    let end = end.unwrap_or_else(|failure| {
        status.ended(failure.outcome);
        voice.fail(&failure)
    });
    status.exit_code = end.code;
    if let Some(file) = file {
        file.write(&status, voice);
    }
    Ok(end)
}

/// Tells a failure to obtain the lock; `-E` has the last word on the exit code.
///
/// With `-E 0` a held lock is no failure, so with `-q` nothing is said: cron stays silent.
pub fn conflict(failure: Failure, lock: &LockRequest, voice: &Voice) -> End {
    let code = lock.exit_code(failure.outcome);
    if code != 0 || !voice.is_quiet() {
        voice.fail_with(&failure, code);
    }
    End { code, signal: failure.key }
}

/// Releases the lock of a descriptor, if it is the lock of the file that was named.
fn unlock_descriptor(
    descriptor: i32,
    request: &ExecRequest,
    voice: &Voice,
) -> Result<End, Failure> {
    let failed = |error| {
        Failure::new(Outcome::IoError, format!("cannot unlock descriptor {descriptor}"))
            .caused_by(error)
    };
    let file = platform::inherited_file(descriptor).map_err(failed)?;
    let open = platform::facts(&file).map_err(failed)?.id;
    let (lock, files) = (&request.lock, &request.files);
    let tell = |error: &LockError| explain(error, lock.timeout, files, voice);
    for target in targets(lock, files) {
        let path = lock_path(&target).map_err(|error| tell(&error))?;
        if platform::facts_at(&path).map(|facts| facts.id).ok() != Some(open) {
            return Err(tell(&LockError::WrongDescriptor { descriptor, path }));
        }
    }
    platform::unlock(&file).map_err(failed)?;
    tracing::debug!(descriptor, "the descriptor is unlocked");
    Ok(Outcome::Ok.into())
}
