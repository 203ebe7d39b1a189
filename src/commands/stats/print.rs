//! Statistics for people, and as JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::Counted;
use crate::escape::escaped;
use crate::lock::rfc3339;
use crate::lock::stats::{Tally, Times};
use crate::report;

/// How wide the longest bar is.
const BAR: u64 = 40;

/// Where a bar of the histogram ends, as a power of two of microseconds, and what it is called.
const BARS: [(usize, &str); 7] = [
    (7, "0.1 ms"),
    (10, "1 ms"),
    (13, "8 ms"),
    (17, "0.1 s"),
    (20, "1 s"),
    (24, "17 s"),
    (usize::MAX, "longer"),
];

/// Returns every database, and their sum if there are several.
pub(super) fn text(all: &[Counted]) -> String {
    let mut text = String::new();
    for one in all {
        text.push_str(&block(&one.shown, &one.tally, one.active));
        text.push('\n');
    }
    if all.len() > 1 {
        let mut sum = Tally::default();
        all.iter().for_each(|one| sum.merge(&one.tally));
        let active = all.iter().map(|one| one.active).sum();
        text.push_str(&block(&format!("all {}", all.len()), &sum, active));
        text.push('\n');
    }
    text.pop();
    text
}

fn block(name: &str, tally: &Tally, active: usize) -> String {
    let mut text = format!("{}\n", escaped(name));
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<14} {value}\n"));
    let shared = match tally.shared {
        0 => String::new(),
        shared => format!(" ({shared} shared)"),
    };
    line("acquisitions", format!("{}{shared}", tally.acquisitions()));
    let reasons: Vec<String> = tally
        .failures
        .each()
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{word} {count}"))
        .collect();
    let reasons =
        if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    line("failed", format!("{}{reasons}", tally.failed()));
    line("average wait", short(tally.wait.mean()));
    line("longest wait", short(Duration::from_micros(tally.wait.max)));
    line("active now", active.to_string());
    line("last", last(tally.last_ms));
    line("contention", percent(tally.contended, tally.acquisitions()));
    line("SQL errors", percent(tally.sql.failed(), tally.sql.batches));
    for (name, times) in [("waits", &tally.wait), ("holds", &tally.hold)] {
        text.push_str(&histogram(name, times));
    }
    text
}

pub(in crate::commands) fn short(time: Duration) -> String {
    match time.as_micros() {
        0..1_000 => format!("{} us", time.as_micros()),
        1_000..1_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => report::duration(time),
    }
}

fn last(at: u64) -> String {
    if at == 0 {
        return "never".to_owned();
    }
    let then = UNIX_EPOCH + Duration::from_millis(at);
    match SystemTime::now().duration_since(then) {
        Ok(since) => format!("{} ({} ago)", rfc3339(at), report::duration(since)),
        Err(_) => rfc3339(at),
    }
}

pub(in crate::commands) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".to_owned();
    }
    format!("{:.1} %", part as f64 * 100.0 / whole as f64)
}

fn histogram(name: &str, times: &Times) -> String {
    let mut counts = [0_u64; BARS.len()];
    for (size, count) in times.sizes.iter().enumerate() {
        let bar = BARS.iter().position(|(end, _)| size <= *end).unwrap_or(BARS.len() - 1);
        counts[bar] = counts[bar].saturating_add(*count);
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let mut text = String::new();
    for ((_, label), count) in BARS.iter().zip(counts).filter(|(_, count)| *count > 0) {
        let head = if text.is_empty() { name } else { "" };
        let bar = usize::try_from((count.saturating_mul(BAR) / most).max(1)).unwrap_or(1);
        let to = if *label == "longer" { "" } else { "to " };
        text.push_str(&format!(
            "  {head:<14} {:<9} {} {count}\n",
            format!("{to}{label}"),
            "#".repeat(bar)
        ));
    }
    text
}

/// Returns one document.
pub(super) fn json(all: &[Counted]) -> String {
    let resources: Vec<Value> = all.iter().map(resource).collect();
    format!("{}\n", json!({ "schema": 1, "resources": resources }))
}

fn resource(one: &Counted) -> Value {
    let tally = &one.tally;
    let failures: serde_json::Map<String, Value> =
        tally.failures.each().map(|(word, count)| (word.to_owned(), count.into())).collect();
    let sql = &tally.sql;
    json!({
        "path": one.path.to_string_lossy(),
        "acquisitions": { "shared": tally.shared, "exclusive": tally.exclusive },
        "contended": tally.contended,
        "failures": failures,
        "wait_ms": times(&tally.wait),
        "hold_ms": times(&tally.hold),
        "active": one.active,
        "recovered_holders": tally.recovered,
        "last_acquired": (tally.last_ms > 0).then(|| rfc3339(tally.last_ms)),
        "sql": {
            "batches": sql.batches,
            "retries": sql.retries,
            "errors": { "busy": sql.busy, "conflict": sql.conflict, "sql": sql.sql, "io": sql.io },
            "run_ms": times(&sql.run),
        },
    })
}

fn times(times: &Times) -> Value {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    json!({
        "total": times.total / 1000,
        "mean": ms(times.mean()),
        "max": times.max / 1000,
        "p50": ms(times.percentile(50)),
        "p90": ms(times.percentile(90)),
        "p99": ms(times.percentile(99)),
    })
}
