//! Where rows of messages are changed: one at a time, all of a change in one commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use messaging::outbound::OutboundContent;
use messaging::{Outbound, Provider};
use store::{
    Author, Batch, ConversationId, ConversationRow, Conversations, MessageKey, MessageRow, Messages, Outgoing,
    OutgoingKey, OutgoingRow, Said, Store,
};
use telephony::wire::Address;
use units::Pii;

use super::MessagesError;
use crate::app::Parts;

/// One change. What is read through it is as of its own beginning, its own puts of conversations included.
pub(crate) struct Desk<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) store: &'a Store,
    /// What is committed at the end, beside conversations.
    pub(crate) batch: Batch,
    /// Milliseconds since 1970.
    pub(crate) now_ms: u64,
    conversations: BTreeMap<ConversationId, Open>,
    sends: Vec<MessageKey>,
    answers: Vec<MessageKey>,
    /// Whether the batch has something for the leads, and for the owner: whoever works on it is woken when it is there to
    /// be found.
    pub(crate) tells_leads: bool,
    pub(crate) tells_owner: bool,
}

/// A conversation that was read.
#[derive(Default)]
struct Open {
    /// As the store has it; `None` for one that begins.
    before: Option<ConversationRow>,
    now: ConversationRow,
}

impl Parts {
    /// Changes rows of messages; what `work` returns is returned when the disk has confirmed the change.
    ///
    /// # Cancellation safety
    ///
    /// Once it has begun, the change is made all the same.
    pub(crate) async fn at_desk<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Desk<'_>) -> Result<T, MessagesError> + Send + 'static,
    ) -> Result<T, MessagesError> {
        let guard = Arc::clone(&self.messages.lock).lock_owned().await;
        let parts = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let store = parts.archive.store().ok_or(MessagesError::NoStore)?;
            let mut desk = Desk {
                parts: &parts,
                store,
                batch: Batch::new(),
                now_ms: parts.clock.wall_ms(),
                conversations: BTreeMap::new(),
                sends: Vec::new(),
                answers: Vec::new(),
                tells_leads: false,
                tells_owner: false,
            };
            let value = work(&mut desk)?;
            desk.commit()?;
            drop(guard);
            Ok(value)
        });
        done.await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "work on messages ended in a bug");
            MessagesError::Stopped
        })?
    }
}

impl Desk<'_> {
    /// Returns a conversation, if there is one.
    pub(crate) fn conversation(&mut self, id: ConversationId) -> Result<Option<&mut ConversationRow>, MessagesError> {
        if !self.conversations.contains_key(&id)
            && let Some(row) = self.store.get::<Conversations>(&id)?
        {
            self.conversations.insert(id, Open { before: Some(row.clone()), now: row });
        }
        Ok(self.conversations.get_mut(&id).map(|open| &mut open.now))
    }

    /// Returns the conversation of two addresses, which begins if there is none.
    pub(crate) fn conversation_of(
        &mut self,
        theirs: &Pii<Address>,
        ours: &Pii<Address>,
    ) -> Result<(ConversationId, &mut ConversationRow), MessagesError> {
        let (theirs, ours) = (theirs.reveal().text(), ours.reveal().text());
        let id = ConversationId::of(&theirs, &ours);
        self.conversation(id)?;
        let open = self.conversations.entry(id).or_insert_with(|| Open {
            before: None,
            now: ConversationRow { theirs: Pii::new(theirs), ours: Pii::new(ours), ..ConversationRow::default() },
        });
        Ok((id, &mut open.now))
    }

    /// Returns a message.
    pub(crate) fn message(&self, key: &MessageKey) -> Result<Option<MessageRow>, MessagesError> {
        Ok(self.store.get::<Messages>(key)?)
    }

    /// Returns the place of the next message of a conversation.
    pub(crate) fn next_key(&mut self, conversation: ConversationId) -> Result<MessageKey, MessagesError> {
        let now_ms = self.now_ms;
        let row = self.conversation(conversation)?.ok_or(MessagesError::Stopped)?;
        // Later than all before, also after the clock was set back.
        row.last_ms = now_ms.max(row.last_ms.saturating_add(1));
        Ok(MessageKey { conversation, at_ms: row.last_ms })
    }

    /// Puts a message.
    pub(crate) fn put(&mut self, key: &MessageKey, row: &MessageRow) -> Result<(), MessagesError> {
        Ok(self.batch.put::<Messages>(key, row)?)
    }

    /// Queues a message of ours and returns its place.
    pub(crate) fn queue(
        &mut self,
        conversation: ConversationId,
        content: OutboundContent,
        author: Author,
    ) -> Result<MessageKey, MessagesError> {
        let key = self.next_key(conversation)?;
        self.put(&key, &MessageRow::new(Said::Outbound(content), author, self.now_ms))?;
        let row = OutgoingRow { put_ms: self.now_ms, ..OutgoingRow::default() };
        self.batch.put::<Outgoing>(&OutgoingKey::Send(key), &row)?;
        self.sends.push(key);
        Ok(key)
    }

    /// Notes that a message from somebody is to be worked on, and answered if `reply`.
    pub(crate) fn work_on(&mut self, key: MessageKey, reply: Replying) -> Result<(), MessagesError> {
        let row = OutgoingRow { put_ms: self.now_ms, reply: reply == Replying::Yes, ..OutgoingRow::default() };
        self.batch.put::<Outgoing>(&OutgoingKey::Answer(key), &row)?;
        self.answers.push(key);
        Ok(())
    }

    /// Leaves a conversation out of the commit.
    pub(crate) fn take_out(&mut self, id: ConversationId) {
        self.conversations.remove(&id);
    }

    /// Returns whether a conversation has as much work waiting as it may.
    pub(crate) fn is_full(&self, conversation: &ConversationId) -> bool {
        let queues = self.parts.messages.queues();
        !queues.answer.has_room(conversation) || !queues.send.has_room(conversation)
    }

    fn commit(mut self) -> Result<(), MessagesError> {
        self.conversations.retain(|_, open| open.before.as_ref() != Some(&open.now));
        for (id, open) in &self.conversations {
            self.batch.put::<Conversations>(id, &open.now)?;
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        self.parts.archive.commit_here(self.batch)?;
        let mut queues = self.parts.messages.queues();
        for (id, open) in &self.conversations {
            queues.note(*id, open.now.last_ms);
        }
        let has_work = !self.sends.is_empty() || !self.answers.is_empty();
        self.sends.into_iter().for_each(|key| queues.send.push(key));
        self.answers.into_iter().for_each(|key| queues.answer.push(key));
        drop(queues);
        if has_work {
            self.parts.messages.news.notify_one();
        }
        if self.tells_leads {
            self.parts.leads.notify();
        }
        if self.tells_owner {
            self.parts.messages.wake();
        }
        Ok(())
    }
}

/// Whether a message is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replying {
    /// It is.
    Yes,
    /// It is only looked at: its files are fetched, its sound is heard.
    No,
}

/// Returns a message as it is sent.
pub(crate) fn outbound(conversation: &ConversationRow, content: &OutboundContent) -> Outbound {
    Outbound { to: address(&conversation.theirs), content: content.clone() }
}

/// Reads an address of a row.
pub(crate) fn address(text: &Pii<String>) -> Pii<Address> {
    Pii::new(Address::of(text.reveal()))
}

/// Returns the key of a provider's name for a message.
pub(crate) fn by_id(provider: Provider, id: &messaging::MessageId) -> String {
    let provider = match provider {
        Provider::Twilio => "twilio",
        Provider::Meta => "meta",
    };
    format!("{provider}:{}", id.as_str())
}
