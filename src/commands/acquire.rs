//! `dbguard acquire`: takes locks, leaves a process behind that keeps them, and returns.
//!
//! The locks are taken as `exec` does, with the same waiting, deadline and words, in a process that
//! can leave them behind: where they can be handed on, in this one, which then makes a copy of
//! itself; elsewhere in one that is started for it (`platform::detach`). The one that stays says what
//! there is to tell; this one tells it, and ends. If it cannot, the locks are given back: nobody would
//! know of them.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::End;
use super::exec::conflict;
use super::keeper::{HEARD, Terms, keep};
use super::locking::{Locks, Wish, take};
use super::voice::Voice;
use crate::cli::acquire_args::{AcquireRequest, Export};
use crate::cli::settings::Settings;
use crate::cli::words::quoted;
use crate::error::Failure;
use crate::lock::{ClaimId, HELD_VARIABLE, HeldList, Purpose, rfc3339};
use crate::outcome::Outcome;
use crate::platform::detach::{Keeper, Reply, Side, Start, split, start};
use crate::platform::process::ProcessHandle;
use crate::platform::{errors, host};

/// By which `dbguard release` finds the token.
pub const TOKEN_VARIABLE: &str = "DBGUARD_TOKEN";

/// Takes the locks and leaves them behind.
pub fn acquire(
    request: &AcquireRequest,
    settings: &Settings,
    voice: &Voice,
    id: ClaimId,
) -> Result<End, Failure> {
    let github = (request.export == Some(Export::Github)).then(GithubFile::open).transpose()?;
    let owner = request.for_pid.map(owner).transpose()?;
    let tell = |answer: Answer| answer.tell(request.export, github, voice);
    let line = match start().map_err(cannot_leave)? {
        Start::Here(line) => line,
        Start::Elsewhere(keeper) => return leave(None, keeper, voice, tell),
    };
    let wish = Wish {
        lock: &request.lock,
        files: &request.files,
        purpose: Purpose::Hold,
        program: "dbguard acquire",
        id,
    };
    let locks = match take(&wish, settings, voice) {
        Ok(locks) => locks,
        Err(failure) => return Ok(conflict(failure, &request.lock, voice)),
    };
    if let Err(failure) = demand_use(&locks, request.for_pid.zip(owner.as_ref()), voice) {
        locks.release(voice);
        return Err(failure);
    }
    let terms = Terms::new(request.ttl.finite(), owner);
    match split(line, &HEARD) {
        Ok(Side::Keeper(origin)) => {
            drop(tell);
            let answer = Answer::new(&locks, request, &terms);
            Ok(keep(locks, terms, origin, &answer.line(), voice))
        }
        Ok(Side::Origin(keeper)) => leave(Some(locks), keeper, voice, tell),
        Err(error) => {
            locks.release(voice);
            Err(cannot_leave(error))
        }
    }
}

/// Opens the process that the lock is taken for.
fn owner(pid: u32) -> Result<ProcessHandle, Failure> {
    let owner =
        ProcessHandle::open(pid).map_err(|error| match errors::is_of_no_process(&error) {
            true => no_such_process(pid),
            false => Failure::new(Outcome::OsError, format!("cannot watch process {pid}"))
                .caused_by(error),
        })?;
    if owner.has_ended() { Err(no_such_process(pid)) } else { Ok(owner) }
}

/// Refuses locks that are of no use once they are left behind: nobody could find them, or the
/// process ended while they were waited for.
fn demand_use(
    locks: &Locks,
    owner: Option<(u32, &ProcessHandle)>,
    voice: &Voice,
) -> Result<(), Failure> {
    if let Some(guard) = locks.guards.iter().find(|guard| !guard.is_claimed()) {
        let path = voice.shown(&guard.resource().path);
        let message = format!("the lock of {path} has no claim: nobody could join or release it");
        return Err(Failure::new(Outcome::CannotCreate, message).hint(format!(
            "make `{}` writable, or keep the locks elsewhere with --lock-dir",
            guard.place().display()
        )));
    }
    match owner {
        Some((pid, owner)) if owner.has_ended() => Err(no_such_process(pid)),
        _ => Ok(()),
    }
}

fn no_such_process(pid: u32) -> Failure {
    Failure::new(Outcome::Usage, format!("there is no process {pid} to take the lock for"))
        .hint(host::OWN_SHELL)
}

fn cannot_leave(error: io::Error) -> Failure {
    Failure::new(Outcome::OsError, "cannot leave a process behind that keeps the lock")
        .caused_by(error)
}

/// Leaves the locks to the keeper, if `tell` is able to tell of them. `locks` are those of this
/// process, if it has them too.
fn leave(
    locks: Option<Locks>,
    mut keeper: Keeper,
    voice: &Voice,
    tell: impl FnOnce(Answer) -> Result<(), Failure>,
) -> Result<End, Failure> {
    let answer = match keeper.until_ready() {
        Reply::Ready(line) => serde_json::from_slice(&line).map_err(io::Error::other),
        Reply::Refused(code, signal) => return Ok(End { code, signal }),
        Reply::Ended => Err(io::Error::other("it ended before it was ready")),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            keeper.dismiss();
            locks.map(|locks| locks.release(voice));
            return Err(cannot_leave(error));
        }
    };
    let told = tell(answer);
    locks.into_iter().for_each(Locks::hand_over);
    match told {
        Ok(()) => keeper.confirm().map_err(cannot_leave)?,
        // The keeper gives everything back, with all that belongs to that.
        Err(_) => keeper.dismiss(),
    }
    told.map(|()| Outcome::Ok.into())
}

/// What there is to tell, as the keeper says it.
#[derive(Deserialize, Serialize)]
struct Answer {
    token: String,
    held: String,
    files: Vec<String>,
    mode: String,
    pid: u32,
    expires_ms: Option<u64>,
}

impl Answer {
    fn new(locks: &Locks, request: &AcquireRequest, terms: &Terms) -> Self {
        let mut token = HeldList::default();
        let entries = locks.as_typed().into_iter().flat_map(|guard| guard.entries());
        entries.for_each(|entry| token.push(entry));
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        Self {
            token: token.to_string(),
            held: locks.held.to_string(),
            files: request.files.iter().map(path).collect(),
            mode: locks.mode.word().to_owned(),
            pid: std::process::id(),
            expires_ms: terms.expires_ms,
        }
    }

    /// Returns it as one line.
    fn line(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data has JSON")
    }

    /// The keeper is not told to stay before this has succeeded.
    fn tell(
        &self,
        export: Option<Export>,
        github: Option<GithubFile>,
        voice: &Voice,
    ) -> Result<(), Failure> {
        if let Some(github) = github {
            github.append(&self.variables())?;
        }
        let text = match export {
            _ if voice.is_json() => self.document(),
            Some(Export::Sh) => {
                let set = |(name, value): (&str, &String)| {
                    format!("{name}={}", quoted(OsString::from(value).as_os_str()))
                };
                let words: Vec<String> = self.variables().into_iter().map(set).collect();
                format!("export {}\n", words.join(" "))
            }
            Some(Export::Github) | None => format!("{}\n", self.token),
        };
        // A reader that went away does not know the token.
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(|error| {
            Failure::new(Outcome::IoError, "cannot tell the token, so nothing is locked")
                .caused_by(error)
        })
    }

    fn variables(&self) -> [(&'static str, &String); 2] {
        [(HELD_VARIABLE, &self.held), (TOKEN_VARIABLE, &self.token)]
    }

    fn document(&self) -> String {
        let document = serde_json::json!({
            "schema": 1,
            "token": self.token,
            "held": self.held,
            "files": self.files,
            "mode": self.mode,
            "pid": self.pid,
            "expires": self.expires_ms.map(rfc3339),
        });
        format!("{document}\n")
    }
}

/// The file from which GitHub Actions takes the environment of the steps that follow.
struct GithubFile(File);

impl GithubFile {
    /// Opens it before the lock is asked for.
    fn open() -> Result<Self, Failure> {
        let Some(path) = env::var_os("GITHUB_ENV").filter(|path| !path.is_empty()) else {
            return Err(Failure::new(Outcome::Usage, "`--export github` needs GITHUB_ENV")
                .hint("it is set in the steps of a job; elsewhere use --export sh"));
        };
        let opened = File::options().read(true).append(true).create(true).open(&path);
        let file = opened.map_err(|error| {
            let name = PathBuf::from(&path);
            let message = format!("cannot open GITHUB_ENV, `{}`", name.display());
            Failure::new(Outcome::CannotCreate, message).caused_by(error)
        })?;
        Ok(Self(file))
    }

    /// Whether a line was begun and not ended. What cannot be read tells nothing.
    fn is_amid_a_line(&mut self) -> bool {
        let mut last = [b'\n'];
        let read = self.0.seek(SeekFrom::End(-1)).and_then(|_| self.0.read_exact(&mut last));
        read.is_ok() && last != [b'\n']
    }

    fn append(mut self, variables: &[(&str, &String)]) -> Result<(), Failure> {
        let mut lines = String::new();
        variables.iter().for_each(|(name, value)| lines.push_str(&format!("{name}={value}\n")));
        if self.is_amid_a_line() {
            lines.insert(0, '\n');
        }
        self.0.write_all(lines.as_bytes()).map_err(|error| {
            Failure::new(Outcome::IoError, "cannot write to the file that GITHUB_ENV names")
                .caused_by(error)
        })
    }
}
