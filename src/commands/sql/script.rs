//! Where the statements come from.

use std::fs;
use std::io::{self, ErrorKind, IsTerminal, Read};

use crate::cli::sql_args::{Script, SqlRequest};
use crate::error::Failure;
use crate::outcome::Outcome;

/// Returns the text of the batch.
///
/// # Errors
/// It cannot be read, is not UTF-8, or is nowhere.
pub(super) fn read(request: &SqlRequest) -> Result<String, Failure> {
    match &request.script {
        Script::Text(text) => Ok(text.clone()),
        Script::File(path) => {
            let name = path.display().to_string();
            let bytes = fs::read(path).map_err(|error| {
                // Windows says that it may not be read.
                let error = if path.is_dir() { ErrorKind::IsADirectory.into() } else { error };
                let outcome = match error.kind() {
                    ErrorKind::NotFound => Outcome::NoSuchFile,
                    ErrorKind::PermissionDenied => Outcome::Permission,
                    _ => Outcome::IoError,
                };
                Failure::new(outcome, format!("cannot read `{name}`")).caused_by(error)
            })?;
            text(bytes, &format!("`{name}`"))
        }
        Script::Unsaid if io::stdin().is_terminal() => {
            Err(Failure::new(Outcome::Usage, "no SQL was given").hint(format!(
                "type: dbguard sql {} 'SELECT ...', or -f PATH, or - for standard input",
                request.file.display()
            )))
        }
        Script::Unsaid | Script::StandardInput => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).map_err(|error| {
                Failure::new(Outcome::IoError, "cannot read standard input").caused_by(error)
            })?;
            text(bytes, "standard input")
        }
    }
}

/// Returns the bytes as text, without the mark that some editors put before UTF-8.
fn text(bytes: Vec<u8>, name: &str) -> Result<String, Failure> {
    let line = |before: &[u8]| 1 + before.iter().filter(|byte| **byte == b'\n').count();
    // An engine would take it for the end, and run half of the script.
    if let Some(nul) = bytes.iter().position(|byte| *byte == 0) {
        let message = format!("{name} has a NUL character in line {}", line(&bytes[..nul]));
        return Err(Failure::new(Outcome::Usage, message)
            .hint("if it is UTF-16, convert it: iconv -f utf-16 -t utf-8"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let message = format!("{name} is not UTF-8 in line {}", line(valid));
            Err(Failure::new(Outcome::Usage, message)
                .hint("convert it, for example: iconv -f latin1 -t utf-8"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn text_is_utf_8_without_a_mark() {
        assert_eq!(text("\u{feff}select '\u{e4}'".into(), "x").expect("UTF-8"), "select '\u{e4}'");
        let failure = text(b"select 1;\nselect '\xe4'".to_vec(), "`x.sql`").expect_err("latin1");
        assert_eq!(failure.message, "`x.sql` is not UTF-8 in line 2");
    }
}
