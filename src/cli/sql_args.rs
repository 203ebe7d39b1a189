//! What can be typed after `dbguard sql`, and what it amounts to.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum, ValueHint};

use crate::cli::duration::parse_finite;
use crate::cli::lock_args::{LockArgs, LockRequest, Mode};
use crate::cli::number;
use crate::cli::parameter::{Parameter, ParameterValue};
use crate::cli::settings::Settings;

/// Run SQL on a database under its lock
///
/// Runs the statements in SQL, or in PATH with -f, or on standard input, on the SQLite or DuckDB
/// database FILE. What only reads takes the lock shared and opens the file read-only; everything
/// else takes it alone. Both engines are inside dbguard: no sqlite3 and no duckdb is needed.
///
/// The statements are one transaction: all of them happen, or none. When the database is busy
/// because some program does not use dbguard, the whole batch is rolled back and tried again
/// until -w is over; a try that is repeated prints nothing.
///
/// Words after SQL are the values of its parameters ? or ?1, ?2, in DuckDB also $1, $2; -p gives
/// values to parameters with names, :name in SQLite, $name in DuckDB.
///
/// Examples:
///
///   dbguard sql app.db 'select count(*) from session'
///   dbguard sql app.db 'update counter set n = n + 1 returning n'
///   dbguard sql app.db 'insert into note values (?, ?)' 7 'it works'
///   dbguard sql app.db -p id=7 'delete from note where id = :id'
///   dbguard sql --if 'select version = 3 from app' app.db -f to-4.sql
///   dbguard sql --format csv --output sales.csv sales.duckdb 'from sales'
///   dbguard sql --create new.db 'create table t (a, b)'
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "dbguard sql [OPTIONS] FILE [SQL [VALUE]...]
       dbguard sql [OPTIONS] -f PATH FILE [VALUE]...")]
pub struct SqlArgs {
    /// The database: a SQLite or DuckDB file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,

    /// The statements, or - for standard input; then the values of their parameters
    #[arg(value_name = "SQL", allow_negative_numbers = true)]
    pub(super) words: Vec<String>,

    #[command(flatten)]
    batch: BatchArgs,

    #[command(flatten)]
    pub(super) results: ResultArgs,

    #[command(flatten)]
    pub(super) lock: LockArgs,
}

/// The options about the batch, as they were typed.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Batch options")]
struct BatchArgs {
    /// Read the statements from PATH
    #[arg(short = 'f', long = "file", value_name = "PATH", value_hint = ValueHint::FilePath)]
    script: Option<PathBuf>,

    /// Give the parameter NAME a value
    ///
    /// NAME=TEXT is a text, which the database converts as it does with any text. NAME:=VALUE is
    /// a JSON value: a number, true, false, null or a text in double quotes.
    #[arg(short, long = "param", value_name = "NAME=TEXT", value_parser = Parameter::parse)]
    parameters: Vec<Parameter>,

    /// Run the batch only if the first value of this query is true, else exit with 1
    ///
    /// The query is part of the transaction: nobody can change the answer before the batch is
    /// done. True is a number other than zero.
    #[arg(long = "if", value_name = "SQL", value_parser = NonEmptyStringValueParser::new())]
    condition: Option<String>,

    /// Switch a SQLite database to write-ahead logging first, if it is not there yet
    #[arg(long)]
    wal: bool,

    /// Make the database if FILE does not exist: of ENGINE, or the one that its name suggests
    ///
    /// A name that ends in .duckdb or .ddb suggests DuckDB, any other name SQLite.
    #[arg(long, value_name = "ENGINE", num_args = 0..=1, require_equals = true)]
    create: Option<Option<EngineName>>,

    /// Run every statement for itself instead of all in one transaction
    ///
    /// Needed for what cannot run in a transaction together with other statements, such as
    /// VACUUM, and for scripts with a BEGIN of their own. What has been done is not undone when
    /// a later statement fails, and the batch is not tried again. It does not go with --if.
    #[arg(long)]
    no_transaction: bool,

    /// Try a busy batch again up to N times [default: inf, until -w is over]
    #[arg(long, value_name = "N", value_parser = number::count, allow_negative_numbers = true)]
    retries: Option<u32>,

    /// The longest pause before the first retry, which doubles each time [default: 20ms]
    #[arg(long, value_name = "DURATION", value_parser = parse_finite)]
    retry_delay: Option<Duration>,

    /// The longest pause between two tries [default: 2s]
    #[arg(long, value_name = "DURATION", value_parser = parse_finite)]
    retry_max_delay: Option<Duration>,
}

/// The options about what is printed, as they were typed.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Result options")]
pub struct ResultArgs {
    /// How to print rows [default: table on a terminal, else csv]
    #[arg(long, value_name = "FORMAT")]
    format: Option<ResultFormat>,

    /// Leave the names of the columns out
    #[arg(long)]
    pub(super) no_header: bool,

    /// What to print for NULL [default: nothing in csv and tsv, else NULL]
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,

    /// Write the rows to PATH instead of standard output, all of them or nothing
    ///
    /// They go to a temporary file beside PATH, which takes its place when the batch is done.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ResultFormat {
    /// Boxes, for people
    Table,
    /// Comma-separated values
    Csv,
    /// Tab-separated values
    Tsv,
    /// An array of objects for each result
    Json,
    /// An object a row
    Jsonl,
    /// A table in Markdown
    Markdown,
    /// One value a line
    Line,
    /// Nothing
    Quiet,
}

/// A database engine that can make a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// SQLite
    Sqlite,
    /// DuckDB
    #[value(name = "duckdb")]
    DuckDb,
}

/// A batch of SQL, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct SqlRequest {
    /// Which lock, and for how long; the mode counts only if it was asked for.
    pub lock: LockRequest,
    /// The mode that was asked for: otherwise the statements decide.
    pub mode: Option<Mode>,
    /// The database.
    pub file: PathBuf,
    /// Where the statements are.
    pub script: Script,
    /// The values for parameters without a name.
    pub values: Vec<String>,
    /// The values for parameters with a name.
    pub named: Vec<(String, ParameterValue)>,
    /// The query that decides whether the batch runs.
    pub condition: Option<String>,
    /// Whether to switch to write-ahead logging.
    pub wal: bool,
    /// Whether the file is made if it is missing, and by which engine.
    pub create: Option<Option<EngineName>>,
    /// Whether every statement is for itself.
    pub loose: bool,
    /// How often the batch is tried again at most.
    pub retries: Option<u32>,
    /// The longest pause before the first retry.
    pub retry_delay: Duration,
    /// The longest pause between two tries.
    pub retry_max_delay: Duration,
    /// How rows are printed, if that was said.
    pub format: Option<ResultFormat>,
    /// Whether the names of columns are printed.
    pub header: bool,
    /// What stands for NULL.
    pub null: Option<String>,
    /// Where rows go, if not to standard output.
    pub output: Option<PathBuf>,
}

/// Where the statements of a batch are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Script {
    /// On the command line.
    Text(String),
    /// In a file.
    File(PathBuf),
    /// On standard input, which was asked for by name.
    StandardInput,
    /// Nowhere on the command line: on standard input, if that is no terminal.
    Unsaid,
}

impl SqlArgs {
    /// Fills in what was not typed: an option beats its variable, a variable the default.
    pub fn resolve(self, settings: &Settings) -> SqlRequest {
        let (batch, results) = (self.batch, self.results);
        let mut values = self.words;
        let script = match batch.script {
            Some(path) if path.as_os_str() == "-" => Script::StandardInput,
            Some(path) => Script::File(path),
            None if values.is_empty() => Script::Unsaid,
            None => match values.remove(0) {
                word if word == "-" => Script::StandardInput,
                word => Script::Text(word),
            },
        };
        SqlRequest {
            mode: self.lock.asked_mode(),
            lock: self.lock.resolve(settings),
            file: self.file,
            script,
            values,
            named: batch.parameters.into_iter().map(Parameter::into_pair).collect(),
            condition: batch.condition,
            wal: batch.wal,
            create: batch.create,
            loose: batch.no_transaction,
            retries: batch.retries.or(settings.retries),
            retry_delay: batch.retry_delay.unwrap_or(settings.retry_delay),
            retry_max_delay: batch.retry_max_delay.unwrap_or(settings.retry_max_delay),
            format: results.format,
            header: !results.no_header,
            null: results.null,
            output: results.output,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{EngineName, Script, SqlRequest};
    use crate::cli::lock_args::Mode;
    use crate::cli::settings::Settings;
    use crate::cli::{Refusal, Request, parse};

    fn words(words: &[&str]) -> Vec<OsString> {
        ["sql"].iter().chain(words).map(OsString::from).collect()
    }

    fn request(line: &[&str]) -> SqlRequest {
        match parse(words(line)).unwrap_or_else(|refusal| panic!("{line:?}: {refusal:?}")).0 {
            Request::Sql(sql) => sql.resolve(&Settings::default()),
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn the_first_word_after_the_file_is_the_sql_and_the_rest_are_values() {
        let sql = request(&["a.db", "insert into t values (?, ?)", "-5", "x y"]);
        assert_eq!(sql.script, Script::Text("insert into t values (?, ?)".to_owned()));
        assert_eq!(sql.values, ["-5", "x y"]);
        let sql = request(&["-f", "x.sql", "a.db", "1"]);
        assert_eq!((sql.script, sql.values), (Script::File("x.sql".into()), vec!["1".to_owned()]));
        assert_eq!(request(&["a.db", "-", "1"]).script, Script::StandardInput);
        assert_eq!(request(&["-f", "-", "a.db"]).script, Script::StandardInput);
        assert_eq!(request(&["a.db"]).script, Script::Unsaid);
    }

    #[test]
    fn the_mode_is_only_known_if_it_was_typed() {
        assert_eq!(request(&["a.db", "x"]).mode, None);
        assert_eq!(request(&["-s", "a.db", "x"]).mode, Some(Mode::Shared));
        assert_eq!(request(&["a.db", "x", "-x"]).mode, Some(Mode::Exclusive));
    }

    #[test]
    fn an_engine_is_named_with_an_equals_sign_only() {
        assert_eq!(request(&["a.db", "x"]).create, None);
        let sql = request(&["--create", "a.db", "x"]);
        assert_eq!((sql.create, sql.file), (Some(None), "a.db".into()));
        assert_eq!(request(&["--create=duckdb", "a", "x"]).create, Some(Some(EngineName::DuckDb)));
    }

    #[test]
    fn sql_that_looks_like_an_option_is_explained() {
        match parse(words(&["a.db", "-- a comment\nselect 1"])) {
            Err(Refusal::Fail(failure)) => {
                assert!(failure.hint.expect("a hint").contains("dbguard sql FILE -- SQL"));
            }
            other => panic!("{other:?}"),
        }
        let sql = request(&["a.db", "--", "-- a comment\nselect 1"]);
        assert_eq!(sql.script, Script::Text("-- a comment\nselect 1".to_owned()));
    }
}
