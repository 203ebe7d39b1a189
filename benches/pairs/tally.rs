//! Medians, ratios, and the table they are printed in.

use std::fs;
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;

/// One side of a pair: does its work once, and returns what it measured.
pub type Turn<'a> = Box<dyn FnMut() -> Duration + 'a>;

/// Measures each of `turns` once a round, and returns for each its times, sorted.
///
/// The order is another one in each round, the same in each run: who comes next meets what the
/// one before has left.
pub fn in_turns(rounds: usize, turns: &mut [Turn<'_>]) -> Vec<Vec<Duration>> {
    let mut times = vec![Vec::with_capacity(rounds); turns.len()];
    let mut order: Vec<usize> = (0..turns.len()).collect();
    let mut chance = 1_u32;
    for _ in 0..rounds {
        for place in (1..order.len()).rev() {
            // Numerical Recipes' generator; its upper half is random enough for an order.
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            order.swap(place, (chance >> 16) as usize % (place + 1));
        }
        for turn in &order {
            times[*turn].push(turns[*turn]());
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    times
}

/// Returns how long `work` takes.
pub fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// Returns the middle of sorted times.
pub fn median(sorted: &[Duration]) -> Duration {
    percentile(sorted, 50)
}

/// Returns the time that so many per cent of the sorted times do not exceed.
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or_default()
}

/// Returns the CPU time of all children that have ended, and of theirs.
///
/// From `/proc/self/stat` (fields 16 and 17), which counts in ticks of 10 ms; what is measured
/// with it takes some hundred times that.
pub fn children_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("read /proc/self/stat");
    // The program's name, in parentheses, may contain anything.
    let (_, fields) = stat.rsplit_once(") ").expect("a stat line has a name");
    let numbers = fields.split(' ').skip(13).take(2);
    let ticks: u64 = numbers.map(|number| number.parse::<u64>().expect("a number of ticks")).sum();
    Duration::from_millis(ticks * 1000 / clock_ticks_per_second())
}

/// Prints the head of a table.
pub fn head(ours: &str, theirs: &str) {
    println!("  {:<42} {ours:>10} {theirs:>10} {:>6}  bound", "", "ratio");
}

/// Prints one comparison.
pub fn row(what: &str, ours: Duration, theirs: Duration, bound: Option<f64>) {
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    let (ours, theirs) = (shown(ours), shown(theirs));
    let bound = bound.map(|bound| format!("{bound:.2}")).unwrap_or_default();
    println!("  {what:<42} {ours:>10} {theirs:>10} {ratio:>6.2}  {bound}");
}

/// Returns a time in the unit that fits.
pub fn shown(time: Duration) -> String {
    match time.as_nanos() {
        0..1_000_000 => format!("{:.1} us", time.as_secs_f64() * 1e6),
        1_000_000..100_000_000 => format!("{:.3} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.3} s", time.as_secs_f64()),
    }
}
