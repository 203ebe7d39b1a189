//! Command lines and what they mean.

use std::ffi::OsString;
use std::time::Duration;

use crate::cli::duration::Timeout;
use crate::cli::exec_args::{ExecRequest, Keeping, Program, Run, Start, Work};
use crate::cli::lock_args::{Mode, Native};
use crate::cli::output_args::{Format, Output, OutputArgs, Verbosity};
use crate::cli::path_args::Creation;
use crate::cli::settings::{LogLevel, Settings};
use crate::cli::{Refusal, Request, VERBS, command, parse};
use crate::error::Failure;
use crate::outcome::Outcome;

/// Splits a line as a shell would, as far as the lines here need it.
fn shell_words(line: &str) -> Vec<OsString> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, false);
    for letter in line.chars() {
        match letter {
            '\'' => {
                quote = !quote;
                word.get_or_insert_default();
            }
            ' ' if !quote => words.extend(word.take().map(OsString::from)),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word.map(OsString::from));
    words
}

fn request(line: &str) -> (Request, OutputArgs) {
    parse(shell_words(line)).unwrap_or_else(|refusal| panic!("{line}: {refusal:?}"))
}

fn exec(line: &str) -> ExecRequest {
    match request(&format!("exec {line}")).0 {
        Request::Exec(exec) => exec.resolve(&Settings::default()),
        other => panic!("{line}: {other:?}"),
    }
}

fn run(line: &str) -> Run {
    match exec(line).work {
        Work::Run(run) => *run,
        other => panic!("{line}: {other:?}"),
    }
}

fn failure(line: &str) -> Failure {
    match parse(shell_words(line)) {
        Err(Refusal::Fail(failure)) => failure,
        other => panic!("{line}: {other:?}"),
    }
}

fn shown(line: &str) -> String {
    match parse(shell_words(line)) {
        Err(Refusal::Show { text }) => text,
        other => panic!("{line}: {other:?}"),
    }
}

fn words(words: &[&str]) -> Program {
    Program::Words(words.iter().map(OsString::from).collect())
}

fn seconds(seconds: f64) -> Timeout {
    Timeout::After(Duration::from_secs_f64(seconds))
}

#[test]
fn the_grammar_has_no_defects() {
    command().debug_assert();
    let verbs: Vec<_> =
        command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    assert_eq!(verbs, VERBS);
}

#[test]
fn the_short_options_of_flock_mean_what_they_mean_there() {
    let lock = |line| exec(&format!("{line} a.db -- x")).lock;
    assert_eq!(lock("").mode, Mode::Exclusive);
    assert_eq!(lock("-s").mode, Mode::Shared);
    assert_eq!(lock("-x").mode, Mode::Exclusive);
    assert_eq!(lock("-s -e").mode, Mode::Exclusive);
    assert_eq!(lock("-x -s").mode, Mode::Shared);
    assert_eq!(lock("-s -x -s").mode, Mode::Shared);
    assert_eq!(lock("-n").timeout, Timeout::NONBLOCK);
    assert_eq!(lock("--nb").timeout, Timeout::NONBLOCK);
    assert_eq!(lock("-n -w 5").timeout, Timeout::NONBLOCK);
    assert_eq!(lock("-w 5 -n").timeout, Timeout::NONBLOCK);
    assert_eq!(lock("-w 0").timeout, Timeout::NONBLOCK);
    assert_eq!(lock("-w 0.5").timeout, seconds(0.5));
    assert_eq!(lock("--wait .5").timeout, seconds(0.5));
    assert_eq!(lock("-w 1 -w2").timeout, seconds(2.0));
    assert_eq!(lock("-w inf").timeout, Timeout::Never);
    assert_eq!(lock("-E 1").conflict_exit_code, Some(1));
    assert_eq!(lock("-nE0").exit_code(Outcome::WouldBlock), 0);
    assert_eq!(lock("-nE0").exit_code(Outcome::Deadlock), 79);
    assert_eq!(run("-o a.db -- x").keeping, Keeping::Dbguard);
    assert_eq!(run("-F a.db -- x").start, Start::Replace);
    assert_eq!(run("a.db -c 'echo  $0; x'").program, Program::Shell("echo  $0; x".into()));
    assert_eq!(exec("--fd 9 a.db").work, Work::LockDescriptor(9));
    assert_eq!(exec("-u --fd 9 a.db").work, Work::UnlockDescriptor(9));
}

#[test]
fn the_words_after_the_dashes_are_the_commands_own() {
    let request = exec("-s a.db b.db -- x -s --help -- -c");
    assert_eq!(request.files, ["a.db", "b.db"].map(std::path::PathBuf::from));
    assert_eq!(run("a.db -- x -s --help -- -c").program, words(&["x", "-s", "--help", "--", "-c"]));
    assert_eq!(run("a.db -- -x").program, words(&["-x"]));
    assert_eq!(exec("-c x a.db b.db").files.len(), 2);
}

#[test]
fn a_bare_exec_has_the_documented_defaults() {
    let (request, default) = (exec("a.db -- x"), Settings::default());
    assert_eq!(request.lock.timeout, seconds(30.0));
    assert_eq!(request.lock.native, Native::Wait);
    let run = run("a.db -- x");
    assert_eq!((run.start, run.keeping), (Start::Spawn, Keeping::Command));
    assert_eq!((run.max_hold, run.kill_after), (Timeout::Never, seconds(10.0)));
    assert_eq!((run.retry.limit, run.retry.delay), (0, default.retry_delay));
    assert!(run.retry.exit_codes.contains(5) && run.retry.exit_codes.contains(75));
}

#[test]
fn an_option_beats_its_variable_and_a_variable_the_default() {
    let settings = Settings {
        timeout: seconds(7.0),
        native: Native::Ignore,
        lock_dir: Some("/v".into()),
        max_hold: seconds(60.0),
        ..Settings::default()
    };
    let resolve = |line: &str| match request(&format!("exec {line} a.db -- x")).0 {
        Request::Exec(exec) => exec.resolve(&settings),
        other => panic!("{other:?}"),
    };
    let by_variable = resolve("");
    assert_eq!(by_variable.lock.timeout, seconds(7.0));
    assert_eq!(by_variable.lock.native, Native::Ignore);
    assert_eq!(by_variable.lock.lock_dir, Some("/v".into()));
    let by_option = resolve("-w 8 --native fail --lock-dir /o");
    assert_eq!(by_option.lock.timeout, seconds(8.0));
    assert_eq!(by_option.lock.native, Native::Fail);
    assert_eq!(by_option.lock.lock_dir, Some("/o".into()));
    assert_eq!(resolve("--lock-file l").lock.lock_dir, None);
    for (line, expected) in [("", seconds(60.0)), ("-F", Timeout::Never)] {
        match resolve(line).work {
            Work::Run(run) => assert_eq!(run.max_hold, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_line_without_dashes_is_told_what_to_type() {
    for (line, hint) in [
        ("exec a.db sqlite3 a.db 'select 1'", "exec a.db -- sqlite3 a.db 'select 1'"),
        ("exec a.db sqlite3 -readonly a.db", "exec a.db -- sqlite3 -readonly a.db"),
        ("exec -s -w 5 a.db ls --timeout 3", "exec -s -w 5 a.db -- ls --timeout 3"),
        ("exec a.db -w 5 ls -l", "exec -w 5 a.db -- ls -l"),
        ("exec a.db bash -c 'echo hi'", "exec a.db -- bash -c 'echo hi'"),
        ("exec a.db ls -w soon", "exec a.db -- ls -w soon"),
        ("exec a.db", "exec a.db -- COMMAND"),
        ("exec 'a b.db' --", "exec 'a b.db' -- COMMAND"),
        ("a.db", "exec a.db -- COMMAND"),
        ("./man.db ls -l", "exec ./man.db -- ls -l"),
        ("a.db -- ls -l", "exec a.db -- ls -l"),
        ("a.db -c 'x y'", "exec -c 'x y' a.db"),
        ("lock a.db -- true", "exec a.db -- true"),
        ("flock a.db true", "exec a.db -- true"),
        ("run a.db b.db -- x", "exec a.db b.db -- x"),
        ("a.db b.db -- x", "exec a.db b.db -- x"),
        ("-q exec a.db ls", "exec -q a.db -- ls"),
        ("-w 5 exec a.db -- ls", "exec -w 5 a.db -- ls"),
        ("wait a.db -- ./migrate.sh", "exec a.db -- ./migrate.sh"),
        ("-q wait -n a.db b.db -- x 'y z'", "exec -q -n a.db b.db -- x 'y z'"),
        ("wait -n -- -a.db", "wait -n ./-a.db"),
        ("path -- a.db", "path a.db"),
        ("path --no-create a.db -- x", "exec a.db -- x"),
        ("exec", "exec FILE -- COMMAND"),
        ("exec -n -- true", "exec -n FILE -- true"),
        ("exec -c ./x", "exec -c ./x FILE"),
        ("exec -w 0.5 -- true", "exec -w 0.5 FILE -- true"),
        ("exec -s -- a.db true", "exec -s a.db -- true"),
        ("-n a.db ls", "exec -n a.db -- ls"),
    ] {
        let failure = failure(line);
        assert_eq!(failure.outcome, Outcome::Usage, "{line}");
        assert_eq!(failure.hint, Some(format!("type: dbguard {hint}")), "{line}: {failure}");
    }
    assert_eq!(failure("exec a.db ls").message, "no command: `--` is missing");
    assert_eq!(failure("exec a.db").message, "no command was given");
    assert_eq!(failure("a.db ls").message, "the verb is missing before `a.db`");
    assert!(failure("exec 9").hint.is_some_and(|hint| hint.ends_with("exec --fd 9 FILE")));
}

#[test]
fn a_near_miss_is_told_the_word() {
    for (line, word) in [
        ("exce a.db -- x", "exec"),
        ("exec --shraed a.db -- x", "--shared"),
        ("exec --native wiat a.db -- x", "wait"),
        ("completons", "completions"),
    ] {
        assert_eq!(failure(line).hint, Some(format!("did you mean `{word}`?")), "{line}");
    }
    assert_eq!(failure("exce a.db -- x").message, "there is no verb `exce`");
}

#[test]
fn what_is_wrong_is_said_without_notation() {
    for (line, message, hint) in [
        (
            "path --lock-file l a.db",
            "`path` has no option `--lock-file`",
            "see dbguard path --help",
        ),
        ("path a.db b.db", "`path` takes one FILE", "run dbguard once for each file"),
        ("-q path -s a.db", "`path` has no option `-s`", "see dbguard path --help"),
        ("wait -F a.db", "`wait` has no option `-F`", "see dbguard wait --help"),
        ("-s path a.db", "options stand after the verb `path`", "see dbguard path --help"),
        ("EXEC a.db -- x", "there is no verb `EXEC`", "did you mean `exec`?"),
        ("version", "there is no verb `version`", "did you mean `--version`?"),
        (
            "frobnicate a.db",
            "there is no verb `frobnicate`",
            "the verbs are exec, sql, info, fix, test, watch, stats, wait, acquire, release, unlock, update, path, completions, man",
        ),
        (
            "help nope",
            "there is no verb `nope`",
            "the verbs are exec, sql, info, fix, test, watch, stats, wait, acquire, release, unlock, update, path, completions, man",
        ),
        ("exec '' -- x", "an empty word was given for FILE", "see dbguard exec --help"),
        (
            "exec -c y a.db -- x",
            "the command was given twice",
            "give the command once, after `--` or with -c",
        ),
        (
            "exec --retry-exit 5 a.db -- x",
            "`--retry-exit` needs `--retry N`",
            "see dbguard exec --help",
        ),
        (
            "exec --retry x a.db -- x",
            "bad value `x` for `--retry`: expected a whole number, such as `5`",
            "see dbguard exec --help",
        ),
        (
            "exec -dash.db -- x",
            "`exec` has no option `-d`",
            "to name the file -dash.db, type: ./-dash.db",
        ),
        (
            "exec -k a.db -- x",
            "no FILE was given",
            "-k took a.db as its value; type: dbguard exec -k VALUE a.db -- x",
        ),
    ] {
        let failure = failure(line);
        assert_eq!(failure.message, message, "{line}");
        assert_eq!(failure.hint.as_deref(), Some(hint), "{line}");
    }
}

#[test]
fn only_what_flock_repeats_may_be_repeated() {
    for option in ["-w 1", "-E 1", "-s", "-x", "-n", "--color never", "--native fail", "-q", "-v"] {
        request(&format!("exec {option} {option} a.db -- x"));
        request(&format!("wait {option} {option} a.db"));
    }
    for option in ["--lock-dir d", "--lock-file l", "--label t", "--max-waiters 1", "-k a"] {
        let name = option.split(' ').next().unwrap_or_default();
        for verb in ["exec", "wait"] {
            let message = failure(&format!("{verb} {option} {option} a.db")).message;
            assert_eq!(message, format!("`{name}` was given twice"), "{verb}");
        }
    }
    for option in ["-c x", "--fd 9", "--max-hold 5", "--status-file f", "--retry 1", "-o", "-F"] {
        let name = option.split(' ').next().unwrap_or_default();
        let message = failure(&format!("exec {option} {option} a.db")).message;
        assert_eq!(message, format!("`{name}` was given twice"));
    }
    assert_eq!(failure("path -k a --key b a.db").message, "`--key` was given twice");
}

#[test]
fn a_label_fits_into_a_line() {
    let line = |length| format!("exec --label {} a.db -- x", "l".repeat(length));
    request(&line(100));
    assert!(failure(&line(101)).message.ends_with("longer than 100 characters"));
}

/// Lines that must be refused.
const NONSENSE: &[&str] = &[
    "",
    "exec",
    "exec -- x",
    "exec '' -- x",
    "exec -E 256 a.db -- x",
    "exec -E -1 a.db -- x",
    "exec -E one a.db -- x",
    "exec -w -1 a.db -- x",
    "exec -w '' a.db -- x",
    "exec -w 5x a.db -- x",
    "exec -k '' a.db -- x",
    "exec --max-hold 0 a.db -- x",
    "exec --retry 1 --retry-exit 0 a.db -- x",
    "exec --retry-exit 5 a.db -- x",
    "exec -c y a.db -- x",
    "exec -F -o a.db -- x",
    "exec -F --max-hold 5 a.db -- x",
    "exec -F --kill-after 5 a.db -- x",
    "exec -F --retry 5 a.db -- x",
    "exec -F --retry-exit 5 a.db -- x",
    "exec --fd 9 --retry-exit 5 a.db",
    "exec -F --hold-descendants a.db -- x",
    "exec -F --status-file f a.db -- x",
    "exec -o --hold-descendants a.db -- x",
    "exec --lock-file l --lock-dir d a.db -- x",
    "exec --lock-file l a.db b.db -- x",
    "wait --lock-file l a.db b.db",
    "exec --fd 9 -k t a.db",
    "exec -u --fd 9 -k t a.db",
    "exec --fd 9 a.db -- x",
    "exec --fd 9 a.db b.db",
    "exec --fd 9 -F a.db",
    "exec --fd 9 -c x a.db",
    "exec --fd -1 a.db",
    "exec -u a.db -- x",
    "wait",
    "path",
    "path a.db b.db",
    "completions",
    "completions tcsh",
    "man unknown",
    "--frob",
    "exec a.db --frob",
];

#[test]
fn what_makes_no_sense_is_a_usage_error_in_one_plain_line() {
    for line in NONSENSE {
        let failure = failure(line);
        assert_eq!(failure.outcome, Outcome::Usage, "{line}");
        assert!(failure.hint.is_some(), "{line}");
        let message = failure.message;
        assert!(!message.contains('\n') && !message.ends_with('.'), "{line}: {message}");
        assert!(!message.starts_with(char::is_uppercase), "{line}: {message}");
    }
}

#[test]
fn what_a_message_repeats_cannot_command_the_terminal() {
    for line in [
        "exec --\u{1b}[2J a.db -- x",
        "\u{202e}x",
        "exec --\u{200b}x a.db -- x",
        "exec a\u{202e} x",
        "\u{1b}[2J",
        "exec a\u{1b}.db x",
        "exec -w \u{7} a -- x",
    ] {
        let failure = failure(line);
        let text = format!("{} {:?}", failure.message, failure.hint);
        assert_eq!(crate::escape::escaped(&text), text);
    }
}

#[test]
fn words_that_are_not_utf_8_pass_through() {
    let odd = crate::odd_name(b"\xffa");
    let line = ["exec".into(), odd.clone(), "--".into(), "x".into(), odd.clone()];
    let Ok((Request::Exec(exec), _)) = parse(line.to_vec()) else { panic!("refused") };
    assert_eq!(exec.command[1], odd);
    assert!(parse(vec![odd.clone()]).is_err());
    assert!(parse(vec!["exec".into(), "-w".into(), odd]).is_err());
}

#[test]
fn how_dbguard_talks_can_be_said_before_and_after_the_verb() {
    let output = |line: &str| request(line).1.resolve(&Settings::default());
    let Output { format, verbosity, log_level, .. } = output("--json wait -v a.db");
    assert_eq!((format, verbosity, log_level), (Format::Json, Verbosity::Verbose, LogLevel::Off));
    assert_eq!(output("path --json a.db").format, Format::Json);
    assert_eq!(output("exec -vv a.db -- x -q").log_level, LogLevel::Debug);
    assert_eq!(output("exec -v -q a.db -- x").verbosity, Verbosity::Quiet);
    assert_eq!(output("exec -q --verbose a.db -- x").verbosity, Verbosity::Verbose);
    assert_eq!(request("-q exec a.db -- exec").0, request("exec -q a.db -- exec").0);
}

#[test]
fn a_path_is_made_unless_it_is_not_wanted() {
    let path = |line: &str| match request(line).0 {
        Request::Path(path) => path.resolve(&Settings::default()),
        other => panic!("{other:?}"),
    };
    assert_eq!(path("path a.db").creation, Creation::IfMissing);
    let request = path("path --no-create -k t --lock-dir d a.db");
    assert_eq!((request.creation, request.key.as_deref()), (Creation::Never, Some("t")));
    assert_eq!((request.lock_dir, request.file), (Some("d".into()), "a.db".into()));
}

#[test]
fn help_and_version_are_shown() {
    assert_eq!(shown("--version"), concat!("dbguard ", env!("CARGO_PKG_VERSION"), "\n"));
    for line in ["-h", "--help", "help", "help exec", "exec -h", "exec --help", "man --help"] {
        assert!(shown(line).contains("Usage: dbguard"), "{line}");
    }
    let help = shown("exec --help");
    for part in ["Exit status:", "DBGUARD_FENCE", "DBGUARD_TIMEOUT", "Differences from flock(1):"] {
        assert!(help.contains(part), "{part}");
    }
    assert_eq!(shown("exec a.db --help"), help);
}

#[test]
fn every_example_of_the_manual_is_understood() {
    let mut examples = 0;
    for verb in command().get_subcommands() {
        let text = verb.get_long_about().map(ToString::to_string).unwrap_or_default();
        for line in text.lines().filter_map(|line| line.strip_prefix("  dbguard ")) {
            let line = line.split([';', '|', '>']).next().unwrap_or_default();
            let is_cut_quote = line.matches('\'').count() % 2 == 1;
            if !is_cut_quote {
                request(line.trim_end());
                examples += 1;
            }
        }
    }
    assert!(examples > 12, "only {examples} examples were found");
}
