//! Figures for `/metrics`, in Prometheus' text format. No label ever carries a device's name or personal data.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::ingest::commit::Counts;

/// Upper bounds of a transaction's duration, in seconds.
const COMMIT_BUCKETS: [f64; 10] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Upper bounds of a transaction's messages.
const BATCH_BUCKETS: [f64; 8] = [1.0, 4.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Every figure the gateway counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Messages taken from the broker.
    pub messages: Counter,
    /// Events stored.
    pub stored: Counter,
    /// Events that were there before.
    pub duplicates: Counter,
    /// Events left to the device to send again, because their stream has too many holes.
    pub deferred: Counter,
    /// Messages and events set aside.
    pub quarantined: Counter,
    /// Numbers recorded as lost.
    pub lost: Counter,
    /// Messages that cannot be used, by cause.
    pub refused: Family<ReasonLabel, Counter>,
    /// Watermarks published.
    pub watermarks: Counter,
    /// Transactions that failed and were tried again.
    pub retries: Counter,
    /// Seconds a transaction took.
    pub commit_seconds: Histogram,
    /// Messages in a transaction.
    pub commit_messages: Histogram,
    /// Workers connected to a broker now.
    pub workers_connected: Gauge,
    /// Requests to the API, by what became of them.
    pub requests: Family<StatusLabel, Counter>,
    /// Readers that follow changes live now.
    pub followers: Gauge,
    /// Readers cut off because they read too slowly.
    pub followers_cut: Counter,
}

/// A single label with a reason out of a closed list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// The reason.
    pub reason: &'static str,
}

/// A single label with the status of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StatusLabel {
    /// The status code.
    pub status: u16,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Makes all figures, at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("kolbox_gateway"),
            messages: Counter::default(),
            stored: Counter::default(),
            duplicates: Counter::default(),
            deferred: Counter::default(),
            quarantined: Counter::default(),
            lost: Counter::default(),
            refused: Family::default(),
            watermarks: Counter::default(),
            retries: Counter::default(),
            commit_seconds: Histogram::new(COMMIT_BUCKETS),
            commit_messages: Histogram::new(BATCH_BUCKETS),
            workers_connected: Gauge::default(),
            requests: Family::default(),
            followers: Gauge::default(),
            followers_cut: Counter::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let Self { registry, .. } = self;
        registry.register("messages", "Messages taken from the broker", self.messages.clone());
        registry.register("events_stored", "Events stored", self.stored.clone());
        registry.register("events_duplicate", "Events that were there before", self.duplicates.clone());
        registry.register("events_deferred", "Events left to the device to send again", self.deferred.clone());
        registry.register("quarantined", "Messages and events set aside", self.quarantined.clone());
        registry.register("events_lost", "Numbers recorded as lost", self.lost.clone());
        registry.register("messages_refused", "Messages that cannot be used, by cause", self.refused.clone());
        registry.register("watermarks", "Watermarks published", self.watermarks.clone());
        registry.register("commit_retries", "Transactions tried again", self.retries.clone());
        registry.register("commit_seconds", "Seconds a transaction took", self.commit_seconds.clone());
        registry.register("commit_messages", "Messages in a transaction", self.commit_messages.clone());
        registry.register("workers_connected", "Workers connected now", self.workers_connected.clone());
        registry.register("requests", "Requests to the API, by status", self.requests.clone());
        registry.register("followers", "Readers of live changes now", self.followers.clone());
        registry.register("followers_cut", "Readers cut off because they read too slowly", self.followers_cut.clone());
    }

    /// Adds what a transaction did.
    pub fn count(&self, counts: &Counts) {
        self.stored.inc_by(counts.stored);
        self.duplicates.inc_by(counts.duplicates);
        self.deferred.inc_by(counts.deferred);
        self.quarantined.inc_by(counts.quarantined);
        self.lost.inc_by(counts.lost);
    }

    /// Returns all figures as text.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
