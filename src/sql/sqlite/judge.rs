//! What a statement is: by SQLite's own compiler, never by its words.
//!
//! While SQLite compiles a statement it asks an authorizer about everything the statement will
//! do. The authorizer here takes notes, and allows all but a busy timeout. Whether the statement
//! writes is `sqlite3_stmt_readonly`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, Statement};

use super::super::engine::Kind;

/// SQLite's number for `ATTACH` whose file is not a literal (`SQLITE_ATTACH`).
const ATTACH: i32 = rusqlite::ffi::SQLITE_ATTACH;

/// What the authorizer was asked about, as far as it matters.
#[derive(Clone, Debug)]
enum Note {
    Pragma { name: String, has_value: bool },
    Attach(Option<String>),
    Detach,
    Transaction,
    Other,
}

/// The notes about the statement that was compiled last.
#[derive(Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Vec<Note>>>);

impl Notes {
    /// Begins to take notes on a connection.
    pub(super) fn attach(connection: &mut Connection) -> rusqlite::Result<Self> {
        let notes = Self::default();
        let written = notes.clone();
        connection.authorizer(Some(move |context: AuthContext<'_>| {
            written.add(&context.action);
            // SQLite would wait by itself, deaf to Ctrl-C and to the deadline.
            match context.action {
                AuthAction::Pragma { pragma_name, pragma_value: Some(_) }
                    if pragma_name.eq_ignore_ascii_case("busy_timeout") =>
                {
                    Authorization::Ignore
                }
                _ => Authorization::Allow,
            }
        }))?;
        Ok(notes)
    }

    /// Forgets everything: another statement comes.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn add(&self, action: &AuthAction<'_>) {
        let note = match action {
            AuthAction::Pragma { pragma_name, pragma_value } => Note::Pragma {
                name: pragma_name.to_ascii_lowercase(),
                has_value: pragma_value.is_some(),
            },
            AuthAction::Attach { filename } => Note::Attach(Some((*filename).to_owned())),
            AuthAction::Unknown { code, .. } if *code == ATTACH => Note::Attach(None),
            AuthAction::Detach { .. } => Note::Detach,
            AuthAction::Transaction { .. } => Note::Transaction,
            _ => Note::Other,
        };
        let mut notes = self.lock();
        // A statement over many columns asks once for each.
        if !(matches!(note, Note::Other) && matches!(notes.last(), Some(Note::Other))) {
            notes.push(note);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Judges the statement that was compiled last on this connection.
pub(super) fn judge(connection: &Connection, statement: &Statement<'_>, notes: &Notes) -> Kind {
    // An explained statement is not run, though SQLite says of it what it would be.
    if statement.is_explain() != 0 {
        return Kind::Read;
    }
    let noted = notes.lock().clone();
    let plain = if statement.readonly() { Kind::Read } else { Kind::Write };
    for note in &noted {
        match note {
            Note::Pragma { name, has_value } => {
                return pragma(name, *has_value, plain);
            }
            Note::Attach(file) => return attach(file.as_deref()),
            Note::Detach => return Kind::Alone("DETACH"),
            Note::Transaction => return Kind::Transaction,
            Note::Other => {}
        }
    }
    if plain == Kind::Write && noted.is_empty() && is_vacuum(connection, statement) {
        return Kind::Alone("VACUUM");
    }
    plain
}

fn pragma(name: &str, has_value: bool, plain: Kind) -> Kind {
    match name {
        "journal_mode" if has_value => Kind::Alone("PRAGMA journal_mode"),
        "journal_mode" => Kind::Read,
        "wal_checkpoint" => Kind::Alone("PRAGMA wal_checkpoint"),
        _ if !has_value || plain != Kind::Read => plain,
        // Without effect, or refused, in a transaction.
        "foreign_keys" | "synchronous" | "temp_store" | "page_size" => Kind::Setting,
        // Only for the transaction it stands in.
        "defer_foreign_keys" => Kind::Read,
        _ if ASKING.contains(&name) => Kind::Read,
        _ => Kind::Neutral,
    }
}

/// The PRAGMAs whose value is what they are asked about.
const ASKING: [&str; 9] = [
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_xinfo",
];

/// Databases in memory, and the temporary one without a name, are nobody else's.
fn attach(file: Option<&str>) -> Kind {
    match file {
        Some("" | ":memory:") => Kind::Setting,
        Some(name) => match name.strip_prefix("file:") {
            Some(uri) => attached_uri(uri),
            None => Kind::Attach(Some(PathBuf::from(name))),
        },
        None => Kind::Attach(None),
    }
}

/// Returns what a `file:` URI attaches (sqlite.org/uri.html).
fn attached_uri(uri: &str) -> Kind {
    let uri = uri.split('#').next().unwrap_or(uri);
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    if path == ":memory:" || path.is_empty() || query.split('&').any(|one| one == "mode=memory") {
        return Kind::Setting;
    }
    let path = path.strip_prefix("//localhost").or_else(|| path.strip_prefix("//")).unwrap_or(path);
    Kind::Attach(decoded(path).map(PathBuf::from))
}

/// Decodes `%41` and the like.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether the program of a statement is that of `VACUUM`, about which no authorizer is asked.
fn is_vacuum(connection: &Connection, statement: &Statement<'_>) -> bool {
    let explained = statement.expanded_sql().and_then(|sql| {
        let mut program = connection.prepare(&format!("EXPLAIN {sql}")).ok()?;
        let mut rows = program.query([]).ok()?;
        while let Ok(Some(row)) = rows.next() {
            if row.get_ref(1).ok()?.as_str() == Ok("Vacuum") {
                return Some(true);
            }
        }
        Some(false)
    });
    explained == Some(true)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use fallible_iterator::FallibleIterator;
    use rusqlite::{Batch, Connection};

    use super::{Kind, Notes, judge};

    fn kinds(sql: &str) -> Vec<Kind> {
        let mut connection = Connection::open_in_memory().expect("memory opens");
        connection.execute_batch("create table t(a); create index i on t(a)").expect("a table");
        let notes = Notes::attach(&mut connection).expect("notes");
        let mut batch = Batch::new(&connection, sql);
        let mut kinds = Vec::new();
        loop {
            notes.clear();
            let Some(statement) = batch.next().expect(sql) else { return kinds };
            kinds.push(judge(&connection, &statement, &notes));
        }
    }

    #[test]
    fn reading_and_writing_are_told_apart_by_the_compiler() {
        let reads = "select * from t; values (1); with x as (select 1) select * from x; \
             explain delete from t; pragma user_version; pragma table_info(t); \
             pragma journal_mode; pragma integrity_check; savepoint s; release s";
        assert!(kinds(reads).iter().all(|kind| *kind == Kind::Read), "{:?}", kinds(reads));
        let writes = "insert into t values (1); with x as (select 1) delete from t; \
             update t set a = 1; create table u(a); alter table t add b; drop table t; \
             pragma user_version = 3; reindex t; analyze; create view v as select 1";
        assert!(kinds(writes).iter().all(|kind| *kind == Kind::Write), "{:?}", kinds(writes));
    }

    #[test]
    fn what_must_stand_alone_is_known() {
        let alone = "vacuum; /* x */ VACUUM into 'b.db'; pragma journal_mode = wal; \
             pragma wal_checkpoint(truncate); detach u";
        let words = ["VACUUM", "VACUUM", "PRAGMA journal_mode", "PRAGMA wal_checkpoint", "DETACH"];
        assert_eq!(kinds(alone), words.map(Kind::Alone));
        assert_eq!(kinds("begin; commit; rollback; end"), vec![Kind::Transaction; 4]);
    }

    #[test]
    fn settings_of_the_connection_are_known() {
        let neutral = "pragma case_sensitive_like = on; pragma secure_delete = on; \
             pragma cache_size = 100; pragma recursive_triggers = on";
        assert_eq!(kinds(neutral), vec![Kind::Neutral; 4]);
        assert_eq!(kinds("pragma defer_foreign_keys = on"), [Kind::Read]);
        let set = "pragma foreign_keys = on; pragma synchronous = off; attach ':memory:' as m; \
             attach '' as n; attach 'file::memory:' as o; attach 'file:x?mode=memory' as p";
        assert_eq!(kinds(set), vec![Kind::Setting; 6]);
    }

    #[test]
    fn the_file_that_is_attached_is_known_if_it_is_a_literal() {
        let file = |name: &str| Kind::Attach(Some(PathBuf::from(name)));
        assert_eq!(
            kinds(
                "attach 'b.db' as b; attach 'file:/x/a%20b?mode=ro' as c; attach 'file:///y' as d; \
                 attach ?1 as e; attach 'a' || 'b' as f"
            ),
            [file("b.db"), file("/x/a b"), file("/y"), Kind::Attach(None), Kind::Attach(None)]
        );
    }

    #[test]
    fn nothing_but_comments_is_no_statement() {
        assert_eq!(kinds("-- nothing\n/* at all */ ; ;"), []);
    }
}
