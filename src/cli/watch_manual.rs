//! The parts of the page about `dbguard watch` that are lists.

/// What can be pressed.
pub const KEYS: &[(&str, &str)] = &[
    ("q, Ctrl-C", "End. After q the exit code is 0; Ctrl-C ends dbguard like any program."),
    ("up, down, k, j", "Choose a database: those who hold it and those who wait are listed below."),
    ("s", "Sort by name, by the longest wait, or by the age of the holder."),
    ("/", "Show only databases with this text in their name; Enter keeps it, Esc drops it."),
    ("p", "Show the process of the holder among its ancestors and descendants."),
];

/// The letters of the strip.
pub const STRIP: &[(&str, &str)] = &[
    (".", "Nobody had it."),
    ("s", "Somebody had dbguard's lock, shared."),
    ("x", "Somebody had dbguard's lock alone."),
    ("n", "Locks of the engine kept others out, and nobody had dbguard's lock."),
    ("S X N W", "A capital: somebody waited meanwhile; W while nobody was seen to have it."),
];

/// What can happen.
pub const EVENTS: &[(&str, &str)] = &[
    ("watching", "A database is watched from here on, with state (free, held) and engine."),
    ("gone", "It is not watched any more: there is neither a database nor a lock."),
    ("waiting", "Somebody queued up for dbguard's lock."),
    (
        "acquired",
        "Somebody got dbguard's lock. A plain flock user of the lock's file too (via: kernel).",
    ),
    ("released", "Somebody gave it back."),
    ("gave_up", "Somebody stopped waiting and had not had it."),
    (
        "died",
        "Somebody ended without giving back what he had (was: holding) or his place in the line \
         (was: waiting): killed, or the command of exec -F, which nobody cleans up after. If \
         dbguard is killed and its command lives, the command has the lock, and it is told when \
         that ends.",
    ),
    (
        "native_locked",
        "A process has locks of the engine that keep others out, or they mean something else now. \
         Connections that keep nobody out are no event.",
    ),
    ("native_released", "They keep nobody out any more; the process may be gone or not."),
    ("fixed", "With --fix: what was cleared, as the items of `dbguard fix --json`."),
];

/// The fields of a line.
pub const FIELDS: &[(&str, &str)] = &[
    ("schema", "The version of this document: 1."),
    ("time", "When it was seen, which is up to one interval after it happened."),
    ("event, path, key", "What happened, to which database; the key of exec -k, or null."),
    ("initial", "true of what was so when the watch began, or the database was found."),
    (
        "pid, child_pid, command, user, host, mode, since, for_ms, position, process_state, via, label, \
         lease, expires",
        "Whose doing it is, as in `dbguard info --json`.",
    ),
    ("waited_ms", "Of acquired, gave_up and a died who was waiting."),
    (
        "held_ms",
        "Of released, a died who was holding, and a native_released whose beginning was seen; to \
         within one interval.",
    ),
    ("kind, file, meaning, blocks", "Of a lock of the engine, as in `dbguard info --json`."),
    ("state, engine, was, items", "Of watching, died and fixed."),
];

/// What CMD of `--exec` finds in its environment.
pub const VARIABLES: &[(&str, &str)] = &[
    ("DBGUARD_EVENT", "The name of the event."),
    ("DBGUARD_FILE", "The absolute path of the database."),
    ("DBGUARD_PID", "The process, or the command that dbguard started for it; not always known."),
];
