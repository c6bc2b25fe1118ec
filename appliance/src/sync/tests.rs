//! The box's side of the link: what is kept where, what is told when.

use std::sync::Arc;

use ::store::{Batch, FaultyDisk, OutboxLimits, Recordings, Store, StoreConfig};
use ::sync::inbox::CommandRow;
use ::sync::link::Trouble;
use ::sync::outbox::{OutboxStore as _, Refusal, StreamStatus, Wanted};
use ::sync::{Broker, InboxStore as _, LinkStatus, SyncStatus};
use protocol::{
    CommandRequest, CommandState, Desired, DeviceConfig, Extra, Kind, LogLevel, MetricsSample, OutboxLost, Stream,
};
use units::Pii;

use super::store::ArchiveStore;
use super::{state_of, tell_losses};
use crate::archive::Archive;
use crate::clock::Clock;
use crate::events::Events;
use crate::health::{Health, PartState};

#[test]
fn wishes_and_commands_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = DeviceConfig { log_level: Some(LogLevel::Debug), ..DeviceConfig::default() };
    let row = |id: &str| CommandRow {
        id: id.parse().unwrap(),
        kind: CommandRequest::RESTART,
        state: CommandState::Running,
        detail: None,
    };
    {
        let store = open(folder.path());
        assert_eq!(store.load().unwrap(), ::sync::SavedInbox::default());
        store.save_desired(&Desired::first(config.clone())).unwrap();
        store.remember(&row("a")).unwrap();
        store.remember(&row("b")).unwrap();
        store.forget(&"a".parse().unwrap()).unwrap();
    }
    let saved = open(folder.path()).load().unwrap();
    assert_eq!(saved.desired, Some(Desired::first(config)));
    assert_eq!(saved.commands, [row("b")]);
}

#[test]
fn events_come_out_as_they_went_in_and_go_when_the_gateway_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let events = Events::new(9, Clock::start(), true);
    let call = ::store::CallRecord::started("CA1".parse().unwrap(), Pii::default(), Pii::default(), 5);
    for _ in 0..3 {
        let mut batch = Batch::new();
        events.call_started(&mut batch, &call);
        store.0.store().unwrap().commit(batch).unwrap();
    }
    let [head] = store.heads()[..] else { panic!("{:?}", store.heads()) };
    assert_eq!((head.stream, head.through, head.next, head.open), (Stream::Calls, 0, 4, true));
    let wanted = Wanted { stream: head.stream, epoch: head.epoch, after: 1, max_events: 64, max_len: 1 << 15 };
    let slice = store.slice(wanted).unwrap();
    assert_eq!((slice.boot, slice.events.iter().map(|event| event.seq).collect::<Vec<_>>()), (9, vec![2, 3]));
    store.acknowledge(head.stream, head.epoch, 3).unwrap();
    assert_eq!(store.slice(wanted).unwrap().events, []);
    store.begin_epoch(head.stream, head.epoch + 5).unwrap();
    assert_eq!(store.heads().last().map(|head| (head.epoch, head.next)), Some((head.epoch + 5, 1)));
}

#[tokio::test]
async fn what_is_dropped_for_want_of_room_is_announced_in_its_stream_and_told_once_in_the_audit() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::default());
    let limits = OutboxLimits { lossy_stream_bytes: 0, ..OutboxLimits::default() };
    let config = StoreConfig { outbox: limits, ..StoreConfig::new(folder.path()) };
    let store = Store::open_on(&config, Arc::<FaultyDisk>::clone(&disk)).unwrap();
    let (recordings, _) = Recordings::open(folder.path(), 0).unwrap();
    let store = ArchiveStore(Archive::new(store, recordings, PartState::Ok, Arc::new(Health::default())));
    let events = Events::new(9, Clock::start(), true);
    assert!(!tell_losses(&store.0, &events).await, "nothing is lost yet");
    let sample = || {
        let mut batch = Batch::new();
        let values = [("disk_free_bytes".to_owned(), 1.0)].into();
        events.put(&mut batch, &MetricsSample { values, extra: Extra::default() });
        store.0.store().unwrap().commit(batch).unwrap();
    };
    sample();
    disk.set_free_bytes(limits.lossy_free_bytes - 1);
    sample();
    assert!(tell_losses(&store.0, &events).await);
    assert!(!tell_losses(&store.0, &events).await, "it was told");
    sample();
    assert!(tell_losses(&store.0, &events).await);

    let slice = |stream: Stream| {
        let head = *store.heads().iter().find(|head| head.stream == stream).unwrap();
        let wanted = Wanted { stream, epoch: head.epoch, after: 0, max_events: 64, max_len: 1 << 15 };
        (head.epoch, store.slice(wanted).unwrap())
    };
    let (epoch, metrics) = slice(Stream::Metrics);
    let announced: Vec<_> = metrics.skipped.iter().map(|gap| (gap.from, gap.to, gap.reason.as_str())).collect();
    assert_eq!(announced, [(1, 1, "cap"), (2, 3, "disk")]);
    let (_, audit) = slice(Stream::Audit);
    assert!(audit.events.iter().all(|event| event.kind == Kind::OUTBOX_LOST));
    let told: Vec<OutboxLost> = audit.events.iter().map(|event| event.data_as().unwrap()).collect();
    let told: Vec<_> =
        told.iter().map(|lost| (lost.stream, lost.epoch, lost.from, lost.to, lost.reason.as_str())).collect();
    let of = |from, to, reason| (Stream::Metrics, epoch, from, to, reason);
    assert_eq!(told, [of(1, 1, "cap"), of(2, 2, "disk"), of(3, 3, "disk")]);
}

#[test]
fn readyz_says_what_keeps_events_from_leaving() {
    let broker: Broker = "mqtts://gateway.example.org".parse().unwrap();
    let stream = StreamStatus { stream: Stream::Logs, waiting: 1, bytes: 1, in_flight: 0, refused: None };
    let status = |link, streams| SyncStatus { link, streams };
    assert_eq!(state_of(&status(LinkStatus::Up(broker.clone()), vec![stream])), PartState::Ok);
    let refused = StreamStatus { refused: Some(Refusal::NotAuthorized), ..stream };
    check_degraded(
        &status(LinkStatus::Up(broker), vec![refused]),
        "mqtts://gateway.example.org:8883 refuses the stream logs",
    );
    check_degraded(&status(LinkStatus::Down(Some(Trouble::Tls)), Vec::new()), "(tls)");
    check_degraded(&status(LinkStatus::Down(None), Vec::new()), "not connected yet");
}

fn check_degraded(status: &SyncStatus, expected: &str) {
    let state = state_of(status);
    assert!(matches!(&state, PartState::Degraded { why } if why.contains(expected)), "{state:?}");
}

fn open(folder: &std::path::Path) -> ArchiveStore {
    let store = Store::open(&StoreConfig::new(folder)).unwrap();
    let (recordings, _) = Recordings::open(folder, 0).unwrap();
    ArchiveStore(Archive::new(store, recordings, PartState::Ok, Arc::new(Health::default())))
}
