//! Runs a command to its end.
//!
//! # Which signals reach the command
//!
//! A key at the terminal (Ctrl-C, Ctrl-\, Ctrl-Z) signals the whole foreground process group.
//! The command is in ours, so it has the signal already; a second copy would mean "quit hard" to
//! some programs. What another process sends to dbguard alone is meant for the job and is
//! forwarded. The kernel says which it was.
//!
//! A terminal that hangs up is no such key: the kernel tells the leader of the session only,
//! which is dbguard under `ssh -t` or `docker run -it`. So HUP is always forwarded; a second one
//! does no harm.
//!
//! # Whose processes are waited for and ended
//!
//! What was below dbguard before it started anything (a shell that became dbguard left it there)
//! is not the command's: it is neither waited for nor signalled, and its status is left alone.
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

use crate::platform::process::{self, ProcessHandle};
use crate::platform::signals::{
    self, Arrival, Origin, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGTSTP,
    SIGUSR1, SIGUSR2, Watch,
};
use crate::platform::spawn::{self, Change, Child, Launch};
use crate::platform::{errors, host};

use tree::Family;

const SIGNALS: [i32; 9] =
    [SIGCHLD, SIGCONT, SIGTERM, SIGHUP, SIGQUIT, SIGINT, SIGUSR1, SIGUSR2, SIGTSTP];

/// What bounds the run of a command.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// When everything it started is ended, however often it was run again until then.
    pub end: Option<Instant>,
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
    /// The lease ended that it ran under.
    LeaseEnded,
}

/// How often the lease is looked at that a command runs under.
const LEASE_LOOK: Duration = Duration::from_secs(1);

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// How the command ended.
    pub ending: Ending,
    /// Ctrl-C or Ctrl-\ was typed at the terminal while it ran.
    pub key: Option<i32>,
}

/// What cut a pause between two runs short.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// A signal that asks us to end.
    Signal(Arrival),
    /// The limit of all runs together, or the end of the lease.
    End(Ending),
}

/// Tells whether the lease has ended that a command runs under. Asked once a second.
pub type LeaseWatch<'a> = Box<dyn Fn() -> bool + 'a>;

/// Runs a command, and again if need be, under limits that count for all the runs together.
pub struct Supervisor<'a> {
    watch: Watch,
    limits: Limits,
    lease: Option<LeaseWatch<'a>>,
    family: Option<Family>,
}

impl<'a> Supervisor<'a> {
    /// Begins to watch signals: from here on none of those that are forwarded is lost. When `lease`
    /// says that it has ended, everything that was started is ended.
    ///
    /// # Errors
    /// The system cannot hand us orphaned descendants, which `hold_descendants` needs.
    pub fn new(limits: Limits, lease: Option<LeaseWatch<'a>>) -> io::Result<Self> {
        let watch = Watch::new(&SIGNALS);
        let has_family = limits.end.is_some() || lease.is_some() || limits.hold_descendants;
        let family = has_family.then(Family::before_any_start);
        if has_family {
            match process::adopt_orphans() {
                // A limit still ends all that can be named; but nobody could wait for the rest.
                Err(error)
                    if error.kind() == io::ErrorKind::Unsupported && !limits.hold_descendants => {}
                adopted => adopted?,
            }
        }
        Ok(Self { watch, limits, lease, family })
    }

    /// Returns the mask that a command has to start with.
    pub fn mask(&self) -> signals::SignalMask {
        self.watch.mask_before()
    }

    /// Waits between two runs; returns what cut the pause short.
    pub fn pause(&self, limit: Duration) -> Option<Cut> {
        let until = Instant::now() + limit;
        let until = self.limits.end.map_or(until, |end| end.min(until));
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.watch.wait(Some(left)) {
                Some(Arrival { signal: SIGCHLD | SIGCONT, .. }) => {}
                // Nothing runs that could be stopped with us.
                Some(Arrival { signal: SIGTSTP, .. }) => signals::stop_self(),
                Some(arrival) => return Some(Cut::Signal(arrival)),
                None => return self.is_over().map(Cut::End),
            }
        }
    }

    /// Returns why nothing may run any more: the limit of all runs is reached, or the lease ended.
    pub fn is_over(&self) -> Option<Ending> {
        let is_late = self.limits.end.is_some_and(|end| Instant::now() >= end);
        let is_lost = || self.lease.as_ref().is_some_and(|is_over| is_over());
        match is_late {
            true => Some(Ending::MaxHold),
            false => is_lost().then_some(Ending::LeaseEnded),
        }
    }

    /// Starts the command, calls `started` with its process id, and blocks until it has ended.
    pub fn run(&mut self, launch: &Launch<'_>, started: impl FnOnce(u32)) -> io::Result<Run> {
        let child = Child::spawn(launch)?;
        started(child.pid());
        let mut tending = Tending {
            watch: &self.watch,
            family: self.family.as_mut(),
            pid: child.pid(),
            limits: self.limits,
            lease: self.lease.as_deref(),
            look_at: self.lease.as_ref().map(|_| Instant::now()),
            term_at: self.limits.end,
            kill_at: None,
            ended_by_us: None,
            key: None,
        };
        let ending = tending.until_it_ends(&child)?;
        if self.limits.hold_descendants || tending.ended_by_us.is_some() {
            tending.until_no_descendants()?;
        }
        Ok(Run { ending: tending.ended_by_us.unwrap_or(ending), key: tending.key })
    }
}

/// A command that runs.
struct Tending<'a> {
    watch: &'a Watch,
    family: Option<&'a mut Family>,
    pid: u32,
    limits: Limits,
    lease: Option<&'a (dyn Fn() -> bool + 'a)>,
    look_at: Option<Instant>,
    term_at: Option<Instant>,
    kill_at: Option<Instant>,
    /// Why it was ended, if it was.
    ended_by_us: Option<Ending>,
    key: Option<i32>,
}

impl Tending<'_> {
    fn until_it_ends(&mut self, child: &Child) -> io::Result<Ending> {
        loop {
            let Some(arrival) = self.next() else { continue };
            if arrival.signal != SIGCHLD {
                self.pass_on(arrival, &[Target { pid: self.pid, start: None }]);
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
        while self.has_descendants()? {
            let Some(arrival) = self.next() else { continue };
            if arrival.signal != SIGCHLD {
                // The command is reaped: its number may be another process's by now.
                let living = self.descendants();
                self.pass_on(arrival, &living);
            }
            if arrival.signal == SIGTSTP && host::in_foreground() {
                signals::stop_self();
            }
        }
        Ok(())
    }

    /// Reaps what has ended of what was handed to us, and says whether anything is left.
    fn has_descendants(&mut self) -> io::Result<bool> {
        let Some(family) = self.family.as_mut().filter(|family| family.has_strangers()) else {
            return has_children();
        };
        let me = std::process::id();
        let left = family.members().into_iter().filter(|((pid, _), parent)| {
            // Who is not our child is reaped by a parent that is still there and counts.
            *parent != me || !process::try_reap(*pid)
        });
        Ok(left.count() > 0)
    }

    fn descendants(&mut self) -> Vec<Target> {
        let members = self.family.as_mut().map(|family| family.members()).unwrap_or_default();
        members.into_iter().map(|((pid, start), _)| Target { pid, start: Some(start) }).collect()
    }

    /// Returns the next signal, or `None` when a limit was reached and acted upon.
    fn next(&mut self) -> Option<Arrival> {
        let due = [self.look_at, self.term_at, self.kill_at].into_iter().flatten().min();
        let limit = due.map(|due| due.saturating_duration_since(Instant::now()));
        let arrival = self.watch.wait(limit);
        if arrival.is_none() {
            self.enforce();
        }
        arrival
    }

    fn enforce(&mut self) {
        let now = Instant::now();
        if self.look_at.is_some_and(|at| now >= at) {
            let is_over = self.lease.is_some_and(|is_over| is_over());
            self.look_at = (!is_over).then(|| now + LEASE_LOOK);
            if is_over {
                self.end_all(Ending::LeaseEnded);
            }
        } else if self.term_at.is_some_and(|at| now >= at) {
            self.end_all(Ending::MaxHold);
        } else if self.kill_at.is_some_and(|at| now >= at) {
            // Again soon, for what was started in the meantime.
            self.kill_at = Some(now + Duration::from_millis(100));
            self.signal_all(SIGKILL);
        }
    }

    /// Asks everything to end, once.
    fn end_all(&mut self, why: Ending) {
        self.term_at = None;
        self.look_at = None;
        self.ended_by_us = Some(why);
        self.kill_at = self.limits.kill_after.map(|after| Instant::now() + after);
        tracing::warn!(pid = self.pid, ?why, "sending TERM");
        self.signal_all(SIGTERM);
    }

    /// Signals the command and every descendant that can be named, stopped ones too.
    fn signal_all(&mut self, signal: i32) {
        for process in self.descendants() {
            process.signal(signal);
            process.signal(SIGCONT);
        }
    }

    fn pass_on(&mut self, arrival: Arrival, targets: &[Target]) {
        let Arrival { signal, origin } = arrival;
        let is_key = origin == Origin::Kernel && matches!(signal, SIGINT | SIGQUIT | SIGTSTP);
        for target in targets {
            if !is_key || !host::shares_process_group(target.pid) {
                tracing::debug!(signal, pid = target.pid, "forwarding a signal");
                target.signal(signal);
            } else if signal != SIGTSTP {
                self.key = Some(signal);
            }
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

/// A process that gets a signal.
struct Target {
    pid: u32,
    /// When it started; `None` for the command, whose number nobody else gets before it is reaped.
    start: Option<u64>,
}

impl Target {
    /// Signals the process, and no other one that has its number by now.
    fn signal(&self, signal: i32) {
        match self.start.map(|start| ProcessHandle::open_started(self.pid, start)) {
            Some(Ok(Some(process))) => drop(process.signal(signal)),
            Some(Ok(None)) => {}
            // The kernel has no handles, or none is left.
            None | Some(Err(_)) => drop(signals::send(self.pid, signal)),
        }
    }
}

/// Reaps every child that has ended; `false` once there are none.
fn has_children() -> io::Result<bool> {
    loop {
        match spawn::try_reap_any() {
            Ok(true) => {}
            Ok(false) => return Ok(true),
            Err(error) if errors::is_childless(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
