//! What goes out: checked, committed as being sent, sent, and noted.

use std::sync::Arc;

use messaging::conversation::{Answerer, Keyword, Model};
use messaging::outbound::OutboundContent;
use messaging::{Answer, Outbound, Refusal, UnixTime};
use store::{
    Author, ConversationRow, Delivery, MessageByIdRow, MessageKey, MessageRow, MessagesById, Outgoing, OutgoingKey,
    OutgoingRow, Said,
};
use telephony::wire::Address;
use units::Pii;

use super::MessagesError;
use super::desk::{Desk, address, by_id, outbound};
use super::lanes::Done;
use super::provider::AnyProvider;
use crate::app::Parts;
use crate::metrics::ReasonLabel;

/// Times a message is handed over that the provider did not take, because it was too much or the provider was away.
const MAX_TRIES: u32 = 12;

/// What is to be handed over.
struct Ready {
    message: Outbound,
    from: Pii<Address>,
    carrier: AnyProvider,
}

/// Sends a message that is queued, unless it must not be sent any more.
///
/// # Cancellation safety
///
/// Dropped half way, the message is uncertain from the next start on.
pub(super) async fn send(parts: &Arc<Parts>, key: MessageKey, tries: u32) -> Done {
    let ready = match parts.at_desk(move |desk| prepare(desk, key)).await {
        Ok(Some(ready)) => ready,
        Ok(None) => return Done::Yes,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "message not sent yet");
            return Done::Again;
        }
    };
    let answer = ready.carrier.send(&ready.message, &ready.from).await;
    let word = match &answer {
        Answer::Accepted(_) => "sent",
        Answer::Refused { refusal, .. } if refusal.is_transient() && tries < MAX_TRIES => "not_taken_yet",
        Answer::Refused { .. } => "refused",
        Answer::Uncertain => "uncertain",
    };
    parts.metrics.text_messages.get_or_create(&ReasonLabel { reason: word }).inc();
    if let Answer::Refused { refusal, .. } = &answer {
        tracing::info!(%refusal, code = ?refusal.code(ready.carrier.name()), word, "message refused");
    }
    let is_last = tries >= MAX_TRIES;
    let provider = ready.carrier.name();
    match parts.at_desk(move |desk| note(desk, key, provider, &answer, is_last)).await {
        Ok(done) => done,
        Err(error) => {
            // It stands in the store as being sent, and is uncertain at the next start.
            tracing::error!(error = &error as &dyn std::error::Error, "it could not be noted that a message was sent");
            Done::Yes
        }
    }
}

/// Notes that a message is handed over now; `None` when it must not be.
fn prepare(desk: &mut Desk<'_>, key: MessageKey) -> Result<Option<Ready>, MessagesError> {
    let queued = OutgoingKey::Send(key);
    let (Some(mut row), Some(mut work)) = (desk.message(&key)?, desk.store.get::<Outgoing>(&queued)?) else {
        desk.batch.delete::<Outgoing>(&queued)?;
        return Ok(None);
    };
    let Said::Outbound(content) = row.said.clone() else { return Ok(None) };
    let Some(conversation) = desk.conversation(key.conversation)?.cloned() else { return Ok(None) };
    match check(desk.parts, desk.now_ms, &conversation, &row, &content) {
        Ok(ready) => {
            row.delivery = Delivery::Sending;
            work.sending = true;
            desk.batch.put::<Outgoing>(&queued, &work)?;
            desk.put(&key, &row)?;
            Ok(Some(ready))
        }
        Err(delivery) => {
            row.delivery = delivery;
            desk.batch.delete::<Outgoing>(&queued)?;
            desk.put(&key, &row)?;
            Ok(None)
        }
    }
}

/// Checks a message just before it is sent; the error is what becomes of it instead.
fn check(
    parts: &Parts,
    now_ms: u64,
    conversation: &ConversationRow,
    row: &MessageRow,
    content: &OutboundContent,
) -> Result<Ready, Delivery> {
    let now = UnixTime::from_millis(now_ms);
    let message = outbound(conversation, content);
    let refused = |refusal: Refusal, code| Delivery::Refused { refusal, code };
    let carrier = parts.messages.carrier_of(message.to.reveal()).ok_or(refused(Refusal::SenderInvalid, None))?.clone();
    match row.author {
        // What the box wrote is not sent into what a person of the office has taken over.
        Author::Model | Author::Receptionist => {
            let answerer = conversation.state.answerer(&parts.messages.rules, now, Model::Reachable);
            if answerer == Answerer::Human {
                return Err(Delivery::Withdrawn);
            }
        }
        Author::Person | Author::Notice | Author::Confirmation | Author::Contact | Author::Unknown => {}
    }
    if row.author != Author::Confirmation {
        let checked = conversation.state.check(now, &message);
        checked.map_err(|error| refused(error.refusal, error.code(carrier.name())))?;
    }
    let from = address(&conversation.ours);
    carrier.check(&message, &from).map_err(|error| refused(error.refusal, error.code(carrier.name())))?;
    Ok(Ready { message, from, carrier })
}

/// Notes what the provider answered.
fn note(
    desk: &mut Desk<'_>,
    key: MessageKey,
    provider: messaging::Provider,
    answer: &Answer,
    is_last: bool,
) -> Result<Done, MessagesError> {
    let queued = OutgoingKey::Send(key);
    let Some(mut row) = desk.message(&key)? else { return Ok(Done::Yes) };
    row.provider = Some(provider);
    let mut done = Done::Yes;
    match answer {
        Answer::Accepted(id) => {
            row.delivery = Delivery::Accepted;
            row.provider_id = Some(id.clone());
            let name = by_id(provider, id);
            let early = desk.store.get::<MessagesById>(&name)?.unwrap_or_default();
            row.progress = std::mem::take(&mut row.progress).join(early.early);
            let known = MessageByIdRow { message: Some(key), first_ms: desk.now_ms, ..MessageByIdRow::default() };
            desk.batch.put::<MessagesById>(&name, &known)?;
        }
        Answer::Refused { refusal, .. } if refusal.is_transient() && !is_last => {
            row.delivery = Delivery::Queued;
            done = Done::Again;
        }
        Answer::Refused { refusal, code } => {
            row.delivery = Delivery::Refused { refusal: *refusal, code: *code };
            if *refusal == Refusal::OptedOut
                && let Some(conversation) = desk.conversation(key.conversation)?
            {
                conversation.state.set_keyword(Keyword::OptOut);
            }
        }
        Answer::Uncertain => row.delivery = Delivery::Uncertain,
    }
    desk.put(&key, &row)?;
    match done {
        Done::Yes => desk.batch.delete::<Outgoing>(&queued)?,
        Done::Again => {
            let work = OutgoingRow { put_ms: desk.now_ms, ..OutgoingRow::default() };
            desk.batch.put::<Outgoing>(&queued, &work)?;
        }
    }
    Ok(done)
}
