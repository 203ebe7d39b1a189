//! Calls inside a command that holds the lock already.
//!
//! `exec` tells its command which claims it runs under, in `DBGUARD_HELD`. A nested call does
//! not wait for its own ancestor: it takes the *inner lock* of the innermost of those claims
//! that is still live, so that siblings exclude each other. The variable is only believed as
//! far as a live claim of that very id proves it.

use std::path::Path;

use super::LockError;
use super::claim::{ClaimId, Look, Seen, Under, find_live, held_name, inner_name};
use super::lockdir::LockDir;
use super::mode::Mode;

/// The variable that tells a command which claims it runs under.
pub const HELD_VARIABLE: &str = "DBGUARD_HELD";

/// The claims this process runs under, outermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldList {
    entries: Vec<Under>,
}

impl HeldList {
    /// Reads the variable: `ID@PATH` entries separated by spaces. The second value counts the
    /// entries that cannot be read.
    pub fn parse(text: &str) -> (Self, usize) {
        let words: Vec<_> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let entries: Vec<_> = words.iter().filter_map(|word| parse_entry(word)).collect();
        let refused = words.len() - entries.len();
        (Self { entries }, refused)
    }

    /// Reads a token: the same, and an id alone is a claim on the lock that is asked about.
    pub fn parse_token(text: &str) -> (Self, usize) {
        match ClaimId::parse(text.trim()) {
            Some(id) => {
                let entry = Under { id: id.to_string(), at: String::new() };
                (Self { entries: vec![entry] }, 0)
            }
            None => Self::parse(text.trim()),
        }
    }

    /// Returns the claims.
    pub fn entries(&self) -> &[Under] {
        &self.entries
    }

    /// Adds the claim of a lock that was taken, innermost. Others on that very lock are gone: a live
    /// one would have been joined. They are dropped, or a shell that locks again and again would
    /// fill its environment.
    pub fn push(&mut self, entry: Under) {
        // Paths that are no text look alike.
        let is_sure = !entry.at.contains(char::REPLACEMENT_CHARACTER);
        self.entries.retain(|other| *other != entry && !(is_sure && other.at == entry.at));
        self.entries.push(entry);
    }
}

impl std::fmt::Display for HeldList {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, entry) in self.entries.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(formatter, "{space}{}@{}", entry.id, escape(&entry.at))?;
        }
        Ok(())
    }
}

fn parse_entry(word: &str) -> Option<Under> {
    let (id, path) = word.split_once('@')?;
    ClaimId::parse(id)?;
    Some(Under { id: id.to_owned(), at: unescape(path)? })
}

fn escape(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for character in path.chars() {
        if character == '%' || character.is_whitespace() || character.is_control() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                escaped.push_str(&format!("%{byte:02X}"));
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = tail.get(2..)?;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// The lock that a call has to take: the resource's own, or the inner lock of a claim it runs
/// under.
#[derive(Debug)]
pub struct Level {
    /// The directory of that lock.
    pub place: LockDir,
    /// The levels above it, outermost first, each with the name of the claim that was joined.
    pub above: Vec<(LockDir, String)>,
}

impl Level {
    /// Whether the claims joined on the way down are still live under their names. If one is
    /// not, its holder releases or is dead, and what was taken below it protects nothing.
    pub fn is_intact(&self) -> bool {
        self.above.iter().all(|(place, name)| {
            place
                .ledger
                .as_ref()
                .is_some_and(|ledger| matches!(Seen::look(&ledger.held, name), Look::Live(_)))
        })
    }
}

/// Goes down from a lock to the inner lock of the innermost live claim that the caller is under.
///
/// # Errors
/// [`LockError::Deadlock`] for an exclusive call under a shared hold.
pub fn descend(
    root: LockDir,
    held: &HeldList,
    mode: Mode,
    path: &Path,
) -> Result<Level, LockError> {
    let mut level = Level { place: root, above: Vec::new() };
    while let Some((id, outer)) = joinable(&level.place, held) {
        if !mode.fits_under(outer) {
            return Err(LockError::Deadlock {
                path: path.to_path_buf(),
                reason: format!("it is held shared by {}", whose(&level.place, id)),
                hint: "take the outer lock exclusively, or do not write inside it",
            });
        }
        let Some(ledger) = &level.place.ledger else { break };
        let inner = level.place.inner(ledger, &inner_name(id))?;
        let outer_place = std::mem::replace(&mut level.place, inner);
        level.above.push((outer_place, held_name(id, outer)));
    }
    Ok(level)
}

fn whose(place: &LockDir, id: ClaimId) -> String {
    let held = place.ledger.as_ref().and_then(|ledger| find_live(&ledger.held, id));
    match held.is_some_and(|(_, seen)| seen.record().lease) {
        true => "the dbguard acquire that this command joined".to_owned(),
        false => format!("this command's own ancestor (pid {})", id.pid),
    }
}

fn joinable(place: &LockDir, held: &HeldList) -> Option<(ClaimId, Mode)> {
    let ledger = place.ledger.as_ref()?;
    held.entries.iter().rev().find_map(|entry| {
        let id = ClaimId::parse(&entry.id)?;
        find_live(&ledger.held, id).map(|(mode, _)| (id, mode))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{HeldList, Under};

    #[test]
    fn a_list_is_read_back() {
        let mut list = HeldList::default();
        list.push(Under { id: "12.00000000000000ab".into(), at: "/a b/%c\n".into() });
        list.push(Under { id: "13.00000000000000ac".into(), at: "/d".into() });
        let (read, refused) = HeldList::parse(&list.to_string());
        assert_eq!((read, refused), (list, 0));
    }

    #[test]
    fn forged_entries_are_counted_and_dropped() {
        let (list, refused) = HeldList::parse("x 1.2@/a 12.00000000000000ab /etc/passwd@1");
        assert_eq!((list.entries().len(), refused), (0, 4));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC*") {
            let _list = HeldList::parse(&text);
        }
    }
}
