//! Numbers as a user types them, and what to say of those that are none.

use std::str::FromStr;

/// How many may work at a time: each has a thread, a process and descriptors.
const MOST_CREW: u32 = 400;

/// Why a text is not the number that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// No exit code.
    #[error("expected a number from 0 to 255")]
    ExitCode,
    /// No count.
    #[error("expected a whole number, such as `5`")]
    Count,
    /// No count of somebody or something.
    #[error("expected a whole number of at least 1")]
    Some,
    /// Too few or too many to be started.
    #[error("expected a whole number from {0} to {MOST_CREW}")]
    Crew(u32),
    /// Neither a count nor `inf`.
    #[error("expected a whole number, or `inf`")]
    CountOrInf,
    /// No process id.
    #[error("expected the number of a process, such as `$$` of the shell")]
    Process,
    /// No descriptor.
    #[error("expected the number of an open descriptor, such as `9`")]
    Descriptor,
}

/// Parses an exit code.
pub fn exit_code(text: &str) -> Result<u8, NumberError> {
    number(text, NumberError::ExitCode)
}

/// Parses a count.
pub fn count(text: &str) -> Result<u32, NumberError> {
    number(text, NumberError::Count)
}

/// Parses a count that is not zero.
pub fn some(text: &str) -> Result<u32, NumberError> {
    number(text, NumberError::Some)
        .and_then(|count| if count > 0 { Ok(count) } else { Err(NumberError::Some) })
}

/// Parses how many work at a time.
pub fn crew(text: &str) -> Result<u32, NumberError> {
    within(text, 1)
}

/// Parses how many work at a time, which may be nobody.
pub fn crew_or_none(text: &str) -> Result<u32, NumberError> {
    within(text, 0)
}

fn within(text: &str, least: u32) -> Result<u32, NumberError> {
    let error = NumberError::Crew(least);
    number(text, error).and_then(|count: u32| match count {
        _ if (least..=MOST_CREW).contains(&count) => Ok(count),
        _ => Err(error),
    })
}

/// Parses a count; `None` for `inf`.
pub fn count_or_inf(text: &str) -> Result<Option<u32>, NumberError> {
    if text == "inf" { Ok(None) } else { number(text, NumberError::CountOrInf).map(Some) }
}

/// Parses a process id.
pub fn process(text: &str) -> Result<u32, NumberError> {
    let pid = number(text, NumberError::Process)?;
    if pid == 0 { Err(NumberError::Process) } else { Ok(pid) }
}

/// Parses the number of a file descriptor.
pub fn descriptor(text: &str) -> Result<i32, NumberError> {
    let descriptor = number(text, NumberError::Descriptor)?;
    if descriptor < 0 { Err(NumberError::Descriptor) } else { Ok(descriptor) }
}

fn number<T: FromStr>(text: &str, error: NumberError) -> Result<T, NumberError> {
    text.parse().map_err(|_| error)
}
