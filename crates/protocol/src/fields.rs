//! Reading a document field by field. What nobody asked for stays, and is written again.
//!
//! Documents are read by hand instead of by derived code for two reasons: serde's errors repeat the value, which may be
//! personal, and its unknown fields are gone.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use units::{CallId, Language, Pii, TurnId};

use crate::command::{COMMAND_STATE_EXPECTED, CommandState};
use crate::desired::{LOG_LEVEL_EXPECTED, LogLevel};
use crate::event::{Kind, has_nul};
use crate::fault::{Fault, Found};
use crate::limits::{MAX_NUMBER, MAX_SHORT_LEN};
use crate::name::{CommandId, DeviceId, EVENT_ID_EXPECTED, EventId, ID_EXPECTED, WORD_EXPECTED, Word};
use crate::topic::{STREAM_EXPECTED, Stream};

/// The version every envelope of this release carries in its field `v`.
pub const VERSION: u64 = 1;

/// The field `v` of an envelope of version 1. Its only value, so that no envelope can be built with another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct V1;

impl Serialize for V1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(VERSION)
    }
}

/// Fields of a document that this release does not know. They are written again where it is. `Debug` shows how many.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Extra(Map<String, Value>);

impl Extra {
    /// Returns the value of a field that this release does not know.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether a text in them has a NUL character.
    pub(crate) fn has_nul(&self) -> bool {
        self.0.iter().any(|(name, value)| name.contains('\0') || has_nul(value))
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} unknown", self.0.len())
    }
}

/// The fields of a document that are still unread.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) const fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// Takes a document apart.
    pub(crate) fn of(value: Value) -> Result<Self, Fault> {
        let Value::Object(map) = value else { return Err(Fault::of(&value, "an object")) };
        Ok(Self(map))
    }

    /// Takes a field that has to be there.
    pub(crate) fn required<T: Field>(&mut self, name: &'static str) -> Result<T, Fault> {
        match self.0.remove(name) {
            None => Err(Fault::of(Found::Nothing, T::EXPECTED).under(name)),
            Some(value) => T::read(value).map_err(|fault| fault.under(name)),
        }
    }

    /// Takes a field that may be missing or `null`.
    pub(crate) fn optional<T: Field>(&mut self, name: &'static str) -> Result<Option<T>, Fault> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::read(value).map(Some).map_err(|fault| fault.under(name)),
        }
    }

    /// Takes a field that has a natural value when it is missing.
    pub(crate) fn or_default<T: Field + Default>(&mut self, name: &'static str) -> Result<T, Fault> {
        Ok(self.optional(name)?.unwrap_or_default())
    }

    /// Takes text of at most `max` bytes that has to be there.
    pub(crate) fn text(&mut self, name: &'static str, max: usize) -> Result<String, Fault> {
        match self.0.remove(name) {
            None => Err(Fault::of(Found::Nothing, "text").under(name)),
            Some(value) => bounded(value, max).map_err(|fault| fault.under(name)),
        }
    }

    /// Takes text of at most `max` bytes that may be missing or `null`.
    pub(crate) fn optional_text(&mut self, name: &'static str, max: usize) -> Result<Option<String>, Fault> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => bounded(value, max).map(Some).map_err(|fault| fault.under(name)),
        }
    }

    /// Takes personal text of at most `max` bytes; empty when it is missing.
    pub(crate) fn personal(&mut self, name: &'static str, max: usize) -> Result<Pii<String>, Fault> {
        Ok(Pii::new(self.optional_text(name, max)?.unwrap_or_default()))
    }

    /// Takes the version.
    pub(crate) fn version(&mut self) -> Result<V1, Fault> {
        match self.required::<u64>("v")? {
            VERSION => Ok(V1),
            _ => Err(Fault::of(Found::Number, "1").under("v")),
        }
    }

    /// Returns what nobody asked for.
    pub(crate) fn rest(self) -> Extra {
        Extra(self.0)
    }
}

fn bounded(value: Value, max: usize) -> Result<String, Fault> {
    let Value::String(text) = value else { return Err(Fault::of(&value, "text")) };
    if text.len() <= max { Ok(text) } else { Err(Fault::of(Found::Text { len: text.len() }, "shorter text")) }
}

/// Something a field may hold.
pub(crate) trait Field: Sized {
    /// What it looks like.
    const EXPECTED: &'static str;

    /// Reads it, or says what stands there instead.
    fn read(value: Value) -> Result<Self, Fault>;
}

/// An object inside a document, or a document itself: read field by field.
pub(crate) trait Read: Sized {
    fn read_fields(fields: Fields) -> Result<Self, Fault>;
}

impl<T: Read> Field for T {
    const EXPECTED: &'static str = "an object";

    fn read(value: Value) -> Result<Self, Fault> {
        Self::read_fields(Fields::of(value)?)
    }
}

impl Field for u64 {
    const EXPECTED: &'static str = "a whole number from 0 to 2^53 - 1";

    fn read(value: Value) -> Result<Self, Fault> {
        value.as_u64().filter(|number| *number <= MAX_NUMBER).ok_or_else(|| Fault::of(&value, Self::EXPECTED))
    }
}

impl Field for u32 {
    const EXPECTED: &'static str = "a whole number from 0 to 2^32 - 1";

    fn read(value: Value) -> Result<Self, Fault> {
        let number = value.as_u64().and_then(|number| Self::try_from(number).ok());
        number.ok_or_else(|| Fault::of(&value, Self::EXPECTED))
    }
}

impl Field for f64 {
    const EXPECTED: &'static str = "a number";

    fn read(value: Value) -> Result<Self, Fault> {
        value.as_f64().ok_or_else(|| Fault::of(&value, Self::EXPECTED))
    }
}

impl Field for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: Value) -> Result<Self, Fault> {
        value.as_bool().ok_or_else(|| Fault::of(&value, Self::EXPECTED))
    }
}

impl Field for Value {
    const EXPECTED: &'static str = "anything";

    fn read(value: Value) -> Result<Self, Fault> {
        Ok(value)
    }
}

impl Field for TurnId {
    const EXPECTED: &'static str = <u32 as Field>::EXPECTED;

    fn read(value: Value) -> Result<Self, Fault> {
        <u32 as Field>::read(value).map(Self)
    }
}

impl Field for Language {
    const EXPECTED: &'static str = "he or en";

    fn read(value: Value) -> Result<Self, Fault> {
        parsed(&value, Self::EXPECTED)
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    const EXPECTED: &'static str = "an object";

    fn read(value: Value) -> Result<Self, Fault> {
        let Value::Object(map) = value else { return Err(Fault::of(&value, <Self as Field>::EXPECTED)) };
        let entries = map.into_iter().enumerate().map(|(place, (name, value))| {
            if name.len() > MAX_SHORT_LEN {
                return Err(Fault::of(Found::Text { len: name.len() }, "a shorter name").at(place));
            }
            Ok((name, T::read(value).map_err(|fault| fault.at(place))?))
        });
        entries.collect()
    }
}

fn parsed<T: std::str::FromStr>(value: &Value, expected: &'static str) -> Result<T, Fault> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| Fault::of(value, expected))
}

macro_rules! field_as_text {
    ($($name:ty: $expected:expr),* $(,)?) => {$(
        impl Field for $name {
            const EXPECTED: &'static str = $expected;

            fn read(value: Value) -> Result<Self, Fault> {
                parsed(&value, Self::EXPECTED)
            }
        }
    )*};
}

field_as_text! {
    DeviceId: ID_EXPECTED,
    CommandId: ID_EXPECTED,
    Word: WORD_EXPECTED,
    Kind: WORD_EXPECTED,
    EventId: EVENT_ID_EXPECTED,
    Stream: STREAM_EXPECTED,
    LogLevel: LOG_LEVEL_EXPECTED,
    CommandState: COMMAND_STATE_EXPECTED,
    CallId: "1 to 64 letters, digits, '-' or '_'",
}

/// Reads a list of at most `max`.
pub(crate) fn list<T: Field>(value: Value, max: usize) -> Result<Vec<T>, Fault> {
    let Value::Array(list) = value else { return Err(Fault::of(&value, "a list")) };
    if list.len() > max {
        return Err(Fault::of(Found::List { len: list.len() }, "a shorter list"));
    }
    list.into_iter().enumerate().map(|(place, item)| T::read(item).map_err(|fault| fault.at(place))).collect()
}

/// Gives documents the conversion that serde reads them by.
macro_rules! from_value {
    ($($document:ty),* $(,)?) => {$(
        impl TryFrom<serde_json::Value> for $document {
            type Error = $crate::fault::Fault;

            fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
                <Self as $crate::fields::Field>::read(value)
            }
        }
    )*};
}
pub(crate) use from_value;
