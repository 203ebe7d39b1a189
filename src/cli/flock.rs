//! What is different for those who come from flock(1).
//!
//! Kept as data, so that the manual, the README and the tests tell the same list.

/// What differs, and how.
pub const FLOCK_DIFFERENCES: &[(&str, &str)] = &[
    (
        "The command",
        "Two dashes stand before it: `dbguard exec a.db -- sqlite3 a.db`. Its own options cannot \
         be mistaken for dbguard's.",
    ),
    (
        "The file",
        "FILE is the database. The lock is on another file, .dbguard/NAME/lock beside it, which \
         `dbguard path FILE` prints; flock(1) on that file cooperates. flock(1) on the database \
         itself does not.",
    ),
    ("Patience", "dbguard waits for 30 seconds, not forever. `-w inf` waits forever."),
    (
        "Exit status",
        "75 after -n and 124 after -w, not 1, which the command may return too. `-E 1` restores \
         it.",
    ),
    (
        "A command that cannot run",
        "126 if it cannot be executed and 127 if it is not found, not 69; and before the wait, \
         not after it.",
    ),
    ("Messages", "All of them go to standard error, those of --verbose too."),
    (
        "Fairness",
        "Whoever came first is served first. Readers that overlap cannot keep a writer out.",
    ),
    (
        "Several files",
        "`dbguard exec a.db b.db -- COMMAND` locks them all, in an order that cannot deadlock.",
    ),
    (
        "Nested calls",
        "A dbguard started by the command joins the lock its ancestor holds. flock waits for \
         itself.",
    ),
    (
        "Signals",
        "TERM, HUP, INT, QUIT, USR1 and USR2 are forwarded to the command. flock dies of them and \
         leaves the command running.",
    ),
    (
        "Daemons left behind",
        "The lock is released when the command exits, even if a process it started lives on; \
         --hold-descendants waits for all of them. Only when a signal ended the command do those \
         that survive it keep the lock.",
    ),
    ("-F and -o", "As in flock: -F becomes the command, -o keeps the lock from it."),
    (
        "-n and -w together",
        "As in flock: -n wins, in whatever order they are typed. The zero of `-w 0` means -n.",
    ),
    (
        "A descriptor",
        "A number is a file like any other; a descriptor is `--fd N FILE`, and -u goes with it.",
    ),
];
