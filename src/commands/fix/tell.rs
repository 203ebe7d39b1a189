//! What was done, for people and as JSON.

use comfy_table::{Table, presets};

use crate::commands::voice::Voice;
use crate::escape::escaped;
use crate::fix::{Action, Item, Standing};
use crate::stale;

/// Returns the answer.
pub(super) fn answer(items: &[Item], dry_run: bool, voice: &Voice) -> Vec<u8> {
    let count =
        |actions: &[Action]| items.iter().filter(|item| actions.contains(&item.action)).count();
    let removed = count(&[Action::Removed, Action::WouldRemove]);
    let recovered = count(&[Action::Recovered, Action::WouldRecover]);
    let (kept, failed) = (count(&[Action::Kept]), count(&[Action::Failed]));
    if voice.is_json() {
        let document = serde_json::json!({
            "schema": 1, "items": items, "removed": removed, "recovered": recovered,
            "kept": kept, "failed": failed,
        });
        return format!("{document}\n").into_bytes();
    }
    if items.is_empty() {
        return b"nothing was left behind\n".to_vec();
    }
    let mut text = String::new();
    for item in items {
        text.push_str(&line(item, voice));
    }
    let would = if dry_run { "would be " } else { "" };
    text.push_str(&format!(
        "{removed} {would}removed, {recovered} {would}recovered, {kept} kept, {failed} failed\n"
    ));
    // What matters most stands last, where the eye is.
    for item in items.iter().filter(|item| item.action == Action::Recovered) {
        text.push_str(&format!("{}\n", escaped(&item.reason)));
    }
    for item in items.iter().filter(|item| item.verdict == Standing::Damaged) {
        let path = voice.shown(&item.path);
        text.push_str(&format!("DAMAGED: {}: {}\n", escaped(&path), escaped(&item.reason)));
    }
    text.into_bytes()
}

fn line(item: &Item, voice: &Voice) -> String {
    let word = match item.action {
        Action::Removed => "removed",
        Action::Recovered => "recovered",
        Action::Kept => "kept",
        Action::WouldRemove => "would remove",
        Action::WouldRecover => "would recover",
        Action::Failed => "failed",
    };
    let format = item.format.map(|format| format!(" ({format})")).unwrap_or_default();
    let path = escaped(&voice.shown(&item.path));
    let mut text = format!("{word:<9} {path}{format}: {}\n", escaped(&item.reason));
    if let Some(command) = item.command.as_ref().filter(|_| !voice.is_quiet()) {
        text.push_str(&format!("{:<9} type: {}\n", "", escaped(command)));
    }
    text
}

/// Returns the formats of lock files.
pub(super) fn formats(voice: &Voice) -> Vec<u8> {
    if voice.is_json() {
        let one = |format: &&stale::Format| {
            serde_json::json!({
                "name": format.name, "tool": format.tool, "files": format.files,
                "rule": format.rule.words(),
            })
        };
        let formats: Vec<_> = stale::ALL.iter().map(one).collect();
        let document = serde_json::json!({ "schema": 1, "formats": formats });
        return format!("{document}\n").into_bytes();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["FORMAT", "FILES", "MADE BY", "WHAT IS DONE"]);
    for format in stale::ALL {
        table.add_row([format.name, format.files, format.tool, format.rule.words()]);
    }
    (table.trim_fmt() + "\n").into_bytes()
}
