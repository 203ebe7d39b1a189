//! The parts of the manual that are made from data: exit codes, variables, differences.
//!
//! The rest of a page is the documentation of its clap types. A [`Section`] has two forms, one
//! at the end of `--help` and one in a man page.

use clap::Command;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::VERBS;
use crate::cli::fix_manual;
use crate::cli::flock::FLOCK_DIFFERENCES;
use crate::cli::info_manual;
use crate::cli::lease_manual;
use crate::cli::settings::VARIABLES;
use crate::cli::sql_manual;
use crate::cli::test_manual;
use crate::cli::unlock_manual;
use crate::cli::update_manual;
use crate::cli::watch_manual;
use crate::outcome::Outcome;

/// The widest line of a section in `--help`.
const COLUMNS: usize = 80;

/// Where the meaning of a term begins.
const INDENT: usize = 10;

/// What a command that runs under a lock finds in its environment.
pub const COMMAND_VARIABLES: &[(&str, &str)] = &[
    (
        "DBGUARD_FILE",
        "The absolute path of the locked file; where there are several, one a line, in the order \
         given.",
    ),
    ("DBGUARD_MODE", "shared or exclusive."),
    (
        "DBGUARD_FENCE",
        "A number that grows with every exclusive grant of the lock; set only when it is \
         exclusive. Where there are several files, one number a line, in the order of \
         DBGUARD_FILE. A store that remembers the highest number it saw can refuse a writer that \
         has lost the lock.",
    ),
    ("DBGUARD_ID", "The name of this grant."),
    (
        "DBGUARD_HELD",
        "What a dbguard inside the command needs to know to join the lock. Never set it by hand.",
    ),
];

/// What dbguard keeps on disk.
const FILES: &[(&str, &str)] = &[
    (
        ".dbguard/NAME/lock",
        "The lock of the database NAME beside it: the kernel's whole-file lock on this file, \
         which is always empty and stays with the database. `dbguard path FILE` prints it.",
    ),
    (
        ".dbguard/NAME/ticket",
        "The last number that was drawn in the queue; made when somebody waits.",
    ),
    (".dbguard/NAME/fence", "The number of the last exclusive grant."),
    (".dbguard/NAME/queue/", "The claims of those who wait, by number."),
    (".dbguard/NAME/held/", "The claims of those who hold the lock."),
    (".dbguard/NAME/keys/KEY/", "The same again for a key."),
    (
        ".dbguard/NAME/leases.log",
        "How locks ended that `dbguard acquire` took: the last hundred or so.",
    ),
    (
        ".dbguard/NAME/stats.log",
        "What was counted: one line a grant, now and then folded into stats.sum.",
    ),
    (".dbguard/.gitignore", "Keeps git away from the rest."),
];

/// The fields of the file that `--status-file` names.
const STATUS_FIELDS: &[(&str, &str)] = &[
    ("schema", "The version of this document: 1."),
    ("acquired", "Whether the lock was obtained."),
    ("waited_ms", "How long that took, in milliseconds."),
    ("held_ms", "How long it was held, in milliseconds."),
    ("outcome", "The name of the outcome, such as exited, timeout or max_hold."),
    ("exit_code", "How dbguard exits."),
    ("signal", "The signal that ended the command, or null."),
    ("retries", "How often the command was run again."),
];

/// The fields of the document of `dbguard stats --json`.
const STATS_FIELDS: &[(&str, &str)] = &[
    ("schema", "The version of this document: 1."),
    (
        "resources",
        "One object for each database: path, acquisitions (shared, exclusive), contended, failures \
         (timeout, would_block, deadlock, interrupted, native_busy, lock_lost, max_hold), wait_ms, \
         hold_ms, active, recovered_holders, last_acquired, sql (batches, retries, errors, run_ms).",
    ),
    (
        "wait_ms, hold_ms, run_ms",
        "total, mean, max, and the percentiles p50, p90 and p99 to the next power of two of \
         microseconds, all in whole milliseconds.",
    ),
];

/// A titled list of terms and their meanings.
pub struct Section {
    /// The title, in sentence case.
    pub title: &'static str,
    /// What is listed.
    pub entries: Vec<(String, String)>,
}

/// Returns the sections of a verb's page; those of the page about dbguard for any other word.
pub fn sections(verb: &str) -> Vec<Section> {
    let environment = section("Environment", VARIABLES);
    match verb {
        "exec" => vec![
            exit_status(),
            section("Environment of the command", COMMAND_VARIABLES),
            environment,
            section("Differences from flock(1)", FLOCK_DIFFERENCES),
        ],
        "sql" => vec![
            section("Statements", sql_manual::STATEMENTS),
            section("Recipes", sql_manual::RECIPES),
            exit_status(),
            environment,
        ],
        "info" => vec![
            section("The first line", info_manual::STATES),
            section("Messages that bring you here", info_manual::MESSAGES),
        ],
        "unlock" => vec![section("Who is ended, and in which order", unlock_manual::ORDER)],
        "fix" => vec![
            section("Output", fix_manual::WORDS),
            section("What is a proof", fix_manual::PROOFS),
        ],
        "watch" => vec![
            section("Keys", watch_manual::KEYS),
            section("The strip", watch_manual::STRIP),
            section("Events", watch_manual::EVENTS),
            section("Environment of CMD", watch_manual::VARIABLES),
        ],
        "update" => vec![
            section("What is promised", update_manual::PROMISES),
            exit_status(),
            section("Environment of the command", COMMAND_VARIABLES),
            environment,
        ],
        "acquire" => {
            vec![section("What it prints", lease_manual::PRINTED), exit_status(), environment]
        }
        "test" => vec![
            section("Output", test_manual::FIGURES),
            section("What can stay behind", test_manual::LEFTOVERS),
            exit_status(),
        ],
        "stats" | "wait" | "release" | "path" | "completions" | "man" => Vec::new(),
        _ => vec![exit_status(), environment],
    }
}

/// Returns the sections that only a page has: they would make the help too long.
pub fn more_sections(verb: &str) -> Vec<Section> {
    let files = section("Files", FILES);
    match verb {
        "exec" => vec![section("Status file", STATUS_FIELDS), files],
        "sql" => vec![
            section("Transactions", sql_manual::ISOLATION),
            section("Values as text", sql_manual::TEXT_FORMS),
            section("Values as JSON", sql_manual::JSON_FORMS),
            section("The document of --json", sql_manual::DOCUMENT),
            files,
        ],
        "info" => vec![
            section("Never delete", info_manual::SIDE_FILES),
            section("The document of --json", info_manual::DOCUMENT),
            files,
        ],
        "fix" => vec![
            section("Lock files that are known", &[]).with_formats(),
            section("Never delete", info_manual::SIDE_FILES),
            section("The document of --json", fix_manual::DOCUMENT),
            files,
        ],
        "test" => vec![section("The document of --json", test_manual::DOCUMENT)],
        "watch" => vec![section("The fields of an event", watch_manual::FIELDS), files],
        "stats" => vec![section("The document of --json", STATS_FIELDS), files],
        "unlock" => vec![section("The document of --json", unlock_manual::DOCUMENT), files],
        "update" | "wait" | "acquire" | "release" | "path" | "dbguard" => vec![files],
        _ => Vec::new(),
    }
}

/// Adds its sections to the help of every verb, and keeps the order of the verbs.
pub fn attach(command: Command) -> Command {
    let with_sections = |command: Command, verb: &str| {
        let texts: Vec<String> = sections(verb).iter().map(Section::as_text).collect();
        if texts.is_empty() { command } else { command.after_long_help(texts.join("\n")) }
    };
    let command = with_sections(command, "dbguard");
    VERBS.iter().fold(command, |command, verb| {
        command.mut_subcommand(verb, |command| with_sections(command, verb))
    })
}

impl Section {
    /// Adds the formats of lock files that are known.
    fn with_formats(mut self) -> Self {
        let told = |format: &&crate::stale::Format| {
            let meaning = format!("{}, by {}: {}.", format.files, format.tool, format.rule.words());
            (format.name.to_owned(), meaning)
        };
        self.entries.extend(crate::stale::ALL.iter().map(told));
        self
    }

    fn as_text(&self) -> String {
        let mut text = format!("{}:\n", self.title);
        for (term, meaning) in &self.entries {
            let is_short = term.len() <= INDENT - 4;
            text.push_str(&if is_short { format!("  {term:6}  ") } else { format!("  {term}\n") });
            for (index, line) in wrapped(meaning, COLUMNS - INDENT).iter().enumerate() {
                let indent = if is_short && index == 0 { 0 } else { INDENT };
                text.push_str(&format!("{:indent$}{line}\n", ""));
            }
        }
        text
    }

    /// Appends the section to a man page.
    pub fn write_to(&self, roff: &mut Roff) {
        roff.control("SH", [self.title.to_uppercase().as_str()]);
        for (term, meaning) in &self.entries {
            roff.control("TP", []);
            roff.text([bold(term)]);
            roff.text([roman(meaning)]);
        }
    }
}

fn section(title: &'static str, entries: &[(&str, &str)]) -> Section {
    let owned = |(term, meaning): &(&str, &str)| ((*term).to_owned(), (*meaning).to_owned());
    Section { title, entries: entries.iter().map(owned).collect() }
}

fn exit_status() -> Section {
    let with_number = |outcome: Outcome| (outcome.code().to_string(), outcome.meaning().to_owned());
    let mut entries: Vec<_> = Outcome::ALL.into_iter().map(with_number).collect();
    entries.push(("128+n".to_owned(), after_colon(Outcome::Signaled(0).meaning())));
    entries.push(("other".to_owned(), Outcome::Exited(0).meaning().to_owned()));
    Section { title: "Exit status", entries }
}

fn after_colon(meaning: &str) -> String {
    meaning.split_once(": ").map_or(meaning, |(_, rest)| rest).to_owned()
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if lines[last].is_empty() {
            lines[last].push_str(word);
        } else if lines[last].len() + 1 + word.len() <= width {
            lines[last].push(' ');
            lines[last].push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
