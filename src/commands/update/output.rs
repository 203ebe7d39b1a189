//! What the command prints, on its way into the temporary file.

use std::io::{self, PipeWriter};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::replacement::Replacement;
use super::{Halt, watch};
use crate::commands::voice::{Voice, defect};
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::platform::step::fault;
use crate::supervise::Supervisor;

/// How often a signal is listened for while the output is not complete.
const LISTENING: Duration = Duration::from_millis(50);

/// When it is worth a word that the command has ended and its output has not.
const LONG: Duration = Duration::from_secs(1);

/// The output of a command that runs or has ended.
pub(super) struct Output {
    result: Receiver<io::Result<()>>,
}

impl Output {
    /// Returns the output and what the command writes to.
    ///
    /// A thread copies, until nobody can write any more. It inherits our mask: no signal is taken
    /// by it. After an error it stops reading, which the command meets as a broken pipe.
    pub(super) fn into_file(
        replacement: &Replacement,
        voice: &Voice,
    ) -> Result<(Self, PipeWriter), Failure> {
        let failed = |error| {
            Failure::new(Outcome::OsError, "cannot make a pipe for the command").caused_by(error)
        };
        let (mut reader, writer) = io::pipe().map_err(failed)?;
        let mut file = replacement.writer(voice)?;
        let (sender, result) = mpsc::channel();
        let copy = move || {
            let copied = fault("update-write").and_then(|()| io::copy(&mut reader, &mut file));
            // Before the reader goes: who sees the command fail of it finds the reason here.
            drop(sender.send(copied.map(drop)));
        };
        thread::Builder::new().spawn(copy).map_err(failed)?;
        Ok((Self { result }, writer))
    }

    /// Fails if something could not be written. To be asked while our own end of the pipe is open.
    pub(super) fn demand_no_error(
        &self,
        replacement: &Replacement,
        voice: &Voice,
    ) -> Result<(), Failure> {
        match self.result.try_recv() {
            Ok(Err(error)) => Err(replacement.cannot_write(error, voice)),
            // Our own end keeps it from being complete.
            Ok(Ok(())) | Err(TryRecvError::Disconnected) => Err(missing()),
            Err(TryRecvError::Empty) => Ok(()),
        }
    }

    /// Waits until nobody can write any more and everything is in the file.
    pub(super) fn until_complete(
        self,
        supervisor: &Supervisor<'_>,
        program: &str,
        replacement: &Replacement,
        voice: &Voice,
    ) -> Result<(), Halt> {
        let begun = Instant::now();
        let mut told = false;
        loop {
            match self.result.recv_timeout(LISTENING) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => return Err(replacement.cannot_write(error, voice).into()),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(missing().into());
                }
                Err(RecvTimeoutError::Timeout) => watch::demand_silence(supervisor)?,
            }
            if !told && begun.elapsed() >= LONG {
                told = true;
                voice.notice(&format!(
                    "{program} has ended, but something it started can still write to its \
                     output; waiting for that"
                ));
            }
        }
    }
}

fn missing() -> Failure {
    defect("the output of the command went missing")
}
