//! Acquiring: what is asked for, and the steps to it.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use super::call::{Call, Standing};
use super::claim::{ClaimId, Under};
use super::error::LockError;
use super::grant::Granted;
use super::guard::{Guard, Hold};
use super::lockdir::LockDir;
use super::mode::Mode;
use super::name::encode;
use super::nested::{HeldList, Level, descend};
use super::observer::Observer;
use super::party;
use super::resource::{Resource, Target};
use super::stats::{self, Failure};
use crate::platform::lock_table::LockMode;
use crate::platform::{self, holders};

/// A path and the file it names that never agree (FUSE, some overlays) are given up on.
const MOST_TRIES: u32 = 100;

/// How long a caller is willing to wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// When the waiting began.
    pub started: Instant,
    /// When it ends; `None` for never.
    pub deadline: Option<Instant>,
    /// Do not wait at all.
    pub nonblock: bool,
    /// Do not wait behind so many others.
    pub max_waiters: Option<usize>,
}

/// What the lock is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To hold it.
    Hold,
    /// Only to see that it could be had: no claim is left, no fence is counted.
    Look,
    /// For the open file description behind this descriptor of the caller's caller.
    Descriptor(i32),
}

/// A wish for a lock.
pub struct Request<'a> {
    /// What to lock.
    pub target: &'a Target,
    /// How.
    pub mode: Mode,
    /// For how long to wait.
    pub patience: Patience,
    /// What for.
    pub purpose: Purpose,
    /// The id of the claims it makes.
    pub id: ClaimId,
    /// The program that will run, for others to read.
    pub program: &'a str,
    /// A text for others to read.
    pub label: Option<&'a str>,
    /// The claims this process runs under.
    pub held: &'a HeldList,
    /// Who hears of it.
    pub observer: &'a dyn Observer,
}

/// Acquires a lock. Blocks until it is granted, refused, or the patience ends.
///
/// While it waits, signals that end or stop processes are fetched by a helper thread: `INT`,
/// `TERM`, `HUP`, `QUIT`, `USR1` and `USR2` end the wait, `TSTP` gives the place in the line
/// back, stops the process, and queues anew when it is continued.
///
/// # Errors
/// See [`LockError`]. After an error nothing is held.
pub fn acquire(request: &Request<'_>) -> Result<Guard, LockError> {
    let asked = Instant::now();
    let mut last = PathBuf::new();
    for _ in 0..MOST_TRIES {
        let resource = Resource::resolve(request.target)?;
        if last != resource.path {
            request.observer.resolved(&resource);
            last.clone_from(&resource.path);
        }
        match attempt(request, resource, asked) {
            Ok(Some(guard)) if !guard.has_waited() || guard.is_current(request.target)? => {
                return Ok(guard);
            }
            Ok(_) | Err(LockError::Vanished { .. }) => {
                tracing::debug!("the path changed while it was locked; again");
            }
            Err(error) => return Err(error),
        }
    }
    Err(LockError::Unstable { path: last })
}

fn attempt(
    request: &Request<'_>,
    resource: Resource,
    asked: Instant,
) -> Result<Option<Guard>, LockError> {
    let result = taken(request, &resource);
    if let Err(error) = &result
        && let Some(failure) = counted(error)
    {
        stats::count_failure(&resource, failure);
    }
    Ok(result?.map(|holds| Guard::new(resource, holds, asked, request.purpose)))
}

/// Returns what an error counts as, if it is one of those that are counted.
fn counted(error: &LockError) -> Option<Failure> {
    match error {
        LockError::Timeout(_) => Some(Failure::Timeout),
        LockError::WouldBlock(_) | LockError::QueueFull { .. } => Some(Failure::WouldBlock),
        LockError::Deadlock { .. } => Some(Failure::Deadlock),
        LockError::Interrupted(_) => Some(Failure::Interrupted),
        _ => None,
    }
}

fn taken(request: &Request<'_>, resource: &Resource) -> Result<Option<Vec<Hold>>, LockError> {
    let root = LockDir::open(resource)?;
    if request.target.lock_dir.is_some() {
        refuse_two_places(resource, request.target)?;
    }
    let Some(key) = &request.target.key else {
        let hold = hold(request, resource, root, request.mode)?;
        return Ok(hold.map(|hold| vec![hold]));
    };
    let below = root.key(&encode(key.as_bytes()))?;
    let Some(whole) = hold(request, resource, root, Mode::Shared)? else { return Ok(None) };
    let Some(part) = hold(request, resource, below, request.mode)? else { return Ok(None) };
    Ok(Some(vec![whole, part]))
}

/// Who locks beside the database and who locks below a `--lock-dir` do not see each other.
fn refuse_two_places(resource: &Resource, target: &Target) -> Result<(), LockError> {
    let beside = Target { lock_dir: None, ..target.clone() };
    let beside = Resource::resolve(&beside)?;
    let path = beside.place.directory();
    if beside.place.parent == resource.place.parent || !path.exists() {
        return Ok(());
    }
    let Ok(place) = LockDir::open(&beside) else { return Ok(()) };
    // Asked of claims and of the kernel's table: a probe of the lock could make others fail.
    let lock = place.existing_lock().ok().flatten();
    if party::holding(&place, lock.as_ref()).is_empty() {
        return Ok(());
    }
    Err(LockError::TwoPlaces { path })
}

/// Takes one lock, or the inner lock below it. `None` if its files changed under our hands.
fn hold(
    request: &Request<'_>,
    resource: &Resource,
    root: LockDir,
    mode: Mode,
) -> Result<Option<Hold>, LockError> {
    let level = descend(root, request.held, mode, &resource.path)?;
    let Opened { lock, held_already } = open_lock(request, &level, mode)?;
    let standing = Mutex::new(Standing::default());
    let call = Call { request, resource, level: &level, lock: &lock, mode, standing };
    let at_once = held_already || call.try_now()?;
    let granted = if at_once {
        call.finish(None, held_already)?
    } else {
        call.wait(|ticket| call.finish(ticket, false))?
    };
    drop(call);
    let Some(Granted { fence, claim, recovered }) = granted else { return Ok(None) };
    let id = request.id;
    tracing::debug!(lock = %level.place.path().display(), mode = mode.word(), at_once, "granted");
    Ok(Some(Hold { level, lock, claim, id, mode, fence, waited: !at_once, recovered, over: false }))
}

/// The file whose kernel lock is to be taken.
struct Opened {
    lock: File,
    /// A descriptor of the caller's caller that has the lock: taking it again would give it away
    /// to those who wait.
    held_already: bool,
}

fn open_lock(request: &Request<'_>, level: &Level, mode: Mode) -> Result<Opened, LockError> {
    let Purpose::Descriptor(descriptor) = request.purpose else {
        return Ok(Opened { lock: level.place.open_lock()?, held_already: false });
    };
    let path = level.place.lock_path();
    if !level.above.is_empty() {
        return Err(LockError::Deadlock {
            path,
            reason: "this script runs under an `exec` that holds the lock".to_owned(),
            hint: "inside it, drop --fd or run the command with another `dbguard exec`",
        });
    }
    let wrong = || LockError::WrongDescriptor { descriptor, path: path.clone() };
    // Made here if missing, so that the comparison speaks of the file that is locked.
    drop(level.place.open_lock()?);
    let lock = platform::inherited_file(descriptor).map_err(|error| match error.kind() {
        io::ErrorKind::Unsupported => LockError::io("use a descriptor for", &path, error),
        _ => wrong(),
    })?;
    if !matches!(level.place.still_names(&lock), Ok(true)) {
        return Err(wrong());
    }
    match holders::held_through(&lock) {
        Some(LockMode::Read) if mode == Mode::Exclusive => Err(LockError::Deadlock {
            path,
            reason: format!("descriptor {descriptor} has it shared, and it cannot be changed"),
            hint: "give it back first: dbguard exec -u --fd N FILE",
        }),
        held => Ok(Opened { lock, held_already: held.is_some() }),
    }
}

/// Returns what a nested call, or the next of several files, is under.
pub(super) fn under(place: &LockDir, id: ClaimId) -> Under {
    Under { id: id.to_string(), at: place.path().to_string_lossy().into_owned() }
}
