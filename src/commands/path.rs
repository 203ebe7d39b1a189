//! `dbguard path`: prints the lock file, for other tools.

use super::explain::explain;
use super::voice::Voice;
use super::{End, print};
use crate::cli::duration::Timeout;
use crate::cli::path_args::{Creation, PathRequest};
use crate::error::Failure;
use crate::lock::{Target, lock_path, make_lock};
use crate::outcome::Outcome;

/// Prints the path of the file whose kernel lock is the lock, made if it is missing.
pub fn path(request: PathRequest, voice: &Voice) -> Result<End, Failure> {
    let files = [request.file];
    let target = Target {
        file: files[0].clone(),
        key: request.key,
        lock_dir: request.lock_dir,
        lock_file: None,
    };
    let path = match request.creation {
        Creation::Never => lock_path(&target),
        Creation::IfMissing => make_lock(&target),
    };
    let path = path.map_err(|error| explain(&error, Timeout::NONBLOCK, &files, voice))?;
    if voice.is_json() {
        let Some(path) = path.to_str() else {
            return Err(Failure::new(Outcome::Usage, "the path is not UTF-8 and has no JSON"));
        };
        let line = serde_json::json!({ "schema": 1, "lock_file": path });
        return Ok(print(format!("{line}\n").as_bytes()));
    }
    let mut line = path.as_os_str().as_encoded_bytes().to_vec();
    line.push(b'\n');
    Ok(print(&line))
}
