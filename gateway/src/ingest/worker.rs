//! A worker: takes messages from the broker, stores them, and only then acknowledges them and tells the watermarks.
//!
//! Two futures make a connection. The pump polls the event loop and never waits for anything else, so that the other can
//! always hand it acknowledgements; what it takes in is bounded by the receive maximum the broker keeps to. The committer
//! gathers what has come, stores it in one transaction, and hands acknowledgements and watermarks to the pump.
//! Each connection has a client of its own: acknowledgements of one can never be sent on the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{Topic, Watermark, encode, ingest_filters};
use rumqttc::SubscribeFilter;
use rumqttc::{AsyncClient, Event, EventLoop, ManualAck, Packet, Publish, PublishOptions, QoS, SubscribeReasonCode};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout_at};
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
/// Messages without acknowledgement that may wait beside those with one.
const UNACKNOWLEDGED_ROOM: usize = 256;

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

/// Watermarks told lately.
#[derive(Default)]
struct Remembered(BTreeMap<String, (Instant, Vec<u8>)>);

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
        let room = self.connector.receive_maximum() + UNACKNOWLEDGED_ROOM;
        let purpose = Purpose::Worker(self.place);
        // Room for the acknowledgements and watermarks of two transactions: the pump empties it all the time.
        let requests = 4 * self.config.batch_messages.get() + room;
        let Some((client, events, server)) = self.connector.connect(purpose, attempt, requests) else {
            return "no broker is configured".to_owned();
        };
        tracing::debug!(worker = self.place, %server, "connecting");
        let (sender, receiver) = mpsc::channel(room);
        let pump = self.pump(events, client.clone(), sender);
        let committer = self.committer(client, receiver, told, shutdown);
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
                Ok(Event::Incoming(Packet::Publish(publish))) => self.take(&client, publish, &messages),
                Ok(_) => {}
                Err(error) => break chain(&error),
            }
        };
        if is_connected {
            self.metrics.workers_connected.dec();
        }
        ended
    }

    fn take(&self, client: &AsyncClient, publish: Publish, messages: &mpsc::Sender<Queued>) {
        self.metrics.messages.inc();
        let ack = client.prepare_ack(&publish);
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        let queued = Queued { message: Message::new(topic, publish.payload), ack };
        if messages.try_send(queued).is_err() {
            // Those with an acknowledgement always find room, or the broker breaks its word; they come again.
            self.metrics.dropped.inc();
        }
    }

    /// Stores what comes until the pump ends or the worker shall stop.
    async fn committer(
        &self,
        client: AsyncClient,
        mut messages: mpsc::Receiver<Queued>,
        told: &mut Remembered,
        shutdown: &CancellationToken,
    ) {
        told.tell_again(&client).await;
        loop {
            let gathered = tokio::select! {
                () = shutdown.cancelled() => break,
                gathered = self.gather(&mut messages) => gathered,
            };
            if gathered.is_empty() {
                break;
            }
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
            let Some(watermarks) = self.store(&received, &messages, shutdown).await else { break };
            for watermark in &watermarks {
                if let Some((topic, payload)) = payload_of(watermark) {
                    told.note(topic.clone(), payload.clone());
                    publish(&client, topic, payload).await;
                    self.metrics.watermarks.inc();
                }
            }
            for ack in acks {
                // The connection may be gone; then the message comes again, and is known.
                drop(client.manual_ack(ack).await);
            }
        }
        // Dropping the client would cut off what is still to be sent.
        drop(client.disconnect_with_timeout(GOODBYE).await);
        // The pump ends by that; what it still delivers is not acknowledged.
        while messages.recv().await.is_some() {}
    }

    /// Waits for a message and gathers what comes soon after it. Nothing when there will be no more.
    async fn gather(&self, messages: &mut mpsc::Receiver<Queued>) -> Vec<Queued> {
        let most = self.config.batch_messages.get();
        let mut gathered = Vec::new();
        if messages.recv_many(&mut gathered, most).await == 0 {
            return gathered;
        }
        let deadline = tokio::time::Instant::now() + self.config.linger;
        while gathered.len() < most {
            let quiet = (tokio::time::Instant::now() + self.config.idle).min(deadline);
            let room = most - gathered.len();
            match timeout_at(quiet, messages.recv_many(&mut gathered, room)).await {
                Ok(more) if more > 0 => {}
                _ => break,
            }
        }
        gathered
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
            let storing = tokio::time::timeout(COMMIT_TIMEOUT, commit::store(&self.database, received, now_ms()));
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

impl Remembered {
    fn note(&mut self, topic: String, payload: Vec<u8>) {
        let now = Instant::now();
        if self.0.len() >= MAX_REMEMBERED {
            self.0.retain(|_, (told, _)| now.duration_since(*told) < REMEMBERED);
        }
        if self.0.len() < MAX_REMEMBERED {
            self.0.insert(topic, (now, payload));
        }
    }

    async fn tell_again(&mut self, client: &AsyncClient) {
        for (topic, (told, payload)) in std::mem::take(&mut self.0) {
            if told.elapsed() < REMEMBERED {
                publish(client, topic, payload).await;
            }
        }
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

async fn publish(client: &AsyncClient, topic: String, payload: Vec<u8>) {
    let options = PublishOptions::at_least_once().retained();
    // The connection may be gone; the next one tells it again.
    drop(client.publish(topic, payload, options).await);
}
