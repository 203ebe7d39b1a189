//! Statistics in the text format of Prometheus (its "Exposition formats").

use super::Counted;
use crate::escape::escaped;
use crate::lock::stats::{Tally, Times};

/// Every other power of two of microseconds is a bucket.
const STEP: usize = 2;

/// Returns every metric with a line, or a histogram, for each database.
pub(super) fn text(all: &[Counted]) -> String {
    let mut page = Page { text: String::new(), all };
    page.counter("acquisitions", "Locks that were had.", |one| {
        vec![
            (pair("mode", "shared"), one.tally.shared),
            (pair("mode", "exclusive"), one.tally.exclusive),
        ]
    });
    page.counter("contended", "Locks that were not to be had at once.", |one| {
        vec![(String::new(), one.tally.contended)]
    });
    page.counter("failures", "Locks that were not had, or lost.", |one| {
        one.tally.failures.each().map(|(word, count)| (pair("reason", word), count)).collect()
    });
    page.counter("recovered_holders", "Holders that died holding.", |one| {
        vec![(String::new(), one.tally.recovered)]
    });
    page.counter("sql_batches", "Batches of SQL that were run.", |one| {
        vec![(String::new(), one.tally.sql.batches)]
    });
    page.counter("sql_retries", "Times a batch was run again.", |one| {
        vec![(String::new(), one.tally.sql.retries)]
    });
    page.counter("sql_errors", "Batches that failed.", |one| {
        let sql = &one.tally.sql;
        let kinds =
            [("busy", sql.busy), ("conflict", sql.conflict), ("sql", sql.sql), ("io", sql.io)];
        kinds.into_iter().map(|(kind, count)| (pair("kind", kind), count)).collect()
    });
    page.gauge("active", "Those that hold the lock now.", |one| one.active.to_string());
    page.gauge("last_acquired_timestamp_seconds", "When it was given back last.", |one| {
        format!("{}.{:03}", one.tally.last_ms / 1000, one.tally.last_ms % 1000)
    });
    page.histogram("wait_seconds", "How long locks were waited for.", |tally| &tally.wait);
    page.histogram("hold_seconds", "How long locks were held.", |tally| &tally.hold);
    page.histogram("sql_run_seconds", "How long batches ran.", |tally| &tally.sql.run);
    page.text
}

fn pair(name: &str, value: &str) -> String {
    format!(",{name}=\"{value}\"")
}

struct Page<'a> {
    text: String,
    all: &'a [Counted],
}

impl Page<'_> {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.text
            .push_str(&format!("# HELP dbguard_{name} {help}\n# TYPE dbguard_{name} {kind}\n"));
    }

    fn counter(&mut self, name: &str, help: &str, values: impl Fn(&Counted) -> Vec<(String, u64)>) {
        let name = format!("{name}_total");
        self.head(&name, help, "counter");
        for one in self.all {
            let path = label(one);
            for (labels, value) in values(one) {
                self.text.push_str(&format!("dbguard_{name}{{path=\"{path}\"{labels}}} {value}\n"));
            }
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Fn(&Counted) -> String) {
        self.head(name, help, "gauge");
        for one in self.all {
            let line = format!("dbguard_{name}{{path=\"{}\"}} {}\n", label(one), value(one));
            self.text.push_str(&line);
        }
    }

    fn histogram(&mut self, name: &str, help: &str, times: impl Fn(&Tally) -> &Times) {
        self.head(name, help, "histogram");
        for one in self.all {
            let (path, times) = (label(one), times(&one.tally));
            let mut count = 0_u64;
            let mut line = |end: &str, count: u64| {
                self.text.push_str(&format!(
                    "dbguard_{name}_bucket{{path=\"{path}\",le=\"{end}\"}} {count}\n"
                ));
            };
            // The last size is whatever takes longer.
            let (last, sizes) = times.sizes.split_last().expect("there are sizes");
            for (size, more) in sizes.iter().enumerate() {
                count = count.saturating_add(*more);
                if size % STEP == 0 {
                    line(&seconds(1 << size), count);
                }
            }
            line("+Inf", count.saturating_add(*last));
            let count = count.saturating_add(*last);
            let sum = seconds(times.total);
            self.text.push_str(&format!(
                "dbguard_{name}_sum{{path=\"{path}\"}} {sum}\n\
                 dbguard_{name}_count{{path=\"{path}\"}} {count}\n"
            ));
        }
    }
}

fn seconds(microseconds: u64) -> String {
    format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

/// Returns a path as the value of a label: bytes that are no text, and what a terminal would take for
/// a command, as escapes.
fn label(one: &Counted) -> String {
    let mut label = String::new();
    for chunk in one.path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => label.push_str("\\\\"),
                '"' => label.push_str("\\\""),
                '\n' => label.push_str("\\n"),
                _ => label
                    .push_str(&escaped(character.encode_utf8(&mut [0; 4])).replace('\\', "\\\\")),
            }
        }
        chunk.invalid().iter().for_each(|byte| label.push_str(&format!("\\\\x{byte:02x}")));
    }
    label
}
