//! What is said of those who are ended.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::unlock_args::{HolderSide, UnlockRequest};
use crate::commands::voice::Voice;
use crate::escape::escaped;
use crate::report;
use crate::unlock::{Event, Fate, Holder, Outcome, Role, Suspect};

/// Returns the lines about everybody who will be ended, and what else is to be known before.
pub(super) fn plan(all: &[Suspect], request: &UnlockRequest, shown: &str) -> Vec<String> {
    let holders: Vec<&Holder> = all.iter().map(|one| &one.holder).collect();
    let mut lines = vec![format!("{shown} is held.")];
    lines.extend(holders.iter().map(|one| line(one)));
    if holders.iter().any(|one| one.engine.is_some()) {
        lines.push("What is not committed is lost.".to_owned());
    }
    let leases: Vec<&&Holder> = holders.iter().filter(|one| one.party.lease).collect();
    if let Some(lease) = leases.first() {
        let until = lease.party.expires.as_ref();
        let until = until.map_or(String::new(), |at| format!(" and ends by itself at {at}"));
        lines.push(format!(
            "It was made by dbguard acquire{until}; whoever has its token gives it back without \
             this: dbguard release {} --token TOKEN",
            super::typed(request)
        ));
    }
    if !request.resume && holders.iter().any(|one| one.is_stopped) {
        let kill = match request.kill_after.finite() {
            Some(after) => format!("is killed after {}", report::duration(after)),
            None => "does not end".to_owned(),
        };
        lines.push(format!(
            "A stopped process does not hear TERM, and {kill}; --continue lets it go on first."
        ));
    }
    lines
}

fn line(holder: &Holder) -> String {
    let process = report::as_process(&holder.party);
    let does = holder.engine.map_or(String::new(), |does| format!(", which {does}"));
    match holder.role {
        Role::Holder => format!("This ENDS {process}{does}."),
        Role::Runner => format!("This ENDS {process}, which runs it{does}."),
        Role::Heir => format!("This ENDS {process}, which has the lock from it{does}."),
    }
}

/// Returns what is asked.
pub(super) fn question(all: &[Suspect]) -> String {
    match all.len() {
        1 => "End it? [y/N] ".to_owned(),
        count => format!("End these {count} processes? [y/N] "),
    }
}

/// Tells what happens while it happens.
pub(super) fn on_the_way(event: Event<'_>, voice: &Voice) {
    match event {
        Event::Sent(signal, holder) => voice
            .detail(|| format!("sent {} to {}", signal.word(), report::as_process(&holder.party))),
        Event::Slow(Some(left)) => {
            let left = report::duration(left);
            voice.notice(&format!("still held; KILL follows in {left}"));
        }
        Event::Slow(None) => voice.notice("still held; waiting for it to end"),
    }
}

/// Returns what is free afterwards: no more is promised than was looked at.
pub(super) fn lock(request: &UnlockRequest, shown: &str) -> String {
    let shown = match &request.key {
        Some(key) => format!("key {} of {shown}", escaped(key)),
        None => shown.to_owned(),
    };
    match request.holder {
        HolderSide::Guard => format!("dbguard's lock on {shown}"),
        HolderSide::Native => format!("the engine's lock on {shown}"),
        HolderSide::Any => shown,
    }
}

/// Returns the answer where nobody has the lock.
pub(super) fn nobody(path: &Path, lock: &str, voice: &Voice) -> Vec<u8> {
    match voice.is_json() {
        true => document(&Outcome::default(), path),
        false => format!("{lock} is free; there is nobody to end\n").into_bytes(),
    }
}

/// Returns the answer once it is done.
pub(super) fn outcome(outcome: &Outcome, path: &Path, lock: &str, voice: &Voice) -> Vec<u8> {
    if voice.is_json() {
        return document(outcome, path);
    }
    let mut text: String = outcome.fates.iter().map(fate).collect();
    if outcome.is_free() {
        text.push_str(&format!("{lock} is free\n"));
    }
    text.into_bytes()
}

fn fate(fate: &Fate) -> String {
    let process = report::as_process(&fate.holder.party);
    let signal = fate.sent.map_or(String::new(), |sent| format!(" by {}", sent.word()));
    match fate.has_ended {
        true => format!("ended{signal}: {process}\n"),
        false => format!("let go{signal}, and runs on: {process}\n"),
    }
}

fn document(outcome: &Outcome, path: &Path) -> Vec<u8> {
    let of = |has_ended: bool| -> Vec<Value> {
        let fates = outcome.fates.iter().filter(|fate| fate.has_ended == has_ended);
        fates.map(|fate| process(&fate.holder, Some(fate))).collect()
    };
    let all = |holders: &[Holder]| -> Vec<Value> {
        holders.iter().map(|holder| process(holder, None)).collect()
    };
    let document = json!({
        "schema": 1,
        "path": path.to_string_lossy(),
        "state": if outcome.is_free() { "free" } else { "held" },
        "ended": of(true),
        "let_go": of(false),
        "survivors": all(&outcome.survivors),
        "unshown": all(&outcome.unshown),
        "newcomers": all(&outcome.newcomers),
    });
    format!("{document}\n").into_bytes()
}

fn process(holder: &Holder, fate: Option<&Fate>) -> Value {
    let role = match holder.role {
        Role::Holder => "holder",
        Role::Runner => "runner",
        Role::Heir => "heir",
    };
    let mut process = json!({
        "pid": holder.pid,
        "command": holder.party.command,
        "user": holder.party.user,
        "mode": holder.party.mode,
        "role": role,
        "meaning": holder.engine,
    });
    if let Some(fate) = fate {
        process["signal"] = fate.sent.map(|sent| sent.word()).into();
    }
    process
}
