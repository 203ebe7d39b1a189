//! Statistics of a lock: `stats.log`, `stats.sum` and `stats.fold-*` in its directory.
//!
//! One line is appended to the log after a lock was given back, without a lock and never while
//! anybody waits for it. Nothing is synced, and no error is told: statistics are never a reason to
//! fail.
//!
//! Every thousandth writer folds the lines into their sum: it renames the log away, so that
//! nobody opens it any more, and adds it to the sum once the kernel proves, by a lease, that nobody
//! has it open. What cannot be proved yet is left for the next, and is counted meanwhile where it
//! is. The sum names the log that was added last, so that one that a crash kept from being removed
//! is not added twice. So no line is lost, and none counts twice, whoever is stopped or killed.

mod event;
mod tally;
mod times;

use std::fs::File;
use std::io::{self, Read, Write};
use std::thread;
use std::time::{Duration, SystemTime};

pub use event::{Ending, Event, Failure};
pub use tally::{Batches, Failures, Tally};
pub use times::{SIZES, Times};

use super::LockError;
use super::claim::now_ms;
use super::lockdir::LockDir;
use super::resource::Resource;
use crate::platform::lease::Lease;
use crate::platform::step::step;
use crate::platform::{self, Access, Dir, host};

/// The lines.
const LOG: &str = "stats.log";

/// Their sum.
const SUM: &str = "stats.sum";

/// The next sum, while it is being made.
const NEXT: &str = "stats.new";

/// How the name of a log begins that nobody opens any more.
const FOLD: &str = "stats.fold-";

/// From this size on the log is folded: a thousand lines.
const FOLD_BYTES: u64 = 40 * 1024;

/// More than this is not read: it is not ours.
const LARGEST_BYTES: u64 = 16 * 1024 * 1024;

/// How often something is tried again that somebody else replaces meanwhile.
const TRIES: u32 = 100;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(1);

/// Where there are no leases, a log that was renamed away so long ago is open nowhere: to append
/// takes microseconds.
const SETTLED: Duration = Duration::from_secs(60);

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
    let file = opened(place)?;
    step("stats-opened");
    (&file).write_all(lines.as_bytes())?;
    Ok(platform::facts(&file)?.size)
}

/// Opens the log, making it if it is missing. One with a second name is not ours to write.
fn opened(place: &LockDir) -> io::Result<File> {
    let mut tries = 0;
    let file = loop {
        match place.root.open_file(LOG, Access::Append) {
            // It is renamed away as often as it grows.
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {
                tries += 1;
                match place.make(LOG) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
            other => break other?,
        }
    };
    match platform::facts(&file)?.links {
        0 | 1 => Ok(file),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "has a second name")),
    }
}

/// Adds the lines to their sum; does nothing while another one does.
fn fold(place: &LockDir) -> io::Result<()> {
    let Some(_turn) = place.root.try_lock()? else { return Ok(()) };
    let long = place.root.facts_of(LOG).is_ok_and(|facts| facts.size >= FOLD_BYTES);
    if long {
        let name = format!("{FOLD}{:016x}", host::random()?);
        place.root.rename(LOG, &place.root, &name)?;
        step("stats-renamed");
    }
    let (mut sum, merged) = sum(place)?;
    for name in folds(&place.root) {
        if name == merged {
            place.root.remove(&name)?;
            continue;
        }
        let file = place.root.open_file(&name, Access::Read)?;
        if !is_settled(&file)? {
            continue;
        }
        sum.merge(&Tally::read(&read(&file)?));
        // What a folder left that was killed.
        drop(place.root.remove(NEXT));
        let mut next = place.make(NEXT)?;
        next.write_all(sum.line(&name).as_bytes())?;
        place.root.rename(NEXT, &place.root, SUM)?;
        step("stats-summed");
        place.root.remove(&name)?;
    }
    Ok(())
}

/// Whether nobody will append to a log that was renamed away.
fn is_settled(file: &File) -> io::Result<bool> {
    match Lease::take(file) {
        Ok(lease) => Ok(lease.is_some()),
        Err(_) => {
            let since = SystemTime::now().duration_since(platform::facts(file)?.modified);
            Ok(since.is_ok_and(|since| since >= SETTLED))
        }
    }
}

/// Returns the logs that were renamed away.
fn folds(root: &Dir) -> Vec<String> {
    let mut names = Vec::new();
    // What cannot be listed is not there.
    if let Ok(listing) = root.child_to_list(".") {
        drop(listing.each_name(|name, is_dir| {
            if !is_dir && is_fold(name) {
                names.push(name.to_owned());
            }
        }));
    }
    names.sort();
    names
}

/// Whether a file in the directory of a lock is one of statistics.
pub(super) fn is_ours(name: &str) -> bool {
    matches!(name, LOG | SUM | NEXT) || is_fold(name)
}

fn is_fold(name: &str) -> bool {
    name.strip_prefix(FOLD).is_some_and(|rest| rest.len() == 16)
}

/// Returns the sum, and the log that was added to it last.
fn sum(place: &LockDir) -> io::Result<(Tally, String)> {
    match place.root.open_file(SUM, Access::Read) {
        Ok(file) => Ok(Tally::read_sum(&read(&file)?)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        // Not made yet, or something else of that name.
        Err(_) => Ok(Default::default()),
    }
}

fn read(file: &File) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(LARGEST_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

/// Returns the sum of what was counted for a resource; all zeros if nothing was.
///
/// # Errors
/// Its directory may not be read, or belongs to a stranger.
pub fn tally(resource: &Resource) -> Result<Tally, LockError> {
    let Some(place) = LockDir::existing(resource)? else { return Ok(Tally::default()) };
    let failed = |error| LockError::io("read", &place.path().join(LOG), error);
    for _ in 0..TRIES {
        if let Some(tally) = looked(&place).map_err(failed)? {
            return Ok(tally);
        }
        thread::sleep(PAUSE);
    }
    Err(failed(io::Error::from(io::ErrorKind::ResourceBusy)))
}

/// Reads everything once; `None` if something was folded meanwhile.
fn looked(place: &LockDir) -> io::Result<Option<Tally>> {
    let stamp = || place.root.facts_of(SUM).ok().map(|facts| facts.id);
    let before = (stamp(), folds(&place.root));
    let (mut tally, merged) = sum(place)?;
    for name in before.1.iter().map(String::as_str).filter(|name| *name != merged).chain([LOG]) {
        match place.root.open_file(name, Access::Read) {
            Ok(file) => tally.merge(&Tally::read(&read(&file)?)),
            Err(error) => match error.kind() {
                io::ErrorKind::PermissionDenied => return Err(error),
                // Somebody has a lease on it: it is being added.
                io::ErrorKind::WouldBlock => return Ok(None),
                // Not made yet, added meanwhile, or something else of that name.
                _ => {}
            },
        }
    }
    Ok((before == (stamp(), folds(&place.root))).then_some(tally))
}

/// Forgets what was counted for a resource.
///
/// # Errors
/// As [`tally()`], or a file cannot be removed.
pub fn reset(resource: &Resource) -> Result<(), LockError> {
    let Some(place) = LockDir::existing(resource)? else { return Ok(()) };
    let folds = folds(&place.root);
    for name in folds.iter().map(String::as_str).chain([LOG, SUM]) {
        match place.root.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(LockError::io("remove", &place.path().join(name), error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Counts that a lock was not had, if it has a directory.
pub fn count_failure(resource: &Resource, failure: Failure) {
    if let Ok(Some(place)) = LockDir::existing(resource) {
        append(&place, &[Event::Failed(failure)]);
    }
}
