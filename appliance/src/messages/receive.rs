//! What comes in: messages from people, and what became of ours.

use std::sync::Arc;

use messaging::conversation::{Answerer, Keyword, Model, Verdict};
use messaging::message::Content;
use messaging::outbound::OutboundContent;
use messaging::{Inbound, Refusal, StatusUpdate, UnixTime};
use store::{Author, FileRow, MessageByIdRow, MessageRow, MessagesById, Said};
use units::{Language, Pii};
use weather::Stage;

use super::desk::{Desk, Replying, by_id};
use super::{MessagesError, words};
use crate::app::Parts;
use crate::metrics::ReasonLabel;

/// Takes what one webhook brought, in one commit: when this is done, it is on the disk.
///
/// # Cancellation safety
///
/// Dropped half way, it is taken all the same.
pub(crate) async fn receive(
    parts: &Arc<Parts>,
    inbound: Vec<Inbound>,
    statuses: Vec<StatusUpdate>,
) -> Result<(), MessagesError> {
    let model = if parts.station.is_clear(Stage::Reply) { Model::Reachable } else { Model::Unreachable };
    let outcomes = parts.at_desk(move |desk| {
        let mut outcomes = Vec::new();
        // Of several with one name in the same webhook the first counts.
        let mut new_ids = Vec::new();
        for message in &inbound {
            let id = by_id(message.provider, &message.id);
            if new_ids.contains(&id) {
                outcomes.push("repeated");
                continue;
            }
            outcomes.push(take(desk, model, message, &id)?);
            new_ids.push(id);
        }
        let mut news: Vec<(String, StatusUpdate)> =
            statuses.into_iter().map(|update| (by_id(update.provider, &update.id), update)).collect();
        // All of one message together: its row is read once and put once.
        news.sort_by(|a, b| a.0.cmp(&b.0));
        for updates in news.chunk_by(|a, b| a.0 == b.0) {
            outcomes.push(note(desk, updates)?);
        }
        Ok(outcomes)
    });
    for reason in outcomes.await? {
        parts.metrics.text_messages.get_or_create(&ReasonLabel { reason }).inc();
    }
    Ok(())
}

/// Takes one message, and says in a word what was made of it.
fn take(desk: &mut Desk<'_>, model: Model, message: &Inbound, by_id: &String) -> Result<&'static str, MessagesError> {
    if desk.store.get::<MessagesById>(by_id)?.is_some_and(|row| row.message.is_some()) {
        return Ok("repeated");
    }
    let rules = desk.parts.messages.rules;
    let now = UnixTime::from_millis(desk.now_ms);
    let office = desk.parts.language;
    let (id, row) = desk.conversation_of(&message.from, &message.to)?;
    let verdict = row.state.receive(&rules, now, model, message);
    if verdict == Verdict::Repeated {
        return Ok("repeated");
    }
    if let Some(name) = &message.profile_name {
        row.name = Some(name.clone());
    }
    if let Some(text) = words_of(&message.content) {
        row.language = Some(words::language_of(text.reveal(), row.language.unwrap_or(office)));
    }
    if desk.is_full(&id) {
        return Err(MessagesError::Overloaded);
    }
    let key = desk.next_key(id)?;
    let said = Said::Inbound(message.content.clone());
    let files = files_of(&message.content).map(|_| FileRow::default()).collect();
    let row = MessageRow {
        provider: Some(message.provider),
        provider_id: Some(message.id.clone()),
        reply_to: message.reply_to.clone(),
        files,
        ..MessageRow::new(said, Author::Contact, message.at.as_millis())
    };
    let has_files = !row.files.is_empty();
    desk.put(&key, &row)?;
    let known = MessageByIdRow { message: Some(key), first_ms: desk.now_ms, ..MessageByIdRow::default() };
    desk.batch.put::<MessagesById>(by_id, &known)?;
    let replies = desk.parts.config.messages.replies;
    let (word, replying) = match verdict {
        Verdict::Answer(Answerer::Model | Answerer::Receptionist) if replies => ("answered", Replying::Yes),
        Verdict::Answer(_) => ("for_a_person", Replying::No),
        Verdict::OptedOut(language) => {
            desk.queue(id, confirmation(Keyword::OptOut, language), Author::Confirmation)?;
            ("opted_out", Replying::No)
        }
        Verdict::OptedIn(language) => {
            desk.queue(id, confirmation(Keyword::OptIn, language), Author::Confirmation)?;
            ("opted_in", Replying::No)
        }
        Verdict::Muted => ("muted", Replying::No),
        Verdict::TooFast => ("too_fast", Replying::No),
        Verdict::Keep | Verdict::Repeated => ("kept", Replying::No),
    };
    if has_files || replying == Replying::Yes {
        desk.work_on(key, replying)?;
    }
    Ok(word)
}

/// Notes what became of one of our messages, in whatever order it is told.
fn note(desk: &mut Desk<'_>, updates: &[(String, StatusUpdate)]) -> Result<&'static str, MessagesError> {
    let Some((id, _)) = updates.first() else { return Ok("status_repeated") };
    let mut known = desk.store.get::<MessagesById>(id)?.unwrap_or_default();
    let Some(key) = known.message else {
        // It comes before the answer to our request; the message takes it over when its name is known.
        let changed = updates.iter().fold(false, |changed, (_, update)| known.early.apply(update) | changed);
        if changed {
            known.first_ms = desk.now_ms;
            desk.batch.put::<MessagesById>(id, &known)?;
        }
        return Ok("status_early");
    };
    let Some(mut row) = desk.message(&key)? else { return Ok("status_unknown") };
    let changed = updates.iter().fold(false, |changed, (_, update)| row.progress.apply(update) | changed);
    if !changed {
        return Ok("status_repeated");
    }
    desk.put(&key, &row)?;
    let opted_out = updates.iter().any(|(_, update)| update.refusal() == Some(Refusal::OptedOut));
    if opted_out && let Some(conversation) = desk.conversation(key.conversation)? {
        conversation.state.set_keyword(Keyword::OptOut);
    }
    Ok("status")
}

/// Returns the one message that goes to somebody who wants no more.
fn confirmation(keyword: Keyword, language: Language) -> OutboundContent {
    let text = match keyword {
        Keyword::OptOut => words::pick(
            language,
            "לא נשלח לכם עוד הודעות. לחזרה: כתבו «הצטרף».",
            "You will get no more messages from us. Write START to get them again.",
        ),
        Keyword::OptIn => words::pick(
            language,
            "תודה, נמשיך לענות לכם כאן. להפסקה: כתבו «הסר».",
            "Thank you, we will answer you here again. Write STOP to end it.",
        ),
    };
    OutboundContent::Text(Pii::new(text.to_owned()))
}

/// Returns the files of a message.
pub(super) fn files_of(content: &Content) -> impl Iterator<Item = &messaging::message::Media> {
    let items = match content {
        Content::Media { items, .. } => items.as_slice(),
        Content::VoiceNote(media) => std::slice::from_ref(media),
        Content::Text(_)
        | Content::Button { .. }
        | Content::Location(_)
        | Content::Reaction { .. }
        | Content::Contacts(_)
        | Content::Unknown { .. } => &[],
    };
    items.iter()
}

/// Returns what was written in a message, if anything was.
pub(super) fn words_of(content: &Content) -> Option<&Pii<String>> {
    match content {
        Content::Text(text) | Content::Button { text, .. } => Some(text),
        Content::Media { caption, .. } => caption.as_ref(),
        Content::VoiceNote(_)
        | Content::Location(_)
        | Content::Reaction { .. }
        | Content::Contacts(_)
        | Content::Unknown { .. } => None,
    }
    .filter(|text| !text.reveal().trim().is_empty())
}
