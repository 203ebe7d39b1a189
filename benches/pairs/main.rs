//! What dbguard costs, beside flock(1) and the shells of the engines.
//!
//! | pair | what is compared |
//! |---|---|
//! | `start` | one free lock: wall time from the spawn to the end of `true` |
//! | `steps` | nothing: where the microseconds of one `exec` go |
//! | `contenders` | 200 wait and hold 10 ms each: wall time and CPU time |
//! | `crowd` | the same with 800, and 800 against 200 |
//! | `handover` | 50 wait: from the end of one command to the start of the next |
//! | `keys` | 10 keys with 20 processes each, against one key with 20 |
//! | `memory` | what one waiting process keeps |
//! | `info` | `dbguard info` of one database, beside lslocks and lsof |
//! | `locks` | the same among 2,000 locks of 500 processes |
//! | `tree` | `dbguard info` of 200,000 files, beside find |
//! | `fix` | `dbguard fix` of 200,000 files with 200 stale locks, beside find |
//! | `watch` | what `dbguard watch` costs, and what `exec` loses while it is watched |
//! | `select` | `dbguard sql` of `select 1`, beside the shells of SQLite and DuckDB |
//! | `updates` | 100 processes that count 50 times each, beside sqlite3 |
//! | `rows` | a million rows as CSV, beside the shells |
//!
//! Both sides of a pair take turns in one run, so that a change of the machine's mood meets both.
//! Ratios are printed beside their bounds and nothing is asserted: on a shared machine a timed
//! test fails for reasons that are not in the program. `benches/README.md` has the figures.
//!
//! `stage` is where it happens (directory, programs, environment), `crew` who waits for a lock,
//! `actor` the parts that this very binary plays as a command, `tally` the arithmetic.
#![cfg(target_os = "linux")]

mod actor;
mod contention;
mod crew;
mod fix;
mod handover;
mod info;
mod memory;
mod sql;
mod stage;
mod start;
mod steps;
mod tally;
mod watch;

use std::env;
use std::process::ExitCode;

use stage::Stage;

type Pair = fn(&Stage);

/// The pairs by name, in the order in which they are run.
const PAIRS: &[(&str, Pair)] = &[
    ("start", start::start),
    ("steps", steps::steps),
    ("contenders", contention::contenders),
    ("crowd", contention::crowd),
    ("handover", handover::handover),
    ("keys", contention::keys),
    ("memory", memory::memory),
    ("info", info::info),
    ("locks", info::locks),
    ("tree", info::tree),
    ("fix", fix::fix),
    ("watch", watch::watch),
    ("select", sql::select),
    ("updates", sql::updates),
    ("rows", sql::rows),
];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if actor::play(&words) {
        return ExitCode::SUCCESS;
    }
    if words.first().is_none_or(|word| word != stage::CLEAN) {
        stage::start_over_in_a_clean_environment(&words);
    }
    // Cargo adds `--bench` to whatever was typed.
    let wanted: Vec<&String> = words[1..].iter().filter(|word| !word.starts_with('-')).collect();
    if let Some(unknown) = wanted.iter().find(|name| PAIRS.iter().all(|pair| pair.0 != **name)) {
        let names: Vec<_> = PAIRS.iter().map(|pair| pair.0).collect();
        eprintln!("no pair `{unknown}`; there are: {}", names.join(", "));
        return ExitCode::from(64);
    }
    let Some(stage) = Stage::new() else {
        eprintln!("skipped: flock(1) and `true` are needed");
        return ExitCode::SUCCESS;
    };
    stage.describe();
    for (name, pair) in PAIRS {
        if wanted.is_empty() || wanted.contains(&&(*name).to_owned()) {
            println!("\n{name}");
            pair(&stage);
        }
    }
    ExitCode::SUCCESS
}
