//! `dbguard unlock`: ends the processes that hold a database, asking first.

mod refusal;
mod tell;

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;

use super::explain::explain;
use super::voice::{self, Voice};
use super::{End, print};
use crate::cli::duration::Timeout;
use crate::cli::exec_args::KILL_AFTER;
use crate::cli::unlock_args::{HolderSide, PATIENCE, UnlockRequest};
use crate::error::Failure;
use crate::lock::{LockError, Resource, Target};
use crate::outcome::Outcome;
use crate::platform::host;
use crate::unlock::{self, Manner, Question, Side, Suspect, SuspectError, Suspects};

/// Shows who holds the database, asks, and ends them.
pub fn unlock(request: &UnlockRequest, voice: &Voice) -> Result<End, Failure> {
    let resource = resolve(request, voice)?;
    let shown = voice.shown(&resource.path);
    let question = Question {
        resource: &resource,
        shown: &shown,
        key: request.key.as_deref(),
        lock_dir: request.lock_dir.as_deref(),
        side: side(request.holder),
    };
    let mut look = || unlock::look(&question);
    let found = unlock::suspects(&mut look);
    let Suspects { all, obstacles, unknown } =
        found.map_err(|error| not_found(error, request, voice))?;
    if let Some(why) = unknown {
        voice.warn(&format!("whether {shown} is locked by its engine cannot be seen: {why}"));
    }
    if !obstacles.is_empty() {
        return Err(refusal::refused(&obstacles, &shown, &typed_again(request)));
    }
    if all.is_empty() {
        return Ok(print(&tell::nobody(&resource.path, &tell::lock(request, &shown), voice)));
    }
    if !may_end(&all, request, &shown, voice)? {
        return Err(Failure::new(Outcome::Negative, "nothing was ended"));
    }
    let manner = Manner {
        resumes: request.resume,
        kill_after: request.kill_after.finite(),
        patience: request.timeout.finite(),
    };
    let outcome = unlock::end(&all, manner, &mut look, &mut |event| tell::on_the_way(event, voice));
    finish(
        &outcome.map_err(|error| failed(&error, request, voice))?,
        &resource.path,
        request,
        voice,
    )
}

fn not_found(error: SuspectError, request: &UnlockRequest, voice: &Voice) -> Failure {
    match error {
        SuspectError::Lock(error) => failed(&error, request, voice),
        SuspectError::Handle(error) => {
            let what = "cannot hold on to the processes that have the lock";
            Failure::new(Outcome::OsError, what).caused_by(error)
        }
    }
}

fn failed(error: &LockError, request: &UnlockRequest, voice: &Voice) -> Failure {
    explain(error, Timeout::NONBLOCK, std::slice::from_ref(&request.file), voice)
}

fn resolve(request: &UnlockRequest, voice: &Voice) -> Result<Resource, Failure> {
    let target = Target {
        file: request.file.clone(),
        key: request.key.clone(),
        lock_dir: request.lock_dir.clone(),
        lock_file: None,
    };
    let resource = Resource::resolve(&target).map_err(|error| failed(&error, request, voice))?;
    if resource.facts.is_none() && !resource.place.directory().exists() {
        let message = format!("there is no `{}`", voice.shown(&request.file));
        return Err(Failure::new(Outcome::NoSuchFile, message)
            .hint("name the database, or the name that was locked"));
    }
    if let Some(why) = resource.translated {
        voice.notice(&format!("{} is meant: {why}", voice.shown(&resource.path)));
    }
    Ok(resource)
}

fn side(side: HolderSide) -> Side {
    match side {
        HolderSide::Guard => Side::Guard,
        HolderSide::Native => Side::Native,
        HolderSide::Any => Side::Any,
    }
}

/// Shows everybody who will be ended, and returns whether they may be.
fn may_end(
    all: &[Suspect],
    request: &UnlockRequest,
    shown: &str,
    voice: &Voice,
) -> Result<bool, Failure> {
    let plan = tell::plan(all, request, shown);
    let asks =
        !request.yes && !voice.is_json() && io::stdin().is_terminal() && io::stderr().is_terminal();
    if asks {
        // What was typed or pasted before the question is no answer to it.
        host::forget_typed();
        voice::write(&(plan.join("\n") + "\n" + &tell::question(all)));
        return Ok(is_yes(&answer()?));
    }
    if request.yes {
        // Programs read it afterwards, and in whole.
        plan.iter().filter(|_| !voice.is_json()).for_each(|line| voice.notice(line));
        return Ok(true);
    }
    let message = format!("nothing was ended: nobody can be asked about {shown}");
    let mut failure = Failure::new(Outcome::Usage, message);
    failure.details = plan;
    failure.holder = Some(Box::new(all[0].holder.party.clone()));
    Err(failure.hint(format!("to end them, type: dbguard unlock --yes {}", typed_again(request))))
}

/// Reads one line; the end of input is no answer.
fn answer() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| {
        Failure::new(Outcome::IoError, "cannot read the answer").caused_by(error)
    })?;
    Ok(line)
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Returns all that was asked as it is typed again: what is advised must end nobody who was not
/// shown, nor in a harder way.
fn typed_again(request: &UnlockRequest) -> String {
    let mut words = match request.holder {
        HolderSide::Guard => "--holder guard ".to_owned(),
        HolderSide::Native => "--holder native ".to_owned(),
        HolderSide::Any if request.key.is_some() => "--holder any ".to_owned(),
        HolderSide::Any => String::new(),
    };
    if request.resume {
        words.push_str("--continue ");
    }
    if request.kill_after != KILL_AFTER {
        words.push_str(&format!("--kill-after {} ", request.kill_after));
    }
    if request.timeout != PATIENCE {
        words.push_str(&format!("-w {} ", request.timeout));
    }
    words + &typed(request)
}

/// Returns what says which lock is meant, as it is typed again.
fn typed(request: &UnlockRequest) -> String {
    let word = |path: &Path| crate::info::typed(path.as_os_str().as_encoded_bytes());
    let mut words = String::new();
    if let Some(key) = &request.key {
        words.push_str(&format!("-k {} ", crate::info::typed(key)));
    }
    if let Some(directory) = &request.lock_dir {
        words.push_str(&format!("--lock-dir {} ", word(directory)));
    }
    words + &word(&request.file)
}

/// Tells what came of it.
fn finish(
    outcome: &unlock::Outcome,
    path: &Path,
    request: &UnlockRequest,
    voice: &Voice,
) -> Result<End, Failure> {
    let shown = voice.shown(path);
    let printed = print(&tell::outcome(outcome, path, &tell::lock(request, &shown), voice));
    match refusal::still_held(outcome, &shown, request) {
        Some(failure) => Err(failure),
        None => Ok(printed),
    }
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn only_a_plain_yes_is_one() {
        for (answer, expected) in [
            ("y\n", true),
            (" YES \n", true),
            ("", false),
            ("\n", false),
            ("n\n", false),
            ("yesterday\n", false),
            ("y y\n", false),
        ] {
            assert_eq!(is_yes(answer), expected, "{answer:?}");
        }
    }
}
