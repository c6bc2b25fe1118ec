//! The wire: rumqttc, driven one connection at a time.
//!
//! rumqttc reconnects by itself, at once, and keeps what was not answered in memory. Here it does neither on its own: a
//! task polls its event loop only while a connection is wanted, and gives it back when the connection ends. It is used
//! again for the same session, so that the library can publish again what the broker did not answer, and thrown away when
//! the session is to be begun anew.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use protocol::limits::MAX_RECEIVED_LEN;
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, DisconnectReasonCode, Event, EventLoop, LastWill,
    LastWillProperties, MqttOptions, Packet, PubAckReason, PublishNotice, PublishNoticeError, PublishOptions,
    PublishResult, QoS, StateError, SubscribeFilterInput, SubscribeNotice, SubscribeReasonCode, TlsConfiguration,
    Transport, mqttbytes,
};
use rustls::ClientConfig;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::link::{Session, Trouble};
use crate::outbox::{PublishOutcome, Refusal};

/// Requests that may wait inside rumqttc. More than the cores ever have unanswered.
const CHANNEL: usize = 64;
/// Messages from the broker that may wait for the driver.
const EVENTS: usize = 32;
/// What a publish takes beside topic and payload, in bytes: fixed header, lengths, identifier, properties.
const PUBLISH_OVERHEAD: usize = 32;
/// How much longer than a payload a packet from the broker may be, in bytes: topic and properties.
const PACKET_OVERHEAD: u32 = 4 * 1024;
/// Messages from the broker that we have not answered.
const RECEIVE_MAXIMUM: u16 = 32;

/// Where a broker is: `mqtts://host:port`, or `mqtt://host:port` without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its name or address.
    pub host: String,
    /// Its port; 8883, or 1883 without TLS.
    pub port: u16,
    /// Whether the connection is encrypted and both sides show certificates.
    pub tls: bool,
}

/// A text that names no broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected mqtts://host or mqtts://host:port (mqtt:// without TLS)")]
pub struct ParseBrokerError;

impl FromStr for Broker {
    type Err = ParseBrokerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (tls, rest) = match (text.strip_prefix("mqtts://"), text.strip_prefix("mqtt://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(ParseBrokerError),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let default = if tls { 8883 } else { 1883 };
        let (host, port) = match rest.rsplit_once(':') {
            // An address of IPv6 stands in brackets, its colons are not the port's.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_bad| ParseBrokerError)?),
            Some(_) | None => (rest, default),
        };
        let plain = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
        let bad = |c: char| !(c.is_ascii_alphanumeric() || ".-:_".contains(c));
        if plain.is_empty() || plain.contains(bad) || (plain.contains(':') && plain == host) || port == 0 {
            return Err(ParseBrokerError);
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", if self.tls { "mqtts" } else { "mqtt" }, self.host, self.port)
    }
}

/// How a connection is made.
#[derive(Clone, Debug)]
pub(crate) struct ConnectPlan {
    pub(crate) broker: Broker,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) client_id: String,
    pub(crate) clean_start: bool,
    pub(crate) keep_alive: Duration,
    pub(crate) session_expiry: Duration,
    pub(crate) will_topic: String,
    pub(crate) will: Vec<u8>,
    pub(crate) will_delay: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_in_flight: u16,
}

impl ConnectPlan {
    fn options(&self) -> MqttOptions {
        let mut options = MqttOptions::new(self.client_id.clone(), (self.broker.host.clone(), self.broker.port));
        let will = LastWillProperties {
            delay_interval: Some(seconds(self.will_delay)),
            payload_format_indicator: None,
            message_expiry_interval: None,
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        };
        options
            .set_keep_alive(u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1))
            .set_clean_start(self.clean_start)
            .set_session_expiry_interval(Some(seconds(self.session_expiry)))
            // A session is one broker's: another one does not know it.
            .set_session_store_scope(self.broker.to_string())
            .set_receive_maximum(Some(RECEIVE_MAXIMUM))
            .set_max_packet_size(u32::try_from(MAX_RECEIVED_LEN).ok().map(|len| len.saturating_add(PACKET_OVERHEAD)))
            .set_outgoing_inflight_upper_limit(self.max_in_flight.max(1))
            .set_connect_timeout(self.timeout)
            .set_last_will(LastWill::new(
                self.will_topic.clone(),
                self.will.clone(),
                QoS::AtLeastOnce,
                true,
                Some(will),
            ));
        if let Some(tls) = self.tls.as_ref().filter(|_| self.broker.tls) {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(tls))));
        }
        options
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// What comes from a connection.
#[derive(Debug)]
pub(crate) enum WireEvent {
    /// The broker let us in.
    Connected { session: Session, receive_maximum: u16, max_packet: Option<u32> },
    /// A message.
    Message { topic: String, payload: Vec<u8>, expiry: Option<Duration> },
    /// The connection is gone, or did not come about.
    Failed { trouble: Trouble, detail: String },
}

struct Order {
    connection: u64,
    options: MqttOptions,
    /// A new event loop; without one the last is used again.
    fresh: Option<EventLoop>,
    drop: oneshot::Receiver<()>,
}

/// The one connection there is at a time.
pub(crate) struct Wire {
    orders: mpsc::Sender<Order>,
    events: mpsc::Receiver<(u64, WireEvent)>,
    client: Option<AsyncClient>,
    /// Lets go of the connection when it is sent to or dropped.
    drop: Option<oneshot::Sender<()>>,
    connection: u64,
    max_packet: Option<u32>,
    task: JoinHandle<()>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl Wire {
    /// Starts the task that polls connections. It ends with [`Wire::close`].
    pub(crate) fn start() -> Self {
        let (orders, wanted) = mpsc::channel(1);
        let (sender, events) = mpsc::channel(EVENTS);
        let task = tokio::spawn(poll_connections(wanted, sender));
        Self { orders, events, client: None, drop: None, connection: 0, max_packet: None, task }
    }

    /// Connects. A connection there was has ended before.
    pub(crate) fn connect(&mut self, plan: &ConnectPlan) {
        // Without the event loop of the session there is nothing that could resume it.
        let clean_start = plan.clean_start || self.client.is_none();
        let options = ConnectPlan { clean_start, ..plan.clone() }.options();
        let fresh = if clean_start {
            let (client, event_loop) = AsyncClient::builder(options.clone()).capacity(CHANNEL).build();
            self.client = Some(client);
            Some(event_loop)
        } else {
            None
        };
        self.connection = self.connection.saturating_add(1);
        self.max_packet = None;
        let (sender, drop) = oneshot::channel();
        self.drop = Some(sender);
        if self.orders.try_send(Order { connection: self.connection, options, fresh, drop }).is_err() {
            tracing::error!("the task of the link is gone or busy; no connection");
        }
    }

    /// Lets go of the connection without a word.
    pub(crate) fn drop_connection(&mut self) {
        if self.drop.take().is_some() {
            self.client = None;
            self.connection = self.connection.saturating_add(1);
        }
    }

    /// Returns what comes next from the connection there is.
    ///
    /// # Cancellation safety
    ///
    /// May be dropped at any time; nothing is lost.
    pub(crate) async fn next_event(&mut self) -> Option<WireEvent> {
        loop {
            let (connection, event) = self.events.recv().await?;
            if connection != self.connection {
                continue;
            }
            if let WireEvent::Connected { max_packet, .. } = &event {
                self.max_packet = *max_packet;
            }
            return Some(event);
        }
    }

    /// Publishes. Without a notice it was not sent, and the outcome says why.
    pub(crate) fn publish(&self, topic: &str, payload: Vec<u8>, retain: bool) -> Result<PublishNotice, PublishOutcome> {
        let Some(client) = &self.client else { return Err(PublishOutcome::Lost) };
        let len = topic.len().saturating_add(payload.len()).saturating_add(PUBLISH_OVERHEAD);
        if self.max_packet.and_then(|max| usize::try_from(max).ok()).is_some_and(|max| len > max) {
            return Err(PublishOutcome::TooLarge);
        }
        let options = PublishOptions::at_least_once().retain(retain);
        client.try_publish_tracked(topic, payload, options).map_err(|error| {
            tracing::debug!(%error, "publish not handed over");
            PublishOutcome::Refused(Refusal::Other)
        })
    }

    /// Subscribes to all filters at once.
    pub(crate) fn subscribe(&self, filters: &[String]) -> Option<SubscribeNotice> {
        let filters = filters.iter().map(|filter| SubscribeFilterInput::new(filter.clone(), QoS::AtLeastOnce));
        self.client.as_ref()?.try_subscribe_many_tracked(filters).ok()
    }

    /// Says goodbye to the broker once it has answered what is under way, within `patience`; what comes last is a
    /// [`WireEvent::Failed`].
    pub(crate) fn disconnect(&self, patience: Duration) {
        if let Some(client) = &self.client
            && let Err(error) = client.try_disconnect_with_timeout(patience)
        {
            tracing::debug!(%error, "no goodbye to the broker");
        }
    }

    /// Ends the task.
    pub(crate) async fn close(mut self) {
        self.drop_connection();
        drop(self.orders);
        drop(self.events);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the task of the link ended badly");
        }
    }
}

async fn poll_connections(mut orders: mpsc::Receiver<Order>, events: mpsc::Sender<(u64, WireEvent)>) {
    let mut kept: Option<EventLoop> = None;
    while let Some(Order { connection, options, fresh, mut drop }) = orders.recv().await {
        let Some(mut event_loop) = fresh.or_else(|| kept.take()) else {
            let failed =
                WireEvent::Failed { trouble: Trouble::SessionMismatch, detail: "no session to resume".to_owned() };
            if events.send((connection, failed)).await.is_err() {
                return;
            }
            continue;
        };
        event_loop.options = options;
        loop {
            let polled = tokio::select! {
                biased;
                // A poll that is cut off may leave half a packet behind, so the event loop goes with it.
                _ = &mut drop => break,
                polled = event_loop.poll() => polled,
            };
            let (event, ended) = match polled {
                Ok(Event::Incoming(packet)) => (translated(packet), false),
                Ok(Event::Outgoing(_) | Event::Auth(_)) => (None, false),
                Err(error) => {
                    let failed = WireEvent::Failed { trouble: trouble(&error), detail: error.to_string() };
                    (Some(failed), true)
                }
            };
            if let Some(event) = event
                && events.send((connection, event)).await.is_err()
            {
                return;
            }
            if ended {
                kept = Some(event_loop);
                break;
            }
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's enum; what is not listed is rumqttc's own business"
)]
fn translated(packet: Packet) -> Option<WireEvent> {
    match packet {
        Packet::ConnAck(answer) => {
            let properties = answer.properties.as_ref();
            Some(WireEvent::Connected {
                session: if answer.session_present { Session::Resumed } else { Session::New },
                receive_maximum: properties.and_then(|properties| properties.receive_max).unwrap_or(u16::MAX),
                max_packet: properties.and_then(|properties| properties.max_packet_size),
            })
        }
        Packet::Publish(publish) => {
            let expiry = publish.properties.as_ref().and_then(|properties| properties.message_expiry_interval);
            Some(WireEvent::Message {
                topic: String::from_utf8(publish.topic.to_vec()).ok()?,
                payload: publish.payload.to_vec(),
                expiry: expiry.map(|seconds| Duration::from_secs(u64::from(seconds))),
            })
        }
        _ => None,
    }
}

/// Waits for the outcome of a publish.
pub(crate) async fn outcome(notice: PublishNotice) -> PublishOutcome {
    match notice.wait_async().await {
        Ok(PublishResult::Qos1(answer)) => of_reason(answer.reason),
        Ok(PublishResult::Qos0Flushed | PublishResult::Qos2Completed(_) | PublishResult::Qos2PubRecRejected(_)) => {
            PublishOutcome::Lost
        }
        Err(PublishNoticeError::V5PubAck(reason)) => of_reason(reason),
        Err(PublishNoticeError::RetainNotSupported) => PublishOutcome::Refused(Refusal::Other),
        Err(_) => PublishOutcome::Lost,
    }
}

fn of_reason(reason: PubAckReason) -> PublishOutcome {
    match reason {
        // Nobody listens just now: the watermark will not come, and it is sent again.
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => PublishOutcome::Taken,
        PubAckReason::NotAuthorized => PublishOutcome::Refused(Refusal::NotAuthorized),
        PubAckReason::QuotaExceeded => PublishOutcome::Refused(Refusal::QuotaExceeded),
        PubAckReason::UnspecifiedError
        | PubAckReason::ImplementationSpecificError
        | PubAckReason::TopicNameInvalid
        | PubAckReason::PacketIdentifierInUse
        | PubAckReason::PayloadFormatInvalid => PublishOutcome::Refused(Refusal::Other),
    }
}

/// Waits for the answer to a subscription; whether all of it was granted.
pub(crate) async fn granted(notice: SubscribeNotice) -> bool {
    let success = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
    notice.wait_async().await.is_ok_and(|answer| answer.return_codes.iter().all(success))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other crates' enums, which may grow")]
fn trouble(error: &ConnectionError) -> Trouble {
    match error {
        ConnectionError::Timeout(_) | ConnectionError::DisconnectTimeout => Trouble::TooSlow,
        ConnectionError::Tls(_) => Trouble::Tls,
        ConnectionError::Io(error) => of_io(error),
        ConnectionError::ConnectionRefused(code) => of_connect(*code),
        ConnectionError::SessionStateMismatch { .. } => Trouble::SessionMismatch,
        ConnectionError::RequestsDone => Trouble::Network,
        ConnectionError::MqttState(error) => match error {
            StateError::Io(error) | StateError::Deserialization(mqttbytes::Error::Io(error)) => of_io(error),
            StateError::ConnectionAborted | StateError::AwaitPingResp => Trouble::Network,
            StateError::ServerDisconnect { reason_code, .. } => of_disconnect(*reason_code),
            StateError::ConnFail { reason } => of_connect(*reason),
            _ => Trouble::Protocol,
        },
        _ => Trouble::Protocol,
    }
}

fn of_io(error: &std::io::Error) -> Trouble {
    // rustls reports what is wrong with certificates as invalid data.
    if error.kind() == std::io::ErrorKind::InvalidData { Trouble::Tls } else { Trouble::Network }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "another crate's enum, which may grow")]
fn of_connect(code: ConnectReturnCode) -> Trouble {
    match code {
        ConnectReturnCode::NotAuthorized
        | ConnectReturnCode::BadUserNamePassword
        | ConnectReturnCode::ClientIdentifierNotValid
        | ConnectReturnCode::BadClientId
        | ConnectReturnCode::BadAuthenticationMethod
        | ConnectReturnCode::Banned => Trouble::NotAuthorized,
        ConnectReturnCode::ServiceUnavailable
        | ConnectReturnCode::ServerUnavailable
        | ConnectReturnCode::ServerBusy
        | ConnectReturnCode::QuotaExceeded
        | ConnectReturnCode::ConnectionRateExceeded
        | ConnectReturnCode::UseAnotherServer
        | ConnectReturnCode::ServerMoved => Trouble::Unavailable,
        _ => Trouble::Protocol,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "another crate's enum, which may grow")]
fn of_disconnect(code: DisconnectReasonCode) -> Trouble {
    match code {
        DisconnectReasonCode::SessionTakenOver => Trouble::TakenOver,
        DisconnectReasonCode::NotAuthorized => Trouble::NotAuthorized,
        DisconnectReasonCode::ServerBusy
        | DisconnectReasonCode::ServerShuttingDown
        | DisconnectReasonCode::AdministrativeAction
        | DisconnectReasonCode::QuotaExceeded
        | DisconnectReasonCode::MessageRateTooHigh
        | DisconnectReasonCode::ConnectionRateExceeded
        | DisconnectReasonCode::MaximumConnectTime
        | DisconnectReasonCode::UseAnotherServer
        | DisconnectReasonCode::ServerMoved => Trouble::Unavailable,
        DisconnectReasonCode::KeepAliveTimeout | DisconnectReasonCode::NormalDisconnection => Trouble::Network,
        _ => Trouble::Protocol,
    }
}
