//! What holds on every system: the real binary among real processes, without anything that only
//! one system has.
//!
//! On Linux `tests/it` asks far more; these run there too, so that a promise that is kept on one
//! system is not broken on another. The commands are played by this very test binary.
//!
//! | module | what it proves |
//! |---|---|
//! | `exclusion` | two conflicting holders never run together, and nobody waits for the dead |
//! | `commands` | what a command is given, and what its end comes to |
//! | `leases` | `acquire` and `release`: a lock between the steps of a script |
//! | `watching`, `proving`, `unlocking` | `watch`, `test` and `unlock` do their work |
//! | `verbs` | `sql`, `info`, `fix` and the others do their work |
//! | `leftovers` | `fix` clears what the dead left, and nothing else |
//! | `names` | long, foreign and odd names of files |
//! | `windows`, `windows_...` | what is promised on Windows alone |

mod actor;
mod commands;
mod exclusion;
mod leases;
mod leftovers;
mod names;
mod proving;
mod scene;
#[cfg(windows)]
#[path = "../it/skipping.rs"]
mod skipping;
mod unlocking;
mod verbs;
mod watching;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
mod windows_console;
#[cfg(windows)]
mod windows_names;
