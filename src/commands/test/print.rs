//! What a test found out, for people and as JSON.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::arena::{Kind, Site};
use super::tally::{Spread, Tally, Verdict};
use super::work::Way;
use crate::cli::test_args::{Extent, Ground, TestMode, WorkRequest};
use crate::commands::stats::{percent, short};
use crate::commands::voice::Voice;
use crate::error::Failure;
use crate::outcome::Outcome;
use crate::platform::file_system::{self as systems, FileSystem};
use crate::platform::signals::{Arrival, Origin};
use crate::report;
use crate::report::escaped;

/// Which percentiles are told.
const PERCENTILES: [(usize, &str); 4] = [(50, "p50"), (90, "p90"), (99, "p99"), (100, "max")];

/// Everything there is to tell.
pub(super) struct Report<'a> {
    pub(super) request: &'a WorkRequest,
    pub(super) site: &'a Site,
    pub(super) mode: TestMode,
    pub(super) runs: &'a [(Way, Tally)],
}

impl Report<'_> {
    /// Returns the text for people.
    pub(super) fn text(&self, voice: &Voice) -> String {
        let mut text = self.head(voice);
        text.push('\n');
        if let Some((_, tally)) = self.runs.first() {
            self.figures(tally).iter().for_each(|(name, value)| line(&mut text, name, value));
        }
        if self.runs.len() > 1 {
            text.push('\n');
            text.push_str(&self.beside());
        }
        text.push('\n');
        text.push_str(&self.conclusion());
        text
    }

    fn head(&self, voice: &Voice) -> String {
        let request = self.request;
        let mode = match self.mode {
            TestMode::Sql => "sql",
            TestMode::Exec => "exec",
            TestMode::Mixed => "sql and exec in turns",
        };
        let extent = match request.extent {
            Extent::Operations(each) => format!("{} each", counted(each, "operation")),
            Extent::Time(limit) => format!("for {}", report::duration(limit)),
        };
        let readers = match request.readers {
            0 => String::new(),
            readers => format!(", {}", counted(readers, "reader")),
        };
        let workers = counted(request.workers, "worker");
        let place = match (&self.site.file, request.ground) {
            (Some(file), Ground::InPlace) => format!("a table in {}", voice.shown(file)),
            _ if self.site.kind == Kind::Plain => "a scratch file".to_owned(),
            _ => "a scratch database".to_owned(),
        };
        let directory = &self.site.directory;
        let system = file_system(directory).words(directory);
        let kind = self.site.kind.name();
        let what = if self.site.kind == Kind::Plain { place } else { format!("{kind}, {place}") };
        format!("{workers}, {extent}, by {mode}{readers}\n{what} in {system}\n")
    }

    fn figures(&self, tally: &Tally) -> Vec<(&'static str, String)> {
        let mut figures = vec![("done", format!("{} of {}", tally.done(), tally.begun()))];
        figures.push(("failed", with_reasons(tally)));
        figures.push(("lost updates", tally.lost().to_string()));
        if tally.extra() > 0 {
            figures.push(("extra updates", tally.extra().to_string()));
        }
        if self.request.readers > 0 {
            let (reads, wrong, failed) = tally.reads();
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            figures.push(("wrong reads", format!("{wrong} of {reads}{failed}")));
        }
        let elapsed = short(tally.elapsed);
        figures.push(("throughput", format!("{} a second, {elapsed} in all", rate(tally))));
        figures.push(("wait", spread(&tally.waits())));
        figures.push(("took", spread(&tally.times())));
        figures.push(("largest share", self.share(tally)));
        if let Some(first) = tally.first_failure() {
            figures.push(("first failure", escaped(first)));
        }
        figures
    }

    fn share(&self, tally: &Tally) -> String {
        let even = 100.0 / f64::from(self.request.workers);
        format!("{:.1} % by one worker; even is {even:.1} %", tally.largest_share() * 100.0)
    }

    /// Returns the table of the same work done in other ways.
    fn beside(&self) -> String {
        let timeout = self.request.timeout;
        let head = self.runs.iter().map(|(way, _)| match way {
            Way::Dbguard => "dbguard".to_owned(),
            Way::Bare => "bare".to_owned(),
            Way::Patient => format!("timeout {timeout}"),
        });
        let time = |spread: &Spread, percent| spread.percentile(percent).map_or("-".into(), short);
        type Cell = fn(&Tally) -> String;
        let rows: [(&str, Cell); 5] = [
            ("done", |tally| format!("{} of {}", tally.done(), tally.begun())),
            ("lock errors", |tally| tally.lock_errors().to_string()),
            ("other errors", |tally| (tally.failed() - tally.lock_errors()).to_string()),
            ("lost updates", |tally| tally.lost().to_string()),
            ("a second", rate),
        ];
        let mut text = row("", head);
        for (name, cell) in rows {
            text.push_str(&row(name, self.runs.iter().map(|(_, tally)| cell(tally))));
        }
        for (percent, name) in [(50, "took, p50"), (99, "took, p99"), (100, "took, longest")] {
            let cells = self.runs.iter().map(|(_, tally)| time(&tally.times(), percent));
            text.push_str(&row(name, cells));
        }
        if !self.runs.iter().any(|(way, _)| *way == Way::Patient) {
            let name = self.site.kind.name();
            text.push_str(&format!("  ({name} has no timeout of its own)\n"));
        }
        text
    }

    fn conclusion(&self) -> String {
        let Some((_, tally)) = self.runs.first() else { return String::new() };
        let (_, wrong, failed_reads) = tally.reads();
        match tally.verdict() {
            Verdict::Ok => "nothing was lost\n".to_owned(),
            Verdict::Lost => format!(
                "LOST: {} reported done, and not in the database\n",
                counted(tally.lost(), "update")
            ),
            Verdict::Extra => {
                format!("WRONG: {} that nobody made\n", counted(tally.extra(), "update"))
            }
            Verdict::WrongReads => {
                format!("WRONG: {} saw what cannot be\n", counted(wrong, "read"))
            }
            Verdict::Failed => {
                let all = counted(tally.failed() + failed_reads, "process");
                format!("nothing was lost, but not all is proved: {all} failed\n")
            }
        }
    }

    /// Returns the document for programs.
    pub(super) fn document(&self) -> String {
        let request = self.request;
        let run = |wanted| {
            let mut runs = self.runs.iter();
            runs.find(|(way, _)| *way == wanted).map(|(_, tally)| self.run(tally))
        };
        let verdict = self.runs.first().map_or(Verdict::Failed, |(_, tally)| tally.verdict());
        let (ops, duration) = match request.extent {
            Extent::Operations(each) => (Some(each), None),
            Extent::Time(limit) => (None, Some(millis(limit))),
        };
        let document = json!({
            "schema": 1,
            "verdict": verdict.word(),
            "file": self.site.file.as_ref().map(|file| file.to_string_lossy()),
            "directory": self.site.directory.to_string_lossy(),
            "filesystem": file_system(&self.site.directory).document(),
            "engine": self.site.kind.word(),
            "mode": self.mode.word(),
            "in_place": request.ground == Ground::InPlace,
            "workers": request.workers,
            "readers": request.readers,
            "ops": ops,
            "duration_ms": duration,
            "dbguard": run(Way::Dbguard),
            "bare": run(Way::Bare),
            "engine_timeout": run(Way::Patient),
        });
        format!("{document}\n")
    }

    fn run(&self, tally: &Tally) -> Value {
        let (reads, wrong, failed) = tally.reads();
        json!({
            "begun": tally.begun(),
            "done": tally.done(),
            "failed": tally.failed(),
            "failures": tally.failures(),
            "first_failure": tally.first_failure(),
            "lock_errors": tally.lock_errors(),
            "lost_updates": tally.lost(),
            "extra_updates": tally.extra(),
            "reads": reads,
            "wrong_reads": wrong,
            "failed_reads": failed,
            "elapsed_ms": millis(tally.elapsed),
            "per_second": (tally.per_second() * 10.0).round() / 10.0,
            "wait_ms": times(&tally.waits()),
            "took_ms": times(&tally.times()),
            "largest_share": tally.largest_share(),
            "even_share": 1.0 / f64::from(self.request.workers),
        })
    }
}

/// Returns the failure that a signal is.
pub(super) fn interrupted(arrival: Arrival, what: &str) -> Failure {
    let outcome = Outcome::Signaled(u8::try_from(arrival.signal).unwrap_or(0));
    let mut failure = Failure::new(outcome, format!("interrupted; {what}"));
    failure.key = (arrival.origin == Origin::Kernel).then_some(arrival.signal);
    failure
}

/// A file system, if it can be told.
pub(super) struct System(Option<FileSystem>);

/// Returns the file system of a directory.
pub(super) fn file_system(directory: &Path) -> System {
    System(systems::of(directory))
}

impl System {
    /// Returns where and what it is.
    pub(super) fn words(&self, directory: &Path) -> String {
        let shown = report::shown_path(directory, None);
        let shown = if shown == "." { "the current directory".to_owned() } else { shown };
        match &self.0 {
            Some(system) if system.network => {
                format!("{shown} ({}, over the network)", escaped(&system.type_name))
            }
            Some(system) => format!("{shown} ({})", escaped(&system.type_name)),
            None => shown,
        }
    }

    /// Returns it for programs.
    pub(super) fn document(&self) -> Value {
        match &self.0 {
            Some(system) => json!({ "type": system.type_name, "network": system.network }),
            None => Value::Null,
        }
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    text.push_str(&format!("  {name:<14} {value}\n"));
}

fn row(name: &str, cells: impl Iterator<Item = String>) -> String {
    let mut row = format!("  {name:<14}");
    cells.for_each(|cell| row.push_str(&format!(" {cell:>16}")));
    row.push('\n');
    row
}

fn counted(count: impl Into<u64>, noun: &str) -> String {
    let (count, many) = (count.into(), if noun.ends_with('s') { "es" } else { "s" });
    format!("{count} {noun}{}", if count == 1 { "" } else { many })
}

fn with_reasons(tally: &Tally) -> String {
    let failed = tally.failed();
    let reasons: Vec<_> =
        tally.failures().iter().map(|(name, count)| format!("{name} {count}")).collect();
    match reasons.is_empty() {
        true => failed.to_string(),
        false => format!("{failed}, {} ({})", share(failed, tally.begun()), reasons.join(", ")),
    }
}

fn share(part: u64, whole: u64) -> String {
    percent(part, whole)
}

fn rate(tally: &Tally) -> String {
    match tally.per_second() {
        slow if slow < 10.0 => format!("{slow:.1}"),
        fast => format!("{fast:.0}"),
    }
}

fn spread(spread: &Spread) -> String {
    let time = |percent| spread.percentile(percent).map(short);
    let told = PERCENTILES.iter().filter_map(|(percent, name)| Some((name, time(*percent)?)));
    let told: Vec<_> = told.map(|(name, time)| format!("{name} {time}")).collect();
    if told.is_empty() { "not measured".to_owned() } else { told.join(", ") }
}

fn times(spread: &Spread) -> Value {
    let time = |percent| Some(spread.percentile(percent)?.as_secs_f64() * 1e3);
    let rounded = |percent| time(percent).map(|millis| (millis * 1e3).round() / 1e3);
    let all =
        PERCENTILES.iter().map(|(percent, name)| ((*name).to_owned(), json!(rounded(*percent))));
    match rounded(50) {
        Some(_) => Value::Object(all.collect()),
        None => Value::Null,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
