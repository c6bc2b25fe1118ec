//! Ways to break the promises of messages on purpose: what a box would leave that keeps them not.

use store::{Batch, Delivery, Messages, Outgoing, OutgoingKey, OutgoingRow, Query, Said, Store};

use crate::cli::MessagesBroken;

/// Changes the store of a box that was killed.
pub(super) fn break_promise(how: MessagesBroken, store: &Store) -> anyhow::Result<()> {
    let batch = match how {
        MessagesBroken::AckEarly => forget_newest(store)?,
        MessagesBroken::SendTwice => send_again(store)?,
    };
    Ok(store.commit(batch)?)
}

/// Forgets the text that came in last, as a box does that acknowledges what is not on the disk yet.
fn forget_newest(store: &Store) -> anyhow::Result<Batch> {
    let mut batch = Batch::new();
    let rows = store.query(&Query::<Messages>::all().limit(usize::MAX))?;
    let inbound = rows.into_iter().filter(|(_, row)| matches!(row.said, Said::Inbound(_)));
    if let Some((key, _)) = inbound.max_by_key(|(key, _)| key.at_ms) {
        batch.delete::<Messages>(&key)?;
        batch.delete::<Outgoing>(&OutgoingKey::Answer(key))?;
    }
    Ok(batch)
}

/// Queues again what was being sent, as a box does that does not note that it begins to.
fn send_again(store: &Store) -> anyhow::Result<Batch> {
    let mut batch = Batch::new();
    for (key, row) in store.query(&Query::<Outgoing>::to_send().limit(usize::MAX))? {
        if let OutgoingKey::Send(message) = &key
            && row.sending
            && let Some(mut sent) = store.get::<Messages>(message)?
        {
            sent.delivery = Delivery::Queued;
            batch.put::<Messages>(message, &sent)?;
            batch.put::<Outgoing>(&key, &OutgoingRow { sending: false, ..row })?;
        }
    }
    Ok(batch)
}
