//! What is said in whose name: topics, birth and will, batches, reports.

use std::time::Duration;

use protocol::{
    CommandId, CommandStatus, DesiredRejected, Document, EventBatch, OutboxReport, Presence, Reported, Stream, Topic,
    V1, device_filters, encode,
};

use super::SyncConfig;
use crate::inbox::{Downlink, Inbox, InboxInput, read_downlink};
use crate::mqtt::{Broker, ConnectPlan};
use crate::outbox::{Outbox, OutboxInput, Slice};

/// What a message from the gateway is for a core.
pub(super) enum Input {
    Outbox(OutboxInput),
    Inbox(InboxInput),
}

/// The device's side of the conversation with the gateway.
#[derive(Debug)]
pub(super) struct Session {
    config: SyncConfig,
    birth: Presence,
    receive_maximum: u16,
    report_version: u64,
}

impl Session {
    pub(super) fn new(config: SyncConfig) -> Self {
        let birth = Presence::birth(config.device.clone(), config.boot, 0);
        Self { config, birth, receive_maximum: u16::MAX, report_version: 0 }
    }

    /// Makes the plan of a connection; its birth, its will and its goodbye belong together.
    pub(super) fn plan(
        &mut self,
        broker: usize,
        connected_seq: u64,
        clean_start: bool,
        wall_ms: Option<u64>,
    ) -> Option<ConnectPlan> {
        let software = Some(self.config.software.clone()).filter(|software| !software.is_empty());
        self.birth = Presence {
            at_ms: wall_ms,
            software,
            ..Presence::birth(self.config.device.clone(), self.config.boot, connected_seq)
        };
        let config = &self.config;
        Some(ConnectPlan {
            broker: config.brokers.get(broker)?.clone(),
            tls: config.tls.clone(),
            client_id: config.device.to_string(),
            clean_start,
            keep_alive: config.keep_alive,
            session_expiry: config.session_expiry,
            will_topic: self.presence_topic(),
            will: encoded(&self.birth.will())?,
            will_delay: config.will_delay,
            timeout: config.link.patience,
            max_in_flight: u16::try_from(config.outbox.max_unanswered.saturating_add(4)).unwrap_or(u16::MAX),
        })
    }

    pub(super) fn connected_seq(&self) -> u64 {
        self.birth.connected_seq
    }

    pub(super) fn broker(&self, index: usize) -> Broker {
        let unknown = || Broker { host: String::new(), port: 0, tls: false };
        self.config.brokers.get(index).cloned().unwrap_or_else(unknown)
    }

    pub(super) fn report_every(&self) -> Duration {
        self.config.report_every
    }

    pub(super) fn set_receive_maximum(&mut self, receive_maximum: u16) {
        self.receive_maximum = receive_maximum;
    }

    pub(super) fn receive_maximum(&self) -> u16 {
        self.receive_maximum
    }

    pub(super) fn filters(&self) -> [String; 3] {
        device_filters(&self.config.device)
    }

    pub(super) fn birth(&self) -> Option<(String, Vec<u8>)> {
        Some((self.presence_topic(), encoded(&self.birth)?))
    }

    pub(super) fn goodbye(&self) -> Option<(String, Vec<u8>)> {
        Some((self.presence_topic(), encoded(&self.birth.will())?))
    }

    /// Makes the payload of a batch; nothing when it is longer than what is published.
    pub(super) fn batch(
        &self,
        stream: Stream,
        epoch: u64,
        slice: Slice,
        wall_ms: Option<u64>,
        mono_ms: u64,
    ) -> Option<(String, Vec<u8>)> {
        let batch = EventBatch {
            v: V1,
            device: self.config.device.clone(),
            stream,
            epoch,
            // Gaps alone have no run of their own.
            boot: if slice.events.is_empty() { self.config.boot } else { slice.boot },
            sent_at_ms: wall_ms,
            sent_mono_ms: (slice.boot == self.config.boot).then_some(mono_ms),
            skipped: slice.skipped,
            events: slice.events,
            extra: protocol::Extra::default(),
        };
        let topic = Topic::Up { device: self.config.device.clone(), stream };
        Some((topic.to_string(), encoded(&batch)?))
    }

    pub(super) fn report(&mut self, report: Reported, inbox: &Inbox, outbox: &Outbox) -> Option<(String, Vec<u8>)> {
        self.report_version = self.report_version.saturating_add(1);
        let rejected = inbox.desired_rejected();
        let mut report = Reported {
            version: self.report_version,
            boot: self.config.boot,
            desired_version_applied: inbox.desired_applied(),
            desired_rejected: rejected.map(|(version, reason)| DesiredRejected {
                version,
                reason: reason.to_owned(),
                extra: protocol::Extra::default(),
            }),
            ..report
        };
        for stream in outbox.status() {
            let lost = report.outbox.get(stream.stream.as_str()).map_or(0, |known| known.lost);
            let row = OutboxReport { events: stream.waiting, bytes: stream.bytes, lost, ..OutboxReport::default() };
            report.set_outbox(stream.stream, row);
        }
        let topic = Topic::Reported { device: self.config.device.clone() };
        Some((topic.to_string(), encoded(&report)?))
    }

    pub(super) fn status(&self, status: CommandStatus, wall_ms: Option<u64>) -> Option<(String, Vec<u8>)> {
        let topic = self.status_topic(status.id.clone());
        Some((topic, encoded(&CommandStatus { at_ms: wall_ms, ..status })?))
    }

    pub(super) fn status_topic(&self, command: CommandId) -> String {
        Topic::CommandStatus { device: self.config.device.clone(), command }.to_string()
    }

    /// Reads a message; nothing when it is not to be acted on.
    pub(super) fn read(
        &self,
        topic: &str,
        payload: &[u8],
        expiry: Option<Duration>,
        wall_ms: Option<u64>,
    ) -> Option<Input> {
        match read_downlink(&self.config.device, topic, payload) {
            Ok(Downlink::Watermark(mark)) => Some(Input::Outbox(OutboxInput::Watermark {
                stream: mark.stream,
                epoch: mark.epoch,
                through: mark.through,
            })),
            Ok(Downlink::Desired(desired)) => Some(Input::Inbox(InboxInput::Desired(desired))),
            Ok(Downlink::Command(request)) => {
                Some(Input::Inbox(InboxInput::Command { request, wall_ms, broker_left: expiry, refused: None }))
            }
            Ok(Downlink::CommandCleared(id)) => Some(Input::Inbox(InboxInput::CommandCleared(id))),
            Ok(Downlink::Cleared) => None,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "message from the gateway ignored");
                None
            }
        }
    }

    fn presence_topic(&self) -> String {
        Topic::Presence { device: self.config.device.clone() }.to_string()
    }
}

fn encoded(document: &impl Document) -> Option<Vec<u8>> {
    encode(document)
        .map_err(|error| tracing::warn!(error = &error as &dyn std::error::Error, "a document cannot be sent"))
        .ok()
}
