//! Lock files of git: the new content of `index`, `HEAD`, `config`, `packed-refs`, `shallow` or a
//! ref, renamed to its name when it is complete (`lockfile.c`). No process is named in it, and git
//! never removes one that another process left.
//!
//! Empty until it is written. The new `packed-refs` is written to `packed-refs.new` instead while
//! the lock is held, which stops git just as well if it is left behind (`packed-backend.c`).
//!
//! Newer git can write the process number to `NAME~pid.lock` beside it. That is no proof: git
//! creates the lock first and goes on without a number if a file with one is there already, so that
//! a dead number can stand beside a lock that is held.

use super::super::{Format, Kind, Rule, Sighting, Statement};
use super::{below_git, ends};

/// The format.
pub const FORMAT: Format = Format {
    name: "git-lock",
    tool: "git",
    files: ".git/index.lock, HEAD.lock, config.lock, packed-refs.lock, shallow.lock, refs/**.lock",
    rule: Rule::Age,
    is_quiet: false,
    is_named: |name, kind| kind == Kind::File && (ends(name, ".lock") || name == PACKED_REFS_NEW),
    beside: None,
    read,
};

/// What is written under the lock of `packed-refs`.
const PACKED_REFS_NEW: &str = "packed-refs.new";

fn read(seen: &Sighting) -> Statement {
    if seen.kind != Kind::File || seen.links != 1 {
        return Statement::Foreign;
    }
    let Some(below) = below_git(&seen.path) else { return Statement::Foreign };
    let content = &seen.content[..];
    let fits = match seen.name() {
        "index.lock" => content.starts_with(b"DIRC"),
        "config.lock" => content.first().is_some_and(|byte| b"[#;\t\n ".contains(byte)),
        "packed-refs.lock" | PACKED_REFS_NEW => {
            content.starts_with(b"# pack-refs with:") || begins_with_id(content)
        }
        "HEAD.lock" => is_ref(content),
        "shallow.lock" => begins_with_id(content),
        name if below.starts_with("refs") && ends(name, ".lock") => is_ref(content),
        _ => return Statement::Foreign,
    };
    if fits || seen.bytes == 0 { Statement::Ageing(None) } else { Statement::Foreign }
}

/// Whether it is what a ref can contain: an object or the name of another ref.
fn is_ref(content: &[u8]) -> bool {
    let is_only_line =
        content.iter().position(|byte| *byte == b'\n') == Some(content.len().max(1) - 1);
    is_only_line && (content.starts_with(b"ref: refs/") || begins_with_id(content))
}

/// Whether the first line begins with the name of an object, of SHA-1 or SHA-256.
fn begins_with_id(content: &[u8]) -> bool {
    let digits = content.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    matches!(digits, 40 | 64) && content.get(digits).is_some_and(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Sighting, Statement};
    use super::super::tests::file;
    use super::read;

    const ID: &str = "a0564e16a8c8c7c25ff5fdc5abfb9cf4009d1e35";

    #[test]
    fn new_content_under_a_name_of_git_is_a_lock_without_an_owner() {
        let line = format!("{ID}\n");
        for (path, content) in [
            (".git/index.lock", "DIRC\0\0\0\x02\0\0\0\x01k\0\u{6}"),
            (".git/HEAD.lock", "ref: refs/heads/zzz\n"),
            (".git/HEAD.lock", &line),
            (".git/config.lock", "[core]\n\trepositoryformatversion = 0\n"),
            (".git/packed-refs.lock", ""),
            (".git/packed-refs.new", "# pack-refs with: peeled fully-peeled sorted \n"),
            (".git/shallow.lock", &line),
            (".git/refs/heads/topic/x.lock", &line),
            (".git/refs/remotes/origin/HEAD.lock", "ref: refs/remotes/origin/main\n"),
            (".git/refs/heads/x.lock", ""),
            (".git/index.lock", ""),
            (".git/worktrees/w/index.lock", ""),
            (".git/modules/m/index.lock", ""),
            ("srv/r.git/packed-refs.lock", ""),
        ] {
            assert_eq!(read(&file(path, content)), Statement::Ageing(None), "{path}");
        }
        let long = Sighting { bytes: 1 << 30, ..file(".git/index.lock", "DIRC") };
        assert_eq!(read(&long), Statement::Ageing(None));
    }

    #[test]
    fn other_places_names_and_contents_are_none_of_gits() {
        let line = format!("{ID}\n");
        for (path, content) in [
            ("index.lock", "DIRC"),
            (".git/x.lock", line.as_str()),
            (".git/x.lock", ""),
            (".git/lfs/x.lock", ""),
            (".git/index.lock", "4711\n"),
            (".git/config.lock", "4711\n"),
            (".git/HEAD.lock", "refs/heads/x\n"),
            (".git/refs/heads/x.lock", ID),
            (".git/refs/heads/x.lock", "0\n"),
            (".git/refs/heads/x.lock", "\n"),
            (".git/refs/heads/x.lock", &line.repeat(2)),
            (".git/shallow.lock", "4711\n"),
        ] {
            assert_eq!(read(&file(path, content)), Statement::Foreign, "{path}");
        }
        let twice = Sighting { links: 2, ..file(".git/index.lock", "") };
        assert_eq!(read(&twice), Statement::Foreign);
    }
}
