//! `dbguard release`: gives back what `dbguard acquire` took, or has it end later.

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use super::acquire::TOKEN_VARIABLE;
use super::explain::explain;
use super::voice::Voice;
use super::{End, print};
use crate::cli::release_args::ReleaseRequest;
use crate::error::Failure;
use crate::lock::{
    Extension, Found, HeldList, LeaseEnd, LeaseKeeper, Resource, Target, Under, ask_to_extend,
    find_lease, rfc3339,
};
use crate::outcome::Outcome;
use crate::platform::host;
use crate::platform::reach;
use crate::platform::signals::{SIGTERM, SIGUSR1};
use crate::report;

/// How long a keeper may take to hear of an extension.
const HEARING: Duration = Duration::from_secs(10);

/// Between two looks at whether it has.
const PAUSE: Duration = Duration::from_millis(10);

/// How many looks there are between two wishes: what two of them write at once may be lost.
const LOOKS: u32 = 25;

/// Who may ask something of a keeper.
fn others() -> String {
    format!("only the user who acquired the lock, and {}, can release it", host::SEES_ALL)
}

/// Gives a lease back, or extends it.
pub fn release(request: &ReleaseRequest, voice: &Voice) -> Result<End, Failure> {
    let target = Target {
        file: request.file.clone(),
        key: None,
        lock_dir: request.lock_dir.clone(),
        lock_file: request.lock_file.clone(),
    };
    let tell = |error| explain(&error, request.timeout, std::slice::from_ref(&request.file), voice);
    let resource = Resource::resolve(&target).map_err(tell)?;
    let lease = Lease { name: voice.shown(&resource.path), resource, claims: claims(request)? };
    match request.extend {
        None => lease.release(request),
        Some(by) => lease.extend(by, voice),
    }
}

/// Returns the claims that the token names.
fn claims(request: &ReleaseRequest) -> Result<Vec<Under>, Failure> {
    let typed = request.token.clone();
    let variable = || env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty());
    let Some(token) = typed.or_else(variable) else {
        return Err(Failure::new(Outcome::Usage, "no token was given")
            .hint("give what dbguard acquire printed: --token TOKEN, or DBGUARD_TOKEN"));
    };
    let (list, refused) = HeldList::parse_token(&token);
    if refused > 0 || list.entries().is_empty() {
        let message = format!("`{token}` is not a token of dbguard acquire");
        return Err(Failure::new(Outcome::Usage, message)
            .hint("give it whole, as dbguard acquire printed it: quote it for the shell"));
    }
    Ok(list.entries().to_vec())
}

/// The process that keeps a lease.
struct Reached {
    process: reach::Reached,
    pid: u32,
}

/// A lease, as it was named.
struct Lease {
    resource: Resource,
    name: String,
    claims: Vec<Under>,
}

impl Lease {
    /// Returns the claim that stands for the lease on this resource, and who keeps it.
    fn find(&self) -> Result<(&Under, LeaseKeeper), Failure> {
        let mut missed = None;
        for claim in &self.claims {
            let found = find_lease(&self.resource, claim).map_err(|error| {
                Failure::new(Outcome::IoError, format!("cannot look at the lock of {}", self.name))
                    .caused_by(error)
            })?;
            match found {
                Found::Kept(keeper) => return Ok((claim, *keeper)),
                Found::Unknown => {}
                other => missed = Some(other),
            }
        }
        Err(self.missed(missed.unwrap_or(Found::Unknown)))
    }

    /// Says why there is nothing to give back.
    fn missed(&self, found: Found) -> Failure {
        let name = &self.name;
        let no = |message: String| Failure::new(Outcome::Negative, message);
        match found {
            Found::Ended(LeaseEnd::Released, at) => {
                no(format!("the lock of {name} was released already, at {}", rfc3339(at)))
            }
            Found::Ended(end, at) => {
                let failure = no(format!("the lock of {name} {}", end.words_at(at)));
                match end {
                    LeaseEnd::Expired => failure
                        .hint("take it for longer with --ttl, or extend it before its time is up"),
                    _ => failure,
                }
            }
            Found::Dead => {
                no(format!("the process that kept the lock of {name} was killed: the lock is free"))
            }
            Found::Command(party) => {
                let who = report::described(&party);
                let mut failure = no(format!(
                    "the lock of {name} was not taken by dbguard acquire: it is held by {who}"
                ));
                failure.holder = Some(party);
                failure.hint("it is released when that command ends")
            }
            Found::Unknown | Found::Kept(_) => {
                no(format!("there is no lock of {name} with this token")).hint(format!(
                    "it may have ended long ago, or what kept it was killed: see dbguard info \
                         {name}"
                ))
            }
        }
    }

    /// Opens the process that keeps the lease.
    fn reach(&self, keeper: &LeaseKeeper) -> Result<Reached, Failure> {
        let name = &self.name;
        let Some(pid) = keeper.pid() else {
            let place = match &keeper.party.host {
                Some(other) if *other != host::host() => format!("on host {other}"),
                _ => "in another container or PID namespace".to_owned(),
            };
            let message = format!("the lock of {name} is kept by a process {place}");
            return Err(Failure::new(Outcome::Negative, message)
                .hint("run dbguard release there; the lock ends by itself when its time is up"));
        };
        if let Some(process) = keeper.reach().map_err(|error| self.cannot_reach(pid, error))? {
            return Ok(Reached { process, pid });
        }
        // It has ended since we looked, which has its own message; or it may not be seen.
        self.find()?;
        let message = format!("cannot see that process {pid} keeps the lock of {name}");
        Err(Failure::new(Outcome::Permission, message).hint(others()))
    }

    fn cannot_reach(&self, pid: u32, error: std::io::Error) -> Failure {
        let outcome = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Outcome::Permission,
            _ => Outcome::OsError,
        };
        let message = format!("cannot reach process {pid}, which keeps the lock of {}", self.name);
        Failure::new(outcome, message).caused_by(error).hint(others())
    }

    /// Sends a signal to the keeper.
    fn send(&self, keeper: &Reached, signal: i32) -> Result<(), Failure> {
        // One that has ended by itself meanwhile is told of by the next look.
        keeper.process.signal(signal).map_err(|error| self.cannot_reach(keeper.pid, error))
    }

    fn release(&self, request: &ReleaseRequest) -> Result<End, Failure> {
        let (_, keeper) = self.find()?;
        let keeper = self.reach(&keeper)?;
        self.send(&keeper, SIGTERM)?;
        let until = request.timeout.finite().map(|limit| Instant::now() + limit);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let ended = keeper.process.wait(left.unwrap_or(HEARING));
            if ended.map_err(|error| self.cannot_reach(keeper.pid, error))? {
                return Ok(Outcome::Ok.into());
            }
            if left.is_some_and(|left| left.is_zero()) {
                let name = &self.name;
                let message =
                    format!("{name} is not free yet: commands that joined its lock still run");
                return Err(Failure::new(Outcome::Timeout, message)
                    .hint("nobody can join it any more; it is free as soon as they end"));
            }
        }
    }

    fn extend(&self, by: Duration, voice: &Voice) -> Result<End, Failure> {
        let (claim, keeper) = self.find()?;
        if keeper.expires_ms.is_none() {
            let message = format!("the lock of {} has no time that could be extended", self.name);
            return Err(Failure::new(Outcome::Negative, message)
                .hint("it ends with the process that it was taken for"));
        }
        let keeper = self.reach(&keeper)?;
        let number = host::random().map_err(|error| {
            Failure::new(Outcome::OsError, "cannot get random numbers").caused_by(error)
        })?;
        let in_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let begun = Instant::now();
        for look in 0.. {
            if look % LOOKS == 0 {
                self.ask(claim, Extension { number, in_ms })?;
                self.send(&keeper, SIGUSR1)?;
            }
            thread::sleep(PAUSE);
            let (_, now) = self.find()?;
            if now.extended == Some(number) {
                return Ok(self.tell(&now, voice));
            }
            if begun.elapsed() > HEARING {
                break;
            }
        }
        let (pid, name) = (keeper.pid, &self.name);
        let message = format!("process {pid}, which keeps the lock of {name}, does not answer");
        Err(Failure::new(Outcome::OsError, message)
            .hint(format!("is it frozen, or the disk full? see dbguard info {name}")))
    }

    fn ask(&self, claim: &Under, wish: Extension) -> Result<(), Failure> {
        match ask_to_extend(&self.resource, claim, wish) {
            // It ends at this moment; the next look says how.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            asked => asked.map_err(|error| {
                let message = format!("cannot ask for more time for the lock of {}", self.name);
                Failure::new(Outcome::Permission, message).caused_by(error)
            }),
        }
    }

    fn tell(&self, keeper: &LeaseKeeper, voice: &Voice) -> End {
        let expires = keeper.expires_ms.map(rfc3339);
        if voice.is_json() {
            let path = self.resource.path.to_string_lossy();
            let document = serde_json::json!({ "schema": 1, "path": path, "expires": expires });
            return print(format!("{document}\n").as_bytes());
        }
        voice.detail(|| format!("{} is locked until {}", self.name, expires.unwrap_or_default()));
        Outcome::Ok.into()
    }
}
