//! TERM, then KILL, and no more of either than the lock takes.
//!
//! A dbguard that runs a command is asked first: it hands the signal on, and gives the lock back in
//! order. Whoever it leaves behind with the lock is asked when it has ended. KILL goes to what a
//! dbguard runs before it goes to that dbguard, which can then tell and count what happened. Before
//! each signal it is looked again, so that nobody is ended who has let go meanwhile.

use std::time::{Duration, Instant};

use super::{Holder, Obstacle, Standing, Suspect};
use crate::lock::LockError;
use crate::platform::signals::{SIGCONT, SIGKILL, SIGTERM};

/// Between two looks: short at first, because most end at once.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(100);

/// After this it is told that it takes longer.
const SLOW: Duration = Duration::from_secs(1);

/// So long a dbguard has to notice that what it ran was killed, and whoever has let go to end.
const GRACE: Duration = Duration::from_secs(3);

/// How holders are ended.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Whether stopped ones are let go on first.
    pub resumes: bool,
    /// How long after TERM they are killed; `None` for never.
    pub kill_after: Option<Duration>,
    /// How long after the last signal the lock may still be held; `None` for ever.
    pub patience: Option<Duration>,
}

/// A signal that asks a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sent {
    /// It can be heard and refused.
    Term,
    /// It cannot.
    Kill,
}

impl Sent {
    /// Returns its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Kill => "KILL",
        }
    }
}

/// What became of a suspect.
#[derive(Clone, Debug)]
pub struct Fate {
    /// Who it was.
    pub holder: Holder,
    /// The strongest signal that was sent to it.
    pub sent: Option<Sent>,
    /// Whether it has ended; otherwise it has let go.
    pub has_ended: bool,
}

/// What came of it all.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Those that were meant and have the lock no more.
    pub fates: Vec<Fate>,
    /// Those that were meant and still have it.
    pub survivors: Vec<Holder>,
    /// Those that have it by the grant that was to end, and were not known before.
    pub unshown: Vec<Holder>,
    /// Those that have it by another grant.
    pub newcomers: Vec<Holder>,
    /// Why it is held, where nobody can be named whose process is here.
    pub obstacles: Vec<Obstacle>,
}

impl Outcome {
    /// Whether nobody has the lock.
    pub fn is_free(&self) -> bool {
        let holders = [&self.survivors, &self.unshown, &self.newcomers];
        holders.iter().all(|one| one.is_empty()) && self.obstacles.is_empty()
    }
}

/// Something worth telling on the way.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A signal was sent.
    Sent(Sent, &'a Holder),
    /// It takes long; KILL follows after this.
    Slow(Option<Duration>),
}

/// Ends the suspects, and returns once none of them has the lock, or the patience is over.
///
/// # Errors
/// As `look`.
pub fn end(
    suspects: &[Suspect],
    manner: Manner,
    look: &mut dyn FnMut() -> Result<Standing, LockError>,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Outcome, LockError> {
    let cases =
        suspects.iter().map(|suspect| Case { suspect, sent: None, had_ended: false }).collect();
    let now = Instant::now();
    let mut ending = Ending { cases, manner, begun: now, last: now, is_told: false };
    let mut pause = SHORTEST;
    loop {
        ending.note_ends();
        let standing = look()?;
        let holding = ending.holding(&standing);
        if std::mem::take(&mut ending.manner.resumes) {
            ending.resume(&holding);
        }
        if holding.is_empty() || !ending.act(&holding, tell) {
            return ending.outcome(look);
        }
        // The end of one of them is the soonest that anything can be new.
        let first = &ending.cases[holding[0]].suspect.handle;
        if first.wait(pause).is_err() {
            std::thread::sleep(pause);
        }
        pause = (pause * 2).min(LONGEST);
    }
}

/// A suspect, and what was sent to it.
struct Case<'a> {
    suspect: &'a Suspect,
    sent: Option<Sent>,
    /// Whether it had ended before the last look.
    had_ended: bool,
}

struct Ending<'a> {
    cases: Vec<Case<'a>>,
    manner: Manner,
    begun: Instant,
    /// When the last signal was sent.
    last: Instant,
    is_told: bool,
}

impl Ending<'_> {
    /// Notes who has ended. A dbguard that ends after the look has given the lock back after it, too:
    /// whom the look saw below it may have let go.
    fn note_ends(&mut self) {
        for case in &mut self.cases {
            case.had_ended = case.suspect.handle.has_ended();
        }
    }

    /// Lets stopped ones go on: before TERM, which they hear of as soon as they run.
    fn resume(&self, holding: &[usize]) {
        let suspects = holding.iter().map(|index| self.cases[*index].suspect);
        for suspect in suspects.filter(|suspect| suspect.holder.is_stopped) {
            // One that has ended meanwhile needs it no more.
            drop(suspect.handle.signal(SIGCONT));
        }
    }

    /// Returns which suspects still have the lock.
    fn holding(&self, standing: &Standing) -> Vec<usize> {
        let has_it = |case: &Case<'_>| {
            let holder = &case.suspect.holder;
            !case.suspect.handle.has_ended()
                && standing.holders.iter().any(|one| one.is(holder) && !one.is_veiled)
        };
        (0..self.cases.len()).filter(|index| has_it(&self.cases[*index])).collect()
    }

    /// Sends what is due; `false` if nothing is left to do or to wait for.
    fn act(&mut self, holding: &[usize], tell: &mut dyn FnMut(Event<'_>)) -> bool {
        let mut is_pending = false;
        for &index in holding {
            match self.due(index, holding) {
                Some(signal) => self.send(index, signal, tell),
                None => is_pending |= self.is_spared(index),
            }
        }
        if !self.is_told && self.begun.elapsed() >= SLOW {
            self.is_told = true;
            let left =
                self.manner.kill_after.map(|after| after.saturating_sub(self.begun.elapsed()));
            tell(Event::Slow(left.filter(|left| !left.is_zero())));
        }
        let over = self.manner.patience.is_some_and(|patience| self.last.elapsed() >= patience);
        is_pending || !over
    }

    /// Whether KILL is still to come for this one.
    fn is_spared(&self, index: usize) -> bool {
        self.manner.kill_after.is_some() && self.cases[index].sent < Some(Sent::Kill)
    }

    /// Returns the signal that it is time for.
    fn due(&self, index: usize, holding: &[usize]) -> Option<Sent> {
        let case = &self.cases[index];
        let is_late = self.manner.kill_after.is_some_and(|after| self.begun.elapsed() >= after);
        match case.sent {
            Some(Sent::Kill) => None,
            _ if is_late && self.may_kill(index, holding) => Some(Sent::Kill),
            None if !self.has_runner(index) => Some(Sent::Term),
            _ => None,
        }
    }

    /// Whether the dbguard that hands signals on to this one still ran at the last look.
    fn has_runner(&self, index: usize) -> bool {
        let Some(runner) = self.cases[index].suspect.holder.runner else { return false };
        let is_it = |case: &&Case<'_>| case.suspect.holder.pid == runner;
        self.cases.iter().find(is_it).is_some_and(|case| !case.had_ended)
    }

    /// Whether nothing is left to be killed of what this one runs, and it has had time to notice.
    fn may_kill(&self, index: usize, holding: &[usize]) -> bool {
        let pid = self.cases[index].suspect.holder.pid;
        let is_below = |index: &usize| self.cases[*index].suspect.holder.runner == Some(pid);
        let is_killed = |index: &usize| self.cases[*index].sent == Some(Sent::Kill);
        let mut below = (0..self.cases.len()).filter(is_below);
        let is_left = holding.iter().filter(|index| is_below(index)).any(|index| !is_killed(index));
        !is_left && (self.last.elapsed() >= GRACE || !below.any(|index| is_killed(&index)))
    }

    fn send(&mut self, index: usize, signal: Sent, tell: &mut dyn FnMut(Event<'_>)) {
        let case = &mut self.cases[index];
        let number = if signal == Sent::Kill { SIGKILL } else { SIGTERM };
        match case.suspect.handle.signal(number) {
            // It has ended by itself, and will not be seen again.
            Ok(false) => return,
            Ok(true) => tell(Event::Sent(signal, &case.suspect.holder)),
            // It was allowed a moment ago: whoever changes his user meanwhile outlives this.
            Err(error) => tracing::warn!(pid = case.suspect.holder.pid, "not signalled: {error}"),
        }
        tracing::info!(pid = case.suspect.holder.pid, signal = signal.word(), "sent");
        case.sent = Some(signal);
        self.last = Instant::now();
    }

    /// Looks who has the lock now.
    fn outcome(
        &self,
        look: &mut dyn FnMut() -> Result<Standing, LockError>,
    ) -> Result<Outcome, LockError> {
        let now = settled(look)?;
        let mut outcome = Outcome::default();
        // Beside those who can be named they tell nothing new.
        if now.holders.is_empty() {
            outcome.obstacles = now.obstacles;
        }
        for one in now.holders {
            let mut meant = self.cases.iter().map(|case| &case.suspect.holder);
            let is_shown = meant.clone().any(|suspect| suspect.is(&one));
            match is_shown {
                true => outcome.survivors.push(one),
                false if meant.any(|suspect| suspect.grant == one.grant) => {
                    outcome.unshown.push(one);
                }
                false => outcome.newcomers.push(one),
            }
        }
        let stays = |holder: &Holder| outcome.survivors.iter().any(|one| one.is(holder));
        let gone = self.cases.iter().filter(|case| !stays(&case.suspect.holder));
        // Most who let go end right after that.
        let until = Instant::now() + GRACE;
        outcome.fates = gone.map(|case| case.fate(until)).collect();
        Ok(outcome)
    }
}

/// Looks until two looks agree, because a probe of others lasts for an instant, and not before the
/// next in line has woken up to take the lock. Who takes turns too fast for that is told as found.
fn settled(look: &mut dyn FnMut() -> Result<Standing, LockError>) -> Result<Standing, LockError> {
    let until = Instant::now() + GRACE;
    let mut before = look()?;
    while !before.is_free() || before.waiters > 0 {
        std::thread::sleep(if before.is_free() { SHORTEST } else { LONGEST });
        let mut now = look()?;
        let stays = |one: &Holder| before.holders.iter().any(|other| other.is(one));
        let is_unnamed = |one: &Standing| !one.is_free() && one.holders.is_empty();
        if now.holders.iter().any(stays) || is_unnamed(&before) && is_unnamed(&now) {
            now.holders.retain(stays);
            return Ok(now);
        }
        before = now;
        if Instant::now() >= until {
            break;
        }
    }
    Ok(before)
}

impl Case<'_> {
    fn fate(&self, until: Instant) -> Fate {
        let left = until.saturating_duration_since(Instant::now());
        let has_ended = self.suspect.handle.wait(left).unwrap_or(false);
        Fate { holder: self.suspect.holder.clone(), sent: self.sent, has_ended }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Obstacle;
    use super::*;

    /// A probe of somebody's is met by the first look, and the next in line takes the lock later.
    #[test]
    fn the_next_in_line_is_waited_for_although_a_probe_was_met_first() {
        let held = |waiters| Standing {
            obstacles: vec![Obstacle::Unseen("lock".to_owned())],
            waiters,
            ..Standing::default()
        };
        let free = Standing { waiters: 1, ..Standing::default() };
        let mut looks = [free.clone(), held(1), free.clone(), free, held(0), held(0)].into_iter();
        let manner = Manner { resumes: false, kill_after: None, patience: None };
        let mut look = || Ok(looks.next().expect("no look more than these"));
        let outcome = end(&[], manner, &mut look, &mut |_| ()).expect("nothing fails");
        assert!(!outcome.is_free());
        assert_eq!(looks.len(), 0);
    }
}
