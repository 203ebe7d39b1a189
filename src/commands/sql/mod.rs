//! `dbguard sql`: runs a batch of SQL under the lock, again and again until it ends well.
//!
//! Judging comes first and takes no lock at all. Then the guard lock in the mode that the
//! statements need, then the engine. What the judging could not see, an open database tells: then
//! the lock is given back and taken in the other mode.

mod attempts;
mod database;
mod output;
mod script;
mod tell;
mod watching;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::End;
use super::exec::conflict;
use super::job::tell_lost;
use super::locking::{Locks, Wish, take, targets};
use super::reserved::reserved;
use super::voice::Voice;
use crate::cli::lock_args::{LockRequest, Mode, Native};
use crate::cli::parameter::ParameterValue;
use crate::cli::settings::Settings;
use crate::cli::sql_args::SqlRequest;
use crate::error::Failure;
use crate::lock::{ClaimId, Purpose};
use crate::outcome::Outcome;
use crate::platform;
use crate::sql::{Access, Batch, Parameters, Plan, Value};
use attempts::{Attempts, Verdict};
use database::Database;
use output::Output;
use watching::Watching;

/// How often the file may be another one after a wait before nobody can be served.
const MOST_SWAPS: u32 = 5;

/// Carries out a batch of SQL.
pub fn sql(
    request: SqlRequest,
    settings: &Settings,
    voice: &Voice,
    id: ClaimId,
) -> Result<End, Failure> {
    let text = script::read(&request)?;
    let parameters = parameters(&request)?;
    let batch = Batch {
        sql: &text,
        condition: request.condition.as_deref(),
        parameters: &parameters,
        loose: request.loose,
        wal: request.wal,
    };
    // From here on Ctrl-C is an answer to ask for, in every thread that an engine starts.
    let watching = Arc::new(Watching::new(voice.is_live()));
    let job = Sql { request: &request, batch, settings, voice, id, watching };
    let end = job.carry_out();
    job.watching.finish();
    end
}

/// A batch, and everything that is needed to run it.
struct Sql<'a> {
    request: &'a SqlRequest,
    batch: Batch<'a>,
    settings: &'a Settings,
    voice: &'a Voice,
    id: ClaimId,
    watching: Arc<Watching>,
}

impl Sql<'_> {
    fn carry_out(&self) -> Result<End, Failure> {
        let output = Output::prepare(self.request, self.voice)?;
        for _ in 0..MOST_SWAPS {
            let database = Database::find(self.request, self.voice, &self.watching)?;
            let plan = self.survey(&database)?;
            self.refuse_database_as_output(&plan)?;
            self.refuse_twins(&plan, &database)?;
            let mut access = self.access(&plan, &database)?;
            let mut is_settled = self.request.mode.is_some() || database.is_missing();
            loop {
                let mut locks = match self.lock(&plan, access) {
                    Ok(locks) => locks,
                    Err(failure) => return Ok(conflict(failure, &self.request.lock, self.voice)),
                };
                let locked = locks.as_typed()[0].resource().path.clone();
                if !database.is_still(&locked) {
                    drop(locks.release(self.voice));
                    break;
                }
                let attempts =
                    Attempts { sql: self, database: &database, plan: &plan, access, is_settled };
                let verdict = attempts.run(&locks, &output);
                if let Some(event) = attempts::counted(&verdict) {
                    locks.count(event);
                }
                let lost = locks.release(self.voice);
                match verdict {
                    Ok(Verdict::Done(result)) => {
                        return result
                            .print(&output, self)
                            .map(|()| tell_lost(&lost, Outcome::Ok, self.voice));
                    }
                    Ok(Verdict::TakeAgain(other)) => {
                        tracing::debug!(?other, "the lock is taken in the other mode");
                        (access, is_settled) = (other, true);
                    }
                    Ok(Verdict::Over(outcome)) => {
                        return Ok(tell_lost(&lost, outcome, self.voice));
                    }
                    Err(failure) => {
                        tell_lost(&lost, failure.outcome, self.voice);
                        return Ok(conflict(failure, &self.request.lock, self.voice));
                    }
                }
            }
        }
        let file = self.voice.shown(&self.request.file);
        Err(Failure::new(Outcome::IoError, format!("{file} is replaced again and again")))
    }

    fn survey(&self, database: &Database) -> Result<Plan, Failure> {
        let plan = self.batch.survey(&*database.engine, &database.path);
        let plan = plan.map_err(|error| tell::failure(error, &self.batch, &database.path, self))?;
        let missing = plan.attached.iter().find(|file| !file.exists());
        match missing {
            Some(file) if self.request.create.is_none() => {
                let message = format!("there is no `{}` to attach", self.shown(file));
                Err(Failure::new(Outcome::NoSuchFile, message).hint("to make it, add --create"))
            }
            _ => Ok(plan),
        }
    }

    /// Returns how the file is to be opened: as the statements need, or alone if that was asked
    /// for. A file that has to be made is written to, whatever the statements do.
    fn access(&self, plan: &Plan, database: &Database) -> Result<Access, Failure> {
        let makes = database.is_missing() || plan.attached.iter().any(|file| !file.exists());
        let needed = if makes { Access::Write } else { plan.access };
        match (self.request.mode, needed) {
            (Some(Mode::Shared), _) if makes => Err(tell::makes_shared()),
            (Some(Mode::Shared), Access::Write) if plan.is_certain => Err(tell::writes_shared()),
            (Some(Mode::Shared), _) => Ok(Access::Read),
            _ => Ok(needed),
        }
    }

    /// Returns the files of the batch.
    fn files(&self, plan: &Plan) -> Vec<PathBuf> {
        [&self.request.file].into_iter().chain(&plan.attached).cloned().collect()
    }

    /// The rows would take the place of the data.
    fn refuse_database_as_output(&self, plan: &Plan) -> Result<(), Failure> {
        let targets = targets(&self.request.lock, &self.files(plan));
        for path in self.request.output.iter().chain(&plan.named) {
            if let Some(what) = reserved(path, &targets) {
                let message =
                    format!("data cannot be copied to `{}`: it is {what}", path.display());
                return Err(Failure::new(Outcome::Usage, message).hint("name another file"));
            }
        }
        Ok(())
    }

    /// A file that a process opens twice loses its engine's locks, or waits for itself.
    fn refuse_twins(&self, plan: &Plan, database: &Database) -> Result<(), Failure> {
        let mut known = vec![(database.path.as_path(), identity(&database.path))];
        for file in &plan.attached {
            let id = identity(file);
            let twin =
                known.iter().find(|(path, known)| *path == file || id.is_some() && *known == id);
            if let Some((twin, _)) = twin {
                let (file, twin) = (file.display(), self.shown(twin));
                let message = format!("`{file}` is attached, and is the same file as {twin}");
                return Err(Failure::new(Outcome::Usage, message)
                    .hint("attach each file once, by one name"));
            }
            known.push((file, id));
        }
        Ok(())
    }

    fn lock(&self, plan: &Plan, access: Access) -> Result<Locks, Failure> {
        let mode = match (self.request.mode, access) {
            (Some(mode), _) => mode,
            (None, Access::Read) => Mode::Shared,
            (None, Access::Write) => Mode::Exclusive,
        };
        // Native locks are waited for with each try.
        let lock = LockRequest { mode, native: Native::Ignore, ..self.request.lock.clone() };
        let files = self.files(plan);
        let purpose = Purpose::Hold;
        let wish =
            Wish { lock: &lock, files: &files, purpose, program: "dbguard sql", id: self.id };
        take(&wish, self.settings, self.voice)
    }

    fn shown(&self, path: &Path) -> String {
        self.voice.shown(path)
    }
}

fn parameters(request: &SqlRequest) -> Result<Parameters, Failure> {
    let names = request.named.iter().enumerate();
    let twice = names.clone().find(|(place, (name, _))| {
        request.named[..*place].iter().any(|(before, _)| before == name)
    });
    if let Some((_, (name, _))) = twice {
        let name = crate::report::escaped(name);
        return Err(Failure::new(Outcome::Usage, format!("parameter `{name}` is given twice")));
    }
    let value = |value: &ParameterValue| match value {
        ParameterValue::Text(text) => Value::Text(text.clone()),
        ParameterValue::Null => Value::Null,
        ParameterValue::Boolean(truth) => Value::Boolean(*truth),
        ParameterValue::Integer(number) => Value::Integer(*number),
        ParameterValue::Real(number) => Value::Real(*number),
    };
    Ok(Parameters {
        named: request.named.iter().map(|(name, given)| (name.clone(), value(given))).collect(),
        positional: request.values.iter().cloned().map(Value::Text).collect(),
    })
}

/// Returns the identity of the file at a path, `None` if there is none.
fn identity(path: &Path) -> Option<platform::FileId> {
    platform::facts_at(path).ok().map(|facts| facts.id)
}
