//! What is wrong with a document: where, what was expected, what stood there. Never the value itself, which may be
//! personal.

use std::fmt;

use serde_json::Value;

/// One thing wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: expected {expected}, found {found}", Shown(.path))]
pub struct Fault {
    /// Where it is, as in `events[3].seq`; empty for the document itself.
    pub path: String,
    /// What would have been right.
    pub expected: &'static str,
    /// What stood there instead.
    pub found: Found,
}

/// What kind of thing stood in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The field is missing.
    Nothing,
    /// `null`.
    Null,
    /// `true` or `false`.
    Truth,
    /// A number, of the wrong kind or out of range.
    Number,
    /// Text that is too long, or not of the expected shape.
    Text {
        /// Its length in bytes.
        len: usize,
    },
    /// A list.
    List {
        /// How many it holds.
        len: usize,
    },
    /// An object.
    Object,
    /// JSON that cannot be read: a number beyond every range, half a surrogate pair, or nesting without end.
    Unreadable,
}

struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "document" } else { self.0 })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Null => f.write_str("null"),
            Self::Truth => f.write_str("true or false"),
            Self::Number => f.write_str("another number"),
            Self::Text { len } => write!(f, "other text of {len} bytes"),
            Self::List { len } => write!(f, "a list of {len}"),
            Self::Object => f.write_str("an object"),
            Self::Unreadable => f.write_str("unreadable JSON"),
        }
    }
}

impl From<&Value> for Found {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Truth,
            Value::Number(_) => Self::Number,
            Value::String(text) => Self::Text { len: text.len() },
            Value::Array(list) => Self::List { len: list.len() },
            Value::Object(_) => Self::Object,
        }
    }
}

impl Fault {
    /// Makes the fault of a value that is not what was expected; the path is put in front by those who know it.
    pub(crate) fn of(found: impl Into<Found>, expected: &'static str) -> Self {
        Self { path: String::new(), expected, found: found.into() }
    }

    /// Puts the name of the field around it in front of the path.
    pub(crate) fn under(mut self, field: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{field}{joint}{}", self.path);
        self
    }

    /// Puts the place in the list around it in front of the path.
    pub(crate) fn at(mut self, place: usize) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{place}]{joint}{}", self.path);
        self
    }
}
