//! A device on a real wire: one task, one connection of rumqttc at a time.
//!
//! The event loop is polled while a connection is wanted. A poll is never cut off by a timer, only when the connection is
//! let go; then the library's half of the session is kept for the next connect, or thrown away with the event loop, as the
//! device asks.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use protocol::limits::MAX_RECEIVED_LEN;
use rumqttc::{
    AsyncClient, ConnectionError, DisconnectReasonCode, Event, EventLoop, LastWill, LastWillProperties, MqttOptions,
    NetworkOptions, Packet, PubAckReason, PublishNotice, PublishNoticeError, PublishOptions, PublishResult, QoS,
    StateError, SubscribeFilterInput, SubscribeNotice, SubscribeReasonCode, TlsConfiguration, Transport,
};
use rustls::ClientConfig;
use sync::Broker;
use sync::link::{Mono, Session, Trouble};
use sync::outbox::{PublishOutcome, Refusal};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::behaviour::Pace;
use crate::device::{Device, Input, MAX_ASIDE, Output};
use crate::tally::Tally;

/// Requests that may wait inside rumqttc: more than a device ever has unanswered.
const CHANNEL: usize = 64;
/// Messages from the broker that we have not answered.
const RECEIVE_MAXIMUM: u16 = 32;
/// How much longer than a payload a packet from the broker may be, in bytes: topic and properties.
const PACKET_OVERHEAD: u32 = 4 * 1024;
/// Longest wait for answers to what is under way at the goodbye.
const DRAIN: Duration = Duration::from_secs(2);
/// Longest time that passes between two looks at the clock when nothing is due.
const IDLE: Duration = Duration::from_mins(1);
/// Longest wait for a connection, in seconds. The link gives up earlier.
const CONNECT_TIMEOUT_S: u64 = 30;

/// What all devices of a fleet have in common on the wire.
#[derive(Clone, Debug)]
pub struct Wiring {
    /// The broker.
    pub broker: Broker,
    /// User name and password, where the broker wants them.
    pub credentials: Option<(String, String)>,
    /// How often the broker hears of a device at least.
    pub keep_alive: Duration,
    /// How long the broker remembers a session.
    pub session_expiry: Duration,
    /// How long after a break the broker tells of it.
    pub will_delay: Duration,
    /// Batches of one device that the broker has not answered, at most.
    pub max_unanswered: usize,
}

/// What all devices are told together. The last one counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Do as the script says.
    Live,
    /// Make events at this pace.
    Pace(Pace),
    /// Make nothing more; send what waits.
    Rest,
    /// Say goodbye.
    Close,
}

/// A device and what it needs.
pub(crate) struct Wire {
    pub(crate) device: Device,
    pub(crate) client_id: String,
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) orders: watch::Receiver<Order>,
    pub(crate) tally: Arc<Tally>,
    /// When the simulation began.
    pub(crate) started: Instant,
}

/// What became of something that was asked of the broker.
enum Answer {
    Published { tag: crate::device::Tag, outcome: PublishOutcome },
    Subscribed { granted: bool },
}

/// How a connection is let go.
enum Parting {
    /// The session may be resumed.
    Cut,
    /// Not.
    Drop,
}

/// How polling went.
enum Polled {
    Event(Box<Result<Event, ConnectionError>>),
    Parting(Parting),
}

struct Running {
    wire: Wire,
    client: Option<AsyncClient>,
    /// The library's half of a session that may be resumed.
    kept: Option<Box<EventLoop>>,
    /// Bounded by what the device lets be unanswered.
    answers: FuturesUnordered<BoxFuture<'static, Answer>>,
    is_closed: bool,
}

impl Wire {
    /// Lives until the device has said goodbye; returns how many events it still has.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, the broker tells of the device with its will.
    pub(crate) async fn run(self) -> u64 {
        let mut running =
            Running { wire: self, client: None, kept: None, answers: FuturesUnordered::new(), is_closed: false };
        running.obey();
        while let Some(event_loop) = running.disconnected().await {
            running.connected(event_loop).await;
        }
        running.wire.device.waiting()
    }
}

impl Running {
    /// Lives without a connection until one is wanted. Nothing when it is over.
    async fn disconnected(&mut self) -> Option<Box<EventLoop>> {
        loop {
            while let Some(output) = self.wire.device.poll_output() {
                if let Output::Connect { clean_start, will_topic, will } = output {
                    return Some(self.event_loop(clean_start, will_topic, will));
                }
                self.carry_out_one(output);
            }
            if self.is_closed {
                return None;
            }
            self.wait().await;
        }
    }

    /// Lives on a connection until there is none.
    async fn connected(&mut self, mut event_loop: Box<EventLoop>) {
        loop {
            let polled = {
                let mut polling = pin!(event_loop.poll());
                loop {
                    if let Some(parting) = self.carry_out() {
                        break Polled::Parting(parting);
                    }
                    tokio::select! {
                        polled = &mut polling => break Polled::Event(Box::new(polled)),
                        () = self.wait() => {}
                    }
                }
            };
            match polled {
                Polled::Event(polled) => match *polled {
                    Ok(event) => self.handle_event(event),
                    Err(error) => {
                        self.kept = Some(event_loop);
                        self.take(Input::Failed(trouble(&error)));
                        return;
                    }
                },
                Polled::Parting(Parting::Cut) => {
                    // Half a packet may be lost with the poll that was cut off; it goes with the connection.
                    event_loop.clean();
                    self.kept = Some(event_loop);
                    return;
                }
                Polled::Parting(Parting::Drop) => {
                    self.client = None;
                    return;
                }
            }
        }
    }

    /// Waits until something is due, or happens elsewhere than on the connection.
    async fn wait(&mut self) {
        let due = self.wire.device.poll_timeout().map(|at| self.wire.started + at);
        let until = due.unwrap_or_else(|| Instant::now() + IDLE);
        let happens = async {
            tokio::select! {
                Some(answer) = self.answers.next(), if !self.answers.is_empty() => Some(answer),
                Ok(()) = self.wire.orders.changed() => None,
                else => std::future::pending().await,
            }
        };
        match timeout_at(until, happens).await {
            Ok(Some(Answer::Published { tag, outcome })) => self.take(Input::Published { tag, outcome }),
            Ok(Some(Answer::Subscribed { granted })) => self.take(Input::Subscribed { granted }),
            Ok(None) => self.obey(),
            Err(_) => {
                let now = self.now();
                self.wire.device.handle_timeout(now);
            }
        }
    }

    fn obey(&mut self) {
        let order = *self.wire.orders.borrow_and_update();
        match order {
            Order::Live => {}
            Order::Pace(pace) => self.take(Input::Pace(pace)),
            Order::Rest => self.take(Input::Rest),
            Order::Close => {
                self.is_closed = true;
                self.take(Input::Close);
            }
        }
    }

    fn take(&mut self, input: Input<'_>) {
        let now = self.now();
        self.wire.device.handle_input(now, input);
    }

    fn now(&self) -> Mono {
        self.wire.started.elapsed()
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "another crate's enum; the rest is rumqttc's own business")]
    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Incoming(Packet::ConnAck(answer)) => {
                let receive_maximum = answer.properties.as_ref().and_then(|properties| properties.receive_max);
                let session = if answer.session_present { Session::Resumed } else { Session::New };
                self.take(Input::Connected { session, receive_maximum: receive_maximum.unwrap_or(u16::MAX) });
            }
            Event::Incoming(Packet::Publish(publish)) => {
                let topic = str::from_utf8(&publish.topic).unwrap_or_default();
                self.take(Input::Message { topic, payload: &publish.payload });
            }
            _ => {}
        }
    }

    /// Does what the device asks for, until it asks for nothing, or for the end of the connection.
    fn carry_out(&mut self) -> Option<Parting> {
        while let Some(output) = self.wire.device.poll_output() {
            match &output {
                Output::Cut => return Some(Parting::Cut),
                Output::Drop => return Some(Parting::Drop),
                Output::Connect { .. }
                | Output::Subscribe(_)
                | Output::Publish { .. }
                | Output::Goodbye
                | Output::Count(_) => self.carry_out_one(output),
            }
        }
        None
    }

    fn carry_out_one(&mut self, output: Output) {
        match output {
            Output::Count(count) => self.wire.tally.add(count),
            Output::Subscribe(filters) => {
                let filters = filters.map(|filter| SubscribeFilterInput::new(filter, QoS::AtLeastOnce));
                let notice = self.client.as_ref().map(|client| client.try_subscribe_many_tracked(filters));
                if let Some(Ok(notice)) = notice {
                    self.answers.push(Box::pin(granted(notice)));
                }
            }
            Output::Publish { tag, topic, payload, retain } => {
                let options = PublishOptions::at_least_once().retain(retain);
                let notice = self.client.as_ref().map(|client| client.try_publish_tracked(topic, payload, options));
                match notice {
                    Some(Ok(notice)) => self.answers.push(Box::pin(published(tag, notice))),
                    Some(Err(_)) => {
                        self.take(Input::Published { tag, outcome: PublishOutcome::Refused(Refusal::Other) });
                    }
                    None => self.take(Input::Published { tag, outcome: PublishOutcome::Lost }),
                }
            }
            Output::Goodbye => {
                // Without a client there is nobody to say it to.
                if let Some(Err(_)) = self.client.as_ref().map(|client| client.try_disconnect_with_timeout(DRAIN)) {
                    self.client = None;
                }
            }
            Output::Drop => self.client = None,
            // There is no connection to cut; one to make is seen to where there is none.
            Output::Cut | Output::Connect { .. } => {}
        }
    }

    /// Returns the event loop of the next connection.
    fn event_loop(&mut self, clean_start: bool, will_topic: String, will: Vec<u8>) -> Box<EventLoop> {
        let kept = self.kept.take().filter(|_| !clean_start && self.client.is_some());
        let options = self.options(kept.is_none(), will_topic, will);
        if let Some(mut event_loop) = kept {
            event_loop.options = options;
            return event_loop;
        }
        let (client, event_loop) = AsyncClient::builder(options).capacity(CHANNEL).build();
        self.client = Some(client);
        Box::new(event_loop)
    }

    fn options(&self, clean_start: bool, will_topic: String, will: Vec<u8>) -> MqttOptions {
        let wiring = &self.wire.wiring;
        let address = (wiring.broker.host.clone(), wiring.broker.port);
        let mut options = MqttOptions::new(self.wire.client_id.clone(), address);
        let delay = LastWillProperties {
            delay_interval: Some(seconds(wiring.will_delay)),
            payload_format_indicator: None,
            message_expiry_interval: None,
            content_type: None,
            response_topic: None,
            correlation_data: None,
            user_properties: Vec::new(),
        };
        let in_flight = u16::try_from(wiring.max_unanswered + MAX_ASIDE + 2).unwrap_or(u16::MAX);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(CONNECT_TIMEOUT_S);
        options
            .set_keep_alive(u16::try_from(wiring.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1))
            .set_clean_start(clean_start)
            .set_session_expiry_interval(Some(seconds(wiring.session_expiry)))
            .set_receive_maximum(Some(RECEIVE_MAXIMUM))
            .set_max_packet_size(u32::try_from(MAX_RECEIVED_LEN).ok().map(|len| len.saturating_add(PACKET_OVERHEAD)))
            .set_outgoing_inflight_upper_limit(in_flight)
            .set_network_options(network)
            .set_last_will(LastWill::new(will_topic, will, QoS::AtLeastOnce, true, Some(delay)));
        if let Some((username, password)) = &wiring.credentials {
            options.set_credentials(username.clone(), password.clone());
        }
        if let Some(tls) = self.wire.tls.as_ref().filter(|_| wiring.broker.tls) {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(tls))));
        }
        options
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

async fn granted(notice: SubscribeNotice) -> Answer {
    let success = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
    let granted = notice.wait_async().await.is_ok_and(|answer| answer.return_codes.iter().all(success));
    Answer::Subscribed { granted }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "other crates' enums, which may grow")]
async fn published(tag: crate::device::Tag, notice: PublishNotice) -> Answer {
    let of_reason = |reason| match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => PublishOutcome::Taken,
        PubAckReason::NotAuthorized => PublishOutcome::Refused(Refusal::NotAuthorized),
        PubAckReason::QuotaExceeded => PublishOutcome::Refused(Refusal::QuotaExceeded),
        _ => PublishOutcome::Refused(Refusal::Other),
    };
    let outcome = match notice.wait_async().await {
        Ok(PublishResult::Qos1(answer)) => of_reason(answer.reason),
        Err(PublishNoticeError::V5PubAck(reason)) => of_reason(reason),
        Err(PublishNoticeError::RetainNotSupported) => PublishOutcome::Refused(Refusal::Other),
        Ok(_) | Err(_) => PublishOutcome::Lost,
    };
    Answer::Published { tag, outcome }
}

/// Returns what an error means for the link: whether to begin a new session, and how long to wait.
#[expect(clippy::wildcard_enum_match_arm, reason = "other crates' enums, which may grow")]
fn trouble(error: &ConnectionError) -> Trouble {
    match error {
        ConnectionError::Timeout(_) | ConnectionError::DisconnectTimeout => Trouble::TooSlow,
        ConnectionError::Tls(_) => Trouble::Tls,
        ConnectionError::ConnectionRefused(_) => Trouble::NotAuthorized,
        ConnectionError::SessionStateMismatch { .. } => Trouble::SessionMismatch,
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => match reason_code {
            DisconnectReasonCode::SessionTakenOver => Trouble::TakenOver,
            DisconnectReasonCode::KeepAliveTimeout | DisconnectReasonCode::NormalDisconnection => Trouble::Network,
            DisconnectReasonCode::ServerBusy | DisconnectReasonCode::ServerShuttingDown => Trouble::Unavailable,
            _ => Trouble::Protocol,
        },
        // A broken connection comes under many names; a session that is broken as well is found out at the next.
        _ => Trouble::Network,
    }
}
