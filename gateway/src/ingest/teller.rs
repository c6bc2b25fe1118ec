//! Tells watermarks, on a connection of its own.
//!
//! On the connection that events come in on, the broker's acknowledgements of watermarks would stand behind thousands of
//! events that the worker takes only when it has told the watermarks of those before. Here nothing stands in front of them.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{Topic, Watermark, encode};
use rumqttc::{AsyncClient, Event, EventLoop, Packet, PublishOptions};
use tokio::sync::mpsc;
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
/// How long watermarks are remembered to be told again on the next connection: what was told on a connection just before
/// it broke may not have arrived, and a device would wait half a minute for it.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Watermarks remembered at most.
const MAX_REMEMBERED: usize = 8_192;

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

/// A retained document: where, and what.
type Document = (String, Vec<u8>);

/// Watermarks told lately, the oldest first.
#[derive(Default)]
struct Remembered(VecDeque<(Instant, Document)>);

impl Teller {
    /// Tells what comes until the sender is gone, then says goodbye.
    ///
    /// # Cancellation safety
    ///
    /// Dropped half way, some watermarks are not told; devices send again what they wait for.
    pub(super) async fn run(self, mut watermarks: mpsc::Receiver<Watermark>) {
        let mut attempt = 0;
        let mut told = Remembered::default();
        loop {
            let began = Instant::now();
            let Err(ended) = self.connection(attempt, &mut told, &mut watermarks).await else { return };
            self.health.set(Part::Watermarks(self.place), PartState::Degraded(ended));
            attempt = if began.elapsed() > GOODBYE { 0 } else { attempt + 1 };
            let mut wait = std::pin::pin!(sleep(back_off(attempt, rand::random())));
            loop {
                tokio::select! {
                    () = &mut wait => break,
                    watermark = watermarks.recv() => match watermark {
                        Some(watermark) => drop(told.note(&watermark)),
                        None => return,
                    },
                }
            }
        }
    }

    /// Tells on one connection; an error is why it broke.
    async fn connection(
        &self,
        attempt: usize,
        told: &mut Remembered,
        watermarks: &mut mpsc::Receiver<Watermark>,
    ) -> Result<(), String> {
        let purpose = Purpose::Watermarks(self.place);
        let Some((client, events, _)) = self.connector.connect(purpose, attempt, REQUESTS) else {
            return Err("no broker is configured".to_owned());
        };
        let pump = self.pump(events);
        let feed = self.feed(client, told, watermarks);
        let (mut pump, mut feed) = (std::pin::pin!(pump), std::pin::pin!(feed));
        tokio::select! {
            ended = &mut pump => return Err(ended),
            // All is handed over; the pump ends when it has sent it, in the time it was given.
            () = &mut feed => {}
        }
        pump.await;
        Ok(())
    }

    async fn pump(&self, mut events: EventLoop) -> String {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    self.health.set(Part::Watermarks(self.place), PartState::Ok);
                }
                Ok(_) => {}
                Err(error) => return chain(&error),
            }
        }
    }

    async fn feed(&self, client: AsyncClient, told: &mut Remembered, watermarks: &mut mpsc::Receiver<Watermark>) {
        for document in told.again() {
            publish(&client, document).await;
        }
        let mut waiting = Vec::new();
        while watermarks.recv_many(&mut waiting, AT_ONCE).await > 0 {
            for watermark in newest(waiting.drain(..)) {
                if let Some(document) = told.note(&watermark) {
                    publish(&client, document).await;
                    self.metrics.watermarks.inc();
                }
            }
        }
        if let Err(error) = client.disconnect_with_timeout(GOODBYE).await {
            tracing::debug!(error = chain(&error), "no goodbye to the broker");
        }
    }
}

/// Returns the last watermark of each stream, in the order of these.
fn newest(watermarks: impl DoubleEndedIterator<Item = Watermark>) -> Vec<Watermark> {
    let mut seen = HashSet::new();
    let mut newest: Vec<Watermark> =
        watermarks.rev().filter(|it| seen.insert((it.device.clone(), it.stream, it.epoch))).collect();
    newest.reverse();
    newest
}

impl Remembered {
    /// Remembers a watermark and returns what is to be published.
    fn note(&mut self, watermark: &Watermark) -> Option<Document> {
        let topic = Topic::Ack { device: watermark.device.clone(), stream: watermark.stream };
        let document = match encode(watermark) {
            Ok(payload) => (topic.to_string(), payload),
            Err(error) => {
                tracing::error!(error = chain(&error), "a watermark cannot be written");
                return None;
            }
        };
        let now = Instant::now();
        let is_old = |told: &Instant| now.duration_since(*told) >= REMEMBERED;
        while self.0.len() >= MAX_REMEMBERED || self.0.front().is_some_and(|(told, _)| is_old(told)) {
            self.0.pop_front();
        }
        self.0.push_back((now, document.clone()));
        Some(document)
    }

    /// Returns what is to be told again: the last of each stream, in the order in which they were told.
    fn again(&self) -> Vec<Document> {
        let mut seen = HashSet::new();
        let lately = self.0.iter().rev().filter(|(told, _)| told.elapsed() < REMEMBERED);
        let last = lately.filter(|(_, (topic, _))| seen.insert(topic));
        let mut again: Vec<Document> = last.map(|(_, document)| document.clone()).collect();
        again.reverse();
        again
    }
}

/// Hands a document to the client. When the connection is gone it is told again on the next.
async fn publish(client: &AsyncClient, (topic, payload): Document) {
    drop(client.publish(topic, payload, PublishOptions::at_least_once().retained()).await);
}

#[cfg(test)]
mod tests {
    use protocol::{Stream, Watermark};

    use super::{MAX_REMEMBERED, Remembered, newest};

    fn watermark(device: &str, through: u64) -> Watermark {
        Watermark::new(device.parse().unwrap(), Stream::Calls, 7, through)
    }

    #[test]
    fn of_each_stream_the_last_is_told() {
        let waiting = [watermark("box-1", 3), watermark("box-2", 9), watermark("box-1", 5)];
        assert_eq!(newest(waiting.into_iter()), [watermark("box-2", 9), watermark("box-1", 5)]);
    }

    #[test]
    fn the_latest_are_remembered_in_order_and_no_more_than_there_is_room_for() {
        let mut told = Remembered::default();
        for device in 0..=MAX_REMEMBERED {
            told.note(&watermark(&format!("box-{device}"), 1)).unwrap();
        }
        let again = told.again();
        assert_eq!(again.len(), MAX_REMEMBERED);
        let last = String::from_utf8(again.last().unwrap().1.clone()).unwrap();
        assert!(last.contains(&format!("\"box-{MAX_REMEMBERED}\"")), "{last}");
    }

    #[test]
    fn of_what_is_told_again_only_the_last_of_a_stream_is() {
        let mut told = Remembered::default();
        for (device, through) in [("box-1", 3), ("box-2", 9), ("box-1", 5)] {
            told.note(&watermark(device, through)).unwrap();
        }
        let again: Vec<String> =
            told.again().into_iter().map(|(_, payload)| String::from_utf8(payload).unwrap()).collect();
        assert!(
            again.len() == 2 && again[0].contains("\"through\":9") && again[1].contains("\"through\":5"),
            "{again:?}"
        );
    }
}
