//! The processes of a test, and the signals that end them all.
//!
//! Signals are held off in every thread from before anything is made until it is removed again.
//! The main thread fetches them while the others start processes and read what those print. Each
//! process is named to the main thread from its start until its output has ended, which is before
//! it is reaped: so no number is signalled that is another process's by now.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::commands::explain;
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::platform::signals::{
    self, Arrival, Origin, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, Watch,
};
use crate::platform::spawn::{Change, Child, Launch};
use crate::platform::{NOWHERE, host, lend};

/// How often the main thread looks whether the work is done, and draws.
const TICK: Duration = Duration::from_millis(20);

/// How long processes may take to end before they are killed.
const GRACE: Duration = Duration::from_secs(5);

/// The most that is kept of what a process prints.
const LONGEST_OUTPUT: u64 = 256 * 1024;

/// Starts processes, and ends them when a signal comes.
pub(super) struct Crew {
    program: PathBuf,
    watch: Watch,
    nothing: File,
    living: Mutex<BTreeSet<u32>>,
    stopped: AtomicBool,
    clearing: AtomicBool,
    /// How many signals have come.
    asked: AtomicU32,
    arrived: Mutex<Option<Arrival>>,
}

/// A process that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) change: Change,
    /// What it printed, on both of its outputs.
    pub(super) output: String,
    /// From before its start until it was reaped.
    pub(super) took: Duration,
}

/// A process that runs.
pub(super) struct Started<'a> {
    crew: &'a Crew,
    child: Child,
    pub(super) output: PipeReader,
    begun: Instant,
}

impl Crew {
    /// Holds signals off from here on.
    pub(super) fn new() -> Result<Self, Failure> {
        let failed = |what: &str, error: io::Error| {
            Failure::new(Outcome::OsError, format!("cannot {what}")).caused_by(error)
        };
        Ok(Self {
            program: env::current_exe().map_err(|error| failed("find dbguard itself", error))?,
            nothing: File::open(NOWHERE).map_err(|error| failed("open the null device", error))?,
            watch: Watch::new(&[SIGINT, SIGTERM, SIGHUP, SIGQUIT]),
            living: Mutex::default(),
            stopped: AtomicBool::new(false),
            clearing: AtomicBool::new(false),
            asked: AtomicU32::new(0),
            arrived: Mutex::default(),
        })
    }

    /// Whether nothing more is to be begun.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Has nothing more begun; what runs may end.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// Clears up, which one signal does not cut short.
    pub(super) fn clear_up<T>(&self, clear: impl FnOnce() -> T) -> T {
        self.clearing.store(true, Ordering::SeqCst);
        let result = clear();
        self.clearing.store(false, Ordering::SeqCst);
        result
    }

    /// Whether somebody has asked more than once for the end.
    pub(super) fn is_urgent(&self) -> bool {
        self.asked.load(Ordering::SeqCst) > 1
    }

    fn is_clearing(&self) -> bool {
        self.clearing.load(Ordering::SeqCst)
    }

    /// Returns the signal that ended the work.
    pub(super) fn arrived(&self) -> Option<Arrival> {
        *self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns this program.
    pub(super) fn program(&self) -> &PathBuf {
        &self.program
    }

    /// Starts this program; its input is `input`, or nothing.
    pub(super) fn start(
        &self,
        words: &[OsString],
        input: Option<&PipeReader>,
        environment: &[(&str, Option<OsString>)],
    ) -> io::Result<Started<'_>> {
        let begun = Instant::now();
        let (output, writer) = io::pipe()?;
        let arguments = [&[OsString::from("dbguard")], words].concat();
        let child = Child::spawn(&Launch {
            program: &self.program,
            arguments: &arguments,
            environment,
            input: Some(input.map_or(lend(&self.nothing), lend)),
            output: Some(lend(&writer)),
            errors: Some(lend(&writer)),
            inherit: &[],
            mask: self.watch.mask_before(),
        })?;
        self.living().insert(child.pid());
        if self.arrived().is_some() && !self.is_clearing() {
            // It missed the signal that was sent to the others.
            signals::send(child.pid(), SIGTERM);
        }
        Ok(Started { crew: self, child, output, begun })
    }

    /// Runs this program to its end.
    ///
    /// # Errors
    /// It cannot be started. How it ended is no error here.
    pub(super) fn run(
        &self,
        words: &[OsString],
        environment: &[(&str, Option<OsString>)],
    ) -> Result<Ended, Failure> {
        let failed = |error: io::Error| {
            let failure = Failure::new(Outcome::OsError, "cannot start a process of the test");
            match explain::is_exhausted(&error) {
                true => failure.hint("ask for fewer --workers").caused_by(error),
                false => failure.caused_by(error),
            }
        };
        self.start(words, None, environment).and_then(Started::finish).map_err(failed)
    }

    /// Does the jobs, each in a thread, and attends to signals until they are done; `tick` is
    /// called meanwhile, again and again.
    pub(super) fn attend<T: Send>(
        &self,
        jobs: Vec<Box<dyn FnOnce() -> T + Send + '_>>,
        mut tick: impl FnMut(),
    ) -> io::Result<Vec<T>> {
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for job in jobs {
                let started = thread::Builder::new().spawn_scoped(scope, job);
                // Those that have begun end by themselves, and the scope waits for them.
                threads.push(started.inspect_err(|_| self.stop())?);
            }
            let mut kill_at = None;
            while threads.iter().any(|thread| !thread.is_finished()) {
                if let Some(arrival) = self.watch.wait(Some(TICK)) {
                    self.hear(arrival, &mut kill_at);
                }
                if kill_at.is_some_and(|at| Instant::now() >= at) {
                    self.send_all(SIGKILL, |_| true);
                }
                tick();
            }
            let results = threads.into_iter().map(|thread| thread.join());
            results.map(|result| result.map_err(|_| io::Error::other("a thread failed"))).collect()
        })
    }

    /// Does one job, attending to signals.
    pub(super) fn attend_one<T: Send>(
        &self,
        job: impl FnOnce() -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        let done = self.attend(vec![Box::new(job)], || {}).map_err(no_thread)?;
        done.into_iter().next().unwrap_or_else(|| Err(no_thread(io::Error::other("no result"))))
    }

    fn hear(&self, arrival: Arrival, kill_at: &mut Option<Instant>) {
        self.stop();
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(arrival);
        // Whoever asks twice is not made to wait.
        match (self.is_urgent(), self.is_clearing()) {
            (false, false) => {}
            (false, true) => return,
            (true, false) => return *kill_at = Some(Instant::now()),
            (true, true) => return self.send_all(SIGTERM, |_| true),
        }
        *kill_at = Some(Instant::now() + GRACE);
        let is_key = arrival.origin == Origin::Kernel && matches!(arrival.signal, SIGINT | SIGQUIT);
        // A key of the terminal has reached those in our group already.
        self.send_all(SIGTERM, |pid| !is_key || !host::shares_process_group(pid));
    }

    fn send_all(&self, signal: i32, is_meant: impl Fn(u32) -> bool) {
        for pid in self.living().iter().copied().filter(|pid| is_meant(*pid)) {
            signals::send(pid, signal);
        }
    }

    fn living(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Started<'_> {
    /// Kills it.
    pub(super) fn kill(&self) {
        signals::send(self.child.pid(), SIGKILL);
    }

    /// Waits for its end.
    pub(super) fn finish(mut self) -> io::Result<Ended> {
        let mut kept = Vec::new();
        let read = (&mut self.output).take(LONGEST_OUTPUT).read_to_end(&mut kept);
        let read = read.and_then(|_| io::copy(&mut self.output, &mut io::sink()));
        self.crew.living().remove(&self.child.pid());
        let change = self.child.wait()?;
        read?;
        let output = String::from_utf8_lossy(&kept).into_owned();
        Ok(Ended { change, output, took: self.begun.elapsed() })
    }
}

/// Returns a pipe for the input of a process.
pub(super) fn input() -> io::Result<(PipeReader, PipeWriter)> {
    io::pipe()
}

/// Returns the failure of a thread that could not be started.
pub(super) fn no_thread(error: io::Error) -> Failure {
    Failure::new(Outcome::OsError, "cannot start the threads of the test").caused_by(error)
}
