//! Statistics of a lock: `stats.log` in its directory.
//!
//! One line is appended after a lock was given back, never while anybody waits for it. Nothing is
//! synced, and no error is told: statistics are never a reason to fail.
//!
//! Every thousandth writer folds the lines into their sum. Whoever appends has the file shared for
//! that moment, and whoever folds has it alone, without blocking: a folder who meets an appender
//! leaves it to the next, and an appender who meets a folder waits some milliseconds. So no line is
//! lost, unless a process is stopped in the middle of folding: then those that are appended
//! meanwhile may be.

mod tally;

use std::fs::File;
use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

pub use tally::{Batches, Ending, Event, Failure, Failures, SIZES, Tally, Times};

use super::LockError;
use super::claim::now_ms;
use super::lockdir::LockDir;
use super::resource::Resource;
use crate::platform::{self, Access, try_lock_exclusive, try_lock_shared};

/// The file.
const LOG: &str = "stats.log";

/// The next one, while it is being made.
const NEXT: &str = "stats.new";

/// From this size on it is folded: a thousand lines.
const FOLD_BYTES: u64 = 40 * 1024;

/// More than this is not read: it is not ours.
const LARGEST_BYTES: u64 = 16 * 1024 * 1024;

/// How often an appender tries again while the file is being folded, a millisecond apart.
const TRIES: u32 = 50;

const PAUSE: Duration = Duration::from_millis(1);

/// Counts events. Failing costs the count, and nothing else.
pub(super) fn append(place: &LockDir, events: &[Event]) {
    let at = now_ms();
    let lines: String = events.iter().map(|event| event.line(at)).collect();
    if lines.is_empty() {
        return;
    }
    match appended(place, &lines) {
        Ok(size) if size >= FOLD_BYTES => {
            if let Err(error) = fold(place) {
                tracing::debug!("the statistics cannot be folded: {error}");
            }
        }
        Ok(_) => {}
        Err(error) => tracing::debug!("cannot count: {error}"),
    }
}

/// Appends, and returns how long the file is then.
fn appended(place: &LockDir, lines: &str) -> io::Result<u64> {
    for attempt in 0.. {
        let file = opened(place, Access::Append)?;
        // A folder puts another file under the name before it lets go of this one.
        let is_ours = try_lock_shared(&file)? && platform::facts(&file)?.links == 1;
        if is_ours || attempt == TRIES {
            (&file).write_all(lines.as_bytes())?;
            return Ok(platform::facts(&file)?.size);
        }
        drop(file);
        thread::sleep(PAUSE);
    }
    Err(io::Error::from(io::ErrorKind::ResourceBusy))
}

/// Opens the file, making it if it is missing. One with a second name is not ours to write.
fn opened(place: &LockDir, access: Access) -> io::Result<File> {
    let file = match place.root.open_file(LOG, access) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match place.make(LOG) {
                Ok(made) => drop(made),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            place.root.open_file(LOG, access)?
        }
        other => other?,
    };
    match platform::facts(&file)?.links {
        0 | 1 => Ok(file),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "has a second name")),
    }
}

/// Replaces the lines by their sum; does nothing while anybody appends.
fn fold(place: &LockDir) -> io::Result<()> {
    let file = opened(place, Access::Read)?;
    if !try_lock_exclusive(&file)? || platform::facts(&file)?.links != 1 {
        return Ok(());
    }
    let mut content = Vec::new();
    (&file).take(LARGEST_BYTES).read_to_end(&mut content)?;
    // What a folder left that was killed.
    drop(place.root.remove(NEXT));
    let mut next = place.make(NEXT)?;
    next.write_all(Tally::read(&content).line().as_bytes())?;
    place.root.rename(NEXT, &place.root, LOG)?;
    // Of one who would not wait any longer.
    let mut late = Vec::new();
    (&file).take(LARGEST_BYTES).read_to_end(&mut late)?;
    next.write_all(&late)
}

/// Returns the sum of what was counted for a resource; all zeros if nothing was.
///
/// # Errors
/// Its directory may not be read, or belongs to a stranger.
pub fn tally(resource: &Resource) -> Result<Tally, LockError> {
    let Some(place) = LockDir::existing(resource)? else { return Ok(Tally::default()) };
    let mut content = Vec::new();
    match place.root.open_file(LOG, Access::Read) {
        Ok(file) => {
            let read = file.take(LARGEST_BYTES).read_to_end(&mut content);
            read.map_err(|error| LockError::io("read", &place.path().join(LOG), error))?;
            Ok(Tally::read(&content))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(LockError::io("read", &place.path().join(LOG), error))
        }
        // Not made yet, or something else of that name.
        Err(_) => Ok(Tally::default()),
    }
}

/// Forgets what was counted for a resource.
///
/// # Errors
/// As [`tally`], or the file cannot be removed.
pub fn reset(resource: &Resource) -> Result<(), LockError> {
    let Some(place) = LockDir::existing(resource)? else { return Ok(()) };
    match place.root.remove(LOG) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(LockError::io("remove", &place.path().join(LOG), error))
        }
        _ => Ok(()),
    }
}

/// Counts that a lock was not had, if it has a directory.
pub fn count_failure(resource: &Resource, failure: Failure) {
    if let Ok(Some(place)) = LockDir::existing(resource) {
        append(&place, &[Event::Failed(failure)]);
    }
}
