//! Lets go of old messages and files.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use store::{ConversationId, ConversationRow, Conversations, MessageKey, MessagesById, Outgoing, OutgoingKey, Query};

use super::MessagesError;
use super::desk::{Desk, by_id};
use crate::app::Parts;

/// How long a message is kept: as long as a call.
const MESSAGES_FOR: Duration = Duration::from_hours(400 * 24);
/// Messages kept of one conversation.
const MAX_MESSAGES: usize = 5_000;
/// Conversations kept; of those that opted out the row is kept beyond, so that the wish is.
const MAX_CONVERSATIONS: usize = 10_000;
/// How long a file is kept.
const FILES_FOR: Duration = Duration::from_hours(90 * 24);
/// What files may take, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// How long a request is known by its name.
const REQUESTS_FOR: Duration = Duration::from_hours(7 * 24);
/// How long a status waits for its message, in which the name of the message may still come in.
const STATUSES_FOR: Duration = Duration::from_hours(7 * 24);
/// Rows looked at in one commit.
const AT_ONCE: usize = 200;
/// Rows of one table looked at in one round.
const MAX_LOOKED_AT: usize = 100_000;

/// Lets go of what is old, a little at a time, so that messages are taken meanwhile.
///
/// # Cancellation safety
///
/// Dropped half way, what was not let go of is let go of the next time.
pub(crate) async fn trim(parts: &Arc<Parts>) {
    let conversations = parts.messages.latest(None, usize::MAX);
    let mut dropped = 0_usize;
    for (place, (_, id)) in conversations.into_iter().enumerate() {
        let is_surplus = place >= MAX_CONVERSATIONS;
        loop {
            match parts.at_desk(move |desk| trim_conversation(desk, id, is_surplus)).await {
                Ok(0) => break,
                Ok(count) => dropped = dropped.saturating_add(count),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "old messages not let go of");
                    return;
                }
            }
        }
    }
    let names = parts.at_desk(trim_names).await.unwrap_or_default();
    let files = parts.messages.files.clone();
    let trimming = move || files.trim(SystemTime::now(), FILES_FOR, MAX_FILE_BYTES);
    let files = tokio::task::spawn_blocking(trimming).await.unwrap_or_default();
    tracing::info!(messages = dropped, names, files, "looked for old messages");
}

/// Lets go of some messages of a conversation, and of the conversation when nothing is left; returns how many.
fn trim_conversation(desk: &mut Desk<'_>, id: ConversationId, is_surplus: bool) -> Result<usize, MessagesError> {
    let oldest = desk.now_ms.saturating_sub(millis(MESSAGES_FOR));
    let all = desk.store.query(&Query::<store::Messages>::of_conversation(&id).limit(MAX_MESSAGES + AT_ONCE))?;
    let surplus = all.len().saturating_sub(MAX_MESSAGES);
    let len = all.len();
    let old = all.into_iter().enumerate();
    let old = old.filter(|(place, (key, _))| is_surplus || *place < surplus || key.at_ms < oldest);
    let mut count = 0_usize;
    for (_, (key, row)) in old.take(AT_ONCE) {
        if let (Some(provider), Some(name)) = (row.provider, &row.provider_id) {
            desk.batch.delete::<MessagesById>(&by_id(provider, name))?;
        }
        drop_message(desk, &key)?;
        count = count.saturating_add(1);
    }
    if count == len
        && let Some(row) = desk.conversation(id)?
    {
        // The wish to be left alone outlives what was said.
        if row.state.is_opted_out() {
            let (theirs, ours) = (row.theirs.clone(), row.ours.clone());
            let (state, last_ms) = (row.state.clone(), row.last_ms);
            *row = ConversationRow { theirs, ours, state, last_ms, ..ConversationRow::default() };
        } else if row.last_ms < oldest || is_surplus {
            desk.forget(id)?;
        }
    }
    Ok(count)
}

fn drop_message(desk: &mut Desk<'_>, key: &MessageKey) -> Result<(), MessagesError> {
    desk.batch.delete::<store::Messages>(key)?;
    desk.batch.delete::<Outgoing>(&OutgoingKey::Answer(*key))?;
    Ok(())
}

/// Lets go of names of requests, and of statuses whose message never came.
fn trim_names(desk: &mut Desk<'_>) -> Result<usize, MessagesError> {
    let requests_before = desk.now_ms.saturating_sub(millis(REQUESTS_FOR));
    let statuses_before = desk.now_ms.saturating_sub(millis(STATUSES_FOR));
    let mut count = 0_usize;
    for (key, row) in desk.store.query(&Query::<Outgoing>::requests().limit(MAX_LOOKED_AT))? {
        if row.put_ms < requests_before {
            desk.batch.delete::<Outgoing>(&key)?;
            count = count.saturating_add(1);
        }
    }
    for (key, row) in desk.store.query(&Query::<MessagesById>::all().limit(MAX_LOOKED_AT))? {
        if row.message.is_none() && row.first_ms < statuses_before {
            desk.batch.delete::<MessagesById>(&key)?;
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}

impl Desk<'_> {
    /// Forgets a conversation without messages.
    fn forget(&mut self, id: ConversationId) -> Result<(), MessagesError> {
        self.take_out(id);
        self.batch.delete::<Conversations>(&id)?;
        self.parts.messages.queues().forget(&id);
        self.parts.messages.files.forget(&id);
        Ok(())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
