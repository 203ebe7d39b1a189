//! Which statements go together, what they need, and what is run when; pure.
//!
//! A batch is one transaction. Statements that set something of the connection, and ATTACH, work
//! only outside one; standing first they are run before it begins. A few statements have to stand
//! alone outside any transaction. Whatever else is mixed is refused before anything runs.

use std::path::PathBuf;

use super::engine::{Access, Kind};
use super::error::{SqlError, Trouble};

/// What a batch was asked to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Every statement for itself: `--no-transaction`.
    pub loose: bool,
    /// It runs only if a query says so: `--if`.
    pub conditional: bool,
    /// The file is switched to write-ahead logging first: `--wal`.
    pub wal: bool,
}

/// What a batch needs, as far as could be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How the file is opened, and with it the mode of the lock.
    pub access: Access,
    /// Whether every statement was judged; if not, [`Plan::access`] is the safe guess.
    pub is_certain: bool,
    /// Whether it does nothing but read, so that rows can be printed as they come.
    pub streams: bool,
    /// The files it attaches.
    pub attached: Vec<PathBuf>,
    /// Other files that it names and might write to.
    pub named: Vec<PathBuf>,
}

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing but settings and attached files so far: no transaction yet.
    Lead,
    /// Inside the transaction.
    Body,
    /// A statement that stands alone has been run: the word says which.
    Over(&'static str),
    /// Every statement for itself.
    Loose,
}

/// What to do with the next statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Run it as things are.
    Run,
    /// Begin the transaction, then run it.
    BeginAndRun,
}

impl Form {
    /// Returns where a batch of this form begins.
    pub(super) fn first_phase(self) -> Phase {
        if self.loose { Phase::Loose } else { Phase::Lead }
    }

    /// Admits the next statement, or says why it cannot stand here.
    pub(super) fn admit(self, phase: &mut Phase, kind: &Kind) -> Result<Step, SqlError> {
        match (*phase, kind) {
            (_, Kind::Extension(word)) => Err(extension(word)),
            (_, Kind::Attach(None)) => Err(usage(
                "the file that ATTACH names must be a plain text: it is locked before the batch",
            )),
            (Phase::Loose, _) => Ok(Step::Run),
            (Phase::Lead, Kind::Setting | Kind::Neutral | Kind::Attach(_)) => Ok(Step::Run),
            (Phase::Lead, Kind::Alone(word)) if self.conditional => {
                Err(usage(&format!("{word} runs outside a transaction, so --if cannot guard it")))
            }
            (Phase::Lead, Kind::Alone(word)) => {
                *phase = Phase::Over(word);
                Ok(Step::Run)
            }
            (_, Kind::Transaction) => Err(usage("the batch is one transaction already")
                .hint("leave BEGIN, COMMIT and ROLLBACK out, or use --no-transaction")),
            (Phase::Lead, Kind::Read | Kind::Write | Kind::Unclear) => {
                *phase = Phase::Body;
                Ok(Step::BeginAndRun)
            }
            (Phase::Body, Kind::Read | Kind::Write | Kind::Unclear | Kind::Neutral) => {
                Ok(Step::Run)
            }
            (Phase::Body, Kind::Setting) => Err(usage("a setting has no effect in a transaction")
                .hint("put it first in the batch, or use --no-transaction")),
            (Phase::Body, Kind::Attach(_)) => Err(usage("ATTACH comes too late")
                .hint("put it first in the batch, or use --no-transaction")),
            (Phase::Body, Kind::Alone(word)) => Err(not_mixed(word)),
            (Phase::Over(word), _) => Err(not_mixed(word)),
        }
    }

    /// Returns what a batch of these statements needs; `complete` if they are all of it.
    pub(super) fn plan(self, kinds: &[Kind], complete: bool) -> Result<Plan, SqlError> {
        if self.loose && self.conditional {
            return Err(usage("--if needs the transaction that --no-transaction leaves out"));
        }
        if complete && kinds.is_empty() {
            return Err(usage("there is no SQL, or only comments")
                .hint("give a statement after FILE, with -f PATH, or on standard input with -"));
        }
        let mut phase = self.first_phase();
        for kind in kinds {
            self.admit(&mut phase, kind)?;
        }
        if let (Phase::Over(word), false) = (phase, complete) {
            return Err(not_mixed(word));
        }
        let only = |test: fn(&Kind) -> bool| kinds.iter().all(test);
        let writes = kinds.iter().any(|kind| matches!(kind, Kind::Write | Kind::Alone(_)));
        // An engine may open what it attaches for writing, whatever is done to it later.
        let attaches = kinds.iter().any(|kind| matches!(kind, Kind::Attach(_)));
        let writes = writes || !complete || self.wal || attaches;
        let attached = kinds.iter().filter_map(|kind| match kind {
            Kind::Attach(file) => file.clone(),
            _ => None,
        });
        Ok(Plan {
            access: if writes { Access::Write } else { Access::Read },
            is_certain: complete,
            streams: !writes && only(|kind| *kind != Kind::Unclear),
            attached: attached.collect(),
            named: Vec::new(),
        })
    }
}

fn not_mixed(word: &str) -> SqlError {
    let message = format!("{word} cannot run in a transaction, so not with other statements");
    usage(&message).hint("run it by itself, or use --no-transaction")
}

fn extension(word: &str) -> SqlError {
    usage(&format!("{word} is not available: dbguard loads no extensions and fetches none")).hint(
        "json and parquet are built in; for others run the duckdb shell under the lock: dbguard \
         exec FILE -- duckdb FILE",
    )
}

fn usage(message: &str) -> SqlError {
    SqlError::new(Trouble::Usage, message)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::engine::{Access, Kind};
    use super::super::error::Trouble;
    use super::{Form, Plan};

    const VACUUM: Kind = Kind::Alone("VACUUM");

    fn plan(kinds: &[Kind]) -> Plan {
        Form::default().plan(kinds, true).expect("they go together")
    }

    #[track_caller]
    fn refused(form: Form, kinds: &[Kind], complete: bool) -> String {
        let error = form.plan(kinds, complete).expect_err("they do not go together");
        assert_eq!(error.trouble, Trouble::Usage);
        error.message + "; " + &error.hint.unwrap_or_default()
    }

    fn attach() -> Kind {
        Kind::Attach(Some(PathBuf::from("b.db")))
    }

    #[test]
    fn only_what_writes_needs_the_lock_alone() {
        assert_eq!(plan(&[Kind::Read, Kind::Read]).access, Access::Read);
        assert!(plan(&[Kind::Setting, Kind::Neutral, Kind::Read, Kind::Neutral]).streams);
        assert_eq!(plan(&[Kind::Read, Kind::Write]).access, Access::Write);
        assert_eq!(plan(&[attach(), Kind::Read]).access, Access::Write);
        let unclear = plan(&[Kind::Unclear]);
        assert_eq!((unclear.access, unclear.streams), (Access::Read, false));
        let wal = Form { wal: true, ..Form::default() };
        assert_eq!(wal.plan(&[Kind::Read], true).expect("fine").access, Access::Write);
    }

    #[test]
    fn what_could_not_be_judged_is_taken_to_write() {
        let plan = Form::default().plan(&[Kind::Read], false).expect("fine");
        assert_eq!((plan.access, plan.is_certain), (Access::Write, false));
    }

    #[test]
    fn what_stands_alone_is_not_mixed() {
        assert_eq!(plan(&[VACUUM]).access, Access::Write);
        assert_eq!(plan(&[attach(), VACUUM]).attached, [PathBuf::from("b.db")]);
        let form = Form::default();
        for kinds in [&[VACUUM, Kind::Read][..], &[Kind::Write, VACUUM], &[VACUUM, VACUUM]] {
            let said = refused(form, kinds, true);
            assert!(said.starts_with("VACUUM cannot") && said.contains("--no-transaction"));
        }
        assert!(refused(form, &[VACUUM], false).starts_with("VACUUM cannot"));
        let loose = Form { loose: true, ..form };
        assert!(loose.plan(&[Kind::Transaction, Kind::Write, VACUUM, attach()], true).is_ok());
    }

    #[test]
    fn settings_and_attached_files_come_first() {
        let form = Form::default();
        assert!(refused(form, &[Kind::Write, Kind::Setting], true).contains("put it first"));
        assert!(refused(form, &[Kind::Read, attach()], true).contains("put it first"));
        assert!(refused(form, &[Kind::Attach(None), Kind::Read], true).contains("plain text"));
    }

    #[test]
    fn the_batch_is_the_transaction() {
        let form = Form::default();
        assert!(refused(form, &[Kind::Transaction], true).contains("--no-transaction"));
        assert!(refused(form, &[Kind::Read, Kind::Transaction], true).contains("BEGIN"));
        let conditional = Form { conditional: true, ..form };
        assert!(refused(conditional, &[VACUUM], true).contains("--if"));
    }

    #[test]
    fn nothing_is_no_batch_and_extensions_are_refused_everywhere() {
        let form = Form::default();
        assert!(refused(form, &[], true).starts_with("there is no SQL"));
        let loose = Form { loose: true, ..form };
        assert!(refused(loose, &[Kind::Extension("LOAD")], true).starts_with("LOAD is not"));
        let conditional = Form { conditional: true, ..loose };
        assert!(refused(conditional, &[Kind::Write], true).starts_with("--if needs"));
    }
}
