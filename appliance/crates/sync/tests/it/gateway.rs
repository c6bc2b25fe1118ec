//! The gateway, played by the test: stores each event once and publishes watermarks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::{
    CommandId, CommandRequest, CommandStatus, Desired, DeviceId, Document, Presence, Reported, Stream, Topic,
    Watermark, decode, decode_batch, encode,
};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, PublishOptions, QoS, TlsConfiguration, Transport};
use tokio::sync::watch;

use super::DEADLINE;
use super::mosquitto::Mosquitto;

/// Names of the one device there is.
fn device() -> DeviceId {
    "box-1".parse().unwrap()
}

#[derive(Debug, Default)]
struct Known {
    /// By stream and epoch, the events' own numbers by theirs.
    rows: BTreeMap<(Stream, u64), BTreeMap<u64, u64>>,
    duplicates: usize,
    presence: Option<Presence>,
    report: Option<Reported>,
    /// Nothing stands for one that was cleared.
    statuses: BTreeMap<CommandId, Option<CommandStatus>>,
}

/// The other side.
pub(super) struct Gateway {
    client: AsyncClient,
    known: Arc<Mutex<Known>>,
    changes: watch::Receiver<u64>,
}

impl Gateway {
    pub(super) async fn connect(broker: &Mosquitto) -> Self {
        let name: DeviceId = "gateway".parse().unwrap();
        let address = broker.address();
        let mut options = MqttOptions::new(name.as_str(), (address.host.clone(), address.port));
        options.set_clean_start(true).set_max_packet_size(Some(1 << 20)).set_transport(Transport::tls_with_config(
            TlsConfiguration::Rustls(broker.tls_as_of(&name, Duration::ZERO)),
        ));
        let (client, event_loop) = AsyncClient::builder(options).capacity(64).build();
        let (changed, changes) = watch::channel(0);
        let known = Arc::new(Mutex::new(Known::default()));
        tokio::spawn(serve(event_loop, client.clone(), Arc::clone(&known), changed));
        let mut gateway = Self { client, known, changes };
        // Subscribed before the device comes.
        tokio::time::timeout(DEADLINE, gateway.changes.changed()).await.expect("the gateway connects").unwrap();
        gateway
    }

    pub(super) async fn wait_for(&self, stream: Stream, numbers: impl Iterator<Item = u64>) {
        let expected: Vec<u64> = numbers.collect();
        self.wait(|known| Self::numbers(known, stream) == expected).await;
    }

    pub(super) async fn wait_for_some(&self, stream: Stream) {
        self.wait(|known| !Self::numbers(known, stream).is_empty()).await;
    }

    pub(super) async fn presence(&self) -> Presence {
        self.wait_for_presence(|_| true).await;
        self.known.lock().unwrap().presence.clone().unwrap()
    }

    pub(super) async fn wait_for_presence(&self, wanted: impl Fn(&Presence) -> bool) {
        self.wait(|known| known.presence.as_ref().is_some_and(&wanted)).await;
    }

    pub(super) async fn wait_for_report(&self, wanted: impl Fn(&Reported) -> bool) {
        self.wait(|known| known.report.as_ref().is_some_and(&wanted)).await;
    }

    pub(super) async fn wait_for_status(
        &self,
        id: &CommandId,
        wanted: impl Fn(&CommandStatus) -> bool,
    ) -> CommandStatus {
        self.wait(|known| known.statuses.get(id).is_some_and(|status| status.as_ref().is_some_and(&wanted))).await;
        self.known.lock().unwrap().statuses[id].clone().unwrap()
    }

    pub(super) async fn wait_for_cleared_status(&self, id: &CommandId) {
        self.wait(|known| known.statuses.get(id) == Some(&None)).await;
    }

    pub(super) fn duplicates(&self) -> usize {
        self.known.lock().unwrap().duplicates
    }

    pub(super) async fn publish_desired(&self, desired: &Desired) {
        self.publish(&Topic::Desired { device: device() }, encode(desired).unwrap()).await;
    }

    pub(super) async fn publish_command(&self, request: &CommandRequest) {
        let topic = Topic::CommandRequest { device: device(), command: request.id.clone() };
        self.publish(&topic, encode(request).unwrap()).await;
    }

    pub(super) async fn clear_command(&self, id: &CommandId) {
        self.publish(&Topic::CommandRequest { device: device(), command: id.clone() }, Vec::new()).await;
    }

    async fn publish(&self, topic: &Topic, payload: Vec<u8>) {
        let options = PublishOptions::at_least_once().retained();
        self.client.publish(topic.to_string(), payload, options).await.unwrap();
    }

    async fn wait(&self, wanted: impl Fn(&Known) -> bool) {
        let mut changes = self.changes.clone();
        let found = changes.wait_for(|_| wanted(&self.known.lock().unwrap()));
        let found = tokio::time::timeout(DEADLINE, found).await.map(|found| found.map(drop));
        assert!(found.is_ok(), "it did not come: {:?}", self.known.lock().unwrap());
    }

    fn numbers(known: &Known, stream: Stream) -> Vec<u64> {
        known
            .rows
            .iter()
            .filter(|((found, _), _)| *found == stream)
            .flat_map(|(_, rows)| rows.values().copied())
            .collect()
    }
}

async fn serve(mut event_loop: EventLoop, client: AsyncClient, known: Arc<Mutex<Known>>, changed: watch::Sender<u64>) {
    loop {
        match event_loop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                client.try_subscribe("kolbox/v1/#", QoS::AtLeastOnce).unwrap();
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let topic: Topic = std::str::from_utf8(&publish.topic).unwrap().parse().unwrap();
                let answer = take(&mut known.lock().unwrap(), &topic, &publish.payload);
                if let Some(mark) = answer {
                    let topic = Topic::Ack { device: mark.device.clone(), stream: mark.stream }.to_string();
                    let options = PublishOptions::at_least_once().retained();
                    drop(client.try_publish(topic, encode(&mark).unwrap(), options));
                }
                changed.send_modify(|count| *count += 1);
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => changed.send_modify(|count| *count += 1),
            Ok(_) => {}
            // The broker is gone for a moment; without a pause the loop would do nothing but try.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

fn take(known: &mut Known, topic: &Topic, payload: &[u8]) -> Option<Watermark> {
    match topic {
        Topic::Up { device, stream } => {
            let received = decode_batch(topic, payload).unwrap();
            assert!(received.bad.is_empty() && received.gaps.is_empty());
            let rows = known.rows.entry((*stream, received.batch.epoch)).or_default();
            for event in &received.batch.events {
                let number = event.data.reveal()["number"].as_u64().unwrap();
                let before = rows.insert(event.seq, number);
                assert!(before.is_none_or(|before| before == number), "{} was given twice", event.seq);
                known.duplicates += usize::from(before.is_some());
            }
            let through = rows.keys().zip(1..).take_while(|(seq, expected)| *seq == expected).count() as u64;
            Some(Watermark::new(device.clone(), *stream, received.batch.epoch, through))
        }
        Topic::Presence { .. } => {
            let presence: Presence = read(topic, payload);
            if !presence.is_stale(known.presence.as_ref()) {
                known.presence = Some(presence);
            }
            None
        }
        Topic::Reported { .. } => {
            known.report = Some(read(topic, payload));
            None
        }
        Topic::CommandStatus { command, .. } => {
            let status = (!payload.is_empty()).then(|| read(topic, payload));
            known.statuses.insert(command.clone(), status);
            None
        }
        Topic::Ack { .. } | Topic::Desired { .. } | Topic::CommandRequest { .. } => None,
    }
}

fn read<D: Document>(topic: &Topic, payload: &[u8]) -> D {
    decode(topic, payload).unwrap()
}
