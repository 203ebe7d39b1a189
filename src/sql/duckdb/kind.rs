//! What a statement is, by the type that DuckDB's parser gives it.

use std::path::PathBuf;

use crate::platform::duckdb::{Connection, Parsed, Refusal, StatementType, Token, TokenType};

use super::super::engine::Kind;

/// Judges a statement.
///
/// Some types mean several statements (`CHECKPOINT` is a CALL), and of an `ATTACH` the parser
/// tells no path: only then its tokens are looked at.
pub(super) fn of(connection: &Connection, parsed: &Parsed) -> Result<Kind, Refusal> {
    let words = || Words::of(connection, parsed);
    Ok(match parsed.statement_type() {
        // What these set is gone with the connection, and a transaction does not forbid it.
        StatementType::DUCKDB_V2_STATEMENT_TYPE_SET
        | StatementType::DUCKDB_V2_STATEMENT_TYPE_VARIABLE_SET => Kind::Neutral,
        StatementType::DUCKDB_V2_STATEMENT_TYPE_SELECT
        | StatementType::DUCKDB_V2_STATEMENT_TYPE_PREPARE
        | StatementType::DUCKDB_V2_STATEMENT_TYPE_EXPORT => Kind::Read,
        StatementType::DUCKDB_V2_STATEMENT_TYPE_INSERT
        | StatementType::DUCKDB_V2_STATEMENT_TYPE_UPDATE
        | StatementType::DUCKDB_V2_STATEMENT_TYPE_DELETE
        | StatementType::DUCKDB_V2_STATEMENT_TYPE_MERGE_INTO
        | StatementType::DUCKDB_V2_STATEMENT_TYPE_CREATE
        | StatementType::DUCKDB_V2_STATEMENT_TYPE_CREATE_FUNC
        | StatementType::DUCKDB_V2_STATEMENT_TYPE_ALTER => Kind::Write,
        StatementType::DUCKDB_V2_STATEMENT_TYPE_DROP => match words()?.begin_with("DEALLOCATE") {
            true => Kind::Read,
            false => Kind::Write,
        },
        StatementType::DUCKDB_V2_STATEMENT_TYPE_TRANSACTION => Kind::Transaction,
        StatementType::DUCKDB_V2_STATEMENT_TYPE_ATTACH => attachment(&words()?),
        StatementType::DUCKDB_V2_STATEMENT_TYPE_DETACH => Kind::Alone("DETACH"),
        // ANALYZE has the same type, and no wish to be alone.
        StatementType::DUCKDB_V2_STATEMENT_TYPE_VACUUM if words()?.begin_with("VACUUM") => {
            Kind::Alone("VACUUM")
        }
        StatementType::DUCKDB_V2_STATEMENT_TYPE_CALL if words()?.is_checkpoint() => {
            Kind::Alone("CHECKPOINT")
        }
        StatementType::DUCKDB_V2_STATEMENT_TYPE_LOAD if words()?.begin_with("LOAD") => {
            Kind::Extension("LOAD")
        }
        StatementType::DUCKDB_V2_STATEMENT_TYPE_LOAD => Kind::Extension("INSTALL"),
        StatementType::DUCKDB_V2_STATEMENT_TYPE_UPDATE_EXTENSIONS => {
            Kind::Extension("UPDATE EXTENSIONS")
        }
        // COPY, PRAGMA, CALL, EXPLAIN ANALYZE, EXECUTE, PIVOT: the words do not tell.
        _ => Kind::Unclear,
    })
}

/// Returns the files that a statement which copies data names.
pub(super) fn files(connection: &Connection, parsed: &Parsed) -> Result<Vec<PathBuf>, Refusal> {
    let copies = matches!(
        parsed.statement_type(),
        StatementType::DUCKDB_V2_STATEMENT_TYPE_COPY
            | StatementType::DUCKDB_V2_STATEMENT_TYPE_EXPORT
    );
    if !copies {
        return Ok(Vec::new());
    }
    let words = Words::of(connection, parsed)?;
    let texts = words.tokens.iter().filter_map(|token| words.text_of(token));
    Ok(texts.map(PathBuf::from).collect())
}

/// Whether a statement of [`Kind::Transaction`] begins one.
pub(super) fn begins(connection: &Connection, parsed: &Parsed) -> Result<bool, Refusal> {
    let words = Words::of(connection, parsed)?;
    Ok(words.begin_with("BEGIN") || words.begin_with("START"))
}

/// An `ATTACH` with the path that it names. A database in memory is no file.
fn attachment(words: &Words<'_>) -> Kind {
    match words.only_text() {
        Some(path) if path.is_empty() || path == ":memory:" => Kind::Read,
        path => Kind::Attach(path.map(PathBuf::from)),
    }
}

/// The type of a text in single quotes.
const LITERAL: TokenType = TokenType::DUCKDB_V2_TOKEN_TYPE_STRING_LITERAL;

/// The tokens of a statement, without comments.
struct Words<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

impl<'a> Words<'a> {
    fn of(connection: &Connection, parsed: &'a Parsed) -> Result<Self, Refusal> {
        let text = parsed.text();
        let mut tokens = connection.tokens(text)?;
        tokens.retain(|token| token.token_type != TokenType::DUCKDB_V2_TOKEN_TYPE_COMMENT);
        Ok(Self { text, tokens })
    }

    fn word(&self, token: &Token) -> &'a str {
        self.text.get(token.start..token.start + token.length).unwrap_or_default()
    }

    fn begin_with(&self, word: &str) -> bool {
        self.tokens.first().is_some_and(|first| self.word(first).eq_ignore_ascii_case(word))
    }

    /// `CHECKPOINT` or `FORCE CHECKPOINT`; the function of that name is called with `CALL`.
    fn is_checkpoint(&self) -> bool {
        self.begin_with("CHECKPOINT") || self.begin_with("FORCE")
    }

    /// Returns the first token that is a text, unless it is only a part of an expression.
    fn only_text(&self) -> Option<String> {
        let is_text = |token: &Token| token.token_type == LITERAL;
        let place = self.tokens.iter().position(is_text)?;
        let next = self.tokens.get(place + 1).map_or("", |token| self.word(token));
        let ends = next.eq_ignore_ascii_case("as") || matches!(next, "" | "(" | ";");
        self.text_of(&self.tokens[place]).filter(|_| ends)
    }

    /// Returns what a text says, unless it has escapes.
    fn text_of(&self, token: &Token) -> Option<String> {
        let text = Some(token).filter(|token| token.token_type == LITERAL)?;
        let inner = self.word(text).strip_prefix('\'')?.strip_suffix('\'')?;
        Some(inner.replace("''", "'"))
    }
}
