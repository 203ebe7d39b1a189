//! Durations as a user types them.
//!
//! A plain number is seconds, as in flock(1); anything else is what humantime reads. Nothing
//! here can overflow an `Instant`: the longest finite duration is [`LONGEST`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest finite duration, a century: beyond it only `inf` is meant, and below it a
/// deadline can be added to any clock.
pub const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

const NANOSECOND_DIGITS: usize = 9;

/// How long to wait for something, or how long something may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// Without end.
    Never,
    /// Until this much time has passed; zero asks once and does not wait.
    After(Duration),
}

impl Timeout {
    /// Asks once and does not wait.
    pub const NONBLOCK: Self = Self::After(Duration::ZERO);

    /// Returns the finite duration, if it is one.
    pub fn finite(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::After(duration) => Some(duration),
        }
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => formatter.write_str("inf"),
            Self::After(duration) => {
                let words = humantime::format_duration(*duration).to_string();
                formatter.write_str(&words.replace(' ', ""))
            }
        }
    }
}

/// Why a text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Neither a number nor something humantime reads.
    #[error("expected seconds (`30`, `0.5`), a duration with units (`250ms`, `1m30s`) or `inf`")]
    Unreadable,
    /// The text begins with a minus sign.
    #[error("a duration cannot be negative")]
    Negative,
    /// Longer than [`LONGEST`].
    #[error("longer than 100 years; use `inf` for no limit")]
    TooLong,
    /// Longer than [`LONGEST`] where there must be an end.
    #[error("longer than 100 years")]
    FarTooLong,
    /// `inf` where there must be an end.
    #[error("must be finite; use seconds (`0.5`) or a duration with units (`250ms`, `2s`)")]
    Endless,
    /// Zero where time must pass.
    #[error("must be longer than 0; use `inf` for no limit")]
    Zero,
}

impl FromStr for Timeout {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        if matches!(text, "inf" | "none") {
            return Ok(Self::Never);
        }
        if text.starts_with('-') {
            return Err(DurationError::Negative);
        }
        let duration = match seconds(text)? {
            Some(duration) => duration,
            None => with_units(text)?,
        };
        if duration > LONGEST { Err(DurationError::TooLong) } else { Ok(Self::After(duration)) }
    }
}

/// Parses a limit: a duration that is not zero, or `inf`.
pub fn parse_limit(text: &str) -> Result<Timeout, DurationError> {
    match text.parse()? {
        Timeout::NONBLOCK => Err(DurationError::Zero),
        limit => Ok(limit),
    }
}

/// Parses a duration that has an end.
pub fn parse_finite(text: &str) -> Result<Duration, DurationError> {
    match text.parse::<Timeout>() {
        // `inf` would be refused as well.
        Err(DurationError::TooLong) => Err(DurationError::FarTooLong),
        parsed => parsed?.finite().ok_or(DurationError::Endless),
    }
}

/// Parses a duration that has an end and is not zero.
pub fn parse_span(text: &str) -> Result<Duration, DurationError> {
    parse_limit(text)?.finite().ok_or(DurationError::Endless)
}

/// Parses a plain decimal number of seconds without going through a float, which would admit
/// `nan` and `1e9` and lose digits. Returns `None` for anything that has another form.
fn seconds(text: &str) -> Result<Option<Duration>, DurationError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Ok(None);
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let whole: u64 = whole.parse().map_err(|_| DurationError::TooLong)?;
    let nanoseconds = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(NANOSECOND_DIGITS)
        .fold(0, |sum: u32, digit| sum * 10 + u32::from(digit - b'0'));
    let duration = Duration::new(whole, nanoseconds);
    let was_cut = fraction.bytes().skip(NANOSECOND_DIGITS).any(|digit| digit != b'0');
    // Too short to be told is still not zero: zero means something else, not to wait at all.
    Ok(Some(if was_cut && duration.is_zero() { Duration::from_nanos(1) } else { duration }))
}

fn with_units(text: &str) -> Result<Duration, DurationError> {
    humantime::parse_duration(text).map_err(|error| match error {
        humantime::DurationError::NumberOverflow => DurationError::TooLong,
        _ => DurationError::Unreadable,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{DurationError, LONGEST, Timeout, parse_finite, parse_limit};

    #[test]
    fn seconds_units_and_inf_are_read() {
        let after = |milliseconds| Ok(Timeout::After(Duration::from_millis(milliseconds)));
        for (text, expected) in [
            ("0", after(0)),
            ("0.0", after(0)),
            ("30", after(30_000)),
            ("0.5", after(500)),
            (".007", after(7)),
            ("5.", after(5_000)),
            ("250ms", after(250)),
            ("1m30s", after(90_000)),
            ("1m 30s", after(90_000)),
            ("2h", after(7_200_000)),
            ("0.00000000001", Ok(Timeout::After(Duration::from_nanos(1)))),
            ("inf", Ok(Timeout::Never)),
            ("none", Ok(Timeout::Never)),
        ] {
            assert_eq!(text.parse::<Timeout>(), expected, "{text:?}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for (text, expected) in [
            ("", DurationError::Unreadable),
            (" ", DurationError::Unreadable),
            (".", DurationError::Unreadable),
            ("1.2.3", DurationError::Unreadable),
            ("nan", DurationError::Unreadable),
            ("1e3", DurationError::Unreadable),
            ("+5", DurationError::Unreadable),
            ("5x", DurationError::Unreadable),
            ("30s!", DurationError::Unreadable),
            ("soon", DurationError::Unreadable),
            ("-1", DurationError::Negative),
            ("-inf", DurationError::Negative),
            ("200y", DurationError::TooLong),
            ("99999999999999999999", DurationError::TooLong),
        ] {
            assert_eq!(text.parse::<Timeout>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn a_limit_is_not_zero_and_a_delay_is_finite() {
        assert_eq!(parse_limit("0"), Err(DurationError::Zero));
        assert_eq!(parse_limit("inf"), Ok(Timeout::Never));
        assert_eq!(parse_finite("inf"), Err(DurationError::Endless));
        assert_eq!(parse_finite("101y"), Err(DurationError::FarTooLong));
        assert_eq!(parse_finite("20ms"), Ok(Duration::from_millis(20)));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<Timeout>();
        }

        #[test]
        fn text_made_of_the_right_letters_does_not_panic_either(text in "[-+0-9.nmshdyMinf ]*") {
            if let Ok(Timeout::After(duration)) = text.parse() {
                assert!(duration <= LONGEST);
            }
        }

        #[test]
        fn what_is_displayed_is_read_back(
            seconds in 0..LONGEST.as_secs(),
            nanoseconds in 0..1_000_000_000_u32,
        ) {
            let timeout = Timeout::After(Duration::new(seconds, nanoseconds));
            prop_assert_eq!(timeout.to_string().parse(), Ok(timeout));
        }

        #[test]
        fn plain_decimals_are_exact(
            seconds in 0..LONGEST.as_secs(),
            nanoseconds in 0..1_000_000_000_u32,
        ) {
            let text = format!("{seconds}.{nanoseconds:09}");
            prop_assert_eq!(parse_finite(&text), Ok(Duration::new(seconds, nanoseconds)));
        }
    }
}
