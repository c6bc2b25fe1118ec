//! Where log lines go: the journal under systemd, standard error otherwise; and, from a level on, the gateway.
//!
//! Lines hold no personal data: it is wrapped where it comes in (`units::Pii`) and shows as `[pii]` wherever it is
//! formatted. Lines of libraries go to the journal only, as nobody has looked at what they put into them.

mod journal;
mod tap;

use systemd_journal_logger::{JournalLog, connected_to_journal};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use self::journal::JournalLayer;
pub use self::tap::{Entry, LogControl, LogTap, Tap};

/// How lines look on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For people.
    Plain,
    /// One JSON object a line.
    Json,
}

/// Starts logging, for the whole program. `levels` is as in `KOLBOX_LOG`; one that cannot be read counts as `info`.
///
/// Under systemd, whose journal is connected to standard error, lines go to the journal with their fields; JSON is asked
/// for where something else reads them, and stays JSON. Returns where the gateway's share of the lines comes out.
pub fn start(levels: &str, style: Style) -> LogTap {
    let filter = EnvFilter::try_new(levels).unwrap_or_else(|_| EnvFilter::new("info"));
    let (tap, lines) = Tap::new();
    let registry = tracing_subscriber::registry().with(tap);
    let journal = if connected_to_journal() && style == Style::Plain { JournalLog::empty().ok() } else { None };
    let writer = std::io::stderr;
    match (journal, style) {
        (Some(journal), _) => {
            let journal = journal.with_syslog_identifier("kolbox".to_owned());
            registry.with(JournalLayer::new(journal).with_filter(filter)).init();
        }
        (None, Style::Json) => registry.with(fmt::layer().json().with_writer(writer).with_filter(filter)).init(),
        (None, Style::Plain) => {
            registry.with(fmt::layer().with_target(false).with_writer(writer).with_filter(filter)).init();
        }
    }
    lines
}
