//! What to know and what to do, one sentence each: what is wrong, and the next step.
//!
//! Each is made from what was seen, never from a guess about the cause.

use std::path::is_separator;

use super::headline::{blockers, is_halted};
use super::seen::{Broken, NativeLock, NativeState, Pinned, Seen, Sight};
use super::text::here;
use crate::error::Party;
use crate::escape::{escaped, quoted};
use crate::native::decode::Blocks;

const VS_CODE: &str = "close the connection of the VS Code extension, or the window";
const KERNEL: &str = "shut the notebook's kernel down";

/// Programs that keep a database open for as long as they run, and what to do about each.
const KEEPERS: &[(&str, &str)] = &[
    ("code", VS_CODE),
    ("code-server", VS_CODE),
    (".vscode", VS_CODE),
    (".vscode-server", VS_CODE),
    ("dbeaver", "disconnect in DBeaver"),
    ("jupyter", KERNEL),
    ("jupyter-lab", KERNEL),
    ("jupyter-notebook", KERNEL),
    ("ipykernel_launcher", KERNEL),
    ("ipykernel", KERNEL),
    ("datagrip", "disconnect in DataGrip"),
    ("beekeeper-studio", "quit Beekeeper Studio"),
];

/// Returns the hints, most urgent first.
pub fn hints(seen: &Seen) -> Vec<String> {
    let mut hints = Vec::new();
    let mut add = |hint: Option<String>| hints.extend(hint);
    let holders = seen.guard.holders.iter();
    holders.clone().for_each(|holder| add(halted(holder, seen)));
    holders.clone().for_each(|holder| add(leased(holder, seen)));
    blockers(seen).for_each(|lock| add(halted(&lock.who, seen)));
    add(commit_waits(seen));
    blockers(seen).for_each(|lock| add(unseen(lock, seen)));
    blockers(seen).for_each(|lock| add(orphaned(lock, seen)));
    blockers(seen).for_each(|lock| add(keeper(lock, seen)));
    seen.native.locks.iter().for_each(|lock| add(replaced(lock)));
    seen.files.iter().for_each(|file| {
        add(file.recovery.as_ref().map(|command| {
            format!("{}: {}; type: {command}", here(&file.path, seen), file.meaning)
        }));
        add(file.warns.then(|| format!("{}: {}", here(&file.path, seen), file.meaning)));
    });
    seen.broken.iter().for_each(|one| add(broken(one, seen)));
    add(perhaps_broken(seen));
    let is_free = seen.native.state == NativeState::Free;
    add((seen.needs_repair && is_free).then(|| {
        format!("{} was not closed; whoever opens it for writing next repairs it", seen.shown)
    }));
    add(unseen_openers(seen));
    add(without_database(seen));
    seen.pinned.iter().for_each(|one| add(pinned(one)));
    add(dot_lock(seen));
    add(network(seen));
    add(links(seen));
    add(busy(seen));
    let mut said = Vec::new();
    hints.retain(|hint| {
        let new = !said.contains(hint);
        said.push(hint.clone());
        new
    });
    hints
}

fn leased(party: &Party, seen: &Seen) -> Option<String> {
    party.lease.then(|| {
        format!(
            "dbguard acquire took the lock: commands join it with DBGUARD_HELD=TOKEN, and dbguard \
             release {} --token TOKEN ends it",
            seen.typed
        )
    })
}

fn halted(party: &Party, seen: &Seen) -> Option<String> {
    let pid = number(party)?;
    is_halted(party).then(|| {
        format!(
            "pid {pid} is stopped: waiting will not help; continue it with `kill -CONT {pid}` (or \
             `fg`), or end it with `dbguard unlock {}`; one that is being debugged is for its \
             debugger to continue",
            typed_again(seen)
        )
    })
}

/// A commit in SQLite's rollback mode keeps new readers out until the old ones leave.
fn commit_waits(seen: &Seen) -> Option<String> {
    let pending = seen.native.locks.iter().find(|lock| lock.meaning.contains("(PENDING)"))?;
    let readers = seen.native.locks.iter().filter(|lock| lock.meaning.contains("(SHARED)"));
    let readers: Vec<String> =
        readers.filter_map(|lock| number(&lock.who)).map(|pid| format!("pid {pid}")).collect();
    let pid = number(&pending.who)?;
    (!readers.is_empty()).then(|| {
        format!(
            "the commit of pid {pid} waits for the reader {}: let that one finish, or end it",
            readers.join(" and ")
        )
    })
}

/// The kernel says 0 or -1, or nobody whom we may look at has it.
fn unseen(lock: &NativeLock, seen: &Seen) -> Option<String> {
    if lock.who.pid != 0 {
        return None;
    }
    Some(match lock.raw_pid {
        _ if seen.sight == Sight::Openers => format!(
            "who holds it cannot be seen: this system tells nobody who has bytes of a file locked; \
             dbguard info --openers {} tells who has it open",
            seen.typed
        ),
        0 if seen.filesystem.network => "PID 0: the lock is held on another machine, which this \
             kernel cannot name; run dbguard info there"
            .to_owned(),
        0 => "PID 0: a process outside this PID namespace holds it; run dbguard info on the host, \
             or in the other container"
            .to_owned(),
        _ if seen.sight == Sight::Everybody => {
            "who holds it cannot be seen from here: a process outside this \
             PID namespace, or the kernel for a file server; run dbguard info on the host"
                .to_owned()
        }
        _ => "who holds it cannot be seen from here; run dbguard info as root to see everybody"
            .to_owned(),
    })
}

fn orphaned(lock: &NativeLock, seen: &Seen) -> Option<String> {
    let pid = number(&lock.who)?;
    let orphaned = lock.orphaned && lock.terminal.is_none();
    orphaned.then(|| {
        format!(
            "pid {pid} has no terminal and no parent but process 1: a service, or forgotten by \
             whoever started it; if nobody needs it, `dbguard unlock {}` ends it",
            typed_again(seen)
        )
    })
}

/// DuckDB and its like lock for as long as the file is open, not for a query.
fn keeper(lock: &NativeLock, seen: &Seen) -> Option<String> {
    if !matches!(seen.engine, "duckdb" | "leveldb" | "rocksdb" | "bbolt" | "redb") {
        return None;
    }
    Some(match advice(lock) {
        Some(advice) => {
            format!("{} is locked for as long as it is open, not for a query: {advice}", seen.shown)
        }
        None if lock.blocks == Blocks::Writers => format!(
            "{} is open for reading: others can open it read-only, nobody can write until it is \
             closed",
            seen.shown
        ),
        None => format!(
            "{} is locked for as long as that program has it open, not for a query: close it there",
            seen.shown
        ),
    })
}

/// Recognises a program by whole names: `/home/ana/code/etl.py` is not an editor.
fn advice(lock: &NativeLock) -> Option<&'static str> {
    // Where a program lies, and what `python -m` was told, are names too; other arguments are not.
    let command = lock.who.command.iter().flatten().map(String::as_str).collect::<Vec<_>>();
    let module = command.iter().skip_while(|word| **word != "-m").nth(1);
    let scripts = command.iter().take(2).chain(module).copied();
    let programs = scripts.chain(lock.parents.iter().map(String::as_str));
    let names = programs.flat_map(|program| {
        let parts: Vec<&str> = program.split(std::path::is_separator).collect();
        let last = parts.len() - 1;
        // A directory counts only where it cannot be but the program's own.
        let counts = move |(index, name): &(usize, &str)| *index == last || name.starts_with('.');
        parts.into_iter().enumerate().filter(counts).map(|(_, name)| name.to_lowercase())
    });
    names.into_iter().find_map(|name| {
        let name = name.strip_suffix(".exe").unwrap_or(&name);
        KEEPERS.iter().find(|(known, _)| name == *known).map(|(_, advice)| *advice)
    })
}

fn broken(one: &Broken, seen: &Seen) -> Option<String> {
    let Broken { pid, file, deleted } = one;
    let file = here(file, seen);
    Some(match deleted {
        true => format!(
            "pid {pid} goes on with {file}, which was deleted or replaced: what it writes is lost; \
             restart it, then check with `pragma integrity_check`"
        ),
        false => format!(
            "pid {pid} has {file} open and its locks are broken: something in it opened and closed \
             the file once more; restart it, then check with `pragma integrity_check`"
        ),
    })
}

/// A log that nobody has a lock beside is left over, or in use by one whose locks are lost.
fn perhaps_broken(seen: &Seen) -> Option<String> {
    let is_left = seen.files.iter().any(|file| file.role == "wal" && file.recovery.is_some());
    let is_asked = seen.openers.is_some() || seen.native.state != NativeState::Free;
    // Where nobody is told of shared locks, whoever uses it may well have his.
    let would_show = seen.sight != Sight::Openers;
    (seen.engine == "sqlite" && is_left && !is_asked && would_show).then(|| {
        format!(
            "if a program does use {}, its locks are broken: dbguard info --openers {} tells{}",
            seen.shown,
            seen.typed,
            if seen.sight == Sight::Part { ", to root of everybody" } else { "" }
        )
    })
}

fn unseen_openers(seen: &Seen) -> Option<String> {
    let count = seen.openers_unseen;
    (count > 0).then(|| match seen.sight {
        // Of a file, then, not of a process.
        Sight::Openers => "this system does not tell of everybody who has it open".to_owned(),
        _ => format!(
            "{count} processes of others could not be looked into and may have it open too; root \
             sees them"
        ),
    })
}

/// A log or a journal is nothing without its database, and may be all that is left of it.
fn without_database(seen: &Seen) -> Option<String> {
    let ends = ["-wal", "-journal", ".wal"];
    let is_side_file = seen.engine == "unknown" && ends.iter().any(|end| seen.path.ends_with(end));
    (seen.exists && is_side_file).then(|| {
        format!(
            "{} is called like the log of a database that is not there, and may hold what is left \
             of it: keep it, and look for the database",
            seen.shown
        )
    })
}

fn pinned(one: &Pinned) -> Option<String> {
    let Pinned { pid, frame, last, backfilled } = one;
    Some(format!(
        "pid {pid} is a reader pinned at frame {frame} of {last}, {backfilled} backfilled: the \
         -wal cannot be emptied until it ends its transaction"
    ))
}

fn dot_lock(seen: &Seen) -> Option<String> {
    let lock = seen.files.iter().find(|file| file.role == "dotfile_lock")?;
    Some(format!(
        "{}: programs that use SQLite's unix-dotfile wait for this directory, others do not look \
         at it; if none of them runs, type: rmdir {}",
        here(&lock.path, seen),
        typed(&lock.path)
    ))
}

/// Returns a path as a word for the shell of this system, quoted only where it is needed.
pub fn typed(path: impl AsRef<[u8]>) -> String {
    let path = path.as_ref();
    let is_plain = |letter: char| {
        letter.is_alphanumeric() || "_-./:=@%+,".contains(letter) || is_separator(letter)
    };
    let Some(text) = std::str::from_utf8(path).ok().filter(|text| escaped(text) == *text) else {
        // Only this form shows such a character without sending it to the terminal.
        let byte = |byte: &u8| match byte {
            b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
            b' '..=b'~' => char::from(*byte).to_string(),
            _ => format!("\\{byte:03o}"),
        };
        return format!("$'{}'", path.iter().map(byte).collect::<String>());
    };
    let text = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => quoted(&text),
    }
}

fn replaced(lock: &NativeLock) -> Option<String> {
    let pid = number(&lock.who)?;
    lock.deleted_executable.then(|| {
        format!(
            "the program of pid {pid} was replaced since it started: restart it to run the new one"
        )
    })
}

fn network(seen: &Seen) -> Option<String> {
    let kind = seen.filesystem.type_name.as_deref().filter(|_| seen.filesystem.network)?;
    let wal = seen.journal_mode == Some("wal");
    Some(if wal {
        format!(
            "{} uses SQLite's write-ahead log on {kind}, which does not work between machines: \
             move it to a local disk, or switch with `pragma journal_mode=delete`",
            seen.shown
        )
    } else {
        format!("{} is on {kind}: locks of other machines may not be seen here", seen.shown)
    })
}

fn links(seen: &Seen) -> Option<String> {
    let links = seen.links.filter(|links| *links > 1)?;
    seen.engine.starts_with("sqlite").then(|| {
        format!(
            "{} has {links} names: SQLite keeps a journal for each name, and a crash can damage \
             it; use one name only",
            seen.shown
        )
    })
}

fn busy(seen: &Seen) -> Option<String> {
    let is_held = !seen.guard.holders.is_empty();
    is_held.then(|| {
        let file = typed_again(seen);
        format!("to go next, type: dbguard wait {file}, or dbguard exec -w 10m {file} -- COMMAND")
    })
}

/// Returns the database with the options that mean this lock of it.
fn typed_again(seen: &Seen) -> String {
    let key = seen.key.as_ref().map(|key| format!("-k {} ", typed(key))).unwrap_or_default();
    let place = seen.lock_dir.as_ref().map(|place| format!("--lock-dir {place} "));
    format!("{}{key}{}", place.unwrap_or_default(), seen.typed)
}

fn number(party: &Party) -> Option<u32> {
    let pid = party.child_pid.unwrap_or(party.pid);
    (pid != 0).then_some(pid)
}

#[cfg(test)]
mod tests {
    use std::path::MAIN_SEPARATOR;

    use super::super::seen::{Broken, FileSystem, NativeLock, Pinned, Seen};
    use super::{hints, typed};
    use crate::error::Party;
    use crate::native::decode::Blocks;

    fn seen(engine: &'static str) -> Seen {
        let name = || "a.db".to_owned();
        Seen { engine, path: name(), shown: name(), typed: name(), ..Seen::default() }
    }

    fn held(engine: &'static str, pid: u32, command: &[&str]) -> Seen {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let who = Party { pid, command: Some(command), ..Party::default() };
        let lock = NativeLock { who, blocks: Blocks::All, ..NativeLock::default() };
        let mut seen = seen(engine);
        seen.native.locks.push(lock);
        seen
    }

    #[track_caller]
    fn assert_hints(seen: &Seen, expected: &str) {
        let found = hints(seen);
        assert!(found.iter().any(|hint| hint.contains(expected)), "{expected}: {found:?}");
    }

    #[test]
    fn programs_that_keep_a_database_open_are_recognised_by_whole_names() {
        for (command, advice) in [
            (&["/usr/share/code/code", "--type=utility"][..], "VS Code"),
            (&["/home/ana/.vscode-server/bin/0/node", "x.js"], "VS Code"),
            (&["/opt/dbeaver-ce/dbeaver"], "DBeaver"),
            (&["python3", "-m", "ipykernel_launcher", "-f", "k.json"], "kernel"),
            (&["python3", "/usr/bin/jupyter-lab"], "kernel"),
            (&["python3", "/home/ana/code/etl.py"], "close it there"),
            (&["python3", "encode.py", "code"], "close it there"),
        ] {
            assert_hints(&held("duckdb", 7, command), advice);
        }
        let mut below = held("duckdb", 7, &["node", "worker.js"]);
        below.native.locks[0].parents = vec!["/usr/share/code/code".to_owned()];
        assert_hints(&below, "VS Code");
    }

    #[test]
    fn pid_0_is_outside_the_namespace_or_on_another_machine() {
        let mut outside = held("sqlite", 0, &[]);
        assert_hints(&outside, "outside this PID namespace");
        outside.filesystem = FileSystem { type_name: Some("nfs4".into()), network: true };
        assert_hints(&outside, "on another machine");
        outside.native.locks[0].raw_pid = -1;
        assert_hints(&outside, "as root");
    }

    #[test]
    fn a_write_ahead_log_does_not_work_on_a_network_file_system() {
        let filesystem = FileSystem { type_name: Some("nfs4".into()), network: true };
        let wal = Seen { journal_mode: Some("wal"), filesystem, ..seen("sqlite") };
        assert_hints(&wal, "write-ahead log on nfs4");
        assert_hints(&wal, "journal_mode=delete");
        assert_hints(&Seen { journal_mode: Some("rollback"), ..wal }, "is on nfs4: locks");
    }

    #[test]
    fn pinned_readers_and_broken_locks_are_told() {
        let pinned = Pinned { pid: 7, frame: 3, last: 10, backfilled: 3 };
        let broken = Broken { pid: 8, file: "a.db-wal".into(), deleted: false };
        let deleted = Broken { deleted: true, ..broken.clone() };
        let both = Seen { pinned: vec![pinned], broken: vec![broken, deleted], ..seen("sqlite") };
        assert_hints(&both, "pid 7 is a reader pinned at frame 3 of 10, 3 backfilled");
        assert_hints(&both, "pid 8 has a.db-wal open and its locks are broken");
        assert_hints(&both, "pid 8 goes on with a.db-wal, which was deleted");
    }

    #[test]
    fn what_is_to_be_typed_can_be_typed() {
        let (blanks, quote) = match MAIN_SEPARATOR {
            '\\' => ("\"a b.db\"", "\"it's\""),
            _ => ("'a b.db'", r"'it'\''s'"),
        };
        for (path, word) in [
            ("a.db", "a.db"),
            ("a b.db", blanks),
            ("it's", quote),
            ("-n", "./-n"),
            ("a\u{1b}'", r"$'a\033\''"),
        ] {
            assert_eq!(typed(path), word);
        }
        assert_eq!(typed(b"a\xff.db"), r"$'a\377.db'");
    }
}
