//! What Linux promises: everything.

use super::Promises;

pub const PROMISES: Promises = super::on_unix::PROMISES;
