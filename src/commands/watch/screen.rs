//! The screen: one line a database, who has the chosen one, and the keys.
//!
//! Fits any window: what there is no room for is left out, the strip first.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table, TableState};

use super::board::{Board, Entry};
use crate::error::Party;
use crate::escape::harmless;
use crate::lock::Claimant;
use crate::report;
use crate::watch::{Cell, Hold, Sample};

/// Below this height there is no room for those who wait.
const TALL: u16 = 12;

/// From this width on there is room for a holder, and from the other for a strip.
const WIDE: u16 = 40;
const VERY_WIDE: u16 = 70;

/// A name is cut here, at its end.
const LONGEST_NAME: usize = 40;

/// The longest line about a process.
const LONGEST_LINE: usize = 300;

const KEYS: &str = "q quit  s sort  / filter  p processes  up/down choose  |  \
                    . free  s shared  x exclusive  n engine  capital: others waited";

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, board: &Board) {
    let area = frame.area();
    let rows = board.rows();
    let place = board.place(&rows);
    let details = details(board, place.map(|place| rows[place]));
    let below = match area.height {
        TALL.. => u16::try_from(details.len()).unwrap_or(u16::MAX).min(area.height / 2),
        _ if board.kin.is_some() => area.height.saturating_sub(2),
        _ => 0,
    };
    let title = u16::from(area.height > 3);
    let parts = Layout::vertical([
        Constraint::Length(title),
        Constraint::Min(0),
        Constraint::Length(below),
        Constraint::Length(1),
    ]);
    let [top, middle, lower, bottom] = parts.areas(area);
    frame.render_widget(Line::styled(headline(board, rows.len()), bold()), top);
    table(frame, middle, board, &rows, place);
    let details = cut(details, usize::from(below), board.kin.as_deref());
    frame.render_widget(Paragraph::new(details), lower);
    frame.render_widget(last_line(board), bottom);
}

fn headline(board: &Board, shown: usize) -> String {
    let held = board.entries.iter().filter(|entry| entry.sample.is_held()).count();
    let waiting: usize = board.entries.iter().map(|entry| entry.sample.waiters().count()).sum();
    let all = match board.entries.len() {
        1 => "1 database".to_owned(),
        count if shown < count => format!("{shown} of {count} databases"),
        count => format!("{count} databases"),
    };
    let sort = board.sort.word();
    format!("dbguard watch: {all}, {held} held, {waiting} waiting; by {sort}")
}

fn table(frame: &mut Frame<'_>, area: Rect, board: &Board, rows: &[&Entry], place: Option<usize>) {
    let names = rows.iter().map(|entry| entry.shown.chars().count()).max().unwrap_or(0);
    let name = u16::try_from(names.clamp(4, LONGEST_NAME)).unwrap_or(u16::MAX);
    let mut widths = vec![Constraint::Length(name.min(area.width / 3).max(4))];
    widths.push(Constraint::Length(9));
    if area.width >= WIDE {
        widths.push(Constraint::Length(5));
        widths.push(Constraint::Fill(1));
    }
    let strip = if area.width >= VERY_WIDE { area.width / 3 } else { 0 };
    if strip > 0 {
        widths.push(Constraint::Length(strip));
    }
    let columns = widths.len();
    let head = ["name", "state", "wait", "held by", "last 5 minutes"];
    let head = Row::new(head.into_iter().take(columns)).style(bold());
    let lines = rows.iter().map(|entry| {
        let line = row(entry, board, strip);
        Row::new(line.into_iter().take(columns))
    });
    let table = Table::new(lines, widths)
        .header(head)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(place);
    frame.render_stateful_widget(table, area, &mut state);
}

fn row<'a>(entry: &'a Entry, board: &Board, strip: u16) -> Vec<Line<'a>> {
    let sample = &entry.sample;
    let now = Cell::of(sample);
    let state = match now.hold {
        _ if sample.error.is_some() && now.hold == Hold::Free => "unknown",
        Hold::Free => "free",
        Hold::Native => "engine",
        Hold::Shared => "shared",
        Hold::Exclusive => "exclusive",
    };
    let waiting = sample.waiters().count();
    let waiting = if waiting == 0 { String::new() } else { waiting.to_string() };
    let cells = entry.strip.columns(usize::from(strip));
    let letter = |cell: Cell| Span::styled(cell.letter().to_string(), colour(cell, board));
    vec![
        Line::raw(harmless(&entry.shown, LONGEST_NAME)),
        Line::styled(state, colour(now, board)),
        Line::raw(waiting),
        Line::raw(holder(sample)),
        Line::from(cells.into_iter().map(letter).collect::<Vec<_>>()),
    ]
}

/// Returns who has it, in short.
fn holder(sample: &Sample) -> String {
    match sample.culprit() {
        Some((party, _)) => format!("{} {}", number(party), command(party)),
        None => {
            sample.error.as_deref().map_or_else(String::new, |error| harmless(error, LONGEST_LINE))
        }
    }
}

/// Returns everybody who has the chosen database or waits for it, or the processes around the
/// holder.
fn details<'a>(board: &'a Board, chosen: Option<&'a Entry>) -> Vec<Line<'a>> {
    if let Some(kin) = &board.kin {
        return kin.iter().map(|line| Line::raw(line.as_str())).collect();
    }
    let Some(Entry { sample, shown, .. }) = chosen else { return Vec::new() };
    let mut lines = vec![Line::styled(harmless(shown, LONGEST_LINE), bold())];
    let guard = |one: &Claimant| {
        let key = one.key.as_ref().map(|key| format!(", key {}", harmless(key, LONGEST_NAME)));
        format!("{}{}", one.party.mode, key.unwrap_or_default())
    };
    let mut add = |word: &str, party: &Party, does: &str| {
        lines.push(Line::raw(format!("  {word:<8}{}", in_words(party, does))));
    };
    sample.holders().for_each(|one| add("has it", &one.party, &guard(one)));
    for lock in &sample.native {
        add("engine", &lock.party, &format!("{}, blocks {}", lock.meaning, lock.blocks.word()));
    }
    sample.waiters().for_each(|one| add("waits", &one.party, &guard(one)));
    if lines.len() == 1 {
        lines.push(Line::raw("  nobody has it, and nobody waits"));
    }
    lines
}

/// Leaves out what there is no room for, and says so; of processes the holder stays, whom all the
/// others are shown for.
fn cut<'a>(lines: Vec<Line<'a>>, room: usize, kin: Option<&[String]>) -> Vec<Line<'a>> {
    if lines.len() <= room || room < 2 {
        return lines;
    }
    let shown = room - 1;
    let holder = kin.and_then(|kin| kin.iter().position(|line| line.starts_with('>')));
    let skipped = holder.map_or(0, |holder| (holder + 1).saturating_sub(shown));
    let more = lines.len() - shown;
    let mut kept: Vec<_> = lines.into_iter().skip(skipped).take(shown).collect();
    kept.push(Line::raw(format!("  {more} more")));
    kept
}

/// Returns a process on one line: what counts first, for the window may be narrow.
fn in_words(party: &Party, does: &str) -> String {
    let mut facts = vec![number(party)];
    facts.extend(party.user.as_ref().map(|user| harmless(user, LONGEST_NAME)));
    let age = party.for_ms.map(|for_ms| report::duration(Duration::from_millis(for_ms)));
    facts.extend(age.map(|age| match party.via {
        // For how long it has a lock that only the kernel knows, nobody can tell.
        "kernel" => format!("running for {age}"),
        _ => age,
    }));
    if matches!(party.process_state, "stopped" | "zombie") {
        facts.push(party.process_state.to_owned());
    }
    facts
        .extend(party.label.as_ref().map(|label| format!("\"{}\"", harmless(label, LONGEST_NAME))));
    format!("{}, {does}: {}", facts.join(", "), command(party))
}

fn number(party: &Party) -> String {
    match party.child_pid.unwrap_or(party.pid) {
        0 => "?".to_owned(),
        pid => pid.to_string(),
    }
}

fn command(party: &Party) -> String {
    match &party.command {
        Some(words) => harmless(&words.join(" "), LONGEST_LINE),
        None if party.program.is_empty() => "a process that cannot be seen from here".to_owned(),
        None => harmless(&party.program, LONGEST_LINE),
    }
}

fn last_line(board: &Board) -> Line<'_> {
    if board.is_typing {
        return Line::raw(format!("/{}_", harmless(&board.filter, LONGEST_LINE)));
    }
    match &board.message {
        Some(message) => Line::styled(harmless(message, LONGEST_LINE), bold()),
        None => Line::raw(KEYS),
    }
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn colour(cell: Cell, board: &Board) -> Style {
    if !board.has_colour {
        return Style::new();
    }
    let colour = match cell.hold {
        Hold::Free if cell.waited => Color::Yellow,
        Hold::Free => Color::DarkGray,
        Hold::Native => Color::Magenta,
        Hold::Shared => Color::Green,
        Hold::Exclusive => Color::Red,
    };
    let style = Style::new().fg(colour);
    if cell.waited { style.add_modifier(Modifier::BOLD) } else { style }
}

#[cfg(test)]
mod tests;
