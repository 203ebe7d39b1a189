//! One file a verb: resolve the request, call the rooms, report.
//!
//! Only these files print, read the environment and decide exit codes.

mod acquire;
mod display;
mod environment;
mod exec;
mod explain;
mod fix;
mod info;
mod job;
mod keeper;
mod locking;
mod logging;
mod native;
mod output_file;
mod path;
mod program;
mod release;
mod reserved;
mod retry;
mod sql;
mod stats;
mod status;
mod survivors;
mod test;
mod unlock;
mod update;
mod voice;
mod wait;
mod watch;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};

use crate::cli::output_args::Format;
use crate::cli::settings::Settings;
use crate::cli::{self, Refusal, Request};
use crate::error::Failure;
use crate::lock::ClaimId;
use crate::outcome::Outcome;
use crate::platform::step::step;
use voice::Voice;

/// How the process has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The exit code.
    pub code: i32,
    /// A key at the terminal ended the work: end by this signal, so that a shell's loop stops
    /// as it does for any interrupted program. The shell still says 128+n.
    pub signal: Option<i32>,
}

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> Self {
        Self { code: outcome.code(), signal: None }
    }
}

/// Does what the arguments ask for; they begin after the program's name.
pub fn run(arguments: Vec<OsString>) -> End {
    step("begun");
    if let Some(end) = test::play(&arguments) {
        return end;
    }
    let options = arguments.split(|word| word == "--").next().unwrap_or_default();
    let json = options.iter().any(|word| word == "--json");
    match cli::parse(arguments) {
        // Documents never depend on a working environment.
        Ok((Request::Completions(shell), _)) => print(&cli::documents::completions(shell).1),
        Ok((Request::Man(page), _)) => print(&cli::documents::manual_page(page)),
        Ok((request, output)) => {
            let mut voice = Voice::before_settings(output.format());
            match Settings::read(|name| env::var_os(name)) {
                Ok(settings) => {
                    voice = Voice::new(output.resolve(&settings));
                    carry_out(request, &settings, &voice)
                }
                Err(failure) => Err(failure),
            }
            .unwrap_or_else(|failure| voice.fail(&failure))
        }
        Err(Refusal::Show { text }) => print(text.as_bytes()),
        Err(Refusal::Fail(failure)) => {
            let format = if json { Format::Json } else { Format::Text };
            Voice::before_settings(format).fail(&failure)
        }
    }
}

fn carry_out(request: Request, settings: &Settings, voice: &Voice) -> Result<End, Failure> {
    let id = ClaimId::new().map_err(|error| {
        Failure::new(Outcome::OsError, "cannot get random numbers").caused_by(error)
    })?;
    step("parsed");
    logging::start(settings, voice, id)?;
    match request {
        Request::Exec(arguments) => exec::exec(arguments.resolve(settings), settings, voice, id),
        Request::Sql(arguments) => sql::sql(arguments.resolve(settings), settings, voice, id),
        Request::Info(arguments) => info::info(arguments.resolve(settings), voice),
        Request::Fix(arguments) => fix::fix(&arguments.resolve(settings), settings, voice, id),
        Request::Test(arguments) => test::test(&arguments.resolve(settings), settings, voice),
        Request::Watch(arguments) => {
            watch::watch(&arguments.resolve(settings), settings, voice, id)
        }
        Request::Stats(arguments) => stats::stats(&arguments.resolve(settings), voice),
        Request::Wait(arguments) => wait::wait(arguments.resolve(settings), settings, voice, id),
        Request::Acquire(arguments) => {
            acquire::acquire(&arguments.resolve(settings), settings, voice, id)
        }
        Request::Release(arguments) => release::release(&arguments.resolve(settings), voice),
        Request::Unlock(arguments) => unlock::unlock(&arguments.resolve(settings), voice),
        Request::Update(arguments) => {
            update::update(&arguments.resolve(settings), settings, voice, id)
        }
        Request::Path(arguments) => path::path(arguments.resolve(settings), voice),
        Request::Completions(_) | Request::Man(_) => Err(voice::defect("not a verb of locks")),
    }
}

/// Prints an answer. A reader that went away is not a failure.
fn print(answer: &[u8]) -> End {
    let mut output = io::stdout().lock();
    match output.write_all(answer).and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let failure = Failure::new(Outcome::IoError, "cannot write to standard output");
            Voice::before_settings(Format::Text).fail(&failure.caused_by(error))
        }
        _ => Outcome::Ok.into(),
    }
}
