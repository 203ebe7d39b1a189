//! Words of a command line, written so that they can be typed again.

use std::ffi::OsStr;

use crate::escape::escaped;

/// Returns the words as one line for a POSIX shell, quoted only where it is needed.
pub fn joined<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> String {
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// Returns one word, quoted if a shell would see more in it than text.
///
/// Bytes that are not UTF-8 are lost: the line is for people.
pub fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_plain = |letter: char| letter.is_alphanumeric() || "_-./:=@%+,".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into_owned();
    }
    if escaped(&word) != word {
        // Only this form shows such a character without sending it to the terminal.
        return format!("$'{}'", word.escape_debug().to_string().replace("\\\"", "\""));
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{joined, quoted};

    #[test]
    fn only_what_needs_quotes_gets_them() {
        for (word, expected) in [
            ("a.db", "a.db"),
            ("select 1", "'select 1'"),
            ("", "''"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("a\u{202e}b", r"$'a\u{202e}b'"),
            ("a\u{1b}[31m'\"", r#"$'a\u{1b}[31m\'"'"#),
        ] {
            assert_eq!(quoted(OsStr::new(word)), expected);
        }
        assert_eq!(joined(["a", "b c"].map(OsStr::new)), "a 'b c'");
    }
}
