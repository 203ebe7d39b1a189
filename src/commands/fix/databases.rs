//! Databases that a crash left unfinished: their engine brings them in order, under lock.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
use crate::outcome::Outcome;
use crate::platform::file_system;
use crate::platform::step::{fault, step};
use crate::probe::{Wish, survey};
use crate::sql::{self, Recovers, Trouble, Watch};

/// Nothing interrupts a recovery but the end of the process, which the engine survives.
struct Undisturbed;

impl Watch for Undisturbed {
    fn interrupted(&self) -> bool {
        false
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
}

impl Doctor<'_> {
    /// Looks at a database, and has it brought in order if a crash left something.
    pub(super) fn treat(&self, path: &Path) -> Option<Item> {
        let item = |verdict, reason: String, action| Item {
            path: path.to_path_buf(),
            kind: "database",
            format: None,
            verdict,
            reason,
            action,
            command: None,
        };
        let kept = |verdict, reason: &str| item(verdict, reason.to_owned(), Action::Kept);
        if path.symlink_metadata().is_err() {
            let reason = "the database of a log or journal beside it is not there; keep it, it may \
                          be all that is left";
            return Some(kept(Standing::Unknown, reason));
        }
        let (resource, seen) = match self.look(path) {
            Ok(looked) => looked,
            Err(failure) => return Some(kept(Standing::Unknown, &failure.message)),
        };
        if let Some(warning) = seen.files.iter().find(|file| file.warns) {
            return Some(kept(Standing::Unknown, &warning.meaning));
        }
        let Some(which) = which(&seen) else { return self.without_engine(&seen, &kept) };
        let left = left(&seen)?;
        if let Some(user) = guarded(&seen).or_else(|| in_use(&seen)) {
            return Some(kept(Standing::Live, &user));
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
        let had_state = resource.place.directory().exists();
        let treated = self.recover(&resource, which, &left);
        if !had_state && let Some(parent) = path.parent() {
            // What was made for this alone goes, unless somebody has come to use it.
            lock::withdraw(parent, path);
        }
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
                let Ok((_, seen)) = self.look(&path) else { continue };
                if seen.guard.holders.is_empty() && seen.blocks == Blocks::None {
                    continue;
                }
                let hint = seen.hints.first().filter(|_| info::state(&seen) == State::Stuck);
                let reason = match hint {
                    Some(hint) => format!("{}; {hint}", info::headline(&seen)),
                    None => info::headline(&seen),
                };
                items.push(Item {
                    path,
                    kind: "database",
                    format: None,
                    verdict: Standing::Live,
                    reason,
                    action: Action::Kept,
                    command: Some(format!("dbguard wait {}", seen.typed)),
                });
            }
        }
        items
    }

    fn look(&self, path: &Path) -> Result<(Resource, Seen), Failure> {
        let lock_dir = self.request.lock_dir.clone();
        let target = Target { file: path.to_path_buf(), lock_dir, ..Target::default() };
        let resource = Resource::resolve(&target)
            .map_err(|error| Failure::new(Outcome::IoError, error.to_string()))?;
        let shown = self.voice.shown(&resource.path);
        let wish = Wish { openers: true, ..Wish::default() };
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
        let (_, seen) = self.look(path).map_err(|failure| failure.message)?;
        if let Some(user) = in_use(&seen) {
            return Ok(Treated::Live(user));
        }
        let pages = pages(&seen, left);
        let free = file_system::free_bytes(path);
        if free.is_some_and(|free| free < left.bytes) {
            return Err(format!("it needs {} bytes on the disk, which has fewer", left.bytes));
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
        let engine = match which {
            Recovers::Sqlite => sql::start_sqlite(Arc::new(Undisturbed)),
            Recovers::DuckDb => sql::start_duckdb(Arc::new(Undisturbed)),
        };
        let engine = engine.map_err(|error| error.message)?;
        let problems = match sql::recover(&*engine, which, path) {
            Ok(problems) => problems,
            Err(error) if error.trouble == Trouble::Busy => {
                return Ok(Treated::Live(error.message));
            }
            // The check itself may stumble over what it finds.
            Err(error) if error.trouble == Trouble::NotADatabase => {
                return Ok(Treated::Damaged(error.message));
            }
            Err(error) => return Err(error.message),
        };
        drop(engine);
        if !problems.is_empty() {
            return Ok(Treated::Damaged(problems.join("; ")));
        }
        let still: Vec<_> = left.paths.iter().filter(|path| holds_something(path)).collect();
        if let Some(file) = still.first() {
            return Err(format!("{} is still there", self.voice.shown(file)));
        }
        let gone = left.names.join(" and ");
        let (verb, be) = (if left.names.len() == 1 { "is" } else { "are" }, "gone");
        Ok(Treated::Sound(match pages {
            Some(1) => format!("recovered 1 page, nothing lost; {gone} {verb} {be}"),
            Some(pages) => format!("recovered {pages} pages, nothing lost; {gone} {verb} {be}"),
            None => {
                format!("recovered {} bytes of log, nothing lost; {gone} {verb} {be}", left.bytes)
            }
        }))
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
    let bytes = left.map(|file| file.bytes).sum();
    (!paths.is_empty()).then_some(Left { names, paths, bytes })
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

/// Returns how many pages the logs of SQLite hold.
fn pages(seen: &Seen, left: &Left) -> Option<u64> {
    /// The header of a log, and that of each of its frames (SQLite, "WAL File Format").
    const LOG: (u64, u64) = (32, 24);
    /// What a journal has besides the content of each page: its number and a checksum.
    const JOURNAL: u64 = 8;
    let page = u64::from(seen.page_bytes?);
    let of = |file: &PathBuf| {
        let bytes = fs::metadata(file).ok()?.len();
        match file.as_os_str().as_encoded_bytes().ends_with(b"-wal") {
            true => bytes.checked_sub(LOG.0)?.checked_div(page + LOG.1),
            false => bytes.checked_div(page + JOURNAL),
        }
    };
    left.paths.iter().map(of).sum()
}

fn holds_something(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|facts| facts.len() > 0)
}

/// Copies a file into a directory under its name, or the next that is free, and onto the disk.
fn copy_aside(file: &Path, directory: &Path) -> io::Result<()> {
    const MOST: u32 = 10_000;
    fs::create_dir_all(directory)?;
    let name = file.file_name().unwrap_or_default();
    for number in 0..MOST {
        let mut name = name.to_os_string();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        match File::create_new(directory.join(name)) {
            Ok(mut copy) => {
                io::copy(&mut File::open(file)?, &mut copy)?;
                copy.sync_all()?;
                return File::open(directory)?.sync_all();
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}
