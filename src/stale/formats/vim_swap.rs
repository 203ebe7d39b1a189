//! Swap files of vim and neovim: `.FILE.swp`, then `.swo` and on backwards, with the text that was
//! not saved (`memline.c`). They are what a crash leaves to recover from, never a mere lock.

use super::super::{Format, Kind, Rule, Sighting, Statement};
use super::path_word;

/// The format.
pub const FORMAT: Format = Format {
    name: "vim-swap",
    tool: "vim, neovim",
    files: ".FILE.swp, .FILE.swo",
    rule: Rule::Report,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && is_its(name),
    beside: None,
    read,
};

fn is_its(name: &str) -> bool {
    // From `.swp` down to `.swa`.
    matches!(name.as_bytes(), [b'.', .., b'.', b's', b'w', b'a'..=b'p'])
}

fn read(seen: &Sighting) -> Statement {
    // `b0`, or `b` and the letter of an encryption.
    let is_swap = match &seen.content[..] {
        [b'b', kind, rest @ ..] => b"0cCdD".contains(kind) && rest.starts_with(b"VIM "),
        _ => false,
    };
    if seen.kind != Kind::File || !is_swap {
        return Statement::Foreign;
    }
    let path = path_word(&seen.path).unwrap_or("FILE");
    Statement::Kept(format!("it may hold unsaved text: `vim -r {path}` recovers it"))
}

#[cfg(test)]
mod tests {
    use super::super::super::Statement;
    use super::super::tests::file;
    use super::{FORMAT, read};
    use crate::stale::Kind;

    #[test]
    fn unsaved_text_is_kept_and_the_command_names_the_swap_file() {
        let head = b"b0VIM 9.0\0\0\0\0\x10\0\0\x04\xa6\0\x6b\x2e\xc0\x99\0\x97\x06\0\0root";
        for (name, command) in
            [(".notes.txt.swp", "`vim -r /d/.notes.txt.swp`"), (".my notes.swo", "`vim -r FILE`")]
        {
            match read(&file(name, head)) {
                Statement::Kept(reason) => {
                    let reason = reason.replace(std::path::MAIN_SEPARATOR, "/");
                    assert!(reason.contains(command), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
        for content in ["", "b0", "b0nano 7.2", "VIM 9.0", "4711\n"] {
            assert_eq!(read(&file(".a.swp", content)), Statement::Foreign, "{content}");
        }
    }

    #[test]
    fn names_end_in_a_letter_that_vim_uses() {
        for (name, is_its) in [
            (".a.swp", true),
            (".a.swo", true),
            (".swp", false),
            ("a.swp", false),
            (".a.sws", false),
        ] {
            assert_eq!((FORMAT.is_named)(name, Kind::File), is_its, "{name}");
        }
    }
}
