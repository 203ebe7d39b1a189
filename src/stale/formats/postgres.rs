//! `postmaster.pid` of PostgreSQL and the lock of its socket: process number, data directory,
//! start, port and more, a line each (`pidfile.h`).
//!
//! The next start replaces them, after it has looked for backends that outlived their postmaster in
//! the shared memory that the file names. Whoever removes the file takes that look away, and two
//! servers on one directory destroy it. So they are never removed here.

use super::super::{Format, Kind, Rule, Sighting, Statement};
use super::word;

/// The format.
pub const FORMAT: Format = Format {
    name: "postgres",
    tool: "PostgreSQL",
    files: "postmaster.pid, .s.PGSQL.PORT.lock",
    rule: Rule::Report,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && is_its(name),
    beside: None,
    read,
};

fn is_its(name: &str) -> bool {
    name == "postmaster.pid" || (name.starts_with(".s.PGSQL.") && name.ends_with(".lock"))
}

/// Returns the same whatever it contains: no other format may have it.
fn read(seen: &Sighting) -> Statement {
    if seen.kind != Kind::File || !is_its(seen.name()) {
        return Statement::Foreign;
    }
    let directory = seen.text().and_then(|text| text.lines().nth(1)).and_then(word);
    let place = directory.map(|directory| format!(" -D {directory}")).unwrap_or_default();
    Statement::Kept(format!(
        "PostgreSQL replaces it at its next start, and removing it can destroy data: ask \
         `pg_ctl status{place}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::super::Statement;
    use super::super::tests::file;
    use super::read;

    fn reason(name: &str, content: &str) -> String {
        match read(&file(name, content)) {
            Statement::Kept(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_is_kept_whatever_it_contains_and_the_directory_is_named_if_it_is_a_word() {
        let socket = "1989\n/srv/pg/d\n1795204729\n5999\n/srv/pg\n";
        let whole = format!("{socket}\n 10076163         4\nready   \n");
        assert!(reason("postmaster.pid", &whole).ends_with("`pg_ctl status -D /srv/pg/d`"));
        assert!(reason(".s.PGSQL.5999.lock", socket).ends_with("`pg_ctl status -D /srv/pg/d`"));
        for content in ["", "1989\n", "1989\n/srv/$(x)\n", "1989\n/srv/a b\n"] {
            assert!(reason("postmaster.pid", content).ends_with("`pg_ctl status`"), "{content}");
        }
        assert_eq!(read(&file("app.pid", &whole)), Statement::Foreign);
    }
}
