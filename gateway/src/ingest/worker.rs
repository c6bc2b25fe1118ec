//! A worker: takes messages from the broker, stores them, and only then acknowledges them and tells the watermarks.
//!
//! Two futures make a connection. The pump polls the event loop and hands over what it delivers; when nobody takes it,
//! the pump stops reading, and the network pushes back. The committer gathers what has come, stores it in one transaction,
//! hands watermarks to the [`teller`](super::teller) and acknowledgements to the pump. The committer never waits for the
//! pump alone: what the pump does not take at once stays with the committer, which goes on taking messages in. The receive
//! maximum would not do for that: Mosquitto 2.0.11 keeps to it at first, and delivers everything it has queued at the first
//! acknowledgements.
//!
//! Each connection has a client of its own: acknowledgements of one can never be sent on the next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{Watermark, ingest_filters};
use rumqttc::SubscribeFilter;
use rumqttc::{AsyncClient, Event, EventLoop, ManualAck, Packet, Publish, QoS, SubscribeReasonCode};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::commit::{self, Received};
use super::teller::{self, Teller};
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
/// Requests the pump takes at once. One transaction's acknowledgements go through in a few turns.
const REQUESTS: usize = 1_024;

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

/// The committer's side of a connection.
struct Line {
    client: AsyncClient,
    messages: mpsc::Receiver<Queued>,
    /// Acknowledgements of what is stored that the pump had no room for. Bounded by what the broker has under way to us.
    unsent: VecDeque<ManualAck>,
}

/// What came while the committer waited.
enum Came {
    /// Messages, at least one.
    Messages,
    /// An acknowledgement left.
    Sent,
    /// The connection is gone.
    Nothing,
}

impl Worker {
    /// Works until `shutdown`, over as many connections as it takes.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, what was not acknowledged is delivered again.
    pub async fn run(self, shutdown: CancellationToken) {
        let (watermarks, receiver) = mpsc::channel(teller::WAITING);
        let teller = Teller {
            place: self.place,
            connector: self.connector.clone(),
            metrics: Arc::clone(&self.metrics),
            health: Arc::clone(&self.health),
        };
        // The teller ends when the worker, and with it the sender, is gone.
        tokio::join!(Box::pin(self.work(watermarks, &shutdown)), Box::pin(teller.run(receiver)));
    }

    async fn work(&self, watermarks: mpsc::Sender<Watermark>, shutdown: &CancellationToken) {
        let mut attempt = 0;
        while !shutdown.is_cancelled() {
            let began = Instant::now();
            let ended = Box::pin(self.connection(attempt, &watermarks, shutdown)).await;
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
    async fn connection(
        &self,
        attempt: usize,
        watermarks: &mpsc::Sender<Watermark>,
        shutdown: &CancellationToken,
    ) -> String {
        let room = self.connector.receive_maximum();
        let purpose = Purpose::Worker(self.place);
        let Some((client, events, server)) = self.connector.connect(purpose, attempt, REQUESTS) else {
            return "no broker is configured".to_owned();
        };
        tracing::debug!(worker = self.place, %server, "connecting");
        let (sender, receiver) = mpsc::channel(room);
        let pump = self.pump(events, client.clone(), sender);
        let line = Line { client, messages: receiver, unsent: VecDeque::new() };
        let committer = self.committer(line, watermarks, shutdown);
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
    async fn committer(&self, mut line: Line, watermarks: &mpsc::Sender<Watermark>, shutdown: &CancellationToken) {
        while let Some(gathered) = self.gather(&mut line, shutdown).await {
            if !self.commit(gathered, &mut line, watermarks, shutdown).await {
                break;
            }
        }
        let is_sent = line.goodbye().await;
        tracing::debug!(worker = self.place, is_sent, "leaving the broker");
    }

    /// Stores messages, tells the watermarks and acknowledges them; returns whether the connection is still of use.
    async fn commit(
        &self,
        gathered: Vec<Queued>,
        line: &mut Line,
        watermarks: &mpsc::Sender<Watermark>,
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
        let Some(stored) = self.store(&received, &line.messages, shutdown).await else { return false };
        for watermark in stored {
            // The teller has a connection of its own, and takes what comes whether it stands or not.
            if watermarks.send(watermark).await.is_err() {
                return false;
            }
        }
        line.acknowledge(acks);
        true
    }

    /// Waits for a message and gathers what comes soon after it. Nothing when there will be no more, or it is time to
    /// stop.
    async fn gather(&self, line: &mut Line, shutdown: &CancellationToken) -> Option<Vec<Queued>> {
        let most = self.config.batch_messages.get();
        let mut gathered = Vec::new();
        while gathered.is_empty() {
            tokio::select! {
                () = shutdown.cancelled() => return None,
                came = line.next(&mut gathered, most) => if matches!(came, Came::Nothing) { return None },
            }
        }
        let deadline = tokio::time::Instant::now() + self.config.linger;
        while gathered.len() < most && !shutdown.is_cancelled() {
            let quiet = (tokio::time::Instant::now() + self.config.idle).min(deadline);
            let room = most - gathered.len();
            match timeout_at(quiet, line.next(&mut gathered, room)).await {
                Ok(Came::Messages | Came::Sent) => {}
                Ok(Came::Nothing) | Err(_) => break,
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

impl Line {
    /// Waits for messages, at most `room`, and hands over meanwhile what was not sent.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, no message is lost. An acknowledgement may be sent twice; the client refuses the second.
    async fn next(&mut self, gathered: &mut Vec<Queued>, room: usize) -> Came {
        let Some(ack) = self.unsent.front() else {
            let count = self.messages.recv_many(gathered, room).await;
            return if count == 0 { Came::Nothing } else { Came::Messages };
        };
        tokio::select! {
            biased;
            sent = self.client.manual_ack(ack.clone()) => {
                self.unsent.pop_front();
                if sent.is_ok() { Came::Sent } else { Came::Nothing }
            }
            count = self.messages.recv_many(gathered, room) => if count == 0 { Came::Nothing } else { Came::Messages },
        }
    }

    /// Hands acknowledgements to the pump, as many as it takes at once, in order; the rest waits.
    fn acknowledge(&mut self, acks: Vec<ManualAck>) {
        self.unsent.extend(acks);
        while let Some(ack) = self.unsent.front() {
            // Full, or gone: then the messages come again, and are known.
            if self.client.try_manual_ack(ack.clone()).is_err() {
                break;
            }
            self.unsent.pop_front();
        }
    }

    /// Says goodbye behind the last acknowledgements; dropping the client would cut them off. What still comes is not
    /// acknowledged, and comes again. Returns whether all was sent.
    async fn goodbye(mut self) -> bool {
        let Self { client, messages, unsent } = &mut self;
        let leave = async {
            for ack in unsent.drain(..) {
                client.manual_ack(ack).await.ok()?;
            }
            client.disconnect_with_timeout(GOODBYE).await.ok()
        };
        let drain = async { while messages.recv().await.is_some() {} };
        // The pump ends by the goodbye, and with it the messages.
        let (left, ()) = tokio::join!(timeout(GOODBYE, leave), drain);
        matches!(left, Ok(Some(())))
    }
}

/// Ends some time after `shutdown`: a broker that is not there cannot be said goodbye to.
async fn cut_off(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    sleep(CUT_OFF).await;
}
