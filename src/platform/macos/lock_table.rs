//! Kernel locks, as they are described. macOS has no table of them: `ask` and `held_locks` put
//! questions about one file.

pub use crate::platform::answers::{KernelLock, LockKind, LockMode};
