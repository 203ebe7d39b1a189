//! Paths that belong to a database or to dbguard itself, and that an option must not name.

use std::path::{Path, PathBuf};

use crate::lock::{Resource, Target};
use crate::platform;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// What engines put beside a database, after its name.
const SIDE_FILES: [&str; 4] = ["-wal", "-shm", "-journal", ".wal"];

/// Where dbguard keeps its own files.
const STATE: &str = ".dbguard";

/// Returns what a path is, if it is one of the files to be locked, lies beside one as part of it,
/// or belongs to dbguard: `the database a.db`. A file that cannot be resolved reserves nothing:
/// locking it fails anyway.
pub fn reserved(path: &Path, files: &[Target]) -> Option<String> {
    let resolved = resolve(path).unwrap_or_else(|_| path.to_path_buf());
    if resolved.components().any(|part| part.as_os_str() == STATE) {
        return Some("dbguard's own state".to_owned());
    }
    let id = platform::facts_at(path).ok().map(|facts| facts.id);
    // Its own name may mean a database: X-wal, or data.mdb in its directory.
    let meant = Target { file: path.to_path_buf(), ..Target::default() };
    let meant = Resource::resolve(&meant).ok().map(|resource| resource.path);
    for file in files {
        let file = Target { lock_file: None, ..file.clone() };
        let Ok(resource) = Resource::resolve(&file) else { continue };
        let shown = resource.path.display();
        let same = id.is_some() && resource.facts.map(|facts| facts.id) == id;
        if same || resolved == resource.path {
            return Some(format!("`{shown}`, which is to be locked"));
        }
        let beside = SIDE_FILES.iter().any(|suffix| {
            let mut name = resource.path.clone().into_os_string();
            name.push(suffix);
            resolved.as_os_str() == name
        });
        if beside || meant.as_deref() == Some(&resource.path) {
            return Some(format!("a part of `{shown}`"));
        }
        if resolved.starts_with(resource.place.directory()) {
            return Some("dbguard's own state".to_owned());
        }
    }
    None
}

/// Follows links, the last component too and even if nothing is at the end of them.
pub fn resolve(path: &Path) -> std::io::Result<PathBuf> {
    let mut path = std::path::absolute(path)?;
    for _ in 0..MOST_LINKS {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return path.canonicalize();
        };
        let full = parent.canonicalize()?.join(name);
        match full.read_link() {
            Ok(link) => path = full.parent().map_or_else(|| link.clone(), |dir| dir.join(&link)),
            Err(_) => return Ok(full),
        }
    }
    Err(std::io::Error::from_raw_os_error(libc::ELOOP))
}
