//! What a command is called, and who reads a line of shell.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The variable that names the user's shell.
pub const SHELL_VARIABLE: &str = "SHELL";

/// The variable that lists how the names of programs end; only Windows has it.
pub const EXTENSIONS_VARIABLE: &str = "PATHEXT";

/// Where programs are if `PATH` does not say.
pub const USUAL_PATH: &str = "/usr/bin:/bin";

/// Returns the command that runs a line of shell.
///
/// # Platforms
/// `cmd /D /S /C` on Windows.
pub fn shell(shell: Option<OsString>, line: OsString) -> Vec<OsString> {
    vec![shell.unwrap_or_else(|| "/bin/sh".into()), "-c".into(), line]
}

/// Returns the names under which a program may be found that is asked for by this one.
///
/// # Platforms
/// On Windows with the extensions that were left out.
pub fn candidates(name: &Path, _extensions: Option<&OsStr>) -> Vec<PathBuf> {
    vec![name.to_path_buf()]
}
