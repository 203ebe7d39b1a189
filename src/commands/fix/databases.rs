//! Databases that a crash left unfinished: their engine brings them in order, under lock.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use crate::cli::duration::Timeout;
use crate::cli::fix_args::FixRequest;
use crate::cli::lock_args::{LockRequest, Mode, Native};
use crate::cli::settings::Settings;
use crate::commands::locking::{self, take};
use crate::commands::voice::Voice;
use crate::error::Failure;
use crate::fix::{Action, Item, Standing};
use crate::info::{self, NativeState, Seen, State};
use crate::lock::{self, ClaimId, Purpose, Resource, Target};
use crate::native::decode::Blocks;
use crate::native::wal::{self, Log};
use crate::outcome::Outcome;
use crate::platform::step::{fault, step};
use crate::platform::{self, file_system, host};
use crate::probe::{Wish, survey};
use crate::sql::{self, Recovers, Trouble, Watch};

/// A check that takes longer is given up: a database that others made can make it endless.
const LONGEST_CHECK: Duration = Duration::from_secs(600);

/// Nothing interrupts a recovery but the end of the process, which the engine survives; a check has
/// an end.
struct Until(Option<Instant>);

impl Watch for Until {
    fn interrupted(&self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }

    fn progress(&self, _percent: Option<f64>) {}
}

/// Whoever looks after databases.
pub(super) struct Doctor<'a> {
    pub(super) request: &'a FixRequest,
    pub(super) settings: &'a Settings,
    pub(super) voice: &'a Voice,
    pub(super) id: ClaimId,
}

/// What lies beside a database and is to be dealt with.
struct Left {
    /// The names.
    names: Vec<String>,
    paths: Vec<PathBuf>,
    bytes: u64,
    /// What is in SQLite's log, if that is among them.
    log: Option<Log>,
}

/// Before a database is touched, nobody may even have it open. To know that takes a search through
/// all processes.
const WITH_OPENERS: Wish<'_> = Wish { openers: true, key: None, lock_dir: None };

impl Doctor<'_> {
    /// Looks at a database, and has it brought in order if a crash left something.
    pub(super) fn treat(&self, path: &Path) -> Option<Item> {
        let item =
            |verdict, reason: String, action| Item::new(path, "database", verdict, reason, action);
        let kept = |verdict, reason: &str| item(verdict, reason.to_owned(), Action::Kept);
        match path.symlink_metadata() {
            Ok(facts) if facts.is_symlink() => {
                let reason = "what lies beside a symbolic link is not the log of where it leads";
                return Some(kept(Standing::Unknown, reason));
            }
            Ok(_) => {}
            Err(_) => {
                let reason = "the database of a log or journal beside it is not there; keep it, it \
                              may be all that is left";
                return Some(kept(Standing::Unknown, reason));
            }
        }
        let unseen = |failure: Failure| kept(Standing::Unknown, &failure.message);
        let seen = match self.look(path, Wish::default()) {
            Ok((_, seen)) => seen,
            Err(failure) => return Some(unseen(failure)),
        };
        if let Some(warning) = seen.files.iter().find(|file| file.warns) {
            return Some(kept(Standing::Unknown, &warning.meaning));
        }
        let Some(which) = which(&seen) else { return self.without_engine(&seen, &kept) };
        let left = left(&seen)?;
        let (resource, seen) = match self.look(path, WITH_OPENERS) {
            Ok(looked) => looked,
            Err(failure) => return Some(unseen(failure)),
        };
        if let Some(user) = guarded(&seen).or_else(|| in_use(&seen)) {
            return Some(kept(Standing::Live, &user));
        }
        if let Err(reason) = belongs(path, &seen, &left) {
            return Some(kept(Standing::Unknown, &reason));
        }
        let beside = left.names.join(" and ");
        if self.request.no_recover {
            return Some(kept(
                Standing::Stale,
                &format!("{beside}: left alone, as --no-recover says"),
            ));
        }
        if self.request.dry_run {
            let reason = format!("a crash left {beside}, {} bytes", left.bytes);
            return Some(item(Standing::Stale, reason, Action::WouldRecover));
        }
        // Who never used dbguard here waits for the engine's lock as for any other.
        let treated = match resource.place.directory().exists() {
            true => self.recover(&resource, which, &left),
            false => self.under_lock(&resource, which, &left),
        };
        Some(match treated {
            Ok(Treated::Live(reason)) => kept(Standing::Live, &reason),
            Ok(Treated::Sound(reason)) => item(Standing::Stale, reason, Action::Recovered),
            Ok(Treated::Damaged(reason)) => item(Standing::Damaged, reason, Action::Failed),
            Err(reason) => item(Standing::Stale, format!("{beside}: {reason}"), Action::Failed),
        })
    }

    /// Returns those that somebody has, of the databases with state of dbguard.
    pub(super) fn holders(&self, states: &BTreeSet<(PathBuf, Option<PathBuf>)>) -> Vec<Item> {
        let mut items = Vec::new();
        for (parent, only) in states {
            let files = match only {
                Some(only) => vec![only.clone()],
                None => lock::locked_in(parent),
            };
            for path in files {
                let Ok((_, seen)) = self.look(&path, Wish::default()) else { continue };
                if seen.guard.holders.is_empty() && seen.blocks == Blocks::None {
                    continue;
                }
                let hint = seen.hints.first().filter(|_| info::state(&seen) == State::Stuck);
                let reason = match hint {
                    Some(hint) => format!("{}; {hint}", info::headline(&seen)),
                    None => info::headline(&seen),
                };
                items.push(Item {
                    // Waiting for one who is stopped does not help.
                    command: hint.is_none().then(|| format!("dbguard wait {}", seen.typed)),
                    ..Item::new(&path, "database", Standing::Live, reason, Action::Kept)
                });
            }
        }
        items
    }

    fn look(&self, path: &Path, wish: Wish<'_>) -> Result<(Resource, Seen), Failure> {
        let lock_dir = self.request.lock_dir.clone();
        let target = Target { file: path.to_path_buf(), lock_dir, ..Target::default() };
        let resource = Resource::resolve(&target)
            .map_err(|error| Failure::new(Outcome::IoError, error.to_string()))?;
        let shown = self.voice.shown(&resource.path);
        let seen = survey(&resource, &shown, wish);
        Ok((resource, seen))
    }

    fn without_engine(&self, seen: &Seen, kept: &dyn Fn(Standing, &str) -> Item) -> Option<Item> {
        match seen.engine {
            // It was named, and nothing is known of it.
            "unknown" if seen.files.is_empty() => {
                let path = PathBuf::from(&seen.path);
                let beside = ["-wal", "-journal", ".wal"].iter().any(|end| {
                    let mut name = path.clone().into_os_string();
                    name.push(end);
                    Path::new(&name).exists()
                });
                beside.then(|| {
                    kept(Standing::Unknown, "it has a log beside it, and is of no known engine")
                })
            }
            "redb" if seen.needs_repair && seen.native.state == NativeState::Free => Some(kept(
                Standing::Reported,
                "it was not closed; whoever opens it next repairs it",
            )),
            _ => None,
        }
    }

    /// Under the guard lock: looks once more, makes copies, and lets the engine do it.
    fn recover(
        &self,
        resource: &Resource,
        which: Recovers,
        left: &Left,
    ) -> Result<Treated, String> {
        let lock = LockRequest {
            mode: Mode::Exclusive,
            key: None,
            timeout: Timeout::NONBLOCK,
            conflict_exit_code: None,
            max_waiters: None,
            native: Native::Ignore,
            lock_dir: self.request.lock_dir.clone(),
            lock_file: None,
            label: None,
        };
        let files = [resource.path.clone()];
        let wish = locking::Wish {
            lock: &lock,
            files: &files,
            purpose: Purpose::Hold,
            program: "dbguard fix",
            id: self.id,
        };
        let locks = match take(&wish, self.settings, self.voice) {
            Ok(locks) => locks,
            Err(failure) if failure.outcome == Outcome::WouldBlock => {
                return Ok(Treated::Live(failure.message));
            }
            Err(failure) => return Err(failure.message),
        };
        let treated = self.under_lock(resource, which, left);
        drop(locks.release(self.voice));
        treated
    }

    fn under_lock(
        &self,
        resource: &Resource,
        which: Recovers,
        left: &Left,
    ) -> Result<Treated, String> {
        let path = &resource.path;
        let (_, seen) = self.look(path, WITH_OPENERS).map_err(|failure| failure.message)?;
        if let Some(user) = in_use(&seen) {
            return Ok(Treated::Live(user));
        }
        let growth = growth(&seen, left);
        if file_system::free_bytes(path).is_some_and(|free| free < growth) {
            return Err(format!("it needs {growth} bytes on the disk, which has fewer"));
        }
        if let Some(directory) = &self.request.backup {
            for file in &left.paths {
                let copied = copy_aside(file, directory);
                copied.map_err(|error| format!("it cannot be copied to the backup: {error}"))?;
            }
        }
        step("recover");
        fault("recover").map_err(|error| error.to_string())?;
        // From here until it is closed again, nothing in this process opens the file.
        let start = |watch: Until| match which {
            Recovers::Sqlite => sql::start_sqlite(Arc::new(watch)),
            Recovers::DuckDb => sql::start_duckdb(Arc::new(watch)),
        };
        let engine = start(Until(None)).map_err(|error| error.message)?;
        match sql::recover(&*engine, which, path) {
            Ok(()) => {}
            Err(error) if error.trouble == Trouble::Busy => {
                return Ok(Treated::Live(error.message));
            }
            Err(error) if error.trouble == Trouble::NotADatabase => {
                return Ok(Treated::Damaged(error.message));
            }
            Err(error) => return Err(error.message),
        }
        drop(engine);
        step("recovered");
        let mut unchecked = String::new();
        if which == Recovers::Sqlite {
            let end = Instant::now().checked_add(LONGEST_CHECK);
            let checked = start(Until(end)).and_then(|engine| sql::check(&*engine, path));
            match checked {
                Ok(problems) if problems.is_empty() => {}
                Ok(problems) => return Ok(Treated::Damaged(problems.join("; "))),
                // The check stumbles over what it finds.
                Err(error) if error.trouble == Trouble::NotADatabase => {
                    return Ok(Treated::Damaged(error.message));
                }
                Err(error) => unchecked = format!("; it could not be checked: {}", error.message),
            }
        }
        let still: Vec<_> = left.paths.iter().filter(|path| holds_something(path)).collect();
        if let Some(file) = still.first() {
            return Err(format!("{} is still there", self.voice.shown(file)));
        }
        let gone = left.names.join(" and ");
        let verb = if left.names.len() == 1 { "is" } else { "are" };
        let what = match left.log {
            Some(Log { frames: 1, .. }) => "recovered 1 page".to_owned(),
            Some(log) => format!("recovered {} pages", log.frames),
            None if which == Recovers::Sqlite => "rolled an open transaction back".to_owned(),
            None => format!("recovered {} bytes of log", left.bytes),
        };
        Ok(Treated::Sound(format!("{what}, nothing lost; {gone} {verb} gone{unchecked}")))
    }
}

enum Treated {
    /// It is in order again.
    Sound(String),
    /// It is in order as far as the engine could do it, and failed its check.
    Damaged(String),
    /// Somebody has it after all.
    Live(String),
}

fn which(seen: &Seen) -> Option<Recovers> {
    match seen.engine {
        "sqlite" => Some(Recovers::Sqlite),
        "duckdb" => Some(Recovers::DuckDb),
        _ => None,
    }
}

/// Returns what a crash left beside a database, if anything.
fn left(seen: &Seen) -> Option<Left> {
    let left = seen.files.iter().filter(|file| file.recovery.is_some() && file.bytes > 0);
    let paths: Vec<PathBuf> = left.clone().map(|file| PathBuf::from(&file.path)).collect();
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names = paths.iter().map(name).collect();
    let bytes = left.clone().map(|file| file.bytes).sum();
    let log = left
        .filter(|file| file.role == "wal" && seen.engine == "sqlite")
        .find_map(|file| wal::read(File::open(&file.path).ok()?).ok()?);
    (!paths.is_empty()).then_some(Left { names, paths, bytes, log })
}

/// Whether what lies beside a database is surely its own and whole, and everybody who uses it can be
/// seen; otherwise why not.
fn belongs(path: &Path, seen: &Seen, left: &Left) -> Result<(), String> {
    let facts = |path: &Path| {
        platform::facts_of_link(path).map_err(|error| format!("it cannot be looked at: {error}"))
    };
    let database = facts(path)?;
    for file in &left.paths {
        let beside = facts(file)?;
        if database.links != 1 || beside.links != 1 {
            return Err(
                "it, or what lies beside it, has several names: which log belongs to which \
                        cannot be told"
                    .to_owned(),
            );
        }
        if beside.user != database.user {
            return Err("it and what lies beside it belong to different users".to_owned());
        }
    }
    let directory = facts(path.parent().unwrap_or(Path::new("/")))?;
    let is_trusted = [0, database.user, host::user()].contains(&directory.user);
    if host::user() == 0 && !(is_trusted && [0, directory.user].contains(&database.user)) {
        return Err("root leaves it alone: it lies in the directory of another user".to_owned());
    }
    let layers = file_system::overlay_layers();
    if path.ancestors().any(|above| layers.iter().any(|layer| above.ends_with(layer))) {
        return Err(
            "it lies in a layer of an overlay file system, whose users' locks are not seen \
                    here; run dbguard fix where it is mounted, as in the container"
                .to_owned(),
        );
    }
    let Some(log) = left.log else { return Ok(()) };
    if seen.journal_mode == Some("rollback") || seen.page_bytes != Some(log.page_bytes) {
        return Err(
            "the log beside it is not its own: the database was replaced; keep both".to_owned()
        );
    }
    if log.is_damaged {
        return Err(
            "the log is damaged before its end: whoever opens the database drops the commits \
                    after that; copy both files first"
                .to_owned(),
        );
    }
    Ok(())
}

/// Returns how much longer the database will be.
fn growth(seen: &Seen, left: &Left) -> u64 {
    let now = seen.bytes.unwrap_or(0);
    match left.log {
        Some(log) => (u64::from(log.pages_after) * u64::from(log.page_bytes)).saturating_sub(now),
        // A transaction that is rolled back makes it shorter.
        None if seen.engine == "sqlite" => 0,
        None => left.bytes,
    }
}

/// Returns who has dbguard's own lock of a database.
fn guarded(seen: &Seen) -> Option<String> {
    (!seen.guard.holders.is_empty()).then(|| info::headline(seen))
}

/// Returns who uses a database through its engine, locked or not.
fn in_use(seen: &Seen) -> Option<String> {
    if let Some(lock) = seen.native.locks.iter().find(|lock| lock.of_engine) {
        return Some(format!("{} {}", crate::report::described(&lock.who), lock.meaning));
    }
    if seen.native.state == NativeState::Unknown {
        return Some("its locks cannot be seen".to_owned());
    }
    let opener = seen.openers.iter().flatten().next()?;
    let command = opener.command.as_ref().map(|words| words.join(" ")).unwrap_or_default();
    Some(format!("{command} (pid {}) has it open", opener.pid))
}

fn holds_something(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|facts| facts.len() > 0)
}

/// Copies a file into a directory, for its owner alone, and onto the disk. The copy is called like
/// no log, so that no engine takes it for that of another database.
fn copy_aside(file: &Path, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let at = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    let seen = platform::facts_of_link(file)?;
    let from = File::open(file)?;
    // Not through a link that was put in its place.
    if platform::facts(&from)?.id != seen.id || !seen.regular {
        return Err(io::Error::other("it was replaced meanwhile"));
    }
    let mut copy = tempfile::Builder::new()
        .prefix(&format!("{name}.{at}."))
        .suffix(".backup")
        .tempfile_in(directory)?;
    io::copy(&mut &from, &mut copy)?;
    copy.as_file().sync_all()?;
    copy.keep().map_err(|error| error.error)?;
    platform::sync_directory(&platform::open_to_sync(directory)?)
}
