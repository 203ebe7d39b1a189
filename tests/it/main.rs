//! The integration tests: the real binary, on real files, among real processes.
//!
//! | module | what it proves |
//! |---|---|
//! | `exclusion` | two conflicting holders never run together, whatever happens to files |
//! | `resources` | which names mean one lock, and what keys are |
//! | `trust` | owners, modes, planted links and special files |
//! | `queue` | order: first come, first served; readers share; nobody is passed but the stopped |
//! | `crash` | dbguard killed and stopped at every step |
//! | `leftovers` | what a dead or ending holder leaves still keeps others out |
//! | `nested` | a call inside a call joins, and siblings exclude each other |
//! | `deadlock` | waits that could never end are refused |
//! | `supervise` | the command's life: descriptors, signals, limits, retries |
//! | `terminal` | Ctrl-C, Ctrl-Z, `fg`, window size, and the waiting line on a terminal |
//! | `native` | the database engines' own locks are waited for and never disturbed |
//! | `flock_compat` | what a user of flock(1) expects, and each difference from it |
//! | `bad_days` | full disks, missing permissions, closed descriptors |
//! | `hostile` | garbage and malice inside the state directory |
//! | `native_look` | one look at each engine in each state, against the real sqlite3 |
//! | `fix_databases` | `dbguard fix` on hot journals and logs: nothing committed is lost |
//! | `fix_locks` | locks that real tools left are cleared by `dbguard fix`, live ones are not |
//! | `fix_proof` | what is no proof is left alone by `dbguard fix`, and what is no lock always |
//! | `fix_races` | `dbguard fix` against live tools, against itself, killed and failing at every step |
//! | `fix_crowd` | `dbguard fix` twice at once, among processes that take and lose locks all the time |
//! | `fix_state` | `dbguard fix` on dbguard's own state, racing those who use it |
//! | `elsewhere` | what is not asked on other systems is named, with its reason |
//! | `generated` | the checked-in completions and manual pages are what the program generates |
//! | `info_duckdb` | `dbguard info` on DuckDB, open and after a crash |
//! | `info_engines` | `dbguard info` on LMDB, LevelDB, RocksDB, bbolt and redb, beside real users of each |
//! | `info_guard` | `dbguard info` on the guard lock, its queue and its keys |
//! | `info_search` | `dbguard info` on directories and on error messages |
//! | `info_sqlite` | what `dbguard info` says of SQLite in every state is what a second client meets |
//! | `info_json` | the document of `dbguard info --json` |
//! | `info_outside` | `dbguard info` and holders that are hard to see |
//! | `info_quiet` | `dbguard info` changes nothing, and nobody fails because of it |
//! | `info_text` | the whole text of `dbguard info`, state by state |
//! | `info_traps` | answers of `dbguard info` that were wrong once, each with its story |
//! | `lease` | `dbguard acquire` and `release`: a lock between the steps of a script |
//! | `lease_end` | each end of such a lock, and what those hear who joined it |
//! | `lease_traps` | defects of both that were found and mended, each with its story |
//! | `lifetime` | whose processes count, limits over retries, survivors |
//! | `stats` | every grant is counted once, and counting never makes anything fail |
//! | `stats_traps` | defects of `dbguard stats` that were found and mended, each with its story |
//! | `status_file` | paths that an option must not name, and what is written where |
//! | `words` | what is said of a wait, a guess, an interruption, and in a log |
//! | `codes` | every exit code and message, for real |
//! | `readme` | what the README says and shows is so |
//! | `readme_recipes` | its recipes for shells, make, cron and CI run as they are shown |
//! | `sql` | which lock the statements of `dbguard sql` ask for, and which file they meet |
//! | `sql_batch` | one transaction, its condition, parameters, files that are made |
//! | `sql_crowd` | a hundred processes, foreign writers and kills: no update is lost |
//! | `sql_duckdb` | DuckDB: batches, foreign openers, files of other versions |
//! | `sql_duckdb_values` | every kind of value of DuckDB, against DuckDB's own shell |
//! | `sql_input` | bad files and scripts, full disks, missing permissions |
//! | `sql_output` | where rows go, what is said about them, and how much memory that takes |
//! | `sql_recipes` | the recipes of the manual, each by fifty processes |
//! | `sql_retry` | foreign writers and readers: waiting, trying again, giving up |
//! | `sql_terminal` | Ctrl-C and other signals during a batch, and the progress line |
//! | `sql_traps` | defects that were found and mended, each with its story |
//! | `sql_values` | every kind of value in every format, against SQLite's own shell |
//! | `unlock` | `dbguard unlock` ends those who hold a database, all of them or nobody, and nobody else |
//! | `unlock_aim` | `dbguard unlock` ends nobody whom it has not seen to hold the lock asked about |
//! | `unlock_outside` | `dbguard unlock` at a terminal, and holders that it may not end |
//! | `update` | `dbguard update`: its recipes, by fifty processes each, and what stays of a file |
//! | `update_crash` | `dbguard update` killed at every step, interrupted, on full disks, beside foreign writers |
//! | `update_refused` | files that `dbguard update` does not take, and permissions |
//! | `update_traps` | defects of `dbguard update` that were found and mended, and what `fix` clears of it |
//! | `prove` | `dbguard test`: it proves what it says, and it can fail |
//! | `prove_ends` | `dbguard test` interrupted and killed: what stays behind |
//! | `watch` | `dbguard watch`: events, their order and what they say, `--until` |
//! | `watch_acts` | `dbguard watch`: `--exec`, `--fix`, slow and absent readers, bad inputs |
//! | `watch_terminal` | `dbguard watch` on a terminal: keys, signals, and what is left behind |
//! | `house` | the layers, and what each room must not do |
//! | `storm` | the overlap storm |
//!
//! `scene` and `process` are the harness, `skipping` what a test says that is not run, `intervals` and `storm_crew` the storm's tools,
//! `sql_crew` those of the tests of SQL, `info_crew` those of `info`, `fix_crew` those of `fix`,
//! `lease_crew` those of the locks that `acquire` takes, `watch_crew` those of `watch`, `fix_tools`
//! the tools whose locks `fix` clears, `actor` the parts that this
//! very binary plays as a command, `pty` the terminal, `tests/peers` programs that others wrote
//! the libraries of. Steps of dbguard are reached through hooks that exist only with
//! `--features test-hooks`; without them (and where a tool such as `flock` is missing) a test
//! prints why it is skipped.
//!
//! The storm runs for 20 s; `DBGUARD_STORM_SECONDS=600 cargo test --features test-hooks --test it
//! storm -- --nocapture` makes it ten minutes, and `DBGUARD_STORM_SEED` repeats a run.
//!
//! On Windows the scripts need a POSIX shell and its tools in PATH (`sh`, `true`, `cat`, ..); what is
//! not asked there stands in the table of README.md. `system` is what the harness asks of the
//! operating system; on macOS nobody has written that yet.
#![cfg(any(target_os = "linux", windows))]

mod actor;
mod bad_days;
mod codes;
mod crash;
mod deadlock;
mod elsewhere;
mod exclusion;
mod fix_crew;
#[cfg(target_os = "linux")]
mod fix_crowd;
mod fix_databases;
mod fix_locks;
mod fix_proof;
mod fix_races;
mod fix_state;
mod fix_tools;
mod flock_compat;
mod generated;
mod hostile;
mod house;
mod info_crew;
mod info_duckdb;
mod info_engines;
mod info_guard;
mod info_json;
#[cfg(target_os = "linux")]
mod info_outside;
mod info_quiet;
mod info_search;
mod info_sqlite;
mod info_text;
mod info_traps;
mod intervals;
mod lease;
mod lease_crew;
mod lease_end;
mod lease_traps;
#[cfg(target_os = "linux")]
mod leftovers;
mod lifetime;
mod native;
mod native_look;
mod nested;
mod process;
mod prove;
mod prove_ends;
#[cfg(target_os = "linux")]
mod pty;
mod queue;
mod readme;
#[cfg(target_os = "linux")]
mod readme_recipes;
mod resources;
mod scene;
mod skipping;
mod sql;
mod sql_batch;
mod sql_crew;
mod sql_crowd;
mod sql_duckdb;
mod sql_duckdb_values;
mod sql_input;
mod sql_output;
mod sql_recipes;
mod sql_retry;
#[cfg(target_os = "linux")]
mod sql_terminal;
mod sql_traps;
mod sql_values;
mod stats;
mod stats_traps;
mod status_file;
mod storm;
mod storm_crew;
mod supervise;
mod system;
#[cfg(target_os = "linux")]
mod terminal;
mod trust;
mod unlock;
mod unlock_aim;
#[cfg(target_os = "linux")]
mod unlock_outside;
mod update;
mod update_crash;
mod update_refused;
mod update_traps;
mod watch;
mod watch_acts;
mod watch_crew;
#[cfg(target_os = "linux")]
mod watch_terminal;
mod words;
