//! A batch: judged before the lock, run as one transaction under it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::engine::{Access, Control, Engine, Judged, Kind, Session, Statement};
use super::error::{SqlError, Trouble};
use super::parameters::Parameters;
use super::rules::{Form, Phase, Plan, Step};
use super::value::{Cell, Column, Sink, Voice};

/// What is to be run.
pub struct Batch<'a> {
    /// The statements.
    pub sql: &'a str,
    /// The query that decides whether they run: `--if`.
    pub condition: Option<&'a str>,
    /// The values of their parameters.
    pub parameters: &'a Parameters,
    /// Every statement for itself: `--no-transaction`.
    pub loose: bool,
    /// Switch to write-ahead logging first: `--wal`.
    pub wal: bool,
}

/// What a batch has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// How many rows its statements changed.
    pub changed: u64,
    /// How many statements it had.
    pub statements: usize,
}

/// How long the engine itself may wait for native locks while a batch runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// At a commit: the time for readers that are inside to leave, while new ones are held off.
    pub commit: Duration,
    /// At each statement that stands for itself, because it cannot be rolled back and tried again.
    pub loose: Duration,
}

impl Batch<'_> {
    fn form(&self) -> Form {
        Form { loose: self.loose, conditional: self.condition.is_some(), wal: self.wal }
    }

    /// Judges the batch without any lock: what it needs, and whatever is wrong with it for sure.
    pub fn survey(&self, engine: &dyn Engine, file: &Path) -> Result<Plan, SqlError> {
        let mut seen = Seen::default();
        if let Some(condition) = self.condition {
            let complete = engine
                .survey(file, condition, &mut |statement| {
                    seen.parameters(statement, self.parameters)?;
                    seen.condition(&statement.kind())
                })
                .map_err(in_condition)?;
            seen.check_condition(complete)?;
        }
        let (mut kinds, mut named) = (Vec::new(), Vec::new());
        let complete = engine.survey(file, self.sql, &mut |statement| {
            seen.parameters(statement, self.parameters)?;
            kinds.push(statement.kind());
            named.extend(statement.named_files());
            Ok(())
        })?;
        let plan = self.form().plan(&kinds, complete)?;
        // One that turns out to write says so before its first row, but not before another's.
        let streams = plan.streams && (engine.knows_what_reads() || kinds.len() == 1);
        let plan = Plan { streams, named, ..plan };
        if complete {
            seen.refuse_unused(self.parameters)?;
        }
        Ok(plan)
    }

    /// Whether every statement only reads, judged on the open database. Runs nothing.
    pub fn only_reads(&self, session: &dyn Session) -> bool {
        let writes = || SqlError::new(Trouble::NeedsWrite, "");
        let judged = session.script(self.sql, &mut |statement| match statement.kind() {
            Kind::Read | Kind::Setting | Kind::Neutral => Ok(()),
            _ => Err(writes()),
        });
        judged.is_ok() && !self.wal
    }

    /// Runs the batch once. After an error nothing of it has happened, unless it is loose.
    ///
    /// # Errors
    /// [`Trouble::NeedsWrite`] where it was opened for reading and does not only read.
    pub fn attempt(
        &self,
        session: &dyn Session,
        access: Access,
        grace: Grace,
        sink: &mut dyn Sink,
    ) -> Result<Done, SqlError> {
        if self.wal {
            session.be_patient(grace.commit);
            session.control(Control::UseWal)?;
        }
        session.be_patient(if self.loose { grace.loose } else { Duration::ZERO });
        let phase = self.form().first_phase();
        let seen = Seen::default();
        let done = Done::default();
        let mut run = Run { batch: self, session, access, phase, seen, done, sink };
        let ran = run.all();
        let result = ran.and_then(|()| {
            if run.phase == Phase::Body {
                session.be_patient(grace.commit);
                session.control(Control::Commit)?;
            } else if !session.is_outside_transaction() {
                let message = "the script ends inside a transaction of its own";
                return Err(SqlError::new(Trouble::Statement, message)
                    .hint("nothing since its BEGIN is kept: add COMMIT"));
            }
            Ok(run.done)
        });
        if result.is_err() && !session.is_outside_transaction() {
            // The file is closed next, which forgets it as well; the first error is the one told.
            drop(session.control(Control::Rollback));
        }
        result
    }
}

/// A batch that is being run.
struct Run<'a> {
    batch: &'a Batch<'a>,
    session: &'a dyn Session,
    access: Access,
    phase: Phase,
    seen: Seen,
    done: Done,
    sink: &'a mut dyn Sink,
}

impl Run<'_> {
    fn all(&mut self) -> Result<(), SqlError> {
        let (session, batch) = (self.session, self.batch);
        session.script(batch.sql, &mut |statement| self.next(statement))?;
        if self.phase == Phase::Lead && self.batch.condition.is_some() {
            self.begin()?;
        }
        self.seen.refuse_unused(self.batch.parameters)
    }

    fn next(&mut self, statement: &mut dyn Statement) -> Result<(), SqlError> {
        let kind = statement.kind();
        let step = self.batch.form().admit(&mut self.phase, &kind)?;
        if self.access == Access::Read && matches!(kind, Kind::Write | Kind::Alone(_)) {
            return Err(SqlError::new(Trouble::NeedsWrite, "it writes"));
        }
        if step == Step::BeginAndRun {
            self.begin()?;
        }
        self.seen.parameters(statement, self.batch.parameters)?;
        self.done.statements += 1;
        self.done.changed += statement
            .run(self.batch.parameters, self.sink)
            .map_err(|error| self.in_statement(error, &kind))?;
        Ok(())
    }

    /// Says which statement failed, where there are several and no position tells, and what of a
    /// loose batch stays.
    fn in_statement(&self, mut error: SqlError, kind: &Kind) -> SqlError {
        let place = self.done.statements;
        if let Kind::Attach(Some(file)) = kind {
            error.message = format!("`{}`: {}", file.display(), error.message);
        }
        if self.batch.loose && place > 1 {
            let hint = "the statements before it stay done: do not repeat them";
            error.hint = Some(error.hint.map_or(hint.to_owned(), |more| format!("{hint}; {more}")));
        }
        if error.trouble == Trouble::Statement && error.offset.is_none() && place > 1 {
            error.message = format!("statement {place}: {}", error.message);
        }
        error
    }

    fn begin(&mut self) -> Result<(), SqlError> {
        self.session.control(Control::Begin(self.access))?;
        self.phase = Phase::Body;
        let Some(condition) = self.batch.condition else { return Ok(()) };
        let mut answer = Answer::default();
        let session = self.session;
        session
            .script(condition, &mut |statement| {
                self.seen.parameters(statement, self.batch.parameters)?;
                self.seen.condition(&statement.kind())?;
                statement.run(self.batch.parameters, &mut answer).map(|_changed| ())
            })
            .map_err(in_condition)?;
        self.seen.check_condition(true)?;
        if answer.is_true {
            return Ok(());
        }
        Err(SqlError::new(Trouble::ConditionFalse, "the condition of --if is not true"))
    }
}

/// Says that it is not the batch that is wrong. A place would be one in the condition.
fn in_condition(error: SqlError) -> SqlError {
    SqlError { message: format!("--if: {}", error.message), offset: None, ..error }
}

/// What was seen of parameters and of the condition.
#[derive(Default)]
struct Seen {
    names: BTreeSet<String>,
    places: usize,
    conditions: usize,
}

impl Seen {
    fn parameters(
        &mut self,
        statement: &(impl Judged + ?Sized),
        values: &Parameters,
    ) -> Result<(), SqlError> {
        let parameters = statement.parameters();
        let named = parameters.iter().flatten().count();
        if named > 0 && named < parameters.len() {
            let message = "the statement has parameters with names and parameters without";
            return Err(SqlError::new(Trouble::Usage, message)
                .hint("their numbers are one sequence: name all of them, or none"));
        }
        for (index, name) in parameters.into_iter().enumerate() {
            values.value(index + 1, name.as_deref())?;
            match name {
                Some(name) => drop(self.names.insert(name)),
                None => self.places = self.places.max(index + 1),
            }
        }
        Ok(())
    }

    fn refuse_unused(&self, values: &Parameters) -> Result<(), SqlError> {
        let unused = values.named.iter().find(|(name, _)| !self.names.contains(name));
        if let Some((name, _)) = unused {
            let message = format!("no statement has a parameter `{name}`");
            return Err(SqlError::new(Trouble::Usage, message)
                .hint(format!("write it as :{name} in SQLite, ${name} in DuckDB")));
        }
        let given = values.positional.len();
        if given > self.places {
            let given =
                if given == 1 { "1 value is".to_owned() } else { format!("{given} values are") };
            let message = format!("{given} given, the SQL has places for {}", self.places);
            return Err(SqlError::new(Trouble::Usage, message)
                .hint("a place is ? or ?1, in DuckDB also $1"));
        }
        Ok(())
    }

    fn condition(&mut self, kind: &Kind) -> Result<(), SqlError> {
        self.conditions += 1;
        match kind {
            Kind::Read | Kind::Unclear => Ok(()),
            _ => Err(SqlError::new(Trouble::Usage, "the query of --if must only read")),
        }
    }

    fn check_condition(&mut self, complete: bool) -> Result<(), SqlError> {
        match std::mem::take(&mut self.conditions) {
            0 if complete => Err(SqlError::new(Trouble::Usage, "the query of --if is empty")),
            0 | 1 => Ok(()),
            _ => Err(SqlError::new(Trouble::Usage, "--if takes one query, not several")),
        }
    }
}

/// The first value of a query, as a truth.
#[derive(Default)]
struct Answer {
    is_true: bool,
    is_known: bool,
}

impl Sink for Answer {
    fn voice(&self) -> Voice {
        Voice::Json
    }

    fn begin(&mut self, _columns: &[Column]) -> std::io::Result<()> {
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> std::io::Result<()> {
        if !std::mem::replace(&mut self.is_known, true) {
            self.is_true = cells.first().is_some_and(|cell| is_true(*cell));
        }
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether a value is true, as SQLite has it: a number other than zero. A text is the number it
/// begins with.
fn is_true(cell: Cell<'_>) -> bool {
    match cell {
        Cell::Boolean(truth) => truth,
        Cell::Integer(number) => number != 0,
        Cell::Real(number) => number != 0.0,
        Cell::Number(digits) => digits.bytes().any(|byte| (b'1'..=b'9').contains(&byte)),
        Cell::Text(text) => {
            let text = String::from_utf8_lossy(text);
            let text = text.trim_start();
            let end = text.find(|one: char| !matches!(one, '0'..='9' | '.' | '-' | '+'));
            text[..end.unwrap_or(text.len())].parse::<f64>().is_ok_and(|number| number != 0.0)
        }
        Cell::Null | Cell::Word(_) | Cell::Blob(_) | Cell::Nested { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, is_true};

    #[test]
    fn truth_is_a_number_other_than_zero() {
        for (cell, truth) in [
            (Cell::Null, false),
            (Cell::Boolean(true), true),
            (Cell::Integer(0), false),
            (Cell::Integer(-1), true),
            (Cell::Real(0.5), true),
            (Cell::Number("0.00"), false),
            (Cell::Number("0.01"), true),
            (Cell::Text(b"1 apple"), true),
            (Cell::Text(b"0"), false),
            (Cell::Text(b"yes"), false),
            (Cell::Blob(b"1"), false),
        ] {
            assert_eq!(is_true(cell), truth, "{cell:?}");
        }
    }
}
