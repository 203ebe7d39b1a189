//! A failure, in words and as JSON.

use std::time::Duration;

use serde::Serialize;

use crate::error::{Failure, Party};
use crate::escape::escaped;

/// Returns the lines for standard error, each ended; only the first one if `briefly`.
pub fn failure_in_words(failure: &Failure, briefly: bool) -> String {
    let mut text = format!("dbguard: {}\n", escaped(&failure.message));
    if briefly {
        return text;
    }
    for detail in &failure.details {
        text.push_str(&format!("{}\n", escaped(detail)));
    }
    for cause in &failure.causes {
        text.push_str(&format!("  caused by: {}\n", escaped(cause)));
    }
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("\nhint: {}\n", escaped(hint)));
    }
    text
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    code: &'static str,
    exit_code: i32,
    message: String,
    causes: &'a [String],
    holder: Option<&'a Party>,
    retry_after_ms: Option<u128>,
    hint: Option<&'a str>,
}

/// Returns one JSON document, on one line that is ended. `code` is the exit code in the end.
pub fn failure_in_json(failure: &Failure, code: i32) -> String {
    let document = Document {
        schema: 1,
        code: failure.outcome.name(),
        exit_code: code,
        message: failure.message.clone(),
        causes: &failure.causes,
        holder: failure.holder.as_deref(),
        retry_after_ms: failure.retry_after.as_ref().map(Duration::as_millis),
        hint: failure.hint.as_deref(),
    };
    let line = serde_json::to_string(&document).unwrap_or_else(|error| {
        format!("{{\"schema\":1,\"code\":\"internal\",\"message\":\"{error}\"}}")
    });
    line + "\n"
}

#[cfg(test)]
mod tests {
    use super::{failure_in_json, failure_in_words};
    use crate::error::Failure;
    use crate::outcome::Outcome;

    fn failure() -> Failure {
        let mut failure = Failure::new(Outcome::Timeout, "a.db is still locked after 30s")
            .caused_by("nothing")
            .hint("wait longer");
        failure.details.push("held by ana".into());
        failure
    }

    #[test]
    fn words_come_in_the_order_of_need() {
        assert_eq!(
            failure_in_words(&failure(), false),
            "dbguard: a.db is still locked after 30s\nheld by ana\n  caused by: nothing\n\n\
             hint: wait longer\n"
        );
        assert_eq!(failure_in_words(&failure(), true).lines().count(), 1);
    }

    #[test]
    fn json_has_the_promised_names() {
        let json = failure_in_json(&failure(), 9);
        let value: serde_json::Value = serde_json::from_str(&json).expect("valid JSON");
        assert_eq!(value["schema"], 1);
        assert_eq!(value["code"], "timeout");
        assert_eq!(value["exit_code"], 9);
        for name in ["message", "holder", "retry_after_ms", "hint"] {
            assert!(value.get(name).is_some(), "{name}");
        }
    }
}
