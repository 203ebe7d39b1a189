//! The values for the parameters of a batch.

use super::error::{SqlError, Trouble};

/// A value for a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `NAME=TEXT`, or a word after the SQL: a text, which the engine converts to what the place
    /// it stands in wants.
    Text(String),
    /// `NAME:=null`
    Null,
    /// `NAME:=true`
    Boolean(bool),
    /// `NAME:=17`
    Integer(i64),
    /// `NAME:=0.5`
    Real(f64),
}

/// Every value of a batch. All statements of the batch see the same ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// Values with names, which have no prefix.
    pub named: Vec<(String, Value)>,
    /// The value of `?1` first.
    pub positional: Vec<Value>,
}

impl Parameters {
    /// Returns the value for the parameter with this place (1 is the first) and name.
    ///
    /// # Errors
    /// [`Trouble::Usage`] when none was given.
    pub fn value(&self, place: usize, name: Option<&str>) -> Result<&Value, SqlError> {
        let found = match name {
            Some(name) => {
                self.named.iter().find(|(known, _)| known == name).map(|(_, value)| value)
            }
            None => self.positional.get(place.wrapping_sub(1)),
        };
        found.ok_or_else(|| match name {
            Some(name) => SqlError::new(Trouble::Usage, format!("no value for parameter `{name}`"))
                .hint(format!("give it one: -p {name}=VALUE")),
            None => SqlError::new(Trouble::Usage, format!("no value for parameter ?{place}"))
                .hint("give the values after the SQL, in order"),
        })
    }
}
