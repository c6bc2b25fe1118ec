//! A device, as far as the gateway sees one.

use std::time::Duration;

use gateway::ingest::commit::Received;
use gateway::ingest::wire::Message;
use protocol::{
    BatchBuilder, BatchLimits, BatchSource, DeviceId, Event, EventBatch, EventId, Kind, NewEvent, Stamp, Stream, Topic,
    Watermark, decode, encode,
};
use rumqttc::{AsyncClient, Event as MqttEvent, MqttOptions, Packet, PublishOptions, QoS};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longest wait for anything that is bound to happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) fn id(name: &str) -> DeviceId {
    name.parse().unwrap()
}

/// Makes an event; its identity is made of `seq` and `salt`.
pub(crate) fn event(seq: u64, salt: u8) -> Event {
    let mut bytes = [salt; 16];
    bytes[..8].copy_from_slice(&seq.to_be_bytes());
    let stamp = Stamp { boot: 1, mono_ms: seq, wall_ms: 1_790_000_000_000, time_synced: true };
    let data = json!({ "call": format!("c{seq}"), "text": "שלום" });
    NewEvent::raw(Stream::Calls, Kind::CALL_ENDED, EventId::from_random_bytes(bytes), stamp, data)
        .unwrap()
        .numbered(seq)
}

/// Makes a batch of the numbers `from..=to` of epoch 7.
pub(crate) fn batch(device: &str, from: u64, to: u64) -> EventBatch {
    let source = BatchSource { device: id(device), stream: Stream::Calls, epoch: 7, next_seq: from };
    let mut builder = BatchBuilder::new(source, BatchLimits { max_events: 1_000, max_len: usize::MAX });
    for seq in from..=to {
        assert!(builder.push(1, event(seq, 0)).unwrap().is_none());
    }
    builder.finish().unwrap()
}

/// Makes a message of a payload on the stream of calls.
pub(crate) fn received(device: &str, payload: Vec<u8>) -> Received {
    let topic = Topic::Up { device: id(device), stream: Stream::Calls };
    received_on(&topic.to_string(), payload)
}

pub(crate) fn received_on(topic: &str, payload: Vec<u8>) -> Received {
    let message = Message::new(topic.to_owned(), payload.into());
    let incoming = message.read();
    Received { message, incoming }
}

/// A device on a broker.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) client: AsyncClient,
    messages: mpsc::Receiver<(String, Vec<u8>)>,
    task: JoinHandle<()>,
}

impl Device {
    /// Connects and listens for watermarks, wishes and commands.
    pub(crate) async fn connect(name: &str, port: u16) -> Self {
        let id = id(name);
        let mut options = MqttOptions::new(name, ("127.0.0.1", port));
        options.set_clean_start(true).set_keep_alive(30);
        let (client, mut events) = AsyncClient::builder(options).capacity(256).build();
        let (sender, messages) = mpsc::channel(65_536);
        let (subscribed, mut is_subscribed) = mpsc::channel(4);
        let filters = protocol::device_filters(&id);
        let inner = client.clone();
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(MqttEvent::Incoming(Packet::ConnAck(_))) => {
                        for filter in &filters {
                            inner.try_subscribe(filter.as_str(), QoS::AtLeastOnce).unwrap();
                        }
                    }
                    Ok(MqttEvent::Incoming(Packet::SubAck(_))) => drop(subscribed.try_send(())),
                    Ok(MqttEvent::Incoming(Packet::Publish(publish))) => {
                        let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
                        sender.try_send((topic, publish.payload.to_vec())).unwrap();
                    }
                    Ok(_) => {}
                    Err(rumqttc::ConnectionError::RequestsDone) => break,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        });
        for _ in 0..3 {
            timeout(SOON, is_subscribed.recv()).await.unwrap().unwrap();
        }
        Self { id, client, messages, task }
    }

    /// Publishes a payload with `QoS` 1.
    pub(crate) async fn publish(&self, topic: &Topic, payload: Vec<u8>) {
        let options = PublishOptions::new(QoS::AtLeastOnce).retain(topic.is_retained());
        self.client.publish(topic.to_string(), payload, options).await.unwrap();
    }

    /// Publishes the numbers `from..=to` of its calls.
    pub(crate) async fn send(&self, from: u64, to: u64) {
        let topic = Topic::Up { device: self.id.clone(), stream: Stream::Calls };
        self.publish(&topic, encode(&batch(self.id.as_str(), from, to)).unwrap()).await;
    }

    /// Waits for a watermark of its calls that is at `through`.
    pub(crate) async fn wait_for_watermark(&mut self, through: u64) {
        let topic = Topic::Ack { device: self.id.clone(), stream: Stream::Calls };
        let wanted = topic.to_string();
        let waiting = async {
            loop {
                let (found, payload) = self.messages.recv().await.unwrap();
                if found == wanted && decode::<Watermark>(&topic, &payload).unwrap().through == through {
                    return;
                }
            }
        };
        timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("no watermark at {through}"));
    }

    /// Waits for a message on `topic`.
    pub(crate) async fn wait_for(&mut self, topic: &Topic) -> Vec<u8> {
        let wanted = topic.to_string();
        let waiting = async {
            loop {
                let (found, payload) = self.messages.recv().await.unwrap();
                if found == wanted {
                    return payload;
                }
            }
        };
        timeout(SOON, waiting).await.unwrap_or_else(|_| panic!("nothing on {wanted}"))
    }
}

impl Device {
    /// Waits for a message on each of `topics`, in whatever order they come; returns what came first on each.
    pub(crate) async fn wait_for_each<const N: usize>(&mut self, topics: [&Topic; N]) -> [Vec<u8>; N] {
        let mut found: [Option<Vec<u8>>; N] = [const { None }; N];
        let waiting = async {
            while found.iter().any(Option::is_none) {
                let (topic, payload) = self.messages.recv().await.unwrap();
                for (wanted, found) in topics.iter().zip(&mut found) {
                    if wanted.to_string() == topic {
                        found.get_or_insert_with(|| payload.clone());
                    }
                }
            }
        };
        let came = timeout(SOON, waiting).await.is_ok();
        assert!(came, "of {topics:?} came {:?}", found.each_ref().map(Option::is_some));
        found.map(Option::unwrap)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}
