//! The journal: each line with its fields, such as `CALL_ID`.

use log::{Level, Record};
use systemd_journal_logger::JournalLog;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Writes lines to the journal.
pub(super) struct JournalLayer {
    journal: JournalLog,
}

impl JournalLayer {
    pub(super) fn new(journal: JournalLog) -> Self {
        Self { journal }
    }
}

impl<S: Subscriber> Layer<S> for JournalLayer {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let pairs = fields.pairs.as_slice();
        let sent = self.journal.journal_send(
            &Record::builder()
                .args(format_args!("{}", fields.message))
                .level(level(*metadata.level()))
                .target(metadata.target())
                .module_path(metadata.module_path())
                .file(metadata.file())
                .line(metadata.line())
                .key_values(&pairs)
                .build(),
        );
        // A journal that is gone for a moment loses lines; there is nowhere to say so.
        drop(sent);
    }
}

/// The fields of a line as text; the journal's logger turns their names into its own, `call_id` into `CALL_ID`.
#[derive(Default)]
struct Fields {
    message: String,
    pairs: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.note(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, value.to_owned());
    }
}

impl Fields {
    fn note(&mut self, field: &Field, value: String) {
        if field.name() == "message" { self.message = value } else { self.pairs.push((field.name(), value)) }
    }
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}
