//! The archive as the link sees it; public, so that a campaign tests this very join of the two crates.

use ::store::{Batch, CommitError, Inbox, OutboxHead, Query, ReadError, SkipCause, Store};
use ::sync::inbox::CommandRow;
use ::sync::outbox::{Head, OutboxStore, OutboxStoreError, Slice, Wanted};
use ::sync::{InboxStore, SavedInbox};
use protocol::{CommandId, Desired, SeqRange, Skipped, Stream};

use crate::archive::Archive;

/// The row of the wish in force.
const DESIRED: &str = "desired";
/// What the rows of commands begin with.
const COMMAND: &str = "command/";

/// The archive. What it does waits for the disk.
#[derive(Clone, Debug)]
pub struct ArchiveStore(pub Archive);

impl ArchiveStore {
    fn store(&self) -> Result<&Store, OutboxStoreError> {
        self.0.store().ok_or_else(|| OutboxStoreError("there is no store".into()))
    }

    fn commit(&self, batch: Batch) -> Result<(), OutboxStoreError> {
        self.store()?.commit(batch).map_err(failed)
    }

    fn put(&self, key: &str, row: &impl serde::Serialize) -> Result<(), OutboxStoreError> {
        let row = serde_json::to_value(row).map_err(failed)?;
        let mut batch = Batch::new();
        batch.put::<Inbox>(&key.to_owned(), &row).map_err(failed)?;
        self.commit(batch)
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> OutboxStoreError {
    OutboxStoreError(Box::new(error))
}

impl OutboxStore for ArchiveStore {
    fn heads(&self) -> Vec<Head> {
        let head = |head: OutboxHead| Head {
            stream: head.stream,
            epoch: head.epoch,
            open: head.open,
            through: head.through,
            next: head.next,
            bytes: head.bytes,
        };
        self.0.store().map_or_else(Vec::new, |store| store.outbox_heads().into_iter().map(head).collect())
    }

    fn slice(&self, wanted: Wanted) -> Result<Slice, OutboxStoreError> {
        let Wanted { stream, epoch, after, max_events, max_len } = wanted;
        let slice = self.store()?.outbox_slice(stream, epoch, after, max_events, max_len).map_err(failed)?;
        let skipped = slice.skipped.iter().map(|gap| {
            let reason = match gap.cause {
                SkipCause::Cap => Skipped::CAP,
                SkipCause::Disk => Skipped::DISK,
                SkipCause::Damaged => Skipped::STORE,
            };
            Skipped::new(SeqRange { from: gap.from, to: gap.to }, reason)
        });
        Ok(Slice { boot: slice.boot, skipped: skipped.collect(), events: slice.events })
    }

    fn acknowledge(&self, stream: Stream, epoch: u64, through: u64) -> Result<(), OutboxStoreError> {
        let mut batch = Batch::new();
        batch.acknowledge(stream, epoch, through);
        self.commit(batch)
    }

    fn begin_epoch(&self, stream: Stream, at_least: u64) -> Result<(), OutboxStoreError> {
        let mut batch = Batch::new();
        batch.begin_epoch(stream, at_least);
        self.commit(batch)
    }
}

impl InboxStore for ArchiveStore {
    fn load(&self) -> Result<SavedInbox, OutboxStoreError> {
        let rows = self.store()?.query(&Query::<Inbox>::all()).map_err(|error: ReadError| failed(error))?;
        let mut saved = SavedInbox::default();
        for (key, row) in rows {
            // A row of a newer release that this one cannot read is as good as none.
            if key == DESIRED {
                saved.desired = serde_json::from_value(row).ok();
            } else if key.starts_with(COMMAND) {
                saved.commands.extend(serde_json::from_value::<CommandRow>(row).ok());
            }
        }
        Ok(saved)
    }

    fn save_desired(&self, desired: &Desired) -> Result<(), OutboxStoreError> {
        self.put(DESIRED, desired)
    }

    fn remember(&self, row: &CommandRow) -> Result<(), OutboxStoreError> {
        self.put(&format!("{COMMAND}{}", row.id), row)
    }

    fn forget(&self, id: &CommandId) -> Result<(), OutboxStoreError> {
        let mut batch = Batch::new();
        batch.delete::<Inbox>(&format!("{COMMAND}{id}")).map_err(|error| failed(CommitError::from(error)))?;
        self.commit(batch)
    }
}
