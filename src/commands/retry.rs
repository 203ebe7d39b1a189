//! Pauses before something that failed because the database was busy is tried again.

use std::time::Duration;

use crate::platform::host;

/// How pauses grow.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The longest first pause.
    pub delay: Duration,
    /// The longest pause at all.
    pub max_delay: Duration,
}

/// Returns the pause before retry number `done + 1`, drawn from the whole range below a bound
/// that doubles each time, so that those who failed together do not meet again.
pub fn pause(backoff: Backoff, done: u32) -> Duration {
    let bound = backoff.delay.saturating_mul(2_u32.saturating_pow(done)).min(backoff.max_delay);
    // Without a random number the bound itself will do.
    host::random().map_or(bound, |number| scaled(bound, number))
}

#[expect(clippy::cast_precision_loss, reason = "a pause needs no 64 bits of precision")]
fn scaled(bound: Duration, number: u64) -> Duration {
    bound.mul_f64(number as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, pause, scaled};

    #[test]
    fn pauses_stay_below_a_bound_that_doubles() {
        let delay = Duration::from_millis(20);
        let max_delay = Duration::from_millis(50);
        let backoff = Backoff { delay, max_delay };
        for (done, bound) in [(0, 20), (1, 40), (2, 50), (40, 50), (u32::MAX, 50)] {
            assert!(pause(backoff, done) <= Duration::from_millis(bound));
        }
        assert_eq!(scaled(delay, 0), Duration::ZERO);
        assert_eq!(scaled(delay, u64::MAX), delay);
    }
}
