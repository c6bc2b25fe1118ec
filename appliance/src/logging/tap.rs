//! Lines on their way to the gateway.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use protocol::{Extra, LogLevel, LogLine};
use serde_json::Value;
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines that may wait to be stored. More in one go are lost and counted.
const WAITING: usize = 256;
/// Lines kept in memory, to be sent when the gateway asks for them.
const RECENT: usize = 256;
/// The longest message, in bytes.
const MAX_MESSAGE: usize = 2_048;
/// The longest value of a field, in bytes.
const MAX_FIELD: usize = 512;
/// The most fields of a line.
const MAX_FIELDS: usize = 16;
/// What our own lines' targets begin with. Libraries may say anything.
const OURS: [&str; 10] = [
    "appliance",
    "conversation",
    "kolbox",
    "media",
    "receptionist",
    "speech",
    "speech_onnx",
    "store",
    "sync",
    "telephony",
];

/// A line and when it was logged.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The line.
    pub line: LogLine,
    /// When.
    pub at: std::time::Instant,
}

#[derive(Debug)]
struct Shared {
    /// From here on lines are sent.
    level: RwLock<LogLevel>,
    recent: Mutex<VecDeque<Entry>>,
    lost: AtomicU64,
}

/// The layer that takes lines off.
#[derive(Debug)]
pub struct Tap {
    shared: Arc<Shared>,
    lines: mpsc::Sender<Entry>,
}

/// Where they come out.
#[derive(Debug)]
pub struct LogTap {
    shared: Arc<Shared>,
    lines: mpsc::Receiver<Entry>,
}

/// Sets from which level on lines are sent, and looks at recent ones. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogControl(Arc<Shared>);

impl Tap {
    /// Makes both ends. Lines from `warn` on are sent.
    pub fn new() -> (Self, LogTap) {
        let (sender, lines) = mpsc::channel(WAITING);
        let shared = Arc::new(Shared {
            level: RwLock::new(LogLevel::Warn),
            recent: Mutex::new(VecDeque::with_capacity(RECENT)),
            lost: AtomicU64::new(0),
        });
        (Self { shared: Arc::clone(&shared), lines: sender }, LogTap { shared, lines })
    }

    /// Lines from `info` on are kept, as far as there is room, those that are sent anyway too.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let root = metadata.target().split("::").next().unwrap_or_default();
        let level = *self.shared.level.read().unwrap_or_else(PoisonError::into_inner);
        OURS.contains(&root) && of(*metadata.level()) <= level.max(LogLevel::Info)
    }
}

impl<S: Subscriber> Layer<S> for Tap {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        if !self.wants(metadata) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = LogLine {
            level: of(*metadata.level()),
            target: clipped(metadata.target(), protocol::limits::MAX_SHORT_LEN),
            message: fields.message,
            call: fields.call.and_then(|call| call.parse().ok()),
            fields: fields.others,
            extra: Extra::default(),
        };
        let entry = Entry { line, at: std::time::Instant::now() };
        let mut recent = self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= RECENT {
            recent.pop_front();
        }
        recent.push_back(entry.clone());
        drop(recent);
        let is_sent = entry.line.level <= *self.shared.level.read().unwrap_or_else(PoisonError::into_inner);
        if is_sent && self.lines.try_send(entry).is_err() {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl LogTap {
    /// Returns what sets the level.
    pub fn control(&self) -> LogControl {
        LogControl(Arc::clone(&self.shared))
    }

    /// Waits for lines and adds up to `limit` of them to `entries`; `false` when there will be no more.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped at any time; nothing is lost.
    pub async fn recv(&mut self, entries: &mut Vec<Entry>, limit: usize) -> bool {
        self.lines.recv_many(entries, limit).await > 0
    }

    /// Returns how many lines were lost since this was asked last.
    pub fn take_lost(&self) -> u64 {
        self.shared.lost.swap(0, Ordering::Relaxed)
    }
}

impl LogControl {
    /// Sets from which level on lines are sent.
    pub fn set_level(&self, level: LogLevel) {
        *self.0.level.write().unwrap_or_else(PoisonError::into_inner) = level;
    }

    /// Returns the last lines from `info` on, oldest first.
    pub fn recent(&self) -> Vec<Entry> {
        self.0.recent.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// The fields of a line, bounded.
#[derive(Default)]
struct Fields {
    message: String,
    call: Option<String>,
    others: BTreeMap<String, Value>,
}

impl Fields {
    fn note(&mut self, field: &Field, value: Value) {
        if self.others.len() < MAX_FIELDS {
            self.others.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = clipped(value, MAX_MESSAGE),
            "call_id" => self.call = Some(value.to_owned()),
            _ => self.note(field, Value::String(clipped(value, MAX_FIELD))),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.note(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.note(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.note(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.note(field, value.into());
    }
}

fn clipped(text: &str, limit: usize) -> String {
    text.get(..text.floor_char_boundary(limit)).unwrap_or_default().to_owned()
}

fn of(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

#[cfg(test)]
mod tests {
    use protocol::LogLevel;
    use tracing_subscriber::layer::SubscriberExt as _;
    use units::Pii;

    use super::{Entry, Tap, WAITING};

    #[test]
    fn warnings_of_ours_are_sent_with_their_fields_and_without_personal_data() {
        let entries = logged(LogLevel::Warn, || {
            tracing::info!("not sent");
            tracing::warn!(call_id = "CA1", from = %Pii::new("0541234567"), tries = 3, "engine failed");
            tracing::error!(target: "rumqttc", payload = "what a caller said", "a library's line");
        });
        let [entry] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!((entry.line.level, entry.line.message.as_str()), (LogLevel::Warn, "engine failed"));
        assert_eq!(entry.line.call.as_ref().map(units::CallId::as_str), Some("CA1"));
        assert_eq!((&entry.line.fields["from"], &entry.line.fields["tries"]), (&"[pii]".into(), &3.into()));
    }

    #[test]
    fn the_level_can_be_changed_and_recent_lines_looked_at() {
        let entries = logged(LogLevel::Debug, || {
            tracing::debug!("sent");
            tracing::trace!("not sent");
        });
        assert_eq!(entries.len(), 1);
        let (tap, lines) = Tap::new();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(tap), || tracing::info!("kept"));
        assert_eq!(lines.control().recent().len(), 1);
    }

    #[test]
    fn a_flood_is_bounded_and_what_is_lost_is_counted() {
        let (tap, lines) = Tap::new();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(tap), || {
            for number in 0..WAITING + 10 {
                tracing::warn!(number, "{}", "x".repeat(10_000));
            }
        });
        assert_eq!((lines.take_lost(), lines.take_lost()), (10, 0));
        assert!(lines.control().recent().iter().all(|entry| entry.line.message.len() <= super::MAX_MESSAGE));
    }

    fn logged(level: LogLevel, work: impl FnOnce()) -> Vec<Entry> {
        let (tap, mut lines) = Tap::new();
        lines.control().set_level(level);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(tap), work);
        let mut entries = Vec::new();
        while let Ok(entry) = lines.lines.try_recv() {
            entries.push(entry);
        }
        entries
    }
}
