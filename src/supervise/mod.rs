//! Runs a command to its end.
//!
//! # Which signals reach the command
//!
//! A key at the terminal (Ctrl-C, Ctrl-\, Ctrl-Z) and the terminal's end signal the whole
//! foreground process group. The command is in ours, so it has the signal already; a second
//! copy would mean "quit hard" to some programs. What another process sends to dbguard alone is
//! meant for the job and is forwarded. The kernel says which it was.
//!
//! # Job control
//!
//! The command stays in dbguard's process group, so that it may read the terminal. When a
//! job-control signal stops it, dbguard stops too, as the shell expects of the job it knows,
//! and continues it when it is continued itself: an editor that suspends only itself would
//! otherwise hang the shell. Where no shell watches (not in the foreground of a terminal)
//! dbguard goes on waiting, for nobody would continue it.

mod tree;

use std::io;
use std::time::{Duration, Instant};

use crate::platform::signals::{
    self, Arrival, Origin, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTSTP,
    SIGUSR1, SIGUSR2, Watch,
};
use crate::platform::spawn::{self, Change, Child, Launch};
use crate::platform::{host, process};

pub use tree::descendants;

const SIGNALS: [i32; 9] =
    [SIGCHLD, SIGCONT, SIGTERM, SIGHUP, SIGQUIT, SIGINT, SIGUSR1, SIGUSR2, SIGTSTP];

/// What bounds the run of a command.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long it may run; then everything it started is ended.
    pub max_hold: Option<Duration>,
    /// How long after the first, polite request it is killed; `None` for never.
    pub kill_after: Option<Duration>,
    /// Wait for everything it started, not only for itself.
    pub hold_descendants: bool,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// It ran for longer than allowed.
    MaxHold,
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// How the command ended.
    pub ending: Ending,
    /// Ctrl-C or Ctrl-\ was typed at the terminal while it ran.
    pub key: Option<i32>,
}

/// A command ready to be run with other descriptors each time.
pub struct Supervisor {
    watch: Watch,
    limits: Limits,
}

impl Supervisor {
    /// Begins to watch signals: from here on none of those that are forwarded is lost.
    ///
    /// # Errors
    /// The system cannot hand us orphaned descendants, which a limit or `hold_descendants` needs.
    pub fn new(limits: Limits) -> io::Result<Self> {
        let supervisor = Self { watch: Watch::new(&SIGNALS), limits };
        if limits.max_hold.is_some() || limits.hold_descendants {
            process::adopt_orphans()?;
        }
        Ok(supervisor)
    }

    /// Returns the mask that a command has to start with.
    pub fn mask(&self) -> signals::SignalMask {
        self.watch.mask_before()
    }

    /// Waits between two runs; returns the signal that asked us to end meanwhile.
    pub fn pause(&self, limit: Duration) -> Option<Arrival> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.watch.wait(Some(left)) {
                Some(Arrival { signal: SIGCHLD | SIGCONT, .. }) => {}
                // Nothing runs that could be stopped with us.
                Some(Arrival { signal: SIGTSTP, .. }) => signals::stop_self(),
                arrival => return arrival,
            }
        }
    }

    /// Starts the command, calls `started` with its process id, and blocks until it has ended.
    pub fn run(&self, launch: &Launch<'_>, started: impl FnOnce(u32)) -> io::Result<Run> {
        let child = Child::spawn(launch)?;
        started(child.pid());
        let begun = Instant::now();
        let mut tending = Tending {
            watch: &self.watch,
            pid: child.pid(),
            limits: self.limits,
            term_at: self.limits.max_hold.map(|limit| begun + limit),
            kill_at: None,
            ended_by_us: false,
            key: None,
        };
        let ending = tending.until_it_ends(&child)?;
        if self.limits.hold_descendants || tending.ended_by_us {
            tending.until_no_descendants()?;
        }
        let ending = if tending.ended_by_us { Ending::MaxHold } else { ending };
        Ok(Run { ending, key: tending.key })
    }
}

/// A command that runs.
struct Tending<'a> {
    watch: &'a Watch,
    pid: u32,
    limits: Limits,
    term_at: Option<Instant>,
    kill_at: Option<Instant>,
    ended_by_us: bool,
    key: Option<i32>,
}

impl Tending<'_> {
    fn until_it_ends(&mut self, child: &Child) -> io::Result<Ending> {
        loop {
            let Some(arrival) = self.next() else { continue };
            if arrival.signal != SIGCHLD {
                self.pass_on(arrival);
                continue;
            }
            match child.try_wait()? {
                Some(Change::Exited(code)) => return Ok(Ending::Exited(code)),
                Some(Change::Signaled(signal)) => return Ok(Ending::Signaled(signal)),
                Some(Change::Stopped(_)) => self.stop_with_it(),
                None => {}
            }
        }
    }

    /// Waits until nothing that the command started is left.
    fn until_no_descendants(&mut self) -> io::Result<()> {
        loop {
            match spawn::try_reap_any() {
                Ok(true) => continue,
                Ok(false) => {}
                // There is nobody left to wait for.
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(()),
                Err(error) => return Err(error),
            }
            if let Some(arrival) = self.next()
                && arrival.signal != SIGCHLD
            {
                self.pass_on(arrival);
            }
        }
    }

    /// Returns the next signal, or `None` when a limit was reached and acted upon.
    fn next(&mut self) -> Option<Arrival> {
        let due = self.term_at.into_iter().chain(self.kill_at).min();
        let limit = due.map(|due| due.saturating_duration_since(Instant::now()));
        let arrival = self.watch.wait(limit);
        if arrival.is_none() {
            self.enforce();
        }
        arrival
    }

    fn enforce(&mut self) {
        let now = Instant::now();
        if self.term_at.is_some_and(|at| now >= at) {
            self.term_at = None;
            self.ended_by_us = true;
            self.kill_at = self.limits.kill_after.map(|after| now + after);
            tracing::warn!(pid = self.pid, "held for too long: sending TERM");
            self.signal_all(SIGTERM);
        } else if self.kill_at.is_some_and(|at| now >= at) {
            // Again soon, for what was started in the meantime.
            self.kill_at = Some(now + Duration::from_millis(100));
            self.signal_all(SIGKILL);
        }
    }

    /// Signals the command and every descendant that can be named, stopped ones too.
    fn signal_all(&self, signal: i32) {
        for pid in descendants(std::process::id()) {
            signals::send(pid, signal);
            signals::send(pid, SIGCONT);
        }
    }

    fn pass_on(&mut self, arrival: Arrival) {
        let from_terminal =
            arrival.origin == Origin::Kernel && host::shares_process_group(self.pid);
        if from_terminal && matches!(arrival.signal, SIGINT | SIGQUIT) {
            self.key = Some(arrival.signal);
        }
        if !from_terminal {
            tracing::debug!(signal = arrival.signal, pid = self.pid, "forwarding a signal");
            signals::send(self.pid, arrival.signal);
        }
    }

    fn stop_with_it(&self) {
        // Continued together with it a moment ago: the report of the stop is out of date.
        let continued = self.watch.try_take(SIGCONT);
        if !continued && host::in_foreground() {
            signals::stop_self();
            self.watch.try_take(SIGCONT);
        }
        if continued || host::in_foreground() {
            signals::send(self.pid, SIGCONT);
        }
    }
}
