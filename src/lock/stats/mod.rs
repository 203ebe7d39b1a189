//! Statistics of a lock: `stats.log`, `stats.sum` and `stats.fold-*` in its directory.
//!
//! One line is appended to the log after a lock was given back, without a lock and never while
//! anybody waits for it. Nothing is synced, and no error is told: statistics are never a reason to
//! fail.
//!
//! Every thousandth writer, and whoever clears up, folds the lines into their sum: it renames the
//! log away, so that nobody opens it any more, and adds it to the sum once the kernel proves, by a
//! lease, that nobody has it open. One who had found the log before it was renamed can still be about to open it: the
//! lease is kept until the log is removed, and a log without a name is not written to. What cannot
//! be proved yet is left for the next, and is counted meanwhile where it is. The sum names the log
//! that was added last, so that one that a crash kept from being removed is not added twice. So no
//! line is lost, and none counts twice, whoever is stopped or killed.

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
use crate::platform::{self, Access, Dir, Facts, errors, host};

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
        Ok(size) if size >= FOLD_BYTES => fold_from(place, FOLD_BYTES),
        Ok(_) => {}
        Err(error) => tracing::debug!("cannot count: {error}"),
    }
}

/// Adds every line to the sum. Failing costs nothing: what is not added is counted where it is.
pub(super) fn fold_all(place: &LockDir) {
    fold_from(place, 1);
}

/// Adds the lines to their sum once the log is so long.
fn fold_from(place: &LockDir, size: u64) {
    if let Err(error) = fold(place, size) {
        tracing::debug!("the statistics cannot be folded: {error}");
    }
}

/// Appends, and returns how long the file is then.
fn appended(place: &LockDir, lines: &str) -> io::Result<u64> {
    let file = opened(place)?;
    step("stats-opened");
    (&file).write_all(lines.as_bytes())?;
    Ok(platform::facts(&file)?.size)
}

/// Opens the log, making it if it is missing. What stands in its place and is none makes way.
fn opened(place: &LockDir) -> io::Result<File> {
    let mut last = io::ErrorKind::ResourceBusy.into();
    for _ in 0..TRIES {
        let error = match place.root.open_file(LOG, Access::Append) {
            Ok(file) => {
                step("stats-opened");
                match platform::facts(&file)?.links {
                    1 => return Ok(file),
                    // It was found before it was renamed away, and opened after it was added.
                    0 => continue,
                    // A second name would let somebody aim our writes at another file.
                    _ => make_way(place)?,
                }
                continue;
            }
            Err(error) => error,
        };
        match error.kind() {
            // It is renamed away as often as it grows.
            io::ErrorKind::NotFound => match place.make(LOG) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            },
            // It was found before it was renamed away, and is being added.
            io::ErrorKind::WouldBlock => {}
            io::ErrorKind::PermissionDenied => return Err(error),
            _ => make_way(place)?,
        }
        last = error;
    }
    Err(last)
}

/// Takes away what stands in the place of the log and is none. Does nothing while somebody adds.
fn make_way(place: &LockDir) -> io::Result<()> {
    let Some(_turn) = place.root.try_lock()? else { return Ok(()) };
    match place.root.facts_of(LOG) {
        // A copy of the directory by hard links, perhaps: what is counted stays so.
        Ok(facts) if facts.regular && facts.links > 1 => put_away(place),
        Ok(facts) if !facts.regular => clear(&place.root, LOG),
        _ => Ok(()),
    }
}

/// Removes a file, or a directory with nothing in it, if it is there.
fn clear(root: &Dir, name: &str) -> io::Result<()> {
    let removed = root.facts_of(name).and_then(|facts| match facts.directory {
        true => root.remove_child(name),
        false => root.remove(name),
    });
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Renames the log away, so that nobody opens it any more.
fn put_away(place: &LockDir) -> io::Result<()> {
    let name = format!("{FOLD}{:016x}", host::random()?);
    place.root.rename(LOG, &place.root, &name)?;
    step("stats-renamed");
    Ok(())
}

/// Adds the lines to their sum; does nothing while another one does.
fn fold(place: &LockDir, size: u64) -> io::Result<()> {
    let Some(_turn) = place.root.try_lock()? else { return Ok(()) };
    // What is no file of ours is not moved away for it.
    let is_long = |facts: Facts| facts.regular && facts.size >= size;
    if place.root.facts_of(LOG).is_ok_and(is_long) {
        put_away(place)?;
    }
    let (mut sum, merged) = sum(place)?;
    for name in folds(&place.root) {
        if name == merged {
            place.root.remove(&name)?;
            continue;
        }
        // What may not be read is left where it is.
        let Ok(file) = place.root.open_alone(&name) else { continue };
        // Until it is removed, so that one who had found it under its old name cannot open it.
        let lease = Lease::take(&file);
        if !is_settled(&file, &lease)? {
            continue;
        }
        sum.merge(&Tally::read(&read(&file)?));
        write_sum(place, &sum.line(&name))?;
        step("stats-summed");
        place.root.remove(&name)?;
    }
    Ok(())
}

fn write_sum(place: &LockDir, line: &str) -> io::Result<()> {
    // What a folder left that was killed.
    clear(&place.root, NEXT)?;
    place.make(NEXT)?.write_all(line.as_bytes())?;
    match place.root.rename(NEXT, &place.root, SUM) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            clear(&place.root, SUM)?;
            place.root.rename(NEXT, &place.root, SUM)
        }
        renamed => renamed,
    }
}

/// Whether nobody will append to a log that was renamed away, given the lease that was asked for.
fn is_settled(file: &File, lease: &io::Result<Option<Lease<'_>>>) -> io::Result<bool> {
    match lease {
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
    let looked = eventually(|| looked(&place)).map_err(failed)?;
    looked.ok_or_else(|| failed(io::ErrorKind::ResourceBusy.into()))
}

/// Reads everything once; `None` if something was folded meanwhile.
fn looked(place: &LockDir) -> io::Result<Option<Tally>> {
    let version = |facts: Facts| (facts.id, facts.modified);
    let stamp = || place.root.facts_of(SUM).ok().map(version);
    let before = (stamp(), folds(&place.root));
    let (mut tally, merged) = sum(place)?;
    for name in before.1.iter().map(String::as_str).filter(|name| *name != merged).chain([LOG]) {
        match place.root.open_file(name, Access::Read) {
            Ok(file) => tally.merge(&Tally::read(&read(&file)?)),
            // Somebody has a lease on it, or has it alone: it is being added.
            Err(error) if errors::is_shut_out(&error) => return Ok(None),
            Err(error) => match error.kind() {
                io::ErrorKind::PermissionDenied => return Err(error),
                io::ErrorKind::WouldBlock => return Ok(None),
                // Not made yet, added meanwhile, or something else of that name.
                _ => {}
            },
        }
    }
    Ok((before == (stamp(), folds(&place.root))).then_some(tally))
}

/// Forgets what was counted for a resource, and returns it. What comes meanwhile is in what is
/// returned, or is counted anew.
///
/// # Errors
/// As [`tally()`], or a file cannot be removed.
pub fn reset(resource: &Resource) -> Result<Tally, LockError> {
    let Some(place) = LockDir::existing(resource)? else { return Ok(Tally::default()) };
    let path = place.path().join(LOG);
    let failed = |error| LockError::io("reset", &path, error);
    // Whoever folds would write what it has read already.
    let Some(_turn) = eventually(|| place.root.try_lock()).map_err(failed)? else {
        return Err(failed(io::ErrorKind::ResourceBusy.into()));
    };
    taken(&place).map_err(failed)
}

/// Removes everything that was counted, and returns its sum.
fn taken(place: &LockDir) -> io::Result<Tally> {
    match put_away(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (mut all, merged) = sum(place)?;
    for name in folds(&place.root) {
        let file = place.root.open_file(&name, Access::Read).ok().filter(|_| name != merged);
        // A line that comes too late, of one who is stopped, is forgotten with the rest.
        let _lease = file.as_ref().map(|file| eventually(|| Lease::take(file)));
        if let Some(file) = &file {
            all.merge(&Tally::read(&read(file)?));
        }
        clear(&place.root, &name)?;
    }
    clear(&place.root, SUM)?;
    Ok(all)
}

/// Tries again what somebody else is in the way of for a moment.
fn eventually<T>(mut attempt: impl FnMut() -> io::Result<Option<T>>) -> io::Result<Option<T>> {
    for _ in 0..TRIES {
        if let Some(done) = attempt()? {
            return Ok(Some(done));
        }
        thread::sleep(PAUSE);
    }
    Ok(None)
}

/// Counts that a lock was not had, if it has a directory.
pub fn count_failure(resource: &Resource, failure: Failure) {
    if let Ok(Some(place)) = LockDir::existing(resource) {
        append(&place, &[Event::Failed(failure)]);
    }
}
