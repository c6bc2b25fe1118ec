//! The table of the carrier's official description, and what it has against a request.

use std::collections::BTreeMap;

use carrier::request::Request;
use reqwest::Url;
use serde::Deserialize;
use telephony::Params;

const TABLE: &str = include_str!("../../../../../../tests/data/twilio-rest/constraints.toml");

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) server: String,
    pub(super) operations: BTreeMap<String, Operation>,
}

/// One operation of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operation {
    method: String,
    path: String,
    file: Option<String>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    one_of: Vec<Vec<String>>,
    #[serde(default)]
    excludes: Vec<Vec<String>>,
    #[serde(default)]
    needs: Vec<[String; 2]>,
    #[serde(default)]
    phones: Vec<[String; 2]>,
    #[serde(default)]
    query: BTreeMap<String, Field>,
    #[serde(default)]
    fields: BTreeMap<String, Field>,
    pub(super) answer: Success,
}

/// What answers when it is done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Success {
    pub(super) status: u16,
    pub(super) sid: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    kind: Form,
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    spaced: bool,
    letters: Option<String>,
    prefix: Option<String>,
    min: Option<u64>,
    max: Option<u64>,
    #[serde(default)]
    hostname: bool,
    #[serde(default)]
    repeats: bool,
    most: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    Text,
    Uri,
    Endpoint,
    Caller,
    Phone,
    Integer,
    Number,
    Boolean,
    Words,
    Sid,
    Time,
    Json,
}

/// Returns the table.
pub(super) fn table() -> Table {
    toml::from_str(TABLE).unwrap()
}

/// Returns what the description has against a request.
pub(super) fn check_request(request: &Request) -> Result<(), String> {
    check(&format!("{:?}", request.kind()), request.method().as_str(), request.path(), request.form())
}

/// Returns what the description has against a request of that kind.
pub(super) fn check(kind: &str, method: &str, path: &str, form: &Params) -> Result<(), String> {
    table().operations.get(kind).ok_or("no such operation")?.check(method, path, form)
}

impl Operation {
    fn check(&self, method: &str, path: &str, form: &Params) -> Result<(), String> {
        if self.method != method {
            return Err(format!("method {method}"));
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if !self.fits_path(path) {
            return Err(format!("path {path}"));
        }
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        check_values(&self.query, pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))))?;
        self.check_presence(form)?;
        check_values(&self.fields, form.iter())
    }

    fn check_presence(&self, form: &Params) -> Result<(), String> {
        let has = |name: &String| form.first(name).is_some();
        if let Some(missing) = self.required.iter().find(|name| !has(name)) {
            return Err(format!("{missing} is missing"));
        }
        if let Some(none) = self.one_of.iter().find(|names| !names.iter().any(has)) {
            return Err(format!("one of {none:?} is missing"));
        }
        if let Some(both) = self.excludes.iter().find(|names| names.iter().filter(|name| has(name)).count() > 1) {
            return Err(format!("{both:?} exclude each other"));
        }
        if let Some([name, needed]) = self.needs.iter().find(|[name, needed]| has(name) && !has(needed)) {
            return Err(format!("{name} needs {needed}"));
        }
        let phone = |name: &String| form.first(name).is_some_and(is_phone);
        match self.phones.iter().find(|[name, other]| phone(name) && !phone(other)) {
            Some([name, other]) => Err(format!("{other} is no telephone number, but {name} is")),
            None => Ok(()),
        }
    }

    fn fits_path(&self, path: &str) -> bool {
        let (stem, _) = self.path.rsplit_once(".json").unwrap();
        let pattern = format!("{stem}{}", self.file.as_deref().unwrap_or(".json"));
        let pairs: Vec<_> = pattern.split('/').zip(path.split('/')).collect();
        pattern.split('/').count() == path.split('/').count()
            && pairs.iter().all(|(pattern, part)| {
                match pattern.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                    None => pattern == part,
                    Some((kinds, end)) => part.strip_suffix(end).is_some_and(|name| is_sid(kinds, name)),
                }
            })
    }

    /// Returns the names that stand in rules, and whether each is a field.
    pub(super) fn ruled(&self) -> impl Iterator<Item = (&str, bool)> {
        let lists = self.one_of.iter().chain(&self.excludes).flatten();
        let pairs = self.needs.iter().chain(&self.phones).flatten();
        let names = self.required.iter().chain(lists).chain(pairs);
        names.map(|name| (name.as_str(), self.fields.contains_key(name)))
    }
}

fn check_values<'a>(
    fields: &BTreeMap<String, Field>,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), String> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, value) in pairs {
        let Some(field) = fields.get(name) else { return Err(format!("{name} is not known")) };
        let count = seen.entry(name).or_default();
        *count += 1;
        if *count > 1 && !field.repeats || *count > field.most.unwrap_or(usize::MAX) {
            return Err(format!("{name} comes {count} times"));
        }
        if !field.takes(value) {
            return Err(format!("{name} is not {field:?}"));
        }
    }
    Ok(())
}

impl Field {
    fn takes(&self, value: &str) -> bool {
        let is_short = self.max.is_none_or(|max| value.chars().count() as u64 <= max);
        let is_word = |value: &str| self.words.iter().any(|word| word == value);
        let is_named =
            |kinds: &[&str]| kinds.iter().any(|kind| value.strip_prefix(kind).is_some_and(|n| !n.is_empty()));
        match self.kind {
            Form::Text => {
                is_short && self.letters.as_ref().is_none_or(|known| value.chars().all(|c| known.contains(c)))
            }
            Form::Uri => is_short && self.takes_uri(value),
            Form::Endpoint => is_phone(value) || is_named(&["client:", "sip:"]),
            Form::Caller => is_phone(value) || is_named(&["client:"]),
            Form::Phone => is_phone(value.strip_prefix("whatsapp:").unwrap_or(value)),
            Form::Integer => value.parse::<u64>().is_ok_and(|number| {
                self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
            }),
            Form::Number => value.parse::<f64>().is_ok_and(f64::is_finite),
            Form::Boolean => ["true", "false"].contains(&value),
            Form::Words if self.spaced => value.split(' ').all(is_word),
            Form::Words => is_word(value),
            Form::Sid => is_sid(self.prefix.as_deref().unwrap(), value),
            Form::Time => is_time(value),
            Form::Json => serde_json::from_str::<serde_json::Map<_, _>>(value).is_ok(),
        }
    }

    fn takes_uri(&self, value: &str) -> bool {
        let Ok(url) = Url::parse(value) else { return false };
        let host = url.host_str().unwrap_or_default();
        let is_web = ["http", "https"].contains(&url.scheme()) && !host.is_empty();
        is_web && !(self.hostname && host.contains('_')) && !value.contains(char::is_whitespace)
    }
}

/// Returns whether this is a name of one of these kinds, which stand with `|` between.
fn is_sid(kinds: &str, text: &str) -> bool {
    kinds.split('|').any(|kind| {
        let rest = text.strip_prefix(kind).unwrap_or_default();
        rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (2..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether this is a moment of ISO 8601, in UTC.
fn is_time(text: &str) -> bool {
    let shape = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    text.bytes().map(shape).eq("0000-00-00T00:00:00Z".bytes())
}
