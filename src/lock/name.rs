//! Any text as the name of a directory.

use std::ffi::OsStr;

use crate::platform::names::folded;

/// Longer names are cut and get a hash; the limit of common file systems is 255 bytes.
const LONGEST_BYTES: usize = 100;

/// What stays of a longer name, before the hash.
const KEPT_BYTES: usize = 60;

/// Returns a directory name for `text`: lower-case letters, digits, `_`, `-` and inner dots as
/// they are, everything else percent-encoded, so that no text can leave the directory and none
/// meets another one on a file system that ignores case.
pub fn encode(text: &[u8]) -> String {
    let mut name = String::with_capacity(text.len());
    for (place, byte) in text.iter().enumerate() {
        let inner = place != 0 && place + 1 != text.len();
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(*byte)),
            b'.' if inner => name.push('.'),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.len() > LONGEST_BYTES {
        name.truncate(KEPT_BYTES);
        name.push_str(&format!("~{:016x}", hash(text)));
    }
    name
}

/// Returns the directory name for the lock of a file, the same for all names that are one to the
/// file system.
pub fn name_of(file: &OsStr) -> String {
    encode(folded(file).as_encoded_bytes())
}

/// Returns the text that [`encode`] was given, for people; a name that was cut stays as it is.
pub fn decode(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).filter(|_| *first == b'%');
        let byte = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// FNV-1a, 64 bits: stable for ever, and a collision would only exclude too much.
pub fn hash(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode, encode};

    #[test]
    fn ordinary_names_stay_readable() {
        assert_eq!(encode(b"analytics.db"), "analytics.db");
        assert_eq!(encode(b"Tenant 7"), "%54enant%207");
    }

    #[test]
    fn hostile_names_stay_inside() {
        assert_eq!(encode(b"../../x"), "%2E.%2F..%2Fx");
        assert_eq!(encode(b".."), "%2E%2E");
        assert_eq!(encode(b"."), "%2E");
        assert_eq!(encode(b"a/b\0c"), "a%2Fb%00c");
    }

    #[test]
    fn long_names_that_begin_alike_stay_apart() {
        let (one, two) = ([b'a'; 300], [b'a'; 301]);
        assert!(encode(&one).len() <= 100);
        assert_ne!(encode(&one), encode(&two));
    }

    proptest! {
        #[test]
        fn a_short_name_is_read_back(text in "[ -~]{1,20}") {
            prop_assert_eq!(decode(&encode(text.as_bytes())), text);
        }

        #[test]
        fn any_name_is_decoded_without_harm(name in "\\PC{0,60}") {
            let _text = decode(&name);
        }

        #[test]
        fn every_text_is_one_safe_component(text in proptest::collection::vec(any::<u8>(), 1..400)) {
            let name = encode(&text);
            prop_assert!(!name.contains('/') && !name.starts_with('.') && name.len() <= 100);
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()
                || byte.is_ascii_hexdigit() || byte == b'%'));
        }
    }
}
