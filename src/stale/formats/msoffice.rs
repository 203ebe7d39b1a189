//! `~$DOC` of Microsoft Office: a length, the name of the user in so many bytes, and the same again
//! in 16-bit characters, 162 bytes of Word and 165 of the others. It names no process; from
//! descriptions, never seen for real.

use super::super::{Format, Kind, Rule, Sighting, Statement};
use super::word;

/// How long they are.
const BYTES: [u64; 2] = [162, 165];

/// The most bytes of a name.
const MOST_NAME_BYTES: usize = 54;

/// The format.
pub const FORMAT: Format = Format {
    name: "msoffice",
    tool: "Microsoft Office",
    files: "~$DOC",
    rule: Rule::Report,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && name.len() > 2 && name.starts_with("~$"),
    beside: None,
    read,
};

fn read(seen: &Sighting) -> Statement {
    let [length, rest @ ..] = &seen.content[..] else { return Statement::Foreign };
    let length = usize::from(*length);
    let name = rest.get(..length).filter(|_| (1..=MOST_NAME_BYTES).contains(&length));
    let Some(name) = name.filter(|_| seen.kind == Kind::File && BYTES.contains(&seen.bytes)) else {
        return Statement::Foreign;
    };
    let user = std::str::from_utf8(name).ok().and_then(word).unwrap_or("a user");
    Statement::Kept(format!("{user} may have the document open: remove it by hand if nobody has"))
}

#[cfg(test)]
mod tests {
    use super::super::super::Statement;
    use super::super::tests::file;
    use super::read;

    #[test]
    fn the_user_is_named_if_it_is_a_word() {
        for (name, who) in [(&b"root"[..], "root may"), (b"Jo Doe", "a user may")] {
            let mut content = vec![u8::try_from(name.len()).expect("it is short")];
            content.extend(name);
            content.resize(162, 0);
            match read(&file("~$a.docx", &content)) {
                Statement::Kept(reason) => assert!(reason.starts_with(who), "{reason}"),
                other => panic!("{other:?}"),
            }
            assert_eq!(read(&file("~$a.docx", &content[..161])), Statement::Foreign);
        }
        assert_eq!(read(&file("~$a.docx", [0; 162])), Statement::Foreign);
        assert_eq!(read(&file("~$a.docx", [255; 162])), Statement::Foreign);
    }
}
