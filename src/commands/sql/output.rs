//! Where rows go: standard output or a file, at once or once they are certain.
//!
//! Rows of a batch that only reads are printed as they come. What a batch that writes yields is
//! held back until it is committed: a try that is repeated prints nothing. A file is written
//! beside its place and put there at the end.

use std::io::{self, BufWriter, IsTerminal, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::{NamedTempFile, SpooledTempFile};

use super::watching::Watching;
use crate::cli::sql_args::{ResultFormat, SqlRequest};
use crate::commands::output_file::OutputFile;
use crate::commands::voice::Voice;
use crate::error::Failure;
use crate::platform::{self, host};
use crate::sql::Watch;
use crate::sql::format::{Format, Style};

/// What is held back in memory; more goes to a temporary file.
const HELD_BYTES: usize = 1 << 20;

/// What a pipe that is ready takes without blocking (PIPE_BUF on Linux).
const PIPE_BYTES: usize = 4096;

/// How often a signal is listened for while a reader takes its time.
const LISTENING: Duration = Duration::from_millis(50);

/// What is written at once.
const BUFFER_BYTES: usize = 1 << 16;

/// Where the rows of a batch go.
pub(super) struct Output {
    /// How rows are printed; `None` for the one document of `--json`.
    pub(super) format: Option<Format>,
    /// What is the same for every format.
    pub(super) style: Style,
    target: Target,
}

enum Target {
    StandardOutput,
    File(OutputFile),
}

/// What takes the rows of one try.
pub(super) enum Taker {
    /// Standard output itself.
    Direct(Counted),
    /// What is held back until it is certain.
    Held(SpooledTempFile),
    /// A file that is put in its place, the path, at the end.
    File { output: BufWriter<NamedTempFile>, path: PathBuf },
}

/// Standard output, and how much it was given.
pub(super) struct Counted {
    output: BufWriter<Patient>,
    bytes: usize,
}

/// Standard output whose reader may take its time: a signal is heard while it does.
struct Patient {
    output: io::Stdout,
    watching: Arc<Watching>,
    /// A regular file takes everything at once.
    is_file: bool,
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_file {
            return self.output.write(bytes);
        }
        while !platform::takes_bytes(&self.output, LISTENING)? {
            if self.watching.interrupted() {
                return Err(io::Error::other("interrupted"));
            }
        }
        let written = self.output.write(&bytes[..bytes.len().min(PIPE_BYTES)])?;
        self.output.flush().map(|()| written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.bytes += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

impl Output {
    /// Finds out where rows go and how they are printed.
    ///
    /// # Errors
    /// The directory of `--output` does not exist.
    pub(super) fn prepare(request: &SqlRequest, voice: &Voice) -> Result<Self, Failure> {
        let target = match &request.output {
            Some(path) if path.as_os_str() != "-" => Target::File(OutputFile::find(path)?),
            _ => Target::StandardOutput,
        };
        let terminal = matches!(target, Target::StandardOutput) && io::stdout().is_terminal();
        let format = match request.format {
            None if voice.is_json() => None,
            None if terminal => Some(Format::Table),
            None => Some(Format::Csv),
            Some(format) => Some(format_of(format)),
        };
        let width = if terminal { host::terminal_width() } else { None };
        let width = width.and_then(|width| u16::try_from(width).ok());
        let style = Style { header: request.header, null: request.null.clone(), terminal, width };
        Ok(Self { format, style, target })
    }

    /// Whether rows meet a terminal, on which nothing else should be drawn.
    pub(super) fn is_terminal(&self) -> bool {
        self.style.terminal
    }

    /// Returns what takes the rows of the next try; `at_once` if it will not be repeated once it
    /// has printed something.
    pub(super) fn taker(&self, at_once: bool, watching: &Arc<Watching>) -> io::Result<Taker> {
        match &self.target {
            Target::StandardOutput if at_once => {
                let is_file = platform::facts(io::stdout()).is_ok_and(|facts| facts.regular);
                let (output, watching) = (io::stdout(), Arc::clone(watching));
                let output = Patient { output, watching, is_file };
                let output = BufWriter::with_capacity(BUFFER_BYTES, output);
                Ok(Taker::Direct(Counted { output, bytes: 0 }))
            }
            Target::StandardOutput => Ok(Taker::Held(SpooledTempFile::new(HELD_BYTES))),
            Target::File(file) => {
                let output = BufWriter::with_capacity(BUFFER_BYTES, file.stage()?);
                Ok(Taker::File { output, path: file.path().to_path_buf() })
            }
        }
    }
}

impl Taker {
    /// Returns where to write.
    pub(super) fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Direct(output) => output,
            Self::Held(held) => held,
            Self::File { output, .. } => output,
        }
    }

    /// Whether something may have been printed that cannot be taken back.
    pub(super) fn has_printed(&self) -> bool {
        matches!(self, Self::Direct(counted) if counted.bytes > 0)
    }

    /// Prints what was held back, and puts a file in its place.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Direct(mut output) => output.flush(),
            Self::Held(mut held) => {
                held.rewind()?;
                let mut output = io::stdout().lock();
                io::copy(&mut held, &mut output)?;
                output.flush()
            }
            Self::File { output, path } => {
                let file = output.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                platform::put_in_place(file.into_temp_path(), &path)
            }
        }
    }
}

fn format_of(format: ResultFormat) -> Format {
    match format {
        ResultFormat::Table => Format::Table,
        ResultFormat::Csv => Format::Csv,
        ResultFormat::Tsv => Format::Tsv,
        ResultFormat::Json => Format::Json,
        ResultFormat::Jsonl => Format::JsonLines,
        ResultFormat::Markdown => Format::Markdown,
        ResultFormat::Line => Format::Line,
        ResultFormat::Quiet => Format::Quiet,
    }
}
