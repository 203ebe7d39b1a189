//! Who merely has a file open, locked or not.

use super::held_locks::NamedFile;
use super::users::users_of;

pub use crate::platform::answers::{Opener, Openers};

/// Returns the processes that have any of the files open, this one left out.
///
/// Never fails; where the system does not tell, that counts as a process that was not seen.
///
/// # Platforms
/// Windows tells neither through how many handles nor whether they can write. A file that is
/// deleted and still open has no name by which it could be asked about.
pub fn openers(files: &[NamedFile<'_>]) -> Openers {
    let mut found = Openers::default();
    for (file, named) in files.iter().enumerate().filter(|(_, named)| named.id.is_some()) {
        match users_of(named.path) {
            Ok(pids) => found.openers.extend(pids.into_iter().map(|pid| Opener {
                pid,
                file,
                descriptors: 1,
                writes: None,
                deleted: false,
            })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => found.unseen += 1,
        }
    }
    found
}
