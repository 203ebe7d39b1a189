//! What a killed dbguard was writing: the new content of a file that did not get its name, or a
//! directory with a copy of one. See `commands::update::stage` for whom it belongs to.

use std::io;
use std::path::Path;

use super::door::Taken;
use crate::platform::lease::Lease;
use crate::platform::step::{fault, step};
use crate::platform::{self, Dir};

/// Takes it away if nobody is at work on it.
///
/// # Errors
/// It should have gone, and stays.
///
/// # Platforms
/// Where there are no leases, files stay.
pub fn discard(path: &Path, dry_run: bool) -> io::Result<Taken> {
    let parent = Dir::open(path.parent().unwrap_or(Path::new("/")))?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let taken = match parent.facts_of(name)?.directory {
        true => home(&parent, name, dry_run),
        false => file(&parent, name, dry_run),
    };
    match taken {
        // Nothing is proved yet: who may not remove it may not look either.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Ok(Taken::Kept(format!("it belongs to somebody else ({error})")))
        }
        taken => taken,
    }
}

/// A file is open for as long as it is needed.
fn file(parent: &Dir, name: &str, dry_run: bool) -> io::Result<Taken> {
    let file = match parent.open_alone(name) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return in_use(),
        file => file?,
    };
    let lease = match Lease::take(&file) {
        Ok(Some(lease)) => lease,
        Ok(None) => return in_use(),
        Err(error) => {
            let reason = format!("nothing proves here that nobody writes it ({error})");
            return Ok(Taken::Kept(reason));
        }
    };
    if parent.facts_of(name)?.id != platform::facts(&file)?.id {
        return in_use();
    }
    if !dry_run {
        step("staged-leased");
        fault("staged-clear")?;
        parent.remove(name)?;
    }
    drop(lease);
    Ok(Taken::Away)
}

/// A directory is locked for as long as the copy in it is needed.
fn home(parent: &Dir, name: &str, dry_run: bool) -> io::Result<Taken> {
    let inside = parent.child_to_list(name)?;
    let lock = match inside.try_lock() {
        Ok(Some(lock)) => lock,
        Ok(None) => return in_use(),
        Err(error) => {
            let reason = format!("nothing proves here that nobody has it locked ({error})");
            return Ok(Taken::Kept(reason));
        }
    };
    let mut entries = Vec::new();
    inside.each_name(|entry, is_dir| entries.push((entry.to_owned(), is_dir)))?;
    if inside.has_other_names()? || entries.iter().any(|(_, is_dir)| *is_dir) {
        return Ok(Taken::Kept("a command has left something beside the copy in it".to_owned()));
    }
    if !dry_run {
        step("staged-locked");
        fault("staged-clear")?;
        entries.iter().try_for_each(|(entry, _)| inside.remove(entry))?;
        match parent.remove_child(name) {
            // Where what stands for the lock is a file that stays until it is closed.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                drop(lock);
                parent.remove_child(name)?;
            }
            removed => removed?,
        }
    }
    Ok(Taken::Away)
}

fn in_use() -> io::Result<Taken> {
    Ok(Taken::InUse("somebody is at work on it".to_owned()))
}
