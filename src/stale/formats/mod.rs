//! The catalogue: one file a format.
//!
//! The facts are of each tool's own source, named in its file; a format known only from
//! descriptions is reported and never acted on.
//!
//! Left out is what its tool clears or passes over by itself, so that a report would be noise: the
//! locks of Firefox, MongoDB, MySQL, HSQLDB, H2, Derby and Lucene. Those of Access are called like
//! data files of LevelDB.

mod chrome;
mod dotlockfile;
mod dotlockfile_age;
mod emacs;
mod filelock;
mod git_gc;
mod git_lock;
mod git_lock_pid;
mod libreoffice;
mod mercurial;
mod msoffice;
mod npm_lockfile;
mod pid_file;
mod postgres;
mod procmail;
mod proper_lockfile;
mod pylockfile_link;
mod pylockfile_mkdir;
mod qt_lockfile;
mod terraform;
mod vim_swap;

use super::{Format, Kind};
use std::path::Path;

/// Every format, the more particular before the more general: the first that knows a file reads it.
pub const ALL: &[&Format] = &[
    // Names that one tool alone gives.
    &chrome::FORMAT,
    &emacs::FORMAT,
    &git_gc::FORMAT,
    &git_lock_pid::FORMAT,
    &git_lock::FORMAT,
    &libreoffice::FORMAT,
    &mercurial::FORMAT,
    &msoffice::FORMAT,
    &postgres::FORMAT,
    &terraform::FORMAT,
    &vim_swap::FORMAT,
    // `X.lock`, told apart by what it contains.
    &pylockfile_link::FORMAT,
    &pylockfile_mkdir::FORMAT,
    &qt_lockfile::FORMAT,
    &filelock::FORMAT,
    &dotlockfile::FORMAT,
    &dotlockfile_age::FORMAT,
    &procmail::FORMAT,
    &proper_lockfile::FORMAT,
    &npm_lockfile::FORMAT,
    &pid_file::FORMAT,
];

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

/// Returns the name of a machine as tools write it.
fn host(text: &str) -> Option<String> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then(|| text.to_owned())
}

/// Returns what needs no quotes in a command and cannot be taken for an option.
fn word(text: &str) -> Option<&str> {
    let is_plain = |byte: u8| {
        let separates = std::path::is_separator(char::from(byte));
        separates || byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte)
    };
    let is_word = !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_plain);
    is_word.then_some(text)
}

/// Returns the same for a path.
fn path_word(path: &Path) -> Option<&str> {
    path.to_str().and_then(word)
}

/// Returns the part of a path that is below a directory of a git repository: one that is called
/// `.git`, or `NAME.git` without a working tree. Of nested ones the innermost counts.
fn below_git(path: &Path) -> Option<&Path> {
    let parent = path.parent()?;
    let git = parent.ancestors().find(|directory| {
        let name = directory.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.ends_with(".git"))
    })?;
    path.strip_prefix(git).ok()
}

/// Whether a name ends like this and has something before it.
fn ends(name: &str, end: &str) -> bool {
    name.len() > end.len() && name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Neighbour, Rule, Sighting, Statement, never_touched};
    use super::{ALL, below_git, find, named, path_word, pid, word};
    use proptest::prelude::{any, proptest};
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    /// Returns a file as a format sees it.
    pub fn file(name: &str, content: impl AsRef<[u8]>) -> Sighting {
        let content = content.as_ref().to_vec();
        let path = PathBuf::from("/d").join(name);
        Sighting { path, bytes: content.len() as u64, content, links: 1, ..Sighting::default() }
    }

    /// Returns a link as a format sees it.
    pub fn link(name: &str, target: &str) -> Sighting {
        Sighting { kind: Kind::Link, ..file(name, target) }
    }

    /// Returns a directory as a format sees it.
    pub fn directory(name: &str, entries: &[&str]) -> Sighting {
        let entries = entries.iter().map(|entry| (*entry).to_owned()).collect();
        Sighting { kind: Kind::Directory, entries, ..file(name, "") }
    }

    /// Returns the formats that a sighting is of, the first of which reads it.
    fn readers(seen: &Sighting) -> Vec<&'static str> {
        find(seen.name(), seen.kind)
            .filter(|format| (format.read)(seen) != Statement::Foreign)
            .map(|format| format.name)
            .collect()
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

    #[test]
    fn a_word_of_a_command_needs_no_quotes_and_is_no_option() {
        for text in ["a9b4fad3-144c", "/var/lib/postgresql/15/main", "root@attic"] {
            assert_eq!(word(text), Some(text));
        }
        for text in ["", "-rf", "a b", "a;b", "$(x)", "a`b`", "a\nb", "~", "*"] {
            assert_eq!(word(text), None, "{text}");
        }
        assert_eq!(path_word(Path::new("/d/a b")), None);
    }

    #[test]
    fn the_innermost_repository_counts() {
        for (path, below) in [
            ("/r/.git/index.lock", Some("index.lock")),
            ("/srv/r.git/refs/heads/x.lock", Some("refs/heads/x.lock")),
            ("/srv/a.git/modules/b.git/index.lock", Some("index.lock")),
            ("/r/index.lock", None),
            ("/r/x.git", None),
        ] {
            assert_eq!(below_git(Path::new(path)), below.map(Path::new), "{path}");
        }
    }

    /// One of each, as its tool leaves it.
    fn leftovers() -> Vec<(&'static str, Sighting)> {
        let same = Neighbour { name: "vm.4711-93".into(), is_same: true, ..Neighbour::default() };
        vec![
            ("chrome", link("SingletonLock", "vm-4711")),
            ("dotlockfile", file("a.lock", "4711\n")),
            ("dotlockfile-age", file("a.lock", "0\n")),
            ("emacs", link(".#app.log", "root@vm.4711")),
            ("filelock", file("a.lock", "4711\nvm\n")),
            ("git-gc", file(".git/gc.pid", "4711 vm")),
            ("git-lock", file(".git/index.lock", "DIRC\0\0\0\x02")),
            ("git-lock-pid", file(".git/index~pid.lock", "pid 4711\n")),
            ("libreoffice", file(".~lock.a.odt#", ",root,vm,20.11.2026 19:56,file:///r;")),
            ("mercurial", link(".hg/wlock", "vm/effffffc:4711")),
            ("msoffice", file("~$a.docx", [&b"\x04root"[..], &[0; 157]].concat())),
            ("npm-lockfile", file("a.lock", "")),
            ("pid-file", file("a.pid", "4711\n")),
            ("postgres", file("postmaster.pid", "4711\n/d\n")),
            ("procmail-lockfile", file("a.lock", "0")),
            ("proper-lockfile", directory("a.lock", &[])),
            ("pylockfile-link", Sighting { links: 2, beside: vec![same], ..file("a.lock", "") }),
            ("pylockfile-mkdir", directory("a.lock", &["vm.4711"])),
            ("qt-lockfile", file("a.lock", "4711\napp\nvm\n\n\n")),
            ("terraform", file(".terraform.tfstate.lock.info", r#"{"ID":"a9b4"}"#)),
            ("vim-swap", file(".a.swp", "b0VIM 9.0")),
        ]
    }

    #[test]
    fn each_leftover_is_of_one_format_and_may_be_removed_if_its_format_says_so() {
        let leftovers = leftovers();
        let names: Vec<_> = leftovers.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), ALL.len());
        for (name, seen) in leftovers {
            assert_eq!(readers(&seen), [name]);
            let is_removed = named(name).is_some_and(|format| format.rule != Rule::Report);
            let why_not = never_touched(&seen.path);
            assert!(!is_removed || why_not.is_none(), "{name}: {why_not:?}");
        }
    }

    #[test]
    fn nothing_unknown_is_of_any_format() {
        for content in ["{}\n", "a\n", "4711 vm extra\n", "4711:vm\n", "0x10\n", "\0", "[core]\n"] {
            for name in ["a.lock", "lock", "wlock", "gc.pid", ".a.swp", "SingletonLock", "~$a"] {
                assert!(readers(&file(name, content)).is_empty(), "{name} {content:?}");
            }
        }
        for name in ["a.lock", "b", ".git/index.lock"] {
            assert!(readers(&link(name, "a.lock")).is_empty(), "{name}");
            assert!(readers(&directory(name, &["a", "b"])).is_empty(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_content_panics_and_only_owners_are_read_by_the_rule_of_owners(
            name in "[.~#a-zA-Z0-9_-]{0,12}(\\.lock|\\.pid|\\.swp)?",
            content in proptest::collection::vec(any::<u8>(), 0..128),
            line in "(pid |b0VIM |ref: )?[-/:@. \\n0-9a-f]{0,40}\\n?",
            is_text in any::<bool>(),
            links in 1_u64..4,
        ) {
            let content = if is_text { line.clone().into_bytes() } else { content };
            for kind in [Kind::File, Kind::Directory, Kind::Link] {
                let entries = vec![line.clone()];
                let same = Neighbour { name: line.clone(), is_same: true, ..Neighbour::default() };
                let beside = vec![same];
                let seen = Sighting { kind, links, entries, beside, ..file(&name, &content) };
                for format in ALL {
                    let said = (format.read)(&seen);
                    let names_owner = !said.owners().is_empty();
                    assert!(!names_owner || format.rule == Rule::Owner, "{} {said:?}", format.name);
                }
            }
        }
    }
}
