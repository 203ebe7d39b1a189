//! Who merely has a file open, locked or not.
//!
//! A database can be in use without any kernel lock: `nolock=1`, a read-only RocksDB, a process
//! whose locks another library dropped by closing the file. And a process can go on with a copy
//! that was deleted or replaced under it, which no look at the present file finds.
//!
//! What is not found: files that are mapped and no longer open, descriptors on their way through a
//! socket, and the processes that may not be looked into, which are counted.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::descriptors::{self, Descriptor};
use super::held_locks::NamedFile;
use super::process;

pub use crate::platform::answers::{Opener, Openers};

/// What the kernel writes after the name of a file that no longer has it.
const DELETED: &[u8] = b" (deleted)";

/// `PF_KTHREAD` of the kernel's `linux/sched.h`.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// More than the fields of `stat` up to the flags ever take.
const STAT_BYTES: usize = 512;

/// Returns the processes that have any of the files open, this one included.
///
/// A deleted file is recognized by the path it had, which must therefore be absolute and free of
/// symbolic links; `path` may name a file that is no longer there. Descriptors that cannot read or
/// write (`O_PATH`) do not count as open.
///
/// Looks at every descriptor of every process that may be looked into: some milliseconds for every
/// hundred processes. Never fails and never waits for a file system; what vanishes meanwhile is
/// left out.
///
/// # Platforms
///
/// Processes outside this PID namespace are neither found nor counted. A replaced file is not
/// recognized while it has another name (a hard link, NFS's `.nfs...`), nor by a process to which
/// another mount namespace shows it under another path.
pub fn openers(files: &[NamedFile<'_>]) -> Openers {
    let mut found = Openers::default();
    for pid in descriptors::processes() {
        match descriptors::of_process(pid) {
            Ok(all) => add_process(&mut found.openers, pid, all, files),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                found.unseen += usize::from(!is_kernel_thread(pid));
            }
            // It has ended.
            Err(_) => {}
        }
    }
    found
}

/// Adds what one process has open.
fn add_process(
    openers: &mut Vec<Opener>,
    pid: u32,
    descriptors: impl Iterator<Item = Descriptor>,
    files: &[NamedFile<'_>],
) {
    for descriptor in descriptors {
        let named = (descriptor.links == 0).then(|| former_name(pid, descriptor.number)).flatten();
        for (file, wanted) in files.iter().enumerate() {
            let is_it = wanted.id == Some(descriptor.file);
            if is_it || named.as_deref().is_some_and(|name| name == wanted.path) {
                add(openers, pid, file, descriptor);
            }
        }
    }
}

/// Adds one descriptor to what is known of its process and file.
fn add(openers: &mut Vec<Opener>, pid: u32, file: usize, descriptor: Descriptor) {
    let text = descriptors::information(pid, descriptor.number);
    let flags = text.as_deref().and_then(parse_flags);
    if flags.is_some_and(|flags| flags & libc::O_PATH.cast_unsigned() != 0) {
        return;
    }
    let writes = flags.map(can_write);
    let deleted = descriptor.links == 0;
    let known = |one: &&mut Opener| (one.pid, one.file, one.deleted) == (pid, file, deleted);
    if let Some(opener) = openers.iter_mut().rev().find(known) {
        opener.descriptors += 1;
        opener.writes = opener.writes.max(writes);
    } else {
        openers.push(Opener { pid, file, descriptors: 1, writes, deleted });
    }
}

/// Returns the path that the file of a descriptor had before it lost it.
fn former_name(pid: u32, descriptor: u32) -> Option<PathBuf> {
    let link = fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok()?;
    without_deleted(&link).map(Path::to_owned)
}

/// Returns the path that the kernel marked as deleted, `None` if it did not.
///
/// A living file may end in the very same words: ask only about one that is known to be nameless.
pub(super) fn without_deleted(link: &Path) -> Option<&Path> {
    let path = link.as_os_str().as_bytes().strip_suffix(DELETED)?;
    Some(Path::new(OsStr::from_bytes(path)))
}

/// Returns the open flags in the text of fdinfo, where they are octal.
fn parse_flags(text: &str) -> Option<u32> {
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
    u32::from_str_radix(flags.trim(), 8).ok()
}

fn can_write(flags: u32) -> bool {
    flags & libc::O_ACCMODE.cast_unsigned() != libc::O_RDONLY.cast_unsigned()
}

/// Tells a thread of the kernel, which has no descriptors but forbids a look all the same.
fn is_kernel_thread(pid: u32) -> bool {
    let mut line = [0; STAT_BYTES];
    let line = process::read_once(&format!("/proc/{pid}/stat"), &mut line);
    line.and_then(parse_process_flags).is_some_and(|flags| flags & KERNEL_THREAD != 0)
}

/// Returns the kernel's flags of a process, field 9 of proc_pid_stat(5).
fn parse_process_flags(stat: &[u8]) -> Option<u32> {
    process::split_stat(stat)?.1.nth(6)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::held_locks::NamedFile;
    use super::{
        KERNEL_THREAD, Opener, can_write, is_kernel_thread, parse_flags, parse_process_flags,
        without_deleted,
    };
    use crate::platform::scratch::{Scratch, opened_by};
    use proptest::prelude::{any, proptest};
    use std::fs::{self, File};
    use std::path::Path;

    #[test]
    fn a_copy_that_was_replaced_is_told_from_the_present_file() {
        let scratch = Scratch::new("openers-replaced");
        let path = scratch.real();
        let _old = File::open(&path).expect("it opens");
        fs::remove_file(&path).expect("it is ours");
        let pid = std::process::id();
        let gone = NamedFile::at(&path);
        assert_eq!(gone.id, None);
        let old = Opener { pid, file: 0, descriptors: 1, writes: Some(false), deleted: true };
        assert_eq!(opened_by(pid, &[gone]), [old]);
        fs::write(&path, b"").expect("the scratch directory is writable");
        let _new = scratch.open_writable();
        let new = Opener { writes: Some(true), deleted: false, ..old };
        assert_eq!(opened_by(pid, &[NamedFile::at(&path)]), [new, old]);
    }

    #[test]
    fn a_descriptor_that_only_names_a_file_does_not_have_it_open() {
        let scratch = Scratch::new("openers-path");
        let path = scratch.real();
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
        let _named = rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).expect("it opens");
        assert_eq!(opened_by(std::process::id(), &[NamedFile::at(&path)]), []);
    }

    #[test]
    fn the_flags_are_octal_and_their_last_two_bits_are_the_access() {
        let flags = |text| parse_flags(text).map(can_write);
        assert_eq!(flags("pos:\t0\nflags:\t0100000\nmnt_id:\t27\n"), Some(false));
        assert_eq!(flags("flags:\t02100002\n"), Some(true));
        assert_eq!(flags("flags:\t01\n"), Some(true));
        assert_eq!(flags("flags:\t9\n"), None);
        assert_eq!(flags("pos:\t0\n"), None);
    }

    #[test]
    fn only_the_last_words_mark_a_deleted_file() {
        assert_eq!(without_deleted(Path::new("/a b (deleted)")), Some(Path::new("/a b")));
        assert_eq!(without_deleted(Path::new("/a (deleted) b")), None);
    }

    #[test]
    fn a_process_is_told_from_a_thread_of_the_kernel() {
        assert!(!is_kernel_thread(std::process::id()));
        assert!(!is_kernel_thread(u32::MAX), "no such process");
        let flags = |line: &[u8]| parse_process_flags(line).map(|flags| flags & KERNEL_THREAD);
        assert_eq!(flags(b"9 (kworker/0:0) I 2 0 0 0 -1 69238880 0 0"), Some(KERNEL_THREAD));
        assert_eq!(flags(b"9 (x) 0 0) S 2 0 0 0 -1 4194304 0 0"), Some(0));
        assert_eq!(flags(b"9 (x) S 2 0 0 0 -1"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String, bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _flags = parse_flags(&text);
            let _flags = parse_flags(&format!("flags:{text}"));
            let link = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&bytes);
            let _path = without_deleted(Path::new(link));
            let _flags = parse_process_flags(&bytes);
        }
    }
}
