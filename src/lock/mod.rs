//! The guard lock: exclusion by the kernel, order and names by claims.
//!
//! # Theory of operation
//!
//! Each lock has a directory with a permanent, empty file `lock`. The kernel's whole-file lock
//! on it is the only source of exclusion; anybody who locks the same file takes part. Around it
//! stand *claims*: small files, each locked by its owner for as long as it means what it says.
//! Those who wait have theirs in `queue/`, numbered; those who hold, in `held/`.
//!
//! A newcomer takes `lock` without waiting if it is free and nobody alive waits who conflicts.
//! Otherwise it draws a number and blocks, in the kernel, on the nearest conflicting claim ahead
//! of it; with none ahead, on `lock` itself. So one release wakes one waiter, a dead waiter
//! wakes its successor, and a stopped one is passed over by the helper thread (`vigil`).
//!
//! # Invariants
//!
//! 1. Nobody runs without the kernel lock on the inode that the lock's path names. Claims never
//!    decide exclusion.
//! 2. `lock` and `fence` are never removed while the database exists: a plain `flock` user does
//!    not look whether the file it waited for is still the one with the name.
//! 3. A claim is live exactly as long as the kernel holds a lock on it. Probes are shared and
//!    never block, so that probers do not see each other as life.
//! 4. A nested call joins only a live claim it was told of, and excludes its siblings by the
//!    inner lock of that claim. Who releases a claim first removes its name, then waits for the
//!    inner lock: of a joiner and a releaser, one always sees the other.
//! 5. After resolution everything is relative to open directories. Only the inode check and
//!    messages use the path.
//! 6. Explicit unlocking follows a command that exited. After a death by signal the descriptors
//!    are only closed, so that survivors keep the lock.
//! 7. `lock` is requested by one thread at a time: the waiter, or the helper while the waiter is
//!    blocked on a claim, told apart under one mutex.

mod acquire;
mod ancestry;
mod call;
mod claim;
mod clean;
mod deadlock;
mod error;
mod grant;
mod guard;
mod keepers;
mod lease;
mod line;
mod lockdir;
mod manner;
mod mode;
mod name;
mod nested;
mod observer;
mod order;
mod party;
mod queue;
mod removal;
mod resource;
mod roll;
mod settle;
pub mod stats;
mod view;
mod vigil;

pub use acquire::{Patience, Purpose, Request, acquire};
pub use ancestry::{ancestors, own_ancestor};
pub use claim::{ClaimId, Extension, Under};
pub use clean::{Cleaned, Fate, Part, clean, clean_lock_dir};
pub use error::{Contention, LockError};
pub use guard::{Guard, Released};
pub use keepers::{Keeper, Kept, LockFile, keepers};
pub use lease::{Found, Keeper as LeaseKeeper, LeaseEnd, ask_to_extend, find_lease, lease_end};
pub use lockdir::{LockDir, STATE};
pub use mode::Mode;
pub use name::encode;
pub use nested::{HELD_VARIABLE, HeldList};
pub use observer::{Observer, Subject, WaitReport};
pub use order::{in_canonical_order, lock_path, make_lock};
pub use party::rfc3339;
pub use resource::{Place, Resource, SIDE_FILES, Target, canonical, is_state};
pub use roll::{Claimant, Roll, Roster, Stage, without_claim};
pub use view::{View, locked_in, mode_of, named_in, named_in_lock_dir, view};
pub use vigil::{Blocked, Companion, News, Verdict, Vigil, broken};
