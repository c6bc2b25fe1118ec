//! A worker: takes messages from the broker, stores them, and only then acknowledges them and tells the watermarks.
//!
//! Two futures make a connection. The pump polls the event loop and hands over what it delivers; when nobody takes it,
//! the pump stops reading, and the network pushes back. The committer gathers what has come, stores it in one transaction,
//! and hands acknowledgements and watermarks to the pump. So that the two never wait for each other, the committer takes
//! messages in while it waits for the pump. The receive maximum alone would not bound what comes: Mosquitto 2.0.11 keeps
//! to it at first, and delivers everything it has queued at the first acknowledgements.
//!
//! Each connection has a client of its own: acknowledgements of one can never be sent on the next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{Topic, Watermark, encode, ingest_filters};
use rumqttc::SubscribeFilter;
use rumqttc::{AsyncClient, Event, EventLoop, ManualAck, Packet, Publish, PublishOptions, QoS, SubscribeReasonCode};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::commit::{self, Received};
use super::wire::{Incoming, Message, chain};
use crate::clock::now_ms;
use crate::config::Ingest;
use crate::db::{Database, DbError};
use crate::health::{Health, Part, PartState};
use crate::metrics::{Metrics, ReasonLabel};
use crate::mqtt::{Connector, Purpose, back_off};

/// Longest a transaction may take. Above the statement time limit of the database, so that this one is for a network
/// that says nothing any more.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(45);
/// First and longest wait before a transaction is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// Longest wait for the last acknowledgements to leave when the worker stops.
const GOODBYE: Duration = Duration::from_secs(5);
/// Longest wait from the order to stop until the connection is dropped.
const CUT_OFF: Duration = Duration::from_secs(8);
/// How long watermarks are remembered to be told again on the next connection: what was told on a connection just before
/// it broke may not have arrived, and a device would wait half a minute for it.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Watermarks remembered at most.
const MAX_REMEMBERED: usize = 8_192;
/// Longest wait for the pump to take a request, once no more messages are taken in meanwhile.
const HAND_OVER: Duration = Duration::from_secs(10);

/// Everything a worker needs.
#[derive(Clone)]
pub struct Worker {
    /// Its place among the workers, from 0.
    pub place: usize,
    /// How to reach the broker.
    pub connector: Connector,
    /// Where to store.
    pub database: Database,
    /// How much at once.
    pub config: Ingest,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// Where it says how it is.
    pub health: Arc<Health>,
}

/// A message that waits to be stored, with its acknowledgement.
struct Queued {
    message: Message,
    ack: Option<ManualAck>,
}

/// What the committer takes messages from.
struct Inbox {
    messages: mpsc::Receiver<Queued>,
    /// Taken in while it waited for the pump; at most `room`.
    early: VecDeque<Queued>,
    room: usize,
}

/// Watermarks told lately, the oldest first.
#[derive(Default)]
struct Remembered(VecDeque<(Instant, String, Vec<u8>)>);

impl Worker {
    /// Works until `shutdown`, over as many connections as it takes.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, what was not acknowledged is delivered again.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut attempt = 0;
        let mut remembered = Remembered::default();
        while !shutdown.is_cancelled() {
            let began = Instant::now();
            let ended = Box::pin(self.connection(attempt, &mut remembered, &shutdown)).await;
            if shutdown.is_cancelled() {
                break;
            }
            self.health.set(Part::Worker(self.place), PartState::Degraded(ended));
            // A connection that held for a while was a good one.
            attempt = if began.elapsed() > GOODBYE { 0 } else { attempt + 1 };
            let wait = back_off(attempt, rand::random());
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Works on one connection until it breaks; returns why it did.
    async fn connection(&self, attempt: usize, told: &mut Remembered, shutdown: &CancellationToken) -> String {
        let room = self.connector.receive_maximum();
        let purpose = Purpose::Worker(self.place);
        // Room for the acknowledgements and watermarks of two transactions: the pump empties it all the time.
        let requests = 4 * self.config.batch_messages.get() + room;
        let Some((client, events, server)) = self.connector.connect(purpose, attempt, requests) else {
            return "no broker is configured".to_owned();
        };
        tracing::debug!(worker = self.place, %server, "connecting");
        let (sender, receiver) = mpsc::channel(room);
        let pump = self.pump(events, client.clone(), sender);
        let inbox = Inbox { messages: receiver, early: VecDeque::new(), room };
        let committer = self.committer(client, inbox, told, shutdown);
        let both = async { tokio::join!(pump, committer) };
        tokio::select! {
            (ended, ()) = both => ended,
            () = cut_off(shutdown) => "the broker did not let go in time".to_owned(),
        }
    }

    /// Polls the event loop until it fails, and hands over what it delivers.
    async fn pump(&self, mut events: EventLoop, client: AsyncClient, messages: mpsc::Sender<Queued>) -> String {
        let mut is_connected = false;
        let ended = loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    is_connected = true;
                    self.metrics.workers_connected.inc();
                    // A resumed session has its subscriptions; asking again is harmless, and needed where it has not.
                    let filters = ingest_filters().map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce));
                    if let Err(error) = client.try_subscribe_many(filters) {
                        break chain(&error);
                    }
                }
                Ok(Event::Incoming(Packet::SubAck(answer))) => {
                    let granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
                    if let Some(code) = answer.return_codes.iter().find(|code| !granted(code)) {
                        break format!("the broker refuses a subscription: {code:?}");
                    }
                    self.health.set(Part::Worker(self.place), PartState::Ok);
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => self.take(&client, publish, &messages).await,
                Ok(_) => {}
                Err(error) => break chain(&error),
            }
        };
        if is_connected {
            self.metrics.workers_connected.dec();
        }
        ended
    }

    /// Hands a message over, when there is room for it.
    async fn take(&self, client: &AsyncClient, publish: Publish, messages: &mpsc::Sender<Queued>) {
        self.metrics.messages.inc();
        let ack = client.prepare_ack(&publish);
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let queued = Queued { message: Message::new(topic, publish.payload), ack };
        // Nobody takes it when the worker stops; it comes again.
        drop(messages.send(queued).await);
    }

    /// Stores what comes until the pump ends or the worker shall stop.
    async fn committer(
        &self,
        client: AsyncClient,
        mut inbox: Inbox,
        told: &mut Remembered,
        shutdown: &CancellationToken,
    ) {
        if told.tell_again(&client, &mut inbox).await {
            while let Some(gathered) = self.gather(&mut inbox, shutdown).await {
                if !self.commit(gathered, &client, &mut inbox, told, shutdown).await {
                    break;
                }
            }
        }
        // Dropping the client would cut off what is still to be sent.
        let goodbye = client.disconnect_with_timeout(GOODBYE);
        let is_sent = inbox.while_waiting(async { goodbye.await.is_ok() }).await;
        tracing::debug!(worker = self.place, is_sent, "leaving the broker");
        inbox.early.clear();
        // The pump ends by that; what it still delivers is not acknowledged.
        while inbox.messages.recv().await.is_some() {}
    }

    /// Stores messages, tells the watermarks and acknowledges them; returns whether the connection is still of use.
    async fn commit(
        &self,
        gathered: Vec<Queued>,
        client: &AsyncClient,
        inbox: &mut Inbox,
        told: &mut Remembered,
        shutdown: &CancellationToken,
    ) -> bool {
        let mut acks = Vec::with_capacity(gathered.len());
        let mut received = Vec::with_capacity(gathered.len());
        for Queued { message, ack } in gathered {
            let incoming = message.read();
            if let Incoming::Refused(refused) = &incoming {
                self.metrics.refused.get_or_create(&ReasonLabel { reason: refused.cause }).inc();
                tracing::debug!(cause = refused.cause, "refused a message");
            }
            acks.extend(ack);
            received.push(Received { message, incoming });
        }
        let Some(watermarks) = self.store(&received, &inbox.messages, shutdown).await else { return false };
        for watermark in &watermarks {
            let Some((topic, payload)) = payload_of(watermark) else { continue };
            told.note(topic.clone(), payload.clone());
            if !inbox.while_waiting(publish(client, topic, payload)).await {
                return false;
            }
            self.metrics.watermarks.inc();
        }
        for ack in acks {
            // Where the connection is gone, the message comes again, and is known.
            if !inbox.while_waiting(async { client.manual_ack(ack).await.is_ok() }).await {
                return false;
            }
        }
        true
    }

    /// Waits for a message and gathers what comes soon after it. Nothing when there will be no more, or it is time to
    /// stop.
    async fn gather(&self, inbox: &mut Inbox, shutdown: &CancellationToken) -> Option<Vec<Queued>> {
        let most = self.config.batch_messages.get();
        let early = inbox.early.len().min(most);
        let mut gathered: Vec<Queued> = inbox.early.drain(..early).collect();
        if gathered.is_empty() {
            tokio::select! {
                () = shutdown.cancelled() => return None,
                count = inbox.messages.recv_many(&mut gathered, most) => if count == 0 { return None },
            }
        }
        let deadline = tokio::time::Instant::now() + self.config.linger;
        while gathered.len() < most && !shutdown.is_cancelled() {
            let quiet = (tokio::time::Instant::now() + self.config.idle).min(deadline);
            let room = most - gathered.len();
            match timeout_at(quiet, inbox.messages.recv_many(&mut gathered, room)).await {
                Ok(more) if more > 0 => {}
                _ => break,
            }
        }
        Some(gathered)
    }

    /// Stores, and tries again while that may help. Nothing when the worker stops, or the connection is gone: the
    /// messages come again then.
    async fn store(
        &self,
        received: &[Received],
        messages: &mpsc::Receiver<Queued>,
        shutdown: &CancellationToken,
    ) -> Option<Vec<Watermark>> {
        let mut wait = RETRY.0;
        loop {
            let began = Instant::now();
            let storing = timeout(COMMIT_TIMEOUT, commit::store(&self.database, received, now_ms()));
            match storing.await.unwrap_or(Err(DbError::Timeout)) {
                Ok(outcome) => {
                    self.metrics.commit_seconds.observe(began.elapsed().as_secs_f64());
                    #[expect(clippy::cast_precision_loss, reason = "a batch has at most some hundred messages")]
                    self.metrics.commit_messages.observe(received.len() as f64);
                    self.metrics.count(&outcome.counts);
                    self.health.set(Part::Database, PartState::Ok);
                    return Some(outcome.watermarks);
                }
                Err(error) => {
                    self.metrics.retries.inc();
                    self.health.set(Part::Database, PartState::Degraded(chain(&error)));
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return None,
                () = sleep(wait) => {}
            }
            wait = (wait * 2).min(RETRY.1);
            if messages.is_closed() {
                return None;
            }
        }
    }
}

impl Inbox {
    /// Waits until the pump has taken a request, and takes messages in meanwhile, so that the pump does not wait for us.
    /// Returns what the request returned; false when the pump does not take it.
    async fn while_waiting(&mut self, request: impl Future<Output = bool>) -> bool {
        let mut request = std::pin::pin!(request);
        while self.early.len() < self.room {
            tokio::select! {
                biased;
                done = &mut request => return done,
                message = self.messages.recv() => match message {
                    Some(message) => self.early.push_back(message),
                    None => break,
                },
            }
        }
        timeout(HAND_OVER, request).await.unwrap_or(false)
    }
}

impl Remembered {
    fn note(&mut self, topic: String, payload: Vec<u8>) {
        let now = Instant::now();
        let is_old = |told: &Instant| now.duration_since(*told) >= REMEMBERED;
        while self.0.len() >= MAX_REMEMBERED || self.0.front().is_some_and(|(told, _, _)| is_old(told)) {
            self.0.pop_front();
        }
        self.0.push_back((now, topic, payload));
    }

    /// Tells them again on a new connection; returns whether that went well.
    async fn tell_again(&mut self, client: &AsyncClient, inbox: &mut Inbox) -> bool {
        for (told, topic, payload) in std::mem::take(&mut self.0) {
            if told.elapsed() < REMEMBERED && !inbox.while_waiting(publish(client, topic, payload)).await {
                return false;
            }
        }
        true
    }
}

/// Ends some time after `shutdown`: a broker that is not there cannot be said goodbye to.
async fn cut_off(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    sleep(CUT_OFF).await;
}

fn payload_of(watermark: &Watermark) -> Option<(String, Vec<u8>)> {
    let topic = Topic::Ack { device: watermark.device.clone(), stream: watermark.stream };
    match encode(watermark) {
        Ok(payload) => Some((topic.to_string(), payload)),
        Err(error) => {
            tracing::error!(error = chain(&error), "a watermark cannot be written");
            None
        }
    }
}

/// Hands a retained document to the pump; returns whether the connection is still there. If not, it is told again on the
/// next.
async fn publish(client: &AsyncClient, topic: String, payload: Vec<u8>) -> bool {
    client.publish(topic, payload, PublishOptions::at_least_once().retained()).await.is_ok()
}
