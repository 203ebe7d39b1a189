//! The parts of the page about `dbguard fix` that are lists.

/// What can stand at the beginning of a line.
pub const WORDS: &[(&str, &str)] = &[
    ("removed", "A dead process left it, and it is gone."),
    ("recovered", "The engine brought the database in order; nothing committed was lost."),
    ("kept", "It stays: a living process needs it, nobody can judge it, or it is worth a word."),
    ("failed", "It should have been dealt with, and why it was not."),
    ("would", "With --dry-run: what would be done."),
];

/// What counts as a proof.
pub const PROOFS: &[(&str, &str)] = &[
    (
        "claims",
        "dbguard's own: nobody has the kernel's lock on the claim, and the command of a killed \
         dbguard has ended.",
    ),
    (
        "lock files",
        "The file was made on this machine and in this PID namespace, and its process is gone, \
         belongs to another start, or the machine was started since. A process number in a file \
         of a container, of another machine, or on a network file system proves nothing.",
    ),
    (
        "databases",
        "The engine gets the database for itself. Nobody else has it open, and dbguard's own lock is held meanwhile where there is one.",
    ),
    (
        "directories of locks",
        "The database is gone, the lock has been unused for a day, and the kernel proves that \
         nobody has it open.",
    ),
];

/// The fields of the document of `--json`.
pub const DOCUMENT: &[(&str, &str)] = &[
    ("schema", "The version of this document: 1."),
    (
        "items",
        "One object for each thing: path, kind (claim, lock_directory, state_directory, lock_file, unfinished_file, \
         database), format, verdict (stale, live, unknown, reported, damaged), reason, action (removed, \
         recovered, kept, would_remove, would_recover, failed), command.",
    ),
    ("removed, recovered, kept, failed", "How many items have that action, or would have it."),
];
