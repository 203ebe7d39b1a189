//! The parts of the page about `dbguard info` that are lists.

/// What the first line can be.
pub const STATES: &[(&str, &str)] = &[
    ("free", "No lock is in anybody's way. Connections that are merely open may be listed below."),
    (
        "busy",
        "Nobody else gets in: who has it, and since when. Of a lock that only the kernel knows, \
         for how long its process has run: the lock is no older.",
    ),
    (
        "readable, not writable",
        "Readers get in. Who wants to write waits; with SQLite's rollback journal a writer may begin, \
         and his commit waits.",
    ),
    (
        "stuck",
        "Whoever is in the way is stopped (Ctrl-Z, SIGSTOP, a debugger): waiting will not help.",
    ),
    (
        "unknown",
        "The locks could not be seen, and why: the file may not be read, or a flock would count and \
         this is a container, where those that are held outside do not show.",
    ),
];

/// Messages that bring people here, as the engines print them.
pub const MESSAGES: &[(&str, &str)] = &[
    (
        "IO Error: Could not set lock on file \"analytics.db\": Conflicting lock is held in PID 0",
        "DuckDB. PID 0 is a process that this kernel may not name: it runs outside this container, or \
         on another machine that has the file by NFS. Run dbguard info on the host, or there.",
    ),
    (
        "Could not set lock on file \"analytics.db\": Conflicting lock is held in python (PID 4711)",
        "DuckDB locks a file for as long as it is open, not for a query. End that program, close its \
         connection (editors and notebooks keep one), or open the file read-only everywhere.",
    ),
    (
        "database is locked",
        "SQLite. Somebody has a transaction open, or a reader is in the way of a commit; info says who. \
         With nobody there, look for a journal that a crash left, and at who may write the directory.",
    ),
    (
        "IO error: lock /data/level/LOCK: Resource temporarily unavailable",
        "LevelDB, and RocksDB with `While lock file`. The file LOCK is always there and means nothing; \
         the process that has it locked does. Never delete it.",
    ),
    (
        "Database already open. Cannot acquire lock.",
        "redb: another process has the file open for writing.",
    ),
    (
        "MDB_READERS_FULL: Environment maxreaders limit reached",
        "LMDB: slots of readers that were killed. Never delete lock.mdb while somebody has the \
         environment open; `mdb_stat -rr` clears dead slots.",
    ),
];

/// What is never safe to delete.
pub const SIDE_FILES: &[(&str, &str)] = &[
    (
        "X-wal",
        "SQLite: committed transactions that are not in X yet. A copy of X without it opens without \
         an error and without them. `dbguard sql X 'pragma wal_checkpoint(truncate)'` moves them; but \
         if X is empty, copy both files first: SQLite deletes the log of an empty X.",
    ),
    (
        "X-journal",
        "SQLite: the way back from a transaction that a crash cut short. Without it X is damaged. \
         Whoever opens X for writing next rolls back: `dbguard sql X 'select 1'`.",
    ),
    ("X-shm", "SQLite: an index of X-wal, made anew when it is missing; no reason to delete it."),
    ("X.wal", "DuckDB: commits that are not in X yet. `dbguard sql X checkpoint` moves them."),
    ("LOCK, lock.mdb", "Anchors for locks. They stay; that they exist means nothing."),
];

/// The fields of the document of `--json`.
pub const DOCUMENT: &[(&str, &str)] = &[
    ("schema", "The version of this document: 1."),
    (
        "resources",
        "One object for each database: path, key, exists, engine, engine_version, journal_mode, \
         page_bytes, bytes, links, filesystem, guard, native, files, openers, blocks, hints; with --openers \
         also openers_unseen, the number of processes that could not be looked into.",
    ),
    ("filesystem", "type, network."),
    (
        "guard",
        "state (free, held, unknown), mode, lock_file, holders, waiters, stale, keys, error.",
    ),
    ("native", "state (free, idle: only locks that block nobody, held, unknown), locks, error."),
    (
        "locks",
        "pid (0 if nobody can be named), command, user, process_state, kind (posix, ofd, flock, \
         futex, lease, other; on Windows range, or open where a file is kept open for oneself), \
         file, mode, meaning, blocks, for_ms (how long the process has run: the lock is no \
         older), terminal, orphaned, parents, deleted_executable, container, other_namespace, \
         memory_bytes, cpu_ms.",
    ),
    ("files", "path, role, bytes, meaning, safe_to_delete, recovery."),
    ("blocks", "Whom all of it keeps out: none, writers, all."),
    ("hints", "What to do, most urgent first."),
];
