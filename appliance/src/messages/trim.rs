//! Lets go of old messages and files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use store::{
    CommitError, ConversationId, ConversationRow, Conversations, FileRow, FileState, MessageKey, MessagesById,
    Outgoing, OutgoingKey, Query,
};

use super::MessagesError;
use super::desk::{Desk, by_id};
use super::files::message_of;
use crate::app::Parts;

/// How long a message is kept: as long as a call.
const MESSAGES_FOR: Duration = Duration::from_hours(400 * 24);
/// Messages kept of one conversation.
const MAX_MESSAGES: usize = 5_000;
/// Conversations kept; of those that opted out the row is kept beyond, so that the wish is.
const MAX_CONVERSATIONS: usize = 10_000;
/// How long a request is known by its name, and that the owner was told of something.
pub(crate) const REQUESTS_FOR: Duration = Duration::from_hours(7 * 24);
/// How long a status waits for its message, in which the name of the message may still come in.
const STATUSES_FOR: Duration = Duration::from_hours(7 * 24);
/// Rows looked at in one commit.
const AT_ONCE: usize = 200;
/// Rows of one table looked at in one round.
const MAX_LOOKED_AT: usize = 100_000;

/// What is kept of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptFiles {
    /// How long a file is kept.
    pub for_time: Duration,
    /// What all of them may take, in bytes.
    pub bytes: u64,
}

impl Default for KeptFiles {
    /// 90 days, as recordings, and 1 GiB.
    fn default() -> Self {
        Self { for_time: Duration::from_hours(90 * 24), bytes: 1 << 30 }
    }
}

/// Lets go of what is old, a little at a time, so that messages are taken meanwhile.
///
/// # Cancellation safety
///
/// Dropped half way, what was not let go of is let go of the next time.
pub async fn trim(parts: &Arc<Parts>, kept: KeptFiles) {
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
    let files = trim_files(parts, kept).await;
    tracing::info!(messages = dropped, names, files, "looked for old messages");
}

/// Lets go of files and returns how many. That a file is gone stands in its message first: a file that is still there
/// goes at the next look, one that a message names and is gone would be missed for ever.
async fn trim_files(parts: &Arc<Parts>, kept: KeptFiles) -> usize {
    let files = parts.messages.files.clone();
    let looking = move || files.surplus(SystemTime::now(), kept.for_time, kept.bytes);
    let surplus = tokio::task::spawn_blocking(looking).await.unwrap_or_default();
    let mut removed = 0_usize;
    for names in surplus.chunks(AT_ONCE) {
        let (names, files) = (Arc::<[String]>::from(names), parts.messages.files.clone());
        let marking = Arc::clone(&names);
        if let Err(error) = parts.at_desk(move |desk| mark_dropped(desk, &marking)).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "old files are not noted as gone");
            // A full disk needs the room; whoever asks for a file that is missing is told the same.
            if !matches!(error, MessagesError::Commit(CommitError::DiskFull)) {
                break;
            }
        }
        let gone = tokio::task::spawn_blocking(move || files.remove(&names)).await.unwrap_or_default();
        removed = removed.saturating_add(gone);
    }
    removed
}

/// Notes in their messages that files are gone.
fn mark_dropped(desk: &mut Desk<'_>, names: &[String]) -> Result<(), MessagesError> {
    let mut messages: BTreeMap<MessageKey, Vec<&str>> = BTreeMap::new();
    for (key, name) in names.iter().filter_map(|name| Some((message_of(name)?, name))) {
        messages.entry(key).or_default().push(name);
    }
    for (key, names) in messages {
        let Some(mut row) = desk.message(&key)? else { continue };
        let before = row.files.clone();
        let is_gone = |file: &&mut FileRow| file.name.as_deref().is_some_and(|name| names.contains(&name));
        for file in row.files.iter_mut().filter(is_gone) {
            (file.state, file.name) = (FileState::Dropped, None);
        }
        if row.files != before {
            desk.put(&key, &row)?;
        }
    }
    Ok(())
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
