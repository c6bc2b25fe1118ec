//! From a file to a [`Config`].

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::{Config, Secret};

/// Port of MQTT without TLS (IANA).
const MQTT_PORT: u16 = 1883;
/// Port of MQTT over TLS (IANA).
const MQTTS_PORT: u16 = 8883;

/// Where the database is.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// A file of `SQLite`.
    Sqlite(PathBuf),
    /// The address of a `PostgreSQL`; it may hold a password.
    Postgres(Secret),
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
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
    /// A value that the file names is missing or wrong, or two do not go together.
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
    /// Reads `file` and the secrets it names, and checks the whole.
    ///
    /// Relative paths of the file are relative to the current folder, as with any program.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        let mut config = Self::parse(file, &text)?;
        config.check(file)?;
        Ok(config)
    }

    /// Reads a configuration from text; `file` is named in errors. Secrets are not read.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let whole = |error: &toml::de::Error| field_error(file, text, "file", error);
        let deserializer = toml::Deserializer::parse(text).map_err(|error| whole(&error))?;
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let field = error.path().to_string();
            let field = if field == "." { "file" } else { &field };
            field_error(file, text, field, error.inner())
        })
    }

    fn check(&mut self, file: &Path) -> Result<(), ConfigError> {
        let wrong = |field, expected: String| ConfigError::Value { file: file.to_owned(), field, expected };
        match (&self.broker, self.mqtt.servers.is_empty()) {
            (Some(_), true) | (None, false) => {}
            (Some(_), false) => {
                return Err(wrong("mqtt.servers", "expected none beside [broker]: there is one broker".to_owned()));
            }
            (None, true) => {
                let expected = "expected a broker, for example ['mqtts://broker.example.org'], or a table [broker]";
                return Err(wrong("mqtt.servers", expected.to_owned()));
            }
        }
        if self.mqtt.certificate.is_some() != self.mqtt.key.is_some() {
            return Err(wrong("mqtt.key", "expected a certificate and its key, or neither".to_owned()));
        }
        if self.mqtt.name.as_deref().is_some_and(|name| !is_client_name(name)) {
            return Err(wrong("mqtt.name", "expected 1 to 64 of a-z, A-Z, 0-9, '-' and '_'".to_owned()));
        }
        let secret = |path: &Option<PathBuf>, field| match path {
            Some(path) => read_secret(path).map(Some).map_err(|expected| wrong(field, expected)),
            None => Ok(None),
        };
        self.mqtt.password = secret(&self.mqtt.password_file, "mqtt.password_file")?;
        self.database.password = secret(&self.database.password_file, "database.password_file")?;
        if self.mqtt.name.is_none() {
            self.mqtt.name = Some(machine_name());
        }
        Ok(())
    }
}

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        match rest {
            Some(rest) if !rest.is_empty() => Ok(Self::Postgres(Secret::new(text))),
            // What was found is not repeated: it may hold a password.
            _ => Err("expected 'sqlite:PATH' or 'postgres://USER@HOST/NAME'"),
        }
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("'{text}': expected 'mqtt://HOST:PORT' or 'mqtts://HOST:PORT'");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (tls, default_port) = match scheme {
            "mqtt" => (false, MQTT_PORT),
            "mqtts" => (true, MQTTS_PORT),
            _ => return Err(wrong()),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_not_a_port| wrong())?)
            }
            _ => (rest, default_port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['/', '@', '?', ' ']) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }
}

impl TryFrom<String> for Server {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", if self.tls { "mqtts" } else { "mqtt" }, self.host, self.port)
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

fn field_error(file: &Path, text: &str, field: &str, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    ConfigError::Field { file: file.to_owned(), line, field: field.to_owned(), expected: error.message().to_owned() }
}

fn read_secret(file: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let secret = Secret::new(&text);
    if secret.is_empty() { Err(format!("{} is empty", file.display())) } else { Ok(secret) }
}

fn is_client_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Returns the machine's name as far as it can be part of a client id.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(64).collect();
    if name.is_empty() { "gateway".to_owned() } else { name }
}
