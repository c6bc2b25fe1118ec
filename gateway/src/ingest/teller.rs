//! Tells watermarks, on a connection of its own.
//!
//! On the connection that events come in on, the broker's acknowledgements of watermarks would stand behind thousands of
//! events that the worker takes only when it has told the watermarks of those before. Here nothing stands in front of them.
//!
//! What was under way when a connection broke is not told again from here: where the broker was away, everything that
//! stands is told again by [`standing`](crate::fleet), and a device that still waits sends again and is answered.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{Topic, Watermark, encode};
use rumqttc::{AsyncClient, Event, EventLoop, Packet, PublishOptions};
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;

use super::wire::chain;
use crate::health::{Health, Part, PartState};
use crate::metrics::Metrics;
use crate::mqtt::{Connector, Purpose, back_off};

/// Watermarks that wait to be handed to the client.
pub(super) const WAITING: usize = 1_024;
/// Watermarks in the client that wait for their turn.
const REQUESTS: usize = 256;
/// Longest wait for the last watermarks to leave.
const GOODBYE: Duration = Duration::from_secs(5);
/// Watermarks looked at together; of one stream only the newest of them is told.
const AT_ONCE: usize = 256;
/// Watermarks kept without a connection at most; beyond them the oldest are left to be told again.
const MAX_UNTOLD: usize = 4_096;

/// What the teller needs.
pub(super) struct Teller {
    /// The worker's place.
    pub(super) place: usize,
    /// How to reach the broker.
    pub(super) connector: Connector,
    /// Figures.
    pub(super) metrics: Arc<Metrics>,
    /// Where it says how it is.
    pub(super) health: Arc<Health>,
}

impl Teller {
    /// Tells what comes until the sender is gone, then says goodbye.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, some watermarks are not told; devices send again what they wait for.
    pub(super) async fn run(self, mut watermarks: mpsc::Receiver<Watermark>) {
        let mut attempt = 0;
        let mut untold = Vec::new();
        loop {
            let began = Instant::now();
            let Err(ended) = self.connection(attempt, &mut untold, &mut watermarks).await else { return };
            self.health.set(Part::Watermarks(self.place), PartState::Degraded(ended));
            attempt = if began.elapsed() > GOODBYE { 0 } else { attempt + 1 };
            let mut wait = std::pin::pin!(sleep(back_off(attempt, rand::random())));
            loop {
                tokio::select! {
                    () = &mut wait => break,
                    count = watermarks.recv_many(&mut untold, AT_ONCE) => if count == 0 { return },
                }
                shorten(&mut untold);
            }
        }
    }

    /// Tells on one connection; an error is why it broke.
    async fn connection(
        &self,
        attempt: usize,
        untold: &mut Vec<Watermark>,
        watermarks: &mut mpsc::Receiver<Watermark>,
    ) -> Result<(), String> {
        let purpose = Purpose::Watermarks(self.place);
        let Some((client, events, _)) = self.connector.connect(purpose, attempt, REQUESTS) else {
            return Err("no broker is configured".to_owned());
        };
        let connected = Notify::new();
        let pump = self.pump(events, &connected);
        let feed = self.feed(client, &connected, untold, watermarks);
        let (mut pump, mut feed) = (std::pin::pin!(pump), std::pin::pin!(feed));
        tokio::select! {
            ended = &mut pump => return Err(ended),
            // All is handed over; the pump ends when it has sent it, in the time it was given.
            () = &mut feed => {}
        }
        pump.await;
        Ok(())
    }

    async fn pump(&self, mut events: EventLoop, connected: &Notify) -> String {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    self.health.set(Part::Watermarks(self.place), PartState::Ok);
                    connected.notify_one();
                }
                Ok(_) => {}
                Err(error) => return chain(&error),
            }
        }
    }

    async fn feed(
        &self,
        client: AsyncClient,
        connected: &Notify,
        untold: &mut Vec<Watermark>,
        watermarks: &mut mpsc::Receiver<Watermark>,
    ) {
        // What is handed to a client that never connects is gone with it.
        connected.notified().await;
        while !untold.is_empty() || watermarks.recv_many(untold, AT_ONCE).await > 0 {
            for watermark in newest(untold) {
                publish(&client, &watermark).await;
                self.metrics.watermarks.inc();
            }
            untold.clear();
        }
        if let Err(error) = client.disconnect_with_timeout(GOODBYE).await {
            tracing::debug!(error = chain(&error), "no goodbye to the broker");
        }
    }
}

/// Returns the last watermark of each stream, in the order of these.
fn newest(watermarks: &[Watermark]) -> Vec<Watermark> {
    let mut seen = HashSet::new();
    let last = watermarks.iter().rev().filter(|it| seen.insert((&it.device, it.stream, it.epoch)));
    let mut newest: Vec<Watermark> = last.cloned().collect();
    newest.reverse();
    newest
}

/// Leaves the last watermark of each stream, and of many streams the latest, once there are more than are kept.
fn shorten(untold: &mut Vec<Watermark>) {
    if untold.len() > MAX_UNTOLD {
        *untold = newest(untold);
        untold.drain(..untold.len().saturating_sub(MAX_UNTOLD / 2));
    }
}

/// Hands a watermark to the client.
async fn publish(client: &AsyncClient, watermark: &Watermark) {
    let topic = Topic::Ack { device: watermark.device.clone(), stream: watermark.stream }.to_string();
    match encode(watermark) {
        // An error says that the connection is gone, and the pump says why.
        Ok(payload) => drop(client.publish(topic, payload, PublishOptions::at_least_once().retained()).await),
        Err(error) => tracing::error!(error = chain(&error), "a watermark cannot be written"),
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Stream, Watermark};

    use super::{MAX_UNTOLD, newest, shorten};

    fn watermark(device: &str, through: u64) -> Watermark {
        Watermark::new(device.parse().unwrap(), Stream::Calls, 7, through)
    }

    #[test]
    fn of_each_stream_the_last_is_told() {
        let waiting = [watermark("box-1", 3), watermark("box-2", 9), watermark("box-1", 5)];
        assert_eq!(newest(&waiting), [watermark("box-2", 9), watermark("box-1", 5)]);
    }

    #[test]
    fn without_a_connection_the_last_of_each_stream_is_kept_and_of_too_many_the_latest() {
        let mut untold: Vec<Watermark> = (0..=MAX_UNTOLD as u64).map(|through| watermark("box-1", through)).collect();
        shorten(&mut untold);
        assert_eq!(untold, [watermark("box-1", MAX_UNTOLD as u64)]);
        let mut untold: Vec<Watermark> =
            (0..=MAX_UNTOLD).map(|device| watermark(&format!("box-{device}"), 1)).collect();
        shorten(&mut untold);
        assert_eq!((untold.len(), untold.last()), (MAX_UNTOLD / 2, Some(&watermark(&format!("box-{MAX_UNTOLD}"), 1))));
    }
}
