//! Paths that belong to a database or to dbguard itself, and that an option must not name.

use std::path::Path;

use crate::lock::{Resource, SIDE_FILES, Target, canonical, is_state};
use crate::platform;

/// Returns what a path is, if it is one of the files to be locked, lies beside one as part of it,
/// or belongs to dbguard: `the database a.db`. A file that cannot be resolved reserves nothing:
/// locking it fails anyway.
pub fn reserved(path: &Path, files: &[Target]) -> Option<String> {
    let resolved = canonical(path).unwrap_or_else(|_| path.to_path_buf());
    if resolved.components().any(|part| is_state(part.as_os_str())) {
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
        let beside = SIDE_FILES.iter().any(|(suffix, _)| {
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
