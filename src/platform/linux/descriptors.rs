//! The descriptors of processes, as `/proc` shows them: the one walk that everybody shares who
//! looks for a file in other processes.
//!
//! Promises never to wait for a file system: a descriptor on a server that does not answer is
//! identified from what is cached. Opens none of the files. Knows nothing of databases.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::thread;

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, StatxFlags, open, statx};

use super::lock_table::{self, KernelLock};
use crate::platform::FileId;

/// The most that is read about one descriptor: some 10,000 locks, far beyond any database's.
const INFORMATION_BYTES: u64 = 1024 * 1024;

/// How much of a listing is read at once; a process with hundreds of descriptors fits.
const LISTING_BYTES: usize = 8192;

/// More threads than this do not make a search faster: they meet in the kernel's process table.
const MOST_THREADS: usize = 4;

/// To start a thread takes as long as to look at some ten processes.
const FEWEST_A_THREAD: usize = 64;

/// A descriptor and what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) number: u32,
    pub(super) file: FileId,
    /// How many names the file has; 0 once it is unlinked or replaced.
    pub(super) links: u32,
}

/// Looks at every process that can be seen, in several threads where there are many, and returns
/// what each look yields in the order of their listing.
pub(super) fn of_everybody<T: Send>(look: impl Fn(u32) -> T + Sync) -> Vec<(u32, T)> {
    let everybody: Vec<u32> = processes().collect();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let share = everybody.len().div_ceil(threads).max(FEWEST_A_THREAD);
    let look_at = |pids: &[u32]| pids.iter().map(|pid| (*pid, look(*pid))).collect::<Vec<_>>();
    thread::scope(|scope| {
        let mut shares = everybody.chunks(share);
        let first = shares.next().unwrap_or_default();
        let others: Vec<_> = shares.map(|pids| scope.spawn(|| look_at(pids))).collect();
        let mut all = look_at(first);
        for other in others {
            // A look that panics is a defect of ours: it goes on in this thread.
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    })
}

/// Returns the numbers of all processes that can be seen; none where there is no `/proc`.
pub(super) fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| number(&entry.ok()?))
}

/// Returns the descriptors of a process.
///
/// The listing ends early when the process does.
///
/// # Errors
///
/// The process is gone (`NotFound`), or its descriptors may not be read (`PermissionDenied`).
pub(super) fn of_process(pid: u32) -> io::Result<impl Iterator<Item = Descriptor>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = open(format!("/proc/{pid}/fd"), flags, Mode::empty())?;
    let mut numbers: Vec<u32> = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); LISTING_BYTES];
    let mut entries = RawDir::new(&folder, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        numbers.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(numbers.into_iter().filter_map(move |number| look(&folder, number)))
}

/// Returns the locks that a process holds on any of these files through its descriptors, each with
/// its file.
///
/// # Errors
///
/// As [`of_process`].
pub(super) fn locks_through(pid: u32, files: &[FileId]) -> io::Result<Vec<(FileId, KernelLock)>> {
    let mut locks = Vec::new();
    for descriptor in of_process(pid)?.filter(|one| files.contains(&one.file)) {
        let text = information(pid, descriptor.number).unwrap_or_default();
        let found = lock_table::parse_fdinfo(&text).into_iter();
        locks.extend(found.map(|lock| (descriptor.file, lock)));
    }
    Ok(locks)
}

/// Returns the text of `/proc/<pid>/fdinfo/<fd>`, `None` where it cannot be read.
pub(super) fn information(pid: u32, descriptor: u32) -> Option<String> {
    let file = File::open(format!("/proc/{pid}/fdinfo/{descriptor}")).ok()?;
    let mut text = Vec::new();
    file.take(INFORMATION_BYTES).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Identifies what a descriptor leads to. By its short name: of some thousands, each is looked up
/// from `/proc` on otherwise, which takes longer than the rest.
fn look(folder: &OwnedFd, number: u32) -> Option<Descriptor> {
    let name = number.to_string();
    // Without DONT_SYNC one descriptor on a dead server would hang the search.
    let wanted = StatxFlags::INO | StatxFlags::NLINK;
    let found = statx(folder, name, AtFlags::STATX_DONT_SYNC, wanted).ok()?;
    let device = rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor);
    let file = FileId { device, inode: found.stx_ino };
    Some(Descriptor { number, file, links: found.stx_nlink })
}

/// Returns the number that an entry is named, as processes are.
fn number(entry: &DirEntry) -> Option<u32> {
    entry.file_name().to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Descriptor, of_process, processes};
    use crate::platform::facts;
    use crate::platform::scratch::Scratch;
    use std::fs;
    use std::io;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_descriptor_of_ours_leads_to_its_file_with_a_name_and_without() {
        let scratch = Scratch::new("descriptors");
        let open = scratch.open_writable();
        let file = facts(&open).expect("it is open").id;
        let number = u32::try_from(open.as_raw_fd()).expect("open descriptors are not negative");
        let ours = || {
            let mut all = of_process(std::process::id()).expect("our own may be read");
            all.find(|one| one.file == file)
        };
        assert_eq!(ours(), Some(Descriptor { number, file, links: 1 }));
        fs::remove_file(scratch.path()).expect("it is ours");
        assert_eq!(ours(), Some(Descriptor { number, file, links: 0 }));
    }

    #[test]
    fn we_are_among_the_processes_and_an_absent_one_has_no_descriptors() {
        assert!(processes().any(|pid| pid == std::process::id()));
        let error = of_process(u32::MAX).err().expect("no such process");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
