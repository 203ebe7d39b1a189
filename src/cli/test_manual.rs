//! The parts of the page about `dbguard test` that are lists.

/// What is printed.
pub const FIGURES: &[(&str, &str)] = &[
    ("done", "How many operations reported success, of how many were begun."),
    ("failed", "How many did not, and with which outcome. Nothing is proved by those."),
    (
        "lost updates",
        "How many were reported done and are not in the database, by the sum or by a single \
         worker's row, whichever is more.",
    ),
    (
        "extra updates",
        "How many are in the database that nobody reported, failed ones allowed for.",
    ),
    (
        "wrong reads",
        "How often a reader missed an operation that had been reported done, saw the number go \
         backwards, or saw an operation half done.",
    ),
    ("throughput", "Operations done in a second by all workers together, process starts included."),
    (
        "wait",
        "How long the lock took to obtain, as each process says itself (-v); half of the \
         operations, 90 and 99 in 100, and the longest.",
    ),
    ("took", "How long the operations took, from the start of the process to its end."),
    (
        "largest share",
        "How much of the work one worker did, until the first had finished; the closer to an \
         even share, the fairer.",
    ),
];

/// What can stay behind.
pub const LEFTOVERS: &[(&str, &str)] = &[
    (
        ".dbguard-test-*",
        "A test that was killed by SIGKILL, or by a power failure, leaves its directory. Once it \
         does not run any more (its processes end with their operation) the directory can be \
         removed with all that is in it.",
    ),
    (
        "dbguard_test_*",
        "A test with --in-place leaves its table then, or when it is interrupted twice. Drop it: dbguard sql FILE 'drop table \
         NAME'. To find its name, type: dbguard sql FILE \"select name from sqlite_schema where \
         name like 'dbguard_test_%'\", in DuckDB: show tables.",
    ),
];

/// The fields of the document of `--json`.
pub const DOCUMENT: &[(&str, &str)] = &[
    ("schema", "The version of this document: 1."),
    ("verdict", "ok, or what went wrong first: lost, extra, wrong_reads, failed."),
    (
        "file, directory, filesystem",
        "What was named, or null; where it was counted; the file system there: type, network.",
    ),
    ("engine, mode, in_place", "sqlite, duckdb or plain; sql, exec or mixed; true or false."),
    ("workers, readers, ops, duration_ms", "What was asked for; ops or duration_ms is null."),
    (
        "dbguard",
        "The run: begun, done, failed, failures (how many of each outcome), first_failure, \
         lock_errors, lost_updates, extra_updates, reads, wrong_reads, failed_reads, elapsed_ms, \
         per_second, wait_ms and took_ms (p50, p90, p99, max; null if nothing was measured), \
         largest_share, even_share.",
    ),
    (
        "bare, engine_timeout",
        "With --compare the same of the work without dbguard, and of that with the engine's \
         timeout; otherwise, and for an engine without one, null.",
    ),
    (
        "locks",
        "With --fs, beside schema, verdict, directory and filesystem, one object for each kind: \
         kind (flock, fcntl, ofd), supported, excludes, shares, released, error, used_by.",
    ),
];
