//! PID files: a process number and a newline.
//!
//! Written by daemons, by pylockfile's `PIDLockFile`, by yum (`/var/run/yum.pid`) and zypper. A
//! daemon that locks its PID file besides is judged by that lock alone, which whoever removes a
//! file looks for.

use super::super::{Format, Kind, Owner, Rule, Sighting, Statement};
use super::{ends, pid};

/// The format.
pub const FORMAT: Format = Format {
    name: "pid-file",
    tool: "daemons, pylockfile PIDLockFile, yum, zypper",
    files: "*.pid",
    rule: Rule::Owner,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && ends(name, ".pid"),
    beside: None,
    read,
};

/// Reads a PID file of any name, so that it serves the user's own patterns too.
pub fn read(seen: &Sighting) -> Statement {
    if seen.kind != Kind::File || seen.links != 1 {
        return Statement::Foreign;
    }
    match seen.text().map(str::trim) {
        Some("") => Statement::Unfinished,
        Some(text) => match pid(text) {
            Some(pid) => Statement::Owner(Owner { pid, ..Owner::default() }),
            None => Statement::Foreign,
        },
        None => Statement::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Owner, Statement};
    use super::super::tests::file;
    use super::read;

    #[test]
    fn a_number_alone_is_a_pid_file() {
        for content in ["4711", "4711\n", " 4711\r\n"] {
            let owner = Owner { pid: 4711, ..Owner::default() };
            assert_eq!(read(&file("app.pid", content)), Statement::Owner(owner));
        }
        assert_eq!(read(&file("app.pid", "")), Statement::Unfinished);
        for content in ["0", "-7", "4711 attic", "4711\n4712\n", "app"] {
            assert_eq!(read(&file("app.pid", content)), Statement::Foreign, "{content}");
        }
    }
}
