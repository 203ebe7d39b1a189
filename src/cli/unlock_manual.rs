//! The parts of the page about `dbguard unlock` that are lists.

/// Who is ended, and in which order.
pub const ORDER: &[(&str, &str)] = &[
    (
        "dbguard exec",
        "The dbguard is asked first. It hands TERM on to its command and gives the lock back in order.",
    ),
    (
        "what it leaves",
        "Processes that were shown, daemons too, and still have the lock when that dbguard has ended, \
         are sent TERM then.",
    ),
    (
        "everybody else",
        "Users of flock(1) on the lock file, and of the engine's own locks, are sent TERM at once.",
    ),
    (
        "KILL",
        "After --kill-after, to whoever still has the lock: first to what a dbguard runs, then to that \
         dbguard.",
    ),
    (
        "nobody",
        "Who lets go without ending is sent nothing more. Who was not shown is never ended. Where the \
         kernel does not show who has the lock, or the lock's file has a hard link and so may be \
         another database's, it is told and nobody is ended.",
    ),
];

/// The fields of the document of `--json`.
pub const DOCUMENT: &[(&str, &str)] = &[
    ("schema", "The version of this document: 1."),
    ("path", "The database."),
    ("state", "free or held, afterwards."),
    (
        "ended, let_go",
        "One object for each process that has the lock no more: pid, command, user, mode, role (holder, \
         runner, heir), meaning (of the engine's lock, or null), signal (the strongest that was sent: \
         TERM, KILL or null).",
    ),
    (
        "survivors, unshown, newcomers",
        "Those who have it: that were meant to end; that were started by those meanwhile; that came \
         since. Objects as before, without signal.",
    ),
];
