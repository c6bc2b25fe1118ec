//! Configuration: one file, then the environment, then flags. The only reader of files and variables.
//!
//! Everything is parsed into types that cannot be wrong, before anything is bound or opened. What is wrong is
//! named with file, line, field and what was expected ([`ConfigError`]), and ends the program with exit code 64.

mod calls;
mod carrier;
pub mod cloud;
mod crm;
mod load;
mod messages;
mod recording;
mod secret;
mod sync;
mod voicemail;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use conversation::{GreetingMode, StreamWatchdog};
use jiff::tz::TimeZone;
use receptionist::online::Hours;
use serde::Deserialize;
use telephony::PublicUrl;
use units::Pii;

pub use self::calls::{CallBacks, Callers, Transfer, TransferWhen};
pub use self::cloud::{Brain, Credential, Dollars, EngineName, Google, OpenAi, Prices, Weather};
pub use self::crm::{Crm, Receiver};
pub use self::load::{ConfigError, Environment};
pub use self::messages::{MessageTemplate, Messages, Meta, NoticeKind};
pub use self::recording::Recording;
pub use self::secret::Secret;
pub use self::sync::Sync;
pub use self::voicemail::Voicemail;

/// Exit code for wrong usage or configuration (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Everything the box can be told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the box listens and how it is reached.
    pub http: Http,
    /// The telephone carrier.
    pub carrier: Carrier,
    /// The office.
    #[serde(default)]
    pub office: Office,
    /// When the office is open, and who takes calls then. Default: the receptionist, at any time.
    #[serde(default)]
    pub calendar: Option<calendar::Config>,
    /// How callers are put through to a person.
    #[serde(default)]
    pub transfer: Transfer,
    /// Who is not wanted.
    #[serde(default)]
    pub callers: Callers,
    /// How customers are called who asked for it.
    #[serde(default)]
    pub call_backs: CallBacks,
    /// The first thing a caller hears.
    #[serde(default)]
    pub greeting: Greeting,
    /// Language and turn taking: the fields of [`conversation::Config`]. Durations are written as `"600ms"` or `"6s"`.
    #[serde(default)]
    pub conversation: conversation::Config,
    /// Hearing.
    #[serde(default)]
    pub recognizer: Recognizer,
    /// Speaking.
    #[serde(default)]
    pub synthesizer: Synthesizer,
    /// Messages callers leave.
    #[serde(default)]
    pub voicemail: Voicemail,
    /// Recordings of whole calls.
    #[serde(default)]
    pub recording: Recording,
    /// Where everything is kept.
    #[serde(default)]
    pub store: Store,
    /// OpenAI's credentials and models.
    #[serde(default)]
    pub openai: OpenAi,
    /// Google's credentials and voices.
    #[serde(default)]
    pub google: Google,
    /// A language model on the office's own network.
    #[serde(default)]
    pub brain: Brain,
    /// Who serves a turn: the cloud or this device.
    #[serde(default)]
    pub weather: Weather,
    /// The office's CRM, which is told of each change of a lead.
    #[serde(default)]
    pub crm: Crm,
    /// Text messages over `WhatsApp` and SMS.
    #[serde(default)]
    pub messages: Messages,
    /// The link to the gateway.
    #[serde(default)]
    pub sync: Sync,
    /// How much is accepted.
    #[serde(default)]
    pub limits: Limits,
}

/// Where the box listens and how it is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address and port to listen on. Default `127.0.0.1:8080`; port 0 takes a free one.
    #[serde(default = "Http::default_listen")]
    pub listen: SocketAddr,
    /// The address the carrier calls, exactly as configured there, for example `https://office.example.org`.
    /// Signatures are checked against it, never against what a proxy says.
    #[serde(deserialize_with = "load::from_text")]
    pub public_url: PublicUrl,
    /// Web pages of other origins that may read `/healthz`, `/readyz` and `/version`. Default none.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Time for the whole head of a request: from the opening of the connection, or from the first byte of a later
    /// request on it. Above zero. Default 10 s: a carrier or a tunnel sends it at once.
    #[serde(with = "humantime_serde", default = "Http::default_header_read_timeout")]
    pub header_read_timeout: Duration,
    /// Time for the next request to begin on a connection that is kept alive. Above zero. Default 150 s: longer than
    /// the usual tunnels and proxies keep an idle connection (90 s and 120 s), so that they let go first and never send a
    /// webhook into a connection that is being closed.
    #[serde(with = "humantime_serde", default = "Http::default_keep_alive_timeout")]
    pub keep_alive_timeout: Duration,
}

impl Http {
    const fn default_header_read_timeout() -> Duration {
        Duration::from_secs(10)
    }

    const fn default_keep_alive_timeout() -> Duration {
        Duration::from_secs(150)
    }

    fn default_listen() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 8080))
    }
}

/// The telephone carrier.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carrier {
    /// The account, `AC` and 32 hexadecimal digits. Webhooks of another account are refused. Needed for REST
    /// calls too; without it the watchdog and the fetching of recordings are disabled.
    #[serde(default)]
    pub account_sid: Option<String>,
    /// Files with the keys that sign webhooks, one key each; at most two are active at once, so that a key can be
    /// changed without losing a call. Default: the systemd credential `twilio_auth_token` (and
    /// `twilio_auth_token_next`), else the variable `KOLBOX_TWILIO_AUTH_TOKEN`.
    #[serde(default)]
    pub auth_token_files: Vec<PathBuf>,
    /// An API key (`SK…`) that signs in to the carrier's REST interface in place of the auth token: it can be taken back
    /// without touching what signs webhooks. Default none: the account and its first auth token sign in.
    #[serde(default)]
    pub api_key_sid: Option<String>,
    /// The file with that key's secret. Default: the systemd credential `twilio_api_key_secret`, else the variable
    /// `KOLBOX_TWILIO_API_KEY_SECRET`.
    #[serde(default)]
    pub api_key_secret_file: Option<PathBuf>,
    /// Where the carrier's REST interface is: HTTPS, or HTTP on this machine. Default: by `region` and `edge`.
    #[serde(default)]
    pub api_url: String,
    /// The region that keeps the account's data, such as `ie1`. Default none, which is the carrier's `us1`.
    #[serde(default)]
    pub region: Option<String>,
    /// The edge where requests enter the carrier's network, such as `dublin`. Default none: the carrier's own choice.
    #[serde(default)]
    pub edge: Option<String>,
    /// Whether the media stream's handshake must carry a signature (`required`), or is checked when it carries
    /// one and let in by its one-time token otherwise (`when-present`, the default: not every carrier region is
    /// known to sign it).
    #[serde(default)]
    pub stream_signature: StreamSignature,
    /// Time from the end of the greeting until the media stream must have started; then the call is sent to
    /// voicemail. Default 6 s.
    #[serde(with = "humantime_serde", default = "Carrier::default_stream_start")]
    pub stream_start: Duration,
    /// The keys themselves, filled in when the configuration is loaded; never read from the file.
    #[serde(skip)]
    pub auth_tokens: Vec<Secret>,
    /// The API key's secret, filled in when the configuration is loaded; never read from the file.
    #[serde(skip)]
    pub api_key_secret: Option<Secret>,
}

impl Carrier {
    const fn default_stream_start() -> Duration {
        StreamWatchdog::LIMIT
    }
}

/// What is asked of the media stream's handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamSignature {
    /// A signature is checked where there is one; the one-time token is needed anyway.
    #[default]
    WhenPresent,
    /// A handshake without a signature is refused.
    Required,
}

/// The office.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Office {
    /// The form to fill, a TOML file as in `appliance/forms/`. Default: the built-in plain office.
    pub form: Option<PathBuf>,
    /// The telephone number of a person, in E.164, to whom callers are put through who ask for one. Default none:
    /// they are asked for a message.
    pub transfer_number: Option<Pii<String>>,
    /// When the office is open, by day: `sunday = ["09:00-13:00", "16:00-19:00"]`, written as in `[calendar.hours]` and
    /// read by the same reader ([`calendar::WeeklyHours`]). The language model tells callers who ask; who takes a call is
    /// decided by `[calendar]` alone. Default none: nobody knows.
    #[serde(deserialize_with = "load::opening_hours")]
    pub hours: Hours,
    /// How the language model is to sound, in a few words: `"warm and brief"`. Default none.
    pub tone: Option<String>,
    /// What else callers may be told: address, services, parking. Default none.
    pub about: Option<String>,
    /// The office's time zone. Default `Asia/Jerusalem`.
    #[serde(deserialize_with = "load::time_zone")]
    pub timezone: Option<TimeZone>,
}

impl Office {
    /// Returns the office's time zone.
    pub fn time_zone(&self) -> TimeZone {
        let default = || TimeZone::get("Asia/Jerusalem").ok();
        self.timezone.clone().or_else(default).unwrap_or(TimeZone::UTC)
    }
}

/// The first thing a caller hears.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Greeting {
    /// Whether the carrier plays the greeting before the stream (`play`, the default) or the box speaks it over
    /// the stream, where it can be interrupted (`stream`).
    pub mode: GreetingMode,
    /// A folder with the owner's own recordings, `greeting_he.wav`, `fallback_en.wav` and so on; they take the
    /// place of the spoken ones.
    pub recordings: Option<PathBuf>,
}

/// Hearing.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recognizer {
    /// Folder of the Whisper model. Default: `models/receptionist-mini` beside the program's data.
    pub model: PathBuf,
    /// ONNX Runtime's shared library. Default: the variable `ORT_DYLIB_PATH`, else
    /// `.setup/onnxruntime/libonnxruntime.so`.
    pub onnxruntime: PathBuf,
    /// Recognitions at once. Default 1: another core is left for the calls themselves.
    pub workers: NonZeroUsize,
    /// Threads within one recognition. Default 1.
    pub threads: NonZeroUsize,
    /// Recognitions waiting at most; when full, a call falls to voicemail instead of waiting. Default 8.
    pub queue: NonZeroUsize,
}

impl Default for Recognizer {
    fn default() -> Self {
        Self {
            model: PathBuf::from("models/receptionist-mini"),
            onnxruntime: PathBuf::from(".setup/onnxruntime/libonnxruntime.so"),
            workers: NonZeroUsize::MIN,
            threads: NonZeroUsize::MIN,
            queue: NonZeroUsize::MIN.saturating_add(7),
        }
    }
}

/// Speaking.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Synthesizer {
    /// The speech program. Default `espeak-ng`.
    pub program: PathBuf,
    /// The Hebrew diacritiser. Default `.setup/nakdimon/nakdimon.onnx`.
    pub nakdimon: PathBuf,
    /// Sentences spoken at once. Default 2.
    pub workers: NonZeroUsize,
    /// Sentences waiting at most. Default 32.
    pub queue: NonZeroUsize,
    /// Time to the first audio of a sentence, after which the program is killed. Default 2 s.
    #[serde(with = "humantime_serde")]
    pub first_audio: Duration,
    /// Bytes of rendered sentences kept on disk. Default 32 MiB.
    pub cache_bytes: u64,
}

impl Default for Synthesizer {
    fn default() -> Self {
        Self {
            program: PathBuf::from("espeak-ng"),
            nakdimon: PathBuf::from(".setup/nakdimon/nakdimon.onnx"),
            workers: NonZeroUsize::MIN.saturating_add(1),
            queue: NonZeroUsize::MIN.saturating_add(31),
            first_audio: Duration::from_secs(2),
            cache_bytes: 32 * 1024 * 1024,
        }
    }
}

/// Where everything is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// The folder. Default `var/kolbox`.
    pub path: PathBuf,
    /// Whether call logs hold the caller's audio, 8 kB a second, so that recognition can be replayed as well as
    /// decisions. Default no.
    pub log_audio: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self { path: PathBuf::from("var/kolbox"), log_audio: false }
    }
}

/// How much is accepted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls at once; one more is sent to voicemail. Default 50.
    pub calls: NonZeroUsize,
    /// Connections at once, media streams aside, which `calls` limits. When all are taken, the one that is waited on
    /// longest for a request makes room; when all work on a request, one more is refused at once. Default 512: with
    /// streams and files below the 1,024 descriptors a program usually has, and at most 32 MiB of requests' heads.
    pub connections: NonZeroUsize,
    /// Requests of one address per second, on average. Default 50; bursts of twice as many pass.
    pub requests_per_second: NonZeroU32,
    /// Largest body of a request in bytes. Default 65,536, what the carrier itself allows for a document.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: NonZeroUsize::MIN.saturating_add(49),
            connections: NonZeroUsize::MIN.saturating_add(511),
            requests_per_second: NonZeroU32::MIN.saturating_add(49),
            body_bytes: 64 * 1024,
        }
    }
}

#[cfg(test)]
mod tests;
