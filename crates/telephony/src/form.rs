//! Forms: `application/x-www-form-urlencoded` bodies and query strings as ordered pairs.
//!
//! The signature covers every parameter, known or not, with empty values, with repetitions and without trimming;
//! so a form is a list of pairs, not a map. It is also stricter than a browser: broken percent-encoding and bytes
//! that are not UTF-8 are refused, because guessing would change what was signed.

use std::fmt;

/// Limits on a form. The defaults are several times what a carrier sends (about 40 parameters, 2 kB).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormLimits {
    /// Longest body, in bytes. Default 65,536.
    pub max_bytes: usize,
    /// Most parameters. Default 256.
    pub max_params: usize,
    /// Longest decoded name, in bytes. Default 128.
    pub max_name_bytes: usize,
    /// Longest decoded value, in bytes. Default 16,384, which holds a SHAKEN passport and a long message.
    pub max_value_bytes: usize,
}

impl Default for FormLimits {
    fn default() -> Self {
        Self { max_bytes: 65_536, max_params: 256, max_name_bytes: 128, max_value_bytes: 16_384 }
    }
}

/// Parameters of a request, in the order they were sent.
///
/// Values are personal data: `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Returns an empty list.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Parses a form with the default limits.
    pub fn parse(form: &[u8]) -> Result<Self, FormError> {
        Self::parse_within(form, &FormLimits::default())
    }

    /// Parses a form: pairs between `&`, empty pairs skipped, a pair without `=` has an empty value.
    pub fn parse_within(form: &[u8], limits: &FormLimits) -> Result<Self, FormError> {
        if form.len() > limits.max_bytes {
            return Err(FormError::TooLarge { bytes: form.len(), max: limits.max_bytes });
        }
        let mut pairs = Vec::new();
        let mut offset = 0_usize;
        for pair in form.split(|&b| b == b'&') {
            let start = offset;
            offset = offset.saturating_add(pair.len()).saturating_add(1);
            if pair.is_empty() {
                continue;
            }
            if pairs.len() >= limits.max_params {
                return Err(FormError::TooManyParams { max: limits.max_params });
            }
            let index = pairs.len();
            let mut halves = pair.splitn(2, |&b| b == b'=');
            let name = halves.next().unwrap_or_default();
            let value_start = start.saturating_add(name.len()).saturating_add(1);
            let name = decode(name, start)?;
            let value = decode(halves.next().unwrap_or_default(), value_start)?;
            if name.len() > limits.max_name_bytes {
                return Err(FormError::NameTooLong { index, max: limits.max_name_bytes });
            }
            if value.len() > limits.max_value_bytes {
                return Err(FormError::ValueTooLong { index, max: limits.max_value_bytes });
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// Appends a parameter.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Returns the list with a parameter appended.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.push(name, value);
        self
    }

    /// Returns the list as a form body or query string.
    #[must_use]
    pub fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.iter()).finish()
    }

    /// Returns the pairs in the order they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the number of pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the first value of `name`, empty or not.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Returns the value of `name`, or `None` when it is absent or empty (the carrier sends what it does not know
    /// as an empty value).
    ///
    /// # Errors
    ///
    /// When the parameter has two different values, so that no reader can take one and another reader the other.
    pub fn optional(&self, name: &'static str) -> Result<Option<&str>, FieldError> {
        let mut values = self.iter().filter(|(key, _)| *key == name).map(|(_, value)| value);
        let first = values.next();
        if values.any(|other| Some(other) != first) {
            return Err(FieldError::Ambiguous { field: name });
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    /// Returns the value of `name`, which has to be there and not empty.
    pub fn required(&self, name: &'static str) -> Result<&str, FieldError> {
        self.optional(name)?.ok_or(FieldError::Missing { field: name })
    }
}

impl FromIterator<(String, String)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Decodes `+` and `%XX`; `offset` is where `bytes` stand in the form, for the error.
fn decode(bytes: &[u8], offset: usize) -> Result<String, FormError> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let at = offset.saturating_add(bytes.len().saturating_sub(tail.len())).saturating_sub(1);
                let Some((&[high, low], tail)) = tail.split_first_chunk::<2>() else {
                    return Err(FormError::PercentEncoding { at });
                };
                let (Some(high), Some(low)) = (hex_value(high), hex_value(low)) else {
                    return Err(FormError::PercentEncoding { at });
                };
                decoded.push((high << 4) | low);
                rest = tail;
            }
            byte => decoded.push(byte),
        }
    }
    match String::from_utf8(decoded) {
        Ok(text) => Ok(text),
        Err(source) => Err(FormError::NotUtf8 { near: offset, source: source.utf8_error() }),
    }
}

/// Returns the value of one hexadecimal digit.
const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Why bytes are not a form we take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The body is longer than the limit.
    #[error("form of {bytes} bytes, expected at most {max}")]
    TooLarge {
        /// Length of the body, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// There are more pairs than the limit.
    #[error("more than {max} parameters")]
    TooManyParams {
        /// The limit.
        max: usize,
    },
    /// A name is longer than the limit.
    #[error("name of parameter {index} is longer than {max} bytes")]
    NameTooLong {
        /// Which pair, from 0.
        index: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// A value is longer than the limit.
    #[error("value of parameter {index} is longer than {max} bytes")]
    ValueTooLong {
        /// Which pair, from 0.
        index: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// A `%` without two hexadecimal digits behind it.
    #[error("broken percent-encoding at byte {at}, expected '%' and two hexadecimal digits")]
    PercentEncoding {
        /// Offset of the `%`, in bytes.
        at: usize,
    },
    /// Decoded bytes that are not UTF-8.
    #[error("name or value that starts at byte {near} is not UTF-8")]
    NotUtf8 {
        /// Offset of the encoded name or value, in bytes.
        near: usize,
        /// What is wrong with it.
        #[source]
        source: std::str::Utf8Error,
    },
}

/// Why a parameter of a well-formed request is of no use. Names the parameter, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It is absent or empty.
    #[error("{field} is missing")]
    Missing {
        /// Name of the parameter.
        field: &'static str,
    },
    /// It is there twice with different values.
    #[error("{field} has two different values, expected one")]
    Ambiguous {
        /// Name of the parameter.
        field: &'static str,
    },
    /// It is not what the carrier's documentation says it is.
    #[error("{field} is not as expected: {expected}")]
    Unexpected {
        /// Name of the parameter.
        field: &'static str,
        /// What would be right.
        expected: &'static str,
    },
}

#[cfg(test)]
mod tests;
