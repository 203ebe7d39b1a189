//! `SoftFileLock` of Python's filelock: the process number, the host, and since 4.x a token of the
//! start, a line each (`_soft.py`, `_identity.py`).
//!
//! On Linux the token is the boot id as a number, times 2^64, plus the start in ticks. Where its
//! upper part is not this boot's id nothing proves that it is made like that, so it is ignored.
//! `StrictSoftFileLock` writes a sentinel that says that nobody may break it, and later protocols
//! begin with `filelock/`.
//!
//! `FileLock`, the other kind, leaves an empty file that only the kernel's lock gives a meaning.

use super::super::{Format, Kind, Owner, Rule, Sighting, Statement};
use super::{ends, pid};

/// What stands between the host and the PID namespace, unless that is the machine's own.
const NAMESPACE_MARK: &str = "?pidns-";

/// The format.
pub const FORMAT: Format = Format {
    name: "filelock",
    tool: "Python filelock SoftFileLock",
    files: "*.lock",
    rule: Rule::Owner,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && ends(name, ".lock"),
    beside: None,
    read,
};

fn read(seen: &Sighting) -> Statement {
    if seen.kind != Kind::File || seen.links != 1 {
        return Statement::Foreign;
    }
    let Some(text) = seen.text() else { return Statement::Foreign };
    if text.starts_with("filelock/") {
        return Statement::Kept("a lease of filelock: it ends by itself".to_owned());
    }
    let lines: Vec<&str> = text.lines().collect();
    match lines[..] {
        ["1", mark, ..] if mark.starts_with("filelock-strict") => {
            Statement::Kept("filelock's strict kind is never to be broken".to_owned())
        }
        [number, host] if text.ends_with('\n') => owner(number, host, None),
        [number, host, token] if text.ends_with('\n') => owner(number, host, Some(token)),
        _ => Statement::Foreign,
    }
}

fn owner(number: &str, host: &str, token: Option<&str>) -> Statement {
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
    // Digits make a token; whether they tell anything is another question.
    let is_token = token.is_none_or(|token| token.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(pid) = pid(number).filter(|_| is_host && is_token) else {
        return Statement::Foreign;
    };
    let (host, namespace) = match host.split_once(NAMESPACE_MARK) {
        Some((host, number)) => match u64::from_str_radix(number, 16) {
            Ok(number) => (host, Some(number)),
            Err(_) => return Statement::Foreign,
        },
        None => (host, None),
    };
    let (boot, start) = token.and_then(divided).unzip();
    let host = Some(host.to_owned());
    Statement::Owner(Owner { pid, host, namespace, boot, start, ..Owner::default() })
}

/// Returns the boot and the start in a token, `None` if it is not made of them.
fn divided(token: &str) -> Option<(String, u64)> {
    let mut parts = [0_u64; 3];
    for digit in token.bytes().map(|byte| byte.wrapping_sub(b'0')) {
        let mut carry = u128::from(digit);
        for part in &mut parts {
            let product = u128::from(*part) * 10 + carry;
            // The low half, and what is above it.
            *part = u64::try_from(product & u128::from(u64::MAX)).ok()?;
            carry = product >> 64;
        }
        if carry != 0 {
            return None;
        }
    }
    let [start, low, high] = parts;
    // The kernel marks its random ids with version 4 and a variant; a clock is not made so.
    let is_random_id = high >> 12 & 0xf == 4 && low >> 62 == 2;
    let id = format!("{high:016x}{low:016x}");
    let boot = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-");
    is_random_id.then_some((boot, start))
}

#[cfg(test)]
mod tests {
    use super::super::super::{Owner, Sighting, Statement};
    use super::super::tests::file;
    use super::{divided, read};

    fn said(content: &str) -> Statement {
        read(&file("a.lock", content))
    }

    #[test]
    fn process_host_and_token_are_read() {
        let owner = Owner { pid: 5710, host: Some("attic".into()), ..Owner::default() };
        assert_eq!(said("5710\nattic\n"), Statement::Owner(owner.clone()));
        // 0x6f0e9a3c1b2d4e5f8a7b6c5d4e3f2a1b << 64 | 151_800.
        let token = "2723110720261877750181689621968287732465037542516951503096";
        let whole = Owner {
            boot: Some("6f0e9a3c-1b2d-4e5f-8a7b-6c5d4e3f2a1b".into()),
            start: Some(151_800),
            ..owner.clone()
        };
        assert_eq!(said(&format!("5710\nattic\n{token}\n")), Statement::Owner(whole));
        let bare = said("5710\nattic\n151800\n");
        assert_eq!(bare, Statement::Owner(owner.clone()), "a start without a boot tells nothing");
        let namespace = Owner { namespace: Some(0xf000_0001), ..owner };
        assert_eq!(said("5710\nattic?pidns-f0000001\n"), Statement::Owner(namespace));
    }

    #[test]
    fn what_says_that_it_is_not_to_be_broken_is_kept() {
        for content in ["1\nfilelock-strict-v1\0\n0\n", "filelock/2\nx\n", "filelock/released\n"] {
            assert!(matches!(said(content), Statement::Kept(_)), "{content}");
        }
    }

    #[test]
    fn anything_else_is_no_soft_lock() {
        for content in [
            "",
            "5710\n",
            "5710\nattic",
            "x\nattic\n",
            "5710\nat tic\n",
            "5710\nattic\n-3\n",
            "{}\n",
        ] {
            assert_eq!(said(content), Statement::Foreign, "{content}");
        }
        let twice = Sighting { links: 2, ..file("a.lock", "5710\nattic\n") };
        assert_eq!(read(&twice), Statement::Foreign);
        assert_eq!(divided(&"9".repeat(80)), None);
    }
}
