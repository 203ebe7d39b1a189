//! Shared or exclusive.

use std::fs::File;
use std::io;

use crate::platform;

/// How a lock is held: many may share, one alone may exclude.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Together with others who share.
    Shared,
    /// Alone.
    Exclusive,
}

impl Mode {
    /// Returns whether two modes exclude each other.
    pub fn conflicts_with(self, other: Self) -> bool {
        self == Self::Exclusive || other == Self::Exclusive
    }

    /// Returns whether a call in this mode fits under a hold in `outer`: everything fits under
    /// an exclusive one, but writing under a shared hold would betray those who share it.
    pub fn fits_under(self, outer: Self) -> bool {
        outer == Self::Exclusive || self == Self::Shared
    }

    /// Returns the word used in messages, JSON and `DBGUARD_MODE`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
        }
    }

    /// Returns the letter that ends the name of a claim.
    pub fn letter(self) -> char {
        match self {
            Self::Shared => 's',
            Self::Exclusive => 'x',
        }
    }

    /// Reads the letter that ends the name of a claim.
    pub fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "s" => Some(Self::Shared),
            "x" => Some(Self::Exclusive),
            _ => None,
        }
    }

    /// Tries to take the kernel lock on a whole file. Never blocks.
    pub fn try_lock(self, file: &File) -> io::Result<bool> {
        match self {
            Self::Shared => platform::try_lock_shared(file),
            Self::Exclusive => platform::try_lock_exclusive(file),
        }
    }

    /// Takes the kernel lock on a whole file; blocks until granted or interrupted.
    pub fn lock(self, file: &File) -> io::Result<()> {
        match self {
            Self::Shared => platform::lock_shared(file),
            Self::Exclusive => platform::lock_exclusive(file),
        }
    }
}
