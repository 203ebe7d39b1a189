//! `X.lock` with a zero and a newline: liblockfile without a process number, as of `dotlockfile`
//! without `-p` and of mail programs. It takes over what was not touched for five minutes
//! (`lockfile.c`).

use super::super::{Format, Kind, Rule, Sighting, Statement};
use super::ends;
use std::time::Duration;

/// After this long liblockfile takes over.
const STALE_AFTER: Duration = Duration::from_secs(300);

/// The format.
pub const FORMAT: Format = Format {
    name: "dotlockfile-age",
    tool: "dotlockfile, liblockfile",
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
        Some("0\n") if is_plain => Statement::Ageing(Some(STALE_AFTER)),
        _ => Statement::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Statement;
    use super::super::tests::file;
    use super::{STALE_AFTER, read};

    #[test]
    fn a_zero_and_a_newline_age() {
        assert_eq!(read(&file("n.lock", "0\n")), Statement::Ageing(Some(STALE_AFTER)));
        for content in ["", "0", "00\n", "1\n", "0\n\n"] {
            assert_eq!(read(&file("n.lock", content)), Statement::Foreign, "{content:?}");
        }
    }
}
