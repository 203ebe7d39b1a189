//! One try after another, until the batch ends well or the time is up.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::database::Database;
use super::output::{Output, Taker};
use super::{Sql, tell};
use crate::cli::lock_args::{Mode as Asked, Native};
use crate::commands::display::Display;
use crate::commands::locking::Locks;
use crate::commands::native::settle_native;
use crate::commands::retry::{Backoff, pause};
use crate::error::Failure;
use crate::lock::stats::{Ending, Event};
use crate::lock::{Mode, Patience};
use crate::native::Want;
use crate::outcome::Outcome;
use crate::report;
use crate::sql::format::{document, printer};
use crate::sql::{Access, Done, Grace, Plan, Sink, SqlError, Trouble};

/// How long a commit waits for readers that are inside; it doubles with every try, so that
/// readers who never stop to overlap cannot keep a writer out.
const COMMIT_GRACE: Duration = Duration::from_millis(10);

/// The longest that it waits.
const LONGEST_COMMIT_GRACE: Duration = Duration::from_secs(1);

/// How long a try is put off for readers who are inside, since they stop its commit; it doubles
/// with every try. Waiting until nobody reads at all could last for ever.
const READERS_GRACE: Duration = Duration::from_millis(100);

/// The longest that it is put off, unless the try before took longer.
const LONGEST_READERS_GRACE: Duration = Duration::from_secs(2);

/// A wait for a native lock that took this long was for somebody who has gone since.
const WAS_BUSY: Duration = Duration::from_micros(500);

/// A batch under its locks.
pub(super) struct Attempts<'a> {
    pub(super) sql: &'a Sql<'a>,
    pub(super) database: &'a Database,
    pub(super) plan: &'a Plan,
    pub(super) access: Access,
    /// Whether the mode of the lock is beyond doubt: asked for, or changed once already.
    pub(super) is_settled: bool,
}

/// How the tries ended.
pub(super) enum Verdict {
    /// The batch is done; what it yielded is still to be printed.
    Done(Box<Yield>),
    /// It is over, and there is nothing to print.
    Over(Outcome),
    /// The lock has to be taken in another mode.
    TakeAgain(Access),
}

/// What a batch yielded.
pub(super) struct Yield {
    taker: Taker,
    done: Done,
    story: Story,
    /// How the file was open.
    access: Access,
}

/// Returns what a batch counts as, `None` if it is run again in another mode.
pub(super) fn counted(verdict: &Result<Verdict, Failure>) -> Option<Event> {
    let (retries, run, ending) = match verdict {
        Ok(Verdict::TakeAgain(_)) => return None,
        Ok(Verdict::Done(done)) => (done.story.retries, done.story.ran, Ending::Fine),
        Ok(Verdict::Over(_)) => (0, Duration::ZERO, Ending::Fine),
        Err(failure) => {
            let how = match failure.outcome {
                Outcome::Timeout | Outcome::WouldBlock => Ending::Busy,
                Outcome::IoError | Outcome::OsError | Outcome::Permission => Ending::Io,
                _ => Ending::Sql,
            };
            (0, Duration::ZERO, how)
        }
    };
    Some(Event::Batch { retries, run, ending })
}

/// What has happened so far.
#[derive(Default)]
struct Story {
    retries: u32,
    /// How often nobody was seen in the way; it lengthens the pause.
    unseen: u32,
    waited: Duration,
    /// How long the last try took.
    ran: Duration,
}

impl Attempts<'_> {
    /// Runs the batch until it ends, well or not.
    pub(super) fn run(&self, locks: &Locks, output: &Output) -> Result<Verdict, Failure> {
        let mut story = Story::default();
        if output.is_terminal() && self.plan.streams {
            self.sql.watching.be_still();
        }
        self.settle(locks, &story)?;
        loop {
            let begun = Instant::now();
            self.sql.watching.begin();
            let taker = output.taker(self.prints_at_once(output), &self.sql.watching);
            let mut taker = taker.map_err(|error| self.fail(error.into()))?;
            let grace = self.grace(locks, story.retries);
            let mut open = false;
            let tried = self.attempt(grace, output, &mut taker, &mut open);
            self.sql.watching.finish();
            story.ran = begun.elapsed();
            match tried {
                Ok(Some(done)) => {
                    return Ok(Verdict::Done(Box::new(Yield {
                        taker,
                        done,
                        story,
                        access: self.access,
                    })));
                }
                Ok(None) => return Ok(Verdict::TakeAgain(Access::Read)),
                Err(error) => match error.trouble {
                    Trouble::NeedsWrite if self.is_free_to_write() && !taker.has_printed() => {
                        return Ok(Verdict::TakeAgain(Access::Write));
                    }
                    Trouble::ConditionFalse => {
                        self.sql.voice.notice("not run: the condition of --if is not true");
                        return Ok(Verdict::Over(Outcome::Negative));
                    }
                    Trouble::Output if is_broken_pipe(&error) => {
                        return Ok(Verdict::Over(Outcome::Ok));
                    }
                    Trouble::Busy | Trouble::Output if self.sql.watching.arrived().is_some() => {
                        return Err(self.fail(SqlError::new(Trouble::Interrupted, "")));
                    }
                    Trouble::Busy if open && self.sql.batch.loose => {
                        return Err(self.out_of_time(locks, &story, &error));
                    }
                    Trouble::Busy if !taker.has_printed() => {
                        self.wait(locks, &error, &mut story)?;
                    }
                    _ => return Err(self.fail(error)),
                },
            }
        }
    }

    /// Whether rows are printed as they come: those that are only read, and those of statements
    /// that are not undone. The document of `--json` is printed whole or not at all.
    fn prints_at_once(&self, output: &Output) -> bool {
        let stays = match self.access {
            Access::Read => self.plan.streams,
            Access::Write => self.sql.batch.loose,
        };
        stays && output.format.is_some()
    }

    fn is_free_to_write(&self) -> bool {
        self.access == Access::Read && self.sql.request.mode != Some(Asked::Shared)
    }

    /// Returns how long the engine itself may wait.
    fn grace(&self, locks: &Locks, retries: u32) -> Grace {
        let left = self.left(locks).unwrap_or(Duration::MAX);
        let commit = COMMIT_GRACE.saturating_mul(2_u32.saturating_pow(retries));
        Grace { commit: commit.min(LONGEST_COMMIT_GRACE).min(left), loose: left }
    }

    /// Opens the file, runs the batch and closes the file again. `open` says how far it came.
    /// Returns `None`, and has run nothing, where a batch that may write turns out only to read.
    fn attempt(
        &self,
        grace: Grace,
        output: &Output,
        taker: &mut Taker,
        open: &mut bool,
    ) -> Result<Option<Done>, SqlError> {
        let Database { engine, path, missing, .. } = self.database;
        let session = engine.open(path, self.access, *missing)?;
        *open = true;
        let batch = &self.sql.batch;
        if self.access == Access::Write
            && !self.plan.is_certain
            && !self.is_settled
            && batch.only_reads(&*session)
        {
            return Ok(None);
        }
        let done = {
            let mut sink = sink(output, taker.writer())?;
            batch.attempt(&*session, self.access, grace, &mut *sink)?
        };
        // The batch is committed: whatever this is, it must not be told as a failure of the batch.
        if let Err(error) = session.close() {
            let file = self.sql.shown(path);
            self.sql.voice.warn(&format!(
                "the batch is done, but {file} could not be tidied up: {}",
                error.message
            ));
        }
        Ok(Some(done))
    }

    /// Waits until it is worth trying again.
    ///
    /// # Errors
    /// The time or the number of retries is up, or a signal came.
    fn wait(&self, locks: &Locks, error: &SqlError, story: &mut Story) -> Result<(), Failure> {
        let Sql { request, voice, watching, .. } = self.sql;
        let code = error.code.map_or(String::new(), |code| format!(" ({code})"));
        tracing::debug!(retries = story.retries, message = error.message, "busy");
        if request.retries.is_some_and(|most| story.retries >= most) {
            self.name_who_is_seen(locks)?;
            return Err(self.given_up(Outcome::WouldBlock, story, error));
        }
        let begun = Instant::now();
        self.settle(locks, story)?;
        if self.is_late(locks) {
            self.name_who_is_seen(locks)?;
            return Err(self.out_of_time(locks, story, error));
        }
        if begun.elapsed() < WAS_BUSY {
            let backoff =
                Backoff { delay: request.retry_delay, max_delay: request.retry_max_delay };
            let pause = pause(backoff, story.unseen);
            let pause = self.left(locks).map_or(pause, |left| pause.min(left));
            story.unseen += 1;
            if !watching.pause(pause) {
                return Err(self.fail(SqlError::new(Trouble::Interrupted, "")));
            }
        }
        story.retries += 1;
        story.waited += begun.elapsed();
        voice.detail(|| {
            let waited = begun.elapsed().as_millis();
            format!("busy: {}{code}; retry {} after {waited}ms", error.message, story.retries)
        });
        Ok(())
    }

    /// Waits for locks that can be seen. A file that may be written to is waited for as a writer
    /// does, whatever the batch is: writers until they leave, readers for a while.
    fn settle(&self, locks: &Locks, story: &Story) -> Result<(), Failure> {
        if locks.mode == Mode::Shared {
            return self.native(locks, Want::Shared, locks.patience, None);
        }
        if self.sql.request.lock.native == Native::Fail {
            return self.native(locks, Want::Exclusive, locks.patience, None);
        }
        self.native(locks, Want::Begin, locks.patience, None)?;
        if locks.patience.nonblock {
            return Ok(());
        }
        let limit = READERS_GRACE.saturating_mul(2_u32.saturating_pow(story.retries));
        let limit = limit.min(LONGEST_READERS_GRACE).max(story.ran);
        match self.native(locks, Want::Exclusive, locks.patience, Some(Instant::now() + limit)) {
            Err(failure) if failure.outcome == Outcome::Timeout && !self.is_late(locks) => Ok(()),
            settled => settled,
        }
    }

    /// Fails with the holder of a lock that can be seen.
    fn name_who_is_seen(&self, locks: &Locks) -> Result<(), Failure> {
        let now = Patience { nonblock: true, ..locks.patience };
        self.native(locks, Want::Exclusive, now, None)
    }

    /// Waits for the locks of others. The file is closed meanwhile: to look is to open it.
    fn native(
        &self,
        locks: &Locks,
        want: Want,
        patience: Patience,
        limit: Option<Instant>,
    ) -> Result<(), Failure> {
        let Sql { request, voice, settings, .. } = self.sql;
        let files = std::slice::from_ref(&request.file);
        let display = Display::new(voice, settings.network, files);
        settle_native(&request.lock, &locks.guards, want, &patience, limit, &display, voice)
    }

    /// Whether no time is left.
    fn is_late(&self, locks: &Locks) -> bool {
        self.left(locks).is_some_and(|left| left.is_zero())
    }

    /// Returns how much time is left; `None` for any.
    fn left(&self, locks: &Locks) -> Option<Duration> {
        let deadline = locks.patience.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    fn out_of_time(&self, locks: &Locks, story: &Story, error: &SqlError) -> Failure {
        let outcome = match locks.patience.nonblock {
            true => Outcome::WouldBlock,
            false => Outcome::Timeout,
        };
        self.given_up(outcome, story, error)
    }

    fn given_up(&self, outcome: Outcome, story: &Story, error: &SqlError) -> Failure {
        let file = self.sql.shown(&self.database.path);
        let message = match outcome {
            Outcome::Timeout => {
                let limit = self.sql.request.lock.timeout.finite().unwrap_or_default();
                format!("{file} is still busy after {}", report::duration(limit))
            }
            _ if story.retries > 0 => {
                format!("{file} is still busy after {} retries", story.retries)
            }
            _ => format!("{file} is busy"),
        };
        let mut failure = Failure::new(outcome, message).caused_by(&error.message);
        failure.causes.extend(error.code.map(str::to_owned));
        failure
            .hint("its locks come and go: wait longer with -w, or end who uses it without dbguard")
    }

    fn fail(&self, error: SqlError) -> Failure {
        tell::failure(error, &self.sql.batch, &self.database.path, self.sql)
    }
}

impl Yield {
    /// Prints what was held back and how it went. The batch is committed by now and the locks are
    /// given back: a reader of the output may take as long as it likes.
    pub(super) fn print(self, output: &Output, sql: &Sql<'_>) -> Result<(), Failure> {
        let Self { mut taker, done, story, access } = self;
        let told = match output.format {
            None => taker.writer().write_all(footer(done, &story).as_bytes()),
            Some(_) => Ok(()),
        };
        sql.watching.let_go();
        match told.and_then(|()| taker.finish()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => {
                let failure = Failure::new(Outcome::IoError, "cannot write the results");
                let failure = failure.caused_by(error);
                return Err(match access {
                    Access::Read => failure,
                    Access::Write => failure.hint("the batch itself is done; do not repeat it"),
                });
            }
        }
        if access == Access::Write && !sql.voice.is_json() {
            sql.voice.detail(|| match done.changed {
                1 => "1 row changed".to_owned(),
                count => format!("{count} rows changed"),
            });
        }
        sql.voice.detail(|| {
            let (tries, waited) = (story.retries + 1, story.waited.as_millis());
            let tries = if tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") };
            let ran = story.ran.as_millis();
            format!("done in {tries}, {waited}ms waited between them, {ran}ms run")
        });
        Ok(())
    }
}

fn is_broken_pipe(error: &SqlError) -> bool {
    error.output.as_ref().is_some_and(|output| output.kind() == io::ErrorKind::BrokenPipe)
}

/// Returns the sink for the format; the document of `--json` is begun.
fn sink<'w>(output: &Output, writer: &'w mut dyn Write) -> io::Result<Box<dyn Sink + 'w>> {
    match output.format {
        Some(format) => Ok(printer(format, &output.style, writer)),
        None => {
            writer.write_all(b"{\"schema\":1,\"results\":[")?;
            Ok(Box::new(document(writer)))
        }
    }
}

/// Returns the end of the document of `--json`.
fn footer(done: Done, story: &Story) -> String {
    format!(
        "],\"changed\":{},\"statements\":{},\"tries\":{},\"retry_wait_ms\":{},\"run_ms\":{}}}\n",
        done.changed,
        done.statements,
        story.retries + 1,
        story.waited.as_millis(),
        story.ran.as_millis()
    )
}
