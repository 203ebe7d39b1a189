//! The kernel's table of locks: Windows shows none.

pub use crate::platform::answers::{KernelLock, LockKind, LockMode};
