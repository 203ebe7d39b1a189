//! `.~lock.DOC#` of LibreOffice: name, user, host, time and profile, with commas between them and a
//! semicolon at the end. It names no process, and LibreOffice asks its user; from descriptions,
//! never seen for real.

use super::super::{Format, Kind, Rule, Sighting, Statement};
use super::word;

/// The format.
pub const FORMAT: Format = Format {
    name: "libreoffice",
    tool: "LibreOffice, OpenOffice",
    files: ".~lock.DOC#",
    rule: Rule::Report,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && name.starts_with(".~lock.") && name.ends_with('#'),
    beside: None,
    read,
};

fn read(seen: &Sighting) -> Statement {
    let Some(text) = seen.text().filter(|_| seen.kind == Kind::File) else {
        return Statement::Foreign;
    };
    let fields: Vec<&str> = text.splitn(5, ',').collect();
    let [_, user, host, _, _] = fields[..] else { return Statement::Foreign };
    let who = match (word(user), word(host)) {
        (Some(user), Some(host)) => format!("{user} on {host}"),
        _ => "a user".to_owned(),
    };
    Statement::Kept(format!("it names {who} and no process: open the document, LibreOffice asks"))
}

#[cfg(test)]
mod tests {
    use super::super::super::Statement;
    use super::super::tests::file;
    use super::read;

    #[test]
    fn user_and_host_are_named_if_they_are_words() {
        for (content, who) in [
            (",ana,attic,20.11.2026 19:56,file:///home/ana/.config/libreoffice/4;", "ana on attic"),
            ("Jo,jo,a\x1bb,20.11.2026 19:56,file:///x;", "a user"),
        ] {
            match read(&file(".~lock.a.odt#", content)) {
                Statement::Kept(reason) => assert!(reason.contains(who), "{reason}"),
                other => panic!("{other:?}"),
            }
        }
        for content in ["", "4711\n", "a,b,c"] {
            assert_eq!(read(&file(".~lock.a.odt#", content)), Statement::Foreign, "{content}");
        }
    }
}
