//! The names in a directory on Linux.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{self, FileType, RawDir};

use crate::platform::unix::dir::own_name;

/// Big enough that one call lists about 2,700 claims: a listing that needs two calls can miss
/// an entry that is renamed between them (measured on ext4).
const MANY_BYTES: usize = 128 * 1024;

/// Tried first: enough for the directories of a lock that is not contended.
const FEW_BYTES: usize = 2048;

/// Calls `each` with every name that is valid UTF-8, and whether it is a directory.
///
/// All names come from one call of the kernel where they fit, so that one that is renamed meanwhile
/// is not missed.
pub fn each_name(directory: &OwnedFd, mut each: impl FnMut(&str, bool)) -> io::Result<()> {
    let mut few = [MaybeUninit::uninit(); FEW_BYTES];
    if let Some(few) = list(directory, &mut few)? {
        few.iter().for_each(|(name, directory)| each(name, *directory));
        return Ok(());
    }
    // On the heap: the compiler would touch every page of so large a frame, each time.
    let mut many = vec![MaybeUninit::uninit(); MANY_BYTES];
    fs::seek(directory, fs::SeekFrom::Start(0))?;
    let mut listing = RawDir::new(directory, &mut many);
    while let Some(entry) = listing.next() {
        let entry = entry?;
        if let Some(name) = own_name(entry.file_name()) {
            each(name, entry.file_type() == FileType::Directory);
        }
    }
    Ok(())
}

/// Whether there are names that [`each_name`] leaves out.
pub fn has_other_names(directory: &OwnedFd) -> io::Result<bool> {
    let mut few = [MaybeUninit::uninit(); FEW_BYTES];
    fs::seek(directory, fs::SeekFrom::Start(0))?;
    let mut listing = RawDir::new(directory, &mut few);
    while let Some(entry) = listing.next() {
        if entry?.file_name().to_str().is_err() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Lists the directory if one call with this buffer reaches its end.
fn list(
    directory: &OwnedFd,
    buffer: &mut [MaybeUninit<u8>],
) -> io::Result<Option<Vec<(String, bool)>>> {
    fs::seek(directory, fs::SeekFrom::Start(0))?;
    let mut listing = RawDir::new(directory, buffer);
    let mut names = Vec::new();
    let mut calls = 0;
    loop {
        calls += u32::from(listing.is_buffer_empty());
        let Some(entry) = listing.next() else { return Ok(Some(names)) };
        let entry = entry?;
        if calls > 1 {
            return Ok(None);
        }
        if let Some(name) = own_name(entry.file_name()) {
            names.push((name.to_owned(), entry.file_type() == FileType::Directory));
        }
    }
}
