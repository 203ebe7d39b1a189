//! Who merely has a file open, locked or not.
//!
//! A database can be in use without any kernel lock: `nolock=1`, a read-only RocksDB, a process
//! whose locks another library dropped by closing the file. And a process can go on with a copy
//! that was deleted or replaced under it, which no look at the present file finds.
//!
//! What is not found: files that are mapped and no longer open, descriptors on their way through a
//! socket, and the processes that may not be looked into, which are counted.

use std::io;

use super::descriptors;
use super::held_locks::NamedFile;
use crate::platform::macos_records::OpenFile;

pub use crate::platform::answers::{Opener, Openers};

/// Returns the processes that have any of the files open, this one included.
///
/// A deleted file is recognized by the path it had, which must therefore be absolute and free of
/// symbolic links; `path` may name a file that is no longer there.
///
/// Looks at every descriptor of every process that may be looked into. Never fails; what vanishes
/// meanwhile is left out.
///
/// # Platforms
/// Descriptors that cannot read or write (`O_EVTONLY`) count as open. Whether the kernel still has
/// the path of a deleted file is not sure.
pub fn openers(files: &[NamedFile<'_>]) -> Openers {
    let mut found = Openers::default();
    for pid in descriptors::processes() {
        match descriptors::of_process(pid) {
            Ok(all) => all.iter().for_each(|open| add(&mut found.openers, pid, open, files)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => found.unseen += 1,
        }
    }
    found
}

/// Adds one descriptor to what is known of its process.
fn add(openers: &mut Vec<Opener>, pid: u32, open: &OpenFile, files: &[NamedFile<'_>]) {
    let deleted = open.links == 0;
    for (file, wanted) in files.iter().enumerate() {
        let is_it = wanted.id.is_some_and(|id| descriptors::is_of(open, id));
        let had_its_name = deleted && open.path == wanted.path;
        if !is_it && !had_its_name {
            continue;
        }
        let known = |one: &&mut Opener| (one.pid, one.file, one.deleted) == (pid, file, deleted);
        if let Some(opener) = openers.iter_mut().rev().find(known) {
            opener.descriptors += 1;
            opener.writes = opener.writes.max(Some(open.writes));
        } else {
            let writes = Some(open.writes);
            openers.push(Opener { pid, file, descriptors: 1, writes, deleted });
        }
    }
}
