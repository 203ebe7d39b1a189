//! `X.lock` with the process number of who holds it and nothing else: `dotlockfile -p`, `L_PID` of
//! liblockfile, the lock of MySQL's socket.
//!
//! liblockfile takes it over when that process is dead (`lockfile.c`). `dotlockfile` writes the
//! number of the process that called it.

use super::super::{Format, Kind, Owner, Rule, Sighting, Statement};
use super::{ends, pid};

/// The format.
pub const FORMAT: Format = Format {
    name: "dotlockfile",
    tool: "dotlockfile -p, liblockfile, MySQL",
    files: "*.lock",
    rule: Rule::Owner,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && ends(name, ".lock"),
    beside: None,
    read,
};

fn read(seen: &Sighting) -> Statement {
    if seen.kind != Kind::File || seen.links != 1 {
        return Statement::Foreign;
    }
    // Without the newline it may be the beginning of a number.
    match seen.text().and_then(|text| text.strip_suffix('\n')).and_then(pid) {
        Some(pid) => Statement::Owner(Owner { pid, ..Owner::default() }),
        None => Statement::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Owner, Sighting, Statement};
    use super::super::tests::file;
    use super::read;

    #[test]
    fn a_number_and_a_newline_name_the_process() {
        let owner = Owner { pid: 32355, ..Owner::default() };
        assert_eq!(read(&file("sh.lock", "32355\n")), Statement::Owner(owner));
        for content in ["", "32355", "0\n", "32355\n\n", " 32355\n", "32355 vm\n", "-1\n"] {
            assert_eq!(read(&file("sh.lock", content)), Statement::Foreign, "{content:?}");
        }
        let twice = Sighting { links: 2, ..file("sh.lock", "32355\n") };
        assert_eq!(read(&twice), Statement::Foreign);
    }
}
