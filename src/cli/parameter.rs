//! `-p NAME=TEXT` and `-p NAME:=JSON`.

use serde_json::Value;

/// A parameter of a batch of SQL, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    name: String,
    value: ParameterValue,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum ParameterValue {
    /// A text.
    Text(String),
    /// No value.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A number without a fraction.
    Integer(i64),
    /// A number with one.
    Real(f64),
}

// Of the numbers of JSON none is a NaN.
impl Eq for Parameter {}

/// Why a word gives no parameter a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// There is no name before the `=`.
    #[error("expected NAME=TEXT or NAME:=JSON")]
    NoName,
    /// What follows `:=` is no value.
    #[error("after `:=`, expected a JSON number, true, false, null or a text in double quotes")]
    NoValue,
}

impl Parameter {
    /// Reads what was typed after `-p`. The name may have the prefix it has in SQL.
    pub fn parse(word: &str) -> Result<Self, ParameterError> {
        let (name, text) = word.split_once('=').ok_or(ParameterError::NoName)?;
        let (name, value) = match name.strip_suffix(':') {
            Some(name) => (name, json(text).ok_or(ParameterError::NoValue)?),
            None => (name, ParameterValue::Text(text.to_owned())),
        };
        let name = name.strip_prefix([':', '@', '$']).unwrap_or(name);
        if name.is_empty() {
            return Err(ParameterError::NoName);
        }
        Ok(Self { name: name.to_owned(), value })
    }

    /// Returns the name, which has no prefix, and the value.
    pub fn into_pair(self) -> (String, ParameterValue) {
        (self.name, self.value)
    }
}

fn json(text: &str) -> Option<ParameterValue> {
    match serde_json::from_str(text).ok()? {
        Value::Null => Some(ParameterValue::Null),
        Value::Bool(truth) => Some(ParameterValue::Boolean(truth)),
        Value::String(text) => Some(ParameterValue::Text(text)),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Some(ParameterValue::Integer(number)),
            // Beyond 64 bits a whole number would lose digits.
            None if !text.contains(['.', 'e', 'E']) => None,
            None => number.as_f64().map(ParameterValue::Real),
        },
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Parameter, ParameterError, ParameterValue};

    fn value(word: &str) -> Result<(String, ParameterValue), ParameterError> {
        Parameter::parse(word).map(Parameter::into_pair)
    }

    #[test]
    fn a_text_is_a_text_and_json_has_types() {
        let text = |text: &str| ParameterValue::Text(text.to_owned());
        for (word, name, expected) in [
            ("a=7", "a", text("7")),
            ("a=", "a", text("")),
            ("a=b=c", "a", text("b=c")),
            (":a=x", "a", text("x")),
            ("a:=7", "a", ParameterValue::Integer(7)),
            ("a:=0.5", "a", ParameterValue::Real(0.5)),
            ("$a:=null", "a", ParameterValue::Null),
            ("a:=true", "a", ParameterValue::Boolean(true)),
            ("a:=\"7\"", "a", text("7")),
        ] {
            assert_eq!(value(word), Ok((name.to_owned(), expected)), "{word}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for word in ["a", "=a", ":=7", ""] {
            assert_eq!(value(word), Err(ParameterError::NoName), "{word}");
        }
        for word in ["a:=", "a:=x", "a:=[1]", "a:={}", "a:=99999999999999999999"] {
            assert!(value(word).is_err(), "{word}");
        }
        assert_eq!(value("a:=18446744073709551615"), Err(ParameterError::NoValue));
    }
}
