//! The process that `dbguard acquire` leaves behind: it keeps locks until they are given back, their
//! time is up, or a process ends.
//!
//! It hears two signals: TERM gives the locks back, USR1 means that somebody wrote a wish to extend
//! them into a claim. Everything else that ends jobs and sessions is fetched and forgotten.

use std::thread;
use std::time::Duration;

use super::End;
use super::acquire::in_wall_time;
use super::locking::Locks;
use super::voice::Voice;
use crate::lock::{Guard, LeaseEnd};
use crate::outcome::Outcome;
use crate::platform::detach::Origin;
use crate::platform::process::{ProcessHandle, steady_time};
use crate::platform::signals::{self, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, Watch};
use crate::platform::step::step;

/// The signals that are fetched; the last one is how the thread that watches the owner says that it
/// has ended.
const SIGNALS: [i32; 6] = [SIGTERM, SIGUSR1, SIGHUP, SIGINT, SIGQUIT, OWNER_ENDED];

const OWNER_ENDED: i32 = SIGUSR2;

/// The clock of a wait stands still while the machine sleeps, that of a lease does not.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long one look at the owner lasts.
const GLANCE: Duration = Duration::from_secs(60);

/// Until when locks are kept.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// By the clock that nobody sets.
    ends: Option<Duration>,
    /// By the clock on the wall, for people.
    pub expires_ms: Option<u64>,
    /// The process that they are kept for, with its start time.
    owner: Option<(u32, u64)>,
    /// The last wish to extend that was carried out.
    extended: Option<u64>,
}

impl Terms {
    /// The time begins now.
    pub fn new(ttl: Option<Duration>, owner: Option<(u32, u64)>) -> Self {
        let ends = ttl.map(|ttl| steady_time() + ttl);
        Self { ends, expires_ms: ttl.map(in_wall_time), owner, extended: None }
    }

    fn left(&self) -> Option<Duration> {
        self.ends.map(|ends| ends.saturating_sub(steady_time()))
    }

    /// Carries out what was written into a claim, once.
    fn extend(&mut self, guards: &[Guard]) {
        let wish = guards.iter().find_map(Guard::asked_extension);
        // Without an end there is nothing to extend.
        let Some(wish) = wish.filter(|_| self.ends.is_some()) else { return };
        let ttl = Duration::from_millis(wish.in_ms).min(crate::cli::duration::LONGEST);
        let owner = self.owner;
        *self = Self { extended: Some(wish.number), ..Self::new(Some(ttl), owner) };
        tracing::info!(ttl = ?ttl, "the lease is extended");
        self.record(guards);
    }

    fn record(&self, guards: &[Guard]) {
        guards.iter().for_each(|guard| guard.record_lease(self.expires_ms, self.extended));
    }
}

/// Keeps the locks to their end.
pub fn keep(locks: Locks, mut terms: Terms, origin: Origin, voice: &Voice) -> End {
    // Before anybody knows of this process: a signal must not find it unprepared.
    let watch = Watch::new(&SIGNALS);
    terms.record(&locks.guards);
    let is_watched = terms.owner.is_none_or(|(pid, start)| watch_owner(pid, start));
    step("lease-recorded");
    if is_watched && origin.is_confirmed() {
        step("lease-kept");
        let end = until_it_ends(&watch, &mut terms, &locks.guards);
        tracing::info!(end = end.words(), "the lease ends");
        locks.guards.iter().for_each(|guard| guard.note_end(end));
    }
    locks.release(voice);
    Outcome::Ok.into()
}

fn until_it_ends(watch: &Watch, terms: &mut Terms, guards: &[Guard]) -> LeaseEnd {
    loop {
        let left = terms.left();
        if left.is_some_and(|left| left.is_zero()) {
            return LeaseEnd::Expired;
        }
        let wait = left.map(|left| left.min(LONGEST_WAIT));
        match watch.wait(wait).map(|arrival| arrival.signal) {
            Some(SIGTERM) => return LeaseEnd::Released,
            Some(OWNER_ENDED) if terms.owner.is_some() => return LeaseEnd::OwnerEnded,
            Some(SIGUSR1) => terms.extend(guards),
            _ => {}
        }
    }
}

/// Watches a process in a thread, which says by a signal that it has ended. `false` if it cannot be
/// watched, or has ended already.
fn watch_owner(pid: u32, start: u64) -> bool {
    let Ok(Some(handle)) = ProcessHandle::open_started(pid, start) else { return false };
    let told = thread::Builder::new().name("owner".to_owned()).spawn(move || {
        while !handle.wait(GLANCE).unwrap_or(true) {}
        signals::send(std::process::id(), OWNER_ENDED);
    });
    told.is_ok()
}
