//! The catalogue: one file a format.
//!
//! The facts are of each tool's own source or documentation, named in its file; a format whose
//! facts were never seen for real is reported and never acted on.

mod filelock;
mod pid_file;

use super::{Format, Kind};

/// Every format, the more particular before the more general: the first that knows a file reads it.
pub const ALL: &[&Format] = &[&filelock::FORMAT, &pid_file::FORMAT];

/// Returns the formats that an entry of this name and kind can be of.
pub fn find(name: &str, kind: Kind) -> impl Iterator<Item = &'static Format> {
    ALL.iter().copied().filter(move |format| (format.is_named)(name, kind))
}

/// Returns the format of this name.
pub fn named(name: &str) -> Option<&'static Format> {
    ALL.iter().copied().find(|format| format.name == name)
}

/// Returns a process number as tools write it: digits alone, and one that a process can have.
fn pid(text: &str) -> Option<u32> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pid = text.parse::<u32>().ok().filter(|_| is_plain)?;
    (1..=i32::MAX.unsigned_abs()).contains(&pid).then_some(pid)
}

/// Whether a name ends like this and has something before it.
fn ends(name: &str, end: &str) -> bool {
    name.len() > end.len() && name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Rule, Sighting, Statement};
    use super::{ALL, pid};
    use proptest::prelude::{any, proptest};
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    /// Returns a file as a format sees it.
    pub fn file(name: &str, content: impl AsRef<[u8]>) -> Sighting {
        let content = content.as_ref().to_vec();
        let path = PathBuf::from("/d").join(name);
        Sighting { path, bytes: content.len() as u64, content, links: 1, ..Sighting::default() }
    }

    #[test]
    fn names_are_words_and_there_is_one_of_each() {
        let names: BTreeSet<_> = ALL.iter().map(|format| format.name).collect();
        assert_eq!(names.len(), ALL.len());
        let is_word =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert!(names.iter().all(|name| is_word(name)), "{names:?}");
    }

    #[test]
    fn only_digits_are_a_process_number() {
        assert_eq!(pid("4711"), Some(4711));
        for text in ["", "0", "-1", "+1", " 1", "1 ", "0x1", "2147483648", "99999999999999999999"] {
            assert_eq!(pid(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_content_panics_and_only_owners_are_read_by_the_rule_of_owners(
            name in "[.~#a-zA-Z0-9_-]{0,12}(\\.lock|\\.pid|\\.swp)?",
            content in proptest::collection::vec(any::<u8>(), 0..128),
        ) {
            for kind in [Kind::File, Kind::Directory, Kind::Link] {
                let seen = Sighting { kind, ..file(&name, &content) };
                for format in ALL {
                    let said = (format.read)(&seen);
                    let names_owner = matches!(said, Statement::Owner(_));
                    assert!(!names_owner || format.rule == Rule::Owner, "{} {said:?}", format.name);
                }
            }
        }
    }
}
