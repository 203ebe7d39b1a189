//! Waiting for native locks, as `--native` says, and telling how it went.

use std::path::Path;
use std::time::{Duration, Instant};

use super::display::Display;
use super::explain::explain;
use super::voice::Voice;
use crate::cli::lock_args::{LockRequest, Native};
use crate::error::{Failure, Party};
use crate::lock::{Guard, Mode, Patience};
use crate::native::Want;
use crate::outcome::Outcome;
use crate::platform::step::step;
use crate::probe::{NativeError, describe, party, wait_for_native};
use crate::report;

/// Returns what the holder of a guard lock is taken to do.
pub fn want(mode: Mode) -> Want {
    match mode {
        Mode::Shared => Want::Shared,
        Mode::Exclusive => Want::Exclusive,
    }
}

/// Waits until no foreign native lock keeps anybody from what is wanted of the files that are
/// locked; until `limit`, if there is one, which may come before patience is at its end.
pub fn settle_native(
    lock: &LockRequest,
    guards: &[Guard],
    want: Want,
    patience: &Patience,
    limit: Option<Instant>,
    display: &Display<'_>,
    voice: &Voice,
) -> Result<(), Failure> {
    let patience = match lock.native {
        Native::Wait => *patience,
        Native::Fail => Patience { nonblock: true, ..*patience },
        Native::Ignore => return Ok(()),
    };
    for guard in guards {
        let path = &guard.resource().path;
        let result = wait_for_native(path, want, &patience, limit, display);
        display.finish();
        tracing::debug!(path = %path.display(), free = result.is_ok(), "looked for native locks");
        match result {
            Ok(None) => {}
            Ok(Some(impossible)) => voice.warn(&format!("not waited for: {impossible}")),
            Err(error) => return Err(tell(error, lock, path, voice)),
        }
    }
    step("native");
    Ok(())
}

fn tell(error: NativeError, lock: &LockRequest, path: &Path, voice: &Voice) -> Failure {
    match error {
        NativeError::Lock(error) => explain(&error, lock.timeout, &[path.to_path_buf()], voice),
        NativeError::Io(error) => {
            Failure::new(Outcome::OsError, "cannot wait for native locks").caused_by(error)
        }
        NativeError::Busy { path, busy, timed_out } => {
            let (outcome, still) = match lock.timeout.finite() {
                Some(waited) if timed_out => {
                    (Outcome::Timeout, format!("still busy after {}", report::duration(waited)))
                }
                _ => (Outcome::WouldBlock, "busy".to_owned()),
            };
            let mut failure = Failure::new(
                outcome,
                format!("{} is {still}: its engine holds a native lock", voice.shown(&path)),
            );
            let holder = party(&busy);
            let who = holder.as_ref().map_or(String::new(), in_words);
            failure.details.push(describe(&busy) + &who);
            failure.holder = holder.map(Box::new);
            failure.hint("end or close that program, wait longer with -w, or use --native ignore")
        }
    }
}

/// Says who holds it; for how long at most, since the kernel does not keep the time.
fn in_words(holder: &Party) -> String {
    let who = report::described(&Party { for_ms: None, ..holder.clone() });
    let age = holder.for_ms.map(Duration::from_millis).map(report::duration);
    format!(" by {who}{}", age.map_or(String::new(), |age| format!(", which has run for {age}")))
}
