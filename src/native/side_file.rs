//! The files that belong to a database besides its main one: what each is, what it means that it
//! is there, and what to do; pure.
//!
//! None of them is ever safe to delete while the database may be in use, and most never. A
//! write-ahead log or a journal holds committed data, or the only way back to it: a copy of a
//! SQLite file without its `-wal` opened without an error and without its tables, and a DuckDB file
//! without its `.wal` had lost its table (seen with sqlite3 3.40.1 and DuckDB 2.0.0).

use std::path::{Path, PathBuf};

use super::{Engine, beside, leveldb, lmdb};
use crate::escape::quoted;

/// The first bytes of a rollback journal that has something to roll back (`aJournalMagic` in
/// SQLite's `pager.c`).
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// What a file is to its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// SQLite's `-wal`.
    SqliteWal,
    /// SQLite's `-shm`.
    SqliteShm,
    /// SQLite's `-journal`.
    SqliteJournal,
    /// The directory `X.lock` of SQLite's `unix-dotfile`.
    SqliteDotLock,
    /// DuckDB's `.wal`.
    DuckDbWal,
    /// DuckDB's `.wal.checkpoint`.
    DuckDbCheckpoint,
    /// DuckDB's `.wal.recovery`.
    DuckDbRecovery,
    /// DuckDB's directory for what does not fit into memory.
    DuckDbSpill,
    /// LMDB's lock file.
    LmdbLock,
    /// The `LOCK` of LevelDB and RocksDB.
    LevelDbLock,
}

/// What is seen of a file, without locking it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen<'a> {
    /// How long it is.
    pub bytes: u64,
    /// Its first bytes; `None` of a file that may not be read.
    pub head: Option<&'a [u8]>,
    /// Whether some process has the database locked as its engine does.
    pub in_use: bool,
    /// Whether the database itself is empty.
    pub is_database_empty: bool,
}

/// What to tell of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What it means that it is there, as a sentence without a full stop.
    pub meaning: &'static str,
    /// Whether deleting it now would lose nothing. Never where nobody can be sure.
    pub safe_to_delete: bool,
    /// A command that deals with it safely, where there is something to deal with.
    pub recovery: Option<String>,
    /// Whether to warn, because something is to be known that no command deals with.
    pub warns: bool,
}

impl Role {
    /// Returns the word of the documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::SqliteWal => "wal",
            Self::SqliteShm => "shm",
            Self::SqliteJournal => "journal",
            Self::SqliteDotLock => "dotfile_lock",
            Self::DuckDbWal => "wal",
            Self::DuckDbCheckpoint => "wal_checkpoint",
            Self::DuckDbRecovery => "wal_recovery",
            Self::DuckDbSpill => "spill",
            Self::LmdbLock => "lock",
            Self::LevelDbLock => "lock",
        }
    }
}

impl Role {
    /// Whether it is a directory; a file of the same name is something else, such as the lock file
    /// of another tool.
    pub fn is_directory(self) -> bool {
        matches!(self, Self::SqliteDotLock | Self::DuckDbSpill)
    }

    /// Whether its first bytes make a difference to [`tell`].
    pub fn has_telling_head(self) -> bool {
        matches!(self, Self::SqliteWal | Self::SqliteJournal)
    }
}

/// Returns the files that a database at `path` may have, whether they exist or not.
pub fn candidates(engine: Engine, path: &Path) -> Vec<(Role, PathBuf)> {
    let with = |role, suffix| (role, beside(path, suffix));
    match engine {
        Engine::Sqlite { .. } | Engine::Empty => vec![
            with(Role::SqliteWal, "-wal"),
            with(Role::SqliteShm, "-shm"),
            with(Role::SqliteJournal, "-journal"),
            with(Role::SqliteDotLock, ".lock"),
        ],
        Engine::DuckDb => vec![
            with(Role::DuckDbWal, ".wal"),
            with(Role::DuckDbCheckpoint, ".wal.checkpoint"),
            with(Role::DuckDbRecovery, ".wal.recovery"),
            with(Role::DuckDbSpill, ".tmp"),
        ],
        Engine::Lmdb => vec![(Role::LmdbLock, lmdb::lock_file(path))],
        Engine::LevelDb | Engine::RocksDb => {
            vec![(Role::LevelDbLock, path.join(leveldb::LOCK_FILE))]
        }
        Engine::Bbolt | Engine::Redb | Engine::Unknown => Vec::new(),
    }
}

/// Returns what to tell of a file that is there. `database` is how the database is typed.
pub fn tell(role: Role, seen: Seen<'_>, database: &str) -> Told {
    let keep = |meaning| Told { meaning, safe_to_delete: false, recovery: None, warns: false };
    let warn = |meaning| Told { warns: true, ..keep(meaning) };
    let recover = |meaning, sql: &str| Told {
        meaning,
        safe_to_delete: false,
        warns: false,
        recovery: Some(match sql.contains([' ', '(']) {
            true => format!("dbguard sql {database} {}", quoted(sql)),
            false => format!("dbguard sql {database} {sql}"),
        }),
    };
    match role {
        Role::SqliteWal if seen.bytes == 0 => keep("empty: nothing is waiting in it"),
        Role::SqliteWal if seen.in_use => {
            keep("holds committed transactions that are not in the database file yet")
        }
        // SQLite deletes the log of a database without a page (seen with sqlite3 3.40.1).
        Role::SqliteWal | Role::SqliteJournal if seen.is_database_empty && seen.bytes > 0 => warn(
            "belongs to a database that is empty now, and may be all that is left of it: \
                 whoever opens the database deletes it; copy both files before anything else",
        ),
        Role::SqliteWal if seen.head.is_some_and(|head| !is_log(head)) => {
            keep("does not begin like a write-ahead log, so SQLite passes it over")
        }
        Role::SqliteWal => recover(
            "may hold committed transactions that nobody has moved to the database file; \
             deleting it loses them",
            "pragma wal_checkpoint(truncate)",
        ),
        Role::SqliteShm => keep("an index of the -wal, made anew by whoever opens the database"),
        Role::SqliteJournal if seen.bytes > 0 && seen.head.is_none() && !seen.in_use => warn(
            "may not be read; it may be the way back from a transaction that a crash cut short, \
             so look again as its owner or as root",
        ),
        Role::SqliteJournal if is_hot(seen) && !seen.in_use => recover(
            "the way back from a transaction that a crash cut short; without it the database \
             is damaged",
            "select 1",
        ),
        Role::SqliteJournal if is_hot(seen) => {
            keep("the way back from the transaction that is being written")
        }
        // Its beginning is written last.
        Role::SqliteJournal if seen.in_use && seen.bytes > 0 => {
            keep("the journal of a transaction that is open or has ended")
        }
        Role::SqliteJournal => keep("the journal of a transaction that has ended"),
        Role::SqliteDotLock => {
            keep("the lock of a SQLite with the unix-dotfile VFS; it names nobody")
        }
        Role::DuckDbWal if seen.in_use => {
            keep("holds commits that are not in the database file yet")
        }
        Role::DuckDbWal => recover(
            "holds commits that are not in the database file; deleting it loses them",
            "checkpoint",
        ),
        Role::DuckDbCheckpoint | Role::DuckDbRecovery if seen.in_use => {
            keep("holds commits that are being moved to the database file")
        }
        Role::DuckDbCheckpoint => {
            recover("holds commits made during a checkpoint that was cut short", "checkpoint")
        }
        Role::DuckDbRecovery => {
            recover("a half-made merge of the logs; opening the database finishes it", "checkpoint")
        }
        Role::DuckDbSpill => keep("what did not fit into memory"),
        Role::LmdbLock => keep("the table of readers and the lock of the writer; it stays"),
        Role::LevelDbLock => keep("always there, held or not: its existence means nothing"),
    }
}

/// Whether a journal has something to roll back, as SQLite decides (`hasHotJournal`).
fn is_hot(seen: Seen<'_>) -> bool {
    seen.bytes > 0 && seen.head.is_some_and(|head| head.starts_with(&JOURNAL_MAGIC))
}

/// Whether a file begins like a write-ahead log: its number, whose last bit tells the order of the
/// bytes in its checksums (`WAL_MAGIC` in SQLite's `wal.c`).
fn is_log(head: &[u8]) -> bool {
    matches!(head, [0x37, 0x7f, 0x06, 0x82 | 0x83, ..])
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Engine, JOURNAL_MAGIC, Role, Seen, candidates, tell};

    const ALL: [Role; 10] = [
        Role::SqliteWal,
        Role::SqliteShm,
        Role::SqliteJournal,
        Role::SqliteDotLock,
        Role::DuckDbWal,
        Role::DuckDbCheckpoint,
        Role::DuckDbRecovery,
        Role::DuckDbSpill,
        Role::LmdbLock,
        Role::LevelDbLock,
    ];

    #[test]
    fn nothing_is_ever_said_to_be_safe_to_delete() {
        for role in ALL {
            for in_use in [false, true] {
                for bytes in [0, 4096] {
                    for head in [None, Some(&JOURNAL_MAGIC[..])] {
                        let seen = Seen { bytes, head, in_use, is_database_empty: in_use };
                        assert!(!tell(role, seen, "a.db").safe_to_delete, "{role:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_crash_left_has_a_command() {
        let log = [0x37, 0x7f, 0x06, 0x82];
        for (role, head) in [
            (Role::SqliteWal, &log[..]),
            (Role::SqliteJournal, &JOURNAL_MAGIC),
            (Role::DuckDbWal, &[]),
            (Role::DuckDbCheckpoint, &[]),
        ] {
            let left = Seen { bytes: 4096, head: Some(head), ..Seen::default() };
            let recovery = tell(role, left, "a.db").recovery.expect("a command");
            assert!(recovery.starts_with("dbguard sql a.db "), "{recovery}");
            assert_eq!(tell(role, Seen { in_use: true, ..left }, "a.db").recovery, None);
        }
        let ended = Seen { bytes: 4096, head: Some(&[0; 8]), ..Seen::default() };
        for role in [Role::SqliteWal, Role::SqliteJournal] {
            let told = tell(role, ended, "a.db");
            assert_eq!((told.recovery, told.warns), (None, false), "{role:?}");
        }
    }

    #[test]
    fn what_no_command_deals_with_is_a_warning() {
        let log = Seen { bytes: 4096, head: Some(&[0x37, 0x7f, 0x06, 0x82]), ..Seen::default() };
        let alone = Seen { is_database_empty: true, ..log };
        let hidden = Seen { head: None, ..log };
        for (role, seen) in
            [(Role::SqliteWal, alone), (Role::SqliteJournal, alone), (Role::SqliteJournal, hidden)]
        {
            let told = tell(role, seen, "a.db");
            assert_eq!((told.recovery, told.warns), (None, true), "{role:?}");
        }
    }

    #[test]
    fn the_candidates_are_named_as_the_engines_name_them() {
        let path = Path::new("/d/a.db");
        let names = |engine| -> Vec<PathBuf> {
            candidates(engine, path).into_iter().map(|(_, path)| path).collect()
        };
        assert!(names(Engine::Sqlite { wal: true }).contains(&"/d/a.db-wal".into()));
        assert!(names(Engine::DuckDb).contains(&"/d/a.db.wal.checkpoint".into()));
        assert_eq!(names(Engine::Lmdb), [PathBuf::from("/d/a.db-lock")]);
        assert_eq!(names(Engine::LevelDb), [PathBuf::from("/d/a.db/LOCK")]);
        assert!(names(Engine::Unknown).is_empty());
    }
}
