//! Figures for `/metrics`, in Prometheus' text format. No label ever carries personal data or a call's name.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use weather::{Outcome, Stage};

/// Upper bounds of the latency histograms, in seconds: fine around the targets of 0.15, 0.4 and 0.8.
const LATENCY_BUCKETS: [f64; 12] = [0.005, 0.02, 0.05, 0.1, 0.15, 0.25, 0.4, 0.6, 0.8, 1.2, 2.0, 5.0];

/// Upper bounds of what a call costs, in dollars.
const DOLLAR_BUCKETS: [f64; 6] = [0.0, 0.001, 0.005, 0.02, 0.1, 0.5];

/// Every figure the box counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Requests to webhooks, by route and by what became of them.
    pub webhooks: Family<WebhookLabels, Counter>,
    /// Requests over the rate limit.
    pub rate_limited: Counter,
    /// Connections open now, media streams aside.
    pub connections_open: Gauge,
    /// Connections the box closed, by reason: `header_timeout`, `keep_alive_timeout`, `stalled`, `shed` to make room
    /// for another, `refused` for want of room.
    pub connections_closed: Family<ReasonLabel, Counter>,
    /// Media streams refused at the handshake, by reason.
    pub streams_refused: Family<ReasonLabel, Counter>,
    /// Frames of media streams ignored, by reason.
    pub frames_ignored: Family<ReasonLabel, Counter>,
    /// Calls on the line now.
    pub calls_active: Gauge,
    /// Calls ended, by how.
    pub calls: Family<ReasonLabel, Counter>,
    /// Calls that ended in a bug of ours, caught.
    pub calls_panicked: Counter,
    /// Seconds of a turn's stages, by stage.
    pub turn_seconds: Family<StageLabel, Histogram>,
    /// Speech starts to `clear` sent, in seconds of audio.
    pub clear_seconds: Histogram,
    /// Speech jobs refused because the queue was full, by engine.
    pub busy: Family<ReasonLabel, Counter>,
    /// Messages taken.
    pub voicemails: Counter,
    /// Messages fetched from the carrier, kept and looked at for speech.
    pub messages_fetched: Counter,
    /// Text messages and statuses, by what was made of them.
    pub text_messages: Family<ReasonLabel, Counter>,
    /// Text messages that wait: to be sent, and to be answered.
    pub text_messages_waiting: Family<ReasonLabel, Gauge>,
    /// Times the stream watchdog sent a call to voicemail.
    pub watchdog: Counter,
    /// Media streams that began: calls answered.
    pub calls_answered: Counter,
    /// Whether the gateway's broker is connected.
    pub sync_up: Gauge,
    /// Events the gateway does not have, by stream.
    pub outbox_events: Family<StreamLabel, Gauge>,
    /// Bytes they take on the disk, by stream.
    pub outbox_bytes: Family<StreamLabel, Gauge>,
    /// Events lost before they were sent, by stream.
    pub outbox_lost: Family<StreamLabel, Gauge>,
    /// Requests to engines, by stage, engine and what became of them: `worked`, `abandoned`, or the kind of failure.
    pub engine_requests: Family<EngineLabels, Counter>,
    /// Whether an engine's breaker is open, so that it is not asked for now, by stage and engine.
    pub engine_open: Family<EngineLabel, Gauge>,
    /// Dollars spent since the start, by engine.
    pub spent_dollars: Family<SpenderLabel, Counter<f64, AtomicU64>>,
    /// Dollars a call cost.
    pub call_dollars: Histogram,
    /// Whether what is said on every call was rendered.
    pub prompts_rendered: Gauge,
    /// Changes of leads that the CRM has taken.
    pub crm_delivered: Counter,
    /// Tries to deliver that came to nothing, by reason: `refused`, `unreachable`.
    pub crm_failed: Family<ReasonLabel, Counter>,
    /// Changes of leads that the CRM does not have.
    pub crm_waiting: Gauge,
    /// Age of the change that is delivered next, in seconds.
    pub crm_oldest_seconds: Gauge,
    /// Unix time of the start, in seconds.
    pub started: Gauge<f64, AtomicU64>,
}

/// Labels of a webhook request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WebhookLabels {
    /// The last part of the path.
    pub route: &'static str,
    /// `ok`, `unsigned`, `bad_signature`, `bad_method`, `bad_form`, `bad_account`, `duplicate` or `failed`.
    pub outcome: &'static str,
}

/// Labels of a request to an engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EngineLabels {
    /// The stage.
    pub stage: String,
    /// The engine.
    pub engine: String,
    /// What became of it.
    pub outcome: String,
}

/// Labels of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EngineLabel {
    /// The stage.
    pub stage: String,
    /// The engine.
    pub engine: String,
}

/// A single label with an engine that costs money.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SpenderLabel {
    /// The engine.
    pub engine: String,
}

/// A single label with a reason out of a closed list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    /// The reason.
    pub reason: &'static str,
}

/// A single label with a stream of events.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StreamLabel {
    /// The stream's name on the wire.
    pub stream: &'static str,
}

/// A single label with the stage of a turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StageLabel {
    /// The stage, in the words of the field: `end_of_turn`, `transcript`, `reply`, `first_audio`.
    pub stage: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Makes all figures, at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("kolbox");
        let metrics = Self {
            webhooks: Family::default(),
            rate_limited: Counter::default(),
            connections_open: Gauge::default(),
            connections_closed: Family::default(),
            streams_refused: Family::default(),
            frames_ignored: Family::default(),
            calls_active: Gauge::default(),
            calls: Family::default(),
            calls_panicked: Counter::default(),
            turn_seconds: Family::new_with_constructor(latency_histogram),
            clear_seconds: latency_histogram(),
            busy: Family::default(),
            voicemails: Counter::default(),
            messages_fetched: Counter::default(),
            text_messages: Family::default(),
            text_messages_waiting: Family::default(),
            watchdog: Counter::default(),
            calls_answered: Counter::default(),
            sync_up: Gauge::default(),
            outbox_events: Family::default(),
            outbox_bytes: Family::default(),
            outbox_lost: Family::default(),
            engine_requests: Family::default(),
            engine_open: Family::default(),
            spent_dollars: Family::default(),
            call_dollars: Histogram::new(DOLLAR_BUCKETS),
            prompts_rendered: Gauge::default(),
            crm_delivered: Counter::default(),
            crm_failed: Family::default(),
            crm_waiting: Gauge::default(),
            crm_oldest_seconds: Gauge::default(),
            started: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("webhooks", "Webhook requests by route and outcome", metrics.webhooks.clone());
        registry.register("rate_limited", "Requests over the rate limit", metrics.rate_limited.clone());
        registry.register("connections_open", "Connections open, streams aside", metrics.connections_open.clone());
        registry.register("connections_closed", "Connections closed by the box", metrics.connections_closed.clone());
        registry.register("streams_refused", "Media streams refused", metrics.streams_refused.clone());
        registry.register("frames_ignored", "Media stream frames ignored", metrics.frames_ignored.clone());
        registry.register("calls_active", "Calls on the line", metrics.calls_active.clone());
        registry.register("calls", "Calls ended, by how", metrics.calls.clone());
        registry.register("calls_panicked", "Calls ended by a bug", metrics.calls_panicked.clone());
        registry.register("turn_seconds", "Stages of a turn since end of speech", metrics.turn_seconds.clone());
        registry.register("clear_seconds", "Speech start to clear", metrics.clear_seconds.clone());
        registry.register("speech_busy", "Speech jobs refused, queue full", metrics.busy.clone());
        registry.register("voicemails", "Messages taken", metrics.voicemails.clone());
        registry.register("messages_fetched", "Messages fetched", metrics.messages_fetched.clone());
        metrics.register_text_messages(&mut registry);
        registry.register("watchdog_redirects", "Calls sent to voicemail by the watchdog", metrics.watchdog.clone());
        registry.register("calls_answered", "Media streams that began", metrics.calls_answered.clone());
        registry.register("sync_up", "Whether the gateway's broker is connected", metrics.sync_up.clone());
        registry.register("outbox_events", "Events the gateway does not have", metrics.outbox_events.clone());
        registry.register("outbox_bytes", "Bytes of such events on the disk", metrics.outbox_bytes.clone());
        registry.register("outbox_lost", "Events lost before they were sent", metrics.outbox_lost.clone());
        registry.register("engine_requests", "Requests to engines", metrics.engine_requests.clone());
        registry.register("engine_open", "Whether an engine's breaker is open", metrics.engine_open.clone());
        registry.register("spent_dollars", "Dollars spent on the cloud", metrics.spent_dollars.clone());
        registry.register("call_dollars", "Dollars a call cost", metrics.call_dollars.clone());
        registry.register("prompts_rendered", "Whether fixed sentences are rendered", metrics.prompts_rendered.clone());
        registry.register("crm_delivered", "Changes of leads delivered", metrics.crm_delivered.clone());
        registry.register("crm_failed", "Deliveries that failed, by reason", metrics.crm_failed.clone());
        registry.register("crm_waiting", "Changes of leads that wait", metrics.crm_waiting.clone());
        registry.register("crm_oldest_seconds", "Age of the next delivery", metrics.crm_oldest_seconds.clone());
        registry.register("start_time_seconds", "Unix time of the start", metrics.started.clone());
        Self { registry, ..metrics }
    }

    fn register_text_messages(&self, registry: &mut Registry) {
        registry.register("text_messages", "Text messages and statuses, by what was made", self.text_messages.clone());
        registry.register("text_messages_waiting", "Text messages that wait", self.text_messages_waiting.clone());
    }

    /// Notes how many text messages wait.
    pub fn messages_waiting(&self, to_send: usize, to_answer: usize) {
        for (reason, count) in [("send", to_send), ("answer", to_answer)] {
            let gauge = self.text_messages_waiting.get_or_create(&ReasonLabel { reason });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Counts a webhook request.
    pub fn webhook(&self, route: &'static str, outcome: &'static str) {
        self.webhooks.get_or_create(&WebhookLabels { route, outcome }).inc();
    }

    /// Notes how long a stage of a turn took.
    pub fn stage(&self, stage: &'static str, took: Duration) {
        self.turn_seconds.get_or_create(&StageLabel { stage }).observe(took.as_secs_f64());
    }

    /// Counts a request to an engine.
    pub fn engine(&self, stage: Stage, engine: &str, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Worked => "worked".to_owned(),
            Outcome::Failed(failure) => failure.kind.to_string().replace(' ', "_"),
            Outcome::Abandoned => "abandoned".to_owned(),
            Outcome::Unused => return,
        };
        let labels = EngineLabels { stage: stage.to_string(), engine: engine.to_owned(), outcome };
        self.engine_requests.get_or_create(&labels).inc();
    }

    /// Notes whether an engine's breaker is open.
    pub fn breaker(&self, stage: Stage, engine: &str, is_open: bool) {
        let label = EngineLabel { stage: stage.to_string(), engine: engine.to_owned() };
        self.engine_open.get_or_create(&label).set(i64::from(is_open));
    }

    /// Counts what was spent, in micro-dollars.
    pub fn spent(&self, engine: &str, micros: u64) {
        self.spent_dollars.get_or_create(&SpenderLabel { engine: engine.to_owned() }).inc_by(dollars(micros));
    }

    /// Notes what a call cost, in micro-dollars.
    pub fn call_cost(&self, micros: u64) {
        self.call_dollars.observe(dollars(micros));
    }

    /// Notes how a stream of events stands.
    pub fn outbox(&self, stream: &'static str, events: u64, bytes: u64, lost: u64) {
        let label = StreamLabel { stream };
        for (figure, value) in [(&self.outbox_events, events), (&self.outbox_bytes, bytes), (&self.outbox_lost, lost)] {
            figure.get_or_create(&label).set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// Returns all figures in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(std::fmt::Error) => String::new(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a day's micro-dollars are far below 2^53")]
fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn latency_histogram() -> Histogram {
    Histogram::new(LATENCY_BUCKETS)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Metrics;

    #[test]
    fn figures_are_rendered_with_their_labels() {
        let metrics = Metrics::new();
        metrics.webhook("incoming_call", "ok");
        metrics.stage("first_audio", Duration::from_millis(300));
        let text = metrics.render();
        assert!(text.contains(r#"kolbox_webhooks_total{route="incoming_call",outcome="ok"} 1"#), "{text}");
        assert!(text.contains(r#"kolbox_turn_seconds_bucket{le="0.4",stage="first_audio"} 1"#), "{text}");
    }
}
