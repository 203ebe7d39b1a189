//! Takes every lock a command asks for, in one order, under one deadline.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::display::Display;
use super::explain::explain;
use super::native::{settle_native, want};
use super::reserved::reserved;
use super::voice::Voice;
use crate::cli::duration::Timeout;
use crate::cli::lock_args::{LockRequest, Mode as Asked};
use crate::cli::settings::Settings;
use crate::error::Failure;
use crate::lock::{
    ClaimId, Guard, HELD_VARIABLE, HeldList, LeaseEnd, LockError, Mode, Patience, Purpose, Request,
    Resource, Target, Under, acquire, in_canonical_order, lease_end, stats,
};
use crate::native::{Engine, Want};
use crate::outcome::Outcome;
use crate::platform;
use crate::probe::look;

/// What is asked of the lock room, once for a whole command.
pub struct Wish<'a> {
    /// The options.
    pub lock: &'a LockRequest,
    /// The files, as they were named.
    pub files: &'a [PathBuf],
    /// What for.
    pub purpose: Purpose,
    /// The program that will run.
    pub program: &'a str,
    /// The id of the claims.
    pub id: ClaimId,
}

/// The locks, held.
pub struct Locks {
    /// In the order they were taken.
    pub guards: Vec<Guard>,
    /// The place of each guard's file among those that were typed.
    order: Vec<usize>,
    /// The claims that a command run under them is under.
    pub held: HeldList,
    /// The mode they were asked for in.
    pub mode: Mode,
    /// The patience that the wait used.
    pub patience: Patience,
}

impl Locks {
    /// Returns the guards in the order in which their files were typed.
    pub fn as_typed(&self) -> Vec<&Guard> {
        let mut guards: Vec<_> = self.order.iter().zip(&self.guards).collect();
        guards.sort_unstable_by_key(|(place, _)| **place);
        guards.into_iter().map(|(_, guard)| guard).collect()
    }

    /// Has something counted of each lock once it is given back.
    pub fn count(&mut self, event: stats::Event) {
        self.guards.iter_mut().for_each(|guard| guard.count(event));
    }

    /// Whether any of them is joined to a lease, which can end before what runs under it does.
    pub fn is_leased(&self) -> bool {
        self.guards.iter().any(Guard::is_leased)
    }

    /// Returns how a lease ended that one of them is joined to, unless somebody gave it back.
    pub fn lost_lease(&self) -> Option<LeaseEnd> {
        self.guards.iter().find_map(Guard::lost_lease)
    }

    /// Gives everything back in reverse order; returns the lock files that were lost.
    pub fn release(mut self, voice: &Voice) -> Vec<PathBuf> {
        let joined = |path: &Path| {
            voice.notice(&format!(
                "the command has ended, but calls it started still use {}; waiting for them",
                voice.shown(path)
            ));
        };
        let mut lost = Vec::new();
        while let Some(guard) = self.guards.pop() {
            lost.extend(guard.release(&joined).lost);
        }
        lost
    }

    /// Closes everything; another process goes on with it.
    pub fn hand_over(self) {
        self.guards.into_iter().for_each(Guard::hand_over);
    }

    /// Closes everything; whoever inherited the descriptors keeps the locks.
    pub fn abandon(mut self) {
        while let Some(guard) = self.guards.pop() {
            guard.abandon();
        }
    }
}

/// Takes the locks of a wish and waits for native locks. After an error nothing is held.
pub fn take(wish: &Wish<'_>, settings: &Settings, voice: &Voice) -> Result<Locks, Failure> {
    let lock = wish.lock;
    let mode = match lock.mode {
        Asked::Shared => Mode::Shared,
        Asked::Exclusive => Mode::Exclusive,
    };
    let targets = targets(lock, wish.files);
    refuse_database_as_lock(lock, &targets)?;
    let patience = patience(lock);
    let display = Display::new(voice, settings.network, wish.files);
    let fail = |error: &LockError| {
        display.finish();
        explain(error, lock.timeout, wish.files, voice)
    };
    tracing::debug!(files = targets.len(), mode = mode.word(), "locks are wanted");
    let order = in_canonical_order(&targets).map_err(|error| fail(&error))?;
    let mut locks = Locks { guards: Vec::new(), order, held: held(voice), mode, patience };
    for index in locks.order.clone() {
        let request = Request {
            target: &targets[index],
            mode,
            patience,
            purpose: wish.purpose,
            id: wish.id,
            program: wish.program,
            label: lock.label.as_deref(),
            held: &locks.held.clone(),
            observer: &display,
        };
        let begun = Instant::now();
        let guard = acquire(&request).map_err(|error| fail(&error))?;
        display.finish();
        tell_grant(&guard, begun, &locks.held, voice);
        guard.entries().into_iter().for_each(|entry| locks.held.push(entry));
        locks.guards.push(guard);
    }
    let settled = settle_native(lock, &locks.guards, want(mode), &patience, None, &display, voice);
    if let Err(failure) = settled {
        let is_busy = matches!(failure.outcome, Outcome::WouldBlock | Outcome::Timeout);
        for guard in locks.guards.iter().filter(|_| is_busy) {
            stats::count_failure(guard.resource(), stats::Failure::NativeBusy);
        }
        return Err(failure);
    }
    Ok(locks)
}

fn tell_grant(guard: &Guard, begun: Instant, held: &HeldList, voice: &Voice) {
    tracing::debug!(
        path = %guard.resource().path.display(),
        ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        mode = guard.mode().word(),
        fence = guard.fence(),
        "a lock is granted"
    );
    voice.detail(|| acquired(guard, begun, voice));
    if !guard.is_joined() {
        let gone = held.entries().iter().filter(|entry| Path::new(&entry.at) == guard.place());
        gone.for_each(|claim| tell_gone(guard, claim, voice));
    }
}

/// The claim that was to be joined is gone. Whoever relied on a lease has to know that others may
/// have been at the database meanwhile.
fn tell_gone(guard: &Guard, claim: &Under, voice: &Voice) {
    match lease_end(guard.resource(), claim) {
        Some((end, at_ms)) if end != LeaseEnd::Released => voice.warn(&format!(
            "the lock of {} that dbguard acquire took {}: it is locked anew",
            voice.shown(&guard.resource().path),
            end.words_at(at_ms)
        )),
        _ => voice.detail(|| format!("{HELD_VARIABLE} names a claim that is gone; not joined")),
    }
}

fn acquired(guard: &Guard, begun: Instant, voice: &Voice) -> String {
    let path = voice.shown(&guard.resource().path);
    let fence = guard.fence().map_or(String::new(), |fence| format!(", fence {fence}"));
    let took = begun.elapsed().as_secs_f64();
    format!("locked {path} ({}) after {took:.6}s{fence}", guard.mode().word())
}

/// Returns what is to be locked, in the order in which it was typed.
pub fn targets(lock: &LockRequest, files: &[PathBuf]) -> Vec<Target> {
    let target = |file: &PathBuf| Target {
        file: file.clone(),
        key: lock.key.clone(),
        lock_dir: lock.lock_dir.clone(),
        lock_file: lock.lock_file.clone(),
    };
    files.iter().map(target).collect()
}

fn patience(lock: &LockRequest) -> Patience {
    let started = Instant::now();
    let (deadline, nonblock) = match lock.timeout {
        Timeout::Never => (None, false),
        Timeout::After(limit) => (Some(started + limit), limit.is_zero()),
    };
    let max_waiters = lock.max_waiters.and_then(|most| usize::try_from(most).ok());
    Patience { started, deadline, nonblock, max_waiters }
}

/// Reads what this process runs under. What cannot be read is never trusted.
fn held(voice: &Voice) -> HeldList {
    let Some(text) = env::var_os(HELD_VARIABLE) else { return HeldList::default() };
    let (held, refused) = HeldList::parse(&text.to_string_lossy());
    if refused > 0 {
        voice.warn(&format!("{HELD_VARIABLE} is not what dbguard wrote; ignored"));
    }
    held
}

/// Locking a database file itself would, on some systems, lock its own engine out; and what is no
/// file cannot be locked by everybody.
fn refuse_database_as_lock(lock: &LockRequest, targets: &[Target]) -> Result<(), Failure> {
    let Some(path) = &lock.lock_file else { return Ok(()) };
    let facts = platform::facts_at(path).ok();
    let what = match look(path, Want::Shared).engine {
        _ if facts.is_some_and(|facts| !facts.regular) => Some("no regular file".to_owned()),
        Engine::Unknown | Engine::Empty => reserved(path, targets).or_else(|| side_file(path)),
        engine => Some(format!("a {} database", engine.name())),
    };
    let Some(what) = what else { return Ok(()) };
    let message = format!("`{}` is {what}, not a lock file", path.display());
    Err(Failure::new(Outcome::Usage, message)
        .hint("leave --lock-file out: the lock of a database lives beside it"))
}

/// Returns which database a name belongs to, if it is not its own.
fn side_file(path: &Path) -> Option<String> {
    let target = Target { file: path.to_path_buf(), ..Target::default() };
    let resource = Resource::resolve(&target).ok()?;
    resource.translated.map(|_| format!("a part of `{}`", resource.path.display()))
}
