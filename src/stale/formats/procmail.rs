//! `lockfile` of procmail, and procmail's own: a file with a zero and no newline, that nobody may
//! write (mode 0444). It takes over only what is older than `-l` says, or `LOCKTIMEOUT`.

use super::super::{Format, Kind, Rule, Sighting, Statement};
use super::ends;

/// The format.
pub const FORMAT: Format = Format {
    name: "procmail-lockfile",
    tool: "procmail, lockfile(1)",
    files: "*.lock",
    rule: Rule::Age,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && ends(name, ".lock"),
    beside: None,
    read,
};

fn read(seen: &Sighting) -> Statement {
    let is_plain = seen.kind == Kind::File && seen.links == 1;
    match seen.text() {
        Some("0") if is_plain => Statement::Ageing(None),
        _ => Statement::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Statement;
    use super::super::tests::file;
    use super::read;

    #[test]
    fn a_zero_alone_ages() {
        assert_eq!(read(&file("a.lock", "0")), Statement::Ageing(None));
        for content in ["", "0\n", "00", "1"] {
            assert_eq!(read(&file("a.lock", content)), Statement::Foreign, "{content:?}");
        }
    }
}
