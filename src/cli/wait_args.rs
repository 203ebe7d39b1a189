//! What can be typed after `dbguard wait`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::cli::lock_args::{LockArgs, LockRequest};
use crate::cli::settings::Settings;

/// Wait until the locks could be had
///
/// Returns as soon as every lock could be taken in the mode asked for, and takes none. Somebody
/// else may take one the next moment: to keep it, use `dbguard exec`.
///
/// The exit status is 0 when the locks are free, 75 when one is held and waiting was not
/// wanted, and 124 when one was still held in the end.
///
/// Examples:
///
///   dbguard wait app.db
///   dbguard wait -s -w 5m app.db
///   dbguard wait -n app.db
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard wait [OPTIONS] FILE...")]
pub struct WaitArgs {
    #[command(flatten)]
    pub(super) lock: LockArgs,

    /// The databases: files, directories, or any names to agree on
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(super) files: Vec<PathBuf>,
}

/// What to wait for, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitRequest {
    /// Which lock, and for how long.
    pub lock: LockRequest,
    /// The databases, in the order they were typed.
    pub files: Vec<PathBuf>,
}

impl WaitArgs {
    /// Fills in what was not typed: an option beats its variable, a variable the default.
    pub fn resolve(self, settings: &Settings) -> WaitRequest {
        WaitRequest { lock: self.lock.resolve(settings), files: self.files }
    }
}
