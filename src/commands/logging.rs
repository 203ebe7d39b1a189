//! Logs, for those who ask: `-vv`, `DBGUARD_LOG`, `DBGUARD_LOG_FORMAT`, `DBGUARD_LOG_FILE`.
//!
//! Every line has the id of the claim, and of the claim it is nested in, so that the lines of
//! many jobs in one file can be told apart. Without a level nothing is set up at all.

use std::env;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::voice::Voice;
use crate::cli::settings::{LogFormat, LogLevel, Settings};
use crate::error::Failure;
use crate::lock::ClaimId;
use crate::outcome::Outcome;

/// Starts logging if it is wanted.
///
/// # Errors
/// The log file cannot be opened.
pub fn start(settings: &Settings, voice: &Voice, id: ClaimId) -> Result<(), Failure> {
    let level = match voice.log_level() {
        LogLevel::Off => return Ok(()),
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let output: Box<dyn Write + Send> = match &settings.log_file {
        None => Box::new(io::stderr()),
        Some(path) => {
            let opened = File::options().append(true).create(true).open(path);
            Box::new(opened.map_err(|error| {
                let message = format!("cannot open the log file `{}`", path.display());
                Failure::new(Outcome::CannotCreate, message)
                    .caused_by(error)
                    .hint("correct or unset DBGUARD_LOG_FILE")
            })?)
        }
    };
    // Who wants JSON on standard error reads every line of it as JSON.
    let shares_stderr = voice.is_json() && settings.log_file.is_none();
    let log = Log {
        id: id.to_string(),
        parent: env::var("DBGUARD_ID").ok(),
        format: if shares_stderr { LogFormat::Json } else { settings.log_format },
        output: Mutex::new(output),
    };
    let subscriber = tracing_subscriber::registry().with(log.with_filter(level));
    // Only fails if there is one already, which a library's host may have set.
    drop(tracing::subscriber::set_global_default(subscriber));
    Ok(())
}

struct Log {
    id: String,
    parent: Option<String>,
    format: LogFormat,
    output: Mutex<Box<dyn Write + Send>>,
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = match self.format {
            LogFormat::Text => self.text(event, &fields),
            LogFormat::Json => self.json(event, &fields),
        };
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written must not stop the job.
        drop(output.write_all(line.as_bytes()));
    }
}

impl Log {
    fn text(&self, event: &Event<'_>, fields: &Fields) -> String {
        let level = event.metadata().level();
        let mut line = format!("{} {level:>5} {}", now(), self.id);
        if let Some(parent) = &self.parent {
            line.push_str(&format!(" in {}", crate::report::escaped(parent)));
        }
        line.push_str(&format!(": {}", crate::report::escaped(&fields.message)));
        for (name, value) in &fields.others {
            let value = value.as_str().map_or_else(|| value.to_string(), crate::report::escaped);
            line.push_str(&format!(" {name}={value}"));
        }
        line + "\n"
    }

    fn json(&self, event: &Event<'_>, fields: &Fields) -> String {
        let mut line = serde_json::Map::new();
        line.insert("time".into(), now().into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        line.insert("id".into(), self.id.clone().into());
        if let Some(parent) = &self.parent {
            line.insert("parent".into(), parent.clone().into());
        }
        line.insert("message".into(), fields.message.clone().into());
        for (name, value) in &fields.others {
            line.insert((*name).into(), value.clone());
        }
        Value::Object(line).to_string() + "\n"
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            let _written = write!(self.message, "{value:?}");
        } else {
            self.others.push((field.name(), format!("{value:?}").into()));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.push((field.name(), value.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.others.push((field.name(), value.into()));
        }
    }
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}
