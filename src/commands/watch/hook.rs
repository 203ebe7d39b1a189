//! `--exec`: the user's command, run for each event, one at a time.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, Write, pipe};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel,
};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::super::program::Program;
use super::super::voice::Voice;
use crate::cli::exec_args::Program as Wanted;
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::platform::process::ProcessHandle;
use crate::platform::signals::SignalMask;
use crate::platform::spawn::{Change, Child, Launch};
use crate::platform::{NOWHERE, lend};
use crate::watch::{Event, Kind};

/// So many events can wait for the command.
const MOST_WAITING: usize = 1_000;

/// How long is waited for the command's end before it is asked again.
const GLANCE: Duration = Duration::from_secs(60);

/// After so long at the end it is said what is waited for.
const SILENCE: Duration = Duration::from_secs(1);

/// The command, and the thread that runs it.
pub(super) struct Hook {
    queue: Option<SyncSender<Job>>,
    worker: Option<JoinHandle<()>>,
    news: Receiver<String>,
    left_out: u64,
}

/// One event for the command.
struct Job {
    line: String,
    variables: Vec<(&'static str, Option<OsString>)>,
}

/// Runs the command.
struct Runner {
    program: Program,
    mask: SignalMask,
    /// Where its output goes, if not to our own standard error.
    nowhere: Option<File>,
    news: Sender<String>,
}

impl Hook {
    /// Finds the shell, and makes ready to run `command` with this signal mask; on a screen its
    /// output goes nowhere.
    pub(super) fn new(
        command: OsString,
        mask: SignalMask,
        is_screen: bool,
    ) -> Result<Self, Failure> {
        let program = Program::find(Wanted::Shell(command))?;
        let cannot = |what: &str, error: io::Error| {
            Failure::new(Outcome::OsError, what.to_owned()).caused_by(error)
        };
        let nowhere = is_screen.then(|| File::options().write(true).open(NOWHERE)).transpose();
        let nowhere = nowhere.map_err(|error| cannot(&format!("cannot open {NOWHERE}"), error))?;
        let (queue, jobs) = sync_channel::<Job>(MOST_WAITING);
        let (sender, news) = channel();
        let runner = Runner { program, mask, nowhere, news: sender };
        let worker = thread::Builder::new().spawn(move || {
            jobs.into_iter().for_each(|job| runner.run(&job));
        });
        let worker = worker.map_err(|error| cannot("cannot start a thread", error))?;
        Ok(Self { queue: Some(queue), worker: Some(worker), news, left_out: 0 })
    }

    /// Has the command run for an event, in its turn. What is there already is none.
    pub(super) fn tell(&mut self, event: &Event) {
        if event.initial || event.event == Kind::Watching {
            return;
        }
        let Some(queue) = &self.queue else { return };
        let pid = event.party.as_ref().map(|party| party.child_pid.unwrap_or(party.pid));
        let pid = pid.filter(|pid| *pid != 0).map(|pid| pid.to_string().into());
        let variables = vec![
            ("DBGUARD_EVENT", Some(event.event.word().into())),
            ("DBGUARD_FILE", Some(event.path.clone().into())),
            ("DBGUARD_PID", pid),
        ];
        let job = Job { line: event.line() + "\n", variables };
        match queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.left_out += 1,
        }
    }

    /// Returns what went wrong since the last call.
    pub(super) fn news(&mut self) -> Vec<String> {
        let mut news: Vec<String> = self.news.try_iter().collect();
        if self.left_out > 0 {
            news.push(format!("--exec is too slow: {} events were left out", self.left_out));
            self.left_out = 0;
        }
        news
    }

    /// Waits until the command has been run for every event that waits, and tells what went
    /// wrong; of a long wait it says so, or the terminal would seem to hang.
    pub(super) fn finish(mut self, voice: &Voice) {
        drop(self.queue.take());
        self.news().iter().for_each(|problem| voice.warn(problem));
        let mut patience = SILENCE;
        loop {
            match self.news.recv_timeout(patience) {
                Ok(problem) => voice.warn(&problem),
                Err(RecvTimeoutError::Timeout) => {
                    if patience == SILENCE {
                        voice.notice("waiting for the command of --exec to end");
                    }
                    patience = GLANCE;
                }
                // The worker has nothing more to run.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(worker) = self.worker.take() {
            // A panic in it has been told, and everything else is over.
            drop(worker.join());
        }
    }
}

impl Runner {
    fn run(&self, job: &Job) {
        let problem = match self.started(job).and_then(|child| awaited(&child)) {
            Ok(Change::Exited(0)) => return,
            Ok(Change::Exited(code)) => format!("--exec: the command exited with {code}"),
            Ok(Change::Signaled(signal)) => format!("--exec: signal {signal} ended the command"),
            Ok(Change::Stopped(_)) => return,
            Err(error) => format!("--exec: cannot run the command: {error}"),
        };
        // Nobody is there to be told at the end.
        drop(self.news.send(problem));
    }

    /// Starts the command and feeds it.
    fn started(&self, job: &Job) -> io::Result<Child> {
        let (reader, mut writer): (PipeReader, _) = pipe()?;
        let error = io::stderr();
        let nowhere = self.nowhere.as_ref().map(lend);
        let output = nowhere.unwrap_or_else(|| lend(&error));
        let child = Child::spawn(&Launch {
            program: &self.program.file,
            arguments: &self.program.arguments,
            environment: &job.variables,
            input: Some(lend(&reader)),
            output: Some(output),
            errors: nowhere,
            inherit: &[],
            mask: self.mask,
        })?;
        drop(reader);
        // A command that does not read its input is free not to.
        drop(writer.write_all(job.line.as_bytes()));
        Ok(child)
    }
}

/// Waits for the end of a child.
fn awaited(child: &Child) -> io::Result<Change> {
    let handle = ProcessHandle::open(child.pid())?;
    loop {
        match child.try_wait()? {
            Some(change @ (Change::Exited(_) | Change::Signaled(_))) => return Ok(change),
            // One that is stopped goes on or not; its turn is not over.
            Some(Change::Stopped(_)) | None => drop(handle.wait(GLANCE)?),
        }
    }
}
