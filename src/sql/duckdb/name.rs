//! The name under which a file is attached.

use std::path::Path;

/// Names that DuckDB keeps for itself.
const RESERVED: [&str; 3] = ["main", "system", "temp"];

/// Returns the name that DuckDB's shell gives a file: its own, up to the first dot.
pub(super) fn of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let before = |name: &str, end: char| {
        name.split(end).find(|part| !part.is_empty()).unwrap_or("database").to_owned()
    };
    let name = before(&before(&name, '.'), '?');
    if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        return name + "_db";
    }
    name
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::of;

    #[test]
    fn a_file_has_the_name_that_the_shell_gives_it() {
        let known = [
            ("/d/analytics.duckdb", "analytics"),
            ("a b.c.db", "a b"),
            (".db", "db"),
            ("x?y.db", "x"),
            ("System.db", "System_db"),
            ("main", "main_db"),
            ("...", "database"),
        ];
        for (file, name) in known {
            assert_eq!(of(Path::new(file)), name, "{file}");
        }
        assert_eq!(of(Path::new(&crate::odd_name(b"b\xff.db"))), "b\u{fffd}");
    }
}
