//! The command lines that scripts run most, read without building a grammar.
//!
//! Building even one verb's grammar costs about 130 microseconds in a fresh process, most of
//! it the first touch of pages; that is more than an uncontended lock. This reader knows the
//! common options of `exec` and `sql` and gives up on everything else, so that only the grammar
//! ever refuses or explains. A test holds that the two agree on whatever this one accepts.

use std::ffi::{OsStr, OsString};

use crate::cli::exec_args::ExecArgs;
use crate::cli::lock_args::LockArgs;
use crate::cli::output_args::OutputArgs;
use crate::cli::sql_args::SqlArgs;

/// Reads the words after `exec`; returns `None` where the grammar must decide.
pub fn exec(arguments: &[OsString]) -> Option<(ExecArgs, OutputArgs)> {
    let mut exec = ExecArgs::default();
    let mut output = OutputArgs::default();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            exec.command = words.as_slice().to_vec();
            break;
        }
        if word.as_encoded_bytes().starts_with(b"-") {
            option(word.to_str()?, &mut words, &mut exec, &mut output)?;
        } else if word.is_empty() {
            return None;
        } else {
            exec.files.push(word.into());
        }
    }
    let has_command = !exec.command.is_empty();
    let says_what_to_run = has_command != exec.run.shell_command.is_some();
    let is_consistent = !(exec.run.no_fork && exec.run.close);
    (says_what_to_run && is_consistent && !exec.files.is_empty()).then_some((exec, output))
}

fn option<'a>(
    word: &str,
    words: &mut impl Iterator<Item = &'a OsString>,
    exec: &mut ExecArgs,
    output: &mut OutputArgs,
) -> Option<()> {
    let run = &mut exec.run;
    match word {
        "-c" | "--command" => once(&mut run.shell_command, Some(value(words)?.to_owned()))?,
        "-F" | "--no-fork" => once(&mut run.no_fork, true)?,
        "-o" | "--close" => once(&mut run.close, true)?,
        _ => common_option(word, words, &mut exec.lock, output)?,
    }
    Some(())
}

/// Reads the words after `sql`; returns `None` where the grammar must decide.
pub fn sql(arguments: &[OsString]) -> Option<(SqlArgs, OutputArgs)> {
    let mut sql = SqlArgs::default();
    let mut output = OutputArgs::default();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let word = word.to_str().filter(|word| !word.is_empty())?;
        if word == "--no-header" {
            once(&mut sql.results.no_header, true)?;
        } else if word.starts_with('-') {
            common_option(word, &mut words, &mut sql.lock, &mut output)?;
        } else if sql.file.as_os_str().is_empty() {
            sql.file = word.into();
        } else {
            sql.words.push(word.to_owned());
        }
    }
    (!sql.file.as_os_str().is_empty()).then_some((sql, output))
}

fn common_option<'a>(
    word: &str,
    words: &mut impl Iterator<Item = &'a OsString>,
    lock: &mut LockArgs,
    output: &mut OutputArgs,
) -> Option<()> {
    match word {
        "-s" | "--shared" => (lock.shared, lock.exclusive) = (true, false),
        "-x" | "--exclusive" => (lock.shared, lock.exclusive) = (false, true),
        "-n" | "--nonblock" => lock.nonblock = true,
        "-w" | "--timeout" => lock.timeout = Some(value(words)?.to_str()?.parse().ok()?),
        "-k" | "--key" => once(&mut lock.key, Some(value(words)?.to_str()?.to_owned()))?,
        "-E" | "--conflict-exit-code" => {
            lock.conflict_exit_code = Some(value(words)?.to_str()?.parse().ok()?);
        }
        "--json" => once(&mut output.json, true)?,
        "-q" | "--quiet" => output.quiet = true,
        _ => return None,
    }
    Some(())
}

/// Sets what may be said once; a repetition is for the grammar to refuse.
fn once<T: Default + PartialEq>(slot: &mut T, value: T) -> Option<()> {
    if *slot != T::default() {
        return None;
    }
    *slot = value;
    Some(())
}

/// Returns the next word if it is beyond doubt a value.
fn value<'a>(words: &mut impl Iterator<Item = &'a OsString>) -> Option<&'a OsStr> {
    let word = words.next()?;
    let is_plain = !word.is_empty() && !word.as_encoded_bytes().starts_with(b"-");
    is_plain.then_some(word)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use proptest::collection::vec;
    use proptest::prelude::{Strategy, prop_assert_eq, proptest};
    use proptest::sample::select;

    use super::{exec, sql};
    use crate::cli::{Request, parse_any};

    const WORDS: &[&str] = &[
        "a.db",
        "b.db",
        "",
        "-",
        "--",
        "--",
        "ls",
        "-s",
        "-x",
        "-e",
        "-n",
        "-sx",
        "-w",
        "-w5",
        "5",
        "+5",
        "0.5",
        "soon",
        "-1",
        "--timeout",
        "--timeout=3",
        "-k",
        "key",
        "-E",
        "256",
        "-c",
        "-F",
        "-o",
        "--json",
        "-q",
        "-v",
        "--color",
        "never",
        "--fd",
        "--help",
        "--shared",
        "select 1",
        "--no-header",
        "--format",
    ];

    fn line() -> impl Strategy<Value = Vec<OsString>> {
        let words = |most| vec(select(WORDS), 0..most);
        (words(6), words(4)).prop_map(|(before, after)| {
            ["exec", "a.db"]
                .into_iter()
                .chain(before)
                .chain(["--", "ls"])
                .chain(after)
                .map(OsString::from)
                .collect()
        })
    }

    fn agree(line: &[OsString]) {
        if let Some((quick, output)) = exec(&line[1..]) {
            let whole = parse_any(line).map_err(|error| error.to_string());
            assert_eq!(whole, Ok((Request::Exec(Box::new(quick)), output)), "{line:?}");
        }
    }

    fn agree_on_sql(line: &[OsString]) {
        if let Some((quick, output)) = sql(&line[1..]) {
            let whole = parse_any(line).map_err(|error| error.to_string());
            assert_eq!(whole, Ok((Request::Sql(Box::new(quick)), output)), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn sql_is_read_alike(words in vec(select(WORDS), 0..6)) {
            let line: Vec<_> = ["sql"].into_iter().chain(words).map(OsString::from).collect();
            agree_on_sql(&line);
        }

        #[test]
        fn what_is_read_here_is_what_the_grammar_reads(line in line()) {
            agree(&line);
        }

        #[test]
        fn any_words_in_any_order_are_read_alike(words in vec(select(WORDS), 0..6)) {
            let line: Vec<_> = ["exec"].into_iter().chain(words).map(OsString::from).collect();
            agree(&line);
            prop_assert_eq!(exec(&[]), None);
        }
    }

    #[test]
    fn what_may_be_said_once_is_not_read_twice() {
        for twice in ["-k a -k b", "-c x --command y", "-F -F", "-o -o", "--json --json"] {
            let words: Vec<_> = twice.split(' ').chain(["a.db"]).map(OsString::from).collect();
            assert!(exec(&words).is_none(), "{twice}");
            let line: Vec<_> = [OsString::from("exec")].into_iter().chain(words).collect();
            assert!(parse_any(&line).is_err(), "{twice}");
        }
    }

    #[test]
    fn the_common_lines_are_read_here() {
        for line in [
            "a.db -- ls -l",
            "-s a.db -- ls",
            "-n -E 1 a.db b.db -- ls",
            "-w 0.5 -k tenant -q a.db -- ls --help",
            "-F a.db -- ls",
            "a.db -c ls",
        ] {
            let words: Vec<_> = line.split(' ').map(OsString::from).collect();
            assert!(exec(&words).is_some(), "{line}");
        }
    }
}
