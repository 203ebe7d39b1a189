//! The kernel's locks on many files, looked at again and again.
//!
//! Each look is one reading of the lock table, for all files together. Who has a lock is found out
//! when it is new; as long as it stands in the table and those who have it live, that is believed.

use std::collections::HashMap;
use std::io;

use super::held_locks::{HeldLock, NamedFile, resolved, rows_on};
use super::lock_table::KernelLock;
use super::process;
use crate::platform::FileId;

/// What was found out about the locks of the last look.
#[derive(Debug, Default)]
pub struct LockWatch {
    known: HashMap<(FileId, KernelLock), Known>,
}

#[derive(Debug)]
struct Known {
    lock: HeldLock,
    /// When the holders started, so that a number that is used again is noticed.
    started: Vec<Option<u64>>,
}

impl LockWatch {
    /// Returns every lock on the files, held and waited for.
    ///
    /// Costs one reading of the table and a glance at each holder; what
    /// [`locks_on`](super::held_locks::locks_on) costs only where a lock is new.
    ///
    /// # Errors
    /// The lock table cannot be read.
    ///
    /// # Platforms
    /// In a PID namespace the table leaves out locks taken outside. Here they are not searched for,
    /// as `locks_on` does, because that would have to be done at each look: ask the kernel (`ask`).
    pub fn look(&mut self, files: &[NamedFile<'_>]) -> io::Result<Vec<HeldLock>> {
        let mut locks = Vec::new();
        let mut fresh = Vec::new();
        let mut known = HashMap::new();
        for (file, row) in rows_on(files)? {
            let Some(id) = files[file].id else { continue };
            match self.known.remove(&(id, row.clone())).filter(Known::stands) {
                Some(mut one) => {
                    one.lock.file = file;
                    locks.push(one.lock.clone());
                    known.insert((id, row), one);
                }
                None => fresh.push((file, row)),
            }
        }
        if !fresh.is_empty() {
            let mut ids: Vec<FileId> =
                fresh.iter().filter_map(|(file, _)| files[*file].id).collect();
            ids.sort_unstable();
            ids.dedup();
            for lock in resolved(fresh, files, &ids, true)? {
                if let Some(id) = files[lock.file].id {
                    known.insert((id, lock.lock.clone()), Known::of(&lock));
                }
                locks.push(lock);
            }
        }
        self.known = known;
        locks.sort_by_key(|lock| lock.file);
        Ok(locks)
    }
}

impl Known {
    fn of(lock: &HeldLock) -> Self {
        let started = lock.holders.iter().map(|pid| process::start_time(*pid)).collect();
        Self { lock: lock.clone(), started }
    }

    /// Whether those who had it are there. Nobody is there for good: who could not be found once
    /// is not searched for each time.
    fn stands(&self) -> bool {
        let holders = self.lock.holders.iter().zip(&self.started);
        holders.into_iter().all(|(pid, start)| process::start_time(*pid) == *start)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{LockWatch, NamedFile};
    use crate::platform::scratch::Scratch;

    #[test]
    fn a_lock_is_seen_while_it_is_there_and_its_holder_is_found_out_once() {
        let scratch = Scratch::new("lock-watch");
        let file = scratch.open_writable();
        let mut watch = LockWatch::default();
        let mut look = |path: &Path| watch.look(&[NamedFile::at(path)]).expect("the table is read");
        assert_eq!(look(scratch.path()), []);
        file.lock_shared().expect("nobody else locks it");
        for _ in 0..2 {
            let seen = look(scratch.path());
            assert_eq!(seen.len(), 1, "{seen:?}");
            assert_eq!(seen[0].holders, [std::process::id()]);
        }
        file.unlock().expect("it is ours");
        assert_eq!(look(scratch.path()), []);
    }

    /// A process that is gone is no holder, although its row may stand: an heir has the lock.
    #[test]
    fn the_heir_of_a_lock_is_found_when_its_taker_ends() {
        let scratch = Scratch::new("lock-watch-heir");
        let script = "exec 9<>\"$0\"; flock -x 9; sleep 60 <&- >&- 2>&- & echo $!; read word";
        let mut shell = std::process::Command::new("sh")
            .args(["-c", script])
            .arg(scratch.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("sh starts");
        let mut line = String::new();
        let output = shell.stdout.take().expect("it is piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line)
            .expect("the shell prints a pid");
        let heir: u32 = line.trim().parse().expect("a pid");
        let mut watch = LockWatch::default();
        let mut look = || watch.look(&[NamedFile::at(scratch.path())]).expect("the table is read");
        let before = look();
        drop(shell.stdin.take());
        shell.wait().expect("the shell ends");
        let after = look();
        let pid = rustix::process::Pid::from_raw(heir.cast_signed()).expect("not 0");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("ours to end");
        assert!(before.iter().all(|lock| !lock.holders.is_empty()), "{before:?}");
        assert_eq!(after.len(), 1, "{after:?}");
        assert_eq!(after[0].holders, [heir]);
    }
}
