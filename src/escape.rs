//! Text from elsewhere, made harmless.

use std::path::MAIN_SEPARATOR;

/// Returns the text with control, bidirectional and invisible characters as escapes, so that a
/// command line or a file name cannot move the cursor or pretend to be another.
pub fn escaped(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            harmless.extend(character.escape_default());
        } else {
            harmless.push(character);
        }
    }
    harmless
}

/// Returns a foreign text harmless and cut to `most` characters.
pub fn harmless(text: &str, most: usize) -> String {
    let text = escaped(text);
    match text.char_indices().nth(most) {
        None => text,
        Some(_) => text.chars().take(most.saturating_sub(3)).chain("...".chars()).collect(),
    }
}

fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Returns a text as one word for the shell of this system: those of Windows know single quotes as
/// letters, and no name there has a double one.
pub fn quoted(text: &str) -> String {
    match MAIN_SEPARATOR {
        '\\' => format!("\"{text}\""),
        _ => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped, harmless};

    #[test]
    fn a_terminal_sees_no_control_characters() {
        assert_eq!(escaped("a\x1b[2Jb\n\u{202e}c"), "a\\u{1b}[2Jb\\n\\u{202e}c");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(harmless("abcdefgh", 8), "abcdefgh");
        assert_eq!(harmless("abcdefghi", 8), "abcde...");
    }

    #[test]
    fn ordinary_text_stays() {
        assert_eq!(escaped("python etl.py --name=J\u{fc}rgen"), "python etl.py --name=J\u{fc}rgen");
    }
}
