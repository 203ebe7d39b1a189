//! Every exit code of dbguard, in one place.
//!
//! The numbers follow `sysexits.h` where it has a word for the case, `timeout(1)` for 124,
//! and the shell for 126, 127 and 128+n. The README and the manual page print [`Outcome::ALL`];
//! a test compares them.

/// How a run of dbguard ended.
///
/// The name ([`Outcome::name`]) is what `--json` calls `code`; the number is the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; the answer is yes.
    Ok,
    /// The answer is no.
    Negative,
    /// The SQL failed; the batch is rolled back.
    SqlError,
    /// The command line makes no sense.
    Usage,
    /// The file is not the database it should be.
    BadDatabase,
    /// A file or directory that must exist does not.
    NoSuchFile,
    /// Locks do not work on this file system.
    Unavailable,
    /// A defect in dbguard.
    Internal,
    /// The operating system refused something (descriptors, processes, memory).
    OsError,
    /// The lock file, its directory or a temporary file cannot be made.
    CannotCreate,
    /// Reading or writing failed.
    IoError,
    /// The lock is held and waiting was not wanted.
    WouldBlock,
    /// The lock's files vanished while it was held, or the lease ended that it was below.
    LockLost,
    /// Permission was denied, or the state directory belongs to somebody untrusted.
    Permission,
    /// A `DBGUARD_*` variable has a bad value.
    BadSetting,
    /// Waiting would never end: it would wait for itself, directly or in a circle.
    Deadlock,
    /// The command was ended because it held the lock for too long.
    MaxHold,
    /// The lock was not obtained in time.
    Timeout,
    /// The command was found and cannot be executed.
    NotExecutable,
    /// The command was not found.
    CommandNotFound,
    /// The command's own exit code: on Windows any number of 32 bits.
    Exited(i32),
    /// A signal ended the command, or dbguard while it waited.
    Signaled(u8),
}

impl Outcome {
    /// Every outcome with a number of its own, in the order of the numbers.
    pub const ALL: [Self; 20] = [
        Self::Ok,
        Self::Negative,
        Self::SqlError,
        Self::Usage,
        Self::BadDatabase,
        Self::NoSuchFile,
        Self::Unavailable,
        Self::Internal,
        Self::OsError,
        Self::CannotCreate,
        Self::IoError,
        Self::WouldBlock,
        Self::LockLost,
        Self::Permission,
        Self::BadSetting,
        Self::Deadlock,
        Self::MaxHold,
        Self::Timeout,
        Self::NotExecutable,
        Self::CommandNotFound,
    ];

    /// Returns the exit status.
    pub fn code(self) -> i32 {
        match self {
            Self::Ok => 0,
            Self::Negative => 1,
            Self::SqlError => 2,
            Self::Usage => 64,
            Self::BadDatabase => 65,
            Self::NoSuchFile => 66,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::OsError => 71,
            Self::CannotCreate => 73,
            Self::IoError => 74,
            Self::WouldBlock => 75,
            Self::LockLost => 76,
            Self::Permission => 77,
            Self::BadSetting => 78,
            Self::Deadlock => 79,
            Self::MaxHold => 123,
            Self::Timeout => 124,
            Self::NotExecutable => 126,
            Self::CommandNotFound => 127,
            Self::Exited(code) => code,
            Self::Signaled(signal) => i32::from(128_u8.wrapping_add(signal)),
        }
    }

    /// Returns the stable name used in JSON and in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Negative => "negative",
            Self::SqlError => "sql_error",
            Self::Usage => "usage",
            Self::BadDatabase => "bad_database",
            Self::NoSuchFile => "no_such_file",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::OsError => "os_error",
            Self::CannotCreate => "cannot_create",
            Self::IoError => "io_error",
            Self::WouldBlock => "would_block",
            Self::LockLost => "lock_lost",
            Self::Permission => "permission",
            Self::BadSetting => "bad_setting",
            Self::Deadlock => "deadlock",
            Self::MaxHold => "max_hold",
            Self::Timeout => "timeout",
            Self::NotExecutable => "not_executable",
            Self::CommandNotFound => "not_found",
            Self::Exited(_) => "exited",
            Self::Signaled(_) => "signal",
        }
    }

    /// Returns one line for the table of exit codes in the manual page and the README.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done; the answer is yes",
            Self::Negative => {
                "the answer is no; from sql: --if was not true; from update: not the --if-sha256; \
                 from test: something was lost, or failed"
            }
            Self::SqlError => {
                "from sql: the SQL failed; the batch is rolled back (not with --no-transaction)"
            }
            Self::Usage => "the command line makes no sense",
            Self::BadDatabase => "not a database, or not one that can be used this way",
            Self::NoSuchFile => "a file or directory that must exist does not",
            Self::Unavailable => "locks do not work on this file system",
            Self::Internal => "a defect in dbguard",
            Self::OsError => "the operating system refused (descriptors, processes, memory)",
            Self::CannotCreate => "the lock file, its directory or a temporary file cannot be made",
            Self::IoError => "reading or writing failed, or the file would not hold still",
            Self::WouldBlock => "held, with -n or -w 0; or --max-waiters reached",
            Self::LockLost => {
                "the lock's files vanished or were replaced while it was held, or its time was up"
            }
            Self::Permission => "permission denied, or state of an untrusted owner",
            Self::BadSetting => "a DBGUARD_ variable has a bad value",
            Self::Deadlock => "a wait that could never end was refused",
            Self::MaxHold => "--max-hold ended the command",
            Self::Timeout => "the lock was not obtained within -w",
            Self::NotExecutable => "the command cannot be executed",
            Self::CommandNotFound => "the command was not found",
            Self::Exited(_) => "the command's own exit code",
            Self::Signaled(_) => "128+n: signal n ended the command, or dbguard while it waited",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn codes_and_names_are_unique_and_ascend() {
        for pair in Outcome::ALL.windows(2) {
            assert!(pair[0].code() < pair[1].code());
            assert_ne!(pair[0].name(), pair[1].name());
        }
    }

    #[test]
    fn a_signal_is_128_plus_its_number() {
        assert_eq!(Outcome::Signaled(15).code(), 143);
    }
}
