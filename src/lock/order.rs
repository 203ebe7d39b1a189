//! The lock files of targets: where they are, and the order in which they are taken.

use std::path::PathBuf;

use super::LockError;
use super::lockdir::LockDir;
use super::name::encode;
use super::resource::{Resource, Target};
use crate::platform;

/// Returns the indices of the targets in the one order in which everybody takes them, by device
/// and inode of their locks, each lock once.
///
/// The locks are made if they are missing: what does not exist has no place in the order.
pub fn in_canonical_order(targets: &[Target]) -> Result<Vec<usize>, LockError> {
    if targets.len() < 2 {
        return Ok((0..targets.len()).collect());
    }
    let mut order = Vec::with_capacity(targets.len());
    for (index, target) in targets.iter().enumerate() {
        let place = LockDir::open(&Resource::resolve(target)?)?;
        let facts = platform::facts(&place.open_lock()?)
            .map_err(|error| LockError::io("look at", &place.lock_path(), error))?;
        order.push((facts.id, index));
    }
    order.sort_unstable();
    order.dedup_by_key(|(id, _)| *id);
    Ok(order.into_iter().map(|(_, index)| index).collect())
}

/// Returns the path of a target's lock file, making it if it is missing.
pub fn make_lock(target: &Target) -> Result<PathBuf, LockError> {
    let mut place = LockDir::open(&Resource::resolve(target)?)?;
    if let Some(key) = &target.key {
        place = place.key(&encode(key.as_bytes()))?;
    }
    // Made by opening it; the path is what is wanted.
    drop(place.open_lock()?);
    Ok(place.lock_path())
}

/// Returns the path a target's lock file has or would have. Makes nothing.
pub fn lock_path(target: &Target) -> Result<PathBuf, LockError> {
    let resource = Resource::resolve(target)?;
    if let Some(file) = resource.place.lock_file {
        return Ok(file);
    }
    let mut path = resource.place.directory();
    if let Some(key) = &target.key {
        path.push("keys");
        path.push(encode(key.as_bytes()));
    }
    Ok(path.join("lock"))
}
