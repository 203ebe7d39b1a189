//! What was seen, for people: the answer first, then who, then what to do.

use comfy_table::{Table, presets};

use super::headline::{headline, state};
use super::seen::{NativeLock, Seen, SideFile};
use crate::error::Party;
use crate::escape::escaped;
use crate::report;

/// How wide a line is, as far as its words allow.
const WIDTH: usize = 80;

/// How wide the names of parts are.
const NAMES: usize = 10;

/// More waiters than this are counted instead of named.
const MOST_WAITERS: usize = 10;

/// More hints than this are not shown below a table.
const MOST_HINTS: usize = 10;

/// Returns everything about one database, the answer in the first line; hints if they are wanted.
pub fn in_words(seen: &Seen, with_hints: bool) -> String {
    let mut text = escaped(&headline(seen)) + "\n";
    let mut line = |name: &str, words: String| {
        text.push_str(&wrapped(&format!("{name:<NAMES$}"), NAMES, &escaped(&words)));
    };
    line("file", file(seen));
    for holder in &seen.guard.holders {
        line("held", guard(holder));
    }
    for (key, party) in
        seen.guard.keys.iter().flat_map(|key| key.holders.iter().map(move |one| (key, one)))
    {
        line("held", format!("key {}: {}", key.key, guard(party)));
    }
    for waiter in seen.guard.waiters.iter().take(MOST_WAITERS) {
        let position = waiter.position.unwrap_or_default();
        line("waits", format!("{position}. {}, {}", report::described(waiter), waiter.mode));
    }
    let more = seen.guard.waiters.len().saturating_sub(MOST_WAITERS);
    if more > 0 {
        line("waits", format!("and {more} more"));
    }
    for (index, lock) in seen.native.locks.iter().enumerate() {
        let is_same = |other: &NativeLock| lock.who.pid != 0 && other.who.pid == lock.who.pid;
        match seen.native.locks[..index].iter().any(is_same) {
            true => line("", format!("pid {} also {}", lock.who.pid, doing(lock, seen))),
            false => line("native", native(lock, seen)),
        }
    }
    for opener in seen.openers.iter().flatten() {
        let who = Party { pid: opener.pid, command: opener.command.clone(), ..Party::default() };
        let deleted = if opener.deleted { ", deleted or replaced since" } else { "" };
        let file = here(&opener.file, seen);
        line("open", format!("{}: {file}{deleted}", report::described(&who)));
    }
    for beside in &seen.files {
        line("beside", side_file(beside, seen));
    }
    if !seen.guard.stale.is_empty() {
        line(
            "left",
            format!("{} claims of dead processes, in nobody's way", seen.guard.stale.len()),
        );
    }
    for hint in seen.hints.iter().filter(|_| with_hints) {
        text.push_str(&format!("\n{}", wrapped("hint: ", 0, &escaped(hint))));
    }
    text
}

/// Returns one line for each database, and below it the most urgent hint of each that has one, if
/// hints are wanted.
pub fn in_table(all: &[Seen], width: Option<u16>, with_hints: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["FILE", "ENGINE", "STATE", "WHO"]);
    if let Some(width) = width {
        table.set_width(width).set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    }
    for seen in all {
        let line = headline(seen);
        let who = line.split_once(": ").map_or("", |(_, who)| who).to_owned();
        let cells = [&seen.shown, seen.engine, state(seen).word(), &who];
        table.add_row(cells.map(escaped));
    }
    let mut text = table.trim_fmt() + "\n";
    let urgent = all.iter().filter_map(|seen| Some((&seen.shown, seen.hints.first()?)));
    for (file, hint) in urgent.filter(|_| with_hints).take(MOST_HINTS) {
        let hint = match hint.starts_with(file.as_str()) {
            true => hint.clone(),
            false => format!("{file}: {hint}"),
        };
        text.push_str(&format!("\n{}", wrapped("hint: ", 0, &escaped(&hint))));
    }
    text
}

fn file(seen: &Seen) -> String {
    if !seen.exists {
        return format!("{}: there is no such file; its name can be locked", seen.shown);
    }
    let mut facts = vec![seen.engine.to_owned()];
    facts.extend(seen.engine_version.clone());
    facts.extend(seen.journal_mode.map(|mode| format!("{mode} journal")));
    facts.extend(seen.page_bytes.map(|bytes| format!("pages of {bytes}")));
    facts.extend(seen.bytes.map(size));
    facts.extend(seen.filesystem.type_name.clone());
    format!("{}: {}", seen.shown, facts.join(", "))
}

fn guard(holder: &Party) -> String {
    let via = if holder.via == "kernel" { "flock" } else { "dbguard" };
    format!("{}, {}, through {via}", report::described(holder), holder.mode)
}

/// Returns the text in lines of [`WIDTH`], the later ones indented. What is to be typed stays
/// whole, and so does a word that is longer than a line.
fn wrapped(first: &str, indent: usize, words: &str) -> String {
    let mut text = first.to_owned();
    let mut column = first.chars().count();
    let mut is_fresh = true;
    for word in pieces(words) {
        let length = word.chars().count();
        if is_fresh {
            is_fresh = false;
        } else if column + 1 + length > WIDTH {
            text.push_str(&format!("\n{:indent$}", ""));
            column = indent;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
    text
}

/// Returns words, and commands as if they were words: what is in backquotes or after `type: `.
fn pieces(words: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = words;
    while !rest.is_empty() {
        let quoted = rest.strip_prefix('`').and_then(|inside| inside.find('`')).map(|end| end + 2);
        let is_command = pieces.last() == Some(&"type:");
        let from = if is_command { rest.len() } else { quoted.unwrap_or(0) };
        let end = rest[from..].find(' ').map_or(rest.len(), |end| from + end);
        pieces.push(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or("");
    }
    pieces
}

/// Returns a file beside the database as the database itself is called.
pub(super) fn here(file: &str, seen: &Seen) -> String {
    file.strip_prefix(&seen.path).map_or_else(|| file.to_owned(), |end| seen.shown.clone() + end)
}

/// Returns what a process does to which file.
fn doing(lock: &NativeLock, seen: &Seen) -> String {
    let beside = if lock.file == seen.path { String::new() } else { here(&lock.file, seen) };
    let place = if beside.is_empty() { beside } else { format!(" ({beside})") };
    format!("{}{place}; blocks {}", lock.meaning, lock.blocks.word())
}

fn native(lock: &NativeLock, seen: &Seen) -> String {
    let mut words = format!("{} {}", report::described(&lock.who), doing(lock, seen));
    if !lock.parents.is_empty() {
        let parents: Vec<&str> = lock.parents.iter().rev().map(String::as_str).collect();
        words.push_str(&format!("; below {}", parents.join(" > ")));
    }
    if let Some(container) = &lock.container {
        words.push_str(&format!("; in container {container}"));
    } else if lock.other_namespace {
        words.push_str("; in another PID namespace");
    }
    words
}

fn side_file(file: &SideFile, seen: &Seen) -> String {
    let keep = if file.safe_to_delete { "" } else { "; keep it" };
    format!("{}, {}: {}{keep}", here(&file.path, seen), size(file.bytes), file.meaning)
}

/// Returns a size with at most three digits.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut rest = bytes;
    let mut tenths = 0;
    while rest >= 1024 && unit + 1 < UNITS.len() {
        tenths = rest % 1024 * 10 / 1024;
        rest /= 1024;
        unit += 1;
    }
    match (unit, rest) {
        (0, _) => format!("{rest} B"),
        (_, 0..10) => format!("{rest}.{tenths} {}", UNITS[unit]),
        _ => format!("{rest} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::{size, wrapped};

    #[test]
    fn long_lines_are_broken_and_commands_are_not() {
        let words = "a reader ".repeat(10) + "then `kill -CONT 4711` or type: dbguard wait a.db -x";
        let text = wrapped("hint: ", 0, &words);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("`kill -CONT 4711`") && text.ends_with("dbguard wait a.db -x\n"));
        assert_eq!(wrapped("a ", 2, "b  c"), "a b  c\n");
    }

    #[test]
    fn sizes_have_few_digits() {
        for (bytes, words) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (8192, "8.0 KiB"),
            (4_300_000, "4.1 MiB"),
            (12 << 20, "12 MiB"),
            (u64::MAX, "16777215 TiB"),
        ] {
            assert_eq!(size(bytes), words);
        }
    }
}
