//! What the workers and readers of a test saw, and what follows from it; pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::outcome::Outcome;
use crate::platform::spawn::Change;

/// What one worker did.
#[derive(Clone, Debug, Default)]
pub(super) struct Worker {
    pub(super) done: u64,
    pub(super) failures: BTreeMap<String, u64>,
    /// The words of the first failure.
    pub(super) first_failure: Option<String>,
    /// How long each operation waited for the lock.
    pub(super) waits: Vec<Duration>,
    /// How long each operation took.
    pub(super) times: Vec<Duration>,
}

/// What one reader saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Reader {
    pub(super) reads: u64,
    pub(super) wrong: u64,
    pub(super) failed: u64,
    /// The words of the first failure.
    pub(super) first_failure: Option<String>,
}

/// What became of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) workers: Vec<Worker>,
    pub(super) readers: Vec<Reader>,
    /// What each worker had done when the first was ready.
    pub(super) at_first_end: Vec<u64>,
    /// From the first start to the last end.
    pub(super) elapsed: Duration,
    /// What the database says in the end: the number of everybody, then each worker's.
    pub(super) numbers: Vec<u64>,
}

/// What is wrong with a run, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    Lost,
    Extra,
    WrongReads,
    Failed,
}

impl Verdict {
    /// Returns the word for programs.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Lost => "lost",
            Self::Extra => "extra",
            Self::WrongReads => "wrong_reads",
            Self::Failed => "failed",
        }
    }
}

impl Worker {
    /// Notes how an operation ended.
    pub(super) fn note(&mut self, change: Change, output: &str, took: Duration) {
        self.times.push(took);
        self.waits.extend(waited(output));
        match change {
            Change::Exited(0) => self.done += 1,
            _ => {
                let name = name_of(change);
                self.first_failure.get_or_insert_with(|| told(output, &name));
                *self.failures.entry(name).or_default() += 1;
            }
        }
    }

    fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

impl Reader {
    /// Notes what a read saw; `least` is what had been reported done before it began. Returns the
    /// number that the next one has to reach.
    pub(super) fn note(&mut self, change: Change, output: &str, least: u64) -> u64 {
        self.reads += 1;
        if change != Change::Exited(0) {
            self.failed += 1;
            self.first_failure.get_or_insert_with(|| told(output, &name_of(change)));
            return least;
        }
        let mut numbers = output.lines().filter_map(|line| line.trim().parse::<u64>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(all), Some(own)) => {
                self.wrong += u64::from(all != own || all < least);
                all.max(least)
            }
            _ => {
                self.wrong += 1;
                least
            }
        }
    }
}

impl Tally {
    /// Returns how many operations reported success.
    pub(super) fn done(&self) -> u64 {
        self.workers.iter().map(|worker| worker.done).sum()
    }

    /// Returns how many reported that they failed.
    pub(super) fn failed(&self) -> u64 {
        self.workers.iter().map(Worker::failed).sum()
    }

    /// Returns how many were begun.
    pub(super) fn begun(&self) -> u64 {
        self.done() + self.failed()
    }

    /// Returns how many failed with each outcome.
    pub(super) fn failures(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (name, count) in self.workers.iter().flat_map(|worker| &worker.failures) {
            *all.entry(name.clone()).or_default() += count;
        }
        all
    }

    /// Returns how many failed because somebody else was in the way.
    pub(super) fn lock_errors(&self) -> u64 {
        let of = [Outcome::WouldBlock, Outcome::Timeout, Outcome::Deadlock];
        let failures = self.failures();
        of.iter().filter_map(|outcome| failures.get(outcome.name())).sum()
    }

    /// Returns the words of the first failure.
    pub(super) fn first_failure(&self) -> Option<&str> {
        let of_workers = self.workers.iter().filter_map(|worker| worker.first_failure.as_deref());
        let of_readers = self.readers.iter().filter_map(|reader| reader.first_failure.as_deref());
        of_workers.chain(of_readers).next()
    }

    /// Returns how many were reported done and are not there.
    ///
    /// Everybody's number is compared with the workers' own, too: where a failed operation was done
    /// nevertheless, it would otherwise hide a lost one.
    pub(super) fn lost(&self) -> u64 {
        let own = self.own();
        let of_workers: u64 =
            self.pairs().map(|(worker, number)| worker.done.saturating_sub(number)).sum();
        let of_all = self.done().max(own).saturating_sub(self.all());
        of_workers.max(of_all)
    }

    /// Returns how many are there that nobody can have done.
    pub(super) fn extra(&self) -> u64 {
        let of_workers: u64 = self
            .pairs()
            .map(|(worker, number)| number.saturating_sub(worker.done + worker.failed()))
            .sum();
        of_workers.max(self.all().saturating_sub(self.begun()))
    }

    fn all(&self) -> u64 {
        self.numbers.first().copied().unwrap_or(0)
    }

    fn own(&self) -> u64 {
        self.numbers.iter().skip(1).sum()
    }

    fn pairs(&self) -> impl Iterator<Item = (&Worker, u64)> {
        self.workers.iter().zip(self.numbers.iter().skip(1).copied())
    }

    /// Returns how many reads there were, how many saw what cannot be, and how many failed.
    pub(super) fn reads(&self) -> (u64, u64, u64) {
        let sum = |of: fn(&Reader) -> u64| self.readers.iter().map(of).sum();
        (sum(|reader| reader.reads), sum(|reader| reader.wrong), sum(|reader| reader.failed))
    }

    /// Returns how many were done in a second.
    pub(super) fn per_second(&self) -> f64 {
        self.done() as f64 / self.elapsed.as_secs_f64().max(1e-6)
    }

    /// Returns the share of the worker that did most, until the first was ready.
    pub(super) fn largest_share(&self) -> f64 {
        let most = self.at_first_end.iter().max().copied().unwrap_or(0);
        let all: u64 = self.at_first_end.iter().sum();
        if all == 0 { 0.0 } else { most as f64 / all as f64 }
    }

    /// Returns how long operations waited for the lock.
    pub(super) fn waits(&self) -> Spread {
        Spread::of(self.workers.iter().flat_map(|worker| &worker.waits))
    }

    /// Returns how long operations took.
    pub(super) fn times(&self) -> Spread {
        Spread::of(self.workers.iter().flat_map(|worker| &worker.times))
    }

    /// Returns what is wrong, if anything is.
    pub(super) fn verdict(&self) -> Verdict {
        let (_, wrong, failed) = self.reads();
        match () {
            () if self.lost() > 0 => Verdict::Lost,
            () if self.extra() > 0 => Verdict::Extra,
            () if wrong > 0 => Verdict::WrongReads,
            // Where nothing was done, nothing is proved.
            () if self.failed() + failed > 0 || self.done() == 0 => Verdict::Failed,
            () => Verdict::Ok,
        }
    }
}

/// Times in order. All of them are kept, so percentiles are exact; the statistics of a lock, which
/// keep none, know them to a power of two only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spread(Vec<Duration>);

impl Spread {
    fn of<'a>(times: impl Iterator<Item = &'a Duration>) -> Self {
        let mut times: Vec<_> = times.copied().collect();
        times.sort_unstable();
        Self(times)
    }

    /// Returns the time that so many per cent do not exceed.
    pub(super) fn percentile(&self, percent: usize) -> Option<Duration> {
        let place = (self.0.len() * percent).div_ceil(100);
        self.0.get(place.saturating_sub(1)).copied()
    }
}

/// Returns the name of an outcome that is not success.
fn name_of(change: Change) -> String {
    match change {
        Change::Exited(code) => {
            let known = Outcome::ALL.into_iter().find(|one| one.code() == code);
            known.map_or_else(|| format!("exit {code}"), |outcome| outcome.name().to_owned())
        }
        Change::Signaled(signal) | Change::Stopped(signal) => format!("signal {signal}"),
    }
}

/// Returns what a process said last about its failure.
fn told(output: &str, name: &str) -> String {
    let mut lines = output.lines().rev().filter_map(|line| line.strip_prefix("dbguard: "));
    let line = lines.find(|line| !line.starts_with("locked "));
    line.map_or_else(|| name.to_owned(), |line| format!("{line} ({name})"))
}

/// Returns how long a process waited for its lock, as it says with `-v`; together if it took it
/// again in another mode.
fn waited(output: &str) -> Option<Duration> {
    let lines = output.lines().filter(|line| line.starts_with("dbguard: locked "));
    let times = lines.filter_map(|line| {
        let (_, after) = line.rsplit_once(") after ")?;
        let (seconds, _) = after.split_once('s')?;
        Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
    });
    times.reduce(Duration::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Change, Reader, Spread, Tally, Verdict, Worker, waited};

    fn worker(done: u64, failed: u64) -> Worker {
        let mut worker = Worker::default();
        (0..done).for_each(|_| worker.note(Change::Exited(0), "", Duration::ZERO));
        (0..failed).for_each(|_| worker.note(Change::Exited(124), "", Duration::ZERO));
        worker
    }

    fn tally(workers: &[Worker], numbers: &[u64]) -> Tally {
        Tally { workers: workers.to_vec(), numbers: numbers.to_vec(), ..Tally::default() }
    }

    #[test]
    fn what_was_reported_and_is_not_there_is_lost() {
        for (numbers, lost, extra) in [
            ([10, 5, 5], 0, 0),
            ([9, 5, 5], 1, 0),
            ([10, 4, 5], 1, 0),
            // One worker's loss is not made up for by another's surplus.
            ([10, 4, 6], 1, 1),
            ([11, 5, 6], 0, 1),
            ([0, 0, 0], 10, 0),
        ] {
            let tally = tally(&[worker(5, 0), worker(5, 0)], &numbers);
            assert_eq!((tally.lost(), tally.extra()), (lost, extra), "{numbers:?}");
        }
    }

    #[test]
    fn a_failed_operation_may_be_done_or_not_and_hides_no_lost_one() {
        let workers = [worker(5, 1), worker(5, 0)];
        for (numbers, lost, extra) in
            [([10, 5, 5], 0, 0), ([11, 6, 5], 0, 0), ([10, 6, 5], 1, 0), ([12, 7, 5], 0, 1)]
        {
            let tally = tally(&workers, &numbers);
            assert_eq!((tally.lost(), tally.extra()), (lost, extra), "{numbers:?}");
        }
        assert_eq!(tally(&workers, &[10, 5, 5]).verdict(), Verdict::Failed);
        assert_eq!(tally(&workers, &[10, 5, 5]).lock_errors(), 1);
        assert_eq!(tally(&[], &[0]).verdict(), Verdict::Failed);
    }

    #[test]
    fn a_reader_must_see_what_was_done_and_nothing_half_done() {
        let mut reader = Reader::default();
        let mut read = |output: &str, least| {
            let before = reader.wrong;
            let next = reader.note(Change::Exited(0), output, least);
            (next, reader.wrong - before)
        };
        assert_eq!(read("dbguard: locked x (shared) after 0.1s\n7\n7\n", 7), (7, 0));
        assert_eq!(read("8\n\n8\n", 7), (8, 0));
        assert_eq!(read("6\n6\n", 7), (7, 1));
        assert_eq!(read("8\n7\n", 7), (8, 1));
        assert_eq!(read("", 7), (7, 1));
    }

    #[test]
    fn percentiles_are_exact() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        let spread = Spread::of(times.iter());
        for (percent, millis) in [(50, 100), (90, 180), (99, 198), (100, 200), (0, 1)] {
            assert_eq!(spread.percentile(percent), Some(Duration::from_millis(millis)));
        }
        assert_eq!(Spread::default().percentile(50), None);
    }

    #[test]
    fn the_wait_is_the_one_that_the_process_tells() {
        let line = "dbguard: locked a (b) after 9s (exclusive) after 0.012500s, fence 7\n";
        assert_eq!(waited(line), Some(Duration::from_micros(12_500)));
        assert_eq!(waited(&line.repeat(2)), Some(Duration::from_millis(25)));
        assert_eq!(waited("dbguard: locked a\nno"), None);
    }
}
