//! A store and a host in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use protocol::{CommandId, CommandRequest, Desired, Event, EventId, Kind, NewEvent, Reported, Stamp, Stream};
use serde_json::json;
use sync::inbox::CommandRow;
use sync::outbox::{Head, OutboxStore, OutboxStoreError, Slice, Wanted};
use sync::{Host, HostFuture, InboxStore, SavedInbox, SyncStatus};
use tokio::sync::watch;
use units::Pii;

use super::DEADLINE;

const EPOCH: u64 = 1_700_000_000_000;

/// Streams of one epoch.
#[derive(Debug)]
pub(super) struct Memory {
    lanes: Mutex<BTreeMap<Stream, (u64, u64, BTreeMap<u64, Event>)>>,
    inbox: Mutex<SavedInbox>,
    left: watch::Sender<usize>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { lanes: Mutex::default(), inbox: Mutex::default(), left: watch::Sender::new(0) }
    }
}

impl Memory {
    pub(super) fn emit(&self, stream: Stream, numbers: std::ops::Range<u64>) {
        let mut lanes = self.lanes.lock().unwrap();
        let (next, _, events) = lanes.entry(stream).or_insert_with(|| (1, 0, BTreeMap::new()));
        for number in numbers {
            let mut id = [stream as u8; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let event = NewEvent {
                stream,
                kind: Kind::CALL_ENDED,
                id: EventId::from_bytes(id),
                stamp: Stamp { boot: 7, mono_ms: number, wall_ms: number, time_synced: true },
                data: Pii::new(json!({ "number": number, "text": "some words that make an event as long as one is" })),
            };
            events.insert(*next, event.numbered(*next));
            *next += 1;
        }
        self.left.send_replace(lanes.values().map(|(_, _, events)| events.len()).sum());
    }

    pub(super) async fn wait_until_empty(&self) {
        let mut left = self.left.subscribe();
        tokio::time::timeout(DEADLINE, left.wait_for(|left| *left == 0)).await.expect("the store empties").unwrap();
    }
}

impl OutboxStore for Memory {
    fn heads(&self) -> Vec<Head> {
        let lanes = self.lanes.lock().unwrap();
        let head = |(stream, (next, through, events)): (&Stream, &(u64, u64, BTreeMap<u64, Event>))| Head {
            stream: *stream,
            epoch: EPOCH,
            open: true,
            through: *through,
            next: *next,
            bytes: events.len() as u64,
        };
        lanes.iter().map(head).collect()
    }

    fn slice(&self, wanted: Wanted) -> Result<Slice, OutboxStoreError> {
        let lanes = self.lanes.lock().unwrap();
        let (_, _, events) = &lanes[&wanted.stream];
        let events = events.range(wanted.after + 1..).take(wanted.max_events).map(|(_, event)| event.clone()).collect();
        Ok(Slice { boot: 7, skipped: Vec::new(), events })
    }

    fn acknowledge(&self, stream: Stream, epoch: u64, through: u64) -> Result<(), OutboxStoreError> {
        assert_eq!(epoch, EPOCH);
        let mut lanes = self.lanes.lock().unwrap();
        let (_, known, events) = lanes.get_mut(&stream).unwrap();
        *known = through.max(*known);
        events.retain(|seq, _| *seq > through);
        self.left.send_replace(lanes.values().map(|(_, _, events)| events.len()).sum());
        Ok(())
    }

    fn begin_epoch(&self, _: Stream, _: u64) -> Result<(), OutboxStoreError> {
        Err(OutboxStoreError("no test begins an epoch".into()))
    }
}

impl InboxStore for Memory {
    fn load(&self) -> Result<SavedInbox, OutboxStoreError> {
        Ok(self.inbox.lock().unwrap().clone())
    }

    fn save_desired(&self, desired: &Desired) -> Result<(), OutboxStoreError> {
        self.inbox.lock().unwrap().desired = Some(desired.clone());
        Ok(())
    }

    fn remember(&self, row: &CommandRow) -> Result<(), OutboxStoreError> {
        let mut inbox = self.inbox.lock().unwrap();
        inbox.commands.retain(|known| known.id != row.id);
        inbox.commands.push(row.clone());
        Ok(())
    }

    fn forget(&self, id: &CommandId) -> Result<(), OutboxStoreError> {
        self.inbox.lock().unwrap().commands.retain(|known| known.id != *id);
        Ok(())
    }
}

/// A program that notes what it is asked for.
#[derive(Debug)]
pub(super) struct TestHost {
    applied: Mutex<Vec<u64>>,
    executed: Mutex<Vec<String>>,
    status: watch::Sender<Option<SyncStatus>>,
}

impl Default for TestHost {
    fn default() -> Self {
        Self { applied: Mutex::default(), executed: Mutex::default(), status: watch::Sender::new(None) }
    }
}

impl TestHost {
    pub(super) fn applied(&self) -> Vec<u64> {
        self.applied.lock().unwrap().clone()
    }

    pub(super) fn executed(&self) -> Vec<String> {
        self.executed.lock().unwrap().clone()
    }

    pub(super) async fn wait_for(&self, wanted: impl Fn(&SyncStatus) -> bool) {
        let mut status = self.status.subscribe();
        let waiting = status.wait_for(|status| status.as_ref().is_some_and(&wanted));
        let found = tokio::time::timeout(DEADLINE, waiting).await.map(|found| found.map(drop));
        assert!(found.is_ok(), "it did not come: {:?}", self.status.borrow());
    }
}

impl Host for TestHost {
    fn wall_ms(&self) -> Option<u64> {
        None
    }

    fn apply(&self, desired: &Desired) -> Result<(), String> {
        self.applied.lock().unwrap().push(desired.version);
        Ok(())
    }

    fn report(&self) -> Reported {
        Reported::new(0, 0)
    }

    fn refuses(&self, request: &CommandRequest) -> Option<String> {
        (request.kind == CommandRequest::ROTATE_KEY).then(|| "the key of a test stays".to_owned())
    }

    fn execute(&self, request: CommandRequest) -> HostFuture {
        self.executed.lock().unwrap().push(request.id.to_string());
        Box::pin(async move { Ok(format!("{} done", request.kind)) })
    }

    fn on_status(&self, status: &SyncStatus) {
        self.status.send_replace(Some(status.clone()));
    }
}
