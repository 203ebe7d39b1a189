//! `dbguard wait`: returns when the lock could be had.

use super::End;
use super::locking::{Wish, take};
use super::voice::Voice;
use crate::cli::settings::Settings;
use crate::cli::wait_args::WaitRequest;
use crate::error::Failure;
use crate::lock::{ClaimId, Purpose};
use crate::outcome::Outcome;

/// Queues as `exec` would, and lets go as soon as it is granted.
pub fn wait(
    request: WaitRequest,
    settings: &Settings,
    voice: &Voice,
    id: ClaimId,
) -> Result<End, Failure> {
    let wish = Wish {
        lock: &request.lock,
        files: &request.files,
        purpose: Purpose::Look,
        program: "dbguard wait",
        id,
    };
    match take(&wish, settings, voice) {
        Ok(locks) => {
            // Nothing was done under it, so nothing can have been lost.
            drop(locks.release(voice));
            Ok(Outcome::Ok.into())
        }
        Err(failure) => Ok(super::exec::conflict(failure, &request.lock, voice)),
    }
}
