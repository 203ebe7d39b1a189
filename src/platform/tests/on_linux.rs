//! What Linux promises.

use super::{Kept, Promises};

const YES: Kept = Kept { promised: true, lacking: None };

pub const PROMISES: Promises = Promises {
    signals: YES,
    zombies: YES,
    inherited_locks: YES,
    lock_heirs: YES,
    locked_is_read: YES,
    lock_holders: YES,
    byte_locks: YES,
    shared_byte_locks: YES,
    openers: YES,
    own_access: YES,
    leases: YES,
    taking_away: YES,
    permission_bits: YES,
    moved_directories: YES,
    deleted_files: YES,
    cases: YES,
    odd_names: YES,
    full_pipes: YES,
    command_lines: YES,
    users_and_directories: YES,
    threads: YES,
    copies: YES,
    adoption: YES,
};
