//! A set of exit codes as a user types it: `5,6,75` or `70-79`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The exit codes after which a command is run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitCodes(Vec<RangeInclusive<u8>>);

impl ExitCodes {
    /// Returns whether the code is one of them.
    pub fn contains(&self, code: u8) -> bool {
        self.0.iter().any(|range| range.contains(&code))
    }
}

impl Default for ExitCodes {
    /// Returns what a busy database looks like from outside: the BUSY and LOCKED of sqlite3,
    /// which exits with SQLite's result code, and the EX_TEMPFAIL of sysexits.h.
    fn default() -> Self {
        Self(vec![5..=5, 6..=6, 75..=75])
    }
}

impl fmt::Display for ExitCodes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            let (first, last) = (range.start(), range.end());
            if first == last {
                write!(formatter, "{separator}{first}")?;
            } else {
                write!(formatter, "{separator}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

/// Why a text is not a set of exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExitCodesError {
    /// Not a list of numbers and ranges.
    #[error("expected exit codes from 1 to 255 and ranges of them, such as `5,6,75` or `70-79`")]
    Unreadable,
    /// A range whose end comes before its start.
    #[error("a range must go upwards, such as `70-79`")]
    Backwards,
    /// Zero is in it.
    #[error("0 is success and cannot be a reason to run the command again")]
    Success,
}

impl FromStr for ExitCodes {
    type Err = ExitCodesError;

    fn from_str(text: &str) -> Result<Self, ExitCodesError> {
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

fn range(text: &str) -> Result<RangeInclusive<u8>, ExitCodesError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (code(first)?, code(last)?);
    match () {
        () if first == 0 => Err(ExitCodesError::Success),
        () if first > last => Err(ExitCodesError::Backwards),
        () => Ok(first..=last),
    }
}

fn code(text: &str) -> Result<u8, ExitCodesError> {
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits_only).ok_or(ExitCodesError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::{ExitCodes, ExitCodesError};

    #[test]
    fn numbers_and_ranges_are_read_and_shown_again() {
        let codes: ExitCodes = "5,6,70-79".parse().expect("a valid list");
        for (code, expected) in [(5, true), (7, false), (70, true), (79, true), (80, false)] {
            assert_eq!(codes.contains(code), expected, "{code}");
        }
        assert_eq!(codes.to_string(), "5,6,70-79");
        assert_eq!(ExitCodes::default().to_string(), "5,6,75");
    }

    #[test]
    fn anything_else_is_refused() {
        for (text, expected) in [
            ("", ExitCodesError::Unreadable),
            ("5,", ExitCodesError::Unreadable),
            ("5;6", ExitCodesError::Unreadable),
            ("+5", ExitCodesError::Unreadable),
            ("256", ExitCodesError::Unreadable),
            ("1-2-3", ExitCodesError::Unreadable),
            ("79-70", ExitCodesError::Backwards),
            ("0", ExitCodesError::Success),
            ("0-9", ExitCodesError::Success),
        ] {
            assert_eq!(text.parse::<ExitCodes>(), Err(expected), "{text:?}");
        }
    }
}
