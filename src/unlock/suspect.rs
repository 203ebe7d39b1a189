//! Processes that are meant, each with the handle that proves which one.

use std::io;

use super::{Holder, Obstacle, Standing};
use crate::lock::LockError;
use crate::platform::process::ProcessHandle;

/// How often it is looked again where the lock changes hands meanwhile.
const TRIES: usize = 20;

/// A holder, and the handle on it.
#[derive(Debug)]
pub struct Suspect {
    /// Who it is.
    pub holder: Holder,
    pub(super) handle: ProcessHandle,
}

/// Those who have a lock, or why none of them is ended.
#[derive(Debug, Default)]
pub struct Suspects {
    /// Everybody who has it.
    pub all: Vec<Suspect>,
    /// What keeps us from ending them.
    pub obstacles: Vec<Obstacle>,
    /// Why the engine's own locks cannot be seen.
    pub unknown: Option<String>,
}

/// Returns those who have the lock, seen to have it after a handle on each was open: so a number
/// that was given to somebody else is never meant.
///
/// Of a lock that changes hands all the time, those are returned who had it at two looks.
///
/// # Errors
/// As the look, or there are no handles.
pub fn suspects(
    look: &mut dyn FnMut() -> Result<Standing, LockError>,
) -> Result<Suspects, SuspectError> {
    let mut before = look()?;
    let mut tries = 0;
    loop {
        tries += 1;
        let mut all = Vec::new();
        for holder in &before.holders {
            let handle = ProcessHandle::open_started(holder.pid, holder.start);
            let handle = handle.map_err(SuspectError::Handle)?;
            all.extend(handle.map(|handle| Suspect { holder: holder.clone(), handle }));
        }
        let now = look()?;
        let is_same = all.len() == now.holders.len()
            && all.iter().all(|one| now.holders.iter().any(|holder| holder.is(&one.holder)));
        if is_same || tries == TRIES {
            all.retain(|one| now.holders.iter().any(|holder| holder.is(&one.holder)));
            return Ok(with_strangers(all, now));
        }
        before = now;
    }
}

/// Why there are no suspects.
#[derive(Debug, thiserror::Error)]
pub enum SuspectError {
    /// It could not be looked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A process cannot be held on to.
    #[error("cannot get a handle on a process")]
    Handle(#[source] io::Error),
}

/// Adds the processes to the obstacles that may not be signalled.
fn with_strangers(all: Vec<Suspect>, standing: Standing) -> Suspects {
    let Standing { mut obstacles, unknown, .. } = standing;
    for one in &all {
        let refused = one.handle.signal(0).err();
        if refused.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            obstacles.push(Obstacle::Stranger(one.holder.party.clone()));
        } else if one.holder.is_veiled {
            obstacles.push(Obstacle::Veiled(one.holder.party.clone()));
        }
    }
    Suspects { all, obstacles, unknown }
}
