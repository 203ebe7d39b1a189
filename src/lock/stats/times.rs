//! Times of one kind: how many, how long, and how they spread; pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many sizes of a time are told apart: the n-th is below 2^n microseconds, and the last is
/// whatever takes longer, half an hour and more.
pub const SIZES: usize = 32;

/// The times of something: how many, how long together, the longest, and how they spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// All together, in microseconds.
    pub total: u64,
    /// The longest, in microseconds.
    pub max: u64,
    /// How many there are of each size; see [`SIZES`].
    pub sizes: [u64; SIZES],
}

impl Times {
    pub(super) fn add(&mut self, time: Duration) {
        let time = microseconds(time);
        self.count = self.count.saturating_add(1);
        self.total = self.total.saturating_add(time);
        self.max = self.max.max(time);
        let size = (u64::BITS - time.leading_zeros()) as usize;
        let size = &mut self.sizes[size.min(SIZES - 1)];
        *size = size.saturating_add(1);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.total = self.total.saturating_add(other.total);
        self.max = self.max.max(other.max);
        for (size, more) in self.sizes.iter_mut().zip(other.sizes) {
            *size = size.saturating_add(more);
        }
    }

    /// Whether they can be so many times.
    pub(super) fn is_sound(&self, count: u64) -> bool {
        let sizes = self.sizes.iter().copied().fold(0, u64::saturating_add);
        (self.count, sizes) == (count, count) && self.max <= self.total
    }

    /// Returns the average.
    pub fn mean(&self) -> Duration {
        Duration::from_micros(self.total.checked_div(self.count).unwrap_or(0))
    }

    /// Returns the time that so many per cent do not exceed, to the next power of two.
    pub fn percentile(&self, percent: u64) -> Duration {
        let wanted = self.count.saturating_mul(percent).div_ceil(100);
        let mut seen = 0_u64;
        for (size, count) in self.sizes.iter().enumerate() {
            seen = seen.saturating_add(*count);
            if seen >= wanted && *count > 0 {
                return Duration::from_micros((1_u64 << size).saturating_sub(1).min(self.max));
            }
        }
        Duration::from_micros(self.max)
    }
}

/// Returns a time in whole microseconds.
pub(super) fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
