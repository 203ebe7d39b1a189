//! The process that `dbguard acquire` leaves behind: it keeps locks until they are given back, their
//! time is up, or a process ends.
//!
//! It hears two signals: TERM gives the locks back, USR1 means that somebody wrote a wish to extend
//! them into a claim. Everything else that ends jobs and sessions is fetched and forgotten.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::End;
use super::locking::Locks;
use super::voice::Voice;
use crate::lock::{Guard, LeaseEnd};
use crate::outcome::Outcome;
use crate::platform::detach::Origin;
use crate::platform::process::{ProcessHandle, steady_time};
use crate::platform::reach;
use crate::platform::signals::{self, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, Watch};
use crate::platform::step::step;

/// The signals that are fetched; the last one is how the thread that watches the owner says that it
/// has ended.
pub const HEARD: [i32; 6] = [SIGTERM, SIGUSR1, SIGHUP, SIGINT, SIGQUIT, OWNER_ENDED];

const OWNER_ENDED: i32 = SIGUSR2;

/// The clock of a wait stands still while the machine sleeps, that of a lease does not.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long one look at the owner lasts.
const GLANCE: Duration = Duration::from_secs(60);

/// Until when locks are kept.
#[derive(Debug)]
pub struct Terms {
    /// By the clock that nobody sets.
    ends: Option<Duration>,
    /// By the clock on the wall, for people.
    pub expires_ms: Option<u64>,
    /// The process that they are kept for.
    owner: Option<Arc<ProcessHandle>>,
    /// The last wish to extend that was carried out.
    extended: Option<u64>,
}

impl Terms {
    /// The time begins now.
    pub fn new(ttl: Option<Duration>, owner: Option<ProcessHandle>) -> Self {
        let owner = owner.map(Arc::new);
        let mut terms = Self { ends: None, expires_ms: None, owner, extended: None };
        terms.end_in(ttl);
        terms
    }

    fn end_in(&mut self, ttl: Option<Duration>) {
        self.ends = ttl.map(|ttl| steady_time() + ttl);
        self.expires_ms = ttl.map(in_wall_time);
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
        self.end_in(Some(ttl));
        self.extended = Some(wish.number);
        tracing::info!(ttl = ?ttl, "the lease is extended");
        if let Err(error) = self.record(guards) {
            tracing::warn!("cannot note in the claim that the lease is extended: {error}");
        }
    }

    fn record(&self, guards: &[Guard]) -> io::Result<()> {
        guards.iter().try_for_each(|guard| guard.record_lease(self.expires_ms, self.extended))
    }

    fn owner_has_ended(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.has_ended())
    }
}

/// Keeps the locks to their end, if the other process is able to tell `answer`.
pub fn keep(locks: Locks, mut terms: Terms, origin: Origin, answer: &[u8], voice: &Voice) -> End {
    // Before anybody knows of this process: a signal must not find it unprepared.
    let watch = Watch::new(&HEARD);
    let claims = locks.guards.iter().flat_map(Guard::claim_files);
    let ready = reach::hear(claims, &[SIGTERM, SIGUSR1]).and_then(|hearing| {
        terms.record(&locks.guards)?;
        watch_owner(&terms)?;
        Ok(hearing)
    });
    step("lease-recorded");
    let _hearing = match ready {
        Ok(hearing) => hearing,
        Err(error) => {
            tracing::warn!("cannot keep the locks: {error}");
            // Another process that has them as well gives them back.
            match origin.has_locks_too() {
                true => locks.hand_over(),
                false => drop(locks.release(voice)),
            }
            return Outcome::OsError.into();
        }
    };
    if origin.is_confirmed(answer) {
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
            // Anybody can send it.
            Some(OWNER_ENDED) if terms.owner_has_ended() => return LeaseEnd::OwnerEnded,
            Some(SIGUSR1) => terms.extend(guards),
            _ => {}
        }
    }
}

/// Watches the owner in a thread, which says by a signal that it has ended.
fn watch_owner(terms: &Terms) -> io::Result<()> {
    let Some(owner) = terms.owner.clone() else { return Ok(()) };
    let watch = thread::Builder::new().name("owner".to_owned()).spawn(move || {
        // An error says nothing of it.
        while !owner.wait(GLANCE).unwrap_or(false) {}
        signals::send(std::process::id(), OWNER_ENDED);
    });
    watch.map(drop)
}

/// When a lease that begins now ends, milliseconds since 1970.
fn in_wall_time(ttl: Duration) -> u64 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(now.saturating_add(ttl).as_millis()).unwrap_or(u64::MAX)
}
