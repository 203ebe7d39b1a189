//! The parts of the page about `dbguard sql` that are lists.

/// What a batch can rely on.
pub const ISOLATION: &[(&str, &str)] = &[
    (
        "SQLite",
        "Serializable. A batch that writes begins with BEGIN IMMEDIATE, so that nobody writes \
         between what it reads and what it writes.",
    ),
    (
        "DuckDB",
        "Snapshot isolation. DuckDB lets one process write at a time, so there is nobody to \
         conflict with while the batch runs.",
    ),
    (
        "Several files",
        "Files that the batch attaches are locked as well. In SQLite a batch over several files \
         is atomic as long as none of them uses write-ahead logging; with it, a power failure in \
         the middle of a commit may leave one file committed and the other not \
         (sqlite.org/lang_attach.html). Each file stays whole in itself.",
    ),
    (
        "Retries",
        "SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT, SQLITE_BUSY_RECOVERY, SQLITE_LOCKED, and DuckDB's \
         'Could not set lock on file' and transaction conflicts mean that somebody who does not \
         use dbguard is at the file. The batch is rolled back, the file closed, the lock of the \
         other waited out without touching it, and the whole batch run again, until -w is over.",
    ),
];

/// What is run how.
pub const STATEMENTS: &[(&str, &str)] = &[
    (
        "read",
        "SELECT, VALUES, EXPLAIN, PRAGMAs that only read: the lock is shared, the file is opened \
         read-only. After a crash of somebody else the first reader has to recover the file; then \
         the lock is taken alone.",
    ),
    ("write", "Everything else, ATTACH too: the lock is taken alone."),
    (
        "first",
        "ATTACH, and PRAGMA and SET that set something of the connection, such as foreign_keys, \
         are run before the transaction begins. They come first in the batch.",
    ),
    (
        "alone",
        "VACUUM, CHECKPOINT, DETACH, PRAGMA journal_mode and PRAGMA wal_checkpoint run outside a \
         transaction, so by themselves, or with --no-transaction.",
    ),
    (
        "refused",
        "BEGIN, COMMIT and ROLLBACK without --no-transaction; INSTALL and LOAD: no extension is \
         loaded and none is fetched, unless the SQL itself sets autoload_known_extensions. Commands of the shells, such as .tables.",
    ),
];

/// How values look in csv, tsv, table, markdown and line.
pub const TEXT_FORMS: &[(&str, &str)] = &[
    ("NULL", "--null: nothing in csv and tsv, where an empty text is \"\" in csv; NULL elsewhere."),
    (
        "numbers",
        "As the shell of the engine writes them; floating-point numbers with as many \
      digits as it takes to read the same number back.",
    ),
    (
        "text",
        "As it is. In table, markdown and line, and wherever a terminal is written to, \
      control characters are shown as escapes.",
    ),
    (
        "blob",
        "SQLite: X'00FF', as its quote() has it, where the shell writes the bytes \
      themselves. DuckDB: \\x00\\xFF, as its shell writes it.",
    ),
    ("others", "What only DuckDB has, dates, lists, structs and so on: as its shell writes them."),
    ("tsv", "Tab, newline, carriage return and backslash are \\t, \\n, \\r and \\\\."),
];

/// How values look in json, jsonl and --json.
pub const JSON_FORMS: &[(&str, &str)] = &[
    (
        "numbers",
        "Numbers with all their digits, also of 128 bits and decimals. Read them with a \
      parser that keeps them.",
    ),
    (
        "NaN, infinities",
        "{\"$float\":\"NaN\"}, {\"$float\":\"Infinity\"}, {\"$float\":\"-Infinity\"}",
    ),
    ("blob", "{\"$blob\":\"00FF\"}"),
    ("text", "A string; text in a SQLite file that is not UTF-8 is {\"$text\":\"FF\"}."),
    ("dates, times, intervals, UUIDs, bits, enums", "Strings, as DuckDB writes them."),
    ("list, array", "An array."),
    ("struct", "An object."),
    ("map", "An array of {\"key\":...,\"value\":...}."),
    ("union", "An object with the tag as its only key."),
    ("columns", "A name that is there twice gets a number: a, a_2."),
];

/// The fields of the document of `--json`.
pub const DOCUMENT: &[(&str, &str)] = &[
    ("schema", "The version of this document: 1."),
    (
        "results",
        "One object for each statement with rows: columns (name, type) and rows (objects).",
    ),
    ("changed", "How many rows the statements changed."),
    ("statements", "How many statements were run."),
    ("tries", "How often the batch was tried."),
    ("retry_wait_ms", "How long was waited between the tries, in milliseconds."),
    ("run_ms", "How long the last try took, in milliseconds."),
];

/// What people come for.
pub const RECIPES: &[(&str, &str)] = &[
    ("A counter", "dbguard sql app.db 'update counter set n = n + 1 returning n' --no-header"),
    (
        "Append to a JSON list",
        "dbguard sql app.db -p item='\"apple\"' \"update doc set list = json_insert(list, '$[#]', \
         json(:item)) where id = 1\"",
    ),
    (
        "Mark a step as done or failed",
        "dbguard sql app.db -p step=load -p state=failed \"update step set state = :state, at = \
         datetime() where name = :step\"",
    ),
    (
        "Update only version 3",
        "dbguard sql --if 'select version = 3 from app' app.db 'update app set version = 4'",
    ),
    (
        "Two files at once",
        "dbguard sql a.db \"attach 'b.db' as b; update account set sum = sum - 5; update b.account \
         set sum = sum + 5\"",
    ),
];
