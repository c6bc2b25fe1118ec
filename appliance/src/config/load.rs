//! From a file and the environment to a [`Config`].

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use calendar::WeeklyHours;
use jiff::tz::TimeZone;
use receptionist::online::{Hours, Opening};
use serde::{Deserialize as _, Deserializer};

use super::{Config, Secret};

/// Most keys that sign webhooks at once.
const MAX_AUTH_TOKENS: usize = 2;

/// Variables the box listens to. Taken once at start, so that nothing else reads the environment.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `CREDENTIALS_DIRECTORY`: where systemd puts credentials.
    pub credentials_directory: Option<PathBuf>,
    /// `KOLBOX_TWILIO_AUTH_TOKEN`: a key that signs webhooks, for development.
    pub twilio_auth_token: Option<Secret>,
    /// `KOLBOX_TWILIO_API_KEY_SECRET`: the secret of the key that signs in to the carrier's REST interface.
    pub twilio_api_key_secret: Option<Secret>,
    /// `OPENAI_API_KEY`.
    pub openai_api_key: Option<Secret>,
    /// `GOOGLE_APPLICATION_CREDENTIALS`: the file of a service account.
    pub google_application_credentials: Option<PathBuf>,
    /// `GCP_CREDENTIALS_JSON` or `GOOGLE_TTS_SA_JSON`: a service account itself.
    pub google_credentials_json: Option<Secret>,
    /// `KOLBOX_CRM_SECRET`: what signs deliveries to the CRM.
    pub crm_secret: Option<Secret>,
    /// `ORT_DYLIB_PATH`: ONNX Runtime's shared library.
    pub ort_dylib_path: Option<PathBuf>,
}

impl Environment {
    /// Reads the process's own variables.
    #[expect(clippy::disallowed_methods, reason = "this is the configuration module")]
    pub fn of_process() -> Self {
        let path = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let secret = |name: &str| std::env::var(name).ok().map(|text| Secret::new(&text));
        Self {
            credentials_directory: path("CREDENTIALS_DIRECTORY"),
            twilio_auth_token: secret("KOLBOX_TWILIO_AUTH_TOKEN"),
            twilio_api_key_secret: secret("KOLBOX_TWILIO_API_KEY_SECRET"),
            openai_api_key: secret("OPENAI_API_KEY"),
            google_application_credentials: path("GOOGLE_APPLICATION_CREDENTIALS"),
            google_credentials_json: secret("GCP_CREDENTIALS_JSON").or_else(|| secret("GOOGLE_TTS_SA_JSON")),
            crm_secret: secret("KOLBOX_CRM_SECRET"),
            ort_dylib_path: path("ORT_DYLIB_PATH"),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read; give the path with --config", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A field is wrong.
    #[error("{}:{line}: {field}: {expected}", file.display())]
    Field {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The field with its tables, dotted; `file` when the file as a whole is not TOML.
        field: String,
        /// What was found and what was expected.
        expected: String,
    },
    /// A value that the file names, or leaves to the environment, is missing or wrong.
    #[error("{}: {field}: {expected}", file.display())]
    Value {
        /// The file.
        file: PathBuf,
        /// The field with its tables, dotted.
        field: &'static str,
        /// What was found and what was expected.
        expected: String,
    },
}

impl Config {
    /// Reads `file`, adds what the environment says and checks the whole.
    ///
    /// Relative paths of the file are relative to the current folder, as with any program.
    pub fn load(file: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        let mut config = Self::parse(file, &text)?;
        config.apply(file, environment)?;
        Ok(config)
    }

    /// Reads a configuration from text; `file` is named in errors.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let whole = |error: &toml::de::Error| field_error(file, text, "file", error);
        let deserializer = toml::Deserializer::parse(text).map_err(|error| whole(&error))?;
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let field = error.path().to_string();
            let field = if field == "." { "file" } else { &field };
            field_error(file, text, field, error.inner())
        })
    }

    fn apply(&mut self, file: &Path, environment: &Environment) -> Result<(), ConfigError> {
        let wrong = |field, expected: String| ConfigError::Value { file: file.to_owned(), field, expected };
        if let Some(path) = &environment.ort_dylib_path {
            self.recognizer.onnxruntime.clone_from(path);
        }
        self.carrier.apply(environment).map_err(|(field, expected)| wrong(field, expected))?;
        let endpointing = &self.conversation.endpointing;
        if endpointing.min_delay > endpointing.max_delay {
            let expected = "expected at most conversation.endpointing.max_delay".to_owned();
            return Err(wrong("conversation.endpointing.min_delay", expected));
        }
        for (field, limit) in [
            ("http.header_read_timeout", self.http.header_read_timeout),
            ("http.keep_alive_timeout", self.http.keep_alive_timeout),
        ] {
            if limit.is_zero() {
                return Err(wrong(field, "expected more than 0s".to_owned()));
            }
        }
        if let Some(origin) = self.http.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            let expected = format!("'{origin}': expected an origin such as 'https://office.example.org'");
            return Err(wrong("http.allowed_origins", expected));
        }
        self.openai.apply(environment);
        self.google.apply(environment);
        self.crm.apply(environment);
        self.crm.check().map_err(|(field, expected)| wrong(field, expected))?;
        self.messages.apply(environment);
        self.messages.check().map_err(|(field, expected)| wrong(field, expected))?;
        self.weather.check(&self.conversation.patience).map_err(|(field, expected)| wrong(field, expected))?;
        self.sync.check().map_err(|(field, expected)| wrong(field, expected))
    }
}

/// Reads a value written as text, by its own parser.
pub(super) fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// Reads the hours that callers are told. Without any they are not known.
pub(super) fn opening_hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hours, D::Error> {
    let hours = WeeklyHours::deserialize(deserializer)?;
    if !hours.is_given() {
        return Ok(Hours::default());
    }
    let days = hours.openings("hours").map_err(|error| {
        let day = error.field.trim_start_matches("hours.");
        serde::de::Error::custom(format!("{day}: expected {}", error.expected))
    })?;
    let told = |read: calendar::Opening| Opening { from: read.from, to: read.to };
    Ok(Hours::new(days.map(|day| day.into_iter().map(told).collect())))
}

/// Reads the name of a time zone, as the IANA database has them.
pub(super) fn time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TimeZone>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let found = TimeZone::get(&name).map_err(|_unknown| {
        let expected = &"a time zone of the IANA database, such as \"Asia/Jerusalem\"";
        serde::de::Error::invalid_value(serde::de::Unexpected::Str(&name), expected)
    })?;
    Ok(Some(found))
}

fn field_error(file: &Path, text: &str, field: &str, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    ConfigError::Field { file: file.to_owned(), line, field: field.to_owned(), expected: error.message().to_owned() }
}

pub(super) fn read_auth_tokens(files: &[PathBuf], environment: &Environment) -> Result<Vec<Secret>, String> {
    let mut tokens = Vec::new();
    for file in files {
        tokens.push(read_secret(file)?);
    }
    if tokens.is_empty()
        && let Some(directory) = &environment.credentials_directory
    {
        for name in ["twilio_auth_token", "twilio_auth_token_next"] {
            let file = directory.join(name);
            if file.exists() {
                tokens.push(read_secret(&file)?);
            }
        }
    }
    if tokens.is_empty() {
        tokens.extend(environment.twilio_auth_token.clone());
    }
    if tokens.iter().any(Secret::is_empty) {
        return Err("expected a key, found an empty one".to_owned());
    }
    match tokens.len() {
        0 => Err("no key to check webhooks with; name a file that holds the carrier's auth token, or set \
                  KOLBOX_TWILIO_AUTH_TOKEN"
            .to_owned()),
        1..=MAX_AUTH_TOKENS => Ok(tokens),
        more => Err(format!("expected at most {MAX_AUTH_TOKENS} keys, found {more}")),
    }
}

fn read_secret(file: &Path) -> Result<Secret, String> {
    std::fs::read_to_string(file)
        .map(|text| Secret::new(&text))
        .map_err(|error| format!("cannot read {}: {error}", file.display()))
}

fn is_origin(origin: &str) -> bool {
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', ' ', '*']))
}
